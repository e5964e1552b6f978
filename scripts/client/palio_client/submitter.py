"""Gathers scores that come one by one into batches, with a bounded buffer."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from itertools import islice
from typing import Final, Literal

from .errors import BufferFullError
from .requests import Score
from .results import BatchAnswer

OnFull = Literal["wait", "raise"]
OnRejected = Callable[[Score, str], None]
BATCH: Final = 1000


class Submitter:
    """`async with palio.submitter() as scores: await scores.put(Score(...))`: leaving the block waits until all of it is in the log.

    Batches go one after another, so the log has the scores in the order in which they were put. A batch goes as soon as the one before is
    answered, at first after `linger_s`. At most `max_waiting` scores wait: beyond that `put` waits (policy `wait`, the default), or raises
    BufferFullError (policy `raise`); none is ever dropped. What Palio rejects for good is counted in `rejected` and told to
    `on_rejected(score, code)`. When a batch fails for good, `put` and `flush` raise that error, and so does leaving the block. What waits when
    an error leaves the block is given up.
    """

    def __init__(
        self,
        send: Callable[[Sequence[Score]], Awaitable[BatchAnswer]],
        max_waiting: int,
        linger_s: float,
        on_full: OnFull,
        on_rejected: OnRejected | None,
    ) -> None:
        self.accepted = 0
        self.rejected = 0
        self._send = send
        self._max_waiting = max_waiting
        self._linger_s = linger_s
        self._on_full = on_full
        self._on_rejected = on_rejected
        self._waiting: deque[Score] = deque()  # those of the batch under way stay in it until they are answered
        self._changed = asyncio.Condition()
        self._failure: Exception | None = None
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Submitter:
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        assert self._task is not None
        try:
            if kind is None:
                await self.flush()
        finally:
            self._task.cancel()
            await asyncio.wait([self._task])

    @property
    def waiting(self) -> int:
        """How many are not in the log yet."""
        return len(self._waiting)

    async def put(self, score: Score) -> None:
        """Take a score; it is in the log after the next `flush`."""
        async with self._changed:
            self._raise_failure()
            if len(self._waiting) >= self._max_waiting and self._on_full == "raise":
                raise BufferFullError(f"{len(self._waiting)} scores wait, and no more may")
            await self._changed.wait_for(lambda: len(self._waiting) < self._max_waiting or self._failure is not None)
            self._raise_failure()
            self._waiting.append(score)
            self._changed.notify_all()

    async def flush(self) -> None:
        """Wait until all that was put is in the log."""
        async with self._changed:
            await self._changed.wait_for(lambda: not self._waiting or self._failure is not None)
            self._raise_failure()

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure

    async def _run(self) -> None:
        try:
            while True:
                async with self._changed:
                    await self._changed.wait_for(lambda: bool(self._waiting))
                if len(self._waiting) < BATCH:
                    await asyncio.sleep(self._linger_s)
                batch = list(islice(self._waiting, BATCH))
                answer = await self._send(batch)
                self.accepted += answer.accepted
                self.rejected += len(answer.rejected)
                if self._on_rejected is not None:
                    for item in answer.rejected:
                        self._on_rejected(batch[item.index], item.code)
                async with self._changed:
                    for _ in batch:
                        self._waiting.popleft()
                    self._changed.notify_all()
        except Exception as failure:
            async with self._changed:
                self._failure = failure
                self._changed.notify_all()
