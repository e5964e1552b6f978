"""The fold against the naive model, record by record, over random histories."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings

from actors.domain import views
from actors.domain.codec import decode_snapshot, encode_snapshot
from actors.domain.delivery import Item
from actors.domain.events import Outcome, StatusChanged
from actors.domain.fold import apply
from actors.domain.life.transitions import TRANSITIONS
from actors.domain.messages import Command
from actors.domain.tournament import Tournament
from tests.support.histories import (
    PARTITION,
    TOURNAMENT,
    Step,
    fold,
    histories,
    items_of,
    plain,
    random_history,
    told_naively,
)
from tests.support.naive_agreement import differences
from tests.support.naive_tournament import NaiveTournament


@given(histories())
@settings(max_examples=400, deadline=None)
def test_every_record_does_what_the_naive_model_says(steps: list[Step]) -> None:
    state: Tournament | None = None
    naive: NaiveTournament | None = None
    for step, item in zip(steps, items_of(steps), strict=True):
        state, events = apply(state, TOURNAMENT, PARTITION, item)
        naive = told_naively(naive, step)
        assert plain(events) == naive.happened
        assert differences(state, naive) == []


@given(histories())
@settings(max_examples=100, deadline=None)
def test_delivering_records_again_changes_nothing(steps: list[Step]) -> None:
    items = items_of(steps)
    again: list[Item] = []
    for n, item in enumerate(items):
        again += [item, *items[max(0, n - 3) : n + 1]]
    once, twice = fold(items), fold(again)
    assert encode_snapshot(once) == encode_snapshot(twice)


@given(histories())
@settings(max_examples=200, deadline=None)
def test_a_snapshot_and_a_replay_give_the_bytes_of_never_having_stopped(steps: list[Step]) -> None:
    items = items_of(steps)
    whole = encode_snapshot(fold(items))
    for cut in {1, len(items) // 2, len(items) - 1} - {0}:
        restored = decode_snapshot(encode_snapshot(fold(items[:cut])))
        assert encode_snapshot(fold(items[cut:], restored)) == whole
    stopping_at_each = fold(items[:1])
    for item in items[1:]:
        stopping_at_each = fold([item], decode_snapshot(encode_snapshot(stopping_at_each)))
    assert encode_snapshot(stopping_at_each) == whole


OF_A_USER = {"user_id", "takes_part", "disqualified", "extra_s"}
PASSING = {"participants", "top", "position", "revision", "version", "finished_at"}  # of a view: nobody's order


def told(state: Tournament) -> dict[str, Any]:
    view = views.view(state, 0, 0, state.status)
    return {"frozen": False, **{name: value for name, value in view.items() if name not in PASSING}}


@given(histories())
@settings(max_examples=100, deadline=None)
def test_the_history_tells_who_ordered_what_and_what_it_changed(steps: list[Step]) -> None:
    """By what anybody is shown before and after; of what moves the status by itself, too, the status alone."""
    state: Tournament | None = None
    for step, item in zip(steps, items_of(steps), strict=True):
        before, kept = ({}, 0) if state is None else (told(state), len(state.history))
        state, events = apply(state, TOURNAMENT, PARTITION, item)
        outcome = next((event for event in events if isinstance(event, Outcome)), None)
        ordered = isinstance(step.what, Command) and step.what.by == "99" and outcome is not None and outcome.first
        assert len(state.history) - kept == (ordered and state.rules_version >= 3)
        if len(state.history) == kept or outcome is None:
            continue
        entry, after = state.history[-1], told(state)
        assert (entry.at_ms, entry.by, entry.action) == (state.time_ms, "99", outcome.kind)
        if len(events) == 1:
            changed = {name for name in {**before, **after} if before.get(name) != after.get(name)}
            for facts, shown in ((entry.before, before), (entry.after, after)):
                ours = {name: value for name, value in facts.items() if name not in OF_A_USER}
                assert ours == {name: shown.get(name) for name in changed}
        elif outcome.kind in ("start", "end", "cancel", "reopen"):
            moves = [event for event in events[events.index(outcome) :] if isinstance(event, StatusChanged)]
            assert entry.before["status"] == moves[0].before
            assert entry.after["status"] in {move.after for move in moves}  # what follows by time is its doing, too


def test_the_histories_reach_every_outcome() -> None:
    seen: set[tuple[object, ...]] = set()
    for seed in range(600):
        state: Tournament | None = None
        for item in items_of(random_history(seed, 60)):
            state, events = apply(state, TOURNAMENT, PARTITION, item)
            seen.update(happened[:3] for happened in plain(events))
    assert {reason for _, outcome, reason in seen if outcome in ("ignored", "refused")} == {
        "already_over", "attempts_used", "attributes_fixed", "result_invalid",
        "duplicate", "edit_not_allowed", "ended", "idempotency_conflict", "invalid",
            "invitation_unknown",
        "invite_invalid", "not_joined", "not_running", "not_scheduled", "out_of_range", "registration_closed", "removed",
        "too_few_participants", "tournament_full", "version_mismatch",
        "disqualified", "done", "goal_reached", "no_window", "not_begun", "not_frozen", "not_over", "participant_unknown",
        "no_prizes", "prizes_approved", "not_finished",
        "early", "no_league", "no_series", "not_joinable", "not_scored", "refused", "stale",
        "window_over", "older_rules",
    }  # fmt: skip
    later = ["begin", "done", "extra_time", "disqualify", "reinstate", "reopen", "reveal", "erase", "approve_prizes"]
    later += ["open", "written", "standings", "invite", "revoke_invitation"]
    for kind in ("create", "join", "leave", "start", "end", "cancel", "edit", "score", *later):
        assert (kind, "applied", "") in seen
    assert ("table", "frozen", "") in seen
    for change in TRANSITIONS:
        assert ("status", change[0], TRANSITIONS[change]) in seen
