from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from serve_app.handlers.system.health import HealthHandlers
from serve_app.http.messages import Request
from serve_app.http.problems import Problem
from serve_app.services.outcome_waiters import Waiters
from storage.ports import LogDiskFullError, LogUnavailableError, OwnerRecordsError, Query, Reply
from tests.support.inprocess import InProcessPalio

ASK = Request("GET", {})


@pytest.fixture
def palio() -> InProcessPalio:
    return InProcessPalio()


@pytest.fixture
async def waiters(palio: InProcessPalio) -> AsyncIterator[Waiters]:
    waiters = Waiters(palio.updates, "me", 4)
    await waiters.open()
    yield waiters
    await waiters.close()


@pytest.fixture
async def health(palio: InProcessPalio, waiters: Waiters) -> HealthHandlers:
    return HealthHandlers(palio.log, palio.owners, waiters)


async def not_ready(health: HealthHandlers) -> Problem:
    assert (await health.healthz(ASK)).status == 200, "alive all the same"
    with pytest.raises(Problem) as raised:
        await health.readyz(ASK)
    return raised.value


async def test_health_and_readiness(health: HealthHandlers) -> None:
    assert (await health.healthz(ASK)).status == 200
    assert (await health.readyz(ASK)).status == 200


async def test_ready_while_only_the_records_of_what_is_asked_for_are_away(
    health: HealthHandlers, palio: InProcessPalio, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def read(tournament_id: int, query: Query[Reply]) -> Reply:
        raise OwnerRecordsError("shard-0 cannot read it")

    monkeypatch.setattr(palio.owners, "read", read)
    assert (await health.readyz(ASK)).status == 200


@pytest.mark.parametrize(
    ("error", "code", "reason"),
    [
        (LogDiskFullError("full"), "disk_full", "the disk under the score log is full"),
        (LogUnavailableError("too few replicas"), "log_unavailable", "the score log does not answer"),
    ],
)
async def test_not_ready_while_the_log_cannot_be_written(
    health: HealthHandlers, palio: InProcessPalio, error: LogDiskFullError | LogUnavailableError, code: str, reason: str
) -> None:
    """Though it can be read."""
    palio.log.error = error
    problem = await not_ready(health)
    assert (problem.status, problem.code, problem.detail) == (503, code, reason)
    assert int(problem.headers["retry-after"]) >= 1


@pytest.mark.parametrize("broken", ["owners", "waiters", "log"])
async def test_not_ready_when_something_does_not_answer(
    health: HealthHandlers, palio: InProcessPalio, waiters: Waiters, broken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if broken == "owners":
        palio.owners.down = True
    elif broken == "waiters":
        await waiters.close()
    else:

        async def away() -> None:
            raise ConnectionError("away")

        monkeypatch.setattr(palio.log, "bounds", away)
    problem = await not_ready(health)
    assert (problem.status, problem.code) == (503, "unavailable")


async def test_the_ports_are_asked_at_most_once_a_second(
    health: HealthHandlers, palio: InProcessPalio, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_s = 0.0
    monkeypatch.setattr("serve_app.handlers.system.health.time.monotonic", lambda: now_s)
    assert (await health.readyz(ASK)).status == 200
    palio.owners.down = True
    now_s = 0.9
    assert (await health.readyz(ASK)).status == 200
    now_s = 1.0
    await not_ready(health)
    palio.owners.down = False
    now_s = 1.9
    await not_ready(health)
