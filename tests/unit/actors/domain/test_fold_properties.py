"""The fold against the naive model, record by record, over random histories."""

from __future__ import annotations

from hypothesis import given, settings

from actors.domain import views
from actors.domain.codec import decode_snapshot, encode_snapshot
from actors.domain.delivery import Item
from actors.domain.fold import apply
from actors.domain.life.freeze import is_frozen, shown
from actors.domain.ranking.subscore_ranking import SubscoreRanking
from actors.domain.tournament import Tournament
from actors.domain.transitions import TRANSITIONS
from tests.support.histories import PARTITION, TOURNAMENT, Score, Step, fold, histories, items_of, plain, random_history
from tests.support.naive_tournament import NaiveTournament
from tests.support.submissions import Sent


def assert_agree(state: Tournament, naive: NaiveTournament) -> None:
    assert (state.status, state.version, state.finished_ms) == (naive.status, naive.version, naive.finished_ms)
    assert (state.spec.starts_ms, state.spec.ends_ms) == (naive.spec["starts_ms"], naive.spec["ends_ms"])
    assert (state.spec.name, state.spec.capacity) == (naive.spec["name"], naive.spec["capacity"])
    assert state.time_ms == naive.now
    assert state.members.joined == len(naive.active())
    left = {name: kept.uses - kept.used for name, kept in state.invitations.items()}
    assert left == {name: kept["left"] for name, kept in naive.invitations.items()}
    table = naive.table()
    rows = views.rows(state, 0, 100)
    assert [int(row["user_id"]) for row in rows] == table
    assert [row["rank"] for row in rows] == [naive.rank(user) for user in table]
    assert (state.revision, state.revealed, state.late_ms) == (naive.revision, naive.revealed, naive.late_ms)
    public = views.rows(shown(state, state.status), 0, 100)
    assert [(int(row["user_id"]), round(row["score"] * 100)) for row in public] == naive.shown_table()
    assert is_frozen(state, state.status) == (naive.frozen is not None and naive.status != "finished")
    assert len(state.members) == len(naive.people)
    for user, person in naive.people.items():
        slot = state.members.users.slot(user)
        assert bool(state.members.active[slot]) == person["active"]
        assert (slot in state.members.removed) == bool(person["removed"])
        assert state.members.began_ms.get(slot) == person["began"]
        assert (slot in state.members.done_ms) == person["done"]
        assert state.members.extra_ms.get(slot, 0) == person["extra"]
        assert state.members.disqualified.get(slot, "") == person["out"]
        assert state.members.names[slot] == person["name"]
        assert state.members.attempts[slot] == person["attempts"]
        assert state.members.joined_ms[slot] == person["joined_ms"]
        assert state.ranking.score(slot) == person["score"]
        if isinstance(state.ranking, SubscoreRanking):
            assert state.ranking.subscore(slot) == person["subscore"]
        assert {board: group for board, groups in state.groups.items() if (group := groups.of(slot))} == person[
            "groups"
        ]
        if person["active"] and state.groups:
            told = views.participant(state, user, None)
            assert told is not None
            assert told["boards"] == naive.boards(user)
        assert state.members.scored_ms[slot] == person["scored_ms"]


@given(histories())
@settings(max_examples=400, deadline=None)
def test_every_record_does_what_the_naive_model_says(steps: list[Step]) -> None:
    state: Tournament | None = None
    naive: NaiveTournament | None = None
    for step, item in zip(steps, items_of(steps), strict=True):
        state, events = apply(state, TOURNAMENT, PARTITION, item)
        if naive is None:
            naive = NaiveTournament(step.what, step.time_ms)  # type: ignore[arg-type]
            happened = naive.happened
        elif isinstance(step.what, Score):
            happened = naive.score(step.time_ms, Sent(*step.what, None, None))
        elif isinstance(step.what, Sent):
            happened = naive.score(step.time_ms, step.what)
        else:
            happened = naive.apply(step.time_ms, step.what)
        assert plain(events) == happened
        assert_agree(state, naive)


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
        "window_over",
    }  # fmt: skip
    later = ("begin", "done", "extra_time", "disqualify", "reinstate", "reopen", "reveal")
    for kind in ("create", "join", "leave", "start", "end", "cancel", "edit", "score", *later):
        assert (kind, "applied", "") in seen
    assert ("table", "frozen", "") in seen
    for change in TRANSITIONS:
        assert ("status", change[0], TRANSITIONS[change]) in seen
