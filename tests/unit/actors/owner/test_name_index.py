"""Looking for names in a table: what is found, what is kept, and that others get a turn."""

from __future__ import annotations

import asyncio
import random

import pytest

from actors.domain.texts import folded
from actors.owner import name_index
from actors.owner.name_index import NameIndex


async def test_it_finds_what_a_plain_look_at_all_finds_while_names_come_and_change() -> None:
    rng, index = random.Random(3), NameIndex()
    names: list[str | None] = []
    for _ in range(12):
        names += [rng.choice(["Ann", "ANNA", "Bjørn", "Weiß", "Zoë A", None]) for _ in range(rng.randrange(700))]
        for _ in range(rng.randrange(4)):
            names[rng.randrange(len(names))] = rng.choice(["Anna Weiss", None])
        for text in ("ann", "weiss", "ø", "a", "n\na", "nobody"):
            expected = [slot for slot, name in enumerate(names) if name is not None and text in folded(name)]
            assert await index.slots(1, names, text) == expected, text
        assert index.kept == len(names)


async def test_what_was_not_searched_for_longest_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(name_index, "MAX_NAMES", 25)
    index = NameIndex()
    for tournament in (1, 2, 1, 3):
        assert await index.slots(tournament, ["Ann"] * 10, "ann") == list(range(10))
    assert index.kept == 20
    assert await index.slots(4, ["Ann"] * 40, "ann") == list(range(40))  # also one that is larger than all
    assert index.kept == 40


async def test_others_get_a_turn_while_a_large_table_is_searched() -> None:
    index, names = NameIndex(), [f"Runner {number}" for number in range(40 * name_index.CHUNK)]
    turns = 0

    async def beside() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(beside())
    try:
        await index.slots(1, names, "7")
        assert turns >= 40  # after each piece that was folded
        turns = 0
        await index.slots(1, names, "8")
        assert turns >= 40 // name_index.STEP
    finally:
        task.cancel()
