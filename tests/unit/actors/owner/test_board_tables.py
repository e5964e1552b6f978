"""Tables are computed once a moment, and few are kept."""

from __future__ import annotations

from actors.owner import board_tables
from actors.owner.board_tables import BoardTables
from actors.owner.entity import Entity, Scope
from tests.unit.actors.domain.test_tournament import tournament


def entity(number: int = 7) -> Entity:
    state = tournament()
    state.tournament_id = number
    return Entity(state, Scope(0, 0, 1, 1, 1))


def test_a_table_is_computed_anew_only_after_a_record() -> None:
    tables, held, computed = BoardTables(), entity(), list[int]()

    def compute() -> int:
        computed.append(len(computed))
        return computed[-1]

    assert [tables.get(held, "teams", compute) for _ in range(3)] == [0, 0, 0]
    assert tables.get(held, "groups a", compute) == 1
    held.state.offset += 1
    assert [tables.get(held, "teams", compute) for _ in range(2)] == [2, 2]


def test_the_least_recently_read_goes() -> None:
    tables = BoardTables()
    kept = entity(1)
    for number in range(2, board_tables.MAX_TABLES + 10):
        tables.get(kept, "teams", lambda: "mine")
        tables.get(entity(number), "teams", lambda: "other")
    assert tables.kept == board_tables.MAX_TABLES
    assert tables.get(kept, "teams", lambda: "computed again") == "mine"
