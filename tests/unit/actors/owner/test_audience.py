"""Who listens: asked of the broker regularly, and at once where a scope has caught up."""

from __future__ import annotations

from collections.abc import Sequence

from actors.domain.publications import replies_channel, updates_channel
from actors.owner.audience import Audience
from actors.owner.entity import Entity, Scope
from tests.unit.actors.domain.test_tournament import tournament

NOW_MS = 1_800_000_000_000
LOOK_MS = 5000


class Broker:
    """The Updates port's answer to who listens."""

    def __init__(self) -> None:
        self.channels: Sequence[str] | None = [
            updates_channel(1),
            updates_channel(2),
            updates_channel(3),
            replies_channel("a"),
        ]
        self.asked = 0

    async def listened(self) -> Sequence[str] | None:
        self.asked += 1
        return self.channels


class Hall:
    """Tournaments 1 (held), 2 (its scope catches up) and an audience."""

    def __init__(self) -> None:
        self.now_ms = NOW_MS
        self.broker = Broker()
        self.watched: list[Entity] = []
        state = tournament()
        self.held = {
            1: Entity(state, Scope(0, 0, epoch=5, watermark=5, durable=-1)),
            2: Entity(state, Scope(1, 0, epoch=5, watermark=4, durable=-1)),
        }
        self.audience = Audience(self.broker, self.held.get, self.watched.append, lambda: self.now_ms, LOOK_MS)  # type: ignore[arg-type]


async def test_what_is_listened_to_and_at_hand_is_watched() -> None:
    hall = Hall()
    assert await hall.audience.look_due()
    assert hall.watched == [hall.held[1]]
    assert hall.audience.listened == 1


async def test_it_asks_regularly_and_at_once_when_told_to() -> None:
    hall = Hall()
    await hall.audience.look_due()
    hall.now_ms += LOOK_MS - 1
    assert not await hall.audience.look_due()
    hall.now_ms += 1
    assert await hall.audience.look_due()
    hall.audience.look_soon()
    assert await hall.audience.look_due()
    assert hall.broker.asked == 3
    hall.now_ms -= 3_600_000  # a clock that was set back
    assert await hall.audience.look_due()


async def test_a_broker_that_does_not_tell_changes_nothing() -> None:
    hall = Hall()
    await hall.audience.look_due()
    hall.broker.channels = None
    hall.audience.look_soon()
    assert not await hall.audience.look_due()
    assert (hall.audience.listened, len(hall.watched)) == (1, 1)
