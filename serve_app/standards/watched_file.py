"""A JSON file that operators keep, read again when it has changed."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, Generic, TypeVar

import msgspec

from serve_app.http.problems import unavailable

T = TypeVar("T")
logger = logging.getLogger(__name__)
MAX_FILE_BYTES: Final = 16 * 1024 * 1024
CHECK_EVERY_S: Final = 5.0  # between looks at whether it has changed


class WatchedFile(Generic[T]):
    """`parse` makes the value of the file's bytes, and raises ValueError. When the file is gone or wrong, the last good value serves on."""

    def __init__(
        self, path: str, parse: Callable[[bytes], T], *, monotonic_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._path = path
        self._parse = parse
        self._monotonic_s = monotonic_s
        self._value: T | None = None
        self._stamp: tuple[int, int] | None = None
        self._looked_s = float("-inf")
        self._lock = asyncio.Lock()

    async def current(self) -> T:
        """The value, at most CHECK_EVERY_S old. Raises Problem 503 while there was no good one yet."""
        if self._monotonic_s() - self._looked_s >= CHECK_EVERY_S:
            async with self._lock:
                if self._monotonic_s() - self._looked_s >= CHECK_EVERY_S:
                    try:
                        await asyncio.to_thread(self._look)
                    except (OSError, ValueError, RecursionError) as error:
                        logger.warning("%s cannot be read: %.200s", self._path, error)
                    self._looked_s = self._monotonic_s()
        if self._value is None:
            raise unavailable("unavailable", "a file of settings cannot be read", CHECK_EVERY_S)
        return self._value

    def _look(self) -> None:
        status = Path(self._path).stat()
        stamp = (status.st_mtime_ns, status.st_size)
        if stamp != self._stamp:
            self._value = read_file(self._path, self._parse)
            self._stamp = stamp


def read_file(path: str, parse: Callable[[bytes], T]) -> T:
    """What is in a file now. Raises OSError, ValueError."""
    with Path(path).open("rb") as file:
        data = file.read(MAX_FILE_BYTES + 1)
    if len(data) > MAX_FILE_BYTES:
        raise ValueError(f"expected a file of at most {MAX_FILE_BYTES} bytes")
    try:
        return parse(data)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:  # some of which are no ValueError
        raise ValueError(str(error)) from error
