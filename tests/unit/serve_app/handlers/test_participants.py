from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from storage.ports import LogUnavailableError
from tests.support.front import INSTANT, LATER, Front, open_front, problem, wrong_paths


@pytest.fixture
async def front() -> AsyncIterator[Front]:
    async with open_front(command_wait_s=0.2) as front:
        yield front


async def test_joining_is_201_once_and_200_again(front: Front) -> None:
    tournament = await front.create()
    first = await front.join(tournament, 42, name="Ada")
    assert first.status_code == 201
    assert (first.json()["user_id"], first.json()["outcome"], first.json()["status"]) == ("42", "applied", "running")
    again = await front.join(tournament, 42)
    assert again.status_code == 200
    shown = await front.call("GET", f"/v1/tournaments/{tournament}/participants/42")
    assert shown.json() == {
        "user_id": "42",
        "name": "Ada",
        "score": None,
        "rank": None,
        "previous_rank": None,
        "percentile": None,
        "attempts": 0,
        "scored_at": None,
    }


async def test_a_join_needs_no_body(front: Front) -> None:
    tournament = await front.create()
    path = f"/v1/tournaments/{tournament}/participants/me"
    assert (await front.call("PUT", path, front.token("player", 42))).status_code == 201


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"name": ""}, "name"),
        ({"name": "x" * 65}, "name"),
        ({"name": 7}, "name"),
        ({"nick": "x"}, "nick"),
        ({"name": "   "}, "name"),
        ({"name": "Ann\u202e"}, "name"),
        ({"name": "An\u0000n"}, "name"),
    ],
)
async def test_a_wrong_join_is_422(front: Front, body: dict[str, object], path: str) -> None:
    tournament = await front.create()
    assert wrong_paths(await front.join(tournament, 42, **body)) == [path]


async def test_a_players_name_is_kept_composed(front: Front) -> None:
    tournament = await front.create()
    for name in ("Zoe\u0308", "Zo\u00eb"):
        assert (await front.join(tournament, 42, name=name)).status_code in (200, 201)
        shown = await front.call("GET", f"/v1/tournaments/{tournament}/participants/42")
        assert shown.json()["name"] == "Zo\u00eb"


async def test_the_join_that_fills_an_instant_tournament_starts_it(front: Front) -> None:
    tournament = await front.create(INSTANT)
    assert (await front.join(tournament, 1)).json()["status"] == "scheduled"
    assert (await front.join(tournament, 2)).json()["status"] == "running"
    assert problem(await front.join(tournament, 3)) == (409, "tournament_full")


async def test_registration_closes(front: Front) -> None:
    tournament = await front.create(join_until="start")
    assert problem(await front.join(tournament, 42)) == (409, "registration_closed")


async def test_leaving_is_204_also_for_strangers_until_it_is_over(front: Front) -> None:
    tournament = await front.create()
    await front.join(tournament, 42)
    path = f"/v1/tournaments/{tournament}/participants/me"
    for user in (42, 42, 43):
        assert (await front.call("DELETE", path, front.token("player", user))).status_code == 204
    shown = await front.call("GET", f"/v1/tournaments/{tournament}/participants/42")
    assert problem(shown) == (404, "participant_unknown")
    await front.call("POST", f"/v1/tournaments/{tournament}/end", front.token())
    assert problem(await front.call("DELETE", path, front.token("player", 42))) == (409, "already_over")


async def test_players_join_and_leave_for_themselves_alone(front: Front) -> None:
    tournament = await front.create()
    path = f"/v1/tournaments/{tournament}/participants/43"
    for role in ("player", "operator"):
        for method in ("PUT", "DELETE"):
            assert problem(await front.call(method, path, front.token(role, 42))) == (403, "not_yours")
    assert (await front.call("PUT", path, front.token())).status_code == 201
    for method in ("PUT", "DELETE"):
        assert problem(await front.call(method, path)) == (401, "token_missing")
    wrong = await front.call("PUT", f"/v1/tournaments/{tournament}/participants/x", front.token())
    assert problem(wrong) == (404, "participant_unknown")
    assert problem(await front.join("77", 42)) == (404, "tournament_unknown")


