"""Draws a tournament's report: the scores, what came in over time, and the ranks of the first ten.

By matplotlib, which is loaded with the first picture; its settings are of the process, so pictures are drawn one at a time. Times are UTC.
Texts of users stay texts: no formulas. An SVG has them as texts, in the reader's fonts; a PNG in DejaVu Sans, with boxes for what that lacks.
"""

from __future__ import annotations

import io
import warnings
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
from msgspec import UNSET

from serve_app.services.analytics import Report

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

Form = Literal["svg", "png"]
Part = Literal["report", "histogram", "attempts", "curves"]
Theme = Literal["light", "dark"]
FORMS: Final[dict[str, str]] = {"svg": "image/svg+xml", "png": "image/png"}
PARTS: Final = ("report", "histogram", "attempts", "curves")
THEMES: Final = ("light", "dark")
SIZE_IN: Final = (8.0, 3.6)  # of one part
HEAD_IN: Final = 0.9
DPI: Final = 160
MAX_BARS: Final = 2_000  # of what came in: more are put together
MAX_NAME: Final = 24  # characters of a name
LOGARITHMIC_RANK: Final = 60  # from this rank on the ranks' axis is logarithmic
SMALLEST_AXIS: Final = 0.1  # of scores: below, its ticks would be closer than hundredths
_COLOURS: Final = {
    "light": {"paper": "#ffffff", "ink": "#1d2430", "faint": "#c9d0da", "first": "#2457a6", "second": "#b5480f"},
    "dark": {"paper": "#161b22", "ink": "#e6eaf0", "faint": "#3b4452", "first": "#7fb0ff", "second": "#ffa066"},
}
_CURVES: Final = {
    "light": ("#2457a6", "#b5480f", "#1d7a3d", "#8a2f9c", "#9a7000", "#0c7489", "#c0264f", "#555f6e", "#5b3a1e", "#4f46b8"),
    "dark": ("#7fb0ff", "#ffa066", "#6fd08c", "#d79be6", "#e6c34d", "#63cfe0", "#ff8fab", "#aab4c3", "#d3a27c", "#aaa4ff"),
}  # fmt: skip
_DASHES: Final = ("-", "--", "-.", ":")  # told apart without colours, too
_STATUS: Final = {"finished": "final", "cancelled": "cancelled", "running": "running", "scheduled": "not started"}


def draw(report: Report, form: Form, part: Part = "report", theme: Theme = "light") -> bytes:
    """The whole report, or a part of it."""
    import matplotlib as mpl  # 0.5 s and 40 MB, which only who asks for pictures pays
    from matplotlib.figure import Figure

    colours = _COLOURS[theme]
    names: Sequence[str] = PARTS[1:] if part == "report" else (part,)
    width_in, height_in = SIZE_IN[0], SIZE_IN[1] * len(names) + (HEAD_IN if part == "report" else 0)
    settings: dict[str, Any] = {
        "font.size": 9.5,
        "svg.fonttype": "none",
        "svg.hashsalt": "palio",  # the same report is the same file
        "text.parse_math": False,
        "axes.unicode_minus": True,
        "timezone": "UTC",
        **dict.fromkeys(("text.color", "axes.labelcolor", "xtick.color", "ytick.color", "axes.titlecolor"), colours["ink"]),
        **dict.fromkeys(("axes.edgecolor", "grid.color", "legend.edgecolor"), colours["faint"]),
        **dict.fromkeys(("axes.facecolor", "figure.facecolor", "savefig.facecolor"), colours["paper"]),
    }  # fmt: skip
    with mpl.rc_context(settings), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # a name in a script that the font lacks
        figure = Figure(figsize=(width_in, height_in), layout="constrained")
        if part == "report":
            figure.suptitle(_head(report), x=0.02, ha="left", fontsize=11, linespacing=1.5)
        axes = figure.subplots(len(names), 1, squeeze=False)[:, 0]
        for name, place in zip(names, axes, strict=True):
            place.spines[["top", "right"]].set_visible(False)
            place.grid(axis="y", linewidth=0.6)
            place.set_axisbelow(True)
            {"histogram": _histogram, "attempts": _attempts, "curves": _curves}[name](place, report, theme)
        written = io.BytesIO()
        metadata = {"Date": None, "Title": _cut(report.state.spec.name, 200)} if form == "svg" else {"Software": None}
        figure.savefig(written, format=form, dpi=DPI, metadata=metadata)
    return written.getvalue()


def _head(report: Report) -> str:
    state, table = report.state, report.table
    scores = table.scores
    lines = [
        f"{_cut(state.spec.name, 80)} ({_STATUS[state.status]})",
        f"participants {table.joined:,}, with a score {table.scored:,}, done {table.completed:,}; scores counted {table.submissions:,}",
    ]
    if scores.size:
        names = {"median": "median", "average": "average", "q1": "lower quartile", "q3": "upper quartile"}
        middle = [f"{said} {_shown(report, getattr(scores, name))}" for name, said in names.items()]
        lines.append(", ".join(middle) + f"; as of {_time(state.time_ms):%Y-%m-%d %H:%M} UTC")
    return "\n".join(lines)


