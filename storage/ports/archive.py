"""Where the archive's files lie: whole objects by name, on a file system or in an object store.

Guarantees
- Atomicity: a `put` shows the new content whole or not at all, also when its process is killed; who reads meanwhile sees the old or the new.
- Loss: what `put` returned from survives the loss of every process and, as far as the store promises it, of the machine's power.
- Duplicates: to put or delete the same again changes nothing.
- Order: of two who put the same name at the same time either may win; the index tells by its digest which one counts.
- Isolation: each call ends within about a time limit, however dead the store is; calls wait in no other thread but this port's few.
"""

from __future__ import annotations

import hashlib
from typing import Protocol


def table_name(tournament_id: int) -> str:
    """The Parquet file of a tournament; a folder for each 256th of the ids, so that none holds too many."""
    return f"{tournament_id % 256:02x}/{tournament_id}.parquet"


def state_name(tournament_id: int) -> str:
    """The snapshot of one that has left the records."""
    return f"{tournament_id % 256:02x}/{tournament_id}.state"


def digest_of(data: bytes) -> str:
    """What the index says of a file's content."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()


class ArchiveFiles(Protocol):
    """See the module's guarantees. Every method raises ArchiveUnavailableError."""

    async def put(self, name: str, data: bytes) -> None:
        """Write a file, in place of one of the same name. Names are relative paths with `/`."""

    async def get(self, name: str) -> bytes | None:
        """A file's content, None where there is none."""

    async def delete(self, name: str) -> None:
        """Take a file away, if there is one."""

    async def close(self) -> None:
        """Wait for nothing any more. A second call does nothing."""
