"""A connection to one Redis node that listens to channels: plain ones, or, on a cluster, sharded ones that the node serves."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from redis.asyncio.connection import Connection
from redis.exceptions import RedisError, ResponseError

from storage.redis_client.connection import LATE_S, Address, RedisConfig, pack_all
from storage.redis_client.errors import RedisAwayError, describe_error


class RedisLine:
    """`on_message(channel, payload)` is called for each publication, `on_silent(line, channels)` when channels fell silent: the connection was
    lost, or their slot moved away. A line that was lost stays lost; make another.
    """

    def __init__(
        self,
        config: RedisConfig,
        address: Address,
        connection: Connection,
        on_message: Callable[[str, bytes], None],
        on_silent: Callable[[RedisLine, Sequence[str]], None],
    ) -> None:
        self._config = config
        self._name = f"Redis at {address[0]}:{address[1]}"
        self._connection = connection
        self._on_message = on_message
        self._on_silent = on_silent
        self._sharded = config.cluster
        self._channels: set[str] = set()
        self._asked: deque[tuple[str, str, asyncio.Future[bool]]] = deque()  # what was sent and not answered yet
        self._reading: asyncio.Task[None] | None = None
        self._lost = False

    @property
    def lost(self) -> bool:
        """Whether the connection is gone."""
        return self._lost

    async def connect(self) -> None:
        """Connect. Raises RedisAwayError; the line is then lost."""
        try:
            async with asyncio.timeout(self._config.connect_timeout_ms / 1000):
                await self._connection.connect()  # type: ignore[no-untyped-call]
        except (RedisError, OSError, TimeoutError) as error:
            await self.close()
            raise RedisAwayError(f"{self._name}: {describe_error(error)}") from None
        self._reading = asyncio.create_task(self._read())

    async def subscribe(self, channels: Sequence[str]) -> list[str]:
        """Listen to channels; returns those that the node confirmed. Raises RedisAwayError; the line is then lost."""
        word = "SSUBSCRIBE" if self._sharded else "SUBSCRIBE"
        confirmed = await self._ask([(word, channel) for channel in channels])
        return [channel for channel, ok in zip(channels, confirmed, strict=True) if ok]

    async def unsubscribe(self, channels: Sequence[str]) -> None:
        """Listen to them no more. Raises RedisAwayError; the line is then lost."""
        word = "SUNSUBSCRIBE" if self._sharded else "UNSUBSCRIBE"
        known = [channel for channel in channels if channel in self._channels]
        self._channels.difference_update(known)
        await self._ask([(word, channel) for channel in known])

    async def check(self) -> None:
        """Ask for a sign of life. Raises RedisAwayError; the line is then lost."""
        await self._ask([("PING", "")])

    async def _ask(self, commands: Sequence[tuple[str, str]]) -> list[bool]:
        """One command a channel: each is answered by one message, in order."""
        if not commands:
            return []
        if self._lost:
            raise RedisAwayError(f"{self._name}: the connection was lost")
        loop = asyncio.get_running_loop()
        waiting = [loop.create_future() for _ in commands]
        packed = pack_all([c if c[1] else c[:1] for c in commands])
        self._asked.extend((word, channel, future) for (word, channel), future in zip(commands, waiting, strict=True))
        try:
            async with asyncio.timeout(self._config.timeout_ms / 1000):
                await self._connection.send_packed_command(packed, check_health=False)
            _, late = await asyncio.wait(waiting, timeout=self._config.timeout_ms / 1000)
            if late and (await asyncio.wait(late, timeout=LATE_S))[1]:
                raise TimeoutError  # noqa: TRY301 - one way for all that fails
            return [future.result() for future in waiting]
        except (RedisError, OSError, TimeoutError) as error:
            await self.close()
            raise RedisAwayError(f"{self._name}: {describe_error(error)}") from None
        except asyncio.CancelledError:
            await self.close()  # what was asked would be answered to nobody
            raise

    async def _read(self) -> None:
        try:
            while True:
                try:
                    answer = await self._connection.read_response(timeout=float("inf"), disconnect_on_error=False)
                except ResponseError:
                    self._answered(ok=False)  # of a slot that is another's, above all
                    continue
                self._take(answer)
        except (RedisError, OSError, IndexError):
            pass
        finally:
            self._lose()

    def _take(self, answer: Any) -> None:
        kind = answer[0] if isinstance(answer, list) else answer
        if kind in (b"message", b"smessage"):
            self._on_message(answer[1].decode(), answer[2])
        elif kind in (b"subscribe", b"ssubscribe"):
            channel = answer[1].decode()
            self._channels.add(channel)
            self._answered(ok=True)
        elif kind in (b"unsubscribe", b"sunsubscribe"):
            channel = answer[1].decode()
            if self._asked and self._asked[0][:2] == (kind.decode().upper(), channel):
                self._answered(ok=True)
            elif channel in self._channels:  # not asked for: the slot moved to another node
                self._channels.discard(channel)
                self._on_silent(self, [channel])
        else:
            self._answered(ok=True)  # a sign of life

    def _answered(self, *, ok: bool) -> None:
        future = self._asked.popleft()[2]
        if not future.done():
            future.set_result(ok)

    def _lose(self) -> None:
        if self._lost:
            return
        self._lost = True
        asked, self._asked = self._asked, deque()
        for _, _, future in asked:
            if not future.done():
                future.set_exception(RedisError("the connection was lost"))
                future.exception()  # seen, should its caller have given up
        channels, self._channels = list(self._channels), set()
        self._on_silent(self, channels)

    async def close(self) -> None:
        """Close the connection. A second call does nothing."""
        reading, self._reading = self._reading, None
        if reading is not None:
            reading.cancel()
        self._lose()
        with contextlib.suppress(RedisError, OSError):
            await self._connection.disconnect(nowait=True)
