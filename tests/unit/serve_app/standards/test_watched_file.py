from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from serve_app.http.problems import Problem
from serve_app.standards.watched_file import CHECK_EVERY_S, WatchedFile, read_file


def parse(data: bytes) -> int:
    return int(data)


async def test_a_file_is_read_again_when_it_has_changed(tmp_path: Path) -> None:
    path, now_s = tmp_path / "file", [100.0]
    path.write_text("1")
    watched = WatchedFile(str(path), parse, monotonic_s=lambda: now_s[0])
    assert [await watched.current(), await watched.current()] == [1, 1]
    path.write_text("22")
    assert await watched.current() == 1  # not looked at yet
    now_s[0] += CHECK_EVERY_S
    assert await watched.current() == 22
    path.write_text("no number")
    now_s[0] += CHECK_EVERY_S
    assert await watched.current() == 22  # the last good one serves on
    path.unlink()
    now_s[0] += CHECK_EVERY_S
    assert await watched.current() == 22
    path.write_text("3")
    os.utime(path, ns=(1, 1))
    now_s[0] += CHECK_EVERY_S
    assert await watched.current() == 3


async def test_without_a_good_one_it_is_503_until_there_is_one(tmp_path: Path) -> None:
    path, now_s = tmp_path / "file", [0.0]
    watched = WatchedFile(str(path), parse, monotonic_s=lambda: now_s[0])
    with pytest.raises(Problem) as caught:
        await watched.current()
    assert (caught.value.status, caught.value.headers["retry-after"]) == (503, "5")
    path.write_text("7")
    now_s[0] += CHECK_EVERY_S
    assert await watched.current() == 7


async def test_many_at_once_look_once(tmp_path: Path) -> None:
    path, reads = tmp_path / "file", []
    path.write_text("1")

    def counted(data: bytes) -> int:
        reads.append(data)
        return int(data)

    watched = WatchedFile(str(path), counted)
    assert await asyncio.gather(*(watched.current() for _ in range(20))) == [1] * 20
    assert len(reads) == 1


def test_a_file_too_large_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serve_app.standards.watched_file.MAX_FILE_BYTES", 3)
    path = tmp_path / "file"
    path.write_text("1234")
    with pytest.raises(ValueError, match="at most 3 bytes"):
        read_file(str(path), parse)
