from __future__ import annotations

import logging
from collections.abc import Sequence

import pytest

from actors.ingest.dead_letters import DeadLetters
from storage.ports import DeadLetter, LogRecord, LogUnavailableError, NewRecord
from tests.support.memory_ports import MemoryScoreLog


class Log(MemoryScoreLog):
    """Takes letters while `takes`; `stored` are those it took."""

    def __init__(self) -> None:
        super().__init__(1, clock_ms=lambda: 1)
        self.takes = True
        self.stored: list[DeadLetter] = []
        self.letters: DeadLetters | None = None

    async def dead_letter(self, letters: Sequence[DeadLetter]) -> None:
        if self.letters is not None:  # more come while these are on their way
            for offset in range(100, 103):
                self.letters.add(letter(offset))
        if not self.takes:
            raise LogUnavailableError("away")
        self.stored += letters


def letter(offset: int) -> DeadLetter:
    return DeadLetter(LogRecord(0, offset, 1, b"7", b"x", "", ""), "malformed", "no JSON")


def offsets(letters: Sequence[DeadLetter]) -> list[int]:
    return [each.record.offset for each in letters]


async def test_letters_are_stored_once_in_order_and_told(caplog: pytest.LogCaptureFixture) -> None:
    log = Log()
    letters = DeadLetters(log, 10)
    with caplog.at_level(logging.WARNING):
        for offset in (5, 3):
            letters.add(letter(offset))
    assert "partition 0 offset 5: malformed: no JSON" in caplog.text
    await letters.flush()
    await letters.flush()
    assert offsets(log.stored) == [5, 3]
    assert letters.total == 2


async def test_they_wait_while_the_log_takes_none() -> None:
    log = Log()
    letters = DeadLetters(log, 10)
    log.takes = False
    for offset in range(3):
        letters.add(letter(offset))
        await letters.flush()
    log.takes = True
    await letters.flush()
    assert offsets(log.stored) == [0, 1, 2]


async def test_no_more_wait_than_the_bound_the_oldest_going_first() -> None:
    log = Log()
    letters = DeadLetters(log, 3)
    for offset in range(5):
        letters.add(letter(offset))
    assert letters.total == 5
    await letters.flush()
    assert offsets(log.stored) == [2, 3, 4]


async def test_nor_when_more_come_while_others_are_refused() -> None:
    log = Log()
    letters = DeadLetters(log, 4)
    for offset in range(4):
        letters.add(letter(offset))
    log.takes, log.letters = False, letters
    await letters.flush()
    assert len(letters._waiting) == 4
    log.takes, log.letters = True, None
    await letters.flush()
    assert offsets(log.stored) == [3, 100, 101, 102]


async def test_what_an_owner_rejected_is_read_again() -> None:
    log = Log()
    await log.append([NewRecord(0, b"7", b"first"), NewRecord(0, b"7", b"second")])
    letters = DeadLetters(log, 10)
    await letters.reject(0, 1, "unknown_tournament", "there is none")
    (stored,) = log.stored
    assert (stored.record.offset, stored.record.value) == (1, b"second")
    assert (stored.reason, stored.detail) == ("unknown_tournament", "there is none")


async def test_what_cannot_be_read_again_is_told(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = Log()
    letters = DeadLetters(log, 10)
    await letters.reject(0, 7, "unknown_tournament", "")  # beyond the end
    assert log.stored == []

    async def away(*_: object) -> None:
        raise LogUnavailableError("away")

    monkeypatch.setattr(log, "read", away)
    with caplog.at_level(logging.WARNING):
        await letters.reject(0, 1, "unknown_tournament", "")
    assert "0/1 (unknown_tournament) could not be read again: away" in caplog.text
    assert (log.stored, letters.total) == ([], 0)
