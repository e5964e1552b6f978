"""Opening the shards of the durable store: tables made or migrated, each shard the one it should be, and where slots lie.

The first start of an installation, and one that migrates, need every primary. Any other does without a primary that is away, where what
is left shows that the installation is whole and of this version: a replica of that shard, or, when it has none that answers, the slots
that lie on it. Who opened so writes nothing; the primary that was away is looked at when it is first reached, and refused if it is not
what was taken for granted (`Primary.expect`). Where slots lie says shard 0, in its primary's absence one of its replicas: that may be old,
since slots may have been moved just before, so no shard may know of a later move, now or when it is back.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Final

from storage.ports.errors import RecordsUnavailableError
from storage.records.mysql.engine import MysqlOptions, prepare
from storage.records.mysql.primary import Facts
from storage.records.mysql.shard import Shard
from storage.records.mysql.slots import SlotMap, check_identity, check_slots, identify, load_slots
from storage.records.sql.migrate import check_version
from storage.records.sql.schema import SCHEMA_VERSION

logger = logging.getLogger(__name__)

CATALOG: Final = 0  # the shard that holds the slots' table, and offsets of what no shard holds alone


async def open_shards(options: MysqlOptions, shards: Sequence[Shard], *, every_primary: bool) -> SlotMap:
    """Where slots lie, once all is well; see the module. `every_primary`: none may be away. Raises as `ShardedRecords.open`."""
    if not every_primary:
        absent = await _prepare_all(options, options.connect_timeout_ms)
        if absent:
            slots = await _slots_without(shards, absent)
            if slots is not None:
                told = "; ".join(map(str, absent.values()))
                logger.warning("opened without the primaries of shards %s: %s", sorted(absent), told)
                return slots
    if every_primary or absent:
        for error in (await _prepare_all(options, options.timeout_ms)).values():
            raise error
    installation = None
    for shard in shards:
        installation = await identify(shard.primary.engine, shard.number, installation, shard.address)
    return await load_slots(shards[CATALOG].primary.engine, len(shards))


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


async def _slots_without(shards: Sequence[Shard], absent: dict[int, RecordsUnavailableError]) -> SlotMap | None:
    """Where slots lie, if the installation is whole without these primaries; else None. Raises StorageError."""
    found = await asyncio.gather(*(_facts(shard, shard.number in absent) for shard in shards))
    catalog = found[CATALOG]
    if catalog is None or catalog.slots is None or catalog.identity is None:
        return None
    installation = catalog.identity.installation
    for shard, facts in zip(shards, found, strict=True):
        if facts is None:
            if shard.number not in absent or shard.number not in catalog.slots.shards:
                return None
            continue
        check_version(f"shard {shard.number} at {shard.address}", facts.version or 0)
        if facts.version != SCHEMA_VERSION or facts.identity is None:
            return None
        check_identity(facts.identity, shard.number, installation, shard.address)
        if CATALOG in absent and shard.number not in absent and facts.identity.slots_version > catalog.slots.version:
            return None
    check_slots(catalog.slots.shards, len(shards))
    for number in absent:
        shards[number].primary.expect(installation)
    return catalog.slots


async def _facts(shard: Shard, away: bool) -> Facts | None:
    """What the primary, or a replica of one that is away, says of a shard; None when nobody answers."""
    if away:
        return await shard.replica_facts()
    try:
        return await shard.primary.facts()
    except RecordsUnavailableError:
        return None
