"""Opening the shards of the durable store: tables made or migrated, each shard the one it should be, and where partitions lie.

The first start of an installation, and one that migrates, need every primary. Any other does without those that are away: where partitions
lie says any one shard, by its primary or a replica. A primary that was away is looked at when it is first reached, and refused if it is
not what was taken for granted (`Primary.expect`). If what one shard says is old, the shard that it names says so when it is asked.

What an earlier version had spread over the shards by other rules is brought together before the shards are told where partitions lie.
Each step can run again, so one that was cut off goes on at the next start.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence

from storage.ports.errors import RecordsUnavailableError, StorageError
from storage.records.mysql.engine import MysqlOptions, prepare
from storage.records.mysql.moves import bring_together
from storage.records.mysql.primary import Facts
from storage.records.mysql.shard import Shard
from storage.records.sql.migrate import check_version
from storage.records.sql.partitions import Place, add_places, check_identity, check_places, even, identify, newest
from storage.records.sql.schema import SCHEMA_VERSION

logger = logging.getLogger(__name__)


async def open_shards(
    options: MysqlOptions, shards: Sequence[Shard], partitions: int, tell: Callable[[str], None] | None
) -> dict[int, Place]:
    """Where partitions lie, once all is well; see the module. Raises as `ShardedRecords.open`."""
    absent = await _prepare_all(options, options.connect_timeout_ms)
    found = await asyncio.gather(*(_facts(shard, shard.number in absent) for shard in shards))
    places = newest(facts.places for facts in found if facts is not None)
    if not places:
        for error in (await _prepare_all(options, options.timeout_ms)).values() if absent else ():
            raise error
        return await _place_all(shards, partitions, tell or logger.info)
    check_places(places, partitions, len(shards))
    installation = next(facts.identity.installation for facts in found if facts is not None and facts.identity)
    for shard, facts in zip(shards, found, strict=True):
        if shard.number in absent or facts is None:
            if facts is not None:
                _check_replica(shard, facts, installation)
            shard.primary.expect(installation)
        elif facts.identity is None:
            await _add(shard, installation, places)
        else:
            check_identity(facts.identity, shard.number, installation, shard.address)
            if facts.places.keys() != places.keys():  # what made it was cut off before this
                await add_places(shard.primary.engine, places)
    if absent:
        reasons = "; ".join(map(str, absent.values()))
        logger.warning("opened without the primaries of shards %s: %s", sorted(absent), reasons)
    return places


async def _place_all(shards: Sequence[Shard], partitions: int, tell: Callable[[str], None]) -> dict[int, Place]:
    """A new installation, or one that knew nothing of partitions. Nobody can save anything before this is done."""
    installation = None
    for shard in shards:
        installation = await identify(shard.primary.engine, shard.number, installation, shard.address)
    places = even(partitions, len(shards))
    await bring_together([shard.primary.engine for shard in shards], places, tell)
    for shard in shards:
        await add_places(shard.primary.engine, places)
    return places


async def _add(shard: Shard, installation: str, places: Mapping[int, Place]) -> None:
    """A database that is new: it is an added shard, unless partitions should lie there."""
    if any(place.shard == shard.number for place in places.values()):
        raise StorageError(
            f"expected shard {shard.number} of installation {installation} at {shard.address}, found a new database"
        )
    await identify(shard.primary.engine, shard.number, installation, shard.address)
    await add_places(shard.primary.engine, places)


def _check_replica(shard: Shard, facts: Facts, installation: str) -> None:
    where = f"a replica of {shard.address}"
    check_version(where, facts.version or 0)
    if facts.version == SCHEMA_VERSION and facts.identity is not None:
        check_identity(facts.identity, shard.number, installation, where)


async def _prepare_all(options: MysqlOptions, answer_ms: int) -> dict[int, RecordsUnavailableError]:
    """Make or migrate every shard's tables; returns the shards whose primary does not answer. Raises StorageError."""
    outcomes = await asyncio.gather(
        *(prepare(options, addresses.primary, answer_ms) for addresses in options.shards), return_exceptions=True
    )
    absent: dict[int, RecordsUnavailableError] = {}
    for number, outcome in enumerate(outcomes):
        if isinstance(outcome, RecordsUnavailableError):
            absent[number] = outcome
        elif outcome is not None:
            raise outcome
    return absent


async def _facts(shard: Shard, away: bool) -> Facts | None:
    """What the primary, or a replica of one that is away, says of a shard; None when nobody answers."""
    if away:
        return await shard.replica_facts()
    try:
        return await shard.primary.facts()
    except RecordsUnavailableError:
        return None
