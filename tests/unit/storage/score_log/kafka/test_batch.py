from __future__ import annotations

import asyncio

import pytest
from aiokafka.record.default_records import DefaultRecordBatch

from storage.score_log.kafka.batch import LAST_SEQUENCE, Entry, Lane, Waiting, size_of, total
from storage.score_log.kafka.record_format import NO_HEADERS

ONE, TWO = (100, 0), (200, 0)
MAX_BYTES = 1 << 20


@pytest.fixture
def lane() -> Lane:
    return Lane("scores", 3)


def entry(lane: Lane, *values: bytes) -> Entry:
    """A call whose records wait in the lane."""
    made = Entry(asyncio.get_running_loop().create_future(), len(values), 0)
    lane.queue.extend(Waiting(made, place, b"7", value, NO_HEADERS) for place, value in enumerate(values))
    return made


def values(lane: Lane) -> list[bytes]:
    return [waiting.value for waiting in lane.queue]


def numbered(lane: Lane) -> tuple[int, int, int]:
    """(producer id, epoch, first sequence number) of the lane's batch as a broker reads it."""
    assert lane.batch is not None
    batch = DefaultRecordBatch(lane.batch.data)
    assert batch.validate_crc()
    assert (batch.magic, batch.compression_type, batch.is_transactional) == (2, 0, False)
    return batch.producer_id, batch.producer_epoch, batch.base_sequence


async def test_a_batch_takes_what_waits_and_numbers_it(lane: Lane) -> None:
    first, second = entry(lane, b"a", b"b"), entry(lane, b"c")
    batch, passed = lane.build(ONE, MAX_BYTES, 5)
    assert batch is lane.batch
    assert batch is not None
    assert passed == []
    assert [(w.entry, w.place) for w in batch.records] == [(first, 0), (first, 1), (second, 0)]
    assert [record.value for record in DefaultRecordBatch(batch.data)] == [b"a", b"b", b"c"]
    assert (numbered(lane), lane.sequence, values(lane)) == ((100, 0, 0), 3, [])
    assert first.taken
    assert batch.wanted
    entry(lane, b"d")
    lane.build(ONE, MAX_BYTES, 5)
    assert numbered(lane) == (100, 0, 3)


async def test_another_producer_id_counts_from_nought(lane: Lane) -> None:
    entry(lane, b"a")
    lane.build(ONE, MAX_BYTES, 5)
    entry(lane, b"b")
    lane.build(TWO, MAX_BYTES, 5)
    assert (numbered(lane), lane.sequence) == ((200, 0, 0), 1)


async def test_sequence_numbers_begin_again_after_the_last(lane: Lane) -> None:
    lane.producer, lane.sequence = ONE, LAST_SEQUENCE
    entry(lane, b"a", b"b")
    lane.build(ONE, MAX_BYTES, 5)
    assert (numbered(lane)[2], lane.sequence) == (LAST_SEQUENCE, 1)


async def test_a_batch_is_bounded(lane: Lane) -> None:
    waiting = entry(lane, *([b"x" * 400] * 4))
    batch, _ = lane.build(ONE, 1000, 5)
    assert batch is not None
    assert (len(batch.records), len(lane.queue), lane.sequence) == (2, 2, 2)
    assert len(batch.data) <= 1000
    assert [w.place for w in lane.queue] == [2, 3]
    assert waiting.taken


async def test_calls_that_have_ended_are_passed_over(lane: Lane) -> None:
    gone, there, also_gone = entry(lane, b"a", b"b"), entry(lane, b"c"), entry(lane, b"d")
    gone.future.cancel()
    also_gone.future.set_result([])
    batch, passed = lane.build(ONE, MAX_BYTES, 5)
    assert batch is not None
    assert [w.entry for w in batch.records] == [there]
    assert [w.value for w in passed] == [b"a", b"b", b"d"]
    assert not gone.taken
    there.future.cancel()
    assert not batch.wanted


async def test_nothing_to_take_is_no_batch(lane: Lane) -> None:
    entry(lane, b"a").future.cancel()
    batch, passed = lane.build(ONE, MAX_BYTES, 5)
    assert (batch, len(passed), lane.batch, lane.sequence) == (None, 1, None, 0)


async def test_what_was_surely_not_appended_is_built_again_in_its_order(lane: Lane) -> None:
    entry(lane, b"a", b"b")
    lane.build(ONE, MAX_BYTES, 5)
    entry(lane, b"c")
    lane.unbuild()
    assert (values(lane), lane.batch, lane.barred) == ([b"a", b"b", b"c"], None, ONE)
    lane.build(TWO, MAX_BYTES, 5)
    assert (numbered(lane), values(lane)) == ((200, 0, 0), [])


async def test_a_barred_lane_lets_go_of_its_batch(lane: Lane) -> None:
    entry(lane, b"a")
    lane.build(ONE, MAX_BYTES, 5)
    entry(lane, b"b")
    lane.bar()
    assert (values(lane), lane.batch, lane.barred, lane.producer) == ([b"b"], None, ONE, None)


async def test_a_call_is_taken_out_of_the_queue(lane: Lane) -> None:
    first, second, third = entry(lane, b"a", b"b"), entry(lane, b"c"), entry(lane, b"d")
    lane.queue.append(Waiting(first, 2, b"7", b"e", NO_HEADERS))  # also behind others
    assert lane.remove(first) == 3
    assert values(lane) == [b"c", b"d"]
    assert lane.remove(first) == 0
    assert lane.remove(third) == 1
    assert (lane.remove(second), values(lane)) == (1, [])


def test_sizes() -> None:
    headers = [("palio-signature", b"k:1234")]
    lane = Lane("scores", 0)
    assert total([(lane, b"key", b"value", headers), (lane, b"", b"1", [])]) == 3 + 5 + 15 + 6 + 1
    assert size_of(b"k" * 10, b"v" * 1000, headers) >= 1010 + 15 + 6 + 61
