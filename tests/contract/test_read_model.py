"""What every read model must keep, as `storage/ports/read_model.py` states it: on a single Redis and on a cluster."""

from __future__ import annotations

import asyncio
import itertools
import time
from random import Random
from typing import Any

import pytest

from actors.domain.codec import encode_snapshot
from actors.domain.messages import Join, Leave, Spec
from actors.domain.views import UNPUBLISHED
from actors.owner.checkpoint.rows import tournament_row
from actors.owner.read_model.entry import ReadModelEntry, delta_of
from storage.ports import (
    Access,
    AccessQuery,
    Checkpoint,
    KeptReadModel,
    ParticipantQuery,
    Query,
    RankingsQuery,
    ReadModel,
    ReadModelDelta,
    ReadModelPosition,
    Reply,
    StoredSnapshot,
    ViewQuery,
)
from storage.read_model.fallback import FallbackReadModel
from storage.read_model.redis import RedisReadModel
from storage.read_model.snapshots import SnapshotReadModel
from storage.redis_client.connection import RedisConfig
from tests.contract.conftest import ReadModelUnderTest
from tests.support.histories import (
    BEGIN_MS,
    PARTITION,
    TOURNAMENT,
    USERS,
    Score,
    Step,
    create_of,
    fold,
    item_of,
    items_of,
    random_history,
)
from tests.support.memory_records import MemoryRecords
from tests.support.read_model_owner import EPOCH, Held
from tests.support.servers_redis import free_ports


def spec(**fields: Any) -> Spec:
    values = {"order": "desc", "ties": "first", "score_policy": "last", **fields}
    return Spec(name="x", type="scheduled", starts_ms=BEGIN_MS - 1, ends_ms=BEGIN_MS + 10**9, **values)


def join(user: int) -> Step:
    return Step(BEGIN_MS, Join(command_id=f"j{user}", user_id=str(user), name=f"N{user}", invited=True))


def score(user: int, hundredths: int, n: int) -> Step:
    return Step(BEGIN_MS + n, Score(user, f"s{n}", hundredths))


def held_of(users: int, **fields: Any) -> Held:
    """Users 1, 2, ... who all reached 900 points in turn."""
    steps = [Step(BEGIN_MS, create_of(spec(**fields))), *(join(u) for u in range(1, users + 1))]
    return Held.of([*steps, *(score(u, 90_000, u) for u in range(1, users + 1))])


class Appending:
    """Applies further records to a held tournament and gives their delta."""

    def __init__(self, held: Held) -> None:
        self.held = held
        self.count = 0

    def __call__(self, *steps: Step) -> ReadModelDelta:
        state = self.held.entity.state
        after = state.offset
        slots = self.held.apply([item_of(after + 1 + n, step) for n, step in enumerate(steps)])
        return delta_of(self.held.entity, slots, after)


def whole(held: Held, **changes: Any) -> ReadModelDelta:
    return delta_of(held.entity, None, None)._replace(**changes)


async def users_listed(read_model: KeptReadModel, tournament_id: int = TOURNAMENT) -> str:
    reply = await read_model.read(tournament_id, RankingsQuery())
    assert reply is not None
    return reply.body.decode()


@pytest.mark.parametrize("seed", range(16))
async def test_one_kept_by_deltas_says_what_the_owner_says(read_model: KeptReadModel, seed: int) -> None:
    """Random histories, cut into random pieces: all orders, ties and policies, leaving and coming back."""
    r = Random(seed)
    items = items_of(random_history(seed, 120))
    cuts = [1, *sorted(r.sample(range(2, len(items)), 8)), len(items)]
    held = Held(fold(items[:1]))
    entry = ReadModelEntry(held.entity)
    assert await read_model.write([entry.take(whole=entry.whole)]) == []
    for first, last in itertools.pairwise(cuts):
        slots = held.apply(items[first:last])
        entry.changed.update(slots)
        held.entity.previous_ranks.update({slot: r.randint(1, 9) for slot in slots})
        held.entity.live.seq += r.randint(0, 1)
        assert await read_model.write([entry.take(whole=entry.whole)]) == []
        await held.compare(read_model, USERS)


@pytest.mark.parametrize("ties", ["first", "shared", "dense"])
@pytest.mark.parametrize("order", ["desc", "asc"])
async def test_many_equal_scores_are_listed_by_who_was_first(read_model: KeptReadModel, order: str, ties: str) -> None:
    r = Random(1)
    held = held_of(50, order=order, ties=ties)
    append = Appending(held)
    assert await read_model.write([whole(held)]) == []
    for turn in range(5):
        steps = [score(r.randint(1, 50), r.choice([-5, 0, 10, 90_000]), 100 + 10 * turn + n) for n in range(10)]
        assert await read_model.write([append(*steps)]) == []
    await held.compare(read_model, range(1, 51, 7))


