"""The answers of operators' calls, as `answers` has those of the others."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from serve_app.api.answers import Answer, HistoryItem, Id, Page, Time, TournamentItem


class PlacedTournament(TournamentItem):
    """A tournament and who holds it: `lag_records` offsets behind the end of its partition of the log; null of one that is over. `lag_s`: since
    when the oldest record of that partition waits to be applied. All null where nobody holds it."""

    partition: int
    scope: str
    owner: str | None
    node: str | None
    epoch: int | None
    lag_records: int | None
    lag_s: float | None
    example: ClassVar[dict[str, Any]] = {
        **TournamentItem.example, "partition": 7, "scope": "partition-7", "owner": "shard-1", "node": "palio-head",
        "epoch": 3, "lag_records": 0, "lag_s": 0,
    }  # fmt: skip


class PlacedTournamentPage(Page[PlacedTournament]):
    """A page of tournaments, newest first, with their places."""

    example: ClassVar[dict[str, Any]] = {"items": [PlacedTournament.example], "next_cursor": "WzE3"}


class NoticeProgress(Answer):
    """How far an event is told on a channel: letters `sent`, `failed` for good, and `waiting` for another try; `done_at` once all were told."""

    tournament_id: Id
    event: str
    key: str
    channel: str
    made_at: Time
    done_at: Time | None
    sent: int
    failed: int
    waiting: int
    example: ClassVar[dict[str, Any]] = {
        "tournament_id": "8127364512893471", "event": "ended", "key": "ended-1207-100", "channel": "email",
        "made_at": "2027-05-01T10:00:00.000Z", "done_at": "2027-05-01T10:00:09.000Z", "sent": 812, "failed": 3, "waiting": 0,
    }  # fmt: skip


class NoticesProgress(Answer):
    """How far events are told, those that are not done first."""

    items: list[NoticeProgress]
    example: ClassVar[dict[str, Any]] = {"items": [NoticeProgress.example]}


class Place(Answer):
    """The place of one tournament, as `PlacedTournament` has it, and how far its notices are told."""

    id: Id
    partition: int
    scope: str
    owner: str | None
    node: str | None
    epoch: int | None
    lag_records: int | None
    lag_s: float | None
    notices: list[NoticeProgress]
    example: ClassVar[dict[str, Any]] = {
        "id": "8127364512893471", "partition": 7, "scope": "partition-7", "owner": "shard-1", "node": "palio-head",
        "epoch": 3, "lag_records": 0, "lag_s": 0, "notices": [NoticeProgress.example],
    }  # fmt: skip


class OwnerHealth(Answer):
    """An owner: `state` is `running`, `starting`, or why it does not answer; then the rest says nothing."""

    name: str
    state: str
    node: str
    process: int
    scopes: int
    catching_up: int
    active_tournaments: int
    unsaved_tournaments: int
    checkpoint_age_s: float
    checkpoint_failures: int
    example: ClassVar[dict[str, Any]] = {
        "name": "shard-1", "state": "running", "node": "palio-head", "process": 4711, "scopes": 25, "catching_up": 0,
        "active_tournaments": 12, "unsaved_tournaments": 1, "checkpoint_age_s": 3.2, "checkpoint_failures": 0,
    }  # fmt: skip


class IngestHealth(Answer):
    """An ingest actor, which reads partitions of the log and feeds owners; `state` as of an owner."""

    name: str
    state: str
    node: str
    process: int
    partitions: int
    stopped_partitions: int
    buffered_records: int
    dead_letters: int
    lag_records: int
    lag_s: float | None
    example: ClassVar[dict[str, Any]] = {
        "name": "ingest-0", "state": "running", "node": "palio-head", "process": 4712, "partitions": 50,
        "stopped_partitions": 0, "buffered_records": 0, "dead_letters": 2, "lag_records": 0, "lag_s": 0,
    }  # fmt: skip


class PartitionHealth(Answer):
    """A partition of the log; null where the actor that knows does not answer."""

    partition: int
    records: int
    last: int
    committed: int
    owner: str | None
    lag_records: int | None
    lag_s: float | None
    stopped: bool | None
    example: ClassVar[dict[str, Any]] = {
        "partition": 7, "records": 812, "last": 90811, "committed": 90790, "owner": "shard-1", "lag_records": 0, "lag_s": 0,
        "stopped": False,
    }  # fmt: skip


class Actors(Answer):
    """The processes that hold tournaments, and the partitions of the log."""

    owners: list[OwnerHealth]
    ingest: list[IngestHealth]
    partitions: list[PartitionHealth]
    example: ClassVar[dict[str, Any]] = {
        "owners": [OwnerHealth.example], "ingest": [IngestHealth.example], "partitions": [PartitionHealth.example],
    }  # fmt: skip


class Found(Answer):
    """What was found of a server: `note` where it works, but not for everything. `to_do` is empty if nothing is."""

    subject: str
    state: Literal["ok", "note", "wrong"]
    found: str
    to_do: str
    example: ClassVar[dict[str, Any]] = {
        "subject": "redis",
        "state": "ok",
        "found": "Redis 8.2 at 127.0.0.1:6379",
        "to_do": "",
    }


class ShardServerHealth(Answer):
    """A server of a shard; `answer_ms` null: it does not answer, `error` says why. `behind`: a replica lacks what its primary has."""

    shard: int
    role: str
    address: str
    answer_ms: float | None
    behind: bool | None
    error: str
    example: ClassVar[dict[str, Any]] = {
        "shard": 0,
        "role": "primary",
        "address": "127.0.0.1:3306",
        "answer_ms": 1.2,
        "behind": False,
        "error": "",
    }


class PartitionPlace(Answer):
    """The shard on which a partition lies; `moving_to`: it is being moved there."""

    partition: int
    shard: int
    moving_to: int | None
    example: ClassVar[dict[str, Any]] = {"partition": 7, "shard": 0, "moving_to": 1}


class ShardsHealth(Answer):
    """The shards of the records, and where partitions lie: nowhere where nobody can say."""

    servers: list[ShardServerHealth]
    places: list[PartitionPlace]
    example: ClassVar[dict[str, Any]] = {"servers": [ShardServerHealth.example], "places": [PartitionPlace.example]}


class ServersHealth(Answer):
    """How the servers are; `shards` null where the records have none."""

    findings: list[Found]
    shards: ShardsHealth | None
    example: ClassVar[dict[str, Any]] = {"findings": [Found.example], "shards": ShardsHealth.example}


class Order(HistoryItem):
    """An order, and in which tournament."""

    tournament_id: Id
    tournament: str
    example: ClassVar[dict[str, Any]] = {
        "tournament_id": "8127364512893471",
        "tournament": "Spring exam",
        **HistoryItem.example,
    }


class Orders(Answer):
    """Orders, newest first, of so many `tournaments`, the newest; of these, `silent` ones did not answer."""

    items: list[Order]
    tournaments: int
    silent: int
    example: ClassVar[dict[str, Any]] = {"items": [Order.example], "tournaments": 100, "silent": 0}


class Letter(Answer):
    """A dead letter: where its record lay in the log, and why it could not be applied. `value` is told of
    all but control records. `replayable`: it can be sent again."""

    partition: int
    offset: int
    at: Time
    key: str
    reason: str
    detail: str
    kind: Literal["score", "control", "unreadable"]
    value: str
    replayable: bool
    example: ClassVar[dict[str, Any]] = {
        "partition": 7, "offset": 90811, "at": "2027-05-01T09:12:07.250Z", "key": "8127364512893471",
        "reason": "unknown_tournament", "detail": "a score ahead of its tournament's create", "kind": "score",
        "value": '{"type":"score","event_id":"a1","user_id":"42","score":912.5}', "replayable": True,
    }  # fmt: skip


class Letters(Answer):
    """Dead letters, newest first; `more`: there are older ones."""

    items: list[Letter]
    more: bool
    example: ClassVar[dict[str, Any]] = {"items": [Letter.example], "more": False}


class LogPlace(Answer):
    """A place in the log."""

    partition: int
    offset: int
    example: ClassVar[dict[str, Any]] = {"partition": 7, "offset": 91002}


class Replayed(LogPlace):
    """A letter that was appended anew, and its outcome, as of a submission; absent if it is not known yet."""

    to: LogPlace
    outcome: Literal["applied", "ignored"] | None = None
    reason: str | None = None
    detail: str | None = None
    example: ClassVar[dict[str, Any]] = {
        "partition": 7,
        "offset": 90811,
        "to": LogPlace.example,
        "outcome": "ignored",
        "reason": "duplicate",
    }


class NotReplayed(LogPlace):
    """A letter that was not: `letter_unknown`, `not_replayable` or `tournament_unknown`."""

    code: str
    detail: str
    example: ClassVar[dict[str, Any]] = {
        "partition": 3,
        "offset": 17,
        "code": "not_replayable",
        "detail": "only scores that can be read are sent again",
    }


class ReplayAnswer(Answer):
    """What became of each letter."""

    replayed: list[Replayed]
    rejected: list[NotReplayed]
    example: ClassVar[dict[str, Any]] = {"replayed": [Replayed.example], "rejected": [NotReplayed.example]}
