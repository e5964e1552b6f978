"""What is answered without the app, beside what is answered by it: the same. Requests with a query go the long way."""

from __future__ import annotations

import httpx2
import pytest

from serve_app.security.auth import make_token
from tests.support.gateway import SECRET, WAIT_S, running_gateway
from tests.support.on_uvloop import event_loop_policy, pytestmark

__all__ = ["event_loop_policy", "pytestmark"]  # they run on uvloop


async def test_views_from_the_owner_and_from_the_cache_are_the_same_response() -> None:
    async with running_gateway() as gateway, httpx2.AsyncClient(base_url=gateway.url) as http:
        tournament = await gateway.tournament(players=2)
        gateway.services.reads.invalidate(tournament)
        path = f"/v1/tournaments/{tournament}"
        first, second = await http.get(path), await http.get(path)
        assert first.status_code == second.status_code == 200
        assert first.json() == second.json()
        assert first.json()["participants"] == 2
        names = ("etag", "cache-control", "content-type", "content-length", "access-control-allow-origin")
        assert [first.headers[name] for name in names] == [second.headers[name] for name in names]
        assert first.headers["cache-control"] == "public, max-age=1"
        assert first.headers.keys() == second.headers.keys()
        assert "date" in second.headers
        same = await http.get(path, headers={"if-none-match": second.headers["etag"]})
        assert (same.status_code, same.content) == (304, b"")
        other = await http.get(path, headers={"if-none-match": '"x"'})
        assert other.status_code == 200
        head = await http.head(path)
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["content-length"] == second.headers["content-length"]
        query = await http.get(path + "?x=1")  # the ASGI lane
        assert query.json() == second.json()


async def test_views_of_private_tournaments() -> None:
    async with running_gateway() as gateway, httpx2.AsyncClient(base_url=gateway.url) as http:
        path = f"/v1/tournaments/{await gateway.tournament(players=1, visibility='private')}"
        for _ in range(2):
            assert (await http.get(path)).status_code == 404
            assert (await http.get(path, headers=gateway.bearer(2))).status_code == 404
            mine = await http.get(path, headers=gateway.bearer(1))
            assert (mine.status_code, mine.headers["cache-control"]) == (200, "private, no-store")


@pytest.mark.parametrize("lane", ["", "?lane=asgi"])
@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"{", 400, "malformed"),
        (b'{"event_id":"a","score":1.234}', 422, "invalid"),
        (b'{"event_id":"a","score":NaN}', 422, "invalid"),
        (b'{"event_id":"a","score":1e9}', 422, "invalid"),
        (b'{"event_id":"a","score":true}', 422, "invalid"),
        (b'{"event_id":"a","score":"12"}', 422, "invalid"),
        (b'{"event_id":"a","score":1,"more":2}', 422, "invalid"),
        (b'{"event_id":"","score":1}', 422, "invalid"),
        (b'{"event_id":"a","score":1,"user_id":"2"}', 403, "not_yours"),
    ],
)
async def test_bad_submissions_are_the_same_problem_on_both_lanes(
    lane: str, body: bytes, status: int, code: str
) -> None:
    async with running_gateway() as gateway, httpx2.AsyncClient(base_url=gateway.url) as http:
        path = f"/v1/tournaments/{await gateway.tournament(players=1)}/scores{lane}"
        answer = await http.post(path, content=body, headers=gateway.bearer())
        assert (answer.status_code, answer.json()["code"]) == (status, code)
        assert answer.headers["content-type"] == "application/problem+json"
        assert not gateway.palio.log.calls[-1][0].value.startswith(b'{"type":"score"')


@pytest.mark.parametrize("lane", ["", "?lane=asgi"])
async def test_who_may_not_submit(lane: str) -> None:
    async with running_gateway() as gateway, httpx2.AsyncClient(base_url=gateway.url) as http:
        path = f"/v1/tournaments/{await gateway.tournament(players=1)}/scores{lane}"
        body = {"event_id": "a", "score": 1}
        assert (await http.post(path, json=body)).json()["code"] == "token_missing"
        expired = {
            "authorization": f"Bearer {make_token(SECRET, role='player', user_id=1, ttl_s=5, now_s=1_000_000_000)}"
        }
        answer = await http.post(path, json=body, headers=expired)
        assert (answer.status_code, answer.json()["code"]) == (401, "token_expired")
        assert "www-authenticate" in answer.headers
        unknown = await http.post(f"/v1/tournaments/77/scores{lane}", json=body, headers=gateway.bearer())
        assert unknown.json()["code"] == "tournament_unknown"
        form = await http.post(path, content=b"a=1", headers={**gateway.bearer(), "content-type": "text/plain"})
        assert form.status_code == 415


async def test_rates_are_limited_on_the_fast_path() -> None:
    async with (
        running_gateway(anonymous_rate=0.001, anonymous_burst=5) as gateway,
        httpx2.AsyncClient(base_url=gateway.url) as http,
    ):
        path = f"/v1/tournaments/{await gateway.tournament(players=1)}"
        answers = [await http.get(path) for _ in range(6)]
        assert [answer.status_code for answer in answers] == [200] * 5 + [429]
        assert int(answers[-1].headers["retry-after"]) >= 1


async def test_a_handler_that_takes_too_long_is_answered_for() -> None:
    async with (
        running_gateway(request_timeout_s=0.3) as gateway,
        httpx2.AsyncClient(base_url=gateway.url, timeout=WAIT_S) as http,
    ):
        tournament = await gateway.tournament(players=1)
        gateway.palio.owners.delay_s = 60
        gateway.services.reads._known.clear()
        gateway.services.reads._cache.clear()
        for query in ("", "?lane=asgi"):
            answer = await http.get(f"/v1/tournaments/{tournament}{query}")
            assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
