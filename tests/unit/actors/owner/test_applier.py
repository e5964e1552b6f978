"""The applier: what it makes of records is what the fold makes of them, however they are cut into ranges."""

from __future__ import annotations

from random import Random

import pytest

from actors.domain.codec import encode_snapshot
from actors.domain.delivery import ControlItem, Range, ScoreItem, decode_answer, encode_ranges
from actors.domain.events import Outcome
from actors.domain.fold import apply
from actors.domain.messages import Claim, End, Join
from actors.domain.tournament import Tournament
from actors.owner.owner import Owner
from tests.support.histories import BEGIN_MS, PARTITION, TOURNAMENT, Score, items_of, random_history
from tests.support.memory_records import MemoryRecords
from tests.unit.actors.owner.test_owner import Silent, create, deliver, items, owner_of, step, waited_for


def claim_of(instance: str) -> Claim:
    return Claim(command_id=instance, scope=f"partition-{PARTITION}", owner="shard-0", instance=instance)


async def ready(updates: Silent | None = None) -> Owner:
    owner = owner_of(MemoryRecords(), updates=updates)
    await owner.adopt([(PARTITION, 0, -1)])
    return owner


@pytest.mark.parametrize("seed", range(60))
async def test_it_comes_to_the_fold_s_state_and_outcomes(seed: int) -> None:
    """Also where many scores come together, so that their ranks are looked up in bulk."""
    records = waited_for(items_of(random_history(seed, 70)))
    folded: Tournament | None = None
    outcomes: list[tuple[int, str, str, str, bool]] = []
    for item in records:
        folded, events = apply(folded, TOURNAMENT, PARTITION, item)
        told = [event for event in events if isinstance(event, Outcome)]
        outcomes += [(each.offset, each.kind, each.outcome, each.reason, each.first) for each in told]
    assert folded is not None
    updates = Silent()
    owner = await ready(updates)
    entity = None
    r, at, rest = Random(seed), -1, records
    while rest:
        count = r.choice([1, 3, 30])
        part, rest = rest[:count], rest[count:]
        await deliver(owner, 0, at, part[-1].offset, part)
        at = part[-1].offset
        entity = owner.tournaments.at_hand(TOURNAMENT)
    assert entity is not None
    assert encode_snapshot(entity.state) == encode_snapshot(folded)
    await owner.checkpointer.full_round(owner.scopes())
    await owner.publish_due()
    replies = sorted((r.offset, r.kind, r.outcome, r.reason, r.first) for r in updates.replies)
    assert replies == sorted(outcomes)
    assert sum(owner.outcomes.values()) == len(outcomes)


async def test_a_reply_tells_the_rank_before_and_after() -> None:
    updates = Silent()
    owner = await ready(updates)
    joins = [step(Join(command_id=f"j{user}", user_id=str(user))) for user in (1, 2)]
    await deliver(owner, 0, -1, 20, items(create(dedicated=False), *joins, first=10))
    scores = [Score(1, "a", 500), Score(2, "b", 300), Score(2, "c", 700), Score(2, "c", 900), Score(1, "d", 100)]
    await deliver(owner, 0, 20, 30, waited_for(items(*map(step, scores), first=21)))
    await owner.publish_due()
    told = [(reply.previous_rank, reply.rank, reply.reason) for reply in updates.replies]
    assert told == [(None, 1, ""), (None, 2, ""), (2, 1, ""), (1, 1, "duplicate"), (2, 2, "")]


async def test_what_comes_ahead_of_its_create_is_rejected_and_nothing_else() -> None:
    owner = await ready()
    early = [ScoreItem(5, BEGIN_MS, TOURNAMENT, 1, "a", 1), *items(step(Join(command_id="j", user_id="1")), first=6)]
    records = [*early, *items(create(dedicated=False), first=7)]
    answer = decode_answer(await owner.deliver(encode_ranges([Range(PARTITION, 0, -1, 9, records)])))
    assert [(each.offset, each.reason) for each in answer.rejected] == [
        (5, "unknown_tournament"),
        (6, "unknown_tournament"),
    ]
    assert answer.positions[0].watermark == 9
    assert TOURNAMENT in owner.tournaments.active


async def test_a_later_claim_of_another_ends_the_scope_and_what_follows_is_not_applied() -> None:
    owner = await ready()
    own = ControlItem(11, BEGIN_MS, 0, claim_of(owner.instance))
    assert (await deliver(owner, 0, -1, 20, [*items(create(dedicated=False), first=10), own])).held
    other = ControlItem(31, BEGIN_MS, 0, claim_of("other"))
    late = items(step(End(command_id="e")), first=32)
    assert not (await deliver(owner, 0, 20, 40, [other, *late])).held
    assert owner.scopes() == []
    assert owner.tournaments.at_hand(TOURNAMENT) is None
    assert owner.outcomes["applied", ""] == 1, "the create alone"


async def test_an_error_of_our_own_loses_nothing_of_what_was_applied_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The range comes again; its first records are then known, and would change nothing any more."""
    owner = await ready()
    await deliver(owner, 0, -1, 20, items(create(dedicated=False), step(Join(command_id="j", user_id="1")), first=10))
    await owner.checkpointer.full_round(owner.scopes())
    records = items(step(Score(1, "a", 500)), step(Join(command_id="k", user_id="2")), first=21)

    def fail(*_: object) -> None:
        raise RuntimeError("a bug")

    with monkeypatch.context() as patch:
        patch.setattr(owner._applier, "_apply_control", fail)
        with pytest.raises(RuntimeError, match="a bug"):
            await deliver(owner, 0, 20, 30, records)
    assert (await deliver(owner, 0, 20, 30, records)).watermark == 30
    await owner.checkpointer.full_round(owner.scopes())
    stored = owner._records._participants[TOURNAMENT, 1]  # type: ignore[attr-defined]
    assert (stored.score, stored.attempts) == (500, 1)
