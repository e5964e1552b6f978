"""What every SQLite file of ours needs: write-ahead logging switched on safely, and write transactions that wait politely."""

from __future__ import annotations

import sqlite3
import time


def begin(connection: sqlite3.Connection, wait_s: float) -> None:
    """Start a write transaction, waiting at most `wait_s` for other processes.

    Tried every half millisecond: SQLite's own busy handler sleeps up to 100 ms at a time, far longer than our
    transactions take.
    """
    _wait_for_lock(connection, "BEGIN IMMEDIATE", wait_s, 0.0005)


def switch_to_wal(connection: sqlite3.Connection, wait_s: float) -> None:
    """Make write-ahead logging the file's mode, unless it is. The switch takes a lock and does not heed the busy timeout."""
    _wait_for_lock(connection, "PRAGMA journal_mode = WAL", wait_s, 0.005)


def _wait_for_lock(connection: sqlite3.Connection, statement: str, wait_s: float, pause_s: float) -> None:
    deadline = time.monotonic() + wait_s
    while True:
        try:
            connection.execute(statement)
        except sqlite3.OperationalError as error:
            is_busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY  # the extended codes included
            if not is_busy or time.monotonic() >= deadline:
                raise
            time.sleep(pause_s)
        else:
            return
