"""Creates in a batch: `POST /v1/tournaments` as NDJSON."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from tests.support.calls import operation_of, validate
from tests.support.front import INSTANT, LATER, Front, open_front, problem, wrong_paths

LINES = {"content-type": "application/x-ndjson"}


@pytest.fixture
async def front() -> AsyncIterator[Front]:
    async with open_front(command_wait_s=0.2) as front:
        yield front


async def create(front: Front, *lines: Any, role: str = "service", **more: str) -> httpx2.Response:
    raw = b"\n".join(line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines)
    headers = {**front.token(role), **LINES, **more}
    answer = await front.call("POST", "/v1/tournaments", headers, content=raw)
    if answer.status_code == 202:
        operation = operation_of("POST", "/v1/tournaments")
        assert operation is not None
        validate(operation["responses"]["202"]["content"]["application/json"]["schema"], answer.json())
    return answer


async def test_a_batch_is_one_append_and_tells_of_each_line(front: Front) -> None:
    calls = len(front.palio.log.calls)
    answer = await create(
        front,
        {**LATER, "name": "A", "idempotency_key": "a"},
        b"",
        {**INSTANT, "name": "B"},
        b"{oops",
        {**LATER, "name": "C", "capacity": 0},
        {**LATER, "idempotency_key": ""},
        {**LATER, "idempotency_key": 7},
        b"[1]",
        {**LATER, "name": "D", "metadata": {"x": "y" * 66_000}},
        {**LATER, "more": 1},
    )
    assert answer.status_code == 202
    told = answer.json()
    assert told["accepted"] == 2
    assert [len(call) for call in front.palio.log.calls[calls:]] == [2]
    assert [(made["index"], made["line"], made["status"]) for made in told["tournaments"]] == [
        (0, 1, "scheduled"),
        (1, 3, "scheduled"),
    ]
    assert [(each["index"], each["line"], each["code"]) for each in told["rejected"]] == [
        (2, 4, "malformed"),
        *((index, index + 2, "invalid") for index in range(3, 9)),
    ]
    assert told["rejected"][1]["detail"].startswith("capacity: ")
    for made, name in zip(told["tournaments"], "AB", strict=True):
        assert (await front.call("GET", f"/v1/tournaments/{made['id']}")).json()["name"] == name


async def test_the_same_key_finds_the_same_tournament_whichever_way_it_was_made(front: Front) -> None:
    keyed = {**LATER, "idempotency_key": "k"}
    first = (await create(front, keyed, keyed)).json()["tournaments"]
    again = (await create(front, keyed)).json()["tournaments"]
    alone = await front.call("POST", "/v1/tournaments", {**front.token(), "idempotency-key": "k"}, json=LATER)
    assert {made["id"] for made in [*first, *again]} == {alone.json()["id"]}
    assert alone.status_code == 201
    other = (await create(front, {**keyed, "name": "Other"}, {**LATER, "name": "Good"})).json()
    assert [(each["index"], each["code"]) for each in other["rejected"]] == [(0, "idempotency_conflict")]
    assert other["accepted"] == 1
    unkeyed = (await create(front, LATER, LATER)).json()["tournaments"]
    assert len({made["id"] for made in unkeyed} | {alone.json()["id"]}) == 3


async def test_what_was_made_is_found_when_it_would_be_refused_by_now(front: Front) -> None:
    keyed = {**LATER, "idempotency_key": "k"}
    made = (await create(front, keyed)).json()["tournaments"]
    front.palio.now_ms += 400 * 86_400_000
    late = (await create(front, keyed, LATER)).json()
    assert [each["id"] for each in late["tournaments"]] == [made[0]["id"]]
    assert [(each["index"], each["code"]) for each in late["rejected"]] == [(1, "invalid")]


async def test_what_is_not_decided_yet_says_so(front: Front) -> None:
    told = (await create(front, LATER, prefer="wait=0")).json()
    assert [made["status"] for made in told["tournaments"]] == [None]
    assert (await front.call("GET", f"/v1/tournaments/{told['tournaments'][0]['id']}")).status_code == 200


async def test_a_batch_has_its_limits_and_its_callers(front: Front) -> None:
    line = json.dumps(INSTANT).encode()
    full = await create(front, *[line] * 1000)
    assert full.json()["accepted"] == 1000
    assert len({made["id"] for made in full.json()["tournaments"]}) == 1000
    assert wrong_paths(await create(front, *[line] * 1001)) == [""]
    assert (await create(front)).json() == {"accepted": 0, "tournaments": [], "rejected": []}
    assert (await create(front, LATER, role="operator")).json()["accepted"] == 1
    assert problem(await create(front, LATER, role="player")) == (403, "role_forbidden")
    assert wrong_paths(await create(front, LATER, **{"idempotency-key": "k"})) == ["Idempotency-Key"]
    assert problem(await front.call("POST", "/v1/tournaments", front.token(), json=[LATER])) == (422, "invalid")
