"""A shard's primary as one process sees it: waited for as long as it answers short questions, left alone while it does not.

A statement may be slow for its own sake (a save of many participants), a server that hangs answers nothing at all. So whoever waits for
longer than a moment asks a short question beside it, again and again, and gives up once one finds no answer within `connect_timeout_ms`.
The primary is then silent: nobody waits for it any more, calls fail at once, until a check, every `probe_interval_ms`, finds it answering.
One that refuses connections costs no time, and is not silent: each call finds out for itself, and misses nothing once it is back.

After each save it notes the primary's position, so that a replica can be found that has all of them: see `Records.settled_snapshots`.

A primary that was away when the store was opened is looked at before anything else is asked of it: see `expect`.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.ports.errors import RecordsUnavailableError, StorageError
from storage.ports.records import Checkpoint
from storage.records.mysql.engine import MysqlOptions, MysqlServer, check_settings, mysql_engine
from storage.records.sql.database import SqlRecords
from storage.records.sql.migrate import check_version, stored_version
from storage.records.sql.partitions import Held, Identity, Place, check_identity, stored_identity, stored_places
from storage.records.sql.schema import SCHEMA_VERSION

logger = logging.getLogger(__name__)

T = TypeVar("T")
Ask = Callable[[SqlRecords], Awaitable[T]]
FIRST_QUESTION_S = 0.25  # from the begin of a call to the first short question beside it: most calls are over by then


class Facts(NamedTuple):
    """What a database says of itself: the schema's version (None: no tables), and, if that is this version's, who it is and what it knows
    of partitions."""

    version: int | None
    identity: Identity | None = None
    places: Mapping[int, Place] = MappingProxyType({})


async def facts_of(connection: AsyncConnection) -> Facts:
    """Read them, changing nothing. Raises StorageError (tables of somebody else)."""
    url = connection.engine.url
    version = await connection.run_sync(stored_version, f"{url.database} on {url.host}:{url.port}")
    if version != SCHEMA_VERSION:
        return Facts(version)
    return Facts(version, await stored_identity(connection), await stored_places(connection))


class Primary:
    """See the module. Belongs to one event loop."""

    def __init__(self, options: MysqlOptions, held: Held, server: MysqlServer) -> None:
        self.number = held.shard
        self.address = str(server)
        self.engine = mysql_engine(options, server)
        self.records = SqlRecords(self.engine, timeout_ms=options.timeout_ms, held=held)
        # A connection of its own: the question that every read begins with does not wait behind queries.
        self._short = SqlRecords(mysql_engine(options, server, connections=1), timeout_ms=options.connect_timeout_ms)
        self._options = options
        self._server = server
        self._expected: str | None = None  # the installation, of a primary that nobody has looked at yet
        self._checking = asyncio.Lock()
        self._saves_from_s = float("-inf")  # none before: see `save`
        self._heard = 0  # how often this process learned that something is durable here
        self._noted: tuple[int, str] = (-1, "")  # as of which of these times, the position that has it
        self._asking: asyncio.Task[str] | None = None
        self._probe: asyncio.Task[None] | None = None

    @property
    def silent(self) -> bool:
        """Whether it hangs, as far as this process knows."""
        return self._probe is not None

    def expect(self, installation: str) -> None:
        """It was away when the store was opened. Before anything is asked of it, it must show that it is this shard of this installation
        and as this process takes it to be; else every call raises StorageError, and nothing is written to it."""
        self._expected = installation

    async def ask(self, ask: Ask[T]) -> T:
        """What the primary alone may answer."""
        await self._check()

        async def answer() -> T:
            return await ask(self.records)

        return await self._watched(answer)

    async def save(self, checkpoint: Checkpoint) -> None:
        """One transaction; see `Records.save`. After one that ran out of time (its disk is full, a backup locks it) others fail at once for
        `probe_interval_ms`: who saves many partitions one after the other waits for it once, and not for each of them."""
        await self._check()
        if time.monotonic() < self._saves_from_s:
            raise RecordsUnavailableError(f"{self.address}: the last save took too long, so others wait for a moment")
        try:
            await self._watched(lambda: self.records.save(checkpoint))
        except RecordsUnavailableError as error:
            if was_slow(error):
                self._saves_from_s = time.monotonic() + self._options.probe_interval_ms / 1000
            raise
        await self.note_position()

    async def note_position(self) -> None:
        """This process has just learned that something is durable here: ask for the position that has it, if that can be had."""
        self._heard += 1
        heard = self._heard
        try:
            self._noted = max(self._noted, (heard, await self._position()))
        except RecordsUnavailableError as error:
            logger.warning("%s did not tell its position after a save: %s", self.address, error)

    @property
    def noted_position(self) -> str:
        """What a replica must have that is to stand in for this primary; empty when that is not known."""
        return self._noted[1] if self._noted[0] == self._heard else ""

    async def ask_soon(self, ask: Ask[T]) -> T:
        """What another can answer instead, so this one has `connect_timeout_ms`."""
        return await self._soon(lambda: ask(self.records))

    async def position_soon(self) -> str:
        """What it has written to its binary log at some moment after the call."""
        return await self._soon(self._position)

    async def facts(self) -> Facts:
        """See `facts_of`. Does not look at it first."""
        return await self._short.run(facts_of)

    async def close(self) -> None:
        """Release connections. A second call does nothing."""
        tasks = [task for task in (self._asking, self._probe) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.records.close()
        await self._short.close()

    # -- whether it answers -----------------------------------------------------------------------------------------

    async def _soon(self, ask: Callable[[], Awaitable[T]]) -> T:
        self._refuse_if_silent()
        start = time.monotonic()
        try:
            async with asyncio.timeout(self._options.connect_timeout_ms / 1000):
                await self._check()
                return await ask()
        except (RecordsUnavailableError, TimeoutError) as error:
            if self._took_long(start):
                self._falls_silent()  # the probe asks at once: where only this call was slow, it says so
            raise RecordsUnavailableError(str(error) or f"{self.address}: no answer in time") from error

    async def _watched(self, ask: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """The answer, given up when the primary falls silent."""
        self._refuse_if_silent()
        asking = asyncio.create_task(ask())
        watching = asyncio.create_task(self._until_silent())
        try:
            await asyncio.wait((asking, watching), return_when=asyncio.FIRST_COMPLETED)
            if not asking.done():
                raise self._no_answer()
            return asking.result()
        finally:
            asking.cancel()
            watching.cancel()
            await asyncio.gather(asking, watching, return_exceptions=True)

    async def _until_silent(self) -> None:
        """Returns once it is silent."""
        pause_s = FIRST_QUESTION_S
        while True:
            await asyncio.sleep(pause_s)
            if not await self._answers():
                return self._falls_silent()
            pause_s = self._options.connect_timeout_ms / 1000

    async def _answers(self) -> bool:
        """Whether it answers a short question, or at least refuses it at once: then who waits for it is told so, too."""
        if self.silent:
            return False
        start = time.monotonic()
        try:
            await self._position()
        except RecordsUnavailableError:
            return not self._took_long(start)
        return True

    def _took_long(self, start: float) -> bool:
        return time.monotonic() - start > self._options.connect_timeout_ms / 2000

    def _refuse_if_silent(self) -> None:
        if self.silent:
            raise self._no_answer()

    def _no_answer(self) -> RecordsUnavailableError:
        return RecordsUnavailableError(
            f"{self.address}: no answer within {self._options.connect_timeout_ms / 1000:g} s"
        )

    def _falls_silent(self) -> None:
        if self._probe is None:
            self._probe = asyncio.create_task(self._until_back())

    async def _until_back(self) -> None:
        warned = False
        while True:
            start = time.monotonic()
            try:
                await self._position()
                break
            except RecordsUnavailableError:
                if not self._took_long(start):
                    break
            if not warned:
                logger.warning("%s does not answer; it is left alone until it does", self.address)
                warned = True
            await asyncio.sleep(self._options.probe_interval_ms / 1000)
        if warned:
            logger.warning("%s answers again", self.address)
        self._probe = None

    async def _position(self) -> str:
        """The primary's position at some moment after the call; those who call at the same time ask once."""
        earlier = self._asking
        if earlier is not None and not earlier.done():
            await asyncio.wait([earlier])  # it may have been answered before the call
            if not earlier.cancelled() and (error := earlier.exception()) is not None:
                raise error
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._short.run(position_of))
            self._asking.add_done_callback(_observe)
        return await asyncio.shield(self._asking)

    # -- whether it is the one it should be -----------------------------------------------------------------------------

    async def _check(self) -> None:
        """See `expect`. Raises RecordsUnavailableError and StorageError."""
        self._refuse_if_silent()
        if self._expected is None:
            return
        async with self._checking:
            if self._expected is not None:
                await self._watched(lambda: self._short.run(self._check_server))
                self._expected = None

    async def _check_server(self, connection: AsyncConnection) -> None:
        await connection.run_sync(check_settings, self._server)
        version, identity, _ = await facts_of(connection)
        where = f"{self.address}, which was away when this process started"
        check_version(where, version or 0)
        if version != SCHEMA_VERSION:
            raise StorageError(f"expected schema {SCHEMA_VERSION} at {where}, found {version or 'no tables'}")
        check_identity(identity, self.number, self._expected, where)


async def position_of(connection: AsyncConnection) -> str:
    """What a server has written to its binary log; empty without one, and then no replica can be trusted."""
    variable = "gtid_binlog_pos" if is_mariadb(connection) else "gtid_executed"
    return str((await connection.execute(text(f"SELECT @@GLOBAL.{variable}"))).scalar() or "")


def is_mariadb(connection: AsyncConnection) -> bool:
    """Which of the two dialects of positions a server speaks."""
    return bool(getattr(connection.dialect, "is_mariadb", False))


def was_slow(error: RecordsUnavailableError) -> bool:
    """Whether a statement ran out of time, rather than a server out of reach."""
    return isinstance(error.__cause__, TimeoutError)


def _observe(done: asyncio.Task[str]) -> None:
    """An error that nobody waits for any more is no news."""
    if not done.cancelled():
        done.exception()
