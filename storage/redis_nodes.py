"""Connections to Redis, a single one or a cluster: commands in pipelines, grouped by node, each bounded in time and never sent twice.

Why not the library's own clients: they repeat commands by themselves after a lost connection, which doubles publications, and wait in
places that no timeout of ours reaches. Its connections (handshake, passwords, TLS, parsing) are what is used here.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from hiredis import pack_command
from redis.asyncio.connection import Connection, parse_url
from redis.crc import key_slot
from redis.exceptions import AskError, ClusterDownError, ReadOnlyError, RedisError, ResponseError, TryAgainError

logger = logging.getLogger(__name__)

Command = Sequence[str | bytes | int]
Address = tuple[str, int]

REFRESH_PAUSE_S: Final = 0.2  # the map of slots is asked for at most this often
CONNECT_PAUSE_S: Final = 0.1  # a node that refused a connection is left alone for this long
ELSEWHERE: Final = (AskError, ClusterDownError, ReadOnlyError, TryAgainError)  # a MovedError is an AskError
ELSEWHERE_CODES: Final = ("MOVED ", "ASK ", "CLUSTERDOWN ", "TRYAGAIN ", "READONLY ", "MASTERDOWN ")


class RedisAwayError(Exception):
    """A node did not answer in time, refused us, or cannot be reached. The message names it and never holds a password."""


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


class RedisNodes:
    """All nodes of a `RedisConfig` and who serves which slot."""

    def __init__(self, config: RedisConfig) -> None:
        if not config.urls:
            raise ValueError("expected at least one URL of a Redis")
        self.config = config
        self._options = [_options(url, config) for url in config.urls]
        self._seeds: list[Address] = [(str(o["host"]), int(o["port"])) for o in self._options]
        self._links: dict[Address, RedisLink] = {}
        self._slots: list[Address | None] = []
        self._stale = False
        self._unknown = RedisAwayError("no node of the Redis cluster serves this slot")  # or why nobody tells
        self._refreshing: asyncio.Task[None] | None = None
        self._refreshed_s = -REFRESH_PAUSE_S

    async def call(self, commands: Sequence[tuple[str, Command]]) -> list[Any]:
        """The answers to (key, command) pairs, each at the node that serves the key, in order at each node.

        An answer may be a ResponseError or a RedisAwayError; nothing is raised. What a node says is not its own is asked once more where
        it says, or after a look at the map.
        """
        answers = await self._call(commands)
        again = [i for i, answer in enumerate(answers) if self.config.cluster and _is_elsewhere(answer)]
        if again:
            await self.refresh()
            for i, answer in zip(again, await self._call([commands[i] for i in again]), strict=True):
                answers[i] = answer
        return answers

    async def _call(self, commands: Sequence[tuple[str, Command]]) -> list[Any]:
        if not self.is_known:
            await self.refresh()
        elif self._stale:
            self._start_refresh()  # beside the calls: those to other nodes do not wait for it
        groups: dict[Address | None, list[int]] = {}
        for i, (key, _) in enumerate(commands):
            groups.setdefault(self.address_of(key), []).append(i)
        answers: list[Any] = [None] * len(commands)

        async def ask(address: Address | None, which: list[int]) -> None:
            found: Sequence[Any] = [self._unknown] * len(which)
            try:
                if address is not None:
                    found = await self.link(address).call([commands[i][1] for i in which])
            except RedisAwayError as error:
                found = [error] * len(which)
                self._stale = True  # whom we knew may have been replaced
            for i, answer in zip(which, found, strict=True):
                answers[i] = answer

        await asyncio.gather(*(ask(address, which) for address, which in groups.items()))
        return answers

    @property
    def seeds(self) -> list[Address]:
        """The configured nodes."""
        return list(self._seeds)

    @property
    def is_known(self) -> bool:
        """Whether it is known who serves what."""
        return bool(self._slots) or not self.config.cluster

    def address_of(self, key: str) -> Address | None:
        """The node that serves a key, by what is known now."""
        if not self.config.cluster:
            return self._seeds[0]
        return self._slots[key_slot(key.encode())] if self._slots else None

    def link(self, address: Address) -> RedisLink:
        """The shared connection to a node."""
        link = self._links.get(address)
        if link is None:
            link = self._links[address] = RedisLink(self.config, address, self.connection(address))
        return link

    def connection(self, address: Address) -> Connection:
        """A new connection to a node, not connected yet."""
        options = {**self._options[0], "host": address[0], "port": address[1]}
        made: Connection = options.pop("connection_class", Connection)(**options)
        return made

    async def refresh(self) -> None:
        """Look who serves which slot; one look for all who ask at a time. Whom nobody answers keeps what was known."""
        if self.config.cluster:
            await asyncio.shield(self._start_refresh())

    def _start_refresh(self) -> asyncio.Task[None]:
        if self._refreshing is None or self._refreshing.done():
            self._refreshing = asyncio.create_task(self._refresh())
        return self._refreshing

    async def _refresh(self) -> None:
        await asyncio.sleep(max(0.0, self._refreshed_s + REFRESH_PAUSE_S - time.monotonic()))
        trouble = self._unknown
        for address in dict.fromkeys([*self._links, *self._seeds]):
            try:
                (answer,) = await self.link(address).call([("CLUSTER", "SLOTS")])
            except RedisAwayError as error:
                logger.debug("%s", error)
                trouble = error
                continue
            if isinstance(answer, ResponseError):
                trouble = RedisAwayError(f"a node of the Redis cluster does not tell its slots: {answer}")
                logger.warning("%s", trouble)
                continue
            slots: list[Address | None] = [None] * 16384
            for first, last, primary, *_ in answer:
                host = primary[0].decode() or address[0]  # a node that does not know its own name: as we reached it
                slots[first : last + 1] = [(host, int(primary[1]))] * (last + 1 - first)
            self._slots = slots
            self._stale = False
            trouble = RedisAwayError("no node of the Redis cluster serves this slot")
            break
        self._unknown = trouble
        self._refreshed_s = time.monotonic()

    async def close(self) -> None:
        """Close all connections. A second call does nothing."""
        if self._refreshing is not None:
            self._refreshing.cancel()
        links, self._links = self._links, {}
        for link in links.values():
            await link.close()


class RedisLink:
    """One connection, shared: calls are written as they come and answered in order. Cut whole when an answer does not come in time."""

    def __init__(self, config: RedisConfig, address: Address, connection: Connection) -> None:
        self._config = config
        self._name = f"Redis at {address[0]}:{address[1]}"
        self._connection = connection
        self._waiting: deque[tuple[int, list[Any], asyncio.Future[list[Any]]]] = deque()
        self._reading: asyncio.Task[None] | None = None
        self._writing = asyncio.Lock()
        self._refused: tuple[float, RedisAwayError] | None = None
        self._closed = False

    async def call(self, commands: Sequence[Command]) -> list[Any]:
        """The answers in order, a ResponseError where Redis gave one. Raises RedisAwayError: what was sent may have been done."""
        if len(self._waiting) >= self._config.max_waiting:
            raise RedisAwayError(f"{self._name} has {len(self._waiting)} calls waiting")
        answered: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()
        packed = pack_all(commands)
        try:
            async with asyncio.timeout(self._config.timeout_ms / 1000):
                async with self._writing:
                    await self._connect()
                    self._waiting.append((len(commands), [], answered))
                    await self._connection.send_packed_command(packed, check_health=False)
                return await asyncio.shield(answered)
        except (RedisError, OSError, TimeoutError) as error:
            away = RedisAwayError(f"{self._name}: {_text(error)}")
            await self._cut(away)
            raise away from None

    async def _connect(self) -> None:
        if self._closed:
            raise RedisAwayError(f"{self._name}: closed")
        if self._reading is not None and not self._reading.done() and self._connection.is_connected:
            return
        now = time.monotonic()
        if self._refused is not None and now - self._refused[0] < CONNECT_PAUSE_S:
            raise self._refused[1]
        await self._cut(RedisAwayError(f"{self._name}: the connection was lost"))
        try:
            async with asyncio.timeout(self._config.connect_timeout_ms / 1000):
                await self._connection.connect()  # type: ignore[no-untyped-call]
        except (RedisError, OSError, TimeoutError) as error:
            await self._connection.disconnect(nowait=True)
            away = RedisAwayError(f"{self._name}: {_text(error)}")
            self._refused = (now, away)
            raise away from None
        self._refused = None
        self._reading = asyncio.create_task(self._read())

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
            self._fail(RedisAwayError(f"{self._name}: {_text(error)}"))

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
        await self._cut(RedisAwayError(f"{self._name}: closed"))


def pack_all(commands: Iterable[Command]) -> bytes:
    """Commands as they go over the wire: in C, at a seventh of what the library's asynchronous connections take."""
    return b"".join([pack_command(tuple(c)) for c in commands])  # type: ignore[arg-type]  # the stub means tuples of any length


def _options(url: str, config: RedisConfig) -> dict[str, Any]:
    """The keyword arguments of redis-py's connections. Raises ValueError for a URL that is none, without the URL: it may hold a password."""
    try:
        options: dict[str, Any] = dict(parse_url(url))
    except ValueError:
        raise ValueError("expected URLs of Redis as redis://host:port or rediss://host:port") from None
    options = {"host": "localhost", "port": 6379, **options}
    if config.username is not None:
        options["username"] = config.username
    if config.password is not None:
        options["password"] = config.password
    # our own timeouts go around every call; RESP 2, in which messages of channels and answers come in one order
    seconds = config.connect_timeout_ms / 1000
    return {**options, "protocol": 2, "socket_timeout": None, "socket_connect_timeout": seconds}


def _is_elsewhere(answer: Any) -> bool:
    """Whether a node did nothing because the slot is another's."""
    if isinstance(answer, ELSEWHERE):
        return True
    return isinstance(answer, ResponseError) and str(answer).startswith(ELSEWHERE_CODES)


def _text(error: BaseException) -> str:
    return "no answer in time" if isinstance(error, TimeoutError) and not str(error) else str(error) or repr(error)
