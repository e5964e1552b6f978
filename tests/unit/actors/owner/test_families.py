"""What an owner does for parents: all of it once, whenever it is cut off, and again after a while where nothing came of it."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest

from actors.domain.codec import encode_snapshot
from actors.domain.delivery import ControlItem
from actors.domain.fold import apply
from actors.domain.messages import Cancel, Create, Join, Message, Open, Spec, Standings, Tick, Written, decode_value
from actors.domain.messages.spec import Cohorts, League, Recurrence
from actors.domain.series.children import board_id, occurrence_id
from actors.domain.signing import Signer
from actors.domain.tournament import Tournament
from actors.domain.values import partition_of
from actors.owner.change import Change
from actors.owner.checkpoint.rows import tournament_row
from actors.owner.entity import Entity, Scope
from actors.owner.families import MAX_ERRANDS, RETRY_MS, SCAN_MS, Families
from storage.ports import Checkpoint, LogUnavailableError, NewRecord, StoredSnapshot
from tests.support.histories import BEGIN_MS, PARTITION, TOURNAMENT, Score, Step, create_of, fold, items_of
from tests.support.memory_records import MemoryRecords

MINUTE = 60_000
SERIES = Spec(
    name="x",
    type="scheduled",
    recurrence=Recurrence(cron="* * * * *", time_zone="UTC", duration_ms=1000, ahead=2),
)
COHORTS = Spec(name="x", type="scheduled", starts_ms=BEGIN_MS + 1, ends_ms=BEGIN_MS + 10**9, cohorts=Cohorts(size=2))


class Bench:
    """One parent, its owner's part, a log of all partitions; what is the parent's own is applied when the test says so."""

    partitions = 8

    def __init__(self, spec: Spec) -> None:
        self.now_ms = BEGIN_MS
        self.away = 0  # appends that fail from now on
        self.offset = 1000
        self.appended: list[NewRecord] = []
        self.own: list[tuple[int, NewRecord]] = []
        self.state = fold(items_of([Step(BEGIN_MS, create_of(spec))]))
        self.records = MemoryRecords()
        self.signer = Signer({"k1": b"records" * 6}, "k1")
        self.restart()

    def restart(self) -> None:
        """Another owner, which remembers nothing."""
        self.entity = Entity(self.state, Scope(PARTITION, 0, epoch=0, watermark=0, durable=-1))
        self.families = Families(
            self,  # type: ignore[arg-type]
            self.records,
            self.signer,
            {TOURNAMENT: self.entity},
            lambda: self.now_ms,
            10_000,
        )

    async def append(self, records: Sequence[NewRecord]) -> list[int]:
        if self.away:
            self.away -= 1
            raise LogUnavailableError("away")
        offsets = []
        for record in records:
            self.offset += 1
            self.signer.verify(record.key, record.value, record.signature)
            assert record.partition == partition_of(int(record.key), self.partitions)
            self.appended.append(record)
            if record.key == str(TOURNAMENT).encode():
                self.own.append((self.offset, record))
            offsets.append(self.offset)
        return offsets

    def apply_own(self) -> None:
        """What was told the parent reaches the fold."""
        for offset, record in self.own:
            self.give(self.decoded(record), offset)
        self.own.clear()
        self.families.note(Change(self.entity, top=True))

    def give(self, message: Message, offset: int = 0) -> None:
        self.offset += 1
        apply(self.state, TOURNAMENT, PARTITION, ControlItem(offset or self.offset, self.now_ms, TOURNAMENT, message))

    @staticmethod
    def decoded(record: NewRecord) -> Message:
        message = decode_value(record.value)
        assert isinstance(message, Create | Open | Standings | Written | Join)
        return message

    def written_to(self, child: int) -> list[str]:
        return [type(self.decoded(r)).__name__ for r in self.appended if r.key == str(child).encode()]

    async def run(self) -> None:
        while await self.families.write_due():
            self.apply_own()


def children(state: Tournament) -> list[int]:
    assert state.family is not None
    return [occurrence_id(state, starts_ms) for starts_ms in state.family.occurrences]


async def test_what_is_due_is_opened_and_written_once() -> None:
    bench = Bench(SERIES)
    await bench.run()
    assert [bench.written_to(child) for child in children(bench.state)] == [["Create"], ["Create"]]
    assert bench.state.family is not None
    assert (bench.state.family.errands, bench.state.family.written) == ([], 2)
    assert await bench.families.write_due() == 0
    bench.now_ms += MINUTE
    await bench.run()
    assert len(children(bench.state)) == 3


async def test_cut_off_anywhere_it_ends_up_the_same() -> None:
    """Each append fails once, and its owner is replaced; a create that comes twice is the same create."""
    bench = Bench(SERIES)
    for _ in range(12):
        bench.away = 1
        await bench.families.write_due()
        bench.restart()
        await bench.families.write_due()
        bench.restart()  # before its own records are applied: the next one says the same again
        await bench.families.write_due()
        bench.apply_own()
        bench.restart()
    await bench.run()
    assert bench.state.family is not None
    assert len(bench.state.family.occurrences) == 2
    for child in children(bench.state):
        creates = {record.value for record in bench.appended if record.key == str(child).encode()}
        assert len(creates) >= 1
        digests = {msg.request_digest for value in creates if isinstance(msg := decode_value(value), Create)}
        assert len(digests) == 1


async def test_what_is_under_way_is_not_said_again_before_a_while() -> None:
    bench = Bench(SERIES)
    assert await bench.families.write_due() == 2
    for _ in range(3):
        bench.now_ms += SCAN_MS
        assert await bench.families.write_due() == 0
    bench.now_ms += RETRY_MS
    assert await bench.families.write_due() == 2


async def test_joins_reach_their_boards_in_order_behind_the_create() -> None:
    bench = Bench(COHORTS)
    for user in (1, 2, 3):
        bench.give(Join(command_id=f"j{user}", user_id=str(user)))
    await bench.run()
    assert bench.written_to(board_id(bench.state, 1)) == ["Create", "Join", "Join"]
    assert bench.written_to(board_id(bench.state, 2)) == ["Create", "Join"]


async def test_many_errands_go_in_bounded_appends() -> None:
    bench = Bench(COHORTS)
    for user in range(1, MAX_ERRANDS + 1):
        bench.give(Join(command_id=f"j{user}", user_id=str(user)))
    bench.now_ms += SCAN_MS
    assert await bench.families.write_due() == MAX_ERRANDS + 1
    assert bench.families.errands == MAX_ERRANDS * 3 // 2
    bench.apply_own()
    await bench.run()
    assert bench.state.family is not None
    assert (bench.state.family.errands, bench.state.family.written) == ([], MAX_ERRANDS * 3 // 2)


async def test_a_log_that_is_away_is_tried_again() -> None:
    bench = Bench(SERIES)
    bench.away = 1
    assert await bench.families.write_due() == 0
    bench.now_ms += SCAN_MS
    assert await bench.families.write_due() == 2


async def test_nothing_is_done_before_all_that_came_before_is_known() -> None:
    bench = Bench(SERIES)
    bench.entity.scope.epoch = 5
    assert await bench.families.write_due() == 0


async def test_a_zone_that_is_not_known_any_more_stops_its_series_alone(caplog: pytest.LogCaptureFixture) -> None:
    recurrence = Recurrence(cron="* * * * *", time_zone="Mars/Olympus", duration_ms=1000)
    bench = Bench(Spec(name="x", type="scheduled", recurrence=recurrence))
    assert await bench.families.write_due() == 0
    assert "Mars/Olympus" in caplog.text


LEAGUE = msgspec.structs.replace(SERIES, league=League(tiers=2, promote=1, demote=1))


async def finish(bench: Bench, tournament_id: int, users: Sequence[int], status: str = "finished") -> None:
    """A tier's tournament as its own owner left it: `users` in the order of the table."""
    spec = Spec(name="x", type="scheduled", starts_ms=BEGIN_MS, ends_ms=BEGIN_MS + 1000)
    steps = [Step(BEGIN_MS, create_of(spec))]
    steps += [Step(BEGIN_MS, Join(command_id=f"j{user}", user_id=str(user))) for user in (*users, 99)]
    steps += [Step(BEGIN_MS + 1, Score(user, "a", -100 * place)) for place, user in enumerate(users)]
    state = fold(items_of([*steps, Step(BEGIN_MS + 1000, Cancel(command_id="c") if status == "cancelled" else Tick())]))
    row = tournament_row(state, 0)._replace(tournament_id=tournament_id, status=status)
    stored = StoredSnapshot(tournament_id, PARTITION, state.offset, encode_snapshot(state))
    await bench.records.save(Checkpoint([row], [stored], [], [], []))


