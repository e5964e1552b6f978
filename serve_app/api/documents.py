"""The answers' forms, for the documentation; tests hold the real answers against them. See the contract for meanings."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from serve_app.http.problems import FieldError

Status = Literal["scheduled", "running", "finished", "cancelled"]


class Document(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Base of all answers."""


class Position(Document):
    """Where the answer stands. `offset` grows whenever the table may have changed: pages with the same position are of one table. `seq` grows by
    one with each published update, `epoch` when an owner takes over: a live subscription with this as `since` goes on from exactly this answer.
    `seq` is -1 where no published update shows the same (mostly while the owner is away); then the subscription begins with a snapshot.
    """

    epoch: int
    seq: int
    offset: int


class Row(Document):
    """A row of the table."""

    rank: int
    user_id: str
    name: str | None
    score: float
    scored_at: str


class TournamentItem(Document):
    """A tournament in a list."""

    id: str
    name: str
    type: Literal["scheduled", "instant"]
    visibility: Literal["public", "private"]
    starts_at: str | None
    ends_at: str | None
    duration_s: float | None
    capacity: int | None
    min_participants: int
    join_until: Literal["start", "end"]
    order: Literal["desc", "asc"]
    score_policy: Literal["best", "last", "sum", "first"]
    ties: Literal["first", "shared", "dense"]
    max_attempts: int | None
    placement: Literal["shared", "dedicated"]
    metadata: dict[str, Any]
    created_at: str
    created_by: str
    version: int
    status: Status
    revision: int
    finished_at: str | None
    participants: int


class Tournament(TournamentItem):
    """A tournament's view: the first 20 rows as `top`."""

    top: list[Row]
    position: Position


class TournamentPage(Document):
    """A page of tournaments; `next_cursor` null at the end."""

    items: list[TournamentItem]
    next_cursor: str | None


class Participation(Document):
    """How a user takes part, as of now; `rank` null without a score, or while nobody can tell."""

    user_id: str
    name: str | None
    score: float | None
    rank: int | None
    attempts: int
    joined_at: str
    scored_at: str | None


class UserTournament(TournamentItem):
    """A tournament of a user."""

    participation: Participation


class UserTournamentPage(Document):
    """A page of a user's tournaments."""

    items: list[UserTournament]
    next_cursor: str | None


class Participant(Document):
    """A participant's standing; rank null without a score."""

    user_id: str
    name: str | None
    score: float | None
    rank: int | None
    previous_rank: int | None
    percentile: float | None
    attempts: int
    scored_at: str | None


class Rankings(Document):
    """Rows of the table as it is now; `next_cursor` null at the end. Where the `position` of two pages differs, the table moved in between.

    While `status` is not `finished` or `cancelled`, more may come.
    """

    rows: list[Row]
    total: int
    status: Status
    next_cursor: str | None
    position: Position


class Accepted(Document):
    """In the log; what becomes of it is not known here. `id`: of a tournament that was created."""

    event_id: str
    partition: int
    offset: int | None
    id: str | None = None


class ScoreOutcome(Document):
    """What became of a score; `reason` when it was ignored."""

    event_id: str
    outcome: Literal["applied", "ignored"]
    score: float | None
    rank: int | None
    previous_rank: int | None
    reason: str | None = None


class JoinOutcome(ScoreOutcome, kw_only=True):
    """What became of a join; `event_id` is the command's own."""

    user_id: str
    status: Status


class CommandOutcome(Document):
    """The new status."""

    id: str
    status: Status
    version: int


class RejectedItem(Document):
    """An item of a batch that was not taken: `malformed`, `invalid` or `tournament_unknown`.

    `index` is its place among the items, the first is 0; `line`, of NDJSON, its line in the body, the first is 1 (blank lines are no items).
    """

    index: int
    code: str
    line: int | None = None


class BatchAnswer(Document):
    """How many were taken, and which were not."""

    accepted: int
    rejected: list[RejectedItem]


class PrizeTable(Document):
    """The prizes of a tournament."""

    prizes: list[dict[str, Any]]


class PrizePage(Document):
    """A user's prizes."""

    items: list[dict[str, Any]]
    next_cursor: str | None


class Gateway(Document):
    """Where the gateway is; `time` is the server's, in ms since 1970."""

    gateway: str
    live: str
    version: str
    demo: bool
    time: int


class DemoPlayer(Document):
    """A demo player and their token."""

    user_id: str
    name: str
    token: str
    expires_at: str


class Health(Document):
    """Alive or ready."""

    status: str


class ProblemDetails(Document):
    """An error (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    errors: list[FieldError] = []
    reference: str = ""
