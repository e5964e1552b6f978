"""An entity: one tournament as its owner holds it, with what is published of it and what is durable of it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from actors.domain import views
from actors.domain.fold import Outcome
from actors.domain.tournament import Tournament

RECENT_UPDATES: Final = 64  # patches kept for `since`: 3 s at 20 a second
MAX_CHANGED_USERS: Final = 8192  # beyond, gateways are told that anyone may have changed
NEVER_MS: Final = -(2**62)


@dataclass(slots=True)
class Scope:
    """What is owned as one: a partition's shared tournaments (`tournament` 0), or one dedicated tournament.

    `watermark`: applied up to; `durable`: projected up to; `epoch`: the offset of this owner's claim.
    """

    partition: int
    tournament: int
    epoch: int
    watermark: int
    durable: int
    closed: bool = False

    @property
    def ready(self) -> bool:
        """Whether the state includes all that came before this owner's claim; before that it answers no reads."""
        return self.watermark >= self.epoch


@dataclass(slots=True)
class Held:
    """An outcome to answer once the tournament is durable at its record."""

    reply_to: str
    outcome: Outcome


@dataclass(slots=True)
class Entity:
    """See the module. `seq` counts published updates within the epoch, that of the scope or `least_epoch` (see `loaded`).

    `top_dirty`: the live data may have changed since it was published. `readers`: reads to be made with the next update, before anything
    else changes. `top_rows`: the live table's rows by slot, in order, with the score and the name that each shows. `due_ms` is the publisher's.
    """

    state: Tournament
    scope: Scope
    seq: int = 0
    least_epoch: int = -1
    published: dict[str, Any] | None = None
    recent: deque[tuple[int, bytes]] = field(default_factory=lambda: deque(maxlen=RECENT_UPDATES))
    published_ms: int = 0
    due_ms: int = 0
    watched_ms: int = NEVER_MS
    top_dirty: bool = False
    readers: list[Callable[[], None]] = field(default_factory=list)
    top_rows: dict[int, tuple[int, str | None, dict[str, Any]]] = field(default_factory=dict)
    top_worst: int | None = None
    changed_users: set[int] = field(default_factory=set)
    changed_many: bool = False
    durable_offset: int = -1
    rewound: bool = False
    over_since_ms: int | None = None
    previous_ranks: dict[int, int] = field(default_factory=dict)
    held: list[Held] = field(default_factory=list)
    view_key: tuple[int, int, str] | None = None
    view_body: bytes = b""

    @classmethod
    def loaded(cls, state: Tournament, scope: Scope, *, rewound: bool) -> Entity:
        """A tournament as it was stored.

        One that is over may have been in memory before, under this scope or one of its own, and is watched at a position of that time. So it
        begins beyond all of those: claims that were ahead of its end have lower offsets, and there are no more updates than records and one.
        """
        entity = cls(state, scope, durable_offset=state.offset, rewound=rewound)
        if state.over:
            entity.least_epoch, entity.seq = state.offset + 1, state.offset + 2
        return entity

    @property
    def epoch(self) -> int:
        """The epoch of its positions."""
        return max(self.scope.epoch, self.least_epoch)

    @property
    def status(self) -> str:
        """The status as shown: rule 8, finished only once that is durable."""
        state = self.state
        if state.status == "finished" and self.durable_offset < state.offset:
            return "running"
        return state.status

    def position(self) -> tuple[int, int]:
        """(epoch, seq) of the newest published update."""
        return self.epoch, self.seq

    @property
    def shown_seq(self) -> int:
        """The update that shows what a read shows now; UNPUBLISHED while the live data may have changed since the newest one."""
        return views.UNPUBLISHED if self.top_dirty else self.seq

    def etag(self) -> str:
        """Names the content of the view and the rankings: it changes with every record that does."""
        return f'"{self.epoch:x}-{self.state.offset:x}-{self.shown_seq:x}-{self.status[0]}"'

    def view(self) -> bytes:
        """The encoded view, kept until something changes."""
        key = (self.state.offset, self.shown_seq, self.status)
        if key != self.view_key:
            self.view_body = views.encode(views.view(self.state, self.epoch, self.shown_seq, self.status))
            self.view_key = key
        return self.view_body

    def live_data(self) -> dict[str, Any]:
        """The live data as of now. Rows that are as they were the last time are the same objects, and never changed."""
        state, kept = self.state, self.top_rows
        names = state.members.names
        slots = state.ranking.slots(0, views.TOP_ROWS)
        scores = state.ranking.scores_of(slots).tolist() if len(slots) else []
        rows: dict[int, tuple[int, str | None, dict[str, Any]]] = {}
        for slot, score in zip(slots.tolist(), scores, strict=True):
            known = kept.get(slot)
            if known is None or known[0] != score or known[1] != names[slot]:
                known = score, names[slot], views.top_row(state, slot, score)
            rows[slot] = known
        self.top_rows = rows
        self.top_worst = scores[-1] if len(scores) >= views.TOP_ROWS else None
        return views.live_fields(state, self.status, [row for _, _, row in rows.values()])

    def touches_top(self, slots: Iterable[int]) -> bool:
        """Whether the new scores of these may show in the live table: a cheap test that errs on the side of yes."""
        worst, rows, score_of = self.top_worst, self.top_rows, self.state.ranking.score
        if worst is None:
            return True
        sign = 1 if self.state.spec.order == "desc" else -1
        return any(
            slot in rows or ((score := score_of(slot)) is not None and score * sign >= worst * sign) for slot in slots
        )

    def note_changed(self, user_ids: Iterable[int]) -> None:
        """Remember whose standing changed by their own doing, within a bound."""
        if self.changed_many:
            return
        self.changed_users.update(user_ids)
        if len(self.changed_users) > MAX_CHANGED_USERS:
            self.changed_many = True
            self.changed_users.clear()
