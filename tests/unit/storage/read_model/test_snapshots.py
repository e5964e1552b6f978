"""What is loaded when, and that it is bounded. What replies say is tests/contract/test_read_model.py's."""

from __future__ import annotations

import asyncio
import functools
import json
from typing import Any, cast

import pytest

from actors.domain.codec import encode_snapshot
from actors.domain.messages import End, Join, Reopen, Spec
from actors.domain.messages.scoring import Teams
from actors.domain.tournament import Tournament
from actors.owner.checkpoint.rows import tournament_row
from storage.ports import (
    Access,
    AccessQuery,
    Checkpoint,
    GroupRankingsQuery,
    GroupsQuery,
    LiveQuery,
    ParticipantQuery,
    Query,
    RecordsUnavailableError,
    Reply,
    SearchQuery,
    StoredSnapshot,
    TeamsQuery,
    TournamentRow,
    ViewQuery,
)
from storage.read_model.snapshots import NOT_FOUND, SnapshotReadModel
from tests.support.histories import BEGIN_MS, PARTITION, TOURNAMENT, Score, Step, create_of, fold, items_of
from tests.support.memory_records import MemoryRecords
from tests.support.read_model_owner import Held
from tests.unit.actors.owner.test_owner import SPEC

EPOCH = 5


class Store(MemoryRecords):
    """Counts what it is asked, waits as told, and may be away."""

    def __init__(self) -> None:
        super().__init__()
        self.rows_asked = self.snapshots_asked = 0
        self.away = False

    async def tournament(self, tournament_id: int) -> TournamentRow | None:
        self.rows_asked += 1
        await asyncio.sleep(0)
        if self.away:
            raise RecordsUnavailableError("away")
        return await super().tournament(tournament_id)

    async def shown_snapshots(self, tournament_id: int) -> list[StoredSnapshot]:
        self.snapshots_asked += 1
        return await super().shown_snapshots(tournament_id)


class Clock:
    now_ms = BEGIN_MS

    def __call__(self) -> int:
        return self.now_ms


def state_of(users: int, *, ended: bool = False) -> Tournament:
    joins = [Step(BEGIN_MS, Join(command_id=f"j{user}", user_id=str(user))) for user in range(1, users + 1)]
    end = [Step(BEGIN_MS, End(command_id="end"))] if ended else []
    return fold(items_of([Step(BEGIN_MS, create_of(SPEC)), *joins, *end]))


async def save(records: MemoryRecords, state: Tournament, *, damaged: bool = False, number: int = TOURNAMENT) -> None:
    data = encode_snapshot(state)
    snapshot = StoredSnapshot(number, PARTITION, state.offset, data[:-1] if damaged else data)
    row = tournament_row(state, EPOCH)._replace(tournament_id=number)
    await records.save(Checkpoint([row], [snapshot], [], [], []))


@pytest.fixture
def records() -> Store:
    return Store()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def model(records: Store, clock: Clock) -> SnapshotReadModel:
    return SnapshotReadModel(records, clock, entries=2, refresh_ms=1000)


async def participants(model: SnapshotReadModel, number: int = TOURNAMENT) -> Any:
    reply = await model.read(number, ViewQuery())
    return None if reply is None else json.loads(reply.body)["participants"]


async def test_a_read_is_as_old_as_the_refresh_at_most(model: SnapshotReadModel, records: Store, clock: Clock) -> None:
    await save(records, state_of(1))
    assert await participants(model) == 1
    await save(records, state_of(2))
    clock.now_ms += 999
    assert await participants(model) == 1
    assert (records.rows_asked, records.snapshots_asked) == (1, 1)
    clock.now_ms += 1
    assert await participants(model) == 2
    clock.now_ms -= 10**6  # a clock that is set back does not keep it for longer
    await save(records, state_of(3))
    assert await participants(model) == 3


async def test_what_has_not_changed_is_not_loaded_again(model: SnapshotReadModel, records: Store, clock: Clock) -> None:
    await save(records, state_of(1))
    for _ in range(3):
        assert await participants(model) == 1
        clock.now_ms += 1000
    assert (records.rows_asked, records.snapshots_asked) == (3, 1)


