"""The answers of the calls, for the documentation: handlers encode them by themselves, tests hold what they say against these models."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from actors.domain.notices.events import Channel, EventName
from actors.domain.notices.settings import Language
from serve_app.http.request_schemas import ID_PATTERN

Id = Annotated[str, Field(pattern=ID_PATTERN)]
Time = Annotated[str, WithJsonSchema({"type": "string", "format": "date-time"})]
Status = Literal["scheduled", "running", "finished", "cancelled"]
Item = TypeVar("Item")


class Answer(BaseModel):
    """Base of all answers; each has an example, without null, which FastAPI leaves out of its document."""

    model_config = ConfigDict(extra="forbid")
    example: ClassVar[dict[str, Any]]


class Page(Answer, Generic[Item]):
    """A page of a list; `next_cursor` null at the end."""

    items: list[Item]
    next_cursor: str | None


class PrizeRule(Answer):
    """Who wins (by `ranks`, `top_percent` or `min_score`) what (an `amount` of a `currency`, or `count` of an `item`), for each place."""

    ranks: Annotated[list[int], Field(min_length=1, max_length=2)] | None = None
    top_percent: float | None = None
    min_score: float | None = None
    amount: str | None = None
    currency: str | None = None
    item: str | None = None
    count: int | None = None
    ties: Literal["split", "each", "next"]
    board: str | None = None
    claim: bool | None = None
    example = {"ranks": [1, 2], "amount": "100.01", "currency": "EUR", "ties": "split"}


class Position(Answer):
    """Where the answer stands. `offset` grows whenever the table may have changed: pages with the same position are of one table. `seq` grows by
    one with each published update, `epoch` when an owner takes over: a live subscription with this as `since` goes on from exactly this answer.
    `seq` is -1 where no published update shows the same (mostly while the owner is away); then the subscription begins with a snapshot.
    """

    epoch: int
    seq: int
    offset: int
    example = {"epoch": 3, "seq": 118, "offset": 4711}


class Row(Answer):
    """A row of the table."""

    rank: int
    user_id: Id
    name: str | None
    score: float
    scored_at: Time
    subscore: float | None = None
    example = {"rank": 1, "user_id": "42", "name": "Ann", "score": 912.5, "scored_at": "2027-05-01T09:12:07.250Z"}


class Display(Answer):
    """How scores are shown; times are seconds."""

    unit: Literal["points", "time", "currency"]
    decimals: int
    example = {"unit": "time", "decimals": 0}


class Recurrence(Answer):
    """When a series' tournaments start, how long each takes, and how many are open ahead of time."""

    cron: str
    time_zone: str
    duration_s: float
    ahead: int
    example = {"cron": "0 20 * * FRI", "time_zone": "Europe/Rome", "duration_s": 3600, "ahead": 1}


class Cohorts(Answer):
    """Whoever joins lands on a board of so many."""

    size: int
    example = {"size": 50}


class League(Answer):
    """Tiers, 1 the highest; how many rise and fall by one at each end."""

    tiers: int
    promote: int
    demote: int
    example = {"tiers": 3, "promote": 10, "demote": 10}


class SeriesPlace(Answer):
    """Of which series it is, for which time and tier; a series itself has its id alone."""

    id: Id
    at: Time | None = None
    tier: int | None = None
    example = {"id": "8127364512893471", "at": "2027-05-07T18:00:00.000Z"}


class CohortPlace(Answer):
    """Of which tournament's cohorts it is a board, and the how manieth."""

    tournament_id: Id
    number: int
    example = {"tournament_id": "8127364512893471", "number": 3}


class SeriesTournament(Answer):
    """A tournament of a series; `tier` and `decided` (its final table has moved the league's players) null outside leagues; `status` and
    `participants` as the records have them, null where they do not have it yet."""

    id: Id
    at: Time
    ends_at: Time | None
    tier: int | None
    decided: bool | None
    status: Status | None
    participants: int | None
    example = {
        "id": "8127364512893472", "at": "2027-05-07T18:00:00.000Z", "ends_at": "2027-05-07T19:00:00.000Z", "tier": 1,
        "decided": False, "status": "scheduled", "participants": 12,
    }  # fmt: skip


