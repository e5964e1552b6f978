"""What Palio answers, as msgspec structs. Fields that a newer Palio adds are ignored; those that may be absent are None.

Ids are decimal strings, scores numbers with at most two decimals, times are aware datetimes, durations seconds.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

import msgspec

Status = Literal["scheduled", "running", "finished", "cancelled"]
OVER = frozenset({"finished", "cancelled"})


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """Base of all results."""


class Gateway(Result, frozen=True, kw_only=True):
    """Where the gateway and its live sockets are; `time` is the server's, in ms since 1970."""

    gateway: str
    live: str
    version: str
    demo: bool
    time: int


class Position(Result, frozen=True, kw_only=True):
    """Where an answer stands; see docs/live-protocol.md."""

    epoch: int
    seq: int
    offset: int


class Row(Result, frozen=True, kw_only=True):
    """A row of a table."""

    rank: int
    user_id: str
    name: str | None
    score: float
    scored_at: datetime
    subscore: float | None = None


class Display(Result, frozen=True, kw_only=True):
    """How scores are shown; times are seconds."""

    unit: Literal["points", "time", "currency"]
    decimals: int


class PrizeRule(Result, frozen=True, kw_only=True):
    """Who wins what."""

    ranks: list[int] | None = None
    top_percent: float | None = None
    min_score: float | None = None
    amount: str | None = None
    currency: str | None = None
    item: str | None = None
    count: int | None = None
    ties: Literal["split", "each", "next"]
    board: str | None = None
    claim: bool | None = None


class Recurrence(Result, frozen=True, kw_only=True):
    """When the tournaments of a series start, how long each takes, how many are open ahead."""

    cron: str
    time_zone: str
    duration_s: float
    ahead: int


class Cohorts(Result, frozen=True, kw_only=True):
    """Whoever joins lands on a board of so many."""

    size: int


class League(Result, frozen=True, kw_only=True):
    """Tiers, 1 the highest; how many rise and fall."""

    tiers: int
    promote: int
    demote: int


class SeriesPlace(Result, frozen=True, kw_only=True):
    """Of which series it is, for which time and tier."""

    id: str
    at: datetime | None = None
    tier: int | None = None


class CohortPlace(Result, frozen=True, kw_only=True):
    """Of which tournament's cohorts it is a board."""

    tournament_id: str
    number: int


class EndsWhen(Result, frozen=True, kw_only=True):
    """When it ends before its time."""

    all_done: bool | None = None
    target_score: float | None = None
    count: int | None = None


class TournamentItem(Result, frozen=True, kw_only=True):
    """A tournament in a list."""

    id: str
    name: str
    type: str
    visibility: Literal["public", "private"]
    starts_at: datetime | None
    ends_at: datetime | None
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
    window_s: float | None = None
    freeze_s: float | None = None
    ends_when: EndsWhen | None = None
    display: Display | None = None
    prizes: list[PrizeRule] | None = None
    recurrence: Recurrence | None = None
    cohorts: Cohorts | None = None
    league: League | None = None
    series: SeriesPlace | None = None
    cohort: CohortPlace | None = None
    scoring: dict[str, Any] | None = None
    subscore: dict[str, Any] | None = None
    boards: list[str] | None = None
    teams: dict[str, Any] | None = None
    created_at: datetime
    created_by: str
    version: int
    status: Status
    revision: int
    finished_at: datetime | None
    participants: int


class Tournament(TournamentItem, frozen=True, kw_only=True):
    """A tournament's view: its first 20 rows as `top`."""

    top: list[Row]
    position: Position
    frozen: bool | None = None


class Standing(Result, frozen=True, kw_only=True):
    """How a user takes part; `rank` None without a score."""

    user_id: str
    name: str | None
    score: float | None
    rank: int | None
    attempts: int
    scored_at: datetime | None


class Participation(Standing, frozen=True, kw_only=True):
    """How a user takes part, and since when."""

    joined_at: datetime


class UserTournament(TournamentItem, frozen=True, kw_only=True):
    """A tournament of a user."""

    participation: Participation


class GroupStanding(Result, frozen=True, kw_only=True):
    """A place within a group of one board."""

    group: str
    rank: int | None
    of: int


