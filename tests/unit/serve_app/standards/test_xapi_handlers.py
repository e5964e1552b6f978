"""`/xapi`: answers as an LRS gives them, all or none of a batch, a copy counts once, a conflict is told."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import REGISTRY

from storage.ports import LogUnavailableError
from tests.support.front import Front, open_front, problem

VERSION = {"x-experience-api-version": "1.0.3"}
PATH = "/xapi/statements"


@pytest.fixture
async def front() -> AsyncIterator[Front]:
    async with open_front() as front:
        yield front


def statement(tournament: str, raw: float = 87.5, user: int = 42, **changes: Any) -> dict[str, Any]:
    whole = {
        "id": str(uuid.uuid4()),
        "actor": {"account": {"homePage": "https://exam.example", "name": str(user)}},
        "verb": {"id": "http://adlnet.gov/expapi/verbs/completed"},
        "object": {"id": f"https://exam.example/tournaments/{tournament}"},
        "result": {"score": {"raw": raw}},
        **changes,
    }
    return {name: value for name, value in whole.items() if value is not None}


async def joined(front: Front, *users: int, **spec: Any) -> str:
    tournament = await front.create(**spec)
    for user in users:
        assert (await front.join(tournament, user)).status_code == 201
    return tournament


async def post(front: Front, body: Any, headers: dict[str, str] | None = None) -> Any:
    return await front.call("POST", PATH, {**(headers or front.token()), **VERSION}, json=body)


def scores(front: Front, tournament: str) -> list[int | None]:
    state = front.palio.states[int(tournament)]
    return [state.ranking.score(slot) for slot in range(len(state.members.attempts))]


def ignored(reason: str) -> float:
    return REGISTRY.get_sample_value("palio_statements_ignored_total", {"reason": reason}) or 0.0


async def test_one_or_many_are_answered_by_their_ids(front: Front) -> None:
    tournament = await joined(front, 42, 43)
    one, two, three = (statement(tournament, raw, user) for raw, user in ((1.5, 42), (2, 43), (3, 43)))
    answer = await post(front, one)
    assert (answer.status_code, answer.json()) == (200, [one["id"]])
    assert answer.headers["x-experience-api-version"] == "1.0.3"
    assert (await post(front, [two, three])).json() == [two["id"], three["id"]]
    assert (await post(front, [])).json() == []
    assert scores(front, tournament) == [150, 300]


async def test_one_without_an_id_gets_one(front: Front) -> None:
    tournament = await joined(front, 42)
    (given,) = (await post(front, statement(tournament, id=None))).json()
    assert str(uuid.UUID(given)) == given
    assert scores(front, tournament) == [8750]


async def test_a_second_copy_counts_once_and_another_content_conflicts(front: Front) -> None:
    tournament = await joined(front, 42, score_policy="sum")
    first = statement(tournament)
    for copy in (first, {**first, "id": first["id"].upper()}, {**first, "stored": "2027-01-15T08:00:00Z"}):
        assert (await post(front, copy)).status_code == 200
    assert scores(front, tournament) == [8750]
    for change in ({"result": {"score": {"raw": 1}}}, {"verb": {"id": "http://adlnet.gov/expapi/verbs/passed"}}):
        answer = await post(front, {**first, **change})
        assert problem(answer) == (409, "id_conflict")
        assert answer.headers["x-experience-api-version"] == "1.0.3"
    assert scores(front, tournament) == [8750]


async def test_put_takes_the_id_of_its_parameter(front: Front) -> None:
    tournament = await joined(front, 42)
    given = statement(tournament)
    headers = {**front.token(), **VERSION}
    for _ in range(2):
        answer = await front.call(
            "PUT", f"{PATH}?statementId={given['id']}", headers, json={**given, "id": None} | given
        )
        assert (answer.status_code, answer.content) == (204, b"")
    assert front.palio.states[int(tournament)].members.attempts[0] == 1
    for query in ("", "?statementId=x", f"?statementId={uuid.uuid4()}"):
        assert problem(await front.call("PUT", PATH + query, headers, json=given)) == (400, "invalid")
    wrong = await front.call("POST", f"{PATH}?statementId={given['id']}", headers, json=given)
    assert problem(wrong) == (400, "invalid")


async def test_a_batch_is_taken_whole_or_not_at_all(front: Front) -> None:
    tournament = await joined(front, 42)
    good = statement(tournament)
    appended = len(front.palio.log.calls)
    for wrong in (
        statement(tournament, 1e9),
        statement(tournament, actor={"mbox": "mailto:nobody@example.org"}),
        statement("4611686018427387904"),
        {"actor": 1},
    ):
        answer = await post(front, [good, wrong])
        assert answer.status_code in (400, 404)
        assert "[1]" in answer.text or answer.status_code == 404
    assert len(front.palio.log.calls) == appended


async def test_statements_that_are_no_scores_are_taken_and_told_apart_in_a_metric(front: Front) -> None:
    tournament = await joined(front, 42)
    appended = len(front.palio.log.calls)
    others = {
        "verb": statement(tournament, verb={"id": "http://adlnet.gov/expapi/verbs/attempted"}),
        "activity": statement(tournament, object={"id": "https://lms.example/course"}),
        "no_score": statement(tournament, result={"completion": True}),
        "not_completed": statement(tournament, result={"completion": False, "score": {"raw": 1}}),
        "tournament_unknown": statement("34"),
    }
    before = {reason: ignored(reason) for reason in others}
    assert (await post(front, list(others.values()))).json() == [each["id"] for each in others.values()]
    assert {reason: ignored(reason) - before[reason] for reason in others} == dict.fromkeys(others, 1.0)
    assert len(front.palio.log.calls) == appended


async def test_the_version_must_be_named(front: Front) -> None:
    tournament = await joined(front, 42)
    for version, status in (("1.0.3", 200), ("1.0", 200), ("2.0.0", 200), ("0.95", 400), ("1.1", 400), (None, 400)):
        headers = front.token() | ({} if version is None else {"x-experience-api-version": version})
        answer = await front.call("POST", PATH, headers, json=statement(tournament))
        assert answer.status_code == status, version
        expected = "1.0.3" if version is not None and version.startswith("1.") else "2.0.0"
        assert answer.headers["x-experience-api-version"] == expected


async def test_about_says_what_is_kept(front: Front) -> None:
    answer = await front.call("GET", "/xapi/about")
    assert answer.json()["version"] == ["2.0.0", "1.0.3"]
    assert "cannot be read again" in answer.text
    assert problem(await front.call("GET", PATH, front.token()))[0] == 405


async def test_players_send_their_own(front: Front) -> None:
    tournament, hidden = await joined(front, 42), await front.create(visibility="private")
    player = front.token("player", 42)
    assert (await post(front, statement(tournament), player)).status_code == 200
    assert problem(await post(front, statement(tournament, user=43), player)) == (403, "not_yours")
    for unknown in (hidden, "4611686018427387904"):
        assert problem(await post(front, statement(unknown), player)) == (404, "tournament_unknown")
    nobody = await front.call("POST", PATH, VERSION, json=statement(tournament))
    assert problem(nobody) == (401, "token_missing")
    assert nobody.headers["x-experience-api-version"] == "1.0.3"


async def test_a_token_may_be_the_password_of_basic(front: Front) -> None:
    tournament = await joined(front, 42)
    token = front.token()["authorization"].removeprefix("Bearer ")
    for credentials, status in (
        (f"palio:{token}", 200),
        (f":{token}", 200),
        ("palio:x", 401),
        (token, 401),
        ("ä:ö", 401),
    ):
        basic = {"authorization": "Basic " + base64.b64encode(credentials.encode()).decode()}
        assert (await post(front, statement(tournament), basic)).status_code == status
    assert (await post(front, statement(tournament), {"authorization": "Basic %"})).status_code == 401


async def test_a_duration_is_the_subscore_where_the_tournament_has_one(front: Front) -> None:
    tournament = await joined(front, 42, subscore={"order": "asc"})
    timed = statement(tournament, result={"score": {"raw": 5}, "duration": "PT1M30.5S"})
    assert (await post(front, timed)).status_code == 200
    (row,) = (await front.call("GET", f"/v1/tournaments/{tournament}/rankings?users=42")).json()["rows"]
    assert (row["score"], row["subscore"]) == (5, 90.5)
    assert problem(await post(front, statement(tournament))) == (400, "invalid")  # without one


async def test_who_and_what_others_ids_are_is_in_a_file(tmp_path: Path) -> None:
    ids = tmp_path / "ids.json"
    ids.write_text("{}")
    async with open_front(foreign_ids=str(ids)) as front:
        tournament = await joined(front, 42)
        quiz = "https://lms.example/mod/quiz/view.php?id=5"
        ids.write_text(json.dumps({"users": {"mailto:ann@example.org": "42"}, "activities": {quiz: tournament}}))
        given = statement(tournament, actor={"mbox": "mailto:ann@example.org"}, object={"id": quiz})
        assert (await post(front, given)).status_code == 200
        assert scores(front, tournament) == [8750]


async def test_an_error_of_the_log_names_the_version_too(front: Front) -> None:
    tournament = await joined(front, 42)
    front.palio.log.error = LogUnavailableError("away", retry_after_s=2)
    answer = await post(front, statement(tournament))
    assert answer.status_code == 503
    assert answer.headers["x-experience-api-version"] == "1.0.3"
