"""A shared connection to one Redis node: calls bounded in time and never sent twice. A node that failed keeps nobody waiting.

After a failure calls fail at once, until a probe beside them has reached the node again: so a node that hangs costs those who call it one
timeout, not one a call.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from hiredis import pack_command
from redis.asyncio.connection import Connection
from redis.exceptions import RedisError, ResponseError

from storage.redis_client.errors import RedisAwayError, describe_error

Command = Sequence[str | bytes | int]
Address = tuple[str, int]

LATE_S: Final = 0.05  # after a timeout: our own loop may have stood still, and the answer lies there unread
PROBE_MIN_S: Final = (
    0.05  # between attempts to reach a node that failed, doubling up to PROBE_MAX_S, jittered; the first comes at once
)
PROBE_MAX_S: Final = 0.4
PROBE_FOR_S: Final = 5.0  # a node that nobody has asked for in so long is not probed; who asks next tries it


@dataclass(frozen=True, slots=True)
class RedisConfig:
    """Where Redis is: `urls` as `redis://host:port` (`rediss://` for TLS, its options as redis-py's query parameters).

    A cluster needs one node of `urls` to be reachable at a time. `max_waiting` calls may wait on a connection; more are refused.
    """

    urls: tuple[str, ...]
    cluster: bool = False
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    connect_timeout_ms: int = 500
    timeout_ms: int = 1000
    max_waiting: int = 1000


class RedisLink:
    """One connection: calls are written as they come and answered in order. Cut whole when an answer does not come in time."""

    def __init__(self, config: RedisConfig, address: Address, connection: Connection) -> None:
        self._config = config
        self._name = f"Redis at {address[0]}:{address[1]}"
        self._connection = connection
        self._waiting: deque[tuple[int, list[Any], asyncio.Future[list[Any]]]] = deque()
        self._reading: asyncio.Task[None] | None = None
        self._writing = asyncio.Lock()
        self._number = 0  # of the connection
        self._trouble = ""  # of a node that failed and was not reached since
        self._probing: asyncio.Task[None] | None = None
        self._asked_s = 0.0
        self._closed = False

    @property
    def is_away(self) -> bool:
        """Whether the node failed and was not reached since: calls fail at once."""
        return bool(self._trouble)

    @property
    def is_idle(self) -> bool:
        """Whether nobody waits for an answer."""
        return not self._waiting and not self._writing.locked()

    async def call(self, commands: Sequence[Command]) -> list[Any]:
        """The answers in order, a ResponseError where Redis gave one. Raises RedisAwayError: what was sent may have been done."""
        if self._trouble:
            self._asked_s = time.monotonic()
            raise RedisAwayError(self._trouble)
        if len(self._waiting) >= self._config.max_waiting:
            raise RedisAwayError(f"{self._name} has {len(self._waiting)} calls waiting")
        return await self._exchange(commands)

    async def _exchange(self, commands: Sequence[Command], *, probing: bool = False) -> list[Any]:
        answered: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()
        packed = pack_all(commands)
        number = None
        try:
            async with asyncio.timeout(self._config.timeout_ms / 1000):
                async with self._writing:
                    if self._trouble and not probing:  # it failed while we waited for our turn
                        raise RedisAwayError(self._trouble)
                    await self._connect()
                    number = self._number
                    self._waiting.append((len(commands), [], answered))
                    await self._connection.send_packed_command(packed, check_health=False)
                return await asyncio.shield(answered)
        except (RedisError, OSError, TimeoutError) as error:
            if number is not None and isinstance(error, TimeoutError):
                await asyncio.wait({answered}, timeout=LATE_S)
                if answered.done():
                    return answered.result()
            away = RedisAwayError(f"{self._name}: {describe_error(error)}")
            if number == self._number:  # else another connects, or has connected anew since
                await self._fall(away)
            raise away from None

    async def _connect(self) -> None:
        if self._closed:
            raise RedisAwayError(f"{self._name}: closed")
        if self._reading is not None and not self._reading.done() and self._connection.is_connected:
            return
        self._number += 1
        await self._cut(RedisAwayError(f"{self._name}: the connection was lost"))
        try:
            async with asyncio.timeout(self._config.connect_timeout_ms / 1000):
                await self._connection.connect()  # type: ignore[no-untyped-call]
        except (RedisError, OSError, TimeoutError) as error:
            away = RedisAwayError(f"{self._name}: {describe_error(error)}")
            await self._fall(away)
            raise away from None
        self._reading = asyncio.create_task(self._read())

    async def _fall(self, error: RedisAwayError) -> None:
        """The node failed: from now on calls fail at once, and a probe goes on until it is reached."""
        if not self._closed:
            if not self._trouble:  # else it is the probe that failed, which nobody asked for
                self._asked_s = time.monotonic()
            self._trouble = str(error)
        await self._cut(error)
        if not self._closed and (self._probing is None or self._probing.done()):
            self._probing = asyncio.create_task(self._probe())

    async def _probe(self) -> None:
        pause_s = PROBE_MIN_S
        while time.monotonic() - self._asked_s < PROBE_FOR_S:
            try:
                await self._exchange([("PING",)], probing=True)
            except RedisAwayError:
                await asyncio.sleep(pause_s * random.uniform(0.5, 1.0))  # noqa: S311 - spreads load
                pause_s = min(2 * pause_s, PROBE_MAX_S)
            else:
                break
        self._trouble = ""

    async def _read(self) -> None:
        """Give answers to those who wait, until the connection is lost."""
        try:
            while True:
                try:
                    answer = await self._connection.read_response(timeout=float("inf"), disconnect_on_error=False)
                except ResponseError as error:
                    answer = error
                count, answers, answered = self._waiting[0]
                answers.append(answer)
                if len(answers) == count:
                    self._waiting.popleft()
                    if not answered.done():
                        answered.set_result(answers)
        except (RedisError, OSError, IndexError) as error:
            self._fail(RedisAwayError(f"{self._name}: {describe_error(error)}"))

    def _fail(self, error: RedisAwayError) -> None:
        waiting, self._waiting = self._waiting, deque()
        for _, _, answered in waiting:
            if not answered.done():
                answered.set_exception(error)
                answered.exception()  # seen, should its caller have given up

    async def _cut(self, error: RedisAwayError) -> None:
        reading, self._reading = self._reading, None
        if reading is not None:
            reading.cancel()
            await asyncio.wait({reading})  # or it would read from the next connection
        self._fail(error)
        await self._connection.disconnect(nowait=True)

    async def close(self) -> None:
        """Close the connection; later calls fail."""
        self._closed = True
        if self._probing is not None:
            self._probing.cancel()
            await asyncio.wait({self._probing})
        self._trouble = ""
        await self._cut(RedisAwayError(f"{self._name}: closed"))


def pack_all(commands: Iterable[Command]) -> bytes:
    """Commands as they go over the wire: in C, at a seventh of what the library's asynchronous connections take."""
    return b"".join([pack_command(tuple(c)) for c in commands])  # type: ignore[arg-type]  # the stub means tuples of any length
