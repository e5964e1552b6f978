"""`POST /v1/events`: the content modes, what is refused, and that a copy counts once."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from serve_app.http.problems import Problem
from serve_app.standards.cloud_events import BATCHED, STRUCTURED, binary_event, read_event
from tests.support.front import Front, open_front, problem, wrong_paths

DATA: dict[str, Any] = {"user_id": "42", "score": 12.5}


@pytest.fixture
async def front() -> AsyncIterator[Front]:
    async with open_front() as front:
        yield front


def event(tournament: str, id_: str = "1", **changes: Any) -> dict[str, Any]:
    whole = {
        "specversion": "1.0", "type": "palio.score.submitted", "source": "https://game.example", "id": id_,
        "subject": tournament, "data": DATA, **changes,
    }  # fmt: skip
    return {name: value for name, value in whole.items() if value is not None}


async def joined(front: Front, *users: int, **spec: Any) -> str:
    tournament = await front.create(**spec)
    for user in users:
        assert (await front.join(tournament, user)).status_code == 201
    return tournament


def attempts(front: Front, tournament: str) -> list[int]:
    return [int(count) for count in front.palio.states[int(tournament)].members.attempts]


async def send(front: Front, body: Any, kind: str = STRUCTURED, **headers: str) -> Any:
    token = front.token()
    return await front.call(
        "POST", "/v1/events", {**token, "content-type": kind, **headers}, content=json.dumps(body).encode()
    )


async def test_the_same_event_in_each_mode_counts_once(front: Front) -> None:
    tournament = await joined(front, 42)
    whole = await send(front, event(tournament))
    assert whole.status_code == 202
    assert set(whole.json()) == {"event_id", "partition", "offset"}
    attributes = {f"ce-{name}": value for name, value in event(tournament, data=None).items()}
    binary = await send(front, DATA, "application/json", **attributes)
    assert binary.json()["event_id"] == whole.json()["event_id"]
    batch = await send(front, [event(tournament), event(tournament, "2", data={**DATA, "score": 20})], BATCHED)
    assert (batch.status_code, batch.json()) == (202, {"accepted": 2, "rejected": []})
    assert attempts(front, tournament) == [2]
    assert front.palio.states[int(tournament)].ranking.score(0) == 2000


@pytest.mark.parametrize("name", ["id", "source", "type", "specversion", "subject", "data"])
async def test_a_missing_attribute_is_named(front: Front, name: str) -> None:
    tournament = await joined(front, 42)
    whole = {key: value for key, value in event(tournament).items() if key != name}
    assert wrong_paths(await send(front, whole)) == [name]
    attributes = {f"ce-{key}": value for key, value in whole.items() if key != "data"}
    headers = {**front.token(), "content-type": "application/json", **attributes}
    body = json.dumps(DATA).encode() if "data" in whole else b""
    assert wrong_paths(await front.call("POST", "/v1/events", headers, content=body)) == [name]
    batch = (await send(front, [event(tournament), whole], BATCHED)).json()
    assert batch["accepted"] == 1
    (rejected,) = batch["rejected"]
    assert (rejected["index"], rejected["code"]) == (1, "invalid")
    assert rejected["detail"].startswith(f"{name}: ")


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"specversion": "0.3"}, "specversion"),
        ({"type": "com.example.other"}, "type"),
        ({"data": {"score": 1}}, "data.user_id"),
        ({"data": {"user_id": "x", "score": 1}}, "data.user_id"),
        ({"data": {"user_id": "42", "score": 1.001}}, "data.score"),
        ({"data": {"user_id": "42", "score": "1"}}, "data.score"),
        ({"data": {"user_id": "42", "score": 1, "more": 1}}, "data"),
        ({"data": {"user_id": "42"}}, "score"),
        ({"data": {"user_id": "42", "score": 1, "subscore": 1}}, "subscore"),
        ({"data": {"user_id": "42", "result": [1]}}, ""),
        ({"data": None, "data_base64": "%"}, "data"),
    ],
)
async def test_what_is_wrong_is_named(front: Front, changes: dict[str, Any], path: str) -> None:
    tournament = await joined(front, 42)
    appended = len(front.palio.log.calls)
    assert wrong_paths(await send(front, event(tournament, **changes))) == [path]
    assert len(front.palio.log.calls) == appended


async def test_what_is_no_event_is_malformed(front: Front) -> None:
    for kind in (STRUCTURED, BATCHED):
        headers = {**front.token(), "content-type": kind}
        assert problem(await front.call("POST", "/v1/events", headers, content=b"")) == (400, "malformed")
    assert wrong_paths(await send(front, {}, BATCHED)) == [""]
    assert wrong_paths(await send(front, {}, "application/json")) == ["type"]
    assert wrong_paths(await send(front, [event("1")] * 1001, BATCHED)) == [""]
    assert (await send(front, [], BATCHED)).json() == {"accepted": 0, "rejected": []}


async def test_players_send_their_own_and_see_what_they_may(front: Front) -> None:
    public, private = await joined(front, 42), await front.create(visibility="private")
    player = {**front.token("player", 42), "content-type": STRUCTURED}

    async def sent(body: Any, headers: dict[str, str] = player) -> Any:
        return await front.call("POST", "/v1/events", headers, content=json.dumps(body).encode())

    assert (await sent(event(public))).status_code == 202
    assert problem(await sent(event(public, data={"user_id": "43", "score": 1}))) == (403, "not_yours")
    for hidden in (private, "4611686018427387904", "nonsense"):
        assert problem(await sent(event(hidden))) == (404, "tournament_unknown")
    assert problem(await sent(event(public), {"content-type": STRUCTURED})) == (401, "token_missing")
    service = await send(front, [event(private), event("4611686018427387904")], BATCHED)
    assert service.json()["accepted"] == 1
    assert service.json()["rejected"][0]["code"] == "tournament_unknown"


async def test_a_players_batch_counts_against_their_rate() -> None:
    async with open_front(player_rate=1e-3, player_burst=5) as front:
        tournament = await joined(front, 42)  # which took one
        headers = {**front.token("player", 42), "content-type": BATCHED}
        appended = len(front.palio.log.calls)
        for count, status in ((5, 429), (1, 429)):
            body = json.dumps([event(tournament, str(n)) for n in range(count)]).encode()
            answer = await front.call("POST", "/v1/events", headers, content=body)
            assert answer.status_code == status
        assert len(front.palio.log.calls) == appended


def test_header_values_are_percent_encoded_as_the_binding_says() -> None:
    headers = {"ce-id": "a%20b", "ce-source": "/spiel/%C3%A4", "ce-subject": "5", "ce-type": "palio.score.submitted"}
    whole = json.loads(binary_event({**headers, "ce-specversion": "1.0", "accept": "x"}, b'{"user_id": "1"}'))
    assert (whole["id"], whole["source"], whole["data"]) == ("a b", "/spiel/ä", {"user_id": "1"})
    assert "accept" not in whole


def test_a_result_that_is_too_deep_is_wrong_where_it_stands() -> None:
    body = json.dumps(event("5", data={"user_id": "1", "result": "DEEP"})).encode()
    deep = body.replace(b'"DEEP"', b'{"a":' * 5000 + b"1" + b"}" * 5000)
    with pytest.raises(Problem) as caught:
        read_event(deep)
    assert caught.value.status in (400, 422)