async def test_a_large_whole_comes_in_pieces_and_is_never_half_seen(redis_read_model: ReadModelUnderTest) -> None:
    read_model = redis_read_model.open(script_rows=40)
    held = held_of(90, ties="dense")
    assert await read_model.write([whole(held)]) == []
    await held.compare(read_model, [1, 45, 90])
    other = Held(held.entity.state, EPOCH + 1)
    seen: set[int] = set()

    async def watch() -> None:
        while True:
            reply = await read_model.read(TOURNAMENT, RankingsQuery(limit=1000))
            assert reply is not None
            assert reply.body.count(b'"rank"') == 90
            seen.add(reply.epoch)

    watching = asyncio.create_task(watch())
    for _ in range(5):
        assert await read_model.write([whole(other)]) == []
        await asyncio.sleep(0.01)
    watching.cancel()
    assert not watching.done() or watching.cancelled()
    assert EPOCH + 1 in seen
    await other.compare(read_model, [1, 45, 90])
    assert redis_read_model.keys(TOURNAMENT) == {
        "state",
        "rankings",
        "participants",
        "order",
        "marks",
    }  # nothing staged is left


async def test_a_change_too_large_for_one_script_is_wanted_whole(redis_read_model: ReadModelUnderTest) -> None:
    read_model = redis_read_model.open(script_rows=40)
    held = held_of(60)
    assert await read_model.write([whole(held)]) == []
    delta = Appending(held)(*(score(u, 100 * u, 100 + u) for u in range(1, 61)))
    assert await read_model.write([delta]) == [TOURNAMENT]
    assert await read_model.write([whole(held)]) == []
    await held.compare(read_model, [1, 30, 60])


async def test_a_delta_that_does_not_follow_is_refused_and_changes_nothing(read_model: KeptReadModel) -> None:
    held = held_of(3)
    append = Appending(held)
    nothing = append(score(1, 1, 50))
    assert await read_model.write([nothing]) == [TOURNAMENT]
    assert await read_model.read(TOURNAMENT, ViewQuery()) is None
    assert await read_model.write([whole(held)]) == []
    first, second = append(score(2, 95_000, 51)), append(score(3, 96_000, 52))
    before = await users_listed(read_model)
    assert await read_model.write([second]) == [TOURNAMENT]
    assert await users_listed(read_model) == before
    assert await read_model.write([first]) == []
    assert await read_model.write([first]) == [TOURNAMENT]  # the second time it does not follow
    assert await read_model.write([second]) == []
    await held.compare(read_model, [1, 2, 3])


async def test_a_lower_epoch_or_an_older_whole_never_replaces(read_model: KeptReadModel) -> None:
    old = held_of(3)
    old_whole = whole(old)
    append = Appending(old)
    new = Held(held_of(4).entity.state, EPOCH + 1)
    assert await read_model.write([old_whole]) == []
    assert await read_model.write([whole(new)]) == []
    assert await read_model.write([old_whole]) == []
    assert await read_model.write([append(score(1, 5, 60))]) == []
    assert await read_model.write([whole(old, offset=10**9)]) == []
    await new.compare(read_model, [1, 2, 4])
    later = Appending(new)(score(4, 91_000, 70))
    same_epoch = whole(new)
    assert await read_model.write([later]) == []
    assert await read_model.write([same_epoch._replace(offset=later.offset - 1)]) == []
    await new.compare(read_model, [1, 2, 4])
    takeover = Appending(Held(new.entity.state, EPOCH + 2))(score(1, 92_000, 80))
    assert await read_model.write([takeover]) == [TOURNAMENT]  # a new owner does not know what it holds


async def test_what_is_shown_may_change_without_a_record(read_model: KeptReadModel) -> None:
    held = held_of(3)
    assert await read_model.write([whole(held)]) == []
    held.entity.live.seq += 1
    assert await read_model.write([delta_of(held.entity, [], held.entity.state.offset)]) == []
    await held.compare(read_model, [1, 2, 3])


