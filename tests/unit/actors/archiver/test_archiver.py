from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import pytest

from actors.archiver.archiver import AGAIN_MS, DAY_MS, Archiver, ArchiveRules
from actors.domain.codec import encode_snapshot
from actors.domain.messages import Cancel, Disqualify, End, Erase, Reopen
from actors.domain.results.archive import archive_table, decode_archive, encode_archive
from actors.domain.results.table import told_of
from actors.domain.tournament import Tournament
from actors.owner.checkpoint.rows import outbox_rows, participant_rows, tournament_row
from actors.owner.entity import Entity, Scope
from storage.archive.records import RecordsWithArchive
from storage.ports import Archived, Checkpoint, StoredSnapshot, state_name, table_name
from storage.records.sql.archive_index import SqlArchiveIndex
from storage.records.sql.database import SqlRecords
from tests.support.histories import Step, fold, item_of
from tests.support.memory_archive import MemoryArchiveFiles, MemoryArchiveIndex
from tests.support.memory_records import MemoryRecords
from tests.support.prize_bench import Crash, Steps
from tests.support.results import BEGIN_MS, HOUR_MS, tournament

END = Step(BEGIN_MS + HOUR_MS // 2, End(command_id="end"))
NAME = "Ann-of-Norwich"


class Bench:
    """A tournament as its owner stores it, the archive and a clock."""

    def __init__(self, records: Any = None, index: Any = None, **rules: float) -> None:
        self.records = records or MemoryRecords()
        self.index = index or MemoryArchiveIndex(self.records)
        self.files = MemoryArchiveFiles()
        self.now_ms = BEGIN_MS + HOUR_MS
        self.rules = ArchiveRules(**rules)
        self.archiver = self.started()
        self.state: Tournament = tournament([(1, 500), (2, 300)], [NAME, "Bo"], END)

    def started(self, steps: Steps | None = None) -> Archiver:
        """One more process, which may be killed at some step."""
        files = self.files if steps is None else _Stepping(self.files, steps)
        index = self.index if steps is None else _Stepping(self.index, steps)
        return Archiver(self.records, index, files, lambda: self.now_ms, self.rules)

    async def save(self) -> None:
        entity = Entity(self.state, Scope(self.state.partition, 0, 0, 1 << 60, 0))
        stored = await self.records.tournament(7)
        if stored is not None and stored.status in ("finished", "cancelled"):
            entity.over_offset = entity.durable_offset = stored.offset
        state = self.state
        snapshot = StoredSnapshot(7, state.partition, state.offset, encode_snapshot(state), alone=entity.erased)
        rows = participant_rows(entity, range(len(state.members)))
        await self.records.save(Checkpoint([tournament_row(state, 0)], [snapshot], rows, outbox_rows(entity), []))

    async def apply(self, *what: Any) -> None:
        """Records after the end, by whoever loads the tournament now."""
        whole = RecordsWithArchive(self.records, self.index, self.files)
        [newest, *_] = await whole.snapshots(7)
        from actors.domain.codec import decode_snapshot

        self.state = decode_snapshot(newest.data)
        for message in what:
            self.state = fold([item_of(self.state.offset + 3, Step(self.now_ms, message))], self.state)
        await self.save()

    def file(self) -> bytes:
        return self.files.files[table_name(7)]

    def expected(self) -> bytes:
        return encode_archive(archive_table(self.state))


class _Stepping:
    """A port whose calls the process may not survive."""

    def __init__(self, port: Any, steps: Steps) -> None:
        self._port = port
        self._steps = steps

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._port, name)

        async def stepping(*arguments: Any) -> Any:
            return await self._steps.around(lambda: call(*arguments))

        return stepping


