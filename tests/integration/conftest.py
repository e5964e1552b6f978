"""Tests of the whole Palio: real processes, real sockets, real crashes."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, TypeVar

import httpx2
import pytest

from tests.support.running import NO_LIMITS, RunningPalio, free_ports, run_palio

NUMBERS = itertools.count(1)
T = TypeVar("T")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "integration" in item.path.parts:
            item.add_marker(pytest.mark.ray)


@pytest.fixture
def service(palio: RunningPalio) -> Iterator[httpx2.Client]:
    """A service at the api."""
    with palio.client() as client:
        yield client


@pytest.fixture
def gateway(palio: RunningPalio) -> Iterator[httpx2.Client]:
    """A service at the gateway."""
    with palio.client(gateway=True) as client:
        yield client


@pytest.fixture(scope="session")
def stage_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPalio]:
    """The Palio that the tests which kill things share. Use `stage`."""
    running = RunningPalio(tmp_path_factory.mktemp("stage") / "data", **NO_LIMITS)
    yield running
    assert running.stop() == 0, "".join(running.output)


@pytest.fixture
def stage(stage_session: RunningPalio) -> RunningPalio:
    """A Palio to be harmed; started anew when the last test left it unwell."""
    if not stage_session.well():
        if stage_session.process is not None:
            stage_session.kill()
        stage_session.start()
    return stage_session


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


def create(client: httpx2.Client, **fields: Any) -> str:
    """Create a tournament; its id."""
    answer = client.post("/v1/tournaments", json=spec(**fields), headers={"Prefer": "wait=10"})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def join(client: httpx2.Client, tournament: str, *users: int) -> None:
    """Have users join."""
    for user in users:
        answer = client.put(
            f"/v1/tournaments/{tournament}/participants/{user}",
            json={"name": f"User {user}"},
            headers={"Prefer": "wait=10"},
        )
        assert answer.status_code in (200, 201), answer.text


def submit(
    client: httpx2.Client, tournament: str, user: int, event_id: str, score: float, wait: int = 10
) -> dict[str, Any]:
    """Submit a score and wait for what becomes of it; the answer's body."""
    answer = client.post(
        f"/v1/tournaments/{tournament}/scores",
        json={"event_id": event_id, "user_id": str(user), "score": score},
        headers={"Prefer": f"wait={wait}"} if wait else {},
    )
    assert answer.status_code in (200, 202), answer.text
    result: dict[str, Any] = answer.json()
    return result


def problem(answer: httpx2.Response) -> tuple[int, str]:
    """(status, code) of an error in the contract's form."""
    assert answer.headers["content-type"].startswith("application/problem+json"), (answer.status_code, answer.text)
    body = answer.json()
    assert {"type", "title", "status", "detail", "code"} <= body.keys()
    assert body["status"] == answer.status_code
    assert "Traceback" not in answer.text
    if answer.status_code in (429, 503):
        assert int(answer.headers["retry-after"]) >= 1
    return answer.status_code, body["code"]


def shown(gateway: httpx2.Client, tournament: str) -> list[tuple[str, float]]:
    """(user, score) as the view has them, which may be a second old."""
    view = gateway.get(f"/v1/tournaments/{tournament}").json()
    return [(row["user_id"], row["score"]) for row in view["top"]]


def eventually(check: Callable[[], T | Literal[False] | None], within_s: float = 60.0) -> T:
    """What `check` returns once it is true; fails after `within_s`."""
    deadline = time.monotonic() + within_s
    while not (result := check()):
        assert time.monotonic() < deadline, f"not within {within_s} s: {result!r}"
        time.sleep(0.05)
    return result


def finished_view(client: httpx2.Client, path: str) -> dict[str, Any] | None:
    """The view at `path` once it is over."""
    view: dict[str, Any] = client.get(path).json()
    return view if view["status"] == "finished" else None


def applied_within_s(client: httpx2.Client, tournament: str, user: int, since: float, wait: int = 10) -> float:
    """Seconds from `since` until a new submission is applied."""
    for number in itertools.count():
        answer = submit(client, tournament, user, f"probe-{since}-{number}", number, wait)
        if answer.get("outcome") == "applied":
            return time.monotonic() - since
        assert time.monotonic() - since < 90, answer
    raise AssertionError


def refused(data: Path, *arguments: str, env: dict[str, str] | None = None) -> str:
    """Starts in vain; the line that says why."""
    ports = free_ports(2)
    given = {"--port": str(ports[0]), "--gateway-port": str(ports[1])}
    given |= dict(zip(arguments[::2], arguments[1::2], strict=True))
    process = run_palio(data, *(word for pair in given.items() for word in pair), env=env)
    output, _ = process.communicate(timeout=120)
    assert process.returncode not in (0, None), output
    lines = [line for line in output.splitlines() if line and line != "palio: checking the data directory"]
    assert len(lines) == 1, output
    assert lines[0].startswith("palio: ")
    return lines[0]
