"""Owners: asking the actor that holds a tournament. Routing, retries and moves are the implementation's business.

Guarantees
- A reply is exact as of some moment after the call began, in the owner's order.
- `OwnerUnavailableError` within about `timeout_s`: the owner is down or moving (`OwnerRecordsError`: it lacks but the records of this
  tournament); the caller falls back to the read model.
- Calls change nothing: tournaments change through the log alone.

Who may see a tournament is asked with `AccessQuery`; the other queries do not judge it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, NamedTuple, Protocol, TypeVar

import msgspec

from actors.domain.prizes.rules import PrizeRule
from actors.domain.prizes.standings import PrizeStandings

A = TypeVar("A")


class OwnerUnavailableError(Exception):
    """The owner did not answer: it is restarting, moving, or its node is gone."""


class OwnerRecordsError(OwnerUnavailableError):
    """The owner answers, but it would have to read this tournament from the records, and these do not."""


class OwnerMovedError(Exception):
    """The asked owner does not hold this tournament (any more); look again where it lives."""


class Reply(NamedTuple):
    """An encoded answer. `found` False: no such thing. `public` tells whether anyone may see and cache it; `etag` names this very content.

    `offset` is the newest record's in it. `seq` is the published update that shows the same, so that the updates after it apply to it; -1 where
    there is none. `age_s`: how long ago it was asked for, where it was kept since. `frozen`: of a table that stands still;
    whoever may see the real one asks with `full`. Redis holds the public table alone, and does not tell.
    """

    found: bool
    public: bool = True
    body: bytes = b""
    etag: str = ""
    status: str = ""
    epoch: int = 0
    seq: int = 0
    offset: int = -1
    age_s: float = 0.0
    frozen: bool = False


class Access(NamedTuple):
    """Who may see a tournament: anyone a public one, its members a private one. `member`: whether the user that was named takes part;
    `invited`: whether the invitation that was named would let the user in."""

    found: bool
    public: bool = False
    member: bool = False
    invited: bool = False

    @property
    def allowed(self) -> bool:
        """Whether the user that was named may see it."""
        return self.public or self.member


class LiveSnapshot(NamedTuple):
    """What a live subscription starts from: `data` is the encoded JSON of the contract's snapshot `data`.

    `recent` holds the newest updates as (seq, encoded JSON Patch), oldest first, for `since`.
    """

    found: bool
    public: bool = True
    epoch: int = 0
    seq: int = 0
    data: bytes = b""
    recent: tuple[tuple[int, bytes], ...] = ()


class Standing(NamedTuple):
    """A participant's place now. `score` in hundredths; rank and percentile None without a score, and while the table stands still."""

    user_id: int
    rank: int | None
    score: int | None
    percentile: float | None


class Query(msgspec.Struct, Generic[A], frozen=True, tag=True):
    """Something to ask of a tournament; `A` is what is answered."""


class AccessQuery(Query[Access], frozen=True):
    """Whether a tournament exists and who may see it; `user_id` None for a caller without a token, who brings no `invitation`."""

    user_id: int | None = None
    invitation: str | None = None


class ViewQuery(Query[Reply], frozen=True):
    """The encoded tournament view (`GET /v1/tournaments/{id}`). `full`: of the real table, also while the public one stands still."""

    full: bool = False


class RankingsQuery(Query[Reply], frozen=True):
    """Encoded rankings (`GET .../rankings`): a page from position `start` (0-based) of `limit` rows, or `around` a user, or the rows of `users`.

    `next_cursor` in it is the next `start` in decimal. Not found also where `around` has no rank. `full` as in ViewQuery.
    """

    start: int = 0
    limit: int = 100
    around: int | None = None
    users: tuple[int, ...] = ()
    full: bool = False


class SearchQuery(Query[Reply], frozen=True):
    """Encoded rankings of those whose names have `text` in them (as `actors.domain.texts.folded`), or whose user id is `user_id`
    (`GET .../rankings?q=`), paged as RankingsQuery. Owners alone answer it. `full` as in ViewQuery.
    """

    text: str
    user_id: int | None = None
    start: int = 0
    limit: int = 100
    full: bool = False


class GroupRankingsQuery(Query[Reply], frozen=True):
    """Encoded rankings within one group of a board (`GET .../rankings?board=&group=`), paged as RankingsQuery.

    Not found: an unknown board or group, or `around` one without a rank there. `full` as in ViewQuery.
    """

    board: str
    group: str
    start: int = 0
    limit: int = 100
    around: int | None = None
    full: bool = False


class GroupsQuery(Query[Reply], frozen=True):
    """The encoded groups of a board (`GET .../boards/{board}`); not found for an unknown board. `full` as in ViewQuery."""

    board: str
    start: int = 0
    limit: int = 100
    full: bool = False


class TeamsQuery(Query[Reply], frozen=True):
    """The encoded table of the teams (`GET .../teams`); not found where a tournament has none. `full` as in ViewQuery."""

    start: int = 0
    limit: int = 100
    full: bool = False


class ParticipantQuery(Query[Reply], frozen=True):
    """One encoded participant (`GET .../participants/{user}`); not found also for one who does not take part.

    `own`: they ask themselves, and are shown their score, without its rank, while the table stands still. `full` as in ViewQuery.
    """

    user_id: int
    own: bool = False
    full: bool = False


class ResultsQuery(Query[Reply], frozen=True):
    """The results (`GET .../export`) as `actors.domain.results.table` encodes them, all of one moment. `full` as in ViewQuery."""

    full: bool = False


class HistoryQuery(Query[Reply], frozen=True):
    """Who ordered what (`GET .../history`), encoded."""


class PrizesQuery(Query[PrizeStandings], frozen=True):
    """What a tournament gives out (`GET .../prizes`), by its own rules or by these; with the `table` that decides who wins it now."""

    table: bool = False
    rules: tuple[PrizeRule, ...] | None = None


class InvitationsQuery(Query[Reply], frozen=True):
    """The encoded invitations (`GET .../invitations`), newest first."""


class SeriesQuery(Query[Reply], frozen=True):
    """The encoded series (`GET /v1/series/{id}`) as `actors.domain.views.series` has it; not found also for what is none."""


class CohortsQuery(Query[Reply], frozen=True):
    """A page of the encoded boards of cohorts (`GET .../cohorts`) from the 0-based position `start`; of what has none, an empty one."""

    start: int = 0
    limit: int = 50


class ChildrenQuery(Query[list[int]], frozen=True):
    """The tournaments that this one opened and that a command (`start`, `end`, `cancel`, `edit`) is meant for, too: the boards of cohorts;
    what of a series has not started, where it is cancelled."""

    command: str


class LiveQuery(Query[LiveSnapshot], frozen=True):
    """The snapshot a live subscription starts from: the data as last published."""


class StandingsQuery(Query[list[Standing]], frozen=True):
    """Where these users stand, in the order asked for; users who do not take part are left out."""

    users: tuple[int, ...]


class Owners(Protocol):
    """See the module's guarantees. Every method raises OwnerUnavailableError."""

    async def read(self, tournament_id: int, query: Query[A]) -> A:
        """The answer to a query."""

    async def positions(self, tournament_ids: Sequence[int]) -> dict[int, tuple[int, int]]:
        """(epoch, seq) of each tournament whose owner answered: to notice a lost last update."""

    async def resolve_placement(self, tournament_id: int, placement: str, capacity: int | None) -> bool:
        """Whether a new tournament gets an actor alone (True) or shares one. Falls back to shared when nobody can say."""