async def test_what_is_over_gets_its_file_and_waits_no_more() -> None:
    bench = Bench()
    await bench.save()
    assert await bench.archiver.round() == 1
    assert bench.file() == bench.expected()
    assert await bench.archiver.round() == 0
    (entry,) = bench.index.entries.values()
    assert entry == Archived(
        7, bench.state.offset, 0, END.time_ms, 2, len(bench.file()), entry.digest, bench.now_ms, "kept"
    )
    assert (bench.archiver.archived, bench.archiver.waiting, bench.archiver.failures) == (1, 0, 0)
    assert [row.kind for row in await bench.records.outbox(9)] == []


async def test_a_change_after_the_end_writes_it_anew() -> None:
    bench = Bench()
    await bench.save()
    await bench.archiver.round()
    await bench.apply(Disqualify(command_id="d", user_id="1", reason="two accounts", by="9"))
    assert await bench.archiver.round() == 1
    table = decode_archive(bench.file())
    assert told_of(table)["revision"] == 1
    assert table.column("rank").to_pylist() == [1, None]
    assert table.column("disqualified").to_pylist() == [False, True]


async def test_what_goes_on_or_was_cancelled_has_none() -> None:
    bench = Bench()
    await bench.save()
    await bench.apply(Reopen(command_id="r", ends_ms=BEGIN_MS + 9 * HOUR_MS, by="9"))
    assert await bench.archiver.round() == 1
    assert bench.files.files == bench.index.entries == {}
    bench.state = fold([item_of(bench.state.offset + 3, Step(bench.now_ms, End(command_id="again")))], bench.state)
    await bench.save()
    assert await bench.archiver.round() == 1
    assert bench.file() == bench.expected()
    await bench.apply(Reopen(command_id="r2", ends_ms=BEGIN_MS + 9 * HOUR_MS, by="9"))
    await bench.apply(Cancel(command_id="c"))
    assert await bench.archiver.round() == 1
    assert bench.files.files == bench.index.entries == {}


async def test_an_archive_that_is_away_is_waited_for_and_stalls_no_other() -> None:
    bench = Bench()
    await bench.save()
    bench.files.down = True
    assert await bench.archiver.round() == 0
    assert (bench.archiver.failures, bench.archiver.waiting) == (1, 1)
    assert await bench.archiver.round() == 0
    assert bench.archiver.failures == 1, "not tried again at once"
    bench.files.down = False
    bench.now_ms += AGAIN_MS
    assert await bench.archiver.round() == 1
    assert bench.file() == bench.expected()


@pytest.mark.parametrize("damaged", [0, 1])
async def test_a_damaged_snapshot_is_passed_over_or_waited_for(damaged: int) -> None:
    bench = Bench()
    await bench.save()
    newest = bench.records._snapshots[7]
    bench.records._snapshots[7] = [newest[0]._replace(data=b"damage"), *newest][: 2 - damaged]
    assert await bench.archiver.round() == 1 - damaged
    assert bench.archiver.failures == damaged


async def test_what_is_read_back_otherwise_is_not_noted() -> None:
    bench = Bench()
    await bench.save()

    async def lossy(name: str, data: bytes) -> None:
        bench.files.files[name] = data[:-1]

    bench.files.put = lossy  # type: ignore[method-assign]
    assert await bench.archiver.round() == 0
    assert bench.index.entries == {}
    assert len(await bench.records.outbox(9)) == 1


async def test_it_leaves_the_records_when_it_is_time_and_can_still_be_loaded() -> None:
    bench = Bench(leave_days=2)
    await bench.save()
    await bench.archiver.round()
    before = (await bench.records.snapshots(7))[0].data
    assert await bench.archiver.leave() == 0
    bench.now_ms += 2 * DAY_MS
    assert await bench.archiver.leave() == 1
    assert await bench.records.snapshots(7) == []
    whole = RecordsWithArchive(bench.records, bench.index, bench.files)
    [stored] = await whole.snapshots(7)
    assert stored == StoredSnapshot(7, bench.state.partition, bench.state.offset, before)
    assert await bench.archiver.leave() == 0