async def test_many_tournaments_in_one_write(read_model: KeptReadModel) -> None:
    held = held_of(4)
    append = Appending(held)
    first = whole(held)
    second = append(score(2, 99_900, 90))
    ids = range(1000, 1100)
    assert await read_model.write([first._replace(tournament_id=i) for i in ids]) == []
    odd = [i for i in ids if i % 2]
    wrong = [second._replace(tournament_id=i, after=1) for i in odd]
    right = [second._replace(tournament_id=i) for i in ids if not i % 2]
    assert sorted(await read_model.write([*wrong, *right])) == odd
    held_positions = await read_model.positions(dict.fromkeys([*ids, 5000], EPOCH))
    assert held_positions[5000] is None
    for i in ids:
        assert held_positions[i] == ReadModelPosition(EPOCH, first.offset if i % 2 else second.offset)


async def test_those_who_left_are_gone_and_come_back_in_their_place(read_model: KeptReadModel) -> None:
    held = held_of(4, visibility="private")
    append = Appending(held)
    assert await read_model.write([whole(held)]) == []
    assert await read_model.write([append(Step(BEGIN_MS, Leave(command_id="l", user_id="2")))]) == []
    await held.compare(read_model, [1, 2, 3])
    view = await read_model.read(TOURNAMENT, ViewQuery())
    assert view is not None
    assert not view.public
    access = await read_model.read(TOURNAMENT, AccessQuery(2))
    assert access == Access(True, public=False, member=False)
    assert await read_model.write([append(Step(BEGIN_MS, Join(command_id="again", user_id="2", invited=True)))]) == []
    await held.compare(read_model, [1, 2, 3])
    view = await read_model.read(TOURNAMENT, ViewQuery())
    assert view is not None
    assert await read_model.read(TOURNAMENT, AccessQuery(2)) == Access(True, public=False, member=True)


async def test_it_may_vanish_and_is_written_anew(redis_read_model: ReadModelUnderTest) -> None:
    read_model = redis_read_model.open()
    held = held_of(3)
    assert await read_model.write([whole(held)]) == []
    redis_read_model.redis.empty()
    assert await read_model.read(TOURNAMENT, ViewQuery()) is None
    assert await read_model.read(TOURNAMENT, RankingsQuery()) is None
    assert await read_model.read(TOURNAMENT, ParticipantQuery(1)) is None
    assert await read_model.positions({TOURNAMENT: EPOCH}) == {TOURNAMENT: None}
    assert await read_model.write([Appending(held)(score(1, 1, 50))]) == [TOURNAMENT]
    assert await read_model.write([whole(held)]) == []
    await held.compare(read_model, [1, 2, 3])


@pytest.mark.parametrize("part", ["rankings", "participants", "order"])
async def test_one_that_lacks_a_part_is_none(redis_read_model: ReadModelUnderTest, part: str) -> None:
    read_model = redis_read_model.open()
    held = held_of(3)
    assert await read_model.write([whole(held)]) == []
    assert await read_model.positions({TOURNAMENT: EPOCH}) == {
        TOURNAMENT: ReadModelPosition(EPOCH, held.entity.state.offset)
    }
    redis_read_model.by_hand(TOURNAMENT, "DEL", part)
    assert await read_model.positions({TOURNAMENT: EPOCH}) == {TOURNAMENT: None}


async def test_it_expires_after_the_end(redis_read_model: ReadModelUnderTest) -> None:
    read_model = redis_read_model.open(expire_after_end_s=0.3)
    held = held_of(3)
    assert await read_model.write([whole(held)]) == []
    assert redis_read_model.live_ms(TOURNAMENT) > 60_000
    assert await read_model.write([whole(held, finished=True)]) == []
    assert 0 < redis_read_model.live_ms(TOURNAMENT) <= 300
    assert await read_model.read(TOURNAMENT, ViewQuery()) is not None
    await asyncio.sleep(0.4)
    assert await read_model.read(TOURNAMENT, ViewQuery()) is None
    assert redis_read_model.keys(TOURNAMENT) == set()


async def test_one_that_nobody_keeps_up_vanishes(redis_read_model: ReadModelUnderTest) -> None:
    read_model = redis_read_model.open(abandoned_expire_s=0.6)
    held = held_of(3)
    assert await read_model.write([whole(held)]) == []
    began = time.monotonic()
    while time.monotonic() - began < 1.2:
        assert (await read_model.positions({TOURNAMENT: EPOCH}))[TOURNAMENT] is not None
        await asyncio.sleep(0.1)
    await asyncio.sleep(0.8)
    assert await read_model.read(TOURNAMENT, ViewQuery()) is None
    assert redis_read_model.keys(TOURNAMENT) == set()


