"""Prizes from the end to the payment: a receiver that fails half the time, kill -9 of the process that pays, and of everything."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.integration.conftest import create, eventually, join, submit
from tests.support.payout_receiver import SECRET, Receiver, running_receiver
from tests.support.running import NO_LIMITS, RunningPalio

PLAYERS = 12
PRIZES = [
    {"ranks": [1, 3], "amount": "33.34", "currency": "EUR"},
    {"top_percent": 100, "item": "badge", "ties": "each"},
]


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Receiver]:
    with running_receiver(tmp_path) as running:
        yield running


@pytest.fixture
def paying(tmp_path: Path, receiver: Receiver) -> Iterator[RunningPalio]:
    """A Palio that pays at this receiver, whatever nobody approved."""
    settings = {
        "URL": receiver.url, "SECRET": SECRET, "APPROVAL": "automatic", "TIMEOUT_S": "1", "RETRY_S": "0.1",
        "RETRY_MAX_S": "0.5", "CONCURRENCY": "3", "MAX_ATTEMPTS": "1000",
    }  # fmt: skip
    payouts = {f"PALIO_PAYOUT_{name}": value for name, value in settings.items()}
    running = RunningPalio(tmp_path / "data", **NO_LIMITS, **payouts)
    running.start()
    yield running
    assert running.stop() == 0, "".join(running.output)


def end(api: httpx2.Client, gateway: httpx2.Client) -> str:
    tournament = create(api, prizes=PRIZES, ties="shared")
    join(api, tournament, *range(1, PLAYERS + 1))
    for user in range(1, PLAYERS + 1):
        submit(gateway, tournament, user, "e", 50 if user in (2, 3, 4, 5) else user)
    ended = api.post(f"/v1/tournaments/{tournament}/end", headers={"Prefer": "wait=10"})
    assert ended.json()["status"] == "finished"
    return tournament


def states(running: RunningPalio, tournament: str) -> Counter[str]:
    with running.client() as api:
        table: dict[str, Any] = api.get(f"/v1/tournaments/{tournament}/prizes").json()
        return Counter(winner["state"] for winner in table["winners"])


def has_carried_out(receiver: Receiver, least: int) -> bool:
    return len(receiver.carried_out()) >= least


def is_replaced(running: RunningPalio, doomed: set[int]) -> bool:
    return bool(set(running.pids("ray::PrizesActor")) - doomed)


def is_settled(running: RunningPalio, tournament: str) -> bool:
    return states(running, tournament) == {"paid": 4 + PLAYERS}


def test_killed_while_it_pays_nobody_is_paid_twice_and_nobody_is_forgotten(
    paying: RunningPalio, receiver: Receiver
) -> None:
    with paying.client() as api, paying.client(gateway=True) as gateway:
        first, second = end(api, gateway), end(api, gateway)
        for carried_out in (2, 6, 12):
            eventually(partial(has_carried_out, receiver, carried_out), 90)
            doomed = set(paying.kill_actors("ray::PrizesActor"))
            eventually(partial(is_replaced, paying, doomed), 60)
    paying.kill()
    time.sleep(0.5)
    paying.start()
    for tournament in (first, second):
        eventually(partial(is_settled, paying, tournament), 120)
    told = receiver.carried_out()
    assert len({payout["key"] for payout in told}) == len(told) == 2 * (4 + PLAYERS)
    for tournament in (first, second):
        mine = [payout for payout in told if payout["tournament_id"] == tournament]
        money = {payout["user_id"]: payout["amount"] for payout in mine if "amount" in payout}
        assert money == {"2": "25.01", "3": "25.01", "4": "25.00", "5": "25.00"}
        assert sorted(int(payout["user_id"]) for payout in mine if "item" in payout) == list(range(1, PLAYERS + 1))


def test_embedded_payouts_are_lines_of_a_file(tmp_path: Path) -> None:
    running = RunningPalio(tmp_path / "data", **NO_LIMITS)
    running.start()
    try:
        with running.client() as api, running.client(gateway=True) as gateway:
            tournament = end(api, gateway)
            eventually(lambda: states(running, tournament) == {"pending_review": 4 + PLAYERS})
            assert not (tmp_path / "data" / "payouts.jsonl").exists()
            approved = api.post(f"/v1/tournaments/{tournament}/prizes/approve", headers={"Prefer": "wait=10"})
            assert approved.status_code == 200, approved.text
            eventually(lambda: states(running, tournament) == {"paid": 4 + PLAYERS})
            mine = api.get("/v1/users/2/prizes").json()["items"]
            assert [(item["rule"], item["state"]) for item in mine] == [(1, "paid"), (0, "paid")]
        lines = (tmp_path / "data" / "payouts.jsonl").read_text(encoding="utf-8").splitlines()
        assert len(lines) == 4 + PLAYERS
    finally:
        assert running.stop() == 0, "".join(running.output)
