"""What `scripts/palio shards` does: show which shard holds how many slots and how its servers answer, and move slots."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Coroutine, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

from rich.console import Console
from rich.table import Table

from storage.ports import StorageError
from storage.records.mysql.engine import MysqlOptions
from storage.records.mysql.moves import move_slots
from storage.records.mysql.shard import ServerHealth
from storage.records.mysql.sharded import look
from storage.records.mysql.slots import SLOTS

T = TypeVar("T")
TITLES = ("shard", "slots", "which", "server", "role", "state")


class Line(NamedTuple):
    """One server: the shard's slots are told at its primary."""

    shard: str
    slots: str
    which: str
    server: str
    role: str
    state: str


def options_of(file: Path) -> MysqlOptions:
    """Connection settings from a JSON file: {"shards": [{"primary": {"host", "port"}, "replicas": [...]}], "user", "password",
    "database"}, alone or as "mysql" in a larger one. Raises ValueError."""
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError(f"{file}: {error}") from error
    return MysqlOptions.of(values.get("mysql", values) if isinstance(values, dict) else values)


def slots_of(text: str) -> frozenset[int]:
    """Slots as told on a command line: `0-99,512`. Raises ValueError."""
    found: set[int] = set()
    for part in text.split(","):
        first, dash, last = part.partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()):
            raise ValueError(f"expected slots such as 0-99,512, got {text!r}")
        found.update(range(int(first), int(last or first) + 1 if dash else int(first) + 1))
        if max(found, default=SLOTS) >= SLOTS:
            raise ValueError(f"expected slots from 0 to {SLOTS - 1}, got {part!r}")
    return frozenset(found)


def show_shards(options: MysqlOptions) -> int:
    """Print a line for each server; changes nothing. 1 if a server does not answer, or nobody knows where slots lie."""
    slots, health = _run(look(options))
    lines = [_line(() if slots is None else slots.shards, server) for server in health]
    if sys.stdout.isatty():
        table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
        for title in TITLES:
            table.add_column(title, justify="right" if title == "slots" else "left", overflow="fold")
        for line in lines:
            table.add_row(*line)
        Console().print(table)
    else:
        for line in (Line(*TITLES), *lines):  # one line each, for grep
            print("  ".join(value or "-" for value in line))
    if slots is None:
        print("nobody can say where slots lie: nothing was made yet, or no server of shard 0 answers")
    return int(slots is None or any(server.answer_ms is None for server in health))


def move(options: MysqlOptions, slots: Iterable[int], target: int) -> int:
    """Move slots to a shard and say so. Raises ValueError."""
    wanted = frozenset(slots)
    copied = _run(move_slots(options, wanted, target))
    print(f"{len(wanted)} slots lie on shard {target}; {copied} tournaments were moved")
    return 0


def ranges(slots: Sequence[int]) -> str:
    """Ascending slots as `slots_of` reads them."""
    parts: list[list[int]] = []
    for slot in slots:
        if parts and parts[-1][1] == slot - 1:
            parts[-1][1] = slot
        else:
            parts.append([slot, slot])
    return ",".join(f"{first}-{last}" if first != last else f"{first}" for first, last in parts)


def _line(slots: Sequence[int], server: ServerHealth) -> Line:
    held = [slot for slot, shard in enumerate(slots) if shard == server.shard]
    primary = server.role == "primary"
    if server.answer_ms is None:
        state = f"does not answer: {server.error}"
    else:
        state = f"answers in {server.answer_ms:.0f} ms" + (", behind" if server.behind else "")
    return Line(
        str(server.shard),
        str(len(held)) if primary else "",
        ranges(held) if primary else "",
        server.address,
        server.role,
        state,
    )


def _run(work: Coroutine[object, object, T]) -> T:
    try:
        return asyncio.run(work)
    except StorageError as error:
        raise ValueError(str(error)) from error