class Participant(Standing, frozen=True, kw_only=True):
    """A participant's standing."""

    previous_rank: int | None
    percentile: float | None
    began_at: datetime | None = None
    done_at: datetime | None = None
    extra_s: float | None = None
    closes_at: datetime | None = None
    disqualified: bool | None = None
    reason: str | None = None
    cohort: CohortPlace | None = None
    subscore: float | None = None
    boards: dict[str, GroupStanding] | None = None


class Rankings(Result, frozen=True, kw_only=True):
    """A page of the table; `next_cursor` None at the end. While `status` is not over, more may come."""

    rows: list[Row]
    total: int
    status: Status
    next_cursor: str | None
    position: Position


class SeriesTournament(Result, frozen=True, kw_only=True):
    """A tournament of a series."""

    id: str
    at: datetime
    ends_at: datetime | None
    tier: int | None
    decided: bool | None
    status: Status | None
    participants: int | None


class Series(Result, frozen=True, kw_only=True):
    """A series: the newest tournaments first, the `next` times beyond those."""

    id: str
    name: str
    visibility: Literal["public", "private"]
    status: Status
    recurrence: Recurrence
    league: League | None
    missed: int
    tournaments: list[SeriesTournament]
    next: list[datetime]


class Submitted(Result, frozen=True, kw_only=True):
    """A score that is in the log. `outcome` None: what became of it was not waited for, or is not known yet.

    A repeated call may say `ignored` for the reason `duplicate`: then the score counted before.
    """

    event_id: str
    partition: int | None = None
    offset: int | None = None
    outcome: Literal["applied", "ignored"] | None = None
    score: float | None = None
    rank: int | None = None
    previous_rank: int | None = None
    reason: str | None = None
    subscore: float | None = None
    detail: str | None = None


class Joined(Submitted, frozen=True, kw_only=True):
    """A join. `outcome` None: it is in the log, and comes before any later score of this client."""

    user_id: str | None = None
    status: Status | None = None
    tournament_id: str | None = None
    """Of cohorts and leagues: the tournament on which the user is."""


class CommandOutcome(Result, frozen=True, kw_only=True):
    """The new status after a command."""

    id: str
    status: Status
    version: int


class HistoryItem(Result, frozen=True, kw_only=True, rename={"from_": "from"}):
    """What somebody ordered."""

    at: datetime
    by: str
    action: str
    from_: dict[str, Any]
    to: dict[str, Any]


class Rejected(Result, frozen=True, kw_only=True):
    """An item of a batch that was not taken; `index` is its place among those given, from 0."""

    index: int
    code: str
    line: int | None = None


class RejectedCreate(Rejected, frozen=True, kw_only=True):
    """A tournament of a batch that was not made, and why."""

    detail: str


class Created(Result, frozen=True, kw_only=True):
    """A tournament of a batch; `index` is its place among those given, from 0. `status` None: it is in the log, undecided."""

    index: int
    id: str
    status: Status | None


class CreatedBatch(Result, frozen=True, kw_only=True):
    """Which tournaments of a batch there are now, and which were refused."""

    accepted: int
    tournaments: list[Created]
    rejected: list[RejectedCreate]


class BatchAnswer(Result, frozen=True, kw_only=True):
    """How many were taken, and which were not."""

    accepted: int
    rejected: list[Rejected]


class Winner(Result, frozen=True, kw_only=True):
    """A prize of a user by one rule: money, or `count` of an `item`; or the claw-back of one that was paid."""

    user_id: str
    rank: int
    rule: int
    amount: str | None = None
    currency: str | None = None
    item: str | None = None
    count: int | None = None
    state: Literal["pending_review", "approved", "paying", "paid", "failed", "revoked"]
    kind: Literal["prize", "claw_back"]
    group: str | None = None
    claimed_at: datetime | None = None
    reason: str | None = None


class PrizeTable(Result, frozen=True, kw_only=True):
    """The rules and, once finished, a page of the winners."""

    rules: list[PrizeRule]
    winners: list[Winner]
    next_cursor: str | None


class NewInvitation(Result, frozen=True, kw_only=True):
    """An invitation as given: `invite` is what its user joins with; it is told this once."""

    id: str
    invite: str


class Invitation(Result, frozen=True, kw_only=True):
    """An invitation that was not revoked."""

    id: str
    user_id: str | None
    uses: int
    uses_left: int
    expires_at: datetime | None
    created_at: datetime
    created_by: str
