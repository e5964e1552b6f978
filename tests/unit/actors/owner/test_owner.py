"""The owner's hold on its scopes: what it gives up, and that no checkpoint says more than was saved."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import pytest

from actors.domain.codec import decode_snapshot, encode_snapshot
from actors.domain.delivery import ASK, GONE, Range, ScopePosition, ScoreItem, decode_answer, encode_ranges
from actors.domain.messages import Create, Disqualify, End, Erase, Join, Spec
from actors.domain.publications import OutcomeReply, decode_outcomes
from actors.domain.scoring.scores import UNFIT
from actors.domain.signing import Signer
from actors.owner.owner import Owner, OwnerConfig
from actors.owner.reads import OwnerReads
from storage.ports import Checkpoint, LogTruncatedError, RecordsUnavailableError, SearchQuery, StoredSnapshot
from tests.support.histories import BEGIN_MS, PARTITION, SALT, TOURNAMENT, Step, item_of
from tests.support.memory_ports import MemoryScoreLog
from tests.support.memory_records import MemoryRecords

SPEC = Spec(name="x", type="scheduled", starts_ms=BEGIN_MS - 1, ends_ms=BEGIN_MS + 10**9)


class Silent:
    """An Updates port that nobody listens to; `replies` are the outcomes that were told."""

    def __init__(self) -> None:
        self.replies: list[OutcomeReply] = []

    async def publish(self, messages: Sequence[tuple[str, bytes]]) -> None:
        for channel, payload in messages:
            if channel.startswith("replies:"):
                self.replies += decode_outcomes(payload)

    async def listened(self) -> list[str]:
        return []


class Store(MemoryRecords):
    """Records that wait in `save` until `gate` is open, and then fail as often as `failures` says."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = asyncio.Event()
        self.gate.set()
        self.failures = 0
        self.entered = asyncio.Event()

    async def save(self, checkpoint: Checkpoint) -> None:
        self.entered.set()
        await self.gate.wait()
        if self.failures:
            self.failures -= 1
            raise RecordsUnavailableError("told to fail")
        await super().save(checkpoint)


class Away(Store):
    """Records whose one shard may be away; `replica`: it has all that this process knows to be durable."""

    def __init__(self, *, replica: bool = True) -> None:
        super().__init__()
        self.away = False
        self.replica = replica

    async def save(self, checkpoint: Checkpoint) -> None:
        if self.away:
            raise RecordsUnavailableError("away")
        await super().save(checkpoint)

    async def snapshots(self, tournament_id: int) -> list[StoredSnapshot]:
        if self.away:
            raise RecordsUnavailableError("away")
        return await super().snapshots(tournament_id)

    async def settled_snapshots(self, tournament_id: int) -> list[StoredSnapshot]:
        if not self.replica:
            raise RecordsUnavailableError("no replica")
        return await super().snapshots(tournament_id)


def owner_of(
    records: MemoryRecords,
    name: str = "shard-0",
    clock_ms: Callable[[], int] = lambda: BEGIN_MS,
    updates: Silent | None = None,
    over_kept: int = 512,
) -> Owner:
    return Owner(
        name=name,
        instance=f"{name}#1",
        log=MemoryScoreLog(PARTITION + 1, clock_ms=lambda: BEGIN_MS),
        records=records,
        updates=updates or Silent(),  # type: ignore[arg-type]
        signer=Signer({"k": b"secret"}, "k"),
        clock_ms=clock_ms,
        config=OwnerConfig(over_kept=over_kept),
    )


def let_log_reach(owner: Owner, offset: int) -> None:
    """The next record of the partition, such as a claim, gets this offset."""
    owner._log._starts[PARTITION] = offset  # type: ignore[attr-defined]
    owner._log._records[PARTITION].clear()  # type: ignore[attr-defined]


def step(message: Any) -> Step:
    return Step(BEGIN_MS, message)


def create(*, dedicated: bool) -> Step:
    return step(
        Create(
            command_id="c", creator="1", created_ms=BEGIN_MS, spec=SPEC, dedicated=dedicated, salt=SALT, request_digest="d"
        )
    )  # fmt: skip


def items(*steps: Step, first: int) -> list[Any]:
    return [item_of(first + n, each) for n, each in enumerate(steps)]


def waited_for(records: list[Any]) -> list[Any]:
    """The same, whose outcomes somebody waits for."""
    return [msgspec.structs.replace(record, reply_to="replies:entrypoint") for record in records]


