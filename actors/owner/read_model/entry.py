"""What an owner knows of a tournament's read model, and the delta that it gets next: what changed, or the whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from actors.domain.read_model_rows import CapturedRows, ReadModelRow, rows_of
from actors.owner.entity import Entity
from storage.ports import ReadModelDelta

CAPTURE_ROWS: Final = 1000  # wholes of more are captured as columns and encoded while they are sent


class Sent(NamedTuple):
    """What a delta told; by `renumbered` its rows and those of another one have places in the same order, or not."""

    offset: int
    seq: int
    status: str
    renumbered: int

    @classmethod
    def now(cls, entity: Entity) -> Sent:
        """What a delta would tell now."""
        shown = entity.shown
        return cls(shown.offset, entity.shown_seq, entity.status, shown.ranking.renumbered)


@dataclass(slots=True)
class ReadModelEntry:
    """Of one tournament. `sent`: as acknowledged, None: to be sent whole. `changed`: slots since then.

    `unsure`: a write failed, and nobody has answered for it since. `busy`: a large whole is on its way.
    `wrong`: it may hold something else than what was sent, and nothing has taken its place since.
    """

    entity: Entity
    changed: set[int] = field(default_factory=set)
    sent: Sent | None = None
    unsure: bool = False
    busy: bool = False
    wrong: bool = False

    @property
    def whole(self) -> bool:
        """Whether what goes next is the whole: nothing is known to be there, or all places changed, as at a freeze and after it."""
        return self.sent is None or self.sent.renumbered != self.entity.shown.ranking.renumbered

    def take(self, *, whole: bool) -> ReadModelDelta:
        """The delta as of now, which counts as sent from here on."""
        after = None if whole or self.sent is None else self.sent.offset
        delta = delta_of(self.entity, None if after is None else sorted(self.changed), after)
        self.changed, self.sent = set(), Sent.now(self.entity)
        return delta


def delta_of(entity: Entity, slots: Sequence[int] | None, after: int | None) -> ReadModelDelta:
    """A tournament's delta as of now: the rows of `slots`, or (None) of all who take part."""
    state = entity.shown
    if slots is None and len(state.members) > CAPTURE_ROWS:
        rows: Sequence[ReadModelRow] = CapturedRows(state, entity.shown_previous_ranks)
    else:
        every = (slot for slot, active in enumerate(state.members.active) if active)
        rows = rows_of(state, list(every) if slots is None else slots, entity.shown_previous_ranks)
    return ReadModelDelta(
        tournament_id=state.tournament_id,
        epoch=entity.epoch,
        after=after,
        offset=state.offset,
        seq=entity.shown_seq,
        status=entity.status,
        public=state.spec.visibility == "public",
        ties=state.spec.ties,
        view=entity.view(),
        rows=rows,
        finished=state.over and entity.durable_offset >= state.offset,
    )
