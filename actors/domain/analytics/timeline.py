"""A tournament over time, from its state and its attempts: what came in, and how its table stood. Pure, and the same however often.

Who counts is decided by the state as it is now: whoever left or was disqualified since is in no table of the past either. Of all that was
sent nothing is left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from actors.domain.analytics.attempts import Columns
from actors.domain.analytics.statistics import Statistics, statistics
from actors.domain.tournament import Tournament

MINUTE_MS: Final = 60_000
STEPS: Final = 240  # of a table over time, about
WIDTHS_MS: Final = tuple(
    minutes * MINUTE_MS for minutes in (1, 2, 5, 10, 15, 30, 60, 180, 360, 720, 1440, 10_080, 40_320)
)
CURVES: Final = 10
_NONE: Final = np.iinfo(np.int64).min  # no score yet: no score is as low


class Table(NamedTuple):
    """How a tournament stands: who takes part (`joined`), who of them is in the table (`scored`), who is done or has used all attempts
    (`completed`), and what was sent and counted by anybody so far."""

    joined: int
    completed: int
    submissions: int
    scores: Statistics

    @property
    def scored(self) -> int:
        """How many are in the table."""
        return self.scores.size


class Flow(NamedTuple):
    """What came in within a bucket that begins at `time_ms`."""

    time_ms: int
    submissions: int
    joins: int


class Curve(NamedTuple):
    """Ranks of one who is at the top at last, at the ends of the curves' steps; None: not in the table yet. So with scores (hundredths)."""

    user_id: int
    name: str | None
    ranks: list[int | None]
    scores: list[int | None]


class Curves(NamedTuple):
    """The ends of the steps (ms), and the curves, best first."""

    times_ms: list[int]
    curves: list[Curve]


def table_scores(state: Tournament) -> NDArray[np.int64]:
    """The scores in the table, ascending."""
    ranking = state.ranking
    return np.sort(ranking.scores_of(ranking.slots(0, len(ranking))))


def table(state: Tournament) -> Table:
    """How it stands now."""
    members = state.members
    attempts = np.frombuffer(members.attempts, np.int32).astype(np.int64)
    done = _done_ms(state) <= state.time_ms
    completed = (done | (attempts >= state.spec.max_attempts)) & _active(state)
    return Table(members.joined, int(completed.sum()), int(attempts.sum()), statistics(table_scores(state)))


def width_ms(state: Tournament) -> int:
    """How wide the steps of its tables are: so that its planned time has STEPS of them, about."""
    spec = state.spec
    starts_ms = state.created_ms if spec.starts_ms is None else spec.starts_ms
    span_ms = state.time_ms - starts_ms if spec.ends_ms is None else spec.ends_ms - starts_ms
    return next((width for width in WIDTHS_MS if span_ms <= width * STEPS), WIDTHS_MS[-1])


def flow(state: Tournament, attempts: Columns, width: int = MINUTE_MS) -> list[Flow]:
    """What came in by buckets that begin at multiples of `width` (ms); only those with anything."""
    joined_ms = np.frombuffer(state.members.joined_ms, np.int64)[_active(state)]
    sent, joins = _counts(attempts.times_ms, width), _counts(joined_ms, width)
    return [Flow(time, sent.get(time, 0), joins.get(time, 0)) for time in sorted(sent.keys() | joins.keys())]


def tables(state: Tournament, attempts: Columns, width: int, after_ms: int = -1) -> Iterator[tuple[int, Table]]:
    """How it stood at the end of each bucket in which anything came in and that ends after `after_ms`, by the bucket's begin."""
    members = state.members
    joined_ms = np.sort(np.frombuffer(members.joined_ms, np.int64)[_active(state)])
    done_ms, active, listed = _done_ms(state), _active(state), _listed(state)
    all_slots = members.users.slots(attempts.users)
    for end_ms, upto, current in _replayed(state, attempts, width):
        if end_ms <= after_ms:
            continue
        slots = all_slots[:upto]
        attempts_used = np.bincount(slots[slots >= 0], minlength=len(members))
        completed = ((done_ms < end_ms) | (attempts_used >= state.spec.max_attempts)) & active
        scores = np.sort(current[listed & (current != _NONE)])
        joined = int(np.searchsorted(joined_ms, end_ms, side="left"))
        yield end_ms - width, Table(joined, int(completed.sum()), upto, statistics(scores))


