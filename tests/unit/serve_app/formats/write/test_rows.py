from __future__ import annotations

from itertools import chain

import pytest

from actors.domain.messages import Join
from actors.domain.results.table import decode_results, encode_results, results_table
from serve_app.formats.write import rows as rows_module
from serve_app.formats.write.rows import Row, boards_of, has_subscore, pieces
from tests.support.histories import Step
from tests.support.results import BEGIN_MS, table, tournament


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_all_rows_come_in_their_order_whatever_the_pieces(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    monkeypatch.setattr(rows_module, "ROWS_A_PIECE", size)
    found = list(chain.from_iterable(pieces(decode_results(encode_results(table())))))
    assert [(row.rank, row.user_id, row.score, row.shown_name) for row in found] == [
        (1, 1, 91_250, "Ann"),
        (2, 4, 7_000, "4"),
        (3, 2, 50, "=1+1"),
        (4, 3, -1_205, 'Zoë ‘Z’, "Q"'),
    ]
    assert found[0] == Row(1, 1, "Ann", 91_250, None, 1, BEGIN_MS + 60_000, ())


def test_groups_stand_in_the_order_of_the_boards() -> None:
    join = Join(command_id="j9", user_id="1", name="Ann", attributes={"country": "FR", "age": "U20"})
    state = tournament([(1, 5)], ["Ann"], Step(BEGIN_MS + 120_000, join), boards=["country", "age"])
    shown = results_table(state, "running")
    assert sorted(boards_of(shown)) == ["age", "country"]
    assert not has_subscore(shown)
    (row,) = next(pieces(shown))
    assert dict(zip(boards_of(shown), row.groups, strict=True)) == {"country": "FR", "age": "U20"}


def test_there_may_be_no_rows() -> None:
    assert list(chain.from_iterable(pieces(results_table(tournament([]), "running")))) == []
