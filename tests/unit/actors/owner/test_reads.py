"""What an owner answers, and that a hidden tournament takes the way of an unknown one."""

from __future__ import annotations

import random
from typing import Any

import msgspec
import pytest

from actors.domain.delivery import Item
from actors.domain.messages import End, Join, Leave, Spec
from actors.owner.entity import Entity, Scope
from storage.ports import (
    Access,
    AccessQuery,
    LiveQuery,
    OwnerMovedError,
    OwnerUnavailableError,
    Query,
    RankingsQuery,
    RecordsUnavailableError,
    Reply,
    SearchQuery,
    ViewQuery,
)
from tests.support.histories import BEGIN_MS, PARTITION, TOURNAMENT, Score, Step, create_of, fold, items_of
from tests.support.read_model_owner import Held

UNKNOWN = TOURNAMENT + 1


def held_of(visibility: str) -> Held:
    spec = Spec(name="x", type="scheduled", starts_ms=BEGIN_MS - 1, ends_ms=BEGIN_MS + 10**9, visibility=visibility)  # type: ignore[arg-type]
    join = Join(command_id="j", user_id="5", invited=True)
    return Held.of([Step(BEGIN_MS, create_of(spec)), Step(BEGIN_MS, join)])


class Counted:
    """Counts what is looked up in the records of a held tournament's owner."""

    def __init__(self, held: Held, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        records = held.owner.tournaments._records

        async def look_up(tournament_id: int) -> None:
            self.count += 1
            if self.away:
                raise RecordsUnavailableError("away")

        async def snapshots(tournament_id: int) -> list[object]:
            await look_up(tournament_id)
            return []

        self.away = False
        for name, call in (("tournament", look_up), ("snapshots", snapshots), ("settled_snapshots", snapshots)):
            monkeypatch.setattr(records, name, call)


async def test_who_may_see_a_tournament() -> None:
    public, private = held_of("public"), held_of("private")
    assert await public.reads.read(PARTITION, TOURNAMENT, AccessQuery()) == Access(True, True, False)
    assert (await public.reads.read(PARTITION, TOURNAMENT, AccessQuery(5))).allowed
    assert await private.reads.read(PARTITION, TOURNAMENT, AccessQuery(5)) == Access(True, False, True)
    for user in (None, 6):
        assert not (await private.reads.read(PARTITION, TOURNAMENT, AccessQuery(user))).allowed
    assert await private.reads.read(PARTITION, UNKNOWN, AccessQuery(5)) == Access(found=False)


@pytest.mark.parametrize("user", [None, 6])
async def test_hidden_and_unknown_are_looked_up_alike(user: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    held = held_of("private")
    records = Counted(held, monkeypatch)
    counts = []
    for tournament_id in (TOURNAMENT, UNKNOWN):
        records.count = 0
        assert not (await held.reads.read(PARTITION, tournament_id, AccessQuery(user))).allowed
        counts.append(records.count)
    assert counts == [1, 1]
    records.away = True
    for tournament_id in (TOURNAMENT, UNKNOWN):
        with pytest.raises(RecordsUnavailableError):
            await held.reads.read(PARTITION, tournament_id, AccessQuery(user))
    assert (await held.reads.read(PARTITION, TOURNAMENT, AccessQuery(5))).member


def moving_table(seed: int) -> list[Item]:
    """A running tournament: joins, then scores, leaves and joins again."""
    rng = random.Random(seed)
    spec = Spec(name="x", type="scheduled", starts_ms=BEGIN_MS - 1, ends_ms=BEGIN_MS + 10**9, score_policy="last")
    steps = [Step(BEGIN_MS, create_of(spec))]
    for number in range(150):
        user = str(rng.randint(1, 10))
        if number < 10 or rng.random() < 0.2:
            steps.append(Step(BEGIN_MS, Join(command_id=str(number), user_id=user)))
        elif rng.random() < 0.1:
            steps.append(Step(BEGIN_MS, Leave(command_id=str(number), user_id=user)))
        else:
            steps.append(Step(BEGIN_MS, Score(int(user), str(number), rng.randint(1, 9))))
    return items_of(steps)


@pytest.mark.parametrize("seed", range(5))
async def test_pages_with_one_position_are_of_one_table(seed: int) -> None:
    """The table moves while somebody pages: where it did, the positions differ; so no user is on two pages of one position."""
    items = moving_table(seed)
    held = Held(fold(items[:1]))
    tables: dict[bytes, dict[int, Any]] = {}
    for item in items[1:]:
        for start in (0, 3, 6, 9):
            reply = await held.reads.read(PARTITION, TOURNAMENT, RankingsQuery(start=start, limit=3))
            page = msgspec.json.decode(reply.body)
            assert page["status"] == held.entity.status
            table = tables.setdefault(msgspec.json.encode(page.pop("position")), {})
            assert table.setdefault(start, page) == page
            if start == 3:  # half of the pages are of the table after it
                held.apply([item])
    for table in tables.values():
        users = [row["user_id"] for page in table.values() for row in page["rows"]]
        assert len(users) == len(set(users))
    assert len({msgspec.json.encode(table) for table in tables.values()}) > 50


async def test_names_are_found_in_the_table_that_the_caller_is_shown() -> None:
    spec = Spec(name="x", type="scheduled", starts_ms=BEGIN_MS - 1, ends_ms=BEGIN_MS + 1000, freeze_ms=500)
    names = {1: "Ann", 2: "Joanna", 3: "Bob", 4: "Hanna"}
    joins = [Step(BEGIN_MS, Join(command_id=name, user_id=str(user), name=name)) for user, name in names.items()]
    early = [Step(BEGIN_MS + user, Score(user, "a", user)) for user in (1, 2, 3)]
    late = [Step(BEGIN_MS + 600, Score(1, "b", 9_00)), Step(BEGIN_MS + 601, Leave(command_id="gone", user_id="2"))]
    held = Held.of([Step(BEGIN_MS, create_of(spec)), *joins, *early, *late])

    async def found(text: str, *, full: bool, user: int | None = None) -> list[tuple[int, str]]:
        query = SearchQuery(text, user, full=full)
        reply = await held.reads.read(PARTITION, TOURNAMENT, query)
        assert (reply.public, reply.frozen) == (not full, not full)
        assert held.reads.read_many([(PARTITION, TOURNAMENT, query)]) == [None]  # it takes several turns
        return [(row["rank"], row["user_id"]) for row in msgspec.json.decode(reply.body)["rows"]]

    assert await found("ann", full=False) == [(2, "1")]  # 2 has left, 4 has no score; 1's later one is not shown
    assert await found("ann", full=True) == [(1, "1")]
    assert await found("3", user=3, full=False) == [(1, "3")]
    assert await held.reads.read(PARTITION, UNKNOWN, SearchQuery("ann")) == Reply(found=False)


async def test_what_is_not_held_or_not_caught_up_is_not_answered() -> None:
    held = held_of("public")
    with pytest.raises(OwnerMovedError):
        await held.reads.read(PARTITION - 1, TOURNAMENT, ViewQuery())
    held.entity.scope.watermark = held.entity.scope.epoch - 1
    with pytest.raises(OwnerUnavailableError):
        await held.reads.read(PARTITION, TOURNAMENT, ViewQuery())


async def test_an_unknown_query_is_an_error() -> None:
    class OtherQuery(Query[Reply], frozen=True):
        pass

    with pytest.raises(TypeError):
        await held_of("public").reads.read(PARTITION, TOURNAMENT, OtherQuery())


@pytest.mark.parametrize(
    "epoch", [5, 1]
)  # of its scope now: the one it was in, or the partition's, which is older than its own was
async def test_what_is_loaded_when_it_is_over_stands_beyond_all_that_was_published_of_it(epoch: int) -> None:
    """It began at 0 again: who subscribed since that was sent updates that it had; and gateways took it for older than what they knew."""
    items = moving_table(1)
    before = Held(fold(items[:-1]))
    before.entity.live.seq = len(items)  # an update a record, at most
    published = before.entity.position()
    end = items_of([Step(BEGIN_MS, End(command_id="end"))], items[-1].offset + 1)
    before.apply([*items[-1:], *end])
    assert before.entity.status == "finished"
    scope = Scope(PARTITION, 0, epoch, watermark=10**9, durable=-1)
    entity = Entity.loaded(before.entity.state, scope, rewound=False)
    before.owner.tournaments.scopes[PARTITION, 0] = scope
    before.owner.tournaments.place(entity)
    assert entity.position() > published
    shown = msgspec.json.decode((await before.reads.read(PARTITION, TOURNAMENT, ViewQuery())).body)
    live = await before.reads.read(PARTITION, TOURNAMENT, LiveQuery())
    assert (shown["position"]["epoch"], shown["position"]["seq"]) == (live.epoch, live.seq) == entity.position()