async def deliver(owner: Owner, tournament: int, after: int, upto: int, records: list[Any]) -> ScopePosition:
    answer = decode_answer(await owner.deliver(encode_ranges([Range(PARTITION, tournament, after, upto, records)])))
    assert {rejected.reason for rejected in answer.rejected} <= UNFIT  # these have an outcome, too
    return answer.positions[0]


async def test_a_dedicated_tournament_that_ended_elsewhere_is_not_taken_for_the_one_held_here() -> None:
    """The director, started anew, gave it to another owner, which ended it; its later records are the shared scope's."""
    records = MemoryRecords()
    shard, other = owner_of(records), owner_of(records, f"tournament-{TOURNAMENT}")
    await shard.adopt([(PARTITION, 0, -1), (PARTITION, TOURNAMENT, -1)])
    begin = items(create(dedicated=True), step(Join(command_id="j", user_id="5")), first=10)
    await deliver(shard, TOURNAMENT, -1, 20, begin)
    await shard.checkpointer.full_round(shard.scopes())
    let_log_reach(other, 21)
    await other.adopt([(PARTITION, TOURNAMENT, -1)])
    end = items(step(End(command_id="e")), first=21)
    assert (await deliver(other, TOURNAMENT, 20, 21, end)).watermark == 21
    assert await other.checkpoint_due()

    late = ScoreItem(30, BEGIN_MS, TOURNAMENT, 5, "s", 100)
    await deliver(shard, 0, -1, 30, [late])
    assert (PARTITION, TOURNAMENT) not in shard.tournaments.scopes
    await shard.checkpointer.full_round(shard.scopes())
    [stored, *_] = await records.snapshots(TOURNAMENT)
    assert decode_snapshot(stored.data).status == "finished"
    assert stored.offset == 21
    effects = [(row.offset, row.kind) for row in await records.outbox(10)]
    assert effects == [
        (10, "notice"),
        (21, "finished"),
        (21, "notice"),
    ]  # what is told to participants: its start, its end


async def test_what_is_told_goes_into_the_outbox_once_with_the_checkpoint_that_makes_it_true() -> None:
    records = MemoryRecords()
    owner = owner_of(records)
    await owner.adopt([(PARTITION, 0, -1)])
    await deliver(owner, 0, -1, 20, items(create(dedicated=False), step(Join(command_id="j", user_id="5")), first=10))
    assert await records.outbox(10) == []
    entity = owner.tournaments.active[TOURNAMENT]
    assert len(entity.effects) == 1
    for _ in range(2):
        await owner.checkpointer.full_round(owner.scopes())
    assert entity.effects == []
    assert [row.offset for row in await records.outbox(10)] == [10]
    await deliver(owner, 0, 20, 21, items(step(End(command_id="e")), first=21))
    again = owner_of(records, "again")  # the same records, after a kill -9 before the checkpoint
    let_log_reach(again, 22)
    await again.adopt([(PARTITION, 0, -1)])
    await deliver(again, 0, 20, 21, items(step(End(command_id="e")), first=21))
    for each in (again, owner):
        await each.checkpointer.full_round(each.scopes())
    told = [(row.offset, row.kind) for row in await records.outbox(10)]
    assert told == [(10, "notice"), (21, "finished"), (21, "notice")]


async def test_of_whom_was_erased_no_earlier_snapshot_is_kept() -> None:
    records = MemoryRecords()
    owner = owner_of(records)
    await owner.adopt([(PARTITION, 0, -1)])
    join = Join(command_id="j", user_id="5", name="Ann")
    await deliver(owner, 0, -1, 20, items(create(dedicated=False), step(join), first=10))
    await owner.checkpointer.full_round(owner.scopes())
    await deliver(owner, 0, 20, 21, items(step(End(command_id="e")), first=21))
    await owner.checkpointer.full_round(owner.scopes())
    assert len(await records.snapshots(TOURNAMENT)) == 2
    query = SearchQuery("ann")
    assert b"Ann" not in (await OwnerReads(owner, owner.publisher).read(PARTITION, TOURNAMENT, query)).body  # no score
    assert owner.names.kept == 1
    await deliver(owner, 0, 21, 22, items(step(Erase(command_id="x", user_id="5")), first=22))
    await owner.checkpointer.full_round(owner.scopes())
    assert owner.names.kept == 0
    [stored] = await records.snapshots(TOURNAMENT)
    assert b"Ann" not in stored.data
    [(row, person)], _ = await records.user_tournaments(5, None, 10)
    assert (row.status, person.name) == ("finished", None)


