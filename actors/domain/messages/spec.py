"""A tournament's spec, and what an edit changes of it.

Fields that came later default to UNSET: absent in JSON where they are not used, so that records, snapshots and rows without them keep
their bytes. `LATER_FIELDS` says since which rules: under older ones a create that has one is malformed, an edit is refused.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import UNSET, UnsetType

from actors.domain.messages.fields import Duration, Millis
from actors.domain.messages.scoring import Boards, Scoring, Subscore, Teams
from actors.domain.prizes.rules import PrizeRules
from actors.domain.series.family import MAX_OPEN
from actors.domain.values import MAX_ATTEMPTS, MAX_HUNDREDTHS


class EndsWhen(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """When a tournament ends before its time: everyone is done, or (`target_score` in hundredths) `count` have reached a score."""

    all_done: bool = False
    target_score: Annotated[int, msgspec.Meta(ge=-MAX_HUNDREDTHS, le=MAX_HUNDREDTHS)] | None = None
    count: Annotated[int, msgspec.Meta(ge=1)] = 1


class Display(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How scores are shown: as points, as times (they are seconds), or as money; with so many decimals. What is stored stays as it is."""

    unit: Literal["points", "time", "currency"] = "points"
    decimals: Annotated[int, msgspec.Meta(ge=0, le=2)] = 2


class Recurrence(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When a series' tournaments start (`actors.domain.series.schedule`), how long each takes, and how many are open ahead of time."""

    cron: Annotated[str, msgspec.Meta(max_length=100)]
    time_zone: Annotated[str, msgspec.Meta(max_length=64)]
    duration_ms: Duration
    ahead: Annotated[int, msgspec.Meta(ge=1, le=MAX_OPEN)] = 1


class Cohorts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whoever joins lands on a board of so many; the next one opens when one is full."""

    size: Annotated[int, msgspec.Meta(ge=1, le=100_000)]


class League(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table for each tier, 1 the highest; the first `promote` of a final table rise by one, the last `demote` fall by one."""

    tiers: Annotated[int, msgspec.Meta(ge=2, le=10)]
    promote: Annotated[int, msgspec.Meta(ge=0, le=100)]
    demote: Annotated[int, msgspec.Meta(ge=0, le=100)]


class SeriesPlace(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Of which series a tournament is, for which time, and of which tier of a league."""

    of: str
    at_ms: Millis
    tier: int | UnsetType = UNSET


class CohortPlace(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Of which tournament's cohorts a board is, and the how manieth."""

    of: str
    number: int


class Spec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A tournament as created: times in ms since 1970, durations in ms, `max_attempts` null became the most."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    type: Literal["scheduled", "instant"]
    visibility: Literal["public", "private"] = "public"
    starts_ms: Millis | None = None
    ends_ms: Millis | None = None
    duration_ms: Duration | None = None
    capacity: Annotated[int, msgspec.Meta(ge=1)] | None = None
    min_participants: Annotated[int, msgspec.Meta(ge=0)] = 0
    join_until: Literal["start", "end"] = "end"
    order: Literal["desc", "asc"] = "desc"
    score_policy: Literal["best", "last", "sum", "first"] = "best"
    ties: Literal["first", "shared", "dense"] = "first"
    max_attempts: Annotated[int, msgspec.Meta(ge=1, le=MAX_ATTEMPTS)] = MAX_ATTEMPTS
    placement: Literal["auto", "shared", "dedicated"] = "auto"
    metadata: dict[str, Any] = {}
    window_ms: Duration | UnsetType = UNSET
    display: Display | UnsetType = UNSET
    prizes: PrizeRules | UnsetType = UNSET
    recurrence: Recurrence | UnsetType = UNSET
    cohorts: Cohorts | UnsetType = UNSET
    league: League | UnsetType = UNSET
    series: SeriesPlace | UnsetType = UNSET  # these two are set by who opens it, never by clients
    cohort: CohortPlace | UnsetType = UNSET
    scoring: Scoring | UnsetType = UNSET
    subscore: Subscore | UnsetType = UNSET
    boards: Boards | UnsetType = UNSET
    teams: Teams | UnsetType = UNSET
    freeze_ms: Duration | UnsetType = UNSET
    ends_when: EndsWhen | UnsetType = UNSET


class Changes(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What an edit sets; absent fields stay as they are. None takes one of the `LATER_FIELDS` away."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=200)] | None = None
    starts_ms: Millis | None = None
    ends_ms: Millis | None = None
    duration_ms: Duration | None = None
    capacity: Annotated[int, msgspec.Meta(ge=1)] | None = None
    min_participants: Annotated[int, msgspec.Meta(ge=0)] | None = None
    metadata: dict[str, Any] | None = None
    window_ms: Duration | UnsetType | None = UNSET
    display: Display | UnsetType | None = UNSET
    prizes: PrizeRules | UnsetType | None = UNSET
    freeze_ms: Duration | UnsetType | None = UNSET
    ends_when: EndsWhen | UnsetType | None = UNSET


# The rules that brought a field of the spec.
LATER_FIELDS: Final[dict[str, int]] = {
    "window_ms": 3,
    "freeze_ms": 3,
    "ends_when": 3,
    "display": 3,
    "prizes": 3,
    "recurrence": 3,
    "cohorts": 3,
    "league": 3,
    "series": 3,
    "cohort": 3,
    "scoring": 3,
    "subscore": 3,
    "boards": 3,
    "teams": 3,
}


def needed_rules(given: Spec | Changes) -> tuple[int, str]:
    """The oldest rules that know all that is given, and the field that needs them, by the contract's name ("" for rules 1)."""
    used = (
        (rules, name.replace("_ms", "_s"))
        for name, rules in LATER_FIELDS.items()
        if getattr(given, name, UNSET) is not UNSET
    )
    return max(used, default=(1, ""))
