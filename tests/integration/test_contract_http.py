"""The contract's calls at the two real entrypoints."""

from __future__ import annotations

import time
from typing import Any

import httpx2
import pytest

from tests.integration.conftest import create, eventually, join, problem, spec, stamp, submit
from tests.support.offered_methods import every_method, judge_method
from tests.support.running import RunningPalio


def rows(answer: httpx2.Response) -> list[tuple[int, str, float]]:
    return [(row["rank"], row["user_id"], row["score"]) for row in answer.json()["rows"]]


def test_the_api_names_the_gateway(palio: RunningPalio) -> None:
    body = httpx2.get(f"{palio.url}/v1").json()
    assert body["gateway"] == palio.gateway_url
    assert body["live"] == palio.live_url
    assert body["version"]


def test_every_path_offers_the_same_methods_at_both_entrypoints(palio: RunningPalio) -> None:
    with httpx2.Client(base_url=palio.url, timeout=30) as api, httpx2.Client(base_url=palio.gateway_url) as gateway:
        for method, path, offered in every_method():
            if path == "/v1/demo/player" and method == "POST":
                continue  # the demo is off: there is no such page
            answers = api.request(method, path), gateway.request(method, path)
            for answer, methods in zip(answers, offered.values(), strict=True):
                judge_method(answer, method, methods)
            if offered["gateway"]:
                told = [(a.status_code, a.content, a.headers.get("allow"), a.headers["cache-control"]) for a in answers]
                assert told[0] == told[1], (method, path)


def test_health_documentation_and_page(palio: RunningPalio) -> None:
    for base in (palio.url, palio.gateway_url):
        assert httpx2.get(f"{base}/healthz").status_code == 200
    assert httpx2.get(f"{palio.url}/readyz").json() == {"status": "ready"}
    assert httpx2.get(f"{palio.url}/docs").status_code == 200
    assert "/v1/tournaments" in httpx2.get(f"{palio.url}/openapi.json").json()["paths"]
    assert httpx2.get(palio.url).headers["content-type"].startswith("text/html")


def test_a_create_is_answered_with_the_tournament_and_found_by_all(palio: RunningPalio, service: httpx2.Client) -> None:
    answer = service.post("/v1/tournaments", json=spec(name="Spring exam", metadata={"room": 7}))
    assert answer.status_code == 201
    made = answer.json()
    assert answer.headers["location"].endswith(f"/v1/tournaments/{made['id']}")
    assert 1 <= int(made["id"]) < 2**63
    assert made["status"] == "running"
    for base in (palio.url, palio.gateway_url):
        view = httpx2.get(f"{base}/v1/tournaments/{made['id']}").json()
        assert (view["name"], view["participants"], view["top"]) == ("Spring exam", 0, [])
        assert (view["metadata"], view["order"], view["score_policy"], view["ties"]) == (
            {"room": 7},
            "desc",
            "best",
            "first",
        )
    listed = httpx2.get(f"{palio.url}/v1/tournaments", params={"q": "spring EXAM"}).json()["items"]
    assert made["id"] in [item["id"] for item in listed]


def test_a_repeated_create_returns_the_first_answer(palio: RunningPalio, service: httpx2.Client) -> None:
    body = spec()
    key = {"Idempotency-Key": "one"}
    first = service.post("/v1/tournaments", json=body, headers=key)
    again = service.post("/v1/tournaments", json=body, headers=key)
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json()["id"] == again.json()["id"]
    assert problem(service.post("/v1/tournaments", json=spec(), headers=key)) == (409, "idempotency_conflict")
    with palio.client("service", 2) as another:  # the key is each caller's own
        assert another.post("/v1/tournaments", json=body, headers=key).json()["id"] != first.json()["id"]