async def test_a_scope_whose_records_are_gone_is_given_up_and_loaded_anew() -> None:
    """Another owner saved more than this one has, and the log was pruned up to there."""
    records = MemoryRecords()
    left, ahead = owner_of(records), owner_of(records, "ahead")
    begin = items(create(dedicated=False), step(Join(command_id="j", user_id="5")), first=10)
    more = items(step(Join(command_id="k", user_id="6")), first=21)
    for owner in (left, ahead):
        await owner.adopt([(PARTITION, 0, -1)])
        await deliver(owner, 0, -1, 20, begin)
    await deliver(ahead, 0, 20, 30, more)
    await ahead.checkpointer.full_round(ahead.scopes())

    assert (await deliver(left, 0, GONE, 15, [])).held, "what it was told is not about where it stands"
    assert not (await deliver(left, 0, GONE, 20, [])).held
    epoch = (await records.projected(PARTITION, [f"partition-{PARTITION}"])).values()
    assert list(epoch) == [30], "its last checkpoint does not set back what is durable"
    let_log_reach(left, 31)
    await left.adopt([(PARTITION, 0, -1)])
    assert (await deliver(left, 0, ASK, ASK, [])).watermark == 30
    assert left.tournaments.active[TOURNAMENT].state.members.joined == 2


async def test_a_failed_save_beside_another_round_leaves_nothing_out() -> None:
    """An urgent save under way has taken its tournament from what is dirty; a full round then may not raise the projected offset."""
    records = Store()
    owner = owner_of(records)
    await owner.adopt([(PARTITION, 0, -1)])
    await deliver(owner, 0, -1, 20, items(create(dedicated=False), first=10))
    records.gate.clear()
    records.failures = 1
    urgent = asyncio.create_task(owner.checkpoint_due())
    await records.entered.wait()
    full = asyncio.create_task(owner.checkpointer.full_round(owner.scopes()))
    await asyncio.sleep(0)
    records.gate.set()
    assert not await urgent
    assert await full
    assert await records.projected(PARTITION, [f"partition-{PARTITION}"]) == {f"partition-{PARTITION}": 20}
    stored = await records.snapshots(TOURNAMENT)
    assert stored, "the offset says that it is saved"
    assert stored[0].data


async def test_a_cancelled_save_forgets_nothing() -> None:
    """A clean stop cancels the checkpoints' task, maybe in mid-save; the last round must then save all of it."""
    records = Store()
    owner = owner_of(records)
    await owner.adopt([(PARTITION, 0, -1)])
    await deliver(owner, 0, -1, 20, items(create(dedicated=False), first=10))
    records.gate.clear()
    under_way = asyncio.create_task(owner.checkpoint_due())
    await records.entered.wait()
    under_way.cancel()
    await asyncio.gather(under_way, return_exceptions=True)
    records.gate.set()
    await owner.close()
    assert await records.projected(PARTITION, [f"partition-{PARTITION}"]) == {f"partition-{PARTITION}": 20}
    assert await records.snapshots(TOURNAMENT)


async def test_a_store_that_refuses_is_not_asked_at_every_turn() -> None:
    records, clock = Store(), [BEGIN_MS]
    records.failures = 10**6
    owner = owner_of(records, clock_ms=lambda: clock[0])
    await owner.adopt([(PARTITION, 0, -1)])
    await deliver(owner, 0, -1, 20, items(create(dedicated=False), first=10))
    for _ in range(100):  # two seconds of turns
        assert not await owner.checkpoint_due()
        clock[0] += 20
    assert owner.checkpointer.failures == 2
    records.failures = 0
    clock[0] += 1000
    assert await owner.checkpoint_due()
    assert await records.snapshots(TOURNAMENT)


