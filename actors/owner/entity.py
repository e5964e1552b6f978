"""An entity: one tournament as its owner holds it, with what is published of it and what is durable of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from actors.domain import views
from actors.domain.analytics.attempts import Attempts
from actors.domain.codec import SavedPart
from actors.domain.events import Event, Outcome
from actors.domain.life.freeze import is_frozen, shown
from actors.domain.tournament import Tournament
from actors.owner.checkpoint.effects import effects_of
from actors.owner.live import Live
from storage.ports import OutboxRow


@dataclass(slots=True)
class Scope:
    """What is owned as one: a partition's shared tournaments (`tournament` 0), or one dedicated tournament.

    `watermark`: applied up to; `durable`: projected up to; `epoch`: the offset of this owner's claim. `ahead`: tournaments that are applied
    beyond the watermark, and up to where.
    """

    partition: int
    tournament: int
    epoch: int
    watermark: int
    durable: int
    closed: bool = False
    ahead: dict[int, int] = field(default_factory=dict)

    def stands_at(self, tournament_id: int) -> int:
        """The offset up to which a tournament of this scope is applied; for 0 that of all of them."""
        return max(self.watermark, self.ahead.get(tournament_id, -1))

    def passed(self, upto: int) -> None:
        """All tournaments are applied up to this offset."""
        self.watermark = upto
        if self.ahead:
            self.ahead = {tournament: at for tournament, at in self.ahead.items() if at > upto}

    @property
    def ready(self) -> bool:
        """Whether the state includes all that came before this owner's claim; before that it answers no reads."""
        return self.watermark >= self.epoch


class Chain(NamedTuple):
    """The durable snapshot of a tournament with the deltas behind it: `part` is how it stood at the last of them."""

    part: SavedPart
    whole_bytes: int
    delta_bytes: int
    deltas: int


@dataclass(slots=True)
class Held:
    """An outcome to answer once the tournament is durable at its record."""

    reply_to: str
    outcome: Outcome


@dataclass(slots=True)
class Entity:
    """See the module. `live` is the publisher's, and counts updates within the epoch, that of the scope or `least_epoch` (see `loaded`);
    `held` waits for the next checkpoint. `over_offset`: that of the record that ended it, the latest it can
    be where it was loaded. `chain`: what a delta may follow, None: the next
    save is whole. `settled`: it was over when it was stored so, and may have been changed since.
    """

    state: Tournament
    scope: Scope
    least_epoch: int = -1
    live: Live = field(default_factory=Live)
    durable_offset: int = -1
    chain: Chain | None = None
    rewound: bool = False
    settled: bool = False
    over_offset: int = -1
    over_since_ms: int | None = None
    previous_ranks: dict[int, int] = field(default_factory=dict)
    held: list[Held] = field(default_factory=list)
    erased: bool = False  # somebody was, so that earlier snapshots are to go with the next one
    effects: list[OutboxRow] = field(default_factory=list)  # that wait for the next checkpoint, too
    attempts: Attempts = field(default_factory=Attempts)  # likewise
    view_key: tuple[int, int, str] | None = None
    view_body: bytes = b""

    def __post_init__(self) -> None:
        if self.state.over:
            self.over_offset = self.state.offset

    def note(self, event: Event) -> None:
        """Something happened: what it leads to, and whether somebody was erased."""
        self.erased |= isinstance(event, Outcome) and event.kind == "erase" and event.first
        self.effects += effects_of(self.state, event, self.effects)

    @classmethod
    def loaded(cls, state: Tournament, scope: Scope, *, rewound: bool) -> Entity:
        """A tournament as it was stored.

        One that is over may have been in memory before, under this scope or one of its own, and is watched at a position of that time. So it
        begins beyond all of those: claims that were ahead of its end have lower offsets, and there are no more updates than records and one.
        """
        entity = cls(state, scope, durable_offset=state.offset, rewound=rewound)
        if state.over:
            entity.least_epoch, entity.live.seq = state.offset + 1, state.offset + 2
        return entity

    @property
    def epoch(self) -> int:
        """The epoch of its positions."""
        return max(self.scope.epoch, self.least_epoch)

    @property
    def status(self) -> str:
        """The status as shown: rule 8, finished only once that is durable."""
        state = self.state
        if state.status == "finished" and self.durable_offset < self.over_offset:
            return "running"
        return state.status

    @property
    def frozen(self) -> bool:
        """Whether the public is shown a table that stands still."""
        return self.state.frozen is not None and is_frozen(self.state, self.status)

    @property
    def shown(self) -> Tournament:
        """The tournament as the public is shown it."""
        return self.state if self.state.frozen is None else shown(self.state, self.status)

    @property
    def shown_previous_ranks(self) -> dict[int, int]:
        """The ranks before, as the public is shown them: none while the table stands still."""
        return {} if self.frozen else self.previous_ranks

    def position(self) -> tuple[int, int]:
        """(epoch, seq) of the newest published update."""
        return self.epoch, self.live.seq

    @property
    def shown_seq(self) -> int:
        """The update that shows what a read shows now; UNPUBLISHED while the live data may have changed since the newest one."""
        return views.UNPUBLISHED if self.live.stale else self.live.seq

    def etag(self) -> str:
        """Names the content of the view and the rankings: it changes with every record that does."""
        return f'"{self.epoch:x}-{self.state.offset:x}-{self.shown_seq:x}-{self.status[0]}"'

    def view(self) -> bytes:
        """The encoded view, kept until something changes."""
        key = (self.state.offset, self.shown_seq, self.status)
        if key != self.view_key:
            self.view_body = views.encode(views.view(self.shown, self.epoch, self.shown_seq, self.status))
            self.view_key = key
        return self.view_body