@pytest.mark.parametrize("entrypoint", ["api", "gateway"])
def test_join_score_rank_leave(service: httpx2.Client, gateway: httpx2.Client, entrypoint: str) -> None:
    client = service if entrypoint == "api" else gateway
    tournament = create(service, ties="shared")
    path = f"/v1/tournaments/{tournament}/participants/11"
    assert service.put(path, json={"name": "Ann"}).status_code == 201
    assert service.put(path, json={"name": "Ann"}).status_code == 200
    join(service, tournament, 12, 13)
    assert submit(client, tournament, 11, "a", 90.5)["rank"] == 1
    tied = submit(client, tournament, 12, "a", 90.5)
    assert (tied["outcome"], tied["score"], tied["rank"], tied["previous_rank"]) == ("applied", 90.5, 1, None)
    assert submit(client, tournament, 13, "a", 100)["rank"] == 1
    again = submit(client, tournament, 11, "a", 100)
    assert (again["outcome"], again["reason"], again["event_id"]) == ("ignored", "duplicate", "a")
    better = submit(client, tournament, 11, "b", 100.25)
    assert (better["rank"], better["previous_rank"]) == (1, 2)
    assert submit(client, tournament, 11, "c", -5)["score"] == 100.25  # applied, and no better
    table = client.get(f"/v1/tournaments/{tournament}/rankings")
    assert rows(table) == [(1, "11", 100.25), (2, "13", 100), (3, "12", 90.5)]
    me = service.get(path).json()
    assert (me["rank"], me["attempts"], me["score"], me["name"]) == (1, 3, 100.25, "Ann")
    assert service.delete(path).status_code == 204
    assert problem(service.get(path)) == (404, "participant_unknown")
    assert submit(client, tournament, 11, "d", 1)["reason"] == "not_joined"
    assert service.put(path, json={}).status_code == 201  # back, with all that it had
    assert service.get(path).json()["score"] == 100.25


def test_submissions_that_are_not_waited_for(gateway: httpx2.Client, service: httpx2.Client) -> None:
    tournament = create(service)
    join(service, tournament, 1)
    body = {"event_id": "x", "user_id": "1", "score": 3}
    answer = gateway.post(f"/v1/tournaments/{tournament}/scores", json=body)
    assert answer.status_code == 202
    told = answer.json()
    assert told.keys() == {"event_id", "partition", "offset"}
    second = gateway.post(f"/v1/tournaments/{tournament}/scores", json=body | {"event_id": "y"}).json()
    assert second["partition"] == told["partition"]
    assert second["offset"] > told["offset"]
    eventually(lambda: service.get(f"/v1/tournaments/{tournament}/participants/1").json()["attempts"] == 2)


@pytest.mark.parametrize("form", ["ndjson", "array"])
def test_rankings_page_around_and_users(service: httpx2.Client, gateway: httpx2.Client, form: str) -> None:
    tournament = create(service)
    users = range(1, 31)
    join(service, tournament, *users)
    items = [{"tournament_id": tournament, "event_id": "e", "user_id": str(user), "score": user} for user in users]
    if form == "array":
        answer = gateway.post("/v1/scores", json=items)
    else:
        lines = "\n".join(str(item).replace("'", '"') for item in items)
        answer = service.post("/v1/scores", content=lines, headers={"content-type": "application/x-ndjson"})
    assert (answer.status_code, answer.json()) == (202, {"accepted": 30, "rejected": []})
    path = f"/v1/tournaments/{tournament}/rankings"
    eventually(lambda: gateway.get(path).json()["total"] == 30)
    for client in (gateway, service):
        first = client.get(path, params={"limit": 20}).json()
        second = client.get(path, params={"limit": 20, "cursor": first["next_cursor"]}).json()
        assert [row["user_id"] for row in first["rows"] + second["rows"]] == [str(user) for user in reversed(users)]
        assert second["next_cursor"] is None
        around = client.get(path, params={"around": "15", "limit": 3})
        assert [user for _, user, _ in rows(around)] == ["16", "15", "14"]
        assert rows(client.get(path, params={"users": "3,30,999"})) == [(1, "30", 30), (28, "3", 3)]
        assert problem(client.get(path, params={"around": "999"})) == (404, "not_ranked")
    person = service.get(f"/v1/tournaments/{tournament}/participants/30").json()
    assert (person["rank"], person["percentile"]) == (1, 100)


