"""What a whole spec must keep, whoever made it: a create, an edit, or the fold that meets their records.

Types and ranges of single fields are the structs' own; whether a time is past depends on a clock and is asked by who has one.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from msgspec import UNSET

from actors.domain.messages import Spec
from actors.domain.prizes.rules import rules_problems

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
    for name, shown, needed_in in _FIELDS:
        given = getattr(spec, name) is not None
        if spec.type == needed_in and not given:
            problems.append(SpecProblem(shown, f"expected this field in a tournament of type {spec.type}"))
        elif spec.type != needed_in and given and not (started and name != "duration_ms"):
            problems.append(SpecProblem(shown, f"not a field of a tournament of type {spec.type}"))
    if spec.type == "instant" and spec.capacity is None:
        problems.append(SpecProblem("capacity", "expected this field in a tournament of type instant"))
    if spec.starts_ms is not None and spec.ends_ms is not None and spec.ends_ms <= spec.starts_ms:
        problems.append(SpecProblem("ends_at", "expected an end after the start"))
    if spec.capacity is not None and spec.min_participants > spec.capacity:
        problems.append(SpecProblem("min_participants", f"expected at most the capacity of {spec.capacity}"))
    if spec.prizes is not UNSET:
        problems += [SpecProblem(*problem) for problem in rules_problems(spec.prizes)]
    return problems
