"""`scripts/palio analytics rebuild` of a stopped Palio: the same values as before, also when it was cut off."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest

from actors.analytics.collector import Collector
from actors.domain.analytics.attempts import FIRST_N, KIND
from actors.domain.analytics.series import MEASUREMENTS
from actors.domain.codec import encode_snapshot
from actors.owner.checkpoint.rows import tournament_row
from cluster.config.settings import load_settings
from cluster.startup.ports import attempts_of, open_log, open_parquet, open_records
from scripts.cli.palio import main
from storage.ports import Checkpoint, OutboxRow, Point, StoredSnapshot
from tests.unit.actors.domain.analytics.test_timeline import Contest

COUNT = 3


async def play(data: Path) -> None:
    """Tournaments that ended, collected."""
    settings = load_settings(data_dir=data)
    log = open_log(settings)
    await log.bounds()
    await log.close()
    records = await open_records(settings)
    for number in range(1, COUNT + 1):
        contest = Contest(max_attempts=5)
        contest.join(1_000, *range(1, 5))
        for minute in range(5):
            contest.score(minute * 60_000 + 2_000, minute % 4 + 1, number * 100 + minute)
        contest.end()
        row = tournament_row(contest.now, 0)._replace(tournament_id=number)
        (block,) = contest.attempts.blocks()
        snapshot = StoredSnapshot(number, row.partition, row.offset, encode_snapshot(contest.now))
        effect = OutboxRow(number, row.offset, FIRST_N, KIND, block)
        await records.save(Checkpoint([row], [snapshot], [], [effect], []))
    series = open_parquet(settings, keeps=True)
    assert await Collector(records, attempts_of(records), series).round() == COUNT
    await series.close()
    await records.close()


def everything(data: Path) -> list[Point]:
    series = open_parquet(load_settings(data_dir=data))

    async def read() -> list[Point]:
        found = [point for name in MEASUREMENTS for point in await series.read(name, -(1 << 60), 1 << 60)]
        return [point for point in found if any(isinstance(value, int) and value for value in point.fields.values())]

    return asyncio.run(read())


def test_lost_series_are_made_anew_with_the_same_values(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asyncio.run(play(tmp_path))
    before = everything(tmp_path)
    assert before
    shutil.rmtree(tmp_path / "series")
    collect = Collector._collect

    async def killed(*_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(Collector, "_collect", killed)
    assert main(["analytics", "rebuild", "--data", str(tmp_path)]) == 130
    monkeypatch.setattr(Collector, "_collect", collect)
    capsys.readouterr()
    assert main(["analytics", "rebuild", "--data", str(tmp_path)]) == 0
    assert f"{COUNT} tournaments are in the series anew" in capsys.readouterr().out
    assert everything(tmp_path) == before
    assert main(["analytics", "rebuild", "--data", str(tmp_path)]) == 0, "and again"
    assert everything(tmp_path) == before


def test_without_a_palio_there_is_nothing_to_make_anew(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["analytics", "rebuild", "--data", str(tmp_path / "none")]) == 1
    assert "palio: " in capsys.readouterr().err