async def test_what_is_over_may_change_and_is_shown_while_nobody_can_tell(
    model: SnapshotReadModel, records: Store, clock: Clock
) -> None:
    over = state_of(2, ended=True)
    await save(records, over)
    for _ in range(3):
        assert await participants(model) == 2
        clock.now_ms += 10**6
    assert records.snapshots_asked == 1
    records.away = True
    assert await participants(model) == 2
    records.away = False
    await save(records, fold(items_of([Step(BEGIN_MS, Reopen(command_id="r", ends_ms=BEGIN_MS + 10**6))], 100), over))
    view = await model.read(TOURNAMENT, ViewQuery())
    assert view is not None
    assert view.status == "running"


async def test_it_is_loaded_once_for_all_who_wait(model: SnapshotReadModel, records: Store) -> None:
    await save(records, state_of(1))
    assert await asyncio.gather(*(participants(model) for _ in range(20))) == [1] * 20
    assert records.rows_asked == 1
    assert not model._loading


async def test_the_least_recently_read_goes_first(model: SnapshotReadModel, records: Store) -> None:
    for number in (1, 2, 3):
        await save(records, state_of(number), number=number)
    for number in (1, 2, 1, 3):
        await participants(model, number)
    assert list(model._loaded) == [1, 3]
    await model.close()
    assert not model._loaded


async def test_nothing_is_held_of_what_there_is_not(model: SnapshotReadModel) -> None:
    assert await participants(model, 99) is None
    assert not model._loaded
    assert not model._loading


async def test_a_damaged_snapshot_is_passed_over(
    model: SnapshotReadModel, records: Store, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    await save(records, state_of(1), damaged=True)
    assert await participants(model) is None
    await save(records, state_of(2))
    await save(records, state_of(3), damaged=True)
    assert await participants(model) == 2
    assert "passed over" in caplog.text
    clock.now_ms += 1000
    assert await participants(model) == 2


async def test_a_store_that_is_away_is_an_error_and_blocks_nobody(model: SnapshotReadModel, records: Store) -> None:
    await save(records, state_of(1))
    records.away = True
    with pytest.raises(RecordsUnavailableError):
        await participants(model)
    records.away = False
    assert await participants(model) == 1


async def test_replies_tell_of_the_stored_moment(model: SnapshotReadModel, records: Store) -> None:
    state = state_of(1)
    await save(records, state)
    view = await model.read(TOURNAMENT, ViewQuery())
    assert view is not None
    assert (view.public, view.epoch, view.offset, view.status) == (True, EPOCH, state.offset, "running")
    assert view.etag == f'"5-{state.offset:x}-s"'
    assert await model.read(TOURNAMENT, ParticipantQuery(9)) == NOT_FOUND
    for user, member in ((None, False), (1, True), (9, False)):
        assert await model.read(TOURNAMENT, AccessQuery(user)) == Access(True, True, member)
    assert await model.read(TOURNAMENT, SearchQuery("a")) is None  # owners alone
    with pytest.raises(TypeError, match="expected what a read model holds"):
        await model.read(TOURNAMENT, LiveQuery())


async def test_groups_and_teams_of_a_frozen_table_as_the_owner_tells_them(
    model: SnapshotReadModel, records: Store
) -> None:
    spec = Spec(
        name="x",
        type="scheduled",
        starts_ms=BEGIN_MS,
        ends_ms=BEGIN_MS + 1000,
        freeze_ms=500,
        boards=["team"],
        teams=Teams(score="sum"),
    )
    teams = {1: "red", 2: "blue"}
    joins = [
        Step(BEGIN_MS, Join(command_id=f"j{user}", user_id=str(user), attributes={"team": team}))
        for user, team in teams.items()
    ]
    scores = [Step(BEGIN_MS + 1, Score(1, "a", 50_00)), Step(BEGIN_MS + 600, Score(2, "a", 90_00))]
    held = Held.of([Step(BEGIN_MS, create_of(spec)), *joins, *scores])
    await save(records, held.entity.state)

    async def told(reads: Any, query: Query[Reply]) -> Reply:
        reply = await reads(TOURNAMENT, query)
        assert (reply.public, reply.frozen) == (not full, not full)
        return cast("Reply", reply)

    for full, leader in ((False, "red"), (True, "blue")):
        for reads in (model.read, functools.partial(held.reads.read, PARTITION)):
            teams_reply = await told(reads, TeamsQuery(full=full))
            groups_reply = await told(reads, GroupsQuery("team", full=full))
            page = await told(reads, GroupRankingsQuery("team", "blue", full=full))
            assert json.loads(teams_reply.body)["rows"][0]["team"] == leader
            assert len(json.loads(page.body)["rows"]) == full  # blue has no score that the public may see
            assert (b"90" in groups_reply.body) <= full
