"""The contract's calls at the two real doors."""

from __future__ import annotations

import time

import httpx
import pytest

from tests.integration.conftest import create, eventually, join, spec, stamp, submit


@pytest.fixture
def service(palio):
    with palio.client() as client:
        yield client


@pytest.fixture
def gateway(palio):
    with palio.client(gateway=True) as client:
        yield client


def code(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"].startswith("application/problem+json"), answer.text
    body = answer.json()
    assert {"type", "title", "status", "detail", "code"} <= body.keys()
    assert body["status"] == answer.status_code
    return answer.status_code, body["code"]


def test_the_api_names_the_gateway(palio):
    body = httpx.get(f"{palio.url}/v1").json()
    assert body["gateway"] == palio.gateway_url
    assert body["live"] == palio.live_url
    assert body["version"]


def test_a_create_is_answered_with_the_tournament_and_found_by_all(palio, service):
    answer = service.post("/v1/tournaments", json=spec(name="Spring exam"))
    assert answer.status_code == 201
    made = answer.json()
    assert answer.headers["location"].endswith(f"/v1/tournaments/{made['id']}")
    assert made["status"] == "running"
    for base in (palio.url, palio.gateway_url):
        view = httpx.get(f"{base}/v1/tournaments/{made['id']}").json()
        assert (view["name"], view["participants"], view["top"]) == ("Spring exam", 0, [])
    listed = httpx.get(f"{palio.url}/v1/tournaments", params={"q": "spring EXAM"}).json()["items"]
    assert made["id"] in [item["id"] for item in listed]


def test_a_repeated_create_returns_the_first_answer(service):
    body = spec()
    first = service.post("/v1/tournaments", json=body, headers={"Idempotency-Key": "one"})
    again = service.post("/v1/tournaments", json=body, headers={"Idempotency-Key": "one"})
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json()["id"] == again.json()["id"]
    other = service.post("/v1/tournaments", json=spec(), headers={"Idempotency-Key": "one"})
    assert code(other) == (409, "idempotency_conflict")


def test_join_score_rank_leave(palio, service, gateway):
    tournament = create(service, ties="shared")
    path = f"/v1/tournaments/{tournament}/participants/11"
    assert service.put(path, json={"name": "Ann"}).status_code == 201
    assert service.put(path, json={"name": "Ann"}).status_code == 200
    join(service, tournament, 12, 13)
    assert submit(gateway, tournament, 11, "a", 90.5)["rank"] == 1
    tied = submit(gateway, tournament, 12, "a", 90.5)
    assert (tied["outcome"], tied["score"], tied["rank"], tied["previous_rank"]) == ("applied", 90.5, 1, None)
    assert submit(gateway, tournament, 13, "a", 100)["rank"] == 1
    again = submit(gateway, tournament, 11, "a", 100)
    assert (again["outcome"], again["reason"]) == ("ignored", "duplicate")
    better = submit(gateway, tournament, 11, "b", 100.25)
    assert (better["rank"], better["previous_rank"]) == (1, 2)
    rows = gateway.get(f"/v1/tournaments/{tournament}/rankings").json()["rows"]
    assert [(row["rank"], row["user_id"], row["score"]) for row in rows] == [
        (1, "11", 100.25),
        (2, "13", 100),
        (3, "12", 90.5),
    ]
    me = service.get(path).json()
    assert (me["rank"], me["attempts"], me["score"], me["name"]) == (1, 2, 100.25, "Ann")
    assert service.delete(path).status_code == 204
    assert code(service.get(path))[0] == 404
    assert submit(gateway, tournament, 11, "c", 1)["reason"] == "not_joined"
    assert service.put(path, json={}).status_code == 201  # back, with all that it had
    assert service.get(path).json()["score"] == 100.25


def test_rankings_page_around_and_users(service, gateway):
    tournament = create(service)
    users = range(1, 31)
    join(service, tournament, *users)
    lines = "\n".join(
        f'{{"tournament_id":"{tournament}","event_id":"e","user_id":"{user}","score":{user}}}' for user in users
    )
    answer = gateway.post("/v1/scores", content=lines, headers={"content-type": "application/x-ndjson"})
    assert (answer.status_code, answer.json()["accepted"], answer.json()["rejected"]) == (202, 30, [])
    path = f"/v1/tournaments/{tournament}/rankings"
    eventually(lambda: gateway.get(path).json()["total"] == 30)
    first = gateway.get(path, params={"limit": 20}).json()
    second = gateway.get(path, params={"limit": 20, "cursor": first["next_cursor"]}).json()
    assert [row["user_id"] for row in first["rows"] + second["rows"]] == [str(user) for user in reversed(users)]
    assert second["next_cursor"] is None
    around = gateway.get(path, params={"around": "15", "limit": 3}).json()["rows"]
    assert [row["user_id"] for row in around] == ["16", "15", "14"]
    named = gateway.get(path, params={"users": "3,30,999"}).json()["rows"]
    assert [(row["user_id"], row["rank"]) for row in named] == [("30", 1), ("3", 28)]


def test_a_batch_tells_what_it_rejects(service, gateway):
    tournament = create(service)
    join(service, tournament, 1)
    good = {"tournament_id": tournament, "event_id": "g", "user_id": "1", "score": 5}
    answer = gateway.post("/v1/scores", json=[good, {**good, "score": 1.005}, {**good, "tournament_id": "5"}, {"x": 1}])
    assert answer.status_code == 202
    assert answer.json()["accepted"] == 1
    assert [entry["index"] for entry in answer.json()["rejected"]] == [1, 2, 3]


def test_views_are_revalidated_by_etag(palio, service):
    tournament = create(service)
    first = httpx.get(f"{palio.gateway_url}/v1/tournaments/{tournament}")
    assert first.headers["cache-control"] == "public, max-age=1"
    again = httpx.get(
        f"{palio.gateway_url}/v1/tournaments/{tournament}", headers={"If-None-Match": first.headers["etag"]}
    )
    assert (again.status_code, again.content) == (304, b"")


def test_edits_compare_the_version(service):
    tournament = create(service, starts_at=stamp(1000))
    path = f"/v1/tournaments/{tournament}"
    edited = service.patch(path, json={"name": "Autumn", "capacity": 2000}, headers={"If-Match": '"1"'})
    assert edited.status_code == 200
    assert (edited.json()["name"], edited.json()["capacity"], edited.json()["version"]) == ("Autumn", 2000, 2)
    assert code(service.patch(path, json={"name": "Late"}, headers={"If-Match": '"1"'}))[0] == 412
    assert service.patch(path, json={"capacity": 10}).status_code in (409, 422)


def test_commands_follow_the_state(service):
    tournament = create(service, starts_at=stamp(1000))
    path = f"/v1/tournaments/{tournament}"
    refused = service.post(f"{path}/end")
    assert code(refused) == (409, "not_running")
    assert "end" in refused.json()["detail"]
    assert "scheduled" in refused.json()["detail"]
    assert service.post(f"{path}/start").json()["status"] == "running"
    assert code(service.post(f"{path}/start"))[0] == 409
    assert service.post(f"{path}/end").json()["status"] == "finished"
    assert code(service.post(f"{path}/cancel"))[0] == 409
    assert code(service.put(f"{path}/participants/5", json={})) == (409, "registration_closed")
    assert submit(service, tournament, 5, "late", 1)["reason"] == "ended"


def test_an_instant_tournament_starts_when_it_is_full(service):
    body = {"name": "Blitz", "type": "instant", "capacity": 2, "duration_s": 60}
    tournament = service.post("/v1/tournaments", json=body).json()["id"]
    path = f"/v1/tournaments/{tournament}"
    join(service, tournament, 1)
    assert submit(service, tournament, 1, "early", 1)["reason"] == "not_running"
    join(service, tournament, 2)
    view = eventually(lambda: (v := service.get(path).json())["status"] == "running" and v)
    assert view["starts_at"] < view["ends_at"]
    assert code(service.put(f"{path}/participants/3", json={})) == (409, "tournament_full")


def test_a_tournament_ends_by_time(service):
    tournament = create(service, ends_at=stamp(2))
    join(service, tournament, 1)
    submit(service, tournament, 1, "a", 7)
    view = eventually(lambda: (v := service.get(f"/v1/tournaments/{tournament}").json())["status"] == "finished" and v)
    assert view["finished_at"] == view["ends_at"]
    assert [row["score"] for row in view["top"]] == [7]
    assert submit(service, tournament, 1, "b", 9)["reason"] == "ended"
    items = service.get("/v1/users/1/tournaments").json()["items"]
    assert tournament in [item["id"] for item in items]


def test_too_few_participants_cancel_at_the_start(service):
    tournament = create(service, starts_at=stamp(1.5), min_participants=2)
    join(service, tournament, 1)
    eventually(lambda: service.get(f"/v1/tournaments/{tournament}").json()["status"] == "cancelled")


def test_private_tournaments_are_hidden(palio, service):
    tournament = create(service, visibility="private")
    join(service, tournament, 21)
    path = f"/v1/tournaments/{tournament}"
    with palio.client("player", 21) as member, palio.client("player", 22) as stranger:
        assert member.get(path).headers["cache-control"] == "no-store"
        for url in (path, f"{path}/rankings", f"{path}/participants/21"):
            assert code(stranger.get(url))[0] == 404, url
            assert httpx.get(palio.url + url).status_code == 404
        assert tournament in [t["id"] for t in member.get("/v1/tournaments").json()["items"]]
        assert tournament not in [t["id"] for t in stranger.get("/v1/tournaments").json()["items"]]


def test_players_act_for_themselves_alone(palio, service):
    tournament = create(service)
    with palio.client("player", 31) as player:
        assert player.put(f"/v1/tournaments/{tournament}/participants/me", json={"name": "P"}).status_code == 201
        assert code(player.put(f"/v1/tournaments/{tournament}/participants/32", json={}))[0] == 403
        body = {"event_id": "x", "user_id": "32", "score": 1}
        assert code(player.post(f"/v1/tournaments/{tournament}/scores", json=body))[0] == 403
        assert code(player.post("/v1/tournaments", json=spec()))[0] == 403
    assert code(httpx.put(f"{palio.url}/v1/tournaments/{tournament}/participants/32", json={}))[0] == 401


def test_a_player_is_limited(palio, service):
    tournament = create(service)
    with palio.client("player", 41, gateway=True) as player:
        answers = [player.get(f"/v1/tournaments/{tournament}/rankings", params={"users": "1"}) for _ in range(120)]
    limited = [answer for answer in answers if answer.status_code == 429]
    assert limited
    assert int(limited[0].headers["retry-after"]) >= 1


def test_lists_page_through_everything(palio, service):
    made = {create(service, name=f"Paged {number}") for number in range(7)}
    seen: list[str] = []
    cursor = None
    while True:
        params = {"q": "paged", "limit": 3, **({"cursor": cursor} if cursor else {})}
        page = service.get("/v1/tournaments", params=params).json()
        seen += [item["id"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert len(seen) == len(set(seen))
    assert set(seen) == made


def test_metrics_tell_what_happened(palio, service, gateway):
    tournament = create(service)
    join(service, tournament, 1)
    submit(gateway, tournament, 1, "m", 1)
    submit(gateway, tournament, 1, "m", 1)
    time.sleep(1.5)  # owners copy their counts once a second
    text = httpx.get(f"{palio.url}/metrics").text
    for name in (
        'palio_records_total{outcome="applied"', 'palio_records_total{outcome="ignored",reason="duplicate"}',
        "palio_lag_records", "palio_lag_seconds", "palio_checkpoint_age_seconds", "palio_ingest_buffered_records",
        "palio_active_tournaments", "palio_unsaved_tournaments",
    ):  # fmt: skip
        assert name in text, name
    for word in ("accepted", "view", "push", "sockets", "waiters", "_bucket"):
        assert f"{word}" in text, word


def test_health(palio):
    assert httpx.get(f"{palio.url}/healthz").status_code == 200
    assert httpx.get(f"{palio.url}/readyz").json() == {"status": "ready"}
    assert httpx.get(f"{palio.url}/docs").status_code == 200
    assert "paths" in httpx.get(f"{palio.url}/openapi.json").json()
