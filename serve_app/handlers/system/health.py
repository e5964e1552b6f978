"""Whether this process is alive, and whether it can serve."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

from serve_app.handlers.errors import translated
from serve_app.http.caching import NO_STORE
from serve_app.http.messages import Request, Response
from serve_app.http.problems import Problem, unavailable
from serve_app.services.outcome_waiters import Waiters
from storage.ports import AccessQuery, OwnerRecordsError, Owners, ScoreLog

READY_WITHIN_S: Final = 2.0
READY_CACHED_S: Final = 1.0
PROBE: Final = 1  # an id that a hash will hardly give: asking for it tells whether an owner answers


@dataclass(eq=False)
class HealthHandlers:
    """See the module."""

    log: ScoreLog
    owners: Owners
    waiters: Waiters
    _ready: tuple[float, Problem | None] | None = field(default=None, init=False)

    async def healthz(self, request: Request) -> Response:
        """`GET /healthz`: this process is alive."""
        del request
        return Response(200, b'{"status":"ok"}', dict(NO_STORE))

    async def readyz(self, request: Request) -> Response:
        """`GET /readyz`: the log can be read and written, the owners answer, and replies are being received. Asked at most once a second."""
        del request
        now_s = time.monotonic()
        if self._ready is None or now_s - self._ready[0] >= READY_CACHED_S:
            self._ready = (now_s, await self._not_ready())
        if self._ready[1] is not None:
            raise self._ready[1]
        return Response(200, b'{"status":"ready"}', dict(NO_STORE))

    async def _not_ready(self) -> Problem | None:
        """Why this process cannot serve, or None."""
        if not self.waiters.healthy:
            return unavailable("unavailable", "replies are not being received")
        checks: tuple[tuple[str, Callable[[], Awaitable[object]]], ...] = (
            ("log", self.log.bounds),
            ("log", self.log.check_writable),
            ("owner", self._ask_owner),
        )
        for name, check in checks:
            try:
                async with asyncio.timeout(READY_WITHIN_S):
                    await check()
            except Exception as error:  # whatever it is: not ready, and why
                unanswered = unavailable("unavailable", f"the {name} does not answer ({type(error).__name__})")
                return translated(error) or unanswered
        return None

    async def _ask_owner(self) -> None:
        """Whether an owner answers, be it that the shard of what it was asked for is away."""
        with contextlib.suppress(OwnerRecordsError):
            await self.owners.read(PROBE, AccessQuery())