class Series(Answer):
    """A series: the newest tournaments first, the `next` times beyond those; `missed`: how many were over before they could be opened."""

    id: Id
    name: str
    visibility: Literal["public", "private"]
    status: Status
    recurrence: Recurrence
    league: League | None
    missed: int
    tournaments: list[SeriesTournament]
    next: list[Time]
    example = {
        "id": "8127364512893471", "name": "Friday race", "visibility": "public", "status": "scheduled",
        "recurrence": Recurrence.example, "league": League.example, "missed": 0,
        "tournaments": [SeriesTournament.example], "next": ["2027-05-14T18:00:00.000Z"],
    }  # fmt: skip


class Cohort(Answer):
    """A board of cohorts; `seats`: how many were given there."""

    number: int
    tournament_id: Id
    seats: int
    example = {"number": 3, "tournament_id": "8127364512893473", "seats": 17}


class CohortPage(Page[Cohort]):
    """A page of boards, by number; `next_cursor` null at the end."""

    example = {"items": [Cohort.example], "next_cursor": "50"}


class EndsWhen(Answer):
    """When it ends before its time: everyone is done, or so many have reached a score."""

    all_done: bool | None = None
    target_score: float | None = None
    count: int | None = None
    example = {"target_score": 500, "count": 3}


class TournamentItem(Answer):
    """A tournament in a list."""

    id: Id
    name: str
    type: Literal["scheduled", "instant"]
    visibility: Literal["public", "private"]
    starts_at: Time | None
    ends_at: Time | None
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
    created_at: Time
    created_by: Id
    version: int
    status: Status
    revision: int
    finished_at: Time | None
    participants: int
    example = {
        "id": "8127364512893471", "name": "Sprint", "type": "instant", "visibility": "public",
        "starts_at": "2027-05-01T09:00:00.000Z", "ends_at": "2027-05-01T10:00:00.000Z", "duration_s": 3600,
        "capacity": 2, "min_participants": 0, "join_until": "end", "order": "desc", "score_policy": "best",
        "ties": "first", "max_attempts": 3, "placement": "shared", "metadata": {"room": 7},
        "created_at": "2027-04-20T16:30:00.000Z", "created_by": "1", "version": 1, "status": "finished", "revision": 0,
        "finished_at": "2027-05-01T10:00:00.000Z", "participants": 2,
    }  # fmt: skip


class Tournament(TournamentItem):
    """A tournament's view: the first 20 rows as `top`; `frozen` is there while the public table stands still."""

    top: list[Row]
    position: Position
    frozen: bool | None = None
    example = {**TournamentItem.example, "top": [Row.example], "position": Position.example}


class TournamentPage(Page[TournamentItem]):
    """A page of tournaments; `next_cursor` null at the end."""

    example = {"items": [TournamentItem.example], "next_cursor": "x3kd"}


class Standing(Answer):
    """How a user takes part; `rank` null without a score."""

    user_id: Id
    name: str | None
    score: float | None
    rank: int | None
    attempts: int
    scored_at: Time | None
    example = Row.example | {"attempts": 2}


class NewInvitation(Answer):
    """An invitation as given: `invite` is what its user joins with; it is told this once."""

    id: str
    invite: str
    example = {"id": "6f1e9c0d4b7a5e2f8c3d1a90", "invite": "WzgxMjcz....k1:9b0c"}


class Invitation(Answer):
    """An invitation that was not revoked; `user_id` null: for whoever brings it. `expires_at` null: without an end."""

    id: str
    user_id: Id | None
    uses: int
    uses_left: int
    expires_at: Time | None
    created_at: Time
    created_by: Id
    example = {
        "id": "6f1e9c0d4b7a5e2f8c3d1a90", "user_id": "42", "uses": 1, "uses_left": 1,
        "expires_at": "2027-05-01T09:00:00.000Z", "created_at": "2027-04-20T16:30:00.000Z", "created_by": "1",
    }  # fmt: skip


