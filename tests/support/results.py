"""Tables of results for tests of what is made of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from actors.domain.messages import Join, Spec
from actors.domain.results.table import results_table
from actors.domain.tournament import Tournament
from tests.support.histories import Score, Step, create_of, fold, items_of

BEGIN_MS = 1_800_000_000_000  # 2027-01-15T08:00:00Z
HOUR_MS = 3_600_000
NAMES = ("Ann", "=1+1", 'Zoë \u2018Z\u2019, "Q"', None)
SCORES = ((1, 91_250), (2, 50), (3, -1_205), (4, 7_000))


def tournament(
    scores: Sequence[tuple[int, int]] = SCORES, names: Sequence[str | None] = NAMES, *more: Any, **spec: Any
) -> Tournament:
    """Users with names (of those beyond there is none) and scores in hundredths, a minute one after the other."""
    whole = Spec(
        **{"name": "Spring exam", "type": "scheduled", "starts_ms": BEGIN_MS, "ends_ms": BEGIN_MS + HOUR_MS, **spec}
    )
    users = sorted({user for user, _ in scores})
    named = dict(zip(users, names, strict=False))
    joins = [Join(command_id=f"j{user}", user_id=str(user), name=named.get(user)) for user in users]
    steps = [Step(BEGIN_MS, create_of(whole)), *(Step(BEGIN_MS, join) for join in joins)]
    steps += [Step(BEGIN_MS + 60_000 * n, Score(user, f"e{n}", score)) for n, (user, score) in enumerate(scores, 1)]
    return fold(items_of([*steps, *more]))


def table(status: str = "running", **spec: Any) -> pa.Table:
    """Their table."""
    return results_table(tournament(**spec), status)