async def test_what_is_missing_or_damaged_is_written_anew_before_it_leaves() -> None:
    bench = Bench(leave_days=1)
    await bench.save()
    await bench.archiver.round()
    bench.now_ms += 2 * DAY_MS
    bench.files.files[table_name(7)] = b"damage"
    assert await bench.archiver.leave() == 0
    assert len(await bench.records.snapshots(7)) == 1
    bench.now_ms += AGAIN_MS
    assert await bench.archiver.leave() == 1
    assert bench.file() == bench.expected()


async def test_who_is_erased_is_nowhere_in_the_archive() -> None:
    """After it had left: it comes back, changed, and leaves again."""
    bench = Bench(leave_days=1)
    await bench.save()
    await bench.archiver.round()
    bench.now_ms += 2 * DAY_MS
    assert await bench.archiver.leave() == 1
    assert NAME.encode() in bench.files.files[state_name(7)]
    assert await bench.records.took_part(1, 0, 9) == [7]
    await bench.apply(Erase(command_id="x", user_id="1", by="9"))
    assert await bench.archiver.round() == 1
    assert state_name(7) not in bench.files.files
    bench.now_ms += AGAIN_MS
    assert await bench.archiver.leave() == 1
    assert set(bench.files.files) == {table_name(7), state_name(7)}
    assert decode_archive(bench.file()).column("name").to_pylist() == [None, "Bo"]
    assert all(NAME.encode() not in data for data in bench.files.files.values())


@pytest.mark.parametrize("leave_days", [0, 1])
async def test_old_files_go_and_what_had_left_with_them(leave_days: float) -> None:
    bench = Bench(leave_days=leave_days, keep_days=3)
    await bench.save()
    await bench.archiver.round()
    bench.now_ms += 2 * DAY_MS
    assert await bench.archiver.leave() == bool(leave_days)
    assert await bench.archiver.prune() == 0
    bench.now_ms += 2 * DAY_MS
    assert await bench.archiver.prune() == 1
    assert bench.files.files == bench.index.entries == {}
    assert (await bench.records.tournament(7) is None) is bool(leave_days)
    assert await bench.archiver.prune() == 0


CHANGES: Sequence[Any] = (
    Disqualify(command_id="d", user_id="2", reason="two accounts", by="9"),
    Erase(command_id="x", user_id="1", by="9"),
)


async def season(bench: Bench, steps: Steps) -> None:
    """What an archiver does of a life: archive, leave, change, leave again; killed at a step it is started anew."""
    archiver = bench.started(steps)

    async def until_done(*work: str) -> None:
        nonlocal archiver
        for _ in range(4):
            for name in work:
                try:
                    await getattr(archiver, name)()
                except Crash:
                    steps.dead, steps.crash_at = False, -1
                    archiver = bench.started(steps)
            bench.now_ms += AGAIN_MS

    await bench.save()
    await until_done("round")
    bench.now_ms += 2 * DAY_MS
    await until_done("leave", "round")
    for change in CHANGES:
        await bench.apply(change)
        await until_done("round", "leave")


async def test_killed_at_any_step_it_comes_to_the_same(tmp_path: Any) -> None:
    steps = Steps()
    await season(Bench(leave_days=1), steps)
    assert steps.passed > 20
    for kind, crash_at in itertools.product(("memory", "sqlite"), range(steps.passed)):
        if kind == "sqlite" and crash_at % 7:
            continue  # its transactions are the contract suite's
        records = MemoryRecords() if kind == "memory" else await SqlRecords.open(tmp_path / f"{crash_at}.db")
        bench = Bench(records, None if kind == "memory" else SqlArchiveIndex(records), leave_days=1)  # type: ignore[arg-type]
        await season(bench, Steps(crash_at))
        assert bench.file() == bench.expected(), crash_at
        assert bench.files.files[state_name(7)] == encode_snapshot(bench.state), crash_at
        assert await records.snapshots(7) == [], crash_at
        assert all(NAME.encode() not in data for data in bench.files.files.values()), crash_at
        assert await bench.index.waiting(9) == {}, crash_at
        await records.close()