class Invitations(Answer):
    """The invitations of a tournament, newest first."""

    items: list[Invitation]
    example = {"items": [Invitation.example]}


class Participation(Standing):
    """How a user takes part, as of now; `rank` null without a score, or while nobody can tell."""

    joined_at: Time
    example = Standing.example | {"joined_at": "2027-04-28T08:00:00.000Z"}


class UserTournament(TournamentItem):
    """A tournament of a user."""

    participation: Participation


class UserTournamentPage(Page[UserTournament]):
    """A page of a user's tournaments; `next_cursor` null at the end."""

    example = {"items": [{**TournamentItem.example, "participation": Participation.example}], "next_cursor": "x3kd"}


class GroupStanding(Answer):
    """A place within a group of one board; `rank` null without a score, `of`: how many have a rank there."""

    group: str
    rank: int | None
    of: int
    example = {"group": "FR", "rank": 3, "of": 12}


class Participant(Standing):
    """A participant's standing; `rank` null without a score, and of oneself while the table stands still.

    To that player, services and operators alone, where they are used: when their own window began, when they said that they are done, their
    extra time, until when their scores count, and the `reason` why they are `disqualified`.
    """

    previous_rank: int | None
    percentile: float | None
    began_at: Time | None = None
    done_at: Time | None = None
    extra_s: float | None = None
    closes_at: Time | None = None
    disqualified: bool | None = None
    reason: str | None = None
    cohort: CohortPlace | None = None
    subscore: float | None = None
    boards: dict[str, GroupStanding] | None = None
    example = Standing.example | {"previous_rank": 4, "percentile": 100}


class Rankings(Answer):
    """Rows of the table as it is now; `next_cursor` null at the end. Where the `position` of two pages differs, the table moved in between.

    While `status` is not `finished` or `cancelled`, more may come.
    """

    rows: list[Row]
    total: int
    status: Status
    next_cursor: str | None
    position: Position
    example = {
        "rows": [Row.example], "total": 2, "status": "running", "next_cursor": "1", "position": Position.example,
    }  # fmt: skip


class GroupItem(Answer):
    """A group of a board: how many are in it, how many of these have a rank, the first of these in the whole table."""

    group: str
    participants: int
    ranked: int
    best: Row | None
    example = {"group": "FR", "participants": 14, "ranked": 12, "best": Row.example}


class Groups(Answer):
    """The groups of a board, those with most participants first; `next_cursor` null at the end."""

    groups: list[GroupItem]
    total: int
    status: Status
    next_cursor: str | None
    position: Position
    example = {
        "groups": [GroupItem.example], "total": 2, "status": "running", "next_cursor": "1",
        "position": Position.example,
    }  # fmt: skip


class TeamRow(Answer):
    """A team; `score` of `counted` members, with its rank null where none of them has one. Teams of equal scores share a rank."""

    rank: int | None
    team: str
    score: float | None
    participants: int
    counted: int
    example = {"rank": 1, "team": "7", "score": 1812.25, "participants": 5, "counted": 3}


class TeamTable(Answer):
    """The table of the teams; `next_cursor` null at the end."""

    rows: list[TeamRow]
    total: int
    status: Status
    next_cursor: str | None
    position: Position
    example = {
        "rows": [TeamRow.example], "total": 2, "status": "running", "next_cursor": "1", "position": Position.example,
    }  # fmt: skip


class Accepted(Answer):
    """In the log; what becomes of it is not known here. `id`: of a tournament that was created."""

    event_id: str
    partition: int
    offset: int | None
    id: Id | None = None
    example = {"event_id": "exam-42-1", "partition": 17, "offset": 4711}


class RejectedEvent(Answer):
    """An event of a batch that was not taken, by its index from 0."""

    index: int
    code: str
    detail: str
    example = {"index": 1, "code": "invalid", "detail": "source: expected this field"}