def _histogram(axes: Axes, report: Report, theme: str) -> None:
    colours = _COLOURS[theme]
    _title(axes, "Scores", "score", "participants")
    if not report.bins:
        _nothing(axes, "Nobody has a score.")
        return
    edges = [report.bins[0].low / 100, *(each.high / 100 for each in report.bins)]
    axes.stairs([each.size for each in report.bins], edges, fill=True, color=colours["first"], alpha=0.85)
    median = report.table.scores.median
    if median is not None:
        axes.axvline(median / 100, color=colours["second"], linestyle="--")
        axes.set_title(f"median {_shown(report, median)}", loc="right", fontsize=9.5, color=colours["second"])
    axes.set_xlim(edges[0], edges[-1])
    axes.set_ylim(0, max(each.size for each in report.bins) * 1.08)
    if edges[-1] - edges[0] < SMALLEST_AXIS:
        axes.set_xticks(edges)
    else:
        axes.locator_params(axis="x", nbins=5)  # scores may have 13 characters
    axes.xaxis.set_major_formatter(lambda value, _: _shown(report, round(value * 100)))
    _whole_numbers(axes.yaxis)


def _attempts(axes: Axes, report: Report, theme: str) -> None:
    colours = _COLOURS[theme]
    if not report.flow:
        _title(axes, "What came in", "UTC", "")
        _nothing(axes, "Nobody has joined.")
        return
    times = np.array([flow.time_ms for flow in report.flow], np.int64)
    steps = int((times[-1] - times[0]) // report.width_ms) + 1
    width_ms = report.width_ms * -(-steps // MAX_BARS)
    places = (times - times[0]) // width_ms
    edges = times[0] + width_ms * np.arange(int(places[-1]) + 2, dtype=np.int64)
    shown = np.array([np.datetime64(int(edge), "ms") for edge in edges])
    _title(axes, "What came in", "UTC", "")
    beside = axes.twinx()  # all join within a minute, often, and send for hours
    beside.spines[["top", "left"]].set_visible(False)
    for name, place, colour, said in (
        ("submissions", axes, colours["first"], "scores that counted"),
        ("joins", beside, colours["second"], "joins"),
    ):
        counts = np.bincount(places, weights=[getattr(flow, name) for flow in report.flow], minlength=len(edges) - 1)
        filled = place is axes
        place.stairs(counts, shown, fill=filled, color=colour, alpha=0.85 if filled else 1, linewidth=1.4)
        place.set_ylabel(f"{said}, each {_span(width_ms)}", color=colour)
        place.set_ylim(0, max(1.0, float(counts.max())) * 1.08)
        _whole_numbers(place.yaxis)
    _time_axis(axes)


def _curves(axes: Axes, report: Report, theme: str) -> None:
    _title(axes, "Ranks of the first ten", "UTC", "rank")
    curves = report.curves.curves
    if not curves:
        _nothing(axes, "Nobody has a score.")
        return
    times = [np.datetime64(time_ms, "ms") for time_ms in report.curves.times_ms]
    worst = 1
    for number, curve in enumerate(curves):
        ranks = [np.nan if rank is None else rank for rank in curve.ranks]
        worst = max([worst, *(rank for rank in curve.ranks if rank is not None)])
        last = curve.ranks[-1]
        label = f"{last}. {_cut(curve.name or f'user {curve.user_id}', MAX_NAME)}"
        axes.plot(
            times, ranks, drawstyle="steps-post", color=_CURVES[theme][number % len(_CURVES[theme])], label=label,
            linestyle=_DASHES[number % len(_DASHES)], marker="o", markersize=3, markevery=[len(times) - 1],
        )  # fmt: skip
    if worst >= LOGARITHMIC_RANK:
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(lambda rank, _: f"{rank:,.0f}")
        axes.set_ylim(worst * 1.2, 0.85)
    else:
        axes.set_ylim(max(worst, 3) + 0.5, 0.5)
        _whole_numbers(axes.yaxis)
    axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    if len(times) == 1:  # else the axis would be of years
        from matplotlib.dates import date2num

        around = np.array([-report.width_ms, report.width_ms]).astype("timedelta64[ms]")
        left, right = date2num(times[0] + around)
        axes.set_xlim(float(left), float(right))
    _time_axis(axes)


def _title(axes: Axes, title: str, x_label: str, y_label: str) -> None:
    axes.set_title(title, loc="left", fontsize=10.5, fontweight="bold")
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)


def _nothing(axes: Axes, text: str) -> None:
    axes.text(0.5, 0.5, text, ha="center", va="center", transform=axes.transAxes)
    axes.set(xticks=[], yticks=[])


def _time_axis(axes: Axes) -> None:
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    locator = AutoDateLocator(minticks=3, maxticks=8)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))


def _whole_numbers(axis: Any) -> None:
    from matplotlib.ticker import MaxNLocator

    axis.set_major_locator(MaxNLocator(integer=True, nbins=6))
    axis.set_major_formatter(lambda value, _: f"{value:,.0f}")


def _shown(report: Report, hundredths: int) -> str:
    """A score in the unit of its tournament."""
    display = report.state.spec.display
    if display is UNSET or display.unit != "time":
        return f"{hundredths / 100:,.2f}".rstrip("0").rstrip(".")
    whole, rest = divmod(abs(hundredths), 100)
    minutes, seconds = divmod(whole, 60)
    fraction = f".{rest:02d}"[: display.decimals + 1] if display.decimals else ""
    face = f"{minutes // 60}:{minutes % 60:02d}:{seconds:02d}" if minutes >= 60 else f"{minutes}:{seconds:02d}"
    return ("-" if hundredths < 0 else "") + face + fraction


def _time(time_ms: int) -> datetime:
    return datetime.fromtimestamp(time_ms / 1000, UTC)


def _span(width_ms: int) -> str:
    minutes = width_ms // 60_000
    for unit, size in (("day", 1440), ("hour", 60)):
        if minutes % size == 0:
            return unit if minutes == size else f"{minutes // size} {unit}s"
    return "minute" if minutes == 1 else f"{minutes} minutes"


def _cut(text: str, characters: int) -> str:
    """On one line, at most so long."""
    line = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return line if len(line) <= characters else f"{line[: characters - 1]}…"
