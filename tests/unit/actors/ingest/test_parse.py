"""Reading log records: what becomes an item, and what becomes a dead letter with which reason."""

from __future__ import annotations

from typing import Any

import pytest

from actors.domain.delivery import ControlItem, Item, ResultItem, ScoreItem
from actors.domain.messages import Claim, Join, Message, Tick, encode_message, encode_score, encode_submission
from actors.domain.signing import Signer
from actors.domain.values import partition_of
from actors.ingest.parse import Misplaced, Parsed, Parser
from storage.ports import DeadLetter, LogRecord

PARTITIONS = 50
TOURNAMENT = 42
ITS_PARTITION = partition_of(TOURNAMENT, PARTITIONS)
SIGNER = Signer({"k1": b"secret"}, "k1")


def parse(
    value: bytes, *, key: bytes = b"42", partition: int = ITS_PARTITION, signature: str = "", moved_from: str = ""
) -> Parsed | Misplaced | DeadLetter:
    record = LogRecord(partition, 7, 1000, key, value, signature, "replies:x", moved_from)
    return Parser(SIGNER, PARTITIONS).parse(record)


def item(value: bytes, **record: Any) -> Item:
    parsed = parse(value, **record)
    assert isinstance(parsed, Parsed)
    return parsed.item


def refusal(value: bytes, **record: Any) -> str:
    letter = parse(value, **record)
    assert isinstance(letter, DeadLetter)
    return letter.reason


def signed(message: Message) -> tuple[bytes, str]:
    value = encode_message(message)
    return value, SIGNER.sign(b"42", value)


def test_a_score_becomes_an_item() -> None:
    assert item(encode_score("e1", 5, -1250)) == ScoreItem(7, 1000, TOURNAMENT, 5, "e1", -1250, "replies:x")


def test_a_signed_control_record_keeps_its_bytes() -> None:
    value, signature = signed(Join(command_id="c", user_id="5"))
    found = item(value, signature=signature)
    assert found == ControlItem(7, 1000, TOURNAMENT, Join(command_id="c", user_id="5"), "replies:x")


def test_a_tick_needs_no_signature() -> None:
    tick = item(encode_message(Tick()))
    assert isinstance(tick, ControlItem)
    assert tick.message == Tick()


@pytest.mark.parametrize(
    ("value", "key", "partition", "reason"),
    [
        (b"{", b"42", ITS_PARTITION, "malformed"),
        (b"[]", b"42", ITS_PARTITION, "malformed"),
        (b'{"v":2,"type":"score","event_id":"e","user_id":"5","score":1}', b"42", ITS_PARTITION, "malformed"),
        (b'{"v":1,"type":"score","event_id":"e","user_id":"5","score":1.005}', b"42", ITS_PARTITION, "malformed"),
        (b'{"v":1,"type":"score","event_id":"e","user_id":"5","score":1e9}', b"42", ITS_PARTITION, "malformed"),
        (b'{"v":1,"type":"score","event_id":"e","user_id":"5","score":true}', b"42", ITS_PARTITION, "malformed"),
        (b'{"v":1,"type":"score","event_id":"e","user_id":"0","score":1}', b"42", ITS_PARTITION, "malformed"),
        (b'{"v":1,"type":"score","event_id":"","user_id":"5","score":1}', b"42", ITS_PARTITION, "malformed"),
        (b'{"v":1,"type":"score","event_id":"e","user_id":"5","score":1,"x":1}', b"42", ITS_PARTITION, "malformed"),
        (encode_score("e", 5, 1), b"forty-two", ITS_PARTITION, "malformed"),
        (encode_score("e", 5, 1), b"", ITS_PARTITION, "malformed"),
        (encode_message(Tick()), b"42", (ITS_PARTITION + 1) % PARTITIONS, "wrong_partition"),
        (encode_message(Join(command_id="c", user_id="5")), b"42", ITS_PARTITION, "unsigned"),
        (b" " * 65_537, b"42", ITS_PARTITION, "too_big"),
    ],
)
def test_what_cannot_be_applied_is_a_dead_letter(value: bytes, key: bytes, partition: int, reason: str) -> None:
    letter = parse(value, key=key, partition=partition)
    assert isinstance(letter, DeadLetter)
    assert letter.reason == reason
    assert letter.detail


def test_a_signature_of_another_record_does_not_serve() -> None:
    value, _ = signed(Join(command_id="c", user_id="5"))
    _, other = signed(Join(command_id="c", user_id="6"))
    assert refusal(value, signature=other) == "unsigned"


WRONG = (ITS_PARTITION + 1) % PARTITIONS