async def test_an_undecided_join_is_202_and_repeating_it_does_no_harm(front: Front) -> None:
    tournament = await front.create()
    front.palio.applying = False
    undecided = await front.join(tournament, 42)
    assert undecided.status_code == 202
    front.palio.applying = True
    await front.palio.catch_up()
    assert (await front.join(tournament, 42)).status_code == 200
    assert front.palio.states[int(tournament)].members.joined == 1


async def test_a_join_that_the_log_does_not_take_is_503(front: Front) -> None:
    tournament = await front.create()
    front.palio.log.error = LogUnavailableError("away")
    assert problem(await front.join(tournament, 42)) == (503, "log_unavailable")


async def private(front: Front, *members: int) -> str:
    tournament = await front.create(visibility="private")
    for user in members:
        path = f"/v1/tournaments/{tournament}/participants/{user}"
        assert (await front.call("PUT", path, front.token(), json={})).status_code == 201
    return tournament


async def test_a_private_tournament_is_404_to_others_in_every_call(front: Front) -> None:
    tournament = await private(front, 42)
    path = f"/v1/tournaments/{tournament}"
    calls = [
        ("GET", path),
        ("GET", f"{path}/rankings"),
        ("GET", f"{path}/rankings?around=42"),
        ("GET", f"{path}/prizes"),
        ("GET", f"{path}/participants/42"),
        ("GET", f"{path}/participants/99"),
    ]
    for method, call in calls:
        for headers in ({}, front.token("player", 43)):
            assert problem(await front.call(method, call, headers)) == (404, "tournament_unknown"), call
    stranger = front.token("player", 43)
    assert problem(await front.call("PUT", f"{path}/participants/me", stranger)) == (404, "tournament_unknown")
    assert problem(await front.call("DELETE", f"{path}/participants/me", stranger)) == (404, "tournament_unknown")
    invite = await front.call("PUT", f"{path}/participants/me", stranger, json={"invite": "x"})
    assert problem(invite) == (404, "tournament_unknown")
    unknown = await front.call("PUT", "/v1/tournaments/77/participants/me", stranger, json={"invite": "x"})
    assert invite.json() == {**unknown.json(), "detail": f"there is no tournament {tournament}"}
    operator = await front.call("PUT", f"{path}/participants/me", front.token("operator", 9))
    assert problem(operator) == (403, "invite_invalid")
    for headers in (front.token("player", 42), front.token(), front.token("operator", 9)):
        shown = await front.call("GET", path, headers)
        assert (shown.status_code, shown.headers["cache-control"]) == (200, "private, no-store")
        assert "etag" not in shown.headers
    listed = [await front.call("GET", "/v1/tournaments", h) for h in ({}, stranger, front.token("player", 42))]
    assert [len(response.json()["items"]) for response in listed] == [0, 0, 1]


async def test_membership_of_a_private_tournament_is_checked_on_each_request(front: Front) -> None:
    tournament = await private(front, 42)
    path, member = f"/v1/tournaments/{tournament}", front.token("player", 42)
    assert (await front.call("GET", path, member)).status_code == 200
    await front.call("DELETE", f"{path}/participants/me", member)
    assert problem(await front.call("GET", path, member)) == (404, "tournament_unknown")


@pytest.mark.parametrize("status", ["scheduled", "running", "finished"])
async def test_a_strangers_invented_invitation_is_404_whatever_the_state(front: Front, status: str) -> None:
    tournament = await front.create(LATER, visibility="private", join_until="start", capacity=1)
    path = f"/v1/tournaments/{tournament}"
    await front.call("PUT", f"{path}/participants/42", front.token())  # full
    for command in {"scheduled": (), "running": ("start",), "finished": ("start", "end")}[status]:
        assert (await front.call("POST", f"{path}/{command}", front.token())).status_code == 200
    for body in ({"invite": "x"}, {"invite": "x", "name": "Eve"}, {}):
        assert problem(await front.join(tournament, 43, **body)) == (404, "tournament_unknown")


