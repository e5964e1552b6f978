"""The club evening finds out when something is not as computed. That Palio does it right a whole evening shows, as `scripts/run` plays it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from scripts.client.palio_client import Winner
from scripts.demo import evening
from scripts.demo.client import DemoError
from scripts.demo.data import Result, Row, first_runners, table
from scripts.demo.evening import AT_THE_FINISH, AT_THE_LAP, BOARD_SIZE, ON_BOARDS, Check, Evening, Runner, _by_points
from scripts.demo.expected import cents_of_places, points

RUNNERS = [Runner(n, f"R{n}", 4000_00 + 7919 * n % 100_000) for n in range(1, ON_BOARDS + 1)]


class Answering:
    """A client whose tournaments end at once with the tables that it is given."""

    def __init__(self, tables: dict[str, list[Row]], boards: int = BOARD_SIZE, state: str = "paid") -> None:
        self.tables = tables
        self.boards = boards
        self.state = state
        self.joined = 0
        self.ledger: list[dict[str, Any]] = []

    async def create(self, key: str, spec: dict[str, Any]) -> str:
        return key.rpartition("-")[2]

    async def place(self, parent: str, user: int, name: str) -> str:
        self.joined += 1
        return f"board-{(self.joined - 1) // self.boards}"

    async def view(self, tournament: str) -> SimpleNamespace:
        return SimpleNamespace(status="running" if tournament == "lap" and not self.joined else "finished")

    async def rows(self, tournament: str, *, public: bool = False) -> list[Row]:
        return self.tables[tournament]

    async def winners(self, tournament: str) -> list[Winner]:
        rest = {"rank": 1, "state": self.state, "kind": "prize"}
        return [msgspec.convert(winner | rest, Winner) for winner in self.ledger]

    def __getattr__(self, name: str) -> Any:
        async def answer(*_: Any, **__: Any) -> None:
            return None

        if name in ("results", "end", "join", "score", "cancel", "reveal", "approve"):
            return answer
        raise AttributeError(name)


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evening, "TRY_S", 0.001)
    monkeypatch.setattr(evening, "PATIENCE_S", 0.05)


def played(client: Any) -> Evening:
    return Evening(client, RUNNERS, None, "k")


def boards(size: int = BOARD_SIZE) -> dict[str, list[Row]]:
    parts = [RUNNERS[start : start + size] for start in range(0, ON_BOARDS, size)]
    return {f"board-{number}": _by_points(members) for number, members in enumerate(parts)}


async def test_boards_as_computed_are_well() -> None:
    (check,) = await played(Answering(boards()))._boards()
    assert check.well, check
    assert "3 boards of 50" in str(check)


@pytest.mark.parametrize("wrong", ["a row", "the size"])
async def test_boards_that_differ_are_told(wrong: str) -> None:
    tables, size = boards(), BOARD_SIZE
    if wrong == "a row":
        tables["board-1"][3] = tables["board-1"][3]._replace(score=1)
    else:
        tables, size = boards(60), 60
    (check,) = await played(Answering(tables, size))._boards()
    assert not check.well
    assert "DIFFERS" in str(check)


def test_most_points_are_first_and_of_equal_ones_the_fastest() -> None:
    fast, faster, slow = Runner(1, "a", 3500_00), Runner(2, "b", 3400_00), Runner(3, "c", 8000_00)
    assert _by_points([slow, fast, faster]) == [Row(1, 2, 1000_00), Row(2, 1, 1000_00), Row(3, 3, points(8000_00))]


async def test_a_table_is_read_again_until_it_fits_or_patience_ends() -> None:
    results = [Result(0, runner.user_id, "finish", runner.net) for runner in RUNNERS[:AT_THE_FINISH]]
    right = table(results, "asc", "shared")
    client = Answering({"t": right})
    assert (await played(client)._table("T", "t", results, "fits")) == Check("T", True, "fits")
    client.tables["t"] = right[:-1]
    check = await played(client)._table("T", "t", results, "fits")
    assert (check.well, "expected 40 rows" in check.detail) == (False, True)


@pytest.mark.parametrize("wrong", [None, "a cent", "a medal"])
async def test_the_ledger_is_held_against_the_table(wrong: str | None) -> None:
    results = [Result(0, runner.user_id, "finish", runner.net // 6000 * 6000) for runner in RUNNERS[:AT_THE_FINISH]]
    rows = table(results, "asc", "shared")
    client = Answering({})
    shares = cents_of_places(rows, 3, evening.PLACE_CENTS)
    client.ledger = [
        {"rule": 0, "user_id": str(user), "amount": f"{cents / 100:.2f}", "currency": "EUR"}
        for user, cents in shares.items()
    ]
    client.ledger += [
        {"rule": 1, "user_id": str(row.user_id), "item": "medal", "count": 1}
        for row in rows
        if row.rank <= rows[9].rank
    ]
    if wrong == "a cent":
        client.ledger[0]["amount"] = f"{float(client.ledger[0]['amount']) + 0.01:.2f}"
    elif wrong == "a medal":
        client.ledger.pop()
    check = await played(client)._prizes("t", rows)
    assert check.well is (wrong is None), check


async def test_what_is_never_paid_is_an_error() -> None:
    client = Answering({}, state="approved")
    client.ledger = [{"rule": 1, "user_id": "1", "count": 1}]
    with pytest.raises(DemoError, match="all prizes to be paid"):
        await played(client)._prizes("t", [Row(1, 1, 5)])


def test_the_runners_are_the_datas_first() -> None:
    runners = [Runner(*runner) for runner in first_runners(ON_BOARDS)]
    assert [runner.user_id for runner in runners] == list(range(10_001, 10_001 + ON_BOARDS))
    assert all(2_500_00 < runner.net < 12_000_00 for runner in runners)
    assert AT_THE_LAP < AT_THE_FINISH < ON_BOARDS
