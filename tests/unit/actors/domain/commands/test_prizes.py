"""Approving prizes: the result stands, once, and what does not use it keeps its bytes."""

from __future__ import annotations

import pytest

from actors.domain.codec import decode_snapshot, encode_snapshot
from actors.domain.events import Outcome
from actors.domain.fold import apply
from actors.domain.messages import ApprovePrizes, Cancel, End, Join, Message, Spec
from actors.domain.prizes.rules import PrizeRule
from actors.domain.tournament import Tournament
from tests.support.histories import BEGIN_MS, PARTITION, TOURNAMENT, Step, create_of, fold, item_of, items_of

RULES = (PrizeRule(ranks=(1,), amount="10", currency="EUR"),)
SPEC = Spec(name="T", type="scheduled", starts_ms=BEGIN_MS, ends_ms=2 * BEGIN_MS, prizes=RULES)


def played(*more: Message, spec: Spec = SPEC) -> Tournament:
    steps = [Step(BEGIN_MS, what) for what in (create_of(spec), Join(command_id="j", user_id="1"), *more)]
    return fold(items_of(steps))


def approve(state: Tournament, command_id: str = "a") -> Outcome:
    message = ApprovePrizes(command_id=command_id, by="7")
    _, events = apply(state, TOURNAMENT, PARTITION, item_of(state.offset + 5, Step(BEGIN_MS + 9, message)))
    [outcome] = events
    assert isinstance(outcome, Outcome)
    return outcome


def test_the_result_of_a_finished_tournament_stands_once() -> None:
    state = played(End(command_id="e"))
    offset, revision = state.offset, state.revision
    outcome = approve(state)
    assert (outcome.outcome, outcome.first, state.settled) == ("applied", True, "approved")
    assert (state.offset, state.revision, state.time_ms) == (offset + 5, revision + 1, BEGIN_MS + 9)
    assert state.history[-1].action == "approve_prizes"
    assert decode_snapshot(encode_snapshot(state)).settled == "approved"
    before = encode_snapshot(state)
    again = approve(state, "b")
    assert (again.outcome, again.first, encode_snapshot(state)) == ("applied", False, before)


@pytest.mark.parametrize(
    ("more", "spec", "reason"),
    [
        ((), SPEC, "not_finished"),
        ((Cancel(command_id="c"),), SPEC, "not_finished"),
        ((End(command_id="e"),), Spec(name="T", type="scheduled", starts_ms=1, ends_ms=2 * BEGIN_MS), "no_prizes"),
    ],
)
def test_what_has_no_result_or_no_prizes_is_refused(more: tuple[Message, ...], spec: Spec, reason: str) -> None:
    state = played(*more, spec=spec)
    outcome = approve(state)
    assert (outcome.outcome, outcome.reason, state.settled) == ("refused", reason, "")
