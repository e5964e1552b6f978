"""Payouts as lines of a file, for an embedded Palio: whoever pays by hand, or by a program of their own, reads it.

A line is the JSON of a payout as told outside, with `at`, and is on the disk before `pay` returns. A key has one line: those that are there
are read when the file is opened, 16 bytes of memory each. A last line that was cut off is no line, and taken away. One process writes.
"""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import IO

import msgspec

from actors.domain.values import rfc3339
from storage.ports import Payout, PayoutUnavailableError


class LedgerFile:
    """Implements Payouts. Opened by the first payout; its reference is the line's number, from 1."""

    def __init__(self, path: Path, clock_ms: Callable[[], int]) -> None:
        self._path = path
        self._clock_ms = clock_ms
        self._lines: dict[bytes, int] = {}
        self._file: IO[bytes] | None = None
        self._turn = asyncio.Lock()

    async def pay(self, payout: Payout) -> str:
        """See `Payouts.pay`."""
        async with self._turn:
            try:
                return await asyncio.to_thread(self._append, payout)
            except OSError as error:
                await asyncio.to_thread(self._shut)  # what is half written is taken away when it is opened again
                raise PayoutUnavailableError(f"{self._path.name}: {error.strerror or error}") from error

    async def close(self) -> None:
        """See `Payouts.close`."""
        async with self._turn:
            await asyncio.to_thread(self._shut)

    def _append(self, payout: Payout) -> str:
        if self._file is None:
            self._file = self._opened()
        name = _name(payout.key)
        if name not in self._lines:
            line = {**payout.told(), "at": rfc3339(self._clock_ms())}
            self._file.write(msgspec.json.encode(line) + b"\n")
            self._file.flush()
            os.fsync(self._file.fileno())
            self._lines[name] = len(self._lines) + 1
        return str(self._lines[name])

    def _opened(self) -> IO[bytes]:
        """The file at its end, with the keys of its lines known. Raises OSError, also where another process has it."""
        new = not self._path.exists()
        file = self._path.open("a+b")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.fchmod(file.fileno(), 0o600)
            file.seek(0)
            self._lines.clear()
            whole = 0
            for line in file:
                if not line.endswith(b"\n"):
                    file.truncate(whole)
                    break
                whole += len(line)
                self._lines[_name(msgspec.json.decode(line)["key"])] = len(self._lines) + 1
            if new:
                folder = os.open(self._path.parent, os.O_RDONLY)
                try:
                    os.fsync(folder)
                finally:
                    os.close(folder)
        except BaseException:
            file.close()
            raise
        return file

    def _shut(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            file.close()


def _name(key: str) -> bytes:
    return hashlib.blake2b(key.encode(), digest_size=16).digest()
