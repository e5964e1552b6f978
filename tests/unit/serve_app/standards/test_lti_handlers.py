"""`/v1/lti` as a tool meets it: a token, line items, a score, results; and what a tool does not see."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from serve_app.standards.ags import POST_SCORES, READ_ITEMS, READ_RESULTS, SCORE_TYPE
from tests.support import lti_tool
from tests.support.front import Front, open_front, problem, wrong_paths

URL = "https://palio.example"
ITEMS = "/v1/lti/lineitems"
UNKNOWN = "4611686018427387904"


@pytest.fixture
async def front(tmp_path: Path) -> AsyncIterator[Front]:
    async with open_front(lti_tools=lti_tool.register(tmp_path), lti_url=URL) as front:
        yield front


async def token(front: Front, scope: str | None = None) -> dict[str, str]:
    signed = lti_tool.assertion(front.palio.now_ms / 1000, f"{URL}/v1/lti/token")
    form = lti_tool.form(signed) if scope is None else lti_tool.form(signed, scope)
    answer = await front.call("POST", "/v1/lti/token", data=form)
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    return {"authorization": f"Bearer {answer.json()['access_token']}"}


async def joined(front: Front, *users: int, **spec: Any) -> str:
    tournament = await front.create(**spec)
    for user in users:
        joined = await front.call("PUT", f"/v1/tournaments/{tournament}/participants/{user}", front.token())
        assert joined.status_code == 201
    return tournament


def score(given: float = 83, second: int = 12, **changes: Any) -> dict[str, Any]:
    return {
        "userId": "42",
        "scoreGiven": given,
        "scoreMaximum": 100,
        "activityProgress": "Completed",
        "gradingProgress": "FullyGraded",
        "timestamp": f"2027-05-01T09:40:{second:02}.345Z",
        **changes,
    }


async def post(front: Front, tournament: str, body: Any, headers: dict[str, str]) -> Any:
    sent = {**headers, "content-type": SCORE_TYPE}
    return await front.call("POST", f"{ITEMS}/{tournament}/scores", sent, json=body)


async def test_a_tool_posts_a_score_and_reads_it_as_a_result(front: Front) -> None:
    tournament = await joined(front, 42, 43, metadata={"lti": {"score_maximum": 20}})
    tool = await token(front)
    (item,) = (await front.call("GET", ITEMS, tool)).json()
    assert item["id"] == f"{URL}{ITEMS}/{tournament}"
    assert (await front.call("GET", f"{ITEMS}/{tournament}", tool)).json() == item
    answer = await post(front, tournament, score(), tool)
    assert (answer.status_code, answer.json()["counted"]) == (200, True)
    assert answer.json()["resultUrl"] == f"{item['id']}/results?user_id=42"
    (result,) = (await front.call("GET", f"{ITEMS}/{tournament}/results?user_id=42", tool)).json()
    assert (result["userId"], result["resultScore"], result["resultMaximum"]) == ("42", 16.6, 20)
    assert result["scoreOf"] == item["id"]
    for nobody in ("43", "x"):
        assert (await front.call("GET", f"{ITEMS}/{tournament}/results?user_id={nobody}", tool)).json() == []


async def test_a_retry_counts_once_and_an_older_one_is_refused(front: Front) -> None:
    tournament = await joined(front, 42, score_policy="last")
    tool = await token(front)
    for _ in range(2):
        assert (await post(front, tournament, score(50, 20), tool)).status_code == 200
    assert front.palio.states[int(tournament)].members.attempts[0] == 1
    assert problem(await post(front, tournament, score(99, 19), tool)) == (409, "score_outdated")
    assert problem(await post(front, tournament, score(99, 20), tool)) == (409, "id_conflict")
    assert (await post(front, tournament, score(40, 21), tool)).status_code == 200
    assert front.palio.states[int(tournament)].ranking.score(0) == 4000
    service = await post(front, tournament, score(30, 19), front.token())  # another producer, of whom nothing is known
    assert service.status_code == 200


async def test_what_is_not_graded_is_answered_and_not_kept(front: Front) -> None:
    tournament = await joined(front, 42)
    tool = await token(front)
    appended = len(front.palio.log.calls)
    for body, reason in (
        (score(gradingProgress="Pending"), "not_graded"),
        (score() | {"scoreGiven": None}, "no_score"),
    ):
        answer = await post(front, tournament, body, tool)
        assert answer.status_code == 200
        assert (answer.json()["counted"], answer.json()["reason"]) == (False, reason)
    assert len(front.palio.log.calls) == appended
    assert wrong_paths(await post(front, tournament, score(userId="ann"), tool)) == ["userId"]
    text = await front.call(
        "POST", f"{ITEMS}/{tournament}/scores", {**tool, "content-type": "text/plain"}, content=b"{}"
    )
    assert problem(text)[0] == 415


async def test_scopes_and_roles(front: Front) -> None:
    tournament = await joined(front, 42)
    calls = {
        ("GET", ITEMS): READ_ITEMS,
        ("GET", f"{ITEMS}/{tournament}"): READ_ITEMS,
        ("GET", f"{ITEMS}/{tournament}/results"): READ_RESULTS,
        ("POST", f"{ITEMS}/{tournament}/scores"): POST_SCORES,
    }
    for scope in (READ_ITEMS, READ_RESULTS, POST_SCORES):
        tool = await token(front, scope)
        for (method, path), needed in calls.items():
            answer = await front.call(method, path, tool, json=score() if method == "POST" else None)
            expected = 200 if needed == scope else 403
            assert answer.status_code == expected, (scope, path)
            if expected == 403:
                assert problem(answer) == (403, "scope_missing")
    for (method, path), needed in calls.items():
        body = score() if method == "POST" else None
        statuses = {
            role: (await front.call(method, path, headers, json=body)).status_code
            for role, headers in {
                "nobody": {}, "player": front.token("player", 42), "service": front.token(),
                "operator": front.token("operator"),
            }.items()
        }  # fmt: skip
        assert statuses == {
            "nobody": 401, "player": 403, "service": 200, "operator": 403 if needed == POST_SCORES else 200,
        }, path  # fmt: skip


async def test_a_tool_sees_its_own_tournaments_alone(tmp_path: Path) -> None:
    tools = lti_tool.register(tmp_path)
    async with open_front(lti_tools=tools, lti_url=URL) as front:
        own, other = await joined(front, 42, visibility="private"), await joined(front, 42)
        lti_tool.register(tmp_path, tournaments=[own, UNKNOWN])
        tool = await token(front)
        assert [item["resourceId"] for item in (await front.call("GET", ITEMS, tool)).json()] == [own]
        assert (await post(front, own, score(), tool)).status_code == 200
        appended = len(front.palio.log.calls)
        for hidden in (other, UNKNOWN, "nonsense"):
            assert problem(await post(front, hidden, score(), tool)) == (404, "tournament_unknown")
            for path in ("", "/results"):
                assert problem(await front.call("GET", f"{ITEMS}/{hidden}{path}", tool)) == (404, "tournament_unknown")
            assert (await front.call("GET", f"{ITEMS}?resource_id={hidden}", tool)).json() == []
        assert len(front.palio.log.calls) == appended


async def test_line_items_come_in_pages(front: Front) -> None:
    made = {await joined(front) for _ in range(3)}
    tool = await token(front)
    found, path = [], f"{ITEMS}?limit=2"
    while path:
        page = await front.call("GET", path, tool)
        found += [item["resourceId"] for item in page.json()]
        link = re.fullmatch(r'<https://palio.example(.+)>; rel="next"', page.headers.get("link", ""))
        path = link[1] if link else ""
    assert (len(found), set(found)) == (3, made)
    (only,) = (await front.call("GET", f"{ITEMS}?resource_id={found[0]}", tool)).json()
    assert only["resourceId"] == found[0]
    for query in ("tag=x", "resource_link_id=x", f"resource_id={UNKNOWN}", "resource_id=x"):
        assert (await front.call("GET", f"{ITEMS}?{query}", tool)).json() == []
    for query in ("limit=0", "limit=101", "cursor=x"):
        assert problem(await front.call("GET", f"{ITEMS}?{query}", tool)) == (422, "invalid")


async def test_results_come_in_pages(front: Front) -> None:
    tournament = await joined(front, 1, 2, 3)
    tool = await token(front)
    for user in (1, 2, 3):
        await post(front, tournament, score(user * 10, userId=str(user)), tool)
    found, path = [], f"{ITEMS}/{tournament}/results?limit=2"
    while path:
        page = await front.call("GET", path, tool)
        found += [(result["userId"], result["resultScore"]) for result in page.json()]
        link = re.fullmatch(r'<https://palio.example(.+)>; rel="next"', page.headers.get("link", ""))
        path = link[1] if link else ""
    assert found == [("3", 30), ("2", 20), ("1", 10)]


async def test_a_token_that_is_asked_for_wrongly_is_refused_in_oauths_words(front: Front) -> None:
    signed = lti_tool.assertion(front.palio.now_ms / 1000, "https://other.example/token")
    answer = await front.call("POST", "/v1/lti/token", data=lti_tool.form(signed))
    assert (problem(answer), answer.json()["error"]) == ((401, "token_invalid"), "invalid_client")
    answer = await front.call("POST", "/v1/lti/token", data=lti_tool.form(signed, grant_type="password"))
    assert (problem(answer), answer.json()["error"]) == ((400, "malformed"), "unsupported_grant_type")
    assert problem(await front.call("POST", "/v1/lti/token", json={})) == (415, "unsupported_media_type")


async def test_a_tools_calls_count_against_a_services_limit(tmp_path: Path) -> None:
    async with open_front(
        lti_tools=lti_tool.register(tmp_path), lti_url=URL, service_rate=1e-3, service_burst=3
    ) as front:
        tool = await token(front)
        statuses = [(await front.call("GET", ITEMS, tool)).status_code for _ in range(4)]
        assert statuses == [200, 200, 200, 429]