async def test_a_damaged_snapshot_is_passed_over_for_the_one_before_it(caplog: pytest.LogCaptureFixture) -> None:
    """The scope is then fed from the older one's offset, and comes to the same bytes."""
    records = MemoryRecords()
    first = owner_of(records)
    await first.adopt([(PARTITION, 0, -1)])
    begin = items(create(dedicated=False), step(Join(command_id="j", user_id="5")), first=10)
    more = items(step(Join(command_id="k", user_id="6")), first=21)
    await deliver(first, 0, -1, 20, begin)
    await first.checkpointer.full_round(first.scopes())
    await deliver(first, 0, 20, 30, more)
    await first.checkpointer.full_round(first.scopes())
    newest, older = await records.snapshots(TOURNAMENT)
    records._snapshots[TOURNAMENT] = [newest._replace(data=newest.data[:-9] + b"x" * 9), older]

    again = owner_of(records, "again")
    let_log_reach(again, 31)
    await again.adopt([(PARTITION, 0, -1)])
    assert "passed over" in caplog.text
    assert (await deliver(again, 0, ASK, ASK, [])).watermark == older.offset
    await deliver(again, 0, older.offset, 30, more)
    assert encode_snapshot(again.tournaments.active[TOURNAMENT].state) == newest.data


async def test_a_clock_that_is_set_back_stops_neither_checkpoints_nor_ticks() -> None:
    now_ms = BEGIN_MS
    records = MemoryRecords()
    owner = owner_of(records, clock_ms=lambda: now_ms)
    await owner.adopt([(PARTITION, 0, -1)])
    spec = msgspec.structs.replace(SPEC, ends_ms=BEGIN_MS + 5000)
    made = Create(
        command_id="c", creator="1", created_ms=BEGIN_MS, spec=spec, dedicated=False, salt=SALT, request_digest="d"
    )
    await deliver(owner, 0, -1, 20, items(step(made), first=10))
    assert await owner.checkpoint_due()
    assert await owner.tick_due() == 0
    now_ms -= 3_600_000
    await deliver(owner, 0, 20, 21, items(step(Join(command_id="j", user_id="5")), first=21))
    assert await owner.checkpoint_due()
    assert (await records.projected(PARTITION, [f"partition-{PARTITION}"])).popitem()[1] == 21
    await owner.tick_due()
    now_ms += 3_600_000 + 5000
    assert await owner.tick_due() == 1


async def test_a_scope_that_is_ahead_of_its_log_is_not_taken(caplog: pytest.LogCaptureFixture) -> None:
    """The log lost what a tournament has applied: what comes under these offsets is not what it had."""
    records = MemoryRecords()
    first = owner_of(records)
    await first.adopt([(PARTITION, 0, -1), (PARTITION - 1, 0, -1)])
    await deliver(first, 0, -1, 20, items(create(dedicated=False), step(Join(command_id="j", user_id="5")), first=10))
    assert await first.checkpoint_due()
    wanted = [(PARTITION, 0, -1), (PARTITION - 1, 0, -1)]
    again = owner_of(records, "again")
    let_log_reach(again, 10)
    for _ in range(3):  # however often it is asked for: each claim would bring the log nearer to where it is
        with pytest.raises(LogTruncatedError):
            await again.adopt(wanted)
        assert (PARTITION, 0) not in again.tournaments.scopes
        assert (PARTITION - 1, 0) in again.tournaments.scopes, "the others go on"
    assert (await again._log.bounds())[PARTITION].last == 10
    assert "the log ends at 10, a tournament is at 11" in caplog.text
    well = owner_of(records, "well")
    let_log_reach(well, 12)
    await well.adopt(wanted)
    assert (PARTITION, 0) in well.tournaments.scopes


async def test_records_that_do_not_answer_hold_up_only_the_ranges_that_need_them() -> None:
    """A late score of a finished tournament that is no longer in memory, while the store is away."""
    records = MemoryRecords()
    owner = owner_of(records)
    await owner.adopt([(PARTITION, 0, -1), (PARTITION - 1, 0, -1)])

    async def away(tournament_id: int) -> list[StoredSnapshot]:
        raise RecordsUnavailableError("away")

    records.snapshots = away  # type: ignore[method-assign]
    ranges = [
        Range(PARTITION, 0, -1, 20, [ScoreItem(20, BEGIN_MS, TOURNAMENT, 5, "s", 100)]),
        Range(PARTITION - 1, 0, -1, 8, []),
    ]
    answer = decode_answer(await owner.deliver(encode_ranges(ranges)))
    assert [(position.partition, position.watermark) for position in answer.positions] == [
        (PARTITION, -1),
        (PARTITION - 1, 8),
    ]


