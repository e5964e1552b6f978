"""Tests of the whole Palio: real processes, real sockets, real crashes."""

from __future__ import annotations

import itertools
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

NUMBERS = itertools.count(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "integration" in item.path.parts:
            item.add_marker(pytest.mark.ray)


def stamp(seconds: float) -> str:
    """A time that many seconds from now, in the contract's form."""
    moment = datetime.now(UTC) + timedelta(seconds=seconds)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def spec(**fields: Any) -> dict[str, Any]:
    """A running public tournament, unless told otherwise."""
    return {
        "name": f"Tournament {next(NUMBERS)}",
        "type": "scheduled",
        "starts_at": stamp(-60),
        "ends_at": stamp(3600),
        "capacity": 1000,
    } | fields


def create(client: httpx.Client, **fields: Any) -> str:
    answer = client.post("/v1/tournaments", json=spec(**fields))
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def join(client: httpx.Client, tournament: str, *users: int) -> None:
    for user in users:
        answer = client.put(f"/v1/tournaments/{tournament}/participants/{user}", json={"name": f"User {user}"})
        assert answer.status_code in (200, 201), answer.text


def submit(
    client: httpx.Client, tournament: str, user: int, event_id: str, score: float, wait: int = 10
) -> dict[str, Any]:
    answer = client.post(
        f"/v1/tournaments/{tournament}/scores",
        json={"event_id": event_id, "user_id": str(user), "score": score},
        headers={"Prefer": f"wait={wait}"} if wait else {},
    )
    assert answer.status_code in (200, 202), answer.text
    result: dict[str, Any] = answer.json()
    return result


def eventually(check: Any, within_s: float = 30.0) -> Any:
    """What `check` returns once it is true; fails after `within_s`."""
    deadline = time.monotonic() + within_s
    while not (result := check()):
        assert time.monotonic() < deadline, f"not within {within_s} s: {check}"
        time.sleep(0.05)
    return result
