from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pyarrow as pa

from actors.domain.life.freeze import shown
from actors.domain.messages import Disqualify, Join, Leave, Spec, Tick
from actors.domain.messages.scoring import Subscore
from actors.domain.results.table import TOLD, decode_results, encode_results, results_table, told_of
from actors.domain.tournament import Tournament
from tests.support.histories import BEGIN_MS, Score, Step, create_of, fold, items_of
from tests.support.submissions import Sent


def tournament(*steps: Any, **spec: Any) -> Tournament:
    whole = Spec(name="Cup", type="scheduled", starts_ms=BEGIN_MS, ends_ms=BEGIN_MS * 9, **spec)
    named = [step if isinstance(step, Step) else Step(BEGIN_MS, step) for step in (create_of(whole), *steps)]
    return fold(items_of(named))


def join(user: int, **more: Any) -> Join:
    return Join(command_id=f"j{user}", user_id=str(user), **more)


def rows(table: pa.Table, *names: str) -> list[tuple[Any, ...]]:
    return list(zip(*(table.column(name).to_pylist() for name in names), strict=True))


def test_those_with_a_rank_are_listed_with_exact_scores() -> None:
    state = tournament(
        join(1, name="Ann"),
        join(2),
        join(3, name="Cy"),
        join(4),
        Score(1, "a", -5),
        Score(2, "a", 9_999_999_999),
        Step(BEGIN_MS + 7, Score(3, "a", -5)),
        Score(3, "b", -10),
        ties="shared",
    )
    table = results_table(state, "running")
    assert rows(table, "rank", "user_id", "name", "score", "attempts") == [
        (1, 2, None, Decimal("99999999.99"), 1),
        (2, 1, "Ann", Decimal("-0.05"), 1),
        (2, 3, "Cy", Decimal("-0.05"), 2),
    ]
    assert table.schema.field("score").type == pa.decimal128(10, 2)
    times = table.column("scored_at").cast(pa.int64()).to_pylist()
    assert times == [BEGIN_MS, BEGIN_MS, BEGIN_MS + 7]
    assert "disqualified" not in table.schema.names


def test_everybody_is_in_the_archive_but_who_left() -> None:
    state = tournament(
        *(join(user) for user in range(1, 7)),
        *(Score(user, "a", user * 100) for user in (1, 2, 3)),
        Leave(command_id="l", user_id="1"),
        Leave(command_id="m", user_id="5"),
        Disqualify(command_id="d", user_id="3", reason="two accounts", by="9"),
    )
    table = results_table(state, "running", everybody=True)
    assert rows(table, "rank", "user_id", "score", "disqualified") == [
        (1, 2, Decimal("2.00"), False),
        (None, 3, Decimal("3.00"), True),
        (None, 4, None, False),
        (None, 6, None, False),
    ]
    assert table.column("scored_at").null_count == 2


def test_subscores_and_boards_have_columns() -> None:
    state = tournament(
        join(1, attributes={"country": "FR"}),
        join(2),
        Sent(1, "a", 500, 7, None),
        Sent(2, "a", 500, 8, None),
        subscore=Subscore(order="asc"),
        boards=["country"],
    )
    table = results_table(state, "running")
    assert rows(table, "user_id", "subscore", "board_country") == [
        (1, Decimal("0.07"), "FR"),
        (2, Decimal("0.08"), None),
    ]


def test_the_tournament_is_told_as_its_view_tells_it() -> None:
    table = results_table(tournament(), "running")
    told = told_of(table)
    assert (told["name"], told["status"], told["participants"]) == ("Cup", "running", 0)
    assert {"top", "position"} & set(told) == set()
    assert told == json.loads(table.schema.metadata[TOLD])


def test_a_frozen_table_is_told_as_it_stands_still() -> None:
    frozen_at = BEGIN_MS * 9 - 1000
    state = tournament(
        join(1),
        join(2),
        Score(1, "a", 100),
        Step(frozen_at, Tick()),
        Step(frozen_at + 1, Score(2, "a", 500)),
        Step(frozen_at + 2, Score(1, "b", 600)),
        freeze_ms=1000,
    )
    real, public = results_table(state, "running"), results_table(shown(state, "running"), "running")
    assert rows(real, "user_id", "score", "attempts") == [(1, Decimal(6), 2), (2, Decimal(5), 1)]
    assert rows(public, "user_id", "score", "attempts") == [(1, Decimal(1), 1)]
    assert told_of(public)["frozen"] is True


def test_it_is_the_same_behind_the_wire() -> None:
    for steps in ((), (join(1, name="Ann"), Score(1, "a", 100))):
        table = results_table(tournament(*steps), "running", everybody=True)
        there = decode_results(encode_results(table))
        assert there.equals(table, check_metadata=True)
        there.validate(full=True)
