"""Group commit: the one thread of a process that writes the log. Calls queue up, and all that is queued becomes one
transaction.

The queue is bounded by records and bytes; when full, a call is refused (`LogOverloadedError`), never blocked. After a
transaction the thread leaves the file alone for a window, in which other processes get their turn and this one's
queue fills; a call that comes later than that starts its transaction at once. The few statements of a transaction
matter: a thread that returns from SQLite waits for the GIL each time, 5 ms at worst in a busy process.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from storage.ports.errors import LogError, LogOverloadedError, LogUnavailableError
from storage.ports.score_log import NewRecord
from storage.score_log.sqlite.batch import BatchBuilder
from storage.score_log.sqlite.schema import LogFile, pack_offsets, translate_error, unpack_offsets
from storage.sqlite_files import begin

logger = logging.getLogger(__name__)

# A transaction takes no further call beyond this many records, so that other processes and the disk get their turn.
MAX_GROUP_RECORDS = 4_096
# Jobs (commits, prunings, dead letters) waiting at most; each process has a few at a time.
MAX_QUEUED_JOBS = 1_000

Job = Callable[[sqlite3.Connection], Any]


class Entry:
    """A call waiting to be written: either records or a job."""

    __slots__ = ("error", "future", "job", "records", "result", "size", "taken")

    def __init__(self, records: Sequence[NewRecord], size: int, job: Job | None) -> None:
        self.future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.records = records
        self.size = size
        self.job = job
        self.taken = False
        self.result: Any = None
        self.error: BaseException | None = None


class LogWriter:
    """See the module. `lock_wait_s` bounds how long a transaction waits for other processes."""

    def __init__(
        self,
        file: LogFile,
        *,
        max_queued: int,
        max_queued_bytes: int,
        window_s: float,
        lock_wait_s: float,
        clock_ms: Callable[[], int],
    ) -> None:
        self._file = file
        self._max_queued = max_queued
        self._max_queued_bytes = max_queued_bytes
        self._window_s = window_s
        self._lock_wait_s = lock_wait_s
        self._clock_ms = clock_ms
        self._queue: deque[Entry] = deque()
        self._jobs = 0
        self._records = 0
        self._bytes = 0
        self._wake = threading.Condition()
        self._waiting = False
        self._stopping = False
        self._thread: threading.Thread | None = None
        self._connection: sqlite3.Connection | None = None

    @property
    def queued(self) -> int:
        """Records waiting for a transaction."""
        return self._records

    def submit(self, records: Sequence[NewRecord], size: int) -> Entry:
        """Queue one call of `size` bytes.

        Its future gets the offsets. Raises LogOverloadedError, LogUnavailableError when closed.
        """
        return self._enqueue(Entry(records, size, None))

    def submit_job(self, job: Job) -> Entry:
        """Queue a function to run in a write transaction of its own. Its future gets what the function returns."""
        return self._enqueue(Entry((), 0, job))

    def _enqueue(self, entry: Entry) -> Entry:
        count = len(entry.records)
        with self._wake:
            if self._stopping:
                raise LogUnavailableError("the log is closed")
            if (
                self._records + count > self._max_queued
                or self._bytes + entry.size > self._max_queued_bytes
                or self._jobs >= MAX_QUEUED_JOBS
            ):
                raise LogOverloadedError(f"{self._records} records wait to be appended, at most {self._max_queued} may")
            self._queue.append(entry)
            self._records += count
            self._bytes += entry.size
            self._jobs += entry.job is not None
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="score-log-writer", daemon=True)
                self._thread.start()
            elif self._waiting:
                self._wake.notify()
        return entry

    def withdraw(self, entry: Entry) -> bool:
        """Take a call back; False when the writer already has it, so that its outcome is undecided."""
        with self._wake:
            if entry.taken:
                return False
            if entry in self._queue:  # else it was withdrawn before
                self._queue.remove(entry)
                self._release(entry)
            return True

    def _release(self, entry: Entry) -> None:
        self._records -= len(entry.records)
        self._bytes -= entry.size
        self._jobs -= entry.job is not None

    def stop(self) -> threading.Thread | None:
        """Take no more calls; the thread returned ends once all that was accepted is written."""
        with self._wake:
            self._stopping = True
            self._wake.notify()
            return self._thread

    # The thread.

    def _run(self) -> None:
        rest_until = 0.0
        while True:
            with self._wake:
                while not self._queue and not self._stopping:
                    self._waiting = True
                    self._wake.wait()
                    self._waiting = False
                if not self._queue:
                    break
            rest = rest_until - time.monotonic()
            if rest > 0:
                time.sleep(rest)
            appends, jobs = self._take()
            if appends:
                self._write_appends(appends)
                _deliver(appends)
            for entry in jobs:
                self._write_job(entry)
                _deliver([entry])
            rest_until = time.monotonic() + self._window_s
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _take(self) -> tuple[list[Entry], list[Entry]]:
        appends: list[Entry] = []
        jobs: list[Entry] = []
        count = 0
        with self._wake:
            while self._queue and count < MAX_GROUP_RECORDS:
                entry = self._queue.popleft()
                self._release(entry)
                entry.taken = True
                count += len(entry.records)
                (appends if entry.job is None else jobs).append(entry)
        return appends, jobs

    def _write_appends(self, entries: list[Entry]) -> None:
        def write(connection: sqlite3.Connection) -> list[list[int]]:
            seq, last_ms, heads = connection.execute(
                "SELECT seq, time_ms, heads FROM batches ORDER BY seq DESC LIMIT 1"
            ).fetchone()
            batch = BatchBuilder(unpack_offsets(heads))
            offsets = [batch.add(entry.records) for entry in entries]
            row = (seq + 1, max(self._clock_ms(), last_ms), pack_offsets(batch.heads), batch.encode())
            connection.execute("INSERT INTO batches VALUES (?, ?, ?, ?)", row)
            return offsets

        results, error = self._transaction(write)
        for i, entry in enumerate(entries):
            entry.result = results[i] if error is None else None
            entry.error = error

    def _write_job(self, entry: Entry) -> None:
        assert entry.job is not None
        entry.result, entry.error = self._transaction(entry.job)

    def _transaction(self, work: Job) -> tuple[Any, BaseException | None]:
        """Run `work` in a write transaction.

        Returns its result, or the error to hand to whoever waits: this thread must go on.
        """
        committing = False
        try:
            if self._connection is None:
                self._connection = self._file.connect(busy_ms=0)
            begin(self._connection, self._lock_wait_s)
            result = work(self._connection)
            committing = True
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            self._roll_back()
            return None, translate_error(error, self._file.path, committing=committing)
        except Exception as error:
            self._roll_back()
            return None, error
        return result, None

    def _roll_back(self) -> None:
        connection = self._connection
        if connection is None:
            return
        try:
            if connection.in_transaction:  # SQLite itself rolls back on some errors
                connection.execute("ROLLBACK")
        except sqlite3.Error as error:
            logger.warning("reopening %s: a failed transaction could not be rolled back: %s", self._file.path, error)
            connection.close()
            self._connection = None


def _deliver(entries: list[Entry]) -> None:
    """Hand results to the event loop that waits for them: one wake-up for all of them."""
    try:
        entries[0].future.get_loop().call_soon_threadsafe(_settle, entries)
    except RuntimeError:  # that loop is closed: nobody waits there any more
        logger.info("%d calls ended after their event loop", len(entries))


def _settle(entries: list[Entry]) -> None:
    for entry in entries:
        if entry.future.done():  # cancelled or timed out
            continue
        if entry.error is None:
            entry.future.set_result(entry.result)
        else:
            # One error object may belong to many calls: each gets its own, or their tracebacks would grow into each
            # other.
            entry.future.set_exception(_copy(entry.error))


def _copy(error: BaseException) -> BaseException:
    if isinstance(error, LogError):
        return type(error)(str(error))
    return error
