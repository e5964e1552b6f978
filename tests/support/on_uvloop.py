"""For modules whose tests run on uvloop, as replicas do: importing both names is enough."""

from __future__ import annotations

import asyncio

import pytest
import uvloop

# pytest-asyncio's hook is for whole folders
pytestmark = pytest.mark.filterwarnings("ignore:Overriding the .event_loop_policy. fixture")


@pytest.fixture
def event_loop_policy() -> asyncio.AbstractEventLoopPolicy:
    policy: asyncio.AbstractEventLoopPolicy = uvloop.EventLoopPolicy()
    return policy
