"""Reads a log record into what its owner applies, or into a dead letter with the reason (rule 9)."""

from __future__ import annotations

from typing import Final, NamedTuple

from msgspec import UNSET

from actors.domain.delivery import ControlItem, Item, ResultItem, ScoreItem
from actors.domain.errors import InvalidRecordError
from actors.domain.messages import (
    Claim,
    ScoreEvent,
    ScoreWire,
    Tick,
    decode_value,
    encode_message,
    event_wire,
    score_values,
    submission_values,
)
from actors.domain.signing import Signer
from actors.domain.values import parse_id, partition_of
from storage.ports import DeadLetter, LogRecord

KEYS_KEPT: Final = 65_536  # parsed keys remembered: murmur2 in Python costs 5 us


class Parsed(NamedTuple):
    """A decoded record."""

    partition: int
    item: Item


class Misplaced(NamedTuple):
    """A score that lies in another partition than that of its tournament, which is `partition`. Nobody has moved it yet."""

    record: LogRecord
    partition: int


class Parser:
    """`partitions` is the log's number of partitions."""

    def __init__(self, signer: Signer, partitions: int) -> None:
        self._signer = signer
        self._partitions = partitions
        self._keys: dict[bytes, tuple[int, int]] = {}  # key -> (tournament, its partition)

    def parse(self, record: LogRecord) -> Parsed | Misplaced | DeadLetter:
        """One record. Never raises for what is in it."""
        try:
            return self._parse(record)
        except InvalidRecordError as error:
            return DeadLetter(record, error.reason, error.detail)

    def _parse(self, record: LogRecord) -> Parsed | Misplaced:
        message = decode_value(record.value)
        if isinstance(message, ScoreWire):
            if message.result is not UNSET or message.subscore is not UNSET:
                return self._parse_submission(record, message)
            user_id, score = score_values(message)
            tournament_id, partition = self._keys.get(record.key) or self._tournament(record)
            if partition != record.partition:
                return _misplaced(record, partition)
            scored = ScoreItem(
                record.offset, record.time_ms, tournament_id, user_id, message.event_id, score, record.reply_to
            )
            return Parsed(record.partition, scored)
        if isinstance(message, ScoreEvent):
            return self._parse(_plain(record, message))
        if not isinstance(message, Tick):
            self._signer.verify(record.key, record.value, record.signature)
        if isinstance(message, Claim) and message.scope.startswith("partition-"):
            if message.scope != f"partition-{record.partition}":
                raise InvalidRecordError("wrong_partition", f"a claim of {message.scope}")
            tournament_id = 0
        else:
            tournament_id, partition = self._tournament(record)
            if partition != record.partition:
                raise InvalidRecordError("wrong_partition", f"expected partition {partition}, got {record.partition}")
        item = ControlItem(record.offset, record.time_ms, tournament_id, message, record.reply_to)
        return Parsed(record.partition, item)

    def _parse_submission(self, record: LogRecord, wire: ScoreWire) -> Parsed | Misplaced:
        """One that is more than a plain score."""
        user_id, score, subscore, result = submission_values(wire)
        tournament_id, partition = self._tournament(record)
        if partition != record.partition:
            return _misplaced(record, partition)
        item = ResultItem(
            record.offset,
            record.time_ms,
            tournament_id,
            user_id,
            wire.event_id,
            score,
            record.reply_to,
            subscore,
            result,
        )
        return Parsed(record.partition, item)

    def _tournament(self, record: LogRecord) -> tuple[int, int]:
        """The tournament that the key names, and its partition."""
        known = self._keys.get(record.key)
        if known is None:
            try:
                tournament_id = parse_id(record.key.decode())
            except (ValueError, IndexError) as error:
                raise InvalidRecordError("malformed", f"the key is no tournament id: {record.key[:40]!r}") from error
            if len(self._keys) >= KEYS_KEPT:
                self._keys.clear()
            known = self._keys[record.key] = (tournament_id, partition_of(tournament_id, self._partitions))
        return known


def _plain(record: LogRecord, event: ScoreEvent) -> LogRecord:
    """A CloudEvent as a record of Palio's own form: keyed by its subject, as its own key may be anything (`partitionkey`), or be missing."""
    key = record.key if event.subject is UNSET else event.subject.encode()
    return record._replace(key=key, value=encode_message(event_wire(event)))


def _misplaced(record: LogRecord, partition: int) -> Misplaced:
    """A score that belongs in another partition. Raises InvalidRecordError for one that was moved before."""
    if record.moved_from:
        raise InvalidRecordError(
            "wrong_partition",
            f"expected partition {partition}, got {record.partition}; moved before, from {record.moved_from[:40]}",
        )
    return Misplaced(record, partition)
