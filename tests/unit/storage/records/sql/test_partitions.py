"""Where partitions lie, on SQLite files as shards. Moves between real servers are tests/contract/test_records_moves.py's."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from storage.ports import RecordsUnavailableError, StorageError
from storage.records.sql.dialects import sqlite_engine
from storage.records.sql.partitions import (
    Held,
    Identity,
    Place,
    PlacedElsewhereError,
    add_places,
    check_identity,
    check_places,
    even,
    identify,
    newest,
    stored_identity,
    stored_place,
    stored_places,
)

PLACES = {0: Place(0), 1: Place(1, 4), 2: Place(0, 3, moving_to=1)}


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[AsyncEngine]:
    engine = await sqlite_engine(tmp_path / "records.db", 1000)
    yield engine
    await engine.dispose()


@pytest.mark.parametrize(
    ("partitions", "shards", "expected"),
    [(4, 1, [0, 0, 0, 0]), (4, 2, [0, 0, 1, 1]), (5, 2, [0, 0, 0, 1, 1]), (3, 3, [0, 1, 2]), (2, 3, [0, 1])],
)
def test_a_new_installation_is_even_in_a_row(partitions: int, shards: int, expected: list[int]) -> None:
    assert [place.shard for place in even(partitions, shards).values()] == expected
    assert list(even(partitions, shards)) == list(range(partitions))


def test_of_what_shards_know_the_newest_counts() -> None:
    old, new = {1: Place(0, 2), 0: Place(0, 1)}, {1: Place(1, 3), 2: Place(1)}
    assert newest([old, new]) == newest([new, old]) == {0: Place(0, 1), 1: Place(1, 3), 2: Place(1)}
    assert list(newest([old, new])) == [0, 1, 2]
    assert newest([{0: Place(0, 1)}, {0: Place(1, 1)}]) == {0: Place(0, 1)}  # as new: the first that said so
    assert newest([]) == {}


@pytest.mark.parametrize(
    ("places", "told"),
    [
        ({0: Place(0), 1: Place(1)}, None),
        ({0: Place(0)}, "expected 2 partitions"),
        ({0: Place(0), 1: Place(1), 2: Place(0)}, "found 3"),
        ({0: Place(0), 2: Place(1)}, "expected 2 partitions"),
        ({0: Place(0), 1: Place(2)}, r"lie on shards \[2\], but addresses are configured of 2"),
    ],
)
def test_places_must_be_of_all_partitions_on_shards_that_there_are(places: dict[int, Place], told: str | None) -> None:
    if told is None:
        check_places(places, 2, 2)
        return
    with pytest.raises(StorageError, match=told):
        check_places(places, 2, 2)


@pytest.mark.parametrize(
    ("found", "installation", "told"),
    [
        (None, None, "expected shard 1 at db:1, found shard None"),
        (Identity(0, "abc"), None, "found shard 0: see the order of addresses"),
        (Identity(1, "xyz"), "abc", "of installation abc at db:1, found one of xyz"),
        (Identity(0, "xyz"), "abc", "found shard 0"),
    ],
)
def test_a_database_must_be_the_shard_it_should_be(found: Identity | None, installation: str | None, told: str) -> None:
    with pytest.raises(StorageError, match=told):
        check_identity(found, 1, installation, "db:1")


def test_which_installation_it_is_may_be_asked() -> None:
    assert check_identity(Identity(1, "abc"), 1, None, "db:1") == "abc"
    assert check_identity(Identity(1, "abc"), 1, "abc", "db:1") == "abc"


async def test_a_new_database_becomes_the_shard_once_and_for_all(engine: AsyncEngine) -> None:
    async with engine.connect() as connection:
        assert await stored_identity(connection) is None
    made = await identify(engine, 1, None, "db")
    assert len(made) == 32
    assert await identify(engine, 1, made, "db") == made
    with pytest.raises(StorageError, match="expected shard 0"):
        await identify(engine, 0, None, "db")
    with pytest.raises(StorageError, match="of installation other"):
        await identify(engine, 1, "other", "db")
    async with engine.connect() as connection:
        assert await stored_identity(connection) == Identity(1, made)


async def test_places_are_stored_and_never_overwritten(engine: AsyncEngine) -> None:
    async with engine.connect() as connection:
        assert await stored_places(connection) == {}
    await add_places(engine, PLACES)
    await add_places(engine, dict.fromkeys(PLACES, Place(9, 99)))
    async with engine.connect() as connection:
        assert await stored_places(connection) == PLACES
        assert await stored_place(connection, 2) == PLACES[2]
        assert await stored_place(connection, 3) is None


async def test_a_shard_answers_for_what_it_holds_and_says_where_the_rest_is(engine: AsyncEngine) -> None:
    await add_places(engine, PLACES)
    held = Held(0, 3)
    async with engine.connect() as connection:
        assert await held.all(connection) == [0, 2]
        await held.check(connection, 0, saving=True)
        await held.check(connection, 2)
        with pytest.raises(RecordsUnavailableError, match="partition 2 is being moved to shard 1"):
            await held.check(connection, 2, saving=True)
        for partition, place in ((1, Place(1, 4)), (7, Place(0, -1))):
            with pytest.raises(PlacedElsewhereError) as caught:
                await held.check(connection, partition)
            assert caught.value.place == place
