"""The state of one tournament: its spec, its status, its members as columns and their ranking. Changed only by `actors.domain.fold`."""

from __future__ import annotations

import hashlib
from array import array
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec
from msgspec import UNSET

from actors.domain.boards.groups import Groups
from actors.domain.messages import Spec
from actors.domain.ranking.ranking import Ranking
from actors.domain.ranking.subscore_ranking import SubscoreRanking
from actors.domain.ranking.user_map import UserMap
from actors.domain.series.family import Family
from actors.domain.transitions import SCHEDULED, Status
from actors.domain.values import MAX_ID

Settled = Literal["", "approved"]


class Members:
    """Everyone who ever joined, one slot each in the order of their first join. Scores live in the ranking's keys.

    What few members have is kept by slot for those alone; `actors.domain.codec.SPARSE` names it for the snapshot.
    """

    __slots__ = (
        "active",
        "attempts",
        "began_ms",
        "joined",
        "joined_ms",
        "names",
        "placed_ms",
        "removed",
        "removed_at",
        "scored_ms",
        "seat",
        "tier",
        "users",
    )

    def __init__(self, multiplier: int) -> None:
        self.users = UserMap(multiplier)
        self.names: list[str | None] = []
        self.attempts = array("i")
        self.scored_ms = array("q")  # when the present score was reached; 0 without a score
        self.joined_ms = array("q")
        self.active = bytearray()
        self.joined = 0  # how many are active
        self.removed: set[int] = set()  # slots of those whom a service removed and has not brought back
        self.removed_at: dict[int, int] = {}  # the removal's offset, of those removed when there were invitations
        self.seat: dict[int, int] = {}  # of cohorts: the how manieth place, from 0, is whose for good
        self.tier: dict[int, int] = {}  # of a league: of those who have moved; all others are in the lowest
        self.placed_ms: dict[int, int] = {}  # of a league: the start of the occurrence that each is in
        self.began_ms: dict[int, int] = {}  # when their own windows began

    def __len__(self) -> int:
        return len(self.names)

    def slot(self, user_id: int) -> int:
        """The slot of a user who takes part now, else -1."""
        slot = self.users.slot(user_id)
        return slot if slot >= 0 and self.active[slot] else -1

    def add(self, user_id: int, name: str | None, time_ms: int) -> int:
        """A new member, active; returns the slot."""
        slot = self.users.add(user_id)
        self.names.append(name)
        self.attempts.append(0)
        self.scored_ms.append(0)
        self.joined_ms.append(time_ms)
        self.active.append(1)
        self.joined += 1
        return slot


class HistoryEntry(msgspec.Struct, array_like=True, frozen=True):
    """What somebody ordered and what it changed: values before and after by the contract's names; `by` is a user id."""

    at_ms: int
    by: str
    action: str
    before: dict[str, Any]
    after: dict[str, Any]


class Invitation(msgspec.Struct, array_like=True, frozen=True):
    """One that was given and not revoked: `offset` of the record that gave it, `user_id` 0 for whoever brings it, `by` a user id."""

    offset: int
    given_ms: int
    by: str
    user_id: int
    uses: int
    used: int
    expires_ms: int | None


@dataclass(slots=True)
class Tournament:
    """One tournament. Times are ms since 1970 by the log's clock; `offset` is that of the last record applied.

    `seen` holds 64-bit keyed digests of event and command ids that took effect, until the tournament is over.
    `settled`: how far its prizes are, which may forbid to change it.
    A field that came later has a default, with which it is absent in snapshots (`actors.domain.codec.SnapshotHeader`).
    """

    tournament_id: int
    partition: int
    rules_version: int
    creator: int
    dedicated: bool
    salt: bytes
    request_digest: str
    spec: Spec
    created_ms: int
    time_ms: int
    offset: int
    members: Members
    ranking: Ranking
    status: Status = SCHEDULED
    version: int = 1
    revision: int = 0
    finished_ms: int | None = None
    seen: set[int] = field(default_factory=set)
    history: list[HistoryEntry] = field(default_factory=list)
    invitations: dict[str, Invitation] = field(default_factory=dict)  # by id
    settled: Settled = ""
    family: Family | None = None  # of a tournament that opens others
    groups: dict[str, Groups] = field(default_factory=dict)  # of each of the spec's boards
    plain: bool = field(init=False)  # neither scoring nor subscore: the score is what was sent

    def __post_init__(self) -> None:
        self.plain = self.spec.scoring is UNSET and self.spec.subscore is UNSET
        if self.spec.boards is not UNSET and not self.groups:
            self.groups = {board: Groups() for board in self.spec.boards}

    @property
    def over(self) -> bool:
        """Finished or cancelled."""
        return self.status in ("finished", "cancelled")

    @property
    def due_ms(self) -> int | None:
        """When time alone changes the status next."""
        if self.status == "scheduled" and self.spec.type == "scheduled":
            return self.spec.starts_ms
        if self.status == "running":
            return self.spec.ends_ms
        return None

    def digest(self, kind: bytes, user_id: int, token: str) -> int:
        """The 64-bit keyed digest of an event id (kind `e`) or command id (kind `c`)."""
        data = kind + user_id.to_bytes(8, "big") + token.encode()
        return int.from_bytes(hashlib.blake2b(data, digest_size=8, key=self.salt).digest(), "big")


def multiplier_of(salt: bytes) -> int:
    """The secret odd multiplier of a tournament's user map, so that chosen user ids cannot collide on purpose."""
    return (int.from_bytes(hashlib.blake2b(salt, digest_size=8, person=b"user-map").digest(), "big") & MAX_ID) | 1


def ranking_of(spec: Spec) -> Ranking:
    """An empty ranking by a spec's order, ties and subscore."""
    descending = spec.order == "desc"
    if spec.subscore is UNSET:
        return Ranking(descending=descending, ties=spec.ties)
    return SubscoreRanking(descending=descending, ties=spec.ties, subscore_descending=spec.subscore.order == "desc")
