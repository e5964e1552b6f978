"""What the fuzz targets of a gateway's connections share: its app in this process, without a socket, for many connections one after another."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvloop
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from uvicorn.server import ServerState

from serve_app.gateway.server import uvicorn_config
from tests.support.gateway import Gateway, running_gateway
from tests.support.memory_transport import Faults

CASES = int(os.environ.get("PALIO_FUZZ_CASES", "5000"))
CUTS = st.lists(
    st.integers(1, 400), max_size=6
)  # how the bytes of what follows each other are cut; the rest in one piece

fuzzed = settings(
    max_examples=CASES, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck)
)


class InProcessGateway:
    """`state` is what a server knows of its connections; `faults.seen` what must not happen."""

    def __init__(self, loop: asyncio.AbstractEventLoop, gateway: Gateway) -> None:
        self.loop = loop
        self.gateway = gateway
        self.app = gateway.server.app
        self.config = uvicorn_config(self.app)
        self.config.load()
        self.state = ServerState()
        self.faults = Faults(loop)


@contextmanager
def in_process(**config: Any) -> Iterator[InProcessGateway]:
    """The gateway on a loop of its own."""
    loop = uvloop.new_event_loop()
    asyncio.set_event_loop(loop)
    running = running_gateway(**config)
    made = InProcessGateway(loop, loop.run_until_complete(running.__aenter__()))
    yield made
    made.faults.close()
    loop.run_until_complete(running.__aexit__(None, None, None))
    loop.close()