def test_a_score_in_the_wrong_partition_is_to_be_moved_to_its_own_also_when_the_key_is_known() -> None:
    parser = Parser(SIGNER, PARTITIONS)
    value = encode_score("e", 5, 1)
    assert isinstance(parser.parse(LogRecord(ITS_PARTITION, 0, 0, b"42", value)), Parsed)
    record = LogRecord(WRONG, 0, 0, b"42", value)
    assert parser.parse(record) == Misplaced(record, ITS_PARTITION)


def test_but_not_twice_and_nothing_but_a_score() -> None:
    assert refusal(encode_score("e", 5, 1), partition=WRONG, moved_from="3/9") == "wrong_partition"
    assert item(encode_score("e", 5, 1), moved_from="3/9")
    value, signature = signed(Join(command_id="c", user_id="5"))
    assert refusal(value, signature=signature, partition=WRONG) == "wrong_partition"


def test_what_is_no_score_that_could_count_is_not_moved() -> None:
    assert refusal(b'{"v":1,"type":"score","event_id":"e","user_id":"5","score":1.005}', partition=WRONG) == "malformed"
    assert refusal(encode_score("e", 5, 1), key=b"forty-two", partition=WRONG) == "malformed"


def test_a_claim_belongs_to_the_partition_that_it_names() -> None:
    claim = Claim(command_id="c", scope="partition-3", owner="shard-0", instance="i")
    value = encode_message(claim)
    signature = SIGNER.sign(b"partition-3", value)
    assert item(value, key=b"partition-3", partition=3, signature=signature).tournament_id == 0
    assert refusal(value, key=b"partition-3", partition=4, signature=signature) == "wrong_partition"


def test_a_submission_of_more_than_a_score() -> None:
    value = encode_submission("e1", 5, None, None, b'{"correct":7}')
    assert item(value) == ResultItem(7, 1000, TOURNAMENT, 5, "e1", 0, "replies:x", None, b'{"correct":7}')
    value = encode_submission("e1", 5, 250, -100)
    assert item(value) == ResultItem(7, 1000, TOURNAMENT, 5, "e1", 250, "replies:x", -100, b"")


@pytest.mark.parametrize(
    "value",
    [
        b'{"type":"score","v":1,"event_id":"e","user_id":"5"}',
        b'{"type":"score","v":1,"event_id":"e","user_id":"5","subscore":1}',
        b'{"type":"score","v":1,"event_id":"e","user_id":"5","score":1,"result":{}}',
        b'{"type":"score","v":1,"event_id":"e","user_id":"5","score":1,"subscore":0.001}',
        b'{"type":"score","v":1,"event_id":"e","user_id":"x","result":{}}',
    ],
)
def test_parts_that_do_not_go_together_are_malformed(value: bytes) -> None:
    assert refusal(value) == "malformed"


EVENT = (
    b'{"specversion":"1.0","type":"palio.score.submitted","source":"/game","id":"1","subject":"%s",'
    b'"data":{"user_id":"5","score":12.5}}'
)


@pytest.mark.parametrize("key", [b"42", b"", b"user-5", b"\xff"])
def test_a_cloud_event_is_a_score_of_its_subject_whatever_its_key(key: bytes) -> None:
    found = item(EVENT % b"42", key=key)
    assert isinstance(found, ScoreItem)
    assert (found.tournament_id, found.user_id, found.score, found.reply_to) == (TOURNAMENT, 5, 1250, "replies:x")
    assert item(EVENT % b"42").event_id == found.event_id  # type: ignore[union-attr]  # a score


def test_a_cloud_event_in_another_partition_is_moved_as_a_record_of_palios_own() -> None:
    moved = parse(EVENT % b"42", key=b"", partition=(ITS_PARTITION + 1) % PARTITIONS)
    assert isinstance(moved, Misplaced)
    assert (moved.partition, moved.record.key) == (ITS_PARTITION, b"42")
    assert item(moved.record.value, moved_from="1/7") == item(EVENT % b"42")


@pytest.mark.parametrize(
    "value",
    [
        EVENT % b"none",
        EVENT % b"",
        (EVENT % b"42").replace(b'"5"', b'"x"'),
        (EVENT % b"42").replace(b"12.5", b"1.005"),
        (EVENT % b"42").replace(b'"user_id":"5",', b""),
        (EVENT % b"42").replace(b"submitted", b"other"),
        (EVENT % b"42").replace(b'"id":"1",', b""),
    ],
)
def test_a_cloud_event_that_is_wrong_is_a_dead_letter_as_it_came(value: bytes) -> None:
    letter = parse(value)
    assert isinstance(letter, DeadLetter)
    assert (letter.reason, letter.record.value) == ("malformed", value)


def test_a_cloud_event_without_a_subject_is_of_its_key() -> None:
    found = item((EVENT % b"42").replace(b'"subject":"42",', b""))
    assert isinstance(found, ScoreItem)
    assert found.tournament_id == TOURNAMENT