async def test_who_was_removed_from_a_private_tournament_stays_out_until_a_service_brings_them_back(
    front: Front,
) -> None:
    tournament = await private(front, 42, 43)
    path = f"/v1/tournaments/{tournament}"
    await front.submit(tournament, 42, {"event_id": "a", "score": 5})
    assert (await front.call("DELETE", f"{path}/participants/42", front.token())).status_code == 204
    assert (await front.call("DELETE", f"{path}/participants/me", front.token("player", 43))).status_code == 204
    for user in (42, 43):  # by a service's doing, and by their own
        for body in ({}, {"invite": "x"}):
            assert problem(await front.join(tournament, user, **body)) == (404, "tournament_unknown")
        assert problem(await front.call("GET", path, front.token("player", user))) == (404, "tournament_unknown")
        assert (await front.call("PUT", f"{path}/participants/{user}", front.token())).status_code == 201
    shown = await front.call("GET", f"{path}/participants/me", front.token("player", 42))
    assert shown.json()["score"] == 5


async def test_a_join_on_its_way_when_its_user_is_removed_is_404(front: Front) -> None:
    tournament = await private(front, 42)
    front.palio.applying = False
    await front.call("DELETE", f"/v1/tournaments/{tournament}/participants/42", front.token())
    front.palio.applying = True
    assert problem(await front.join(tournament, 42, name="Ada")) == (404, "tournament_unknown")
    assert front.palio.states[int(tournament)].members.joined == 0


async def test_who_was_removed_from_a_public_tournament_stays_out_too(front: Front) -> None:
    tournament = await front.create()
    path = f"/v1/tournaments/{tournament}/participants"
    for user in (42, 43):
        await front.join(tournament, user)
    await front.call("DELETE", f"{path}/42", front.token())
    await front.call("DELETE", f"{path}/me", front.token("player", 43))
    assert problem(await front.join(tournament, 42)) == (403, "removed")
    assert (await front.join(tournament, 43)).status_code == 201
    assert (await front.call("PUT", f"{path}/42", front.token())).status_code == 201
    assert (await front.join(tournament, 42)).status_code == 200


async def test_a_rename_after_the_end_is_409_and_the_same_name_again_200(front: Front) -> None:
    tournament = await front.create()
    await front.join(tournament, 42, name="Ada")
    await front.call("POST", f"/v1/tournaments/{tournament}/end", front.token())
    assert problem(await front.join(tournament, 42, name="Bea")) == (409, "already_over")
    assert [(await front.join(tournament, 42, **body)).status_code for body in ({}, {"name": "Ada"})] == [200, 200]


async def test_standings_are_shown_as_the_table_has_them(front: Front) -> None:
    tournament = await front.create()
    for user, score in ((42, 10), (43, 20)):
        await front.join(tournament, user)
        await front.submit(tournament, user, {"event_id": "a", "score": score})
    me = await front.call("GET", f"/v1/tournaments/{tournament}/participants/me", front.token("player", 42))
    assert (me.json()["rank"], me.json()["score"], me.json()["percentile"]) == (2, 10, 50)
    nobody = await front.call("GET", f"/v1/tournaments/{tournament}/participants/me")
    assert problem(nobody) == (401, "token_missing")


async def test_many_join_at_once(front: Front) -> None:
    tournament = await front.create(capacity=20)
    answers = await asyncio.gather(*(front.join(tournament, user) for user in range(1, 31)))
    assert sorted(answer.status_code for answer in answers) == [201] * 20 + [409] * 10
