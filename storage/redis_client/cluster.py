"""Connections to Redis, a single one or a cluster: commands in pipelines, grouped by node, each bounded in time and never sent twice.

Why not the library's own clients: they repeat commands by themselves after a lost connection, which doubles publications, and wait in
places that no timeout of ours reaches. Its connections (handshake, passwords, TLS, parsing) are what is used here.

While a primary is away, the map of slots is asked for again and again beside the calls, of several nodes at once: whoever took its place is
known within some REFRESH_PAUSE_S. That ends with the trouble, or when nobody calls any more.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Sequence
from typing import Any, Final

from redis.asyncio.connection import Connection, parse_url
from redis.exceptions import ResponseError

from storage.redis_client.connection import Address, Command, RedisConfig, RedisLink
from storage.redis_client.errors import RedisAwayError, is_elsewhere
from storage.redis_client.topology import MAP_COMMANDS, UNKNOWN, SlotMap, slot_map

logger = logging.getLogger(__name__)

REFRESH_PAUSE_S: Final = 0.2  # the map of slots is asked for at most this often
REFRESH_ASKS: Final = 8  # nodes asked at a time
REFRESH_GRACE_S: Final = 0.05  # for the others once one has answered: who knows more is believed
REFRESH_FOR_S: Final = 5.0  # while nobody calls, nothing is refreshed


class RedisNodes:
    """All nodes of a `RedisConfig` and who serves which slot. `changes` counts the maps that differed from the one before."""

    def __init__(self, config: RedisConfig) -> None:
        if not config.urls:
            raise ValueError("expected at least one URL of a Redis")
        self.config = config
        self._options = [_options(url, config) for url in config.urls]
        self._seeds: list[Address] = [(str(o["host"]), int(o["port"])) for o in self._options]
        self._links: dict[Address, RedisLink] = {}
        self._map: SlotMap = UNKNOWN
        self.changes = 0
        self._stale = False
        self._unknown = RedisAwayError("no node of the Redis cluster serves this slot")  # or why nobody tells
        self._refreshing: asyncio.Task[None] | None = None
        self._refreshed_s = -REFRESH_PAUSE_S
        self._restoring: asyncio.Task[None] | None = None
        self._called_s = 0.0
        self._asked: set[asyncio.Task[SlotMap]] = set()

    async def call(self, commands: Sequence[tuple[str, Command]]) -> list[Any]:
        """The answers to (key, command) pairs, each at the node that serves the key, in order at each node.

        An answer may be a ResponseError or a RedisAwayError; nothing is raised. What a node says is not its own is asked once more where
        it says, or after the map of slots was refreshed.
        """
        answers = await self._call(commands)
        again = [i for i, answer in enumerate(answers) if self.config.cluster and is_elsewhere(answer)]
        if again:
            await self.refresh()
            for i, answer in zip(again, await self._call([commands[i] for i in again]), strict=True):
                answers[i] = answer
        return answers

    async def _call(self, commands: Sequence[tuple[str, Command]]) -> list[Any]:
        await self.ensure_topology()
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
            if address is None or isinstance(found[0], RedisAwayError):
                self.mark_stale()
            for i, answer in zip(which, found, strict=True):
                answers[i] = answer

        if len(groups) == 1:
            await ask(*groups.popitem())  # the usual case, without a task of its own
        else:
            await asyncio.gather(*(ask(address, which) for address, which in groups.items()))
        return answers

    @property
    def seeds(self) -> list[Address]:
        """The configured nodes."""
        return list(self._seeds)

    @property
    def primaries(self) -> list[Address]:
        """The nodes that take writes, by what is known now."""
        return sorted(self._map.primaries) if self.config.cluster else self._seeds[:1]

    @property
    def is_known(self) -> bool:
        """Whether it is known who serves what."""
        return bool(self._map.slots) or not self.config.cluster

    def address_of(self, key: str) -> Address | None:
        """The node that serves a key, by what is known now."""
        return self._map.address_of(key) if self.config.cluster else self._seeds[0]

    def link(self, address: Address) -> RedisLink:
        """The shared connection to a node."""
        link = self._links.get(address)
        if link is None:
            link = self._links[address] = RedisLink(self.config, address, self.connection(address))
        return link

    def is_away(self, address: Address) -> bool:
        """Whether a node failed and was not reached since."""
        link = self._links.get(address)
        return link is not None and link.is_away

    async def reaches(self, address: Address) -> bool:
        """Whether a node answers now. One that failed lately does not, without a wait."""
        self._called_s = time.monotonic()
        try:
            await self.link(address).call([("PING",)])
        except RedisAwayError as error:
            logger.debug("%s", error)
            self.mark_stale()
            return False
        return True

    def connection(self, address: Address) -> Connection:
        """A new connection to a node, not connected yet."""
        options = {**self._options[0], "host": address[0], "port": address[1]}
        made: Connection = options.pop("connection_class", Connection)(**options)
        return made

    # -- the map of slots -----------------------------------------------------------------------------------------

    def mark_stale(self) -> None:
        """A node may have been replaced: refresh, beside the calls, until those that serve are reached."""
        if self.config.cluster:
            self._stale = True
            if self._restoring is None or self._restoring.done():
                self._restoring = asyncio.create_task(self._restore())

    async def _restore(self) -> None:
        while self._stale and time.monotonic() - self._called_s < REFRESH_FOR_S:
            await self.refresh()

    async def ensure_topology(self) -> None:
        """Refresh if it is not known who serves what; where nobody answered a moment ago, that stays so without a wait."""
        self._called_s = time.monotonic()
        if not self.is_known and self._called_s - self._refreshed_s >= REFRESH_PAUSE_S:
            await self.refresh()

    async def refresh(self) -> None:
        """Ask who serves which slot, once for all who want it at a time. When nobody answers, what was known stays."""
        if self.config.cluster:
            if self._refreshing is None or self._refreshing.done():
                self._refreshing = asyncio.create_task(self._fetch_map())
            await asyncio.shield(self._refreshing)

    async def _fetch_map(self) -> None:
        pause_s = REFRESH_PAUSE_S * random.uniform(0.75, 1.0)  # noqa: S311 - spreads load
        await asyncio.sleep(max(0.0, self._refreshed_s + pause_s - time.monotonic()))
        asked = {asyncio.create_task(self._ask_map(address)) for address in self._whom_to_ask()}
        self._asked |= asked
        for task in asked:  # who hangs is waited for beside us, so that its link knows
            task.add_done_callback(self._answered)
        found, trouble = UNKNOWN, self._unknown
        deadline_s: float | None = None
        while asked and (deadline_s is None or time.monotonic() < deadline_s):
            wait_s = None if deadline_s is None else deadline_s - time.monotonic()
            done, asked = await asyncio.wait(asked, timeout=wait_s, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                try:
                    answer = task.result()
                except RedisAwayError as error:
                    trouble = error
                    continue
                if answer.epoch > found.epoch:
                    found = answer
                if deadline_s is None:
                    deadline_s = time.monotonic() + REFRESH_GRACE_S
        self._refreshed_s = time.monotonic()
        if found is UNKNOWN:
            self._unknown = trouble
            return
        self._unknown = RedisAwayError("no node of the Redis cluster serves this slot")
        await self._adopt(found)

    def _whom_to_ask(self) -> list[Address]:
        """Those we are connected to; where these are few, all that were ever named."""
        whom = [address for address, link in self._links.items() if not link.is_away]
        if len(whom) < 2:
            others = {*self._map.nodes, *self._seeds}.difference(whom)
            whom += [address for address in others if not self.is_away(address)] or list(others)
        return random.sample(whom, min(len(whom), REFRESH_ASKS))

    async def _ask_map(self, address: Address) -> SlotMap:
        try:
            return slot_map(await self.link(address).call(MAP_COMMANDS), address)
        except ResponseError as error:
            trouble = RedisAwayError(f"a node of the Redis cluster does not tell its slots: {error}")
            logger.warning("%s", trouble)
            raise trouble from None
        except RedisAwayError as error:
            logger.debug("%s", error)
            raise

    def _answered(self, task: asyncio.Task[SlotMap]) -> None:
        self._asked.discard(task)
        if not task.cancelled():
            task.exception()  # seen, should nobody wait for it any more

    async def _adopt(self, found: SlotMap) -> None:
        self.changes += found.slots != self._map.slots
        self._map = found
        self._stale = any(self.is_away(address) for address in found.primaries)
        for address in [a for a, link in self._links.items() if a not in found.primaries and link.is_idle]:
            await self._links.pop(address).close()  # it serves nothing

    async def close(self) -> None:
        """Close all connections. A second call does nothing."""
        for task in (self._restoring, self._refreshing, *list(self._asked)):
            if task is not None:
                task.cancel()
        links, self._links = self._links, {}
        for link in links.values():
            await link.close()


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