def curves(state: Tournament, attempts: Columns, width: int) -> Curves:
    """The ranks of the first CURVES of the table over time, at last as the table has them. In between equal scores rank by who was first, where
    the tournament does not have them share."""
    ranking, members = state.ranking, state.members
    top = ranking.slots(0, CURVES)
    listed, sign = _listed(state), 1 if state.spec.order == "asc" else -1
    times: list[int] = []
    ranks: list[list[int | None]] = [[] for _ in top]
    scores: list[list[int | None]] = [[] for _ in top]
    reached = np.zeros(len(members), np.int64)  # with which attempt each slot reached its score
    slots, changing = members.users.slots(attempts.users), _changing(attempts)
    done = 0
    for end_ms, upto, current in _replayed(state, attempts, width):
        numbers = np.flatnonzero(changing[done:upto] & (slots[done:upto] >= 0)) + done
        reached[slots[numbers]] = numbers
        done = upto
        times.append(end_ms)
        there = listed & (current != _NONE)
        marks = sign * current
        for n, slot in enumerate(top.tolist()):
            if not there[slot]:
                ranks[n].append(None)
                scores[n].append(None)
                continue
            better = there & (marks < marks[slot])
            if state.spec.ties == "dense":
                rank = len(np.unique(marks[better])) + 1
            else:
                rank = int(better.sum()) + 1
                if state.spec.ties == "first":
                    rank += int((there & (marks == marks[slot]) & (reached < reached[slot])).sum())
            ranks[n].append(rank)
            scores[n].append(int(current[slot]))
    if times:  # the table as it is, by its own rules
        for n, (slot, rank) in enumerate(zip(top.tolist(), ranking.ranks(top).tolist(), strict=True)):
            ranks[n][-1], scores[n][-1] = rank, ranking.score(slot)
    users = members.users.user_ids(top).tolist()
    names = [members.names[slot] for slot in top.tolist()]
    return Curves(times, [Curve(*each) for each in zip(users, names, ranks, scores, strict=True)])


def _replayed(state: Tournament, attempts: Columns, width: int) -> Iterator[tuple[int, int, NDArray[np.int64]]]:
    """The end of each bucket with anything in it, how many attempts there were by then, and each slot's score (_NONE: none yet)."""
    members = state.members
    slots = members.users.slots(attempts.users)
    current = np.full(len(members), _NONE, np.int64)
    joined_ms = np.frombuffer(members.joined_ms, np.int64)[_active(state)]
    buckets = np.unique(np.concatenate((attempts.times_ms // width, joined_ms // width)))
    done = 0
    for bucket in buckets.tolist():
        end_ms = (bucket + 1) * width
        upto = _upto(attempts, end_ms)
        known = slots[done:upto] >= 0
        current = current.copy()
        current[slots[done:upto][known]] = attempts.scores[done:upto][known]  # of several the last one stays
        done = upto
        yield end_ms, upto, current


def _changing(attempts: Columns) -> NDArray[np.bool_]:
    """Which attempts changed their user's score."""
    by_user = attempts.users.argsort(kind="stable")
    users, scores = attempts.users[by_user], attempts.scores[by_user]
    changing = np.ones(attempts.size, np.bool_)
    changing[by_user[1:][(users[1:] == users[:-1]) & (scores[1:] == scores[:-1])]] = False
    return changing


def _upto(attempts: Columns, end_ms: int) -> int:
    return int(np.searchsorted(attempts.times_ms, end_ms, side="left"))


def _counts(times_ms: NDArray[np.int64], width: int) -> dict[int, int]:
    buckets, counts = np.unique(times_ms // width, return_counts=True)
    return dict(zip((buckets * width).tolist(), counts.tolist(), strict=True))


def _active(state: Tournament) -> NDArray[np.bool_]:
    return np.frombuffer(state.members.active, np.bool_)


def _listed(state: Tournament) -> NDArray[np.bool_]:
    listed = np.zeros(len(state.members), np.bool_)
    listed[state.ranking.slots(0, len(state.ranking))] = True
    return listed


def _done_ms(state: Tournament) -> NDArray[np.int64]:
    done_ms = np.full(len(state.members), np.iinfo(np.int64).max, np.int64)
    for slot, time_ms in state.members.done_ms.items():
        done_ms[slot] = time_ms
    return done_ms
