"""Batches keep the order, hold no more than they may, and tell what failed."""

import asyncio
from collections.abc import Sequence

import pytest

from scripts.client.palio_client import BatchAnswer, BufferFullError, NoAnswerError, Rejected, Score, submitter
from scripts.client.palio_client.submitter import OnFull, OnRejected, Submitter


def score(number: int) -> Score:
    return Score(tournament_id="7", user_id="1", event_id=f"e{number}", score=number)


class Palio:
    """Takes batches; while `closed` it does not answer."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.open = asyncio.Event()
        self.open.set()
        self.failure: Exception | None = None
        self.refuses = ""

    async def send(self, scores: Sequence[Score]) -> BatchAnswer:
        self.batches.append([each.event_id for each in scores])
        await self.open.wait()
        if self.failure is not None:
            raise self.failure
        rejected = [
            Rejected(index=at, code="invalid") for at, each in enumerate(scores) if each.event_id == self.refuses
        ]
        return BatchAnswer(accepted=len(scores) - len(rejected), rejected=rejected)

    def submitter(self, most: int = 100, on_full: OnFull = "wait", on_rejected: OnRejected | None = None) -> Submitter:
        return Submitter(self.send, most, 0.0, on_full, on_rejected)


async def test_all_of_it_is_sent_in_order_before_the_block_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(submitter, "BATCH", 10)
    palio = Palio()
    async with palio.submitter() as scores:
        for number in range(35):
            await scores.put(score(number))
    assert [event for batch in palio.batches for event in batch] == [f"e{number}" for number in range(35)]
    assert max(map(len, palio.batches)) == 10
    assert (scores.accepted, scores.rejected, scores.waiting) == (35, 0, 0)


async def test_a_full_buffer_waits_and_loses_nothing() -> None:
    palio = Palio()
    palio.open.clear()
    async with palio.submitter(most=3) as scores:
        for number in range(3):
            await scores.put(score(number))
        fourth = asyncio.create_task(scores.put(score(3)))
        await asyncio.sleep(0.01)
        assert (fourth.done(), scores.waiting) == (False, 3)
        palio.open.set()
        await fourth
    assert scores.accepted == 4


async def test_or_it_raises() -> None:
    palio = Palio()
    palio.open.clear()
    async with palio.submitter(most=1, on_full="raise") as scores:
        await scores.put(score(0))
        with pytest.raises(BufferFullError, match="1 scores wait"):
            await scores.put(score(1))
        palio.open.set()
    assert scores.accepted == 1


async def test_what_is_rejected_is_told_and_the_rest_goes_on() -> None:
    palio, told = Palio(), []
    palio.refuses = "e1"
    async with palio.submitter(on_rejected=lambda each, code: told.append((each.event_id, code))) as scores:
        for number in range(3):
            await scores.put(score(number))
    assert (scores.accepted, scores.rejected, told) == (2, 1, [("e1", "invalid")])


async def test_a_batch_that_fails_for_good_ends_it() -> None:
    palio = Palio()
    palio.failure = NoAnswerError("gone")

    async def put(most: int, count: int) -> None:
        async with palio.submitter(most) as scores:
            for number in range(count):
                await scores.put(score(number))

    for most, count in ((1, 2), (9, 1)):  # `put` waits for room and hears of it; leaving the block does
        with pytest.raises(NoAnswerError, match="gone"):
            await put(most, count)