async def test_final_tables_move_a_leagues_players_once_all_are_durable() -> None:
    bench = Bench(LEAGUE)
    await bench.run()
    for user in (1, 2, 3):
        bench.give(Join(command_id=f"j{user}", user_id=str(user)))
    await bench.run()
    starts_ms = children_starts(bench)[0]
    bench.now_ms = starts_ms + 5000
    await finish(bench, occurrence_id(bench.state, starts_ms, 2), [3, 1, 2])
    await bench.run()
    assert bench.state.family is not None
    assert bench.state.family.decided_ms == 0  # tier 1 is not over
    await finish(bench, occurrence_id(bench.state, starts_ms, 1), [], "cancelled")
    for _ in range(3):  # whoever decides, and however often it is said
        bench.restart()
        bench.now_ms += SCAN_MS
        await bench.families.write_due()
    bench.apply_own()
    await bench.run()
    assert bench.state.family.decided_ms == starts_ms
    assert bench.state.members.tier == {bench.state.members.users.slot(3): 1}


async def test_a_newest_snapshot_that_is_damaged_is_passed_over(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench(LEAGUE)
    await bench.run()
    starts_ms = children_starts(bench)[0]
    bench.give(Join(command_id="j", user_id="7"))
    bench.now_ms = starts_ms + 5000
    for tier, users in ((1, [5]), (2, [7])):
        tournament_id = occurrence_id(bench.state, starts_ms, tier)
        await finish(bench, tournament_id, users)
        good = (await bench.records.snapshots(tournament_id))[0]
        row = await bench.records.tournament(tournament_id)
        assert row is not None
        damaged = good._replace(offset=good.offset + 1, data=good.data[:-1])
        await bench.records.save(Checkpoint([row._replace(offset=good.offset + 1)], [damaged], [], [], []))
    await bench.run()
    assert bench.state.members.tier == {bench.state.members.users.slot(7): 1}
    assert "passed over" in caplog.text


def children_starts(bench: Bench) -> list[int]:
    assert bench.state.family is not None
    return bench.state.family.occurrences
