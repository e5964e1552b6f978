"""`RayOwners` over handles of the test's own: where it asks, what it tells of failures, and when it leaves an owner alone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from ray.exceptions import RayActorError

from actors.director.director import Plan
from cluster.actors.directory import DOWN_S, RayOwners
from cluster.startup.ports import DIRECTOR
from storage.ports import (
    AccessQuery,
    OwnerMovedError,
    OwnerRecordsError,
    OwnerUnavailableError,
    RecordsUnavailableError,
    Reply,
    ViewQuery,
)

PLAN = Plan(partitions=8, shards=2, ingests=1, max_dedicated=1, dedicated_capacity=10_000)
TOURNAMENT = 77


class Handles:
    """Named actors: what each answers to a call, or raises."""

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {DIRECTOR: {}}
        self.calls: list[tuple[str, str]] = []

    async def call(self, name: str, method: str, *args: Any) -> Any:
        self.calls.append((name, method))
        answer = self.answers.get(name, ValueError(f"no actor {name}"))
        if isinstance(answer, Callable):  # type: ignore[arg-type]
            answer = await answer(*args)
        if isinstance(answer, Exception):
            raise answer
        return [answer] * len(args[0]) if method == "read_many" else answer

    def asked(self) -> list[str]:
        names, self.calls = [name for name, _ in self.calls], []
        return names


@pytest.fixture
def handles() -> Handles:
    return Handles()


@pytest.fixture
def owners(handles: Handles) -> RayOwners:
    owners = RayOwners(PLAN, timeout_s=0.05)
    owners._handles = handles  # type: ignore[assignment]
    return owners


def reply(text: str) -> Reply:
    return Reply(True, body=text.encode())


def shard_of(owners: RayOwners, tournament_id: int = TOURNAMENT) -> str:
    return PLAN.shard_of(owners.partition(tournament_id))


async def test_a_shared_tournament_is_asked_for_at_its_shard(owners: RayOwners, handles: Handles) -> None:
    handles.answers[shard_of(owners)] = reply("the view")
    assert await owners.read(TOURNAMENT, ViewQuery()) == reply("the view")
    assert handles.calls == [(shard_of(owners), "read_many")]


async def test_one_that_has_moved_is_asked_for_where_the_routes_say(owners: RayOwners, handles: Handles) -> None:
    handles.answers |= {shard_of(owners): OwnerMovedError(), DIRECTOR: {TOURNAMENT: "tournament-77"}}
    handles.answers["tournament-77"] = reply("alone")
    assert await owners.read(TOURNAMENT, ViewQuery()) == reply("alone")
    assert handles.asked() == [shard_of(owners), DIRECTOR, "tournament-77"]
    assert await owners.read(TOURNAMENT, ViewQuery()) == reply("alone")
    assert handles.asked() == ["tournament-77"]


async def test_one_that_is_nowhere_is_moving(owners: RayOwners, handles: Handles) -> None:
    handles.answers[shard_of(owners)] = OwnerMovedError()
    with pytest.raises(OwnerUnavailableError):
        await owners.read(TOURNAMENT, ViewQuery())
    assert handles.asked() == [shard_of(owners), DIRECTOR, shard_of(owners)]


async def test_a_dedicated_owner_that_has_ended_leads_back_to_the_shard(owners: RayOwners, handles: Handles) -> None:
    owners._dedicated = {TOURNAMENT: "tournament-77"}
    handles.answers |= {"tournament-77": RayActorError(), shard_of(owners): reply("from the shard")}
    assert await owners.read(TOURNAMENT, ViewQuery()) == reply("from the shard")


@pytest.mark.parametrize("failure", [RayActorError(), ValueError("no such actor"), "silence"])
async def test_an_owner_that_fails_is_left_alone_for_a_while(
    owners: RayOwners, handles: Handles, failure: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def silence(*_: Any) -> None:
        await asyncio.sleep(60)

    shard = shard_of(owners)
    handles.answers[shard] = silence if failure == "silence" else failure
    for _ in range(3):
        with pytest.raises(OwnerUnavailableError):
            await owners.read(TOURNAMENT, ViewQuery())
    assert handles.asked() == [shard]
    handles.answers[shard] = reply("back")
    with pytest.raises(OwnerUnavailableError):
        await owners.read(TOURNAMENT, ViewQuery())
    owners._down_until[shard] -= DOWN_S  # that time has passed
    assert await owners.read(TOURNAMENT, ViewQuery()) == reply("back")
    assert await owners.read(TOURNAMENT, ViewQuery()) == reply("back")


@pytest.mark.parametrize("failure", [RecordsUnavailableError("away"), OwnerUnavailableError("catching up")])
async def test_what_concerns_one_tournament_leaves_the_owner_to_the_others(
    owners: RayOwners, handles: Handles, failure: Exception
) -> None:
    handles.answers[shard_of(owners)] = failure
    expected = OwnerRecordsError if isinstance(failure, RecordsUnavailableError) else OwnerUnavailableError
    for _ in range(2):
        with pytest.raises(expected):
            await owners.read(TOURNAMENT, AccessQuery())
    assert handles.asked() == [shard_of(owners)] * 2


async def test_positions_are_one_call_an_owner_and_lack_those_that_are_away(
    owners: RayOwners, handles: Handles
) -> None:
    ids = list(range(1, 40))
    here = [i for i in ids if shard_of(owners, i) == "shard-0"]

    async def positions(wanted: list[tuple[int, int]]) -> dict[int, tuple[int, int]]:
        return {tournament_id: (5, tournament_id) for _, tournament_id in wanted}

    handles.answers |= {"shard-0": positions, "shard-1": RayActorError()}
    assert await owners.positions(ids) == {i: (5, i) for i in here}
    assert sorted(handles.asked()) == ["shard-0", "shard-1"]


async def test_routes_are_fetched_once_for_all_who_wait(owners: RayOwners, handles: Handles) -> None:
    async def routes() -> dict[int, str]:
        await asyncio.sleep(0.001)
        return dict.fromkeys(range(1, 20), "alone")

    handles.answers |= {
        "shard-0": OwnerMovedError(),
        "shard-1": OwnerMovedError(),
        DIRECTOR: routes,
        "alone": reply("here"),
    }
    assert await asyncio.gather(*(owners.read(i, ViewQuery()) for i in range(1, 20))) == [reply("here")] * 19
    assert handles.asked().count(DIRECTOR) == 1


async def test_large_tournaments_get_an_owner_alone(owners: RayOwners) -> None:
    assert await owners.resolve_placement(1, "auto", 10_000)
    assert not await owners.resolve_placement(1, "auto", 9_999)
    assert not await owners.resolve_placement(1, "shared", 10**6)
