"""The pictures of a report, of every size that a tournament may have."""

from __future__ import annotations

import random
import struct
from xml.etree import ElementTree as ET

import pytest

from actors.domain.analytics.timeline import MINUTE_MS
from actors.domain.codec import encode_snapshot
from serve_app.pictures.report import DPI, MAX_BARS, PARTS, SIZE_IN, Part, draw
from serve_app.services.analytics import Report, _report
from storage.ports import StoredSnapshot
from tests.unit.actors.domain.analytics.test_timeline import Contest

MINUTES = 3 * MAX_BARS


def report_of(contest: Contest) -> Report:
    state = contest.now
    stored = StoredSnapshot(state.tournament_id, state.partition, state.offset, encode_snapshot(state))
    return _report(stored, list(contest.attempts.blocks()))


def long_contest() -> Contest:
    """Of days, with 200 who send at random."""
    rng = random.Random(4)
    contest = Contest(ends_ms=MINUTES * MINUTE_MS, max_attempts=100)
    contest.join(1, *range(1, 201))
    for n in range(2_000):
        contest.score(1 + n * MINUTES * MINUTE_MS // 2_000, rng.randrange(1, 201), rng.randrange(10**6))
    return contest


def texts(svg: bytes) -> list[str]:
    return ["".join(each.itertext()) for each in ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]


@pytest.mark.parametrize("part", PARTS)
def test_a_picture_has_the_size_of_its_parts(part: Part) -> None:
    contest = Contest()
    contest.join(5, 1)
    contest.score(10, 1, 500)
    picture = draw(report_of(contest), "png", part)
    width, height = struct.unpack(">II", picture[16:24])
    assert width == SIZE_IN[0] * DPI
    assert (height > 3 * SIZE_IN[1] * DPI) == (part == "report")


def test_a_long_one_with_many_is_drawn_whole() -> None:
    report = report_of(long_contest())
    drawn = draw(report, "svg")
    assert draw(report, "svg", "report", "dark") != drawn
    found = texts(drawn)
    assert {f"{rank}. P{curve.user_id}" for rank, curve in enumerate(report.curves.curves, 1)} <= set(found)
    assert "100" in texts(draw(report, "svg", "curves")), "ranks beyond 60 are on a logarithmic axis"
    assert len(drawn) < 400_000


def test_what_users_wrote_is_a_text() -> None:
    contest = Contest(name="$\\alpha$\n<script>&amp;\x07" + "x" * 100)
    contest.join(5, 1)
    title = texts(draw(report_of(contest), "svg"))
    assert any(text.startswith("$\\alpha$ <script>&amp; xxx") and "…" in text for text in title)
