from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from storage.ports import LogDiskFullError, LogOverloadedError, LogUnavailableError
from tests.support.front import INSTANT, LATER, Front, open_front, problem, wrong_paths


@pytest.fixture
async def front() -> AsyncIterator[Front]:
    async with open_front() as front:
        yield front


async def joined(front: Front, *users: int, **spec: Any) -> str:
    tournament = await front.create(**spec)
    for user in users:
        assert (await front.join(tournament, user)).status_code == 201
    return tournament


async def test_a_score_is_accepted_with_its_partition_and_offset(front: Front) -> None:
    tournament = await joined(front, 42)
    response = await front.submit(tournament, 42, {"event_id": "a", "score": 912.5})
    assert response.status_code == 202
    state = front.palio.states[int(tournament)]
    assert response.json() == {"event_id": "a", "partition": state.partition, "offset": state.offset}
    record = front.palio.log.calls[-1][0]
    assert json.loads(record.value) == {"type": "score", "event_id": "a", "user_id": "42", "score": 912.5, "v": 1}
    assert (record.key, record.signature, record.reply_to) == (tournament.encode(), "", "")


async def test_a_score_that_is_waited_for_is_answered_with_its_outcome(front: Front) -> None:
    tournament = await joined(front, 42, 43)
    await front.submit(tournament, 43, {"event_id": "a", "score": 950})
    first = await front.submit(tournament, 42, {"event_id": "a", "score": 912.5}, prefer="wait=5")
    assert first.status_code == 200
    expected = {"event_id": "a", "outcome": "applied", "score": 912.5, "rank": 2, "previous_rank": None}
    assert first.json() == expected
    better = await front.submit(tournament, 42, {"event_id": "b", "score": 1000}, prefer="respond-async, wait=2")
    assert better.json() == {**expected, "event_id": "b", "score": 1000, "rank": 1, "previous_rank": 2}
    again = await front.submit(tournament, 42, {"event_id": "b", "score": 1000}, prefer="wait=5")
    assert (again.json()["outcome"], again.json()["reason"]) == ("ignored", "duplicate")


async def test_the_outcome_may_come_long_after_the_offset(front: Front) -> None:
    tournament = await joined(front, 42)
    front.palio.replies_held = True
    waiting = asyncio.create_task(front.submit(tournament, 42, {"event_id": "a", "score": 1}, prefer="wait=10"))
    while not front.services.waiters:
        await asyncio.sleep(0)
    await front.palio.release_replies()
    assert (await waiting).json()["outcome"] == "applied"


async def test_a_wait_that_passes_is_202(front: Front) -> None:
    tournament = await joined(front, 42)
    front.palio.applying = False
    response = await front.submit(tournament, 42, {"event_id": "a", "score": 1}, prefer="wait=0.05")
    assert response.status_code == 202
    assert len(front.services.waiters) == 0


@pytest.mark.parametrize("prefer", ["wait=0", "wait=x", "handling=lenient", "await=5"])
async def test_a_preference_for_no_wait_is_202_at_once(front: Front, prefer: str) -> None:
    tournament = await joined(front, 42)
    response = await front.submit(tournament, 42, {"event_id": "a", "score": 1}, prefer=prefer)
    assert response.status_code == 202
    assert front.palio.log.calls[-1][0].reply_to == ""


@pytest.mark.parametrize(
    ("spec", "user", "reason"), [(LATER, 42, "not_running"), ({}, 99, "not_joined"), (INSTANT, 42, "not_running")]
)
async def test_whether_a_score_counts_only_the_fold_says(
    front: Front, spec: dict[str, Any], user: int, reason: str
) -> None:
    tournament = await front.create(**spec) if spec is not INSTANT else await front.create(INSTANT)
    await front.join(tournament, 42)
    response = await front.submit(tournament, user, {"event_id": "a", "score": 1}, prefer="wait=5")
    assert (response.status_code, response.json()["outcome"], response.json()["reason"]) == (200, "ignored", reason)


