from __future__ import annotations

from typing import Any

import pytest

from actors.domain.messages import EndsWhen, Spec
from actors.domain.messages.spec import Cohorts, League, Recurrence
from actors.domain.messages.spec_rules import spec_problems

SCHEDULED: dict[str, Any] = {"type": "scheduled", "starts_ms": 1000, "ends_ms": 2000}
INSTANT: dict[str, Any] = {"type": "instant", "duration_ms": 1000, "capacity": 2}


@pytest.mark.parametrize(
    "fields",
    [
        SCHEDULED,
        {**SCHEDULED, "ends_ms": 1001},
        {**SCHEDULED, "capacity": 5, "min_participants": 5},
        {**SCHEDULED, "min_participants": 10**6},
        INSTANT,
        {**INSTANT, "min_participants": 2},
    ],
)
def test_a_good_spec_breaks_no_rule(fields: dict[str, Any]) -> None:
    assert spec_problems(Spec(name="x", **fields)) == []


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"type": "scheduled"}, ["starts_at", "ends_at"]),
        ({**SCHEDULED, "starts_ms": None}, ["starts_at"]),
        ({**SCHEDULED, "duration_ms": 5}, ["duration_s"]),
        ({**SCHEDULED, "ends_ms": 1000}, ["ends_at"]),
        ({**SCHEDULED, "capacity": 1, "min_participants": 2}, ["min_participants"]),
        ({"type": "instant"}, ["duration_s", "capacity"]),
        ({**INSTANT, "starts_ms": 5}, ["starts_at"]),
        ({**INSTANT, "ends_ms": 5}, ["ends_at"]),
        ({**INSTANT, "starts_ms": 5, "ends_ms": 5}, ["starts_at", "ends_at", "ends_at"]),
        ({**INSTANT, "capacity": None, "min_participants": 3}, ["capacity"]),
        ({**INSTANT, "min_participants": 3}, ["min_participants"]),
    ],
)
def test_every_broken_rule_is_named_by_the_field_that_clients_know(fields: dict[str, Any], wrong: list[str]) -> None:
    assert [problem.field for problem in spec_problems(Spec(name="x", **fields))] == wrong


@pytest.mark.parametrize("ends_when", [EndsWhen(all_done=True), EndsWhen(target_score=5)])
def test_no_board_or_tier_ends_while_players_still_come_to_it(ends_when: EndsWhen) -> None:
    """Whoever came after that was placed on a board that was over, and never taken in."""
    recurrence = Recurrence(cron="* * * * *", time_zone="UTC", duration_ms=1000)
    boards: dict[str, Any] = {**SCHEDULED, "cohorts": Cohorts(size=2)}
    league = {"type": "scheduled", "recurrence": recurrence, "league": League(tiers=2, promote=1, demote=1)}
    instant = {**INSTANT, "capacity": None, "cohorts": Cohorts(size=2)}
    for fields, wrong in (
        (boards, ["ends_when"]),
        (league, ["ends_when"]),
        ({**boards, "join_until": "start"}, []),
        ({**league, "join_until": "start"}, []),
        (instant, []),
        (SCHEDULED, []),
        ({"type": "scheduled", "recurrence": recurrence}, []),
    ):
        assert [problem.field for problem in spec_problems(Spec(name="x", ends_when=ends_when, **fields))] == wrong, (
            fields
        )


def test_an_instant_one_that_has_started_has_both_times() -> None:
    started = Spec(name="x", starts_ms=1000, ends_ms=2000, **INSTANT)
    assert [problem.field for problem in spec_problems(started)] == ["starts_at", "ends_at"]
    assert spec_problems(started, started=True) == []
    backwards = Spec(name="x", starts_ms=2000, ends_ms=1000, **INSTANT)
    assert [problem.field for problem in spec_problems(backwards, started=True)] == ["ends_at"]


def test_having_started_excuses_nothing_else() -> None:
    lasting = Spec(name="x", duration_ms=5, **SCHEDULED)
    assert [str(problem) for problem in spec_problems(lasting, started=True)] == [
        "duration_s: not a field of a tournament of type scheduled"
    ]
