"""ArchiveFiles through pyarrow's file systems: a folder, S3, or another store that pyarrow opens by an URL.

A file is written beside and then moved: pyarrow publishes what was written so far when a `with open_output_stream` block fails. On a folder
it is synced before. All calls run in a few threads of their own, each within a time limit.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import parse_qsl, unquote, urlsplit

import pyarrow as pa

from storage.ports import ArchiveUnavailableError

T = TypeVar("T")
PARTIAL: Final = ".partial"
AT_ONCE: Final = 4
S3_OPTIONS: Final = ("region", "endpoint_override", "scheme")


class PyarrowFiles:
    """Implements ArchiveFiles at `url`: a path, `file://`, `s3://[key:secret@]bucket/prefix[?region=&endpoint_override=&scheme=]`, or what
    `pyarrow.fs.FileSystem.from_uri` takes. Opened by the first call. `timeout_s` bounds each call, and each request of S3.
    """

    def __init__(self, url: str, *, timeout_s: float = 20.0) -> None:
        self._url = url
        self._timeout_s = timeout_s
        self._pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="archive")
        self._gate = asyncio.Semaphore(AT_ONCE)
        self._opened: tuple[Any, str] | None = None

    async def put(self, name: str, data: bytes) -> None:
        """See `ArchiveFiles.put`."""

        def write(files: Any, path: str) -> None:
            if files.type_name == "local":
                _write_synced(Path(path), data)
                return
            with files.open_output_stream(path + PARTIAL) as sink:
                sink.write(data)
            files.move(path + PARTIAL, path)

        await self._run(name, write)

    async def get(self, name: str) -> bytes | None:
        """See `ArchiveFiles.get`."""

        def read(files: Any, path: str) -> bytes | None:
            try:
                with files.open_input_file(path) as source:
                    return bytes(source.read())
            except FileNotFoundError:
                return None

        return await self._run(name, read)

    async def delete(self, name: str) -> None:
        """See `ArchiveFiles.delete`. What a killed process left half written goes, too."""

        def delete(files: Any, path: str) -> None:
            for each in (path, path + PARTIAL):
                with contextlib.suppress(FileNotFoundError):
                    files.delete_file(each)

        await self._run(name, delete)

    async def close(self) -> None:
        """See `ArchiveFiles.close`."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _run(self, name: str, work: Callable[[Any, str], T]) -> T:
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._gate.acquire()
        except TimeoutError:
            raise ArchiveUnavailableError(f"{name}: {AT_ONCE} calls wait for the archive") from None
        try:
            running = asyncio.get_running_loop().run_in_executor(self._pool, self._call, name, work)
        except BaseException:
            self._gate.release()
            raise
        running.add_done_callback(lambda _: self._gate.release())
        done, _ = await asyncio.wait({running}, timeout=self._timeout_s)
        if not done:
            running.add_done_callback(lambda late: late.cancelled() or late.exception())  # nobody asks any more
            raise ArchiveUnavailableError(f"{name}: no answer within {self._timeout_s:g} s")
        return running.result()

    def _call(self, name: str, work: Callable[[Any, str], T]) -> T:
        try:
            if self._opened is None:
                self._opened = _open(self._url, self._timeout_s)
            files, root = self._opened
            return work(files, f"{root}/{name}")
        except (OSError, pa.ArrowException) as error:
            raise ArchiveUnavailableError(f"{name}: {error}") from error


def _open(url: str, timeout_s: float) -> tuple[Any, str]:
    """The file system and the path of the archive in it."""
    from pyarrow import fs  # loads the libraries of all stores: only where the archive is used

    parts = urlsplit(url)
    if not parts.scheme:
        return fs.LocalFileSystem(), str(Path(url).absolute())
    if parts.scheme != "s3":
        files, path = fs.FileSystem.from_uri(url)
        return files, path.rstrip("/")
    options = {name: value for name, value in parse_qsl(parts.query) if name in S3_OPTIONS}
    if parts.username is not None:
        options |= {"access_key": unquote(parts.username), "secret_key": unquote(parts.password or "")}
    retries = fs.AwsStandardS3RetryStrategy(max_attempts=2)
    files = fs.S3FileSystem(
        connect_timeout=timeout_s / 4, request_timeout=timeout_s / 2, retry_strategy=retries, **options
    )
    return files, f"{parts.hostname}{parts.path}".rstrip("/")


def check_url(url: str) -> None:
    """Raises ValueError for what no archive can be at."""
    parts = urlsplit(url)
    if parts.scheme == "s3":
        if not parts.hostname:
            raise ValueError("expected s3://bucket/prefix")
        unknown = [name for name, _ in parse_qsl(parts.query) if name not in S3_OPTIONS]
        if unknown:
            raise ValueError(f"expected of {', '.join(S3_OPTIONS)} alone behind the ?, got {unknown[0][:40]}")


def _write_synced(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + PARTIAL)
    with partial.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
