"""Analytics of a whole Palio, whose actor is killed meanwhile: each number is what was sent, nothing twice and nothing lost."""

from __future__ import annotations

import random
from collections.abc import Iterator
from fractions import Fraction
from statistics import median
from typing import Any

import httpx2
import pytest

from tests.integration.conftest import create, eventually, finished_view, join, stamp, submit
from tests.support.running import RunningPalio

ONE, SERIES = "/v1/analytics/tournaments", "/v1/analytics/series"
USERS = range(1, 10)


@pytest.fixture
def operator(stage: RunningPalio) -> Iterator[httpx2.Client]:
    with stage.client(role="operator") as client:
        yield client


def test_each_number_is_what_was_sent_though_the_actor_is_killed(stage: RunningPalio, operator: httpx2.Client) -> None:
    rng = random.Random(66)
    began = stamp(-120)
    with stage.client() as service, stage.client(gateway=True) as gateway:
        tournament = create(service, max_attempts=3)
        join(service, tournament, *USERS)
        best: dict[int, int] = {}
        attempts: dict[int, int] = dict.fromkeys(USERS, 0)
        for number in range(40):
            user, cents = rng.choice(USERS[:-1]), rng.randrange(-500, 20_000)
            answer = submit(gateway, tournament, user, f"s{number}", cents / 100)
            if answer["outcome"] == "applied":
                attempts[user] += 1
                best[user] = max(best.get(user, cents), cents)
            if number in (10, 25):
                eventually(lambda: stage.pids("ray::AnalyticsActor"))
                stage.kill_actors("ray::AnalyticsActor")
        service.post(f"/v1/tournaments/{tournament}/end")
        eventually(lambda: finished_view(gateway, f"/v1/tournaments/{tournament}"))

    def series(metric: str) -> list[Any]:
        query = {"metric": metric, "tournament": tournament, "from": began, "to": stamp(60), "step": "60"}
        answer = operator.get(SERIES, params=query)
        assert answer.status_code == 200, answer.text
        return [point["value"] for point in answer.json()["points"] if point["value"] is not None]

    eventually(lambda: sum(series("finished")) == 1)
    scores = sorted(best.values())
    exact = median([Fraction(each) for each in scores])
    whole = int(abs(exact) + Fraction(1, 2)) * (1 if exact >= 0 else -1)  # half away from zero
    assert sum(series("submissions")) == sum(attempts.values())
    assert sum(series("joins")) == len(USERS)
    assert series("median_score")[-1] == whole / 100
    assert series("participation_rate")[-1] == round(len(best) / len(USERS), 6)
    used = sum(count == 3 for count in attempts.values())
    assert series("completion_rate")[-1] == round(used / len(USERS), 6)
    for client in (operator, stage.client(gateway=True, role="operator")):
        report = client.get(f"{ONE}/{tournament}").json()
        assert (report["participants"], report["scored"], report["completed"]) == (len(USERS), len(best), used)
        assert (
            report["submissions"] == sum(flow["submissions"] for flow in report["attempts"]) == sum(attempts.values())
        )
        assert (report["scores"]["median"], report["scores"]["max"]) == (whole / 100, scores[-1] / 100)
        assert [each["scores"][-1] for each in report["curves"]["players"]] == [each / 100 for each in scores[::-1]]