async def test_a_create_whose_shard_is_away_is_answered_and_an_end_is_not() -> None:
    """The log has the create, and nothing passes it before it is durable; finished is a promise of the store (rule 8)."""
    records, updates, clock = Away(), Silent(), [BEGIN_MS]
    owner = owner_of(records, clock_ms=lambda: clock[0], updates=updates)
    await owner.adopt([(PARTITION, 0, -1)])
    records.away = True
    await deliver(owner, 0, -1, 20, waited_for(items(create(dedicated=False), first=10)))
    assert updates.replies == []
    await owner.checkpoint_due()
    await owner.publish_due()
    assert [(r.kind, r.outcome, r.offset, r.first) for r in updates.replies] == [("create", "applied", 10, True)]
    more = items(step(Join(command_id="j", user_id="5")), step(End(command_id="e")), create(dedicated=False), first=21)
    position = await deliver(owner, 0, 20, 30, waited_for(more))
    assert (position.watermark, position.durable) == (30, -1)
    clock[0] += 1000
    await owner.checkpoint_due()
    await owner.publish_due()
    told = [(r.kind, r.outcome, r.first, r.status) for r in updates.replies[1:]]
    assert told == [("join", "applied", True, "running"), ("create", "applied", False, "running")]
    held = owner.tournaments.at_hand(TOURNAMENT)
    assert held is not None
    assert held.status == "running"
    records.away = False
    clock[0] += 1000
    await owner.checkpoint_due()
    await owner.publish_due()
    assert [(r.kind, r.outcome, r.status) for r in updates.replies[3:]] == [("end", "applied", "finished")]
    assert (await records.projected(PARTITION, [f"partition-{PARTITION}"])) == {f"partition-{PARTITION}": 30}


@pytest.mark.parametrize("replica", [True, False])
async def test_what_is_over_is_read_from_a_replica_while_its_shard_is_away(replica: bool) -> None:
    """A repeated create changes nothing of it, whoever answers; without a replica its partition waits, and nothing of the range is applied."""
    records, updates, clock = Away(replica=replica), Silent(), [BEGIN_MS]
    owner = owner_of(records, clock_ms=lambda: clock[0], updates=updates, over_kept=0)
    await owner.adopt([(PARTITION, 0, -1)])
    await deliver(owner, 0, -1, 20, items(create(dedicated=False), step(End(command_id="e")), first=10))
    await owner.checkpoint_due()
    clock[0] += 10**6
    owner.tournaments._trim()
    assert owner.tournaments.at_hand(TOURNAMENT) is None
    before = await records.snapshots(TOURNAMENT)
    records.away = True
    late = [*items(create(dedicated=False), first=21), ScoreItem(22, BEGIN_MS, TOURNAMENT, 5, "s", 100)]
    position = await deliver(owner, 0, 20, 30, waited_for(late))
    assert position.watermark == (30 if replica else 20)
    records.away = False
    await deliver(owner, 0, 20, 30, waited_for(late))
    await owner.checkpointer.full_round(owner.scopes())
    await owner.publish_due()
    assert [(r.kind, r.first, r.status) for r in updates.replies] == [
        ("create", False, "finished"),
        ("score", False, "finished"),
    ]
    assert await records.snapshots(TOURNAMENT) == before


async def test_only_the_create_of_a_shared_tournament_is_taken_for_the_first() -> None:
    """What a replica does not have yet may be another owner's, where it is dedicated; and what begins with no create is not known at all."""
    for record in (create(dedicated=True), step(Join(command_id="j", user_id="5"))):
        records = Away()
        owner = owner_of(records)
        await owner.adopt([(PARTITION, 0, -1)])
        records.away = True
        assert (await deliver(owner, 0, -1, 20, items(record, first=10))).watermark == -1
        assert owner.tournaments.at_hand(TOURNAMENT) is None


async def test_what_changes_one_that_has_made_room_for_others_is_saved() -> None:
    records = MemoryRecords()
    first, owner = owner_of(records), owner_of(records, over_kept=0)
    await first.adopt([(PARTITION, 0, -1)])
    life = [create(dedicated=False), step(Join(command_id="j", user_id="5")), step(End(command_id="e"))]
    await deliver(first, 0, -1, 12, items(*life, first=10))
    await first.checkpointer.full_round(first.scopes())
    await owner.adopt([(PARTITION, 0, -1)])
    await deliver(owner, 0, 12, 13, items(step(Disqualify(command_id="d", user_id="5", reason="r")), first=13))
    await owner.checkpointer.full_round(owner.scopes())
    [stored, *_] = await records.snapshots(TOURNAMENT)
    assert list(decode_snapshot(stored.data, stored.deltas).members.disqualified.values()) == ["r"]
