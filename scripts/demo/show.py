"""The demo's progress: bars in a terminal, a plain line every few seconds elsewhere."""

from __future__ import annotations

import time
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

PLAIN_INTERVAL_S = 5.0


@dataclass
class Counts:
    """How far the demo is; the `all_` fields are what it will come to."""

    all_tournaments: int
    all_entries: int
    all_results: int
    all_runners: int
    running: int = 0
    over: int = 0
    entries: int = 0
    results: int = 0
    runners: int = 0


class Show:
    """Used as a context; `refresh` as often as one likes."""

    def __init__(self, counts: Counts, console: Console | None = None) -> None:
        self._counts = counts
        self._console = console or Console(highlight=False)
        self._bars: dict[str, TaskID] = {}
        self._next_line = 0.0
        self._progress = Progress(
            TextColumn("{task.description:<22}"),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
            refresh_per_second=5,
            expand=True,
        )

    def __enter__(self) -> Self:
        """Draw the bars."""
        if self._console.is_terminal:
            counts = self._counts
            self._bars = {
                "over": self._progress.add_task("tournaments finished", total=counts.all_tournaments),
                "runners": self._progress.add_task("runners in", total=counts.all_runners),
                "entries": self._progress.add_task("joined", total=counts.all_entries),
                "results": self._progress.add_task("scores sent", total=counts.all_results),
            }
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the bars as they last were."""
        self.refresh()
        self._progress.stop()

    def line(self, text: str) -> None:
        """A line that stays, above the bars."""
        self._progress.console.print(text, markup=False, soft_wrap=True)

    def refresh(self) -> None:
        """Show the counts as they are now."""
        for name, bar in self._bars.items():
            self._progress.update(bar, completed=getattr(self._counts, name))
        now = time.monotonic()
        if not self._bars and now >= self._next_line:
            self._next_line = now + PLAIN_INTERVAL_S
            counts = self._counts
            self.line(
                f"demo: {counts.over}/{counts.all_tournaments} finished, {counts.running} running; "
                f"{counts.entries}/{counts.all_entries} joined, {counts.results}/{counts.all_results} scores sent, "
                f"{counts.runners}/{counts.all_runners} runners in"
            )
