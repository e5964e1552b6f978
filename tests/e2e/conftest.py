"""What the browser's tests share: a Chromium for each module, and whoever runs its tournaments."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio
from playwright.async_api import Browser

from tests.e2e.browser import launched
from tests.e2e.visitors import Organiser


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with launched() as browser:
        yield browser


@pytest_asyncio.fixture(loop_scope="module")
async def organiser(palio: Any) -> AsyncIterator[Organiser]:
    organiser = Organiser(palio)
    yield organiser
    await organiser.client.aclose()
