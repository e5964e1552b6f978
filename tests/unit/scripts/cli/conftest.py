"""Commands against a Palio in this process."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.support.commands import Command, commands_at
from tests.support.front import Front, open_front


@pytest.fixture
async def front() -> AsyncIterator[Front]:
    async with open_front(command_wait_s=0.3) as opened:
        yield opened


@pytest.fixture
def command(front: Front, capsys: pytest.CaptureFixture[str]) -> Command:
    return commands_at(front, capsys)