@pytest.mark.parametrize(
    ("body", "path"),
    [
        (b'{"event_id": "a", "score": 1.234}', "score"),
        (b'{"event_id": "a", "score": 1e9}', "score"),
        (b'{"event_id": "a", "score": 1e400}', "score"),
        (b'{"event_id": "a", "score": -100000000}', "score"),
        (b'{"event_id": "a", "score": 99999999999999999999999999999999}', "score"),
        (b'{"event_id": "a", "score": ' + b"9" * 4000 + b"}", "score"),
        (b'{"event_id": "a", "score": true}', "score"),
        (b'{"event_id": "a", "score": "12"}', "score"),
        (b'{"event_id": "a", "score": null}', "score"),
        (b'{"event_id": "a", "score": NaN}', "score"),
        (b'{"event_id": "a", "score": -Infinity}', "score"),
        (b'{"event_id": "a", "score": [1]}', "score"),
        (b'{"event_id": "a"}', "score"),
        (b'{"score": 1}', "event_id"),
        (b'{"event_id": "", "score": 1}', "event_id"),
        (b'{"event_id": "' + b"a" * 65 + b'", "score": 1}', "event_id"),
        (b'{"event_id": 7, "score": 1}', "event_id"),
        (b'{"event_id": "a", "score": 1, "user_id": 42}', "user_id"),
        (b'{"event_id": "a", "score": 1, "user_id": "042"}', "user_id"),
        (b'{"event_id": "a", "score": 1, "user_id": ""}', "user_id"),
        (b'{"event_id": "a", "score": 1, "user_id": "9223372036854775808"}', "user_id"),
        (b'{"event_id": "a", "score": 1, "extra": 1}', "extra"),
        (b'{"event_id": "a", "result": {"right": 3}, "score": 1}', "result"),
    ],
)
async def test_a_wrong_field_is_422_and_named(front: Front, body: bytes, path: str) -> None:
    tournament = await joined(front, 42)
    calls = len(front.palio.log.calls)
    assert wrong_paths(await front.submit(tournament, 42, body)) == [path]
    assert len(front.palio.log.calls) == calls


async def test_all_wrong_fields_are_named_at_once(front: Front) -> None:
    tournament = await joined(front, 42)
    response = await front.submit(tournament, 42, {"event_id": "", "score": 1.001, "user_id": "x", "more": 1})
    assert sorted(wrong_paths(response)) == ["event_id", "more", "score", "user_id"]


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"\xff\xfe", b"[" * 100_000, b'{"event_id": "a", "score": 1}x', b'{"event_id": "\\ud800", "score": 1}'],
)
async def test_what_is_no_json_is_400(front: Front, body: bytes) -> None:
    tournament = await joined(front, 42)
    response = await front.submit(tournament, 42, body)
    # the deep array is also readable as "no object", which is as true
    assert problem(response) in ((400, "malformed"), (422, "invalid"))
    assert body.startswith(b"[") or response.status_code == 400


@pytest.mark.parametrize("score", [0, -0.0, -99_999_999.99, 99_999_999.99, 0.1, 1.10, 5])
async def test_every_decimal_of_ten_digits_is_taken(front: Front, score: float) -> None:
    tournament = await joined(front, 42)
    response = await front.submit(tournament, 42, {"event_id": "a", "score": score}, prefer="wait=5")
    assert response.json()["score"] == score


async def test_unknown_tournaments_are_404(front: Front) -> None:
    for tournament in ("1", "0", "x", "-1", "9223372036854775808", "007", "1" * 400):
        response = await front.submit(tournament, 42, {"event_id": "a", "score": 1})
        assert problem(response) == (404, "tournament_unknown")
    assert front.palio.log.calls == []


async def test_a_player_submits_for_no_one_else(front: Front) -> None:
    tournament = await joined(front, 42)
    response = await front.submit(tournament, 42, {"event_id": "a", "score": 1, "user_id": "43"})
    assert problem(response) == (403, "not_yours")
    operator = await front.call(
        "POST",
        f"/v1/tournaments/{tournament}/scores",
        front.token("operator", 9),
        json={"event_id": "a", "score": 1, "user_id": "42"},
    )
    assert problem(operator) == (403, "not_yours")


async def test_a_service_names_the_user(front: Front) -> None:
    tournament = await joined(front, 42)
    path = f"/v1/tournaments/{tournament}/scores"
    assert wrong_paths(await front.call("POST", path, front.token(), json={"event_id": "a", "score": 1})) == ["user_id"]
    body = {"event_id": "a", "score": 1, "user_id": "42"}
    assert (await front.call("POST", path, front.token(), json=body)).status_code == 202


async def test_a_score_needs_a_token(front: Front) -> None:
    tournament = await joined(front, 42)
    response = await front.call("POST", f"/v1/tournaments/{tournament}/scores", json={"event_id": "a", "score": 1})
    assert problem(response) == (401, "token_missing")
    assert response.headers["www-authenticate"].startswith("Bearer")


async def test_form_and_size_of_the_body(front: Front) -> None:
    tournament = await joined(front, 42)
    path, token = f"/v1/tournaments/{tournament}/scores", front.token("player", 42)
    form = await front.call(
        "POST", path, {**token, "content-type": "text/plain"}, content=b'{"event_id":"a","score":1}'
    )
    assert problem(form) == (415, "unsupported_media_type")
    charset = {**token, "content-type": "application/json; charset=utf-8"}
    assert (await front.call("POST", path, charset, content=b'{"event_id":"a","score":1}')).status_code == 202
    large = await front.call("POST", path, token, content=b'{"event_id":"' + b"a" * 10_000_000 + b'","score":1}')
    assert problem(large) == (413, "too_large")


