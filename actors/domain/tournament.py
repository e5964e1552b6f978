"""The state of one tournament: its spec, its status, its members as columns and their ranking. Changed only by `actors.domain.fold`."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import msgspec
import numpy as np
from msgspec import UNSET

from actors.domain.boards.groups import Groups
from actors.domain.life.transitions import SCHEDULED, Status
from actors.domain.messages import Spec
from actors.domain.ranking.ranking import Ranking
from actors.domain.ranking.subscore_ranking import SubscoreRanking
from actors.domain.ranking.user_map import UserMap
from actors.domain.series.family import Family
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
        "disqualified",
        "done_ms",
        "extra_ms",
        "joined",
        "joined_ms",
        "names",
        "placed_ms",
        "removed",
        "removed_at",
        "scored_ms",
        "seat",
        "tier",
        "undone",
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
        self.done_ms: dict[int, int] = {}  # when they said that they are done, or had used their attempts
        self.extra_ms: dict[int, int] = {}  # how much more time they have
        self.disqualified: dict[int, str] = {}  # why
        self.undone = 0  # how many of the active are neither done nor disqualified

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
        self.undone += 1
        return slot

    def set_active(self, slot: int, *, active: bool) -> None:
        """A member comes back or leaves; to be called where that is a change."""
        self.active[slot] = active
        step = 1 if active else -1
        self.joined += step
        self.undone += step if self.counts(slot) else 0

    def set_done(self, slot: int, time_ms: int) -> None:
        """A member will send no more scores. A second call does nothing."""
        before = self.counts(slot)
        self.done_ms.setdefault(slot, time_ms)
        self._counted(slot, before)

    def set_disqualified(self, slot: int, reason: str | None) -> None:
        """A member no longer counts, or (None) does again."""
        before = self.counts(slot)
        if reason is None:
            self.disqualified.pop(slot, None)
        else:
            self.disqualified[slot] = reason
        self._counted(slot, before)

    def counts(self, slot: int) -> bool:
        """Whether a member, if active, is waited for: neither done nor disqualified."""
        return slot not in self.done_ms and slot not in self.disqualified

    def _counted(self, slot: int, before: bool) -> None:
        if self.active[slot]:
            self.undone += self.counts(slot) - before


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


class Frozen(NamedTuple):
    """The table as it stood when it was frozen: all that is public of scores, by slot."""

    ranking: Ranking
    scored_ms: array[int]
    attempts: array[int]


@dataclass(slots=True)
class Tournament:
    """One tournament. Times are ms since 1970 by the log's clock; `offset` is that of the last record applied.

    `seen` holds 64-bit keyed digests of event and command ids that took effect, until the tournament is over; a dict, since that tells the
    newest ones.
    A field that came later has a default, with which it is absent in snapshots (`actors.domain.codec.SnapshotHeader`).

    `ended` holds the digests of `seen` (sorted, 8 bytes each) of one that is over, for the case that it is reopened. `late_ms`: when the last
    participant with extra time beyond the end is through, 0 without one. `frozen`: the table that is shown while the real one is hidden;
    `revealed`: it is not frozen again. `cut_short`: it was cancelled after its start.
    `settled`: whether its prizes are approved, after which it is not reopened.
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
    seen: dict[int, None] = field(default_factory=dict)
    history: list[HistoryEntry] = field(default_factory=list)
    invitations: dict[str, Invitation] = field(default_factory=dict)  # by id
    family: Family | None = None  # of a tournament that opens others
    ended: bytes = b""
    late_ms: int = 0
    frozen: Frozen | None = None
    revealed: bool = False
    settled: Settled = ""
    cut_short: bool = False
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
    def in_extra_time(self) -> bool:
        """Whether the end has passed for all but those with extra time."""
        return self.late_ms > 0 and self.spec.ends_ms is not None and self.time_ms >= self.spec.ends_ms

    @property
    def freezes(self) -> bool:
        """Whether the table is still to be frozen."""
        return self.spec.freeze_ms is not UNSET and self.frozen is None and not self.revealed

    @property
    def due_ms(self) -> int | None:
        """When time alone next changes something."""
        if self.status == "scheduled" and self.spec.type == "scheduled":
            return self.spec.starts_ms
        if self.status == "running":
            ends_ms, freeze_ms = self.spec.ends_ms, self.spec.freeze_ms
            if freeze_ms is not UNSET and ends_ms is not None and self.freezes:
                return max(ends_ms - freeze_ms, 0)
            return max(ends_ms, self.late_ms) if self.late_ms and ends_ms is not None else ends_ms
        return None

    def digest(self, kind: bytes, user_id: int, token: str) -> int:
        """The 64-bit keyed digest of an event id (kind `e`) or command id (kind `c`)."""
        data = kind + user_id.to_bytes(8, "big") + token.encode()
        return int.from_bytes(hashlib.blake2b(data, digest_size=8, key=self.salt).digest(), "big")


def sorted_digests(seen: Collection[int]) -> bytes:
    """Digests as a column of uint64 in ascending order."""
    column = np.fromiter(seen, np.uint64, len(seen))
    column.sort()
    return column.tobytes()


def has_digest(digests: bytes, digest: int) -> bool:
    """Whether a column of `sorted_digests` has a digest."""
    column = np.frombuffer(digests, np.uint64)
    at = int(column.searchsorted(np.uint64(digest)))
    return at < len(column) and int(column[at]) == digest


def with_digest(digests: bytes, digest: int) -> bytes:
    """A column of `sorted_digests` with one more."""
    return sorted_digests({*np.frombuffer(digests, np.uint64).tolist(), digest})


def multiplier_of(salt: bytes) -> int:
    """The secret odd multiplier of a tournament's user map, so that chosen user ids cannot collide on purpose."""
    return (int.from_bytes(hashlib.blake2b(salt, digest_size=8, person=b"user-map").digest(), "big") & MAX_ID) | 1


def ranking_of(spec: Spec) -> Ranking:
    """An empty ranking by a spec's order, ties and subscore."""
    descending = spec.order == "desc"
    if spec.subscore is UNSET:
        return Ranking(descending=descending, ties=spec.ties)
    return SubscoreRanking(descending=descending, ties=spec.ties, subscore_descending=spec.subscore.order == "desc")