class EventsAnswer(Answer):
    """Of one event as of a score: in the log. Of a batch how many were `accepted`, and what was not."""

    event_id: str | None = None
    partition: int | None = None
    offset: int | None = None
    accepted: int | None = None
    rejected: list[RejectedEvent] | None = None
    example = {"event_id": "ce-5b1f9c1e1a6cf0b4b6a9f0b0b4c9d2aa", "partition": 17, "offset": 4711}


class About(Answer):
    """`version`: of xAPI, newest first. `extensions`: what becomes of statements."""

    version: list[str]
    extensions: dict[str, Any]
    example = {"version": ["2.0.0", "1.0.3"], "extensions": {}}


class ToolToken(Answer):
    """For a tool of LTI (RFC 6749); `scope` names what was granted."""

    access_token: str
    token_type: Literal["Bearer"]
    expires_in: int
    scope: str
    example = {
        "access_token": "eyJhbGciOiJIUzI1NiJ9.e30.c2ln",
        "token_type": "Bearer",
        "expires_in": 3600,
        "scope": "https://purl.imsglobal.org/spec/lti-ags/scope/score",
    }


class ScoreOutcome(Answer):
    """What became of a score; `reason` when it was ignored."""

    event_id: str
    outcome: Literal["applied", "ignored"]
    score: float | None
    rank: int | None
    previous_rank: int | None
    reason: str | None = None
    subscore: float | None = None
    detail: str | None = None
    example = {"event_id": "exam-42-1", "outcome": "applied", "score": 912.5, "rank": 1, "previous_rank": 4}


class JoinOutcome(ScoreOutcome):
    """What became of a join; `event_id` is the command's own."""

    user_id: Id
    status: Status
    tournament_id: Id | None = Field(None, description="Of cohorts and leagues: the tournament on which the user is.")
    example = ScoreOutcome.example | {"event_id": "5f0c1f6b9d2e4d5f", "user_id": "42", "status": "running"}


class CommandOutcome(Answer):
    """The new status."""

    id: Id
    status: Status
    version: int
    example = {"id": "8127364512893471", "status": "running", "version": 2}


class HistoryItem(Answer):
    """What somebody ordered: `by` is a user id; `from` and `to` hold what changed, by the view's names. Of long values the size is told."""

    at: Time
    by: Id
    action: str
    from_: Annotated[dict[str, Any], Field(alias="from")]
    to: dict[str, Any]
    example = {
        "at": "2027-05-01T09:40:00.000Z", "by": "1", "action": "edit",
        "from": {"ends_at": "2027-05-01T10:00:00.000Z"}, "to": {"ends_at": "2027-05-01T10:30:00.000Z"},
    }  # fmt: skip


class History(Answer):
    """Who ordered what, newest first, the newest 200."""

    items: list[HistoryItem]
    example = {"items": [HistoryItem.example]}


class RejectedItem(Answer):
    """An item of a batch that was not taken: `malformed`, `invalid` or `tournament_unknown`.

    `index` is its place among the items, the first is 0; `line`, of NDJSON, its line in the body, the first is 1 (blank lines are no items).
    """

    index: int
    code: str
    line: int | None = None


class RejectedCreate(RejectedItem):
    """A line of a batch of creates that made no tournament: the `code` and `detail` are those of the problem that it would be alone."""

    detail: str


class CreatedItem(Answer):
    """A line that made a tournament, or that had made it before; `status` null: it is in the log, undecided, and may be sent again."""

    index: int
    line: int
    id: Id
    status: Literal["scheduled", "running", "finished", "cancelled"] | None


class CreatedBatch(Answer):
    """What became of each line."""

    accepted: int
    tournaments: list[CreatedItem]
    rejected: list[RejectedCreate]
    example = {
        "accepted": 1,
        "tournaments": [{"index": 0, "line": 1, "id": "8127364512893471", "status": "scheduled"}],
        "rejected": [{"index": 1, "line": 2, "code": "invalid", "detail": "capacity: expected `int` >= 1"}],
    }


class BatchAnswer(Answer):
    """How many were taken, and which were not."""

    accepted: int
    rejected: list[RejectedItem]
    example = {"accepted": 999, "rejected": [{"index": 3, "code": "tournament_unknown"}]}