async def test_a_body_of_unknown_length_is_cut_at_the_limit(front: Front) -> None:
    tournament = await joined(front, 42)
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 65_536
            yield b" " * 65_536

    response = await front.call(
        "POST", f"/v1/tournaments/{tournament}/scores", front.token("player", 42), content=endless()
    )
    assert problem(response) == (413, "too_large")
    assert sent <= front.services.config.max_body_bytes + 2 * 65_536


@pytest.mark.parametrize("announced", [False, True])
async def test_a_large_body_needs_a_token_that_verifies(front: Front, announced: bool) -> None:
    tournament = await joined(front, 42)
    path, size = f"/v1/tournaments/{tournament}/scores", 3 * 65_536
    sent = 0

    async def pieces() -> AsyncIterator[bytes]:
        nonlocal sent
        for _ in range(3):
            sent += 65_536
            yield b" " * 65_536

    cases: list[tuple[dict[str, str], int, str]] = [
        ({}, 413, "too_large"),
        ({"authorization": "Bearer x.y.z"}, 401, "token_invalid"),
        (front.token("player", 42), 400, "malformed"),  # read whole, and judged
    ]
    for token, status, code in cases:
        sent = 0
        length = {"content-length": str(size)} if announced else {}
        response = await front.call("POST", path, {**token, **length}, content=pieces())
        assert problem(response) == (status, code)
        assert (sent == size) == (status == 400)
        assert (response.headers.get("connection") == "close") == (status != 400)


async def test_bodies_that_arrive_are_bounded_together() -> None:
    async with open_front(max_unread_body_bytes=100_000) as small:
        arrived, going_on = asyncio.Event(), asyncio.Event()

        async def slow() -> AsyncIterator[bytes]:
            yield b" " * 45_000
            arrived.set()
            await going_on.wait()
            yield b""

        path = f"/v1/tournaments/{await small.create()}/scores"
        first = asyncio.create_task(small.call("POST", path, content=slow()))
        await arrived.wait()
        refused = await small.call("POST", path, content=b" " * 30_000)
        assert problem(refused) == (503, "unavailable")
        going_on.set()
        assert problem(await first) == (401, "token_missing")
        assert problem(await small.call("POST", path, content=b" " * 45_000)) == (401, "token_missing")


async def test_headers_that_may_come_once_are_400_when_they_come_twice(front: Front) -> None:
    tournament = await joined(front, 42)
    token = front.token("player", 42)["authorization"]
    for name, value in (("Authorization", token), ("Content-Type", "application/json")):
        headers = [("Authorization", token), (name, value), (name, value)]
        path = f"/v1/tournaments/{tournament}/scores"
        response = await front.client.post(path, headers=headers, content=b'{"event_id":"a","score":1}')
        assert problem(response) == (400, "malformed")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (LogUnavailableError("away", retry_after_s=2.5), "log_unavailable"),
        (LogOverloadedError("full"), "log_overloaded"),
        (LogDiskFullError("full"), "disk_full"),
    ],
)
async def test_a_log_that_takes_nothing_is_503(
    front: Front, error: LogUnavailableError | LogOverloadedError | LogDiskFullError, code: str
) -> None:
    tournament = await joined(front, 42)
    front.palio.log.error = error
    response = await front.submit(tournament, 42, {"event_id": "a", "score": 1})
    assert problem(response) == (503, code)
    assert int(response.headers["retry-after"]) >= error.retry_after_s
    batch = [{"tournament_id": tournament, "event_id": "a", "user_id": "42", "score": 1}]
    assert problem(await front.call("POST", "/v1/scores", front.token(), json=batch)) == (503, code)


async def test_scores_are_accepted_while_the_owner_is_away(front: Front) -> None:
    tournament = await joined(front, 42)
    front.palio.owners.down = True
    assert (await front.submit(tournament, 42, {"event_id": "a", "score": 1})).status_code == 202


async def test_a_private_tournament_takes_scores_of_members_alone(front: Front) -> None:
    tournament = await front.create(visibility="private")
    path = f"/v1/tournaments/{tournament}/participants/42"
    assert (await front.call("PUT", path, front.token(), json={})).status_code == 201
    assert (await front.submit(tournament, 42, {"event_id": "a", "score": 1})).status_code == 202
    stranger = await front.submit(tournament, 43, {"event_id": "a", "score": 1})
    unknown = await front.submit("1", 43, {"event_id": "a", "score": 1})
    assert problem(stranger) == problem(unknown) == (404, "tournament_unknown")
    front.palio.owners.down = True
    assert (await front.submit(tournament, 42, {"event_id": "b", "score": 1})).status_code == 202
    assert problem(await front.submit(tournament, 43, {"event_id": "b", "score": 1})) == (503, "unavailable")
    front.palio.owners.down = False
    assert (await front.call("DELETE", path, front.token())).status_code == 204
    assert problem(await front.submit(tournament, 42, {"event_id": "c", "score": 1})) == (404, "tournament_unknown")
