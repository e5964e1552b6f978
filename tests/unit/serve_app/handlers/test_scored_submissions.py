"""Results, subscores and attributes through the api: what is taken, what is refused with the field named, what is never shown."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.support.front import Front, open_front, problem, wrong_paths

WEIGHTED = {"kind": "weighted", "fields": {"correct": 2, "wrong": -0.5}, "floor": 0}
KEYED = {"kind": "keyed", "key": {"q1": "verysecret", "q2": ["alsosecret", "third"]}, "points": 5, "wrong": -1}


@pytest.fixture
async def front() -> AsyncIterator[Front]:
    async with open_front() as front:
        yield front


async def joined(front: Front, *users: int, **spec: Any) -> str:
    tournament = await front.create(**spec)
    for user in users:
        assert (await front.join(tournament, user)).status_code == 201
    return tournament


async def view(front: Front, tournament: str) -> Any:
    front.services.reads.invalidate(tournament)  # as a second later
    return (await front.call("GET", f"/v1/tournaments/{tournament}")).json()


async def test_a_result_comes_to_a_score(front: Front) -> None:
    tournament = await joined(front, 42, scoring=WEIGHTED)
    response = await front.submit(
        tournament, 42, {"event_id": "a", "result": {"correct": 7, "wrong": 3}}, prefer="wait=5"
    )
    assert (response.status_code, response.json()["score"], response.json()["rank"]) == (200, 12.5, 1)
    record = front.palio.log.calls[-1][0]
    assert json.loads(record.value)["result"] == {"correct": 7, "wrong": 3}
    shown = await view(front, tournament)
    assert shown["scoring"] == WEIGHTED
    assert "subscore" not in shown
    assert "subscore" not in shown["top"][0]


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"event_id": "a", "result": {"corect": 7}}, "result.corect"),
        ({"event_id": "a", "result": {"correct": -7}}, "result.correct"),
        ({"event_id": "a", "result": {"correct": "7"}}, "result.correct"),
        ({"event_id": "a", "result": []}, "result"),
        ({"event_id": "a", "result": {"correct": 1}, "subscore": 1}, "subscore"),
        ({"event_id": "a", "result": {"correct": 1}, "score": 1}, "result"),
        ({"event_id": "a", "subscore": 1}, "score"),
        ({"event_id": "a"}, "score"),
        ({"event_id": "a", "result": {"correct": 1}, "subscore": 0.001}, "subscore"),
        ({"event_id": "a", "result": {"x": "y" * 17_000}}, "result"),
    ],
)
async def test_what_does_not_fit_is_422_and_nothing_is_logged(front: Front, body: dict[str, Any], path: str) -> None:
    tournament = await joined(front, 42, scoring=WEIGHTED)
    calls = len(front.palio.log.calls)
    assert wrong_paths(await front.submit(tournament, 42, body)) == [path]
    assert len(front.palio.log.calls) == calls


async def test_a_plain_score_where_a_result_is_wanted_never_counts(front: Front) -> None:
    tournament = await joined(front, 42, scoring=WEIGHTED)
    unknown = await front.submit(tournament, 42, {"event_id": "a", "score": 99}, prefer="wait=5")  # left to the fold
    assert unknown.json()["outcome"] == "ignored"
    assert (unknown.json()["reason"], unknown.json()["score"]) == ("result_invalid", None)
    assert unknown.json()["detail"].startswith("result: expected this field")
    await front.submit(tournament, 42, {"event_id": "b", "result": {"correct": 1}})  # now the rules are known
    assert wrong_paths(await front.submit(tournament, 42, {"event_id": "c", "score": 99})) == ["result"]


async def test_a_result_where_none_is_computed_is_422(front: Front) -> None:
    tournament = await joined(front, 42)
    assert wrong_paths(await front.submit(tournament, 42, {"event_id": "a", "result": {"correct": 1}})) == ["result"]
    assert wrong_paths(await front.submit(tournament, 42, {"event_id": "a", "score": 1, "subscore": 1})) == ["subscore"]
    plain = await front.submit(tournament, 42, {"event_id": "a", "score": 1}, prefer="wait=5")
    assert plain.json()["outcome"] == "applied"


async def test_while_nobody_can_tell_the_rules_the_log_takes_it_and_the_fold_judges(front: Front) -> None:
    tournament = await joined(front, 42, scoring=WEIGHTED)
    front.palio.owners.down = True
    accepted = await front.submit(tournament, 42, {"event_id": "a", "result": {"corect": 1}})
    assert accepted.status_code == 202
    front.palio.owners.down = False
    assert (await view(front, tournament))["top"] == []


async def test_the_key_is_shown_nowhere(front: Front) -> None:
    tournament = await joined(front, 42, scoring=KEYED, max_attempts=1)
    told: list[str] = []
    for user, answers in ((42, {"q1": "verysecre", "q2": "third", "q9": "x"}), (42, {"q1": "no", "q2": "third"})):
        body = {"event_id": f"e{len(told)}", "result": {"answers": answers}}
        told.append((await front.submit(tournament, user, body, prefer="wait=5")).text)
    paths = [f"/v1/tournaments/{tournament}{path}" for path in ("", "/rankings", "/participants/42", "/prizes")]
    told += [(await front.call("GET", path, front.token("operator"))).text for path in paths]
    told.append((await front.call("GET", "/v1/tournaments", front.token("operator"))).text)
    again = {"name": "x", "type": "instant", "capacity": 2, "duration_s": 60}
    wrong = await front.call(
        "POST", "/v1/tournaments", front.token(), json={**again, "scoring": {**KEYED, "points": 0.001}}
    )
    assert wrong_paths(wrong) == ["scoring.points"]
    told.append(wrong.text)
    odd = {**KEYED, "key": {"q1": {"answer": "verysecret"}}}
    told.append((await front.call("POST", "/v1/tournaments", front.token(), json={**again, "scoring": odd})).text)
    for text in told:
        assert "verysecret" not in text
        assert "alsosecret" not in text
    assert json.loads(told[1])["score"] == 4
    assert (await view(front, tournament))["scoring"] == {"kind": "keyed", "questions": 2, "points": 5, "wrong": -1}


async def test_equal_scores_stand_by_their_subscore(front: Front) -> None:
    tournament = await joined(front, 1, 2, 3, subscore={"order": "asc"}, ties="shared")
    for user, seconds in ((1, 12.5), (2, 9.25), (3, 12.5)):
        body = {"event_id": "a", "score": 10, "subscore": seconds}
        response = await front.submit(tournament, user, body, prefer="wait=5")
        assert response.json()["subscore"] == seconds
    rows = (await view(front, tournament))["top"]
    assert [(row["user_id"], row["rank"], row["subscore"]) for row in rows] == [
        ("2", 1, 9.25),
        ("1", 2, 12.5),
        ("3", 2, 12.5),
    ]
    shown = (await front.call("GET", f"/v1/tournaments/{tournament}/participants/3")).json()
    assert (shown["subscore"], shown["rank"]) == (12.5, 2)
    better = {"event_id": "b", "score": 10, "subscore": 1}
    assert (await front.submit(tournament, 3, better, prefer="wait=5")).json()["rank"] == 1


async def test_penalty_has_a_subscore_without_being_asked(front: Front) -> None:
    tournament = await joined(front, 42, scoring={"kind": "penalty"})
    assert (await view(front, tournament))["subscore"] == {"order": "asc"}
    body = {"event_id": "a", "result": {"problems": {"A": {"minutes": 35, "wrong": 2}, "B": {"wrong": 3}}}}
    outcome = (await front.submit(tournament, 42, body, prefer="wait=5")).json()
    assert (outcome["score"], outcome["subscore"]) == (1, 75)


@pytest.mark.parametrize(
    ("fields", "paths"),
    [
        ({"scoring": {"kind": "magic"}}, ["scoring.kind"]),
        ({"scoring": {"kind": "weighted", "fields": {"a": 0.00001}}}, ["scoring.fields.a"]),
        ({"scoring": {"kind": "custom", "function": "nope"}}, ["scoring.function"]),
        ({"subscore": {"order": "up"}}, ["subscore.order"]),
        ({"boards": ["Team"]}, ["boards[0]"]),
        ({"boards": ["team", "team"]}, ["boards"]),
        ({"teams": {"score": "sum"}}, ["teams"]),
        ({"boards": ["team"], "teams": {"score": "best_mean"}}, ["teams.best"]),
    ],
)
async def test_a_wrong_description_is_422_and_named(front: Front, fields: dict[str, Any], paths: list[str]) -> None:
    body = {"name": "x", "type": "instant", "capacity": 2, "duration_s": 60, **fields}
    assert wrong_paths(await front.call("POST", "/v1/tournaments", front.token(), json=body)) == paths


async def test_a_batch_names_what_does_not_fit(front: Front) -> None:
    one, two = await joined(front, 1, 2, scoring=WEIGHTED), await joined(front, 1, 2)
    items = [
        {"tournament_id": one, "event_id": "a", "user_id": "1", "result": {"correct": 4}},
        {"tournament_id": one, "event_id": "a", "user_id": "2", "result": {"corect": 4}},
        {"tournament_id": two, "event_id": "a", "user_id": "1", "score": 7},
        {"tournament_id": two, "event_id": "a", "user_id": "2"},
        {"tournament_id": two, "event_id": "a", "user_id": "2", "score": 7, "result": {}},
        {"tournament_id": one, "event_id": "b", "user_id": "2", "score": 7},
    ]
    answer = (await front.call("POST", "/v1/scores", front.token(), json=items)).json()
    assert answer == {"accepted": 2, "rejected": [{"index": i, "code": "invalid"} for i in (1, 3, 4, 5)]}
    assert [row["score"] for row in (await view(front, one))["top"]] == [8]


async def test_attributes_make_boards(front: Front) -> None:
    tournament = await front.create(boards=["country", "team"])
    for user, country, score in ((1, "FR", 5), (2, "DE", 9), (3, "FR", 7)):
        assert (await front.join(tournament, user, attributes={"country": country})).status_code == 201
        await front.submit(tournament, user, {"event_id": "a", "score": score})
    shown = (await front.call("GET", f"/v1/tournaments/{tournament}/participants/1")).json()
    assert (shown["rank"], shown["boards"]) == (3, {"country": {"group": "FR", "rank": 2, "of": 2}})
    assert wrong_paths(await front.join(tournament, 9, attributes={"city": "Siena"})) == ["attributes.city"]
    assert wrong_paths(await front.join(tournament, 9, attributes={"country": ""})) == ["attributes"]
    assert problem(await front.join(tournament, 1, attributes={"country": "DE"})) == (409, "attributes_fixed")
    path = f"/v1/tournaments/{tournament}/participants/1"
    moved = await front.call("PUT", path, front.token(), json={"attributes": {"country": "DE", "team": "7"}})
    assert moved.status_code == 200
    assert (await front.call("GET", path)).json()["boards"] == {
        "country": {"group": "DE", "rank": 2, "of": 2},
        "team": {"group": "7", "rank": 1, "of": 1},
    }
