from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from threading import Timer

import pytest

from storage.sqlite_files import begin, switch_to_wal


@pytest.fixture
def two(tmp_path: Path) -> Iterator[tuple[sqlite3.Connection, sqlite3.Connection]]:
    """Two connections to one file that do not wait for each other by themselves."""
    path = tmp_path / "file.db"
    with (
        closing(sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)) as one,
        closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as other,
    ):
        one.execute("CREATE TABLE t (a)")
        yield one, other


def test_a_transaction_waits_for_another_to_end(two: tuple[sqlite3.Connection, sqlite3.Connection]) -> None:
    one, other = two
    switch_to_wal(one, 5)  # as every file of ours: without it who waits may be in the way of a commit, too
    one.execute("BEGIN IMMEDIATE")
    timer = Timer(0.02, one.execute, ["COMMIT"])
    timer.start()
    begin(other, 5)
    timer.join()
    assert other.in_transaction


def test_but_not_for_long(two: tuple[sqlite3.Connection, sqlite3.Connection]) -> None:
    one, other = two
    one.execute("BEGIN IMMEDIATE")
    began_s = time.monotonic()
    with pytest.raises(sqlite3.OperationalError) as caught:
        begin(other, 0.01)
    assert caught.value.sqlite_errorcode == sqlite3.SQLITE_BUSY
    assert 0.01 <= time.monotonic() - began_s < 1


def test_other_errors_are_not_waited_for(two: tuple[sqlite3.Connection, sqlite3.Connection]) -> None:
    _, other = two
    other.execute("BEGIN")
    with pytest.raises(sqlite3.OperationalError, match="within a transaction"):
        begin(other, 60)


def test_the_write_ahead_log_is_switched_on_once_nobody_is_in_the_way(
    two: tuple[sqlite3.Connection, sqlite3.Connection],
) -> None:
    one, other = two
    one.execute("BEGIN EXCLUSIVE")
    with pytest.raises(sqlite3.OperationalError):
        switch_to_wal(other, 0.01)
    timer = Timer(0.02, one.execute, ["COMMIT"])
    timer.start()
    switch_to_wal(other, 5)
    timer.join()
    switch_to_wal(one, 0)
    assert one.execute("PRAGMA journal_mode").fetchone() == ("wal",)
