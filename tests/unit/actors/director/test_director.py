"""The director: what it starts, where dedicated tournaments live, within the maximum, and what it does when they close."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from actors.director.director import Director, Plan
from storage.ports import Checkpoint, RecordsUnavailableError, TournamentRow
from tests.support.memory_records import MemoryRecords

PLAN = Plan(partitions=6, shards=2, ingests=2, max_dedicated=1, dedicated_capacity=10_000)


class Launched:
    """A launcher that notes what it was asked for."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.living: list[int] = []

    async def start_owner(self, name: str, scopes: Sequence[tuple[int, int, int]]) -> None:
        self.calls.append(("shard" if name.startswith("shard-") else "dedicated", name, *scopes))

    async def start_ingest(self, name: str, partitions: Mapping[int, str]) -> None:
        self.calls.append(("ingest", name, dict(partitions)))

    async def adopt(self, owner: str, partition: int, tournament: int, after: int) -> None:
        self.calls.append(("adopt", owner, partition, tournament, after))

    async def release(self, owner: str, partition: int, tournament: int) -> None:
        self.calls.append(("release", owner, partition, tournament))

    async def dedicated(self) -> list[int]:
        return list(self.living)

    async def stop(self, name: str) -> None:
        self.calls.append(("stop", name))

    def of(self, kind: str) -> list[tuple[Any, ...]]:
        return [call for call in self.calls if call[0] == kind]


def owners(director: Director) -> dict[int, str]:
    return {tournament: hosted.owner for tournament, hosted in director.hosted.items()}


def row(tournament: int, partition: int, status: str) -> TournamentRow:
    return TournamentRow(
        tournament, partition, 5, 1, "T", "scheduled", "public", status, True, 1, 0, None, None, None, None, 0, 1, 0, b"{}"
    )  # fmt: skip


async def store(*rows: TournamentRow) -> MemoryRecords:
    records = MemoryRecords()
    for each in rows:
        await records.save(Checkpoint([each], [], [], [], []))
    return records


async def test_it_starts_shards_and_ingest_over_all_partitions() -> None:
    launched = Launched()
    await Director(PLAN, launched, MemoryRecords()).start()
    assert sorted(launched.of("shard")) == [
        ("shard", "shard-0", (0, 0, -1), (2, 0, -1), (4, 0, -1)),
        ("shard", "shard-1", (1, 0, -1), (3, 0, -1), (5, 0, -1)),
    ]
    owners = {p: o for call in launched.of("ingest") for p, o in call[2].items()}
    assert owners == {0: "shard-0", 1: "shard-1", 2: "shard-0", 3: "shard-1", 4: "shard-0", 5: "shard-1"}


async def test_it_starts_the_dedicated_tournaments_that_are_not_over() -> None:
    launched = Launched()
    director = Director(PLAN, launched, await store(row(11, 3, "running"), row(12, 3, "finished")))
    await director.start()
    assert launched.of("dedicated") == [("dedicated", "tournament-11", (3, 11, -1))]
    assert await director.placements(3) == {11: "tournament-11"}
    assert await director.placements(1) == {}


async def test_a_restarted_director_knows_what_lives() -> None:
    launched = Launched()
    launched.living = [11, 12]
    director = Director(
        PLAN, launched, await store(row(11, 3, "running"), row(12, 3, "finished"), row(13, 3, "running"))
    )
    await director.start()
    assert launched.of("stop") == [("stop", "tournament-12")]
    assert await director.placements(3) == {11: "tournament-11", 13: "shard-1"}


async def test_beyond_the_maximum_a_shard_hosts() -> None:
    launched = Launched()
    director = Director(PLAN, launched, MemoryRecords())
    assert await director.host(3, 11, 7) == "tournament-11"
    assert await director.host(3, 12, 9) == "shard-1"
    assert ("adopt", "shard-1", 3, 12, 9) in launched.calls
    assert await director.host(3, 11, 7) == "tournament-11"  # asking again gives the same answer
    assert owners(director) == {11: "tournament-11", 12: "shard-1"}


