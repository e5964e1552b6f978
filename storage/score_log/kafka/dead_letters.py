"""Dead letters: a topic of one partition, key and value as they were, the rest in headers (see `score_log_kafka_records`).

Bounded twice: by the topic's retention, and by number, for which the oldest are deleted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Final

from aiokafka.protocol.admin import DeleteRecordsRequest

from storage.ports.score_log import DeadLetter
from storage.score_log.kafka.batch import Entry, Lane, size_of, total
from storage.score_log.kafka.client import EARLIEST, LATEST, NO_ERROR, OFFSET_OUT_OF_RANGE, KafkaClient, RetriableError
from storage.score_log.kafka.reader import MAX_FETCH_BYTES
from storage.score_log.kafka.record_format import batches, dead_letter, letter_headers

MAX_REASON_CHARS: Final = 100
MAX_DETAIL_CHARS: Final = 4_000
# Bytes of letters in one call of the producer.
MAX_CALL_BYTES: Final = 4 << 20


async def delete_before(client: KafkaClient, topic: str, offsets: dict[int, int]) -> dict[int, int]:
    """Delete the records below an offset of each partition; returns where each starts now. Raises LogError, LogUnavailableError."""

    async def attempt() -> dict[int, int]:
        starts: dict[int, int] = {}
        timeout_ms = client.config.request_timeout_ms
        replies = await client.to_leaders(
            topic, offsets, lambda own: DeleteRecordsRequest([(topic, [(p, offsets[p]) for p in own])], timeout_ms)
        )
        for reply in replies:
            for part in reply.topics:
                for entry in part[1]:
                    partition, start, code = entry[:3]
                    await client.check(code, f"deleting from partition {partition} of {topic}")
                    starts[partition] = start
        return starts

    return await client.retried(attempt) if offsets else {}


class KafkaLetters:
    """See the module. `submit` hands a call to the producer."""

    def __init__(
        self, client: KafkaClient, submit: Callable[[Sequence[Any], int], Entry], wait: Callable[[Entry], Any]
    ) -> None:
        self._client = client
        self._config = client.config
        self._topic = client.config.letters_topic
        self._lane = Lane(self._topic, 0)
        self._submit = submit
        self._wait = wait
        self._kept_from = 0  # what is older was deleted by us

    async def write(self, letters: Sequence[DeadLetter]) -> None:
        """Store letters durably, in calls of bounded size. Raises LogUnavailableError: some may be stored."""
        call: list[tuple[Lane, bytes, bytes, Any]] = []
        size = 0
        last = -1
        for letter in letters:
            record = self._fitting(letter)
            if call and size + total([record]) > MAX_CALL_BYTES:
                last = await self._flush(call)
                call, size = [], 0
            call.append(record)
            size += total([record])
        if call:
            last = await self._flush(call)
        # In steps of a tenth, so that not each letter costs a deletion.
        most = self._config.max_dead_letters
        if last + 1 - self._kept_from > most + most // 10:
            starts = await delete_before(self._client, self._topic, {0: last + 1 - most})
            self._kept_from = starts[0]

    async def _flush(self, call: list[tuple[Lane, bytes, bytes, Any]]) -> int:
        offsets: list[int] = await self._wait(self._submit(call, total(call)))
        return offsets[-1]

    def _fitting(self, letter: DeadLetter) -> tuple[Lane, bytes, bytes, Any]:
        """A letter as a record: texts are cut, and of a value that no record could hold the beginning is kept."""
        record = letter.record._replace(  # cut, too: what is not UTF-8 in a record's headers was read as thrice as many bytes
            signature=letter.record.signature[:MAX_DETAIL_CHARS],
            reply_to=letter.record.reply_to[:MAX_DETAIL_CHARS],
            moved_from=letter.record.moved_from[:MAX_DETAIL_CHARS],
        )
        letter = DeadLetter(record, letter.reason[:MAX_REASON_CHARS], letter.detail[:MAX_DETAIL_CHARS])
        headers = letter_headers(letter)
        over = size_of(record.key, record.value, headers) - self._config.max_letter_bytes
        value = record.value if over <= 0 else record.value[: max(0, len(record.value) - over)]
        return self._lane, record.key, value, headers

    async def newest(self, limit: int) -> list[DeadLetter]:
        """The newest letters, newest first, at most `max_dead_letters`. Raises LogUnavailableError."""
        found: list[DeadLetter] = []
        starts, ends = await asyncio.gather(
            self._client.list_offsets(self._topic, {0: EARLIEST}), self._client.list_offsets(self._topic, {0: LATEST})
        )
        end = ends[0]
        at = max(starts[0], end - min(limit, self._config.max_dead_letters))
        while at < end:
            following, letters = await self._client.retried(lambda at=at: self._fetch(at))  # type: ignore[misc]
            if following <= at:
                break  # deleted meanwhile
            found += letters
            at = following
        return found[: -limit - 1 : -1]

    async def _fetch(self, at: int) -> tuple[int, list[DeadLetter]]:
        by_node = await self._client.leaders(self._topic, [0])
        (part,) = await self._client.fetch(next(iter(by_node)), self._topic, {0: at}, 0, MAX_FETCH_BYTES)
        if part.error_code == OFFSET_OUT_OF_RANGE:
            return at, []
        if part.error_code != NO_ERROR:
            await self._client.check(part.error_code, "reading dead letters")
        following = at
        letters: list[DeadLetter] = []
        for last, records in batches(part.data, at - 1, self._topic):
            letters += map(dead_letter, records)
            following = last + 1
        if following == at:
            raise RetriableError(f"{self._topic} gave nothing at {at}")
        return following, letters