def test_a_batch_tells_what_it_rejects(service: httpx2.Client, gateway: httpx2.Client) -> None:
    tournament = create(service)
    join(service, tournament, 1)
    good = {"tournament_id": tournament, "event_id": "g", "user_id": "1", "score": 5}
    for client in (service, gateway):
        wrong: list[Any] = [good, {**good, "score": 1.005}, {**good, "tournament_id": "5"}, {"x": 1}]
        answer = client.post("/v1/scores", json=wrong)
        assert (answer.status_code, answer.json()["accepted"]) == (202, 1)
        assert [entry["index"] for entry in answer.json()["rejected"]] == [1, 2, 3]
        assert all(entry["code"] for entry in answer.json()["rejected"])
        assert client.post("/v1/scores", json=[good] * 1001).status_code in (413, 422)


def test_joins_in_bulk(service: httpx2.Client, gateway: httpx2.Client) -> None:
    tournament = create(service)
    for first, client in ((1, service), (501, gateway)):
        items = [
            {"tournament_id": tournament, "user_id": str(user), "name": f"P {user}"}
            for user in range(first, first + 500)
        ]
        answer = client.post("/v1/participants", json=[*items, {**items[0], "tournament_id": "5"}])
        assert answer.status_code == 202
        assert answer.json() == {"accepted": 500, "rejected": [{"index": 500, "code": "tournament_unknown"}]}
    eventually(lambda: gateway.get(f"/v1/tournaments/{tournament}").json()["participants"] == 1000)
    assert service.get(f"/v1/tournaments/{tournament}/participants/777").json()["name"] == "P 777"


