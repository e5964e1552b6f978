"""Invitations by the api: given, brought, listed, revoked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.support.front import LATER, Front, open_front, problem, wrong_paths


@pytest.fixture
async def front() -> AsyncIterator[Front]:
    async with open_front() as front:
        yield front


async def invite(front: Front, tournament: str, key: str | None = None, **body: Any) -> dict[str, str]:
    headers = front.token() | ({} if key is None else {"idempotency-key": key})
    answer = await front.call("POST", f"/v1/tournaments/{tournament}/invitations", headers, json=body)
    assert answer.status_code == 201, answer.text
    assert answer.headers["cache-control"] == "no-store"
    given: dict[str, str] = answer.json()
    return given


async def listed(front: Front, tournament: str) -> list[dict[str, Any]]:
    answer = await front.call("GET", f"/v1/tournaments/{tournament}/invitations", front.token("operator", 9))
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "private, no-store")
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def test_an_invite_lets_in_as_often_as_it_says(front: Front) -> None:
    tournament = await front.create(LATER, visibility="private")
    given = await invite(front, tournament, uses=3)
    answers = await asyncio.gather(*(front.join(tournament, user, invite=given["invite"]) for user in range(40, 60)))
    assert sorted(answer.status_code for answer in answers) == [201] * 3 + [404] * 17
    (item,) = await listed(front, tournament)
    assert (item["id"], item["uses"], item["uses_left"], item["user_id"]) == (given["id"], 3, 0, None)


async def test_nobody_is_invited_where_nobody_joins(front: Front) -> None:
    """An invite would be given, look right, and let nobody in."""
    weekly = {"cron": "0 20 * * FRI", "time_zone": "UTC", "duration_s": 3600}
    spec = {"name": "x", "type": "scheduled", "visibility": "private", "recurrence": weekly}
    series = await front.create(spec)
    board_of = await front.create(visibility="private", cohorts={"size": 2})
    await front.call("PUT", f"/v1/tournaments/{board_of}/participants/1", front.token())
    board = (await front.call("GET", f"/v1/tournaments/{board_of}/cohorts", front.token())).json()["items"][0]
    league = await front.create(spec, league={"tiers": 2, "promote": 1, "demote": 1})
    (tier, *_) = (await front.call("GET", f"/v1/series/{league}", front.token())).json()["tournaments"]
    for refused, told in ((series, "one of its"), (board["tournament_id"], board_of), (tier["id"], league)):
        answer = await front.call("POST", f"/v1/tournaments/{refused}/invitations", front.token())
        assert problem(answer) == (409, "not_joinable")
        assert str(told) in answer.json()["detail"]
    for joinable in (board_of, league):
        await invite(front, joinable)
    occurrence = (await front.call("GET", f"/v1/series/{series}", front.token())).json()["tournaments"][0]["id"]
    given = await invite(front, occurrence)
    assert (await front.join(occurrence, 42, invite=given["invite"])).status_code == 201


async def test_who_is_in_may_bring_it_again(front: Front) -> None:
    tournament = await front.create(LATER, visibility="private")
    given = await invite(front, tournament, user_id="42")
    assert problem(await front.join(tournament, 43, invite=given["invite"])) == (404, "tournament_unknown")
    assert (await front.join(tournament, 42, invite=given["invite"], name="Ada")).status_code == 201
    assert (await front.join(tournament, 42, invite=given["invite"])).status_code == 200
    shown = await front.call("GET", f"/v1/tournaments/{tournament}", front.token("player", 42))
    assert shown.json()["participants"] == 1


async def test_an_expired_or_revoked_one_is_404(front: Front) -> None:
    tournament = await front.create(LATER, visibility="private")
    late = await invite(front, tournament, uses=5, expires_at="2027-01-15T08:00:10.000Z")
    revoked = await invite(front, tournament, uses=5)
    path = f"/v1/tournaments/{tournament}/invitations/{revoked['id']}"
    assert (await front.call("DELETE", path, front.token())).status_code == 204
    assert problem(await front.call("DELETE", path, front.token())) == (404, "invitation_unknown")
    assert problem(await front.join(tournament, 42, invite=revoked["invite"])) == (404, "tournament_unknown")
    assert (await front.join(tournament, 42, invite=late["invite"])).status_code == 201
    await front.palio.pass_time(10_000)
    assert problem(await front.join(tournament, 43, invite=late["invite"])) == (404, "tournament_unknown")
    assert [item["id"] for item in await listed(front, tournament)] == [late["id"]]


async def test_whoever_was_removed_needs_a_new_one(front: Front) -> None:
    tournament = await front.create(LATER, visibility="private")
    old = await invite(front, tournament, uses=5)
    await front.join(tournament, 42, invite=old["invite"])
    path = f"/v1/tournaments/{tournament}/participants/42"
    await front.call("DELETE", path, front.token())
    assert problem(await front.join(tournament, 42, invite=old["invite"])) == (404, "tournament_unknown")
    new = await invite(front, tournament, user_id="42")
    assert (await front.join(tournament, 42, invite=new["invite"])).status_code == 201


async def test_of_a_public_tournament_only_the_removed_need_one(front: Front) -> None:
    tournament = await front.create(LATER)
    assert (await front.join(tournament, 42, invite="anything")).status_code == 201
    await front.call("DELETE", f"/v1/tournaments/{tournament}/participants/42", front.token())
    assert problem(await front.join(tournament, 42)) == (403, "removed")
    assert problem(await front.join(tournament, 42, invite="anything")) == (403, "invite_invalid")
    given = await invite(front, tournament)
    assert (await front.join(tournament, 42, invite=given["invite"])).status_code == 201


async def test_one_who_is_invited_is_told_why_there_is_no_room(front: Front) -> None:
    tournament = await front.create(LATER, visibility="private", capacity=1)
    given = await invite(front, tournament, uses=5)
    await front.join(tournament, 42, invite=given["invite"])
    assert problem(await front.join(tournament, 43, invite=given["invite"])) == (409, "tournament_full")


async def test_the_same_key_finds_the_same_invitation(front: Front) -> None:
    tournament, other = await front.create(LATER, visibility="private"), await front.create(LATER)
    first = await invite(front, tournament, "k", uses=2)
    assert await invite(front, tournament, "k", uses=2) == first
    assert (await invite(front, other, "k", uses=2))["id"] != first["id"]
    assert (await invite(front, tournament, uses=2))["id"] != first["id"]
    answer = await front.call(
        "POST",
        f"/v1/tournaments/{tournament}/invitations",
        front.token() | {"idempotency-key": "k"},
        json={"uses": 3},
    )
    assert problem(answer) == (409, "idempotency_conflict")


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"uses": 0}, "uses"),
        ({"uses": 1_000_001}, "uses"),
        ({"uses": "3"}, "uses"),
        ({"uses": 2, "user_id": "42"}, "uses"),
        ({"user_id": "0"}, "user_id"),
        ({"user_id": 42}, "user_id"),
        ({"expires_at": "2027-01-15T08:00:00.000Z"}, "expires_at"),
        ({"expires_at": "soon"}, "expires_at"),
        ({"more": 1}, "more"),
    ],
)
async def test_a_wrong_invitation_is_422(front: Front, body: dict[str, object], path: str) -> None:
    tournament = await front.create(LATER)
    answer = await front.call("POST", f"/v1/tournaments/{tournament}/invitations", front.token(), json=body)
    assert wrong_paths(answer) == [path]


async def test_an_invitation_needs_no_body(front: Front) -> None:
    tournament = await front.create(LATER, visibility="private")
    answer = await front.call("POST", f"/v1/tournaments/{tournament}/invitations", front.token())
    assert answer.status_code == 201
    assert (await front.join(tournament, 42, invite=answer.json()["invite"])).status_code == 201
