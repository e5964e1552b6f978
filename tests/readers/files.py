"""Writes one file of each format, by Palio's own writers, for other people's software to read: python -m tests.readers.files FOLDER."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

import msgspec

from actors.domain.messages import Disqualify, End
from actors.domain.messages.spec import Display
from actors.domain.prizes.rules import PrizeRule
from actors.domain.results.archive import archive_table, encode_archive
from actors.domain.results.table import results_table
from actors.owner.checkpoint.rows import tournament_row
from serve_app.formats.write.calendar import write_calendar
from serve_app.formats.write.csv_text import write_csv
from serve_app.formats.write.gradebook import write_canvas, write_moodle
from serve_app.formats.write.iof import write_iof
from serve_app.formats.write.parquet import write_parquet
from serve_app.formats.write.scoreboards import write_clics, write_ctftime
from tests.support.histories import Step
from tests.support.results import BEGIN_MS, HOUR_MS, tournament

SCORES = [(1, 91_250), (2, 50), (3, -1_205), (4, 9_999_999_999), (9_007_199_254_740_993, 1)]
NAMES = ["Ann <&> \u201cQ\u201d", "=1+1", None, "Zo\u00eb, \u8d5b", "Eve"]
PRIZES = [{"ranks": [1, 2], "amount": "100.01", "currency": "EUR"}]


def main(folder: Path) -> None:
    """All of them."""
    folder.mkdir(parents=True, exist_ok=True)
    middle = BEGIN_MS + HOUR_MS // 2
    state = tournament(
        SCORES,
        NAMES,
        Step(middle, Disqualify(command_id="d", user_id="2", reason="two accounts", by="9")),
        Step(middle + 1, End(command_id="end")),
        ties="shared",
        prizes=msgspec.convert(PRIZES, tuple[PrizeRule, ...]),
        display=Display(unit="time"),
        name="Fr\u00fchling; Finale, \\ 2027",
    )
    table, now_ms = results_table(state, "finished"), BEGIN_MS + HOUR_MS
    race = tournament(
        [(1, 281_400), (2, 281_500)], ["Ann", "Bo"], order="asc", display=Display(unit="time", decimals=0)
    )
    files: dict[str, Iterable[bytes]] = {
        "archive.parquet": [encode_archive(archive_table(state))],
        "table.parquet": write_parquet(table),
        "table.csv": write_csv(table),
        "moodle.csv": write_moodle(table),
        "canvas.csv": write_canvas(table),
        "iof.xml": write_iof(table, now_ms),
        "iof_seconds.xml": write_iof(results_table(race, "running"), now_ms),
        "ctftime.json": write_ctftime(table),
        "clics.json": write_clics(table, now_ms),
        "tournaments.ics": [write_calendar([tournament_row(state, 0)], now_ms)],
    }
    for name, pieces in files.items():
        (folder / name).write_bytes(b"".join(pieces))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
