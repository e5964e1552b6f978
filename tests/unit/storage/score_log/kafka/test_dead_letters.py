"""How letters fit into records. That they are stored, bounded and read is tests/contract/test_score_log_kafka.py's."""

from __future__ import annotations

import types
from typing import Any

import pytest

from storage.ports import DeadLetter, LogRecord
from storage.score_log.kafka.batch import size_of, total
from storage.score_log.kafka.config import KafkaLogConfig
from storage.score_log.kafka.dead_letters import MAX_CALL_BYTES, MAX_DETAIL_CHARS, MAX_REASON_CHARS, KafkaLetters
from storage.score_log.kafka.record_format import dead_letter

CONFIG = KafkaLogConfig("a:1", topic="scores", max_message_bytes=200_000)


def letters(calls: list[list[Any]]) -> KafkaLetters:
    async def offsets(call: Any) -> list[int]:
        return list(range(len(call)))

    def submit(call: Any, size: int) -> Any:
        assert size == total(call)
        calls.append(list(call))
        return call

    client: Any = types.SimpleNamespace(config=CONFIG)
    return KafkaLetters(client, submit, offsets)


def letter(**more: Any) -> DeadLetter:
    texts = {name: more.pop(name, "") for name in ("reason", "detail")}
    return DeadLetter(
        LogRecord(**{"partition": 3, "offset": 5, "time_ms": 9, "key": b"7", "value": b"{", **more}), **texts
    )


async def written(*given: DeadLetter) -> list[DeadLetter]:
    calls: list[list[Any]] = []
    await letters(calls).write(given)
    return [
        dead_letter(types.SimpleNamespace(offset=0, key=key, value=value, headers=headers))
        for call in calls
        for _, key, value, headers in call
    ]


async def test_a_letter_is_kept_as_it_is() -> None:
    whole = letter(signature="k:1", reply_to="replies:a", reason="malformed", detail="no JSON")
    largest = letter(value=b"x" * CONFIG.max_message_bytes, reason="too_big", detail="d" * MAX_DETAIL_CHARS)
    assert await written(whole, largest) == [whole, largest]


async def test_long_texts_are_cut() -> None:
    (kept,) = await written(letter(reason="r" * 5000, detail="\u4e2d" * 5000))
    assert (kept.reason, kept.detail) == ("r" * MAX_REASON_CHARS, "\u4e2d" * MAX_DETAIL_CHARS)


@pytest.mark.parametrize("name", ["signature", "reply_to"])
async def test_a_letter_always_fits_whatever_its_record_had_for_headers(name: str) -> None:
    """Each byte that is not UTF-8 is read as a character of three: such a letter was refused again and again."""
    calls: list[list[Any]] = []
    await letters(calls).write([letter(**{name: "\ufffd" * (CONFIG.max_message_bytes - 100)})])
    (((_, key, value, headers),),) = calls
    assert size_of(key, value, headers) <= CONFIG.max_letter_bytes


async def test_of_a_value_too_large_for_any_record_the_beginning_is_kept() -> None:
    """Of a log that once took larger ones."""
    value = bytes(range(256)) * 4096
    calls: list[list[Any]] = []
    await letters(calls).write([letter(value=value)])
    (((_, key, kept, headers),),) = calls
    assert CONFIG.max_letter_bytes - 100 < size_of(key, kept, headers) <= CONFIG.max_letter_bytes
    assert value.startswith(kept)


async def test_calls_are_bounded_and_in_order() -> None:
    calls: list[list[Any]] = []
    await letters(calls).write([letter(value=b"%03d" % n * 60_000) for n in range(30)])
    assert len(calls) == 2
    assert all(total(call) <= MAX_CALL_BYTES for call in calls)
    assert [int(value[:3]) for call in calls for _, _, value, _ in call] == list(range(30))


async def test_nothing_is_no_call() -> None:
    calls: list[list[Any]] = []
    await letters(calls).write([])
    assert calls == []