def test_views_are_revalidated_by_etag(palio: RunningPalio, service: httpx2.Client) -> None:
    tournament = create(service)
    join(service, tournament, 1)
    time.sleep(1.1)  # what is cached is fresh for a second
    for base in (palio.url, palio.gateway_url):
        url = f"{base}/v1/tournaments/{tournament}"
        first = httpx2.get(url)
        assert first.headers["cache-control"] == "public, max-age=1"
        again = httpx2.get(url, headers={"If-None-Match": first.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
    submit(service, tournament, 1, "a", 1)
    changed = eventually(
        lambda: (a := httpx2.get(url, headers={"If-None-Match": first.headers["etag"]})).status_code == 200 and a
    )
    assert changed.headers["etag"] != first.headers["etag"]
    assert changed.json()["top"][0]["score"] == 1


def test_edits_compare_the_version(service: httpx2.Client) -> None:
    tournament = create(service, starts_at=stamp(1000))
    path = f"/v1/tournaments/{tournament}"
    edited = service.patch(path, json={"name": "Autumn", "capacity": 2000}, headers={"If-Match": '"1"'})
    assert edited.status_code == 200
    assert (edited.json()["name"], edited.json()["capacity"], edited.json()["version"]) == ("Autumn", 2000, 2)
    assert problem(service.patch(path, json={"name": "Late"}, headers={"If-Match": '"1"'})) == (412, "version_mismatch")
    assert problem(service.patch(path, json={"capacity": 10})) == (409, "edit_not_allowed")
    assert service.get(path).json()["version"] == 2
    assert service.post(f"{path}/start").status_code == 200
    assert problem(service.patch(path, json={"starts_at": stamp(500)})) == (409, "not_scheduled")
    assert service.patch(path, json={"capacity": 3000}).json()["capacity"] == 3000


def test_commands_follow_the_state(service: httpx2.Client) -> None:
    tournament = create(service, starts_at=stamp(1000))
    path = f"/v1/tournaments/{tournament}"
    refused = service.post(f"{path}/end")
    assert problem(refused) == (409, "not_running")
    assert "end" in refused.json()["detail"]
    assert "scheduled" in refused.json()["detail"]
    assert service.post(f"{path}/start").json()["status"] == "running"
    assert problem(service.post(f"{path}/start")) == (409, "not_scheduled")
    assert service.post(f"{path}/end").json()["status"] == "finished"
    assert problem(service.post(f"{path}/cancel")) == (409, "already_over")
    assert problem(service.patch(path, json={"name": "No"})) == (409, "already_over")
    assert problem(service.put(f"{path}/participants/5", json={})) == (409, "registration_closed")
    assert submit(service, tournament, 5, "late", 1)["reason"] == "ended"
    other = create(service)
    assert service.post(f"/v1/tournaments/{other}/cancel").json()["status"] == "cancelled"
    assert problem(service.post(f"/v1/tournaments/{other}/start"))[0] == 409
    assert submit(service, other, 5, "late", 1)["reason"] == "ended"


def test_an_instant_tournament_starts_when_it_is_full_and_ends_its_duration_later(service: httpx2.Client) -> None:
    body = {"name": "Blitz", "type": "instant", "capacity": 2, "duration_s": 3}
    tournament = service.post("/v1/tournaments", json=body).json()["id"]
    path = f"/v1/tournaments/{tournament}"
    join(service, tournament, 1)
    assert submit(service, tournament, 1, "early", 1)["reason"] == "not_running"
    last = service.put(f"{path}/participants/2", json={})
    assert (last.status_code, last.json()["status"]) == (201, "running")
    submit(service, tournament, 1, "in time", 8)
    view = service.get(path).json()
    assert problem(service.put(f"{path}/participants/3", json={}))[0] == 409
    ended = eventually(lambda: (v := service.get(path).json())["status"] == "finished" and v)
    assert (ended["starts_at"], ended["ends_at"]) == (view["starts_at"], view["ends_at"])
    assert ended["finished_at"] == ended["ends_at"]


def test_a_tournament_starts_and_ends_by_time_to_the_millisecond(service: httpx2.Client) -> None:
    tournament = create(service, starts_at=stamp(1.5), ends_at=stamp(5))
    path = f"/v1/tournaments/{tournament}"
    join(service, tournament, 1, 2)
    assert submit(service, tournament, 1, "early", 1)["reason"] == "not_running"
    planned = service.get(path).json()
    eventually(lambda: service.get(path).json()["status"] == "running")
    # Submissions until well after the end: the log's time decides, and it decides once.
    outcomes: list[tuple[float, float, str | None]] = []
    while time.time() < parse(planned["ends_at"]) + 0.5:
        before = time.time()
        answer = submit(service, tournament, 1, f"e{len(outcomes)}", len(outcomes))
        outcomes.append((before, time.time(), answer.get("reason", answer.get("outcome"))))
    assert {what for _, _, what in outcomes} <= {"applied", "ended"}
    end = parse(planned["ends_at"])
    assert all(what == "applied" for _, after, what in outcomes if after < end)
    assert all(what == "ended" for before, _, what in outcomes if before > end)
    view = eventually(lambda: (v := service.get(path).json())["status"] == "finished" and v)
    assert view["finished_at"] == view["ends_at"] == planned["ends_at"]
    assert view["starts_at"] == planned["starts_at"]
    applied = sum(what == "applied" for _, _, what in outcomes)
    person = service.get(f"{path}/participants/1").json()
    assert (person["attempts"], person["score"]) == (applied, applied - 1 if applied else None)
    listed = service.get("/v1/users/1/tournaments").json()["items"]
    assert tournament in [item["id"] for item in listed]


def parse(text: str) -> float:
    from datetime import datetime

    return datetime.fromisoformat(text).timestamp()


def test_too_few_participants_cancel_at_the_start(service: httpx2.Client) -> None:
    tournament = create(service, starts_at=stamp(2), min_participants=2)
    join(service, tournament, 1)
    assert problem(service.post(f"/v1/tournaments/{tournament}/start")) == (409, "too_few_participants")
    eventually(lambda: service.get(f"/v1/tournaments/{tournament}").json()["status"] == "cancelled")


def test_private_tournaments_are_hidden(palio: RunningPalio, service: httpx2.Client) -> None:
    tournament = create(service, visibility="private")
    join(service, tournament, 21)
    path = f"/v1/tournaments/{tournament}"
    with palio.client("player", 21) as member, palio.client("player", 22) as stranger:
        for base in (palio.url, palio.gateway_url):
            seen = member.get(base + path)
            assert (seen.status_code, seen.headers["cache-control"]) == (200, "private, no-store")
            for url in (path, f"{path}/rankings"):
                assert problem(stranger.get(base + url)) == (404, "tournament_unknown"), url
                assert problem(httpx2.get(base + url)) == (404, "tournament_unknown"), url
            body = {"event_id": "s", "score": 1}
            assert problem(stranger.post(f"{base}{path}/scores", json=body)) == (404, "tournament_unknown")
        assert problem(stranger.get(f"{path}/participants/21")) == (404, "tournament_unknown")
        assert member.post(f"{path}/scores", json=body, headers={"Prefer": "wait=10"}).json()["outcome"] == "applied"
        eventually(lambda: tournament in [t["id"] for t in member.get("/v1/tournaments").json()["items"]])
        assert tournament not in [t["id"] for t in stranger.get("/v1/tournaments").json()["items"]]
        assert member.delete(f"{path}/participants/me").status_code == 204
        eventually(lambda: member.get(path).status_code == 404)  # who has left is a stranger


def test_players_act_for_themselves_alone(palio: RunningPalio, service: httpx2.Client) -> None:
    tournament = create(service)
    path = f"/v1/tournaments/{tournament}"
    with palio.client("player", 31) as player:
        assert player.put(f"{path}/participants/me", json={"name": "P"}).status_code == 201
        assert problem(player.put(f"{path}/participants/32", json={})) == (403, "not_yours")
        assert problem(player.delete(f"{path}/participants/32")) == (403, "not_yours")
        body = {"event_id": "x", "user_id": "32", "score": 1}
        for base in (palio.url, palio.gateway_url):
            assert problem(player.post(f"{base}{path}/scores", json=body)) == (403, "not_yours")
            assert problem(player.post(f"{base}/v1/scores", json=[])) == (403, "role_forbidden")
        assert problem(player.post("/v1/tournaments", json=spec())) == (403, "role_forbidden")
        assert problem(player.post(f"{path}/end")) == (403, "role_forbidden")
        assert problem(player.get("/v1/users/32/tournaments")) == (403, "not_yours")
        assert player.get("/v1/users/me/prizes").json()["items"] == []
    assert problem(httpx2.put(f"{palio.url}{path}/participants/32", json={})) == (401, "token_missing")


def test_a_player_is_limited(palio: RunningPalio, service: httpx2.Client) -> None:
    tournament = create(service)
    for user, base in ((41, palio.url), (42, palio.gateway_url)):
        with palio.client("player", user) as player:
            for _ in range(1000):
                answer = player.get(f"{base}/v1/tournaments/{tournament}/rankings", params={"users": "1"})
                if answer.status_code != 200:
                    break
        assert problem(answer) == (429, "rate_limited")


def test_lists_page_through_everything(service: httpx2.Client) -> None:
    made = {create(service, name=f"Paged {number}") for number in range(7)}
    seen: list[str] = []
    cursor = None
    while True:
        params: dict[str, Any] = {"q": "paged", "limit": 3, **({"cursor": cursor} if cursor else {})}
        page = service.get("/v1/tournaments", params=params).json()
        seen += [item["id"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert len(seen) == len(set(seen))
    assert set(seen) == made
    by_status = service.get("/v1/tournaments", params={"q": "paged", "status": "finished"}).json()["items"]
    by_type = service.get("/v1/tournaments", params={"q": "paged", "type": "instant"}).json()["items"]
    assert by_status == by_type == []


def test_the_gateway_leaves_the_rest_to_the_api(gateway: httpx2.Client) -> None:
    assert problem(gateway.get("/v1/tournaments"))[0] in (404, 405)
    assert problem(gateway.post("/v1/tournaments", json=spec()))[0] in (404, 405)


def test_prizes(service: httpx2.Client) -> None:
    tournament = create(service)
    assert service.get(f"/v1/tournaments/{tournament}/prizes").status_code == 200
