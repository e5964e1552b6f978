"""What a whole spec must keep, whoever made it: a create, an edit, or the fold that meets their records.

Types and ranges of single fields are the structs' own; whether a time is past depends on a clock and is asked by who has one.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from msgspec import UNSET, UnsetType

from actors.domain.messages import Spec
from actors.domain.prizes.rules import rules_problems
from actors.domain.scoring.rules import scores_problems

# A field of the spec by the name that clients know, and in which type of tournament it is needed; in the other it has no place.
_FIELDS: Final = (
    ("starts_ms", "starts_at", "scheduled"),
    ("ends_ms", "ends_at", "scheduled"),
    ("duration_ms", "duration_s", "instant"),
)


class SpecProblem(NamedTuple):
    """A broken rule; `field` is the contract's name."""

    field: str
    message: str

    def __str__(self) -> str:
        return f"{self.field}: {self.message}"


def spec_problems(spec: Spec, *, started: bool = False) -> list[SpecProblem]:
    """Every rule that the spec breaks. One that has `started` has both times, whatever its type."""
    problems = []
    series = spec.recurrence is not UNSET
    for name, shown, needed_in in _FIELDS:
        given = getattr(spec, name) is not None
        if series:
            if given:
                problems.append(SpecProblem(shown, "not a field of a series: its recurrence has it"))
        elif spec.type == needed_in and not given:
            problems.append(SpecProblem(shown, f"expected this field in a tournament of type {spec.type}"))
        elif spec.type != needed_in and given and not (started and name != "duration_ms"):
            problems.append(SpecProblem(shown, f"not a field of a tournament of type {spec.type}"))
    if spec.type == "instant" and spec.capacity is None and spec.cohorts is UNSET:
        problems.append(SpecProblem("capacity", "expected this field in a tournament of type instant"))
    if spec.starts_ms is not None and spec.ends_ms is not None and spec.ends_ms <= spec.starts_ms:
        problems.append(SpecProblem("ends_at", "expected an end after the start"))
    if spec.capacity is not None and spec.min_participants > spec.capacity:
        problems.append(SpecProblem("min_participants", f"expected at most the capacity of {spec.capacity}"))
    if spec.prizes is not UNSET:
        problems += [SpecProblem(*problem) for problem in rules_problems(spec.prizes, spec.boards or ())]
    problems += [SpecProblem(field, message) for field, message in scores_problems(spec)]
    return problems + _end_problems(spec) + _family_problems(spec)


def _family_problems(spec: Spec) -> list[SpecProblem]:
    """What tournaments that open others must keep. Cron expressions and zones are judged by who is asked for them: what is in the log is not
    to depend on the rules of the day."""
    problems = []
    if spec.recurrence is not UNSET and spec.type == "instant" and spec.recurrence.ahead != 1:
        problems.append(
            SpecProblem("recurrence.ahead", "expected 1 where tournaments are instant: they open at their time")
        )
    if spec.cohorts is not UNSET:
        if spec.capacity is not None:
            problems.append(SpecProblem("capacity", "not a field beside cohorts, whose size is that of a board"))
        if spec.min_participants:
            problems.append(SpecProblem("min_participants", "expected 0 beside cohorts"))
    places = spec.cohorts is not UNSET or spec.league is not UNSET
    if places and spec.ends_when is not UNSET and spec.type == "scheduled" and spec.join_until == "end":
        told = "expected join_until start beside it: whoever joined later would land where all is over"
        problems.append(SpecProblem("ends_when", told))
    if spec.league is not UNSET:
        if spec.recurrence is UNSET:
            problems.append(SpecProblem("recurrence", "expected this field in a league"))
        if spec.type == "instant":
            problems.append(SpecProblem("type", "expected scheduled in a league"))
        for name, given in (("capacity", spec.capacity is not None), ("cohorts", spec.cohorts is not UNSET)):
            if given:
                problems.append(SpecProblem(name, "not a field of a league, whose tiers take everybody"))
    return problems


def _end_problems(spec: Spec) -> list[SpecProblem]:
    wanted = spec.ends_when
    if isinstance(wanted, UnsetType):
        return []
    if wanted.all_done == (wanted.target_score is not None):
        return [SpecProblem("ends_when", "expected either all_done or target_score")]
    if wanted.all_done and wanted.count != 1:
        return [SpecProblem("ends_when.count", "expected with target_score alone")]
    return []