async def test_only_its_own_epoch_keeps_it_up(redis_read_model: ReadModelUnderTest) -> None:
    """What an owner of another log left, with a higher epoch, makes room."""
    read_model = redis_read_model.open(abandoned_expire_s=0.5)
    held = held_of(3)
    assert await read_model.write([whole(held, epoch=EPOCH + 100)]) == []
    for _ in range(10):
        await read_model.positions({TOURNAMENT: EPOCH})
        await asyncio.sleep(0.1)
    assert await read_model.write([whole(held)]) == []
    await held.compare(read_model, [1, 2, 3])


async def test_it_is_readable_by_hand(redis_read_model: ReadModelUnderTest) -> None:
    """With a plain client, as the contract says."""
    read_model = redis_read_model.open()
    held = held_of(3)
    append = Appending(held)
    append(score(1, 91_250, 50), score(2, -50, 51))
    assert await read_model.write([whole(held)]) == []
    assert redis_read_model.table(TOURNAMENT) == [("1", 912.5), ("3", 900.0), ("2", -0.5)]
    view = await read_model.read(TOURNAMENT, ViewQuery())
    assert view is not None
    assert redis_read_model.hash(TOURNAMENT, "state")["view"] == view.body.decode()
    assert redis_read_model.hash(TOURNAMENT, "state")["status"] == "running"
    participants = redis_read_model.hash(TOURNAMENT, "participants")
    assert set(participants) == {"1", "2", "3"}
    assert '"score":912.5' in participants["1"]


async def test_an_empty_tournament(read_model: KeptReadModel) -> None:
    held = Held.of([Step(BEGIN_MS, create_of(spec()))])
    assert await read_model.write([whole(held)]) == []
    await held.compare(read_model, [1, 2, 3])
    assert await read_model.positions({TOURNAMENT: EPOCH}) == {
        TOURNAMENT: ReadModelPosition(EPOCH, held.entity.state.offset)
    }
    assert await read_model.write([]) == []
    assert await read_model.positions({}) == {}


async def snapshots_of(held: Held) -> SnapshotReadModel:
    state = held.entity.state
    stored = StoredSnapshot(TOURNAMENT, PARTITION, state.offset, encode_snapshot(state))
    records = MemoryRecords()
    await records.save(Checkpoint([tournament_row(state, EPOCH)], [stored], [], [], []))
    return SnapshotReadModel(records, lambda: BEGIN_MS)


async def content(model: ReadModel, query: Query[Reply]) -> Reply | None:
    """All but the tag and the update that it shows: a snapshot is of none."""
    reply = await model.read(TOURNAMENT, query)
    if reply is None:
        return None
    return reply._replace(etag="", seq=0, body=reply.body.replace(b'"seq":%d' % UNPUBLISHED, b'"seq":0'))


@pytest.mark.parametrize("ties", ["first", "shared", "dense"])
async def test_the_newest_snapshot_says_the_same(redis_read_model: ReadModelUnderTest, ties: str) -> None:
    """For a tournament that published nothing yet."""
    held = held_of(5, ties=ties)
    Appending(held)(score(2, 95_000, 70), score(4, 1, 71))
    snapshots, read_model = await snapshots_of(held), redis_read_model.open()
    assert await read_model.write([whole(held)]) == []
    for query in (RankingsQuery(), RankingsQuery(around=4, limit=2), RankingsQuery(users=(5, 1))):
        assert await content(snapshots, query) == await content(read_model, query)
    assert await content(snapshots, ViewQuery()) == await content(read_model, ViewQuery())
    for user in (1, 2, 9):
        assert await content(snapshots, ParticipantQuery(user)) == await content(read_model, ParticipantQuery(user))
    assert await snapshots.read(99, ViewQuery()) is None


async def test_what_redis_does_not_hold_or_say_comes_from_the_snapshots(
    redis_read_model: ReadModelUnderTest,
) -> None:
    held = held_of(5)
    read_model = redis_read_model.open()
    both = FallbackReadModel(read_model, await snapshots_of(held))
    snapshot_view = await both.read(TOURNAMENT, ViewQuery())
    assert snapshot_view is not None
    assert snapshot_view.etag.endswith('-s"')
    assert await read_model.write([whole(held)]) == []
    await held.compare(both, [1, 2, 5])
    nowhere = RedisReadModel(RedisConfig((f"redis://127.0.0.1:{free_ports(1)}",)))
    both = FallbackReadModel(nowhere, await snapshots_of(held))
    assert await both.read(TOURNAMENT, ViewQuery()) == snapshot_view
    page = await both.read(TOURNAMENT, RankingsQuery())
    assert page is not None
    assert (await both.read(TOURNAMENT, ParticipantQuery(1))) is not None
    await both.close()
