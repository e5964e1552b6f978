"""What an owner knows of a tournament's read model, and the delta that it gets next: what changed, or the whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from actors.domain.read_model_rows import CapturedRows, ReadModelRow, rows_of
from actors.owner.entity import Entity
from storage.ports import ReadModelDelta

CAPTURE_ROWS: Final = 1000  # wholes of more are captured as columns and encoded while they are sent


@dataclass(slots=True)
class ReadModelEntry:
    """Of one tournament. `sent`: (offset, seq, status) as acknowledged, None: to be sent whole. `changed`: slots since then.

    `unsure`: a write failed, and nobody has answered for it since. `busy`: a large whole is on its way.
    `wrong`: it may hold something else than what was sent, and nothing has taken its place since.
    """

    entity: Entity
    changed: set[int] = field(default_factory=set)
    sent: tuple[int, int, str] | None = None
    renumbered: int = 0
    unsure: bool = False
    busy: bool = False
    wrong: bool = False


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
