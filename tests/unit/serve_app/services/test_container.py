from __future__ import annotations

import asyncio
from typing import Any

import pytest

from serve_app.config import FrontConfig
from serve_app.metrics import LOG_QUEUED
from serve_app.services import container
from serve_app.services.container import Services, open_services, wall_clock_ms
from tests.support.inprocess import START_MS, InProcessPalio

SECRET = b"a secret of thirty-two bytes, now"


async def opened(palio: InProcessPalio, **config: Any) -> Services:
    settings = FrontConfig(jwt_secret=SECRET, replica_id="me", **config)
    ports = (palio.log, palio.owners, palio.records, palio.read_model, palio.updates, palio.signer)
    return await open_services(
        settings,
        *ports,
        notices=palio.notices,
        prizes=palio.prizes,
        operations=palio.operations,
        archive=None,
        archives=palio.archives,
        attempts=palio.attempts,
        series=palio.series,
        clock_ms=palio.clock_ms,
    )


async def test_open_services_receive_and_watch_until_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(container, "MEASURE_EVERY_S", 0.001)
    palio = InProcessPalio()
    monkeypatch.setattr(type(palio.log), "queued", 7, raising=False)
    services = await opened(palio)
    assert services.waiters.healthy
    assert services.waiters.reply_to(1) == "replies:me"
    await asyncio.sleep(0.01)
    assert LOG_QUEUED._value.get() == 7
    monkeypatch.setattr(type(palio.log), "queued", 0)
    await asyncio.sleep(0.01)
    assert LOG_QUEUED._value.get() == 0
    await services.close()
    await asyncio.sleep(0)
    assert all(task.cancelled() for task in services.watching)
    assert not services.waiters.healthy
    assert not palio.updates._subscriptions
    await services.close()


async def test_the_clock_is_the_one_given() -> None:
    services = await opened(InProcessPalio())
    assert services.clock_ms() == START_MS
    assert services.authenticator._clock_s() == START_MS / 1000
    assert abs(wall_clock_ms() - START_MS) > 0
    await services.close()


@pytest.mark.parametrize(
    "wrong", [{"cors_origins": "nonsense"}, {"trusted_proxies": "nonsense"}, {"jwt_algorithm": "ES256"}]
)
async def test_a_wrong_setting_opens_nothing(wrong: dict[str, str]) -> None:
    palio = InProcessPalio()
    before = asyncio.all_tasks()
    with pytest.raises(ValueError, match="expected"):
        await opened(palio, **wrong)
    assert not palio.updates._subscriptions
    assert asyncio.all_tasks() == before
