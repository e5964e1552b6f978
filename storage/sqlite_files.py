"""What every SQLite file of ours needs: write-ahead logging switched on safely, and write transactions that wait politely."""

from __future__ import annotations

import sqlite3
import time


def is_busy(error: sqlite3.Error) -> bool:
    """Whether another connection holds the lock (the extended codes of SQLITE_BUSY included)."""
    return (getattr(error, "sqlite_errorcode", 0) or 0) & 0xFF == sqlite3.SQLITE_BUSY


def begin(connection: sqlite3.Connection, wait_s: float) -> None:
    """Start a write transaction, waiting at most `wait_s` for other processes.

    Tried every half millisecond: SQLite's own busy handler sleeps up to 100 ms at a time, far longer than our
    transactions take.
    """
    deadline = time.monotonic() + wait_s
    while True:
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if not is_busy(error) or time.monotonic() >= deadline:
                raise
            time.sleep(0.0005)
        else:
            return


def switch_to_wal(connection: sqlite3.Connection, wait_s: float) -> None:
    """Make write-ahead logging the file's mode, unless it is. The switch takes a lock and does not heed the busy timeout."""
    deadline = time.monotonic() + wait_s
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if not is_busy(error) or time.monotonic() >= deadline:
                raise
            time.sleep(0.005)
        else:
            return
