"""One shard of the durable store: a primary that takes the writes, and replicas that take part of the reads.

Reads see every `save` that has returned, in whichever process: a read asks the primary for its position (GTID), a question that costs
it next to nothing, and lets a replica answer once that has come so far. A replica that does not within `replica_wait_ms`, or does not
answer, is left out: the primary answers, and the replica comes back once a check, every `probe_interval_ms`, finds it caught up.
While the primary is down replicas answer by themselves, also those left out: without what the primary alone had written when it went,
and, where it hung, without what it writes in the first `probe_interval_ms` after it woke. How a primary is found to hang, and that
nobody waits for it then, see `storage.records.mysql.primary`. What recovery reads, and what is saved, is between the
primary and its caller alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import NamedTuple, TypeVar

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.ports.errors import RecordsUnavailableError
from storage.records.mysql.engine import MysqlOptions, MysqlServer, mysql_engine
from storage.records.mysql.primary import Ask, Facts, Primary, facts_of, is_mariadb, position_of, was_slow
from storage.records.sql.database import SqlRecords
from storage.records.sql.partitions import Held

T = TypeVar("T")


class ServerHealth(NamedTuple):
    """How a server answers. `answer_ms` None: it does not, `error` says why. `behind` tells whether a replica lacks what its primary has."""

    shard: int
    role: str
    address: str
    answer_ms: float | None
    behind: bool | None
    error: str = ""


class Replica:
    """A replica as this process sees it."""

    def __init__(self, options: MysqlOptions, server: MysqlServer, held: Held) -> None:
        self.address = str(server)
        engine = mysql_engine(options, server)
        self.records = SqlRecords(engine, timeout_ms=options.timeout_ms, held=held)
        # One that hangs is found by a short question, not by a query that may be slow for its own sake.
        self._short = SqlRecords(engine, timeout_ms=options.connect_timeout_ms)
        self.left_out = False
        self.probe: asyncio.Task[None] | None = None

    async def has(self, position: str, within_ms: int) -> bool:
        """Whether everything up to `position` is there, waiting at most `within_ms`. Raises RecordsUnavailableError."""
        return await self._short.run(lambda connection: _reaches(connection, position, within_ms / 1000))

    async def facts(self) -> Facts:
        """See `facts_of`. Raises RecordsUnavailableError, StorageError."""
        return await self._short.run(facts_of)


class Shard:
    """See the module. Belongs to one event loop."""

    def __init__(self, options: MysqlOptions, number: int, partitions: int) -> None:
        shard = options.shards[number]
        held = Held(number, partitions)
        self.number = number
        self.address = str(shard.primary)
        self.primary = Primary(options, held, shard.primary)
        self.replicas = [Replica(options, server, held) for server in shard.replicas]
        self._options = options
        self._next = 0

    async def read(self, ask: Ask[T]) -> T:
        """An answer of a replica that has all, else of the primary; of any replica while the primary is down."""
        if not self.replicas:
            return await self.primary.ask(ask)
        try:
            position = await self.primary.position_soon()
        except RecordsUnavailableError as error:
            return await self._of_any_replica(ask, error)
        for replica in self._in_turn() if position else ():
            if not await self._has(replica, position):
                continue
            try:
                return await ask(replica.records)
            except RecordsUnavailableError as error:
                if was_slow(error):
                    raise  # so it would be elsewhere
                self._leave_out(replica)
        try:
            return await self.primary.ask(ask)
        except RecordsUnavailableError as error:
            if was_slow(error):
                raise
            return await self._of_any_replica(ask, error)

    async def read_settled(self, ask: Ask[T]) -> T:
        """An answer of a replica that has all that this process knows to be durable, without asking the primary."""
        position = self.primary.noted_position
        for replica in self._in_turn(everyone=True) if position else ():
            with contextlib.suppress(RecordsUnavailableError):
                if await replica.has(position, self._options.replica_wait_ms):
                    return await ask(replica.records)
        raise RecordsUnavailableError(f"{self.address}: no replica is known to have all that was saved")

    async def read_by_key(self, ask: Ask[T]) -> T:
        """An answer of the primary, which has it as fast as its position; of any replica while the primary is down."""
        if not self.replicas:
            return await self.primary.ask(ask)
        try:
            return await self.primary.ask_soon(ask)
        except RecordsUnavailableError as error:
            return await self._of_any_replica(ask, error)

    async def _has(self, replica: Replica, position: str) -> bool:
        """Whether a replica has all up to `position`; else it is left out."""
        try:
            if await replica.has(position, self._options.replica_wait_ms):
                return True
        except RecordsUnavailableError:
            pass
        self._leave_out(replica)
        return False

    async def _of_any_replica(self, ask: Ask[T], error: RecordsUnavailableError) -> T:
        """Those that had all when they were last asked come first. Raises `error` when none answers."""
        for replica in sorted(self._in_turn(everyone=True), key=lambda replica: replica.left_out):
            try:
                return await ask(replica.records)
            except RecordsUnavailableError:
                self._leave_out(replica)
        raise error

    async def replica_facts(self) -> Facts | None:
        """What a replica says of the shard; None when none answers."""
        for replica in self.replicas:
            try:
                return await replica.facts()
            except RecordsUnavailableError:
                continue
        return None

    async def health(self) -> list[ServerHealth]:
        """How each server answers now."""
        position = ""

        async def ask(role: str, address: str, records: SqlRecords, replica: Replica | None) -> ServerHealth:
            nonlocal position
            start = time.perf_counter()
            try:
                own = await records.run(position_of)
                taken_ms = 1000 * (time.perf_counter() - start)
                if replica is None:
                    position = own
                    return ServerHealth(self.number, role, address, taken_ms, None)
                behind = not await replica.has(position, self._options.replica_wait_ms) if position else None
                return ServerHealth(self.number, role, address, taken_ms, behind)
            except RecordsUnavailableError as error:
                return ServerHealth(self.number, role, address, None, None, str(error))

        found = [await ask("primary", self.address, self.primary.records, None)]
        return found + [await ask("replica", r.address, r.records, r) for r in self.replicas]

    async def close(self) -> None:
        """Release connections. A second call does nothing."""
        tasks = [replica.probe for replica in self.replicas if replica.probe is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.primary.close()
        for replica in self.replicas:
            await replica.records.close()

    def _in_turn(self, *, everyone: bool = False) -> list[Replica]:
        self._next += 1
        start = self._next % max(1, len(self.replicas))
        return [r for r in self.replicas[start:] + self.replicas[:start] if everyone or not r.left_out]

    def _leave_out(self, replica: Replica) -> None:
        replica.left_out = True
        if replica.probe is None:
            replica.probe = asyncio.create_task(self._until_back(replica))

    async def _until_back(self, replica: Replica) -> None:
        while replica.left_out:
            await asyncio.sleep(self._options.probe_interval_ms / 1000)
            try:
                position = await self.primary.position_soon()
                replica.left_out = not await replica.has(position, self._options.replica_wait_ms)
            except RecordsUnavailableError:
                continue
        replica.probe = None


async def _reaches(connection: AsyncConnection, position: str, within_s: float) -> bool:
    """MariaDB answers -1 when the time is over, MySQL 1; both 0 when the position was reached."""
    function = "MASTER_GTID_WAIT" if is_mariadb(connection) else "WAIT_FOR_EXECUTED_GTID_SET"
    waited = await connection.execute(
        text(f"SELECT {function}(:position, :within_s)"), {"position": position, "within_s": within_s}
    )
    return waited.scalar() == 0
