"""What `scripts/palio shards` does: show which shard holds which partitions and how its servers answer, and move partitions."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Collection, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from scripts.cli.tables import print_rows
from storage.ports import StorageError
from storage.records.mysql.engine import MysqlOptions
from storage.records.mysql.moves import move_partition
from storage.records.mysql.shard import ServerHealth
from storage.records.mysql.sharded import ShardedRecords, check_servers
from storage.records.sql.partitions import Place

T = TypeVar("T")
MAX_PARTITION = 99_999
TITLES = ("shard", "partitions", "which", "server", "role", "state")


def options_of(file: Path) -> MysqlOptions:
    """Connection settings from a JSON file: {"shards": [{"primary": {"host", "port"}, "replicas": [...]}], "user", "password",
    "database"}, alone or as "mysql" in a larger one. Raises ValueError."""
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError(f"{file}: {error}") from error
    return MysqlOptions.of(values.get("mysql", values) if isinstance(values, dict) else values)


def partitions_of(text: str) -> list[int]:
    """Partitions as given on a command line: `0-9,12`. Raises ValueError."""
    found: set[int] = set()
    for part in text.split(","):
        first, dash, last = part.partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()) or len(part) > 20:
            raise ValueError(f"expected partitions such as 0-9,12, got {text!r}")
        if int(last or first) > MAX_PARTITION:
            raise ValueError(f"expected partitions up to {MAX_PARTITION}, got {part!r}")
        if int(first) > int(last or first):
            raise ValueError(f"expected the lower of two partitions first, got {part!r}")
        found.update(range(int(first), int(last or first) + 1))
    return sorted(found)


def show_shards(options: MysqlOptions) -> int:
    """Print a line for each server; changes nothing. 1 if a server does not answer, or nobody knows where partitions lie."""
    places, health = _run(check_servers(options))
    print_rows(TITLES, [_line(places, server) for server in health])
    for partition, place in places.items():
        if place.moving_to is not None:
            print(f"partition {partition} is being moved from shard {place.shard} to {place.moving_to}")
    if not places:
        print("nobody can say where partitions lie: nothing was made yet, or no server answers")
    return int(not places or any(server.answer_ms is None for server in health))


def move(options: MysqlOptions, partitions: Collection[int], target: int) -> int:
    """Move partitions to a shard, one after the other, while Palio runs or not. Raises ValueError."""
    if not 0 <= target < len(options.shards):
        raise ValueError(f"expected a shard from 0 to {len(options.shards) - 1}, got {target}")
    moved = _run(_move(options, partitions, target))
    print(f"{len(partitions)} partitions lie on shard {target}; {moved} were moved")
    return 0


async def _move(options: MysqlOptions, partitions: Collection[int], target: int) -> int:
    places, _ = await check_servers(options)
    if strangers := sorted(set(partitions) - places.keys()):
        raise ValueError(f"expected partitions from 0 to {len(places) - 1}, got {ranges(strangers)}")
    records = await ShardedRecords.open(options, len(places))
    try:
        engines = [shard.primary.engine for shard in records.shards]
        return sum([await move_partition(engines, partition, target, tell) for partition in partitions])
    finally:
        await records.close()


def migrate(options: MysqlOptions, partitions: int) -> int:
    """Make what a start would make, or bring up what an earlier version left, and say so. Raises ValueError."""

    async def open_once() -> None:
        await (await ShardedRecords.open(options, partitions, tell)).close()

    _run(open_once())
    print(f"the tables of {len(options.shards)} shards are of this version")
    return 0


def tell(text: str) -> None:
    """How far it is, at once."""
    print(text, flush=True)


def ranges(partitions: Sequence[int]) -> str:
    """Ascending partitions as `partitions_of` reads them."""
    parts: list[list[int]] = []
    for partition in partitions:
        if parts and parts[-1][1] == partition - 1:
            parts[-1][1] = partition
        else:
            parts.append([partition, partition])
    return ",".join(f"{first}-{last}" if first != last else f"{first}" for first, last in parts)


def _line(places: Mapping[int, Place], server: ServerHealth) -> list[str]:
    """One server under TITLES; the shard's partitions are named at its primary."""
    held = [partition for partition, place in places.items() if place.shard == server.shard]
    if server.answer_ms is None:
        state = f"does not answer: {server.error}"
    else:
        state = f"answers in {server.answer_ms:.0f} ms" + (", behind" if server.behind else "")
    count, which = (str(len(held)), ranges(held) or "-") if server.role == "primary" else ("-", "-")
    return [str(server.shard), count, which, server.address, server.role, state]


def _run(work: Coroutine[object, object, T]) -> T:
    try:
        return asyncio.run(work)
    except StorageError as error:
        raise ValueError(str(error)) from error
