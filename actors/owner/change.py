"""What the applier tells of a tournament that changed; publisher, checkpointer, read model and ticker each keep what they need of it."""

from __future__ import annotations

from dataclasses import dataclass, field

from actors.owner.entity import Entity


@dataclass(slots=True)
class Change:
    """What one delivery changed of a tournament, at the least its offset.

    `slots`: who scored, joined or left, slot -> user. `urgent`: it is to be durable at once. `top`: more may show than the scores of
    `slots`, such as a status or a name. `whole`: more than the rows of `slots` and the tournament's scalars may be other than before.
    Without `slots` and `top` nothing of it shows: an ignored score moves the offset alone.
    Whoever is told reads it at once and keeps no reference to `slots`.
    """

    entity: Entity
    slots: dict[int, int] = field(default_factory=dict)
    urgent: bool = False
    top: bool = False
    whole: bool = False

    def add(self, other: Change) -> None:
        """What changed besides."""
        self.slots |= other.slots
        self.urgent |= other.urgent
        self.top |= other.top
        self.whole |= other.whole