class RejectedRow(Answer):
    """A row that was not taken, by where it stands."""

    line: int
    why: str
    example = {"line": 5, "why": "score: expected a number, got two"}


class ImportedRow(Answer):
    """What a row says."""

    user_id: Id
    name: str | None = None
    score: float | None = None
    subscore: float | None = None
    result: dict[str, Any] | None = None
    example = {"user_id": "42", "name": "Rita", "score": 912.5}


class Imported(Answer):
    """What a file is taken for, and what becomes of its rows; `sent`: whether it was brought in, or would be.

    `mapping`: fields with the file's columns; `grades`: those of a gradebook to choose from. `where` a row's `line` is: a line, a row, a result,
    an attempt. `left_out`: how many rows say no result, by why. `groups`: of a file with several classes or races, how many of each. `problem`:
    why it cannot be brought in as it is.
    """

    sent: bool
    format: str
    where: str
    columns: list[str]
    grades: list[str]
    mapping: dict[str, str]
    rows: int
    accepted: int
    left_out: dict[str, int]
    rejected_count: int
    rejected: list[RejectedRow]
    kind: Literal["scores", "joins"] | None = None
    unit: Literal["points", "time", "currency"] | None = None
    decimal: Literal["point", "comma"] | None = None
    examples: list[ImportedRow] | None = None
    groups: dict[str, dict[str, int]] | None = None
    problem: str | None = None
    example = {
        "sent": False,
        "format": "moodle",
        "where": "line",
        "columns": ["First name", "ID number", "Quiz: Exam (Real)"],
        "grades": ["Quiz: Exam (Real)"],
        "mapping": {"user_id": "ID number", "score": "Quiz: Exam (Real)"},
        "rows": 3,
        "accepted": 1,
        "left_out": {"no score": 1},
        "rejected_count": 1,
        "rejected": [RejectedRow.example],
        "kind": "scores",
        "unit": "points",
        "decimal": "point",
        "examples": [ImportedRow.example],
        "groups": {},
    }


PrizeState = Literal["pending_review", "approved", "paying", "paid", "failed", "revoked"]


class Winner(Answer):
    """A prize of a user by one rule (its number, from 0): money, or `count` of an `item`; or the claw-back of one that was paid.

    `group`: of the rule's board. `claimed_at`: of a rule with `claim`, null until the winner asked for it.
    """

    user_id: Id
    rank: int
    rule: int
    amount: str | None = None
    currency: str | None = None
    item: str | None = None
    count: int | None = None
    state: PrizeState
    kind: Literal["prize", "claw_back"]
    group: str | None = None
    claimed_at: Time | None = None
    reason: str | None = None
    example = {
        "user_id": "42", "rank": 1, "rule": 0, "amount": "100.01", "currency": "EUR", "state": "paid", "kind": "prize",
    }  # fmt: skip


class PrizeTable(Answer):
    """The rules and, once the tournament is finished, a page of the winners; `next_cursor` null at the end."""

    rules: list[PrizeRule]
    winners: list[Winner]
    next_cursor: str | None
    example = {"rules": [PrizeRule.example], "winners": [Winner.example], "next_cursor": "1000"}


class PrizePreviewed(Answer):
    """Who would win what; `total` awards, of which the first 1,000 are shown."""

    rules: list[PrizeRule]
    winners: list[Winner]
    total: int
    example = {
        "rules": [PrizeRule.example], "winners": [Winner.example | {"state": "pending_review"}], "total": 1,
    }  # fmt: skip


class PrizeClaimed(Answer):
    """The prizes of whoever claimed."""

    winners: list[Winner]
    example = {"winners": [Winner.example | {"state": "approved", "claimed_at": "2027-05-02T09:00:00.000Z"}]}


class UserPrize(Winner):
    """A prize with its tournament; `created_at`: since when it is known."""

    tournament_id: Id
    tournament: str
    created_at: Time