async def test_a_closed_tournament_makes_room() -> None:
    launched = Launched()
    director = Director(PLAN, launched, MemoryRecords())
    await director.host(3, 11, 7)
    await director.host(3, 12, 9)
    await director.closed(3, 11)
    assert launched.of("stop") == [("stop", "tournament-11")]
    await director.closed(3, 12)
    # also of one that lived alone: the shard may hold it from before a restart of the director
    assert launched.of("release") == [("release", "shard-1", 3, 11), ("release", "shard-1", 3, 12)]
    assert await director.host(2, 13, 1) == "tournament-13"
    assert owners(director) == {13: "tournament-13"}


async def test_a_tournament_that_is_over_gets_no_actor() -> None:
    launched = Launched()
    director = Director(PLAN, launched, await store(row(11, 3, "finished")))
    assert await director.host(3, 11, -1) == "shard-1"
    assert not launched.of("dedicated")


async def test_a_shared_scope_goes_to_its_shard() -> None:
    launched = Launched()
    assert await Director(PLAN, launched, MemoryRecords()).host(4, 0, -1) == "shard-0"
    assert ("adopt", "shard-0", 4, 0, -1) in launched.calls


@pytest.mark.parametrize(
    ("placement", "capacity", "wanted"),
    [
        ("dedicated", None, True), ("dedicated", 5, True), ("shared", 1_000_000, False),
        ("auto", None, False), ("auto", 9_999, False), ("auto", 10_000, True),
    ],
)  # fmt: skip
def test_placement_is_a_pure_function_of_the_create(placement: str, capacity: int | None, wanted: bool) -> None:
    assert PLAN.wants_dedicated(placement, capacity) is wanted


async def test_while_the_records_are_away_it_knows_the_owners_that_it_named() -> None:
    """So an ingest actor that starts anew can feed everyone; a director that never read them all must not guess."""
    records = await store(row(11, 3, "running"))
    away = False

    async def active(partition: int, *, dedicated: bool) -> list[int]:
        if away:
            raise RecordsUnavailableError("away")
        return await MemoryRecords.active(records, partition, dedicated=dedicated)

    records.active = active  # type: ignore[method-assign]
    director, new = Director(PLAN, Launched(), records), Director(PLAN, Launched(), records)
    await director.start()
    await director.host(1, 12, 9)
    await director.host(1, 13, 9)
    away = True
    assert await director.placements(3) == {11: "tournament-11"}
    assert await director.placements(1) == {12: "shard-1", 13: "shard-1"}
    await director.closed(1, 12)
    assert await director.placements(1) == {13: "shard-1"}
    with pytest.raises(RecordsUnavailableError):
        await new.placements(1)


async def test_a_partition_whose_records_are_away_keeps_nothing_else_from_starting() -> None:
    """Neither the shards nor ingest, nor the dedicated tournaments of other partitions; it is known once its records answer."""
    records = await store(row(11, 3, "running"), row(12, 1, "running"))
    away = {3}

    async def active(partition: int, *, dedicated: bool) -> list[int]:
        if partition in away:
            raise RecordsUnavailableError("away")
        return await MemoryRecords.active(records, partition, dedicated=dedicated)

    records.active = active  # type: ignore[method-assign]
    launched = Launched()
    director = Director(PLAN, launched, records)
    await director.start()
    assert (len(launched.of("shard")), len(launched.of("ingest"))) == (2, 2)
    assert owners(director) == {12: "tournament-12"}
    with pytest.raises(RecordsUnavailableError):
        await director.placements(3)
    away.clear()
    assert await director.placements(3) == {11: "shard-1"}


async def test_a_new_dedicated_tournament_whose_shard_is_away_holds_up_no_other() -> None:
    records, launched = MemoryRecords(), Launched()

    async def projected(partition: int, scopes: Sequence[str]) -> dict[str, int]:
        if scopes == ["tournament-11"]:
            raise RecordsUnavailableError("away")
        return await MemoryRecords.projected(records, partition, scopes)

    records.projected = projected  # type: ignore[method-assign]
    director = Director(PLAN, launched, records)
    with pytest.raises(RecordsUnavailableError):
        await director.host(3, 11, 7)
    assert launched.calls == []
    assert await director.host(3, 12, 9) == "tournament-12"