class PrizePage(Page[UserPrize]):
    """A page of a user's prizes; `next_cursor` null at the end."""

    example = {
        "items": [
            Winner.example | {
                "tournament_id": "8127364512893471", "tournament": "Sprint", "created_at": "2027-05-01T10:00:00.000Z",
            }
        ],
        "next_cursor": "x3kd",
    }  # fmt: skip


class ArchiveItem(Answer):
    """A file of the archive; `in_records` false: the tournament is shown from it."""

    tournament_id: Id
    name: str
    revision: int
    finished_at: Time
    participants: int
    size_bytes: int
    archived_at: Time
    in_records: bool


class ArchivePage(Page[ArchiveItem]):
    """A page of the archive; `next_cursor` null at the end."""

    example = {
        "items": [
            {
                "tournament_id": "8127364512893471", "name": "Sprint", "revision": 0,
                "finished_at": "2027-05-01T10:00:00.000Z", "participants": 65, "size_bytes": 5120,
                "archived_at": "2027-05-01T10:00:01.250Z", "in_records": True,
            }
        ],
        "next_cursor": "x3kd",
    }  # fmt: skip


class PushKeysAnswer(Answer):
    """A browser's keys, base64url."""

    p256dh: str
    auth: str


class PushSubscriptionAnswer(Answer):
    """Where a browser is reached."""

    endpoint: str
    keys: PushKeysAnswer


class AvailableNotifications(Answer):
    """What this Palio offers: channels, languages, events; the key with which browsers subscribe (null: there is no push), and the
    secret of your webhooks (Standard Webhooks; null: there are none)."""

    channels: list[Channel]
    languages: list[Language]
    events: list[EventName]
    push_public_key: str | None
    webhook_secret: str | None


class NotificationsAnswer(Answer):
    """What a user is told, and where."""

    language: Language
    channels: list[Channel]
    opt_out: list[EventName]
    overtaken: bool
    email: str | None
    push_subscriptions: list[PushSubscriptionAnswer]
    webhook_url: str | None
    available: AvailableNotifications
    sent: ClassVar[dict[str, Any]] = {
        "language": "de", "channels": ["live", "webhook"], "opt_out": ["started"], "overtaken": True,
        "email": "ann@example.org", "push_subscriptions": [], "webhook_url": "https://ann.example/palio",
    }  # fmt: skip
    example = {
        **sent,
        "available": {
            "channels": ["live", "webhook"], "languages": ["en", "de"], "events": ["started", "ended"],
            "push_public_key": "BMlaZ6UyhX8CXyGNAbF5OQ_vVw2Jf1LVKkw9nkMxTUx8", "webhook_secret": "whsec_c2VjcmV0",
        },
    }  # fmt: skip


class SchemaItem(Answer):
    """A message: of the `topic` or of the `live` socket, and whom it comes from. `url` is relative to the index."""

    name: str
    of: Literal["topic", "live"]
    sent_by: Literal["anyone", "palio", "client"]
    description: str
    url: str
    example = {
        "name": "score-record", "of": "topic", "sent_by": "anyone", "description": "A score as produced.",
        "url": "score-record.json",
    }  # fmt: skip


class SchemaIndex(Answer):
    """The messages that have a JSON Schema."""

    schemas: list[SchemaItem]
    example = {"schemas": [SchemaItem.example]}


class Gateway(Answer):
    """Where the gateway is; `time` is the server's, in ms since 1970."""

    gateway: str
    live: str
    version: str
    demo: bool
    time: int
    example = {
        "gateway": "http://127.0.0.1:8001", "live": "ws://127.0.0.1:8001/v1/live", "version": "0.1.0", "demo": False,
        "time": 1809162727250,
    }  # fmt: skip


class DemoPlayer(Answer):
    """A demo player and their token."""

    user_id: Id
    name: str
    token: str
    expires_at: Time
    example = {
        "user_id": "4611686018427387946", "name": "Guest 7946", "expires_at": "2027-05-02T09:00:00.000Z",
        "token": "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.e30.c2lnbmF0dXJl",
    }  # fmt: skip


class Health(Answer):
    """Alive (`ok`), or able to serve (`ready`)."""

    status: Literal["ok", "ready"]
    example = {"status": "ok"}
