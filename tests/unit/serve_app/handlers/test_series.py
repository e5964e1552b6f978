"""Series, cohorts and leagues by the api."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.support.front import LATER, SCHEDULED, Front, open_front, problem, wrong_paths

FRIDAYS = {"cron": "0 9 * * *", "time_zone": "UTC", "duration_s": 3600}
SERIES = {"name": "Daily", "type": "scheduled", "recurrence": FRIDAYS}
DAY_MS = 86_400_000


@pytest.fixture
async def front() -> AsyncIterator[Front]:
    async with open_front() as front:
        yield front


async def series(front: Front, number: str) -> dict[str, Any]:
    answer = await front.call("GET", f"/v1/series/{number}")
    assert answer.status_code == 200, answer.text
    shown: dict[str, Any] = answer.json()
    return shown


async def view(front: Front, number: str) -> dict[str, Any]:
    shown: dict[str, Any] = (await front.call("GET", f"/v1/tournaments/{number}", front.token())).json()
    return shown


async def test_a_series_opens_the_next_tournament_when_one_starts(front: Front) -> None:
    number = await front.create(SERIES)
    shown = await series(front, number)
    assert [item["at"] for item in shown["tournaments"]] == ["2027-01-15T09:00:00.000Z"]
    assert shown["next"][0] == "2027-01-16T09:00:00.000Z"
    await front.palio.pass_time(3_600_000)
    shown = await series(front, number)
    assert [(item["at"], item["status"]) for item in shown["tournaments"]] == [
        ("2027-01-16T09:00:00.000Z", "scheduled"),
        ("2027-01-15T09:00:00.000Z", "running"),
    ]
    first = await view(front, shown["tournaments"][1]["id"])
    assert first["series"] == {"id": number, "at": "2027-01-15T09:00:00.000Z"}
    assert (first["starts_at"], first["ends_at"]) == ("2027-01-15T09:00:00.000Z", "2027-01-15T10:00:00.000Z")
    assert "recurrence" not in first
    assert (await view(front, number))["series"] == {"id": number}


async def test_so_many_are_open_ahead_and_none_twice(front: Front) -> None:
    number = await front.create(SERIES, recurrence={**FRIDAYS, "ahead": 3})
    ids = [item["id"] for item in (await series(front, number))["tournaments"]]
    assert len(set(ids)) == 3
    await front.palio.write_families()
    await front.palio.pass_time(1000)
    assert [item["id"] for item in (await series(front, number))["tournaments"]] == ids


async def test_what_was_over_before_it_could_be_opened_is_missed_and_what_still_runs_opens_late(front: Front) -> None:
    number = await front.create(SERIES)
    front.palio.writing = True  # nobody writes
    await front.palio.pass_time(3 * DAY_MS + 3_600_000 + 60_000)  # into the fourth one
    front.palio.writing = False
    await front.palio.pass_time(0)
    shown = await series(front, number)
    assert shown["missed"] == 2
    assert [(item["at"][:10], item["status"]) for item in shown["tournaments"]] == [
        ("2027-01-19", "scheduled"),
        ("2027-01-18", "running"),
        ("2027-01-15", "finished"),
    ]


async def test_a_cancelled_series_opens_no_more_and_what_has_not_started_is_cancelled(front: Front) -> None:
    number = await front.create(SERIES)
    await front.palio.pass_time(3_600_000)
    assert (await front.call("POST", f"/v1/tournaments/{number}/cancel", front.token())).status_code == 200
    await front.palio.pass_time(DAY_MS // 24)
    shown = await series(front, number)
    assert (shown["status"], shown["next"]) == ("cancelled", [])
    assert [item["status"] for item in shown["tournaments"]] == ["cancelled", "finished"]


async def test_nobody_joins_a_series_itself_nor_starts_or_ends_it(front: Front) -> None:
    number = await front.create(SERIES)
    assert problem(await front.join(number, 42)) == (409, "not_joinable")
    for command in ("start", "end"):
        answer = await front.call("POST", f"/v1/tournaments/{number}/{command}", front.token())
        assert problem(answer) == (409, "refused")
    tournament = (await series(front, number))["tournaments"][0]["id"]
    assert (await front.join(tournament, 42)).status_code == 201


async def test_instant_tournaments_open_at_their_time(front: Front) -> None:
    number = await front.create({"name": "x", "type": "instant", "capacity": 1, "recurrence": FRIDAYS})
    assert (await series(front, number))["tournaments"] == []
    await front.palio.pass_time(3_600_000)
    (item,) = (await series(front, number))["tournaments"]
    assert (await front.join(item["id"], 42)).json()["status"] == "running"
    assert (await view(front, item["id"]))["ends_at"] == "2027-01-15T10:00:00.000Z"


async def test_a_private_series_is_404_to_others(front: Front) -> None:
    number = await front.create(SERIES, visibility="private")
    for headers in ({}, front.token("player", 42)):
        assert problem(await front.call("GET", f"/v1/series/{number}", headers)) == (404, "tournament_unknown")
    answer = await front.call("GET", f"/v1/series/{number}", front.token())
    tournament = answer.json()["tournaments"][0]["id"]
    assert problem(await front.call("GET", f"/v1/tournaments/{tournament}")) == (404, "tournament_unknown")
    other = await front.create()
    assert problem(await front.call("GET", f"/v1/series/{other}")) == (404, "series_unknown")


@pytest.mark.parametrize("kind", ["scheduled", "running", "instant"])
async def test_cohorts_refuse_nobody_and_overfill_no_board(front: Front, kind: str) -> None:
    spec: dict[str, Any] = {"scheduled": LATER, "running": SCHEDULED}.get(kind) or {
        "name": "x", "type": "instant", "duration_s": 60,
    }  # fmt: skip
    number = await front.create(spec, cohorts={"size": 6})
    answers = await asyncio.gather(*(front.join(number, user, name=f"U{user}") for user in range(1, 21)))
    assert {answer.status_code for answer in answers} == {201}
    boards = Counter(answer.json()["tournament_id"] for answer in answers)
    assert sorted(boards.values()) == [2, 6, 6, 6]
    again = await asyncio.gather(*(front.join(number, user) for user in range(1, 21)))
    assert {answer.status_code for answer in again} == {200}
    assert [a.json()["tournament_id"] for a in again] == [a.json()["tournament_id"] for a in answers]
    listed = (await front.call("GET", f"/v1/tournaments/{number}/cohorts?limit=3")).json()
    more = (await front.call("GET", f"/v1/tournaments/{number}/cohorts?cursor={listed['next_cursor']}")).json()
    items = listed["items"] + more["items"]
    assert [item["seats"] for item in items] == [6, 6, 6, 2]
    assert {item["tournament_id"]: item["seats"] for item in items} == boards
    for item in items:
        shown = await view(front, item["tournament_id"])
        assert shown["participants"] == item["seats"]
        assert shown["cohort"] == {"tournament_id": number, "number": item["number"]}
        started = kind == "running" or (kind == "instant" and item["seats"] == 6)
        assert shown["status"] == ("running" if started else "scheduled")
    mine = (await front.call("GET", f"/v1/tournaments/{number}/participants/1")).json()
    assert mine["cohort"]["tournament_id"] == answers[0].json()["tournament_id"]


async def test_a_board_is_joined_through_its_cohorts_alone(front: Front) -> None:
    number = await front.create(cohorts={"size": 2})
    board = (await front.join(number, 1)).json()["tournament_id"]
    assert problem(await front.join(board, 2)) == (409, "not_joinable")
    assert (await front.submit(board, 1, {"event_id": "a", "score": 5}, prefer="wait=1")).json()["rank"] == 1
    ignored = await front.submit(number, 1, {"event_id": "b", "score": 5}, prefer="wait=1")
    assert (ignored.json()["outcome"], ignored.json()["reason"]) == ("ignored", "not_scored")


async def test_whoever_leaves_keeps_the_seat(front: Front) -> None:
    number = await front.create(cohorts={"size": 2})
    boards = [(await front.join(number, user)).json()["tournament_id"] for user in (1, 2)]
    await front.call("DELETE", f"/v1/tournaments/{number}/participants/me", front.token("player", 1))
    assert (await view(front, boards[0]))["participants"] == 1
    assert (await front.join(number, 3)).json()["tournament_id"] != boards[0]
    assert (await front.join(number, 1)).json()["tournament_id"] == boards[0]
    assert (await view(front, boards[0]))["participants"] == 2


async def test_what_is_ordered_of_cohorts_is_ordered_of_their_boards(front: Front) -> None:
    number = await front.create(cohorts={"size": 1})
    boards = [(await front.join(number, user)).json()["tournament_id"] for user in (1, 2, 3)]
    edited = await front.call("PATCH", f"/v1/tournaments/{number}", front.token(), json={"name": "New"})
    assert edited.status_code == 200
    assert {(await view(front, board))["name"] for board in boards} == {"New"}
    assert (await front.call("POST", f"/v1/tournaments/{number}/end", front.token())).status_code == 200
    assert {(await view(front, board))["status"] for board in boards} == {"finished"}
    assert problem(await front.join(number, 4)) == (409, "registration_closed")


async def test_private_cohorts_are_joined_by_an_invite_and_a_board_is_its_players(front: Front) -> None:
    number = await front.create(visibility="private", cohorts={"size": 1})
    made = await front.call("POST", f"/v1/tournaments/{number}/invitations", front.token(), json={"uses": 2})
    boards = [(await front.join(number, user, invite=made.json()["invite"])).json()["tournament_id"] for user in (1, 2)]
    assert problem(await front.join(number, 3, invite=made.json()["invite"])) == (404, "tournament_unknown")
    for user, board, expected in ((1, 0, 200), (1, 1, 404), (2, 1, 200), (3, 0, 404)):
        answer = await front.call("GET", f"/v1/tournaments/{boards[board]}", front.token("player", user))
        assert answer.status_code == expected
    assert problem(await front.call("GET", f"/v1/tournaments/{number}/cohorts", front.token("player", 3)))[0] == 404


async def test_a_series_of_cohorts(front: Front) -> None:
    number = await front.create(SERIES, cohorts={"size": 2})
    tournament = (await series(front, number))["tournaments"][0]["id"]
    boards = [(await front.join(tournament, user)).json()["tournament_id"] for user in (1, 2, 3)]
    assert (boards[0] == boards[1], boards[1] == boards[2]) == (True, False)
    shown = await view(front, boards[0])
    assert (shown["series"]["id"], shown["cohort"]["tournament_id"]) == (number, tournament)
    await front.call("POST", f"/v1/tournaments/{number}/cancel", front.token())
    assert (await view(front, boards[0]))["status"] == "cancelled"


async def test_a_league_moves_its_players_by_the_final_tables(front: Front) -> None:
    number = await front.create(SERIES, league={"tiers": 2, "promote": 1, "demote": 1})
    first = {user: (await front.join(number, user)).json()["tournament_id"] for user in (1, 2, 3)}
    assert len(set(first.values())) == 1
    await front.palio.pass_time(3_600_000)
    for user in (1, 2, 3):
        await front.submit(first[user], user, {"event_id": "a", "score": user})
    await front.palio.pass_time(3_600_000)
    second = {user: (await front.join(number, user)).json()["tournament_id"] for user in (1, 2, 3)}
    tiers = {user: (await view(front, second[user]))["series"]["tier"] for user in second}
    assert tiers == {1: 2, 2: 2, 3: 1}
    assert problem(await front.join(second[3], 9)) == (409, "not_joinable")
    await front.palio.pass_time(DAY_MS - 3_600_000)
    for user in (1, 2, 3):
        await front.submit(second[user], user, {"event_id": "a", "score": 10 - user})
    await front.palio.pass_time(3_600_000)
    third = {user: (await front.join(number, user)).json()["tournament_id"] for user in (1, 2, 3, 4)}
    tiers = {user: (await view(front, third[user]))["series"]["tier"] for user in third}
    assert tiers == {1: 1, 2: 2, 3: 2, 4: 2}  # the last of a table falls, also where nobody else is
    shown = await series(front, number)
    assert [(item["tier"], item["decided"]) for item in shown["tournaments"][:6]] == [
        (1, False), (2, False), (1, True), (2, True), (1, True), (2, True),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("more", "path"),
    [
        ({"recurrence": {**FRIDAYS, "cron": "61 * * * *"}}, "recurrence.cron"),
        ({"recurrence": {**FRIDAYS, "time_zone": "Mars/Olympus"}}, "recurrence.time_zone"),
        ({"recurrence": {**FRIDAYS, "duration_s": 0}}, "recurrence.duration_s"),
        ({"recurrence": {**FRIDAYS, "duration_s": 1.00001}}, "recurrence"),
        ({"recurrence": {**FRIDAYS, "ahead": 21}}, "recurrence.ahead"),
        ({"recurrence": {"cron": "0 9 * * *"}}, "recurrence"),
        ({"recurrence": FRIDAYS, "starts_at": "2027-02-01T09:00:00.000Z"}, "starts_at"),
        ({"recurrence": FRIDAYS, "duration_s": 5}, "duration_s"),
        ({"recurrence": {**FRIDAYS, "ahead": 2}, "type": "instant", "capacity": 2}, "recurrence.ahead"),
        ({"recurrence": FRIDAYS, "type": "instant"}, "capacity"),
        ({**LATER, "cohorts": {"size": 0}}, "cohorts.size"),
        ({**LATER, "cohorts": {"size": 5}, "capacity": 5}, "capacity"),
        ({**LATER, "cohorts": {"size": 5}, "min_participants": 5}, "min_participants"),
        ({**LATER, "league": {"tiers": 2, "promote": 1, "demote": 1}}, "recurrence"),
        ({"recurrence": FRIDAYS, "league": {"tiers": 1, "promote": 1, "demote": 1}}, "league.tiers"),
        ({"recurrence": FRIDAYS, "league": {"tiers": 2, "promote": 1, "demote": 1}, "capacity": 5}, "capacity"),
        ({"recurrence": FRIDAYS, "league": {"tiers": 2, "promote": 1, "demote": 1}, "cohorts": {"size": 5}}, "cohorts"),
        ({"series": {"of": "1", "at_ms": 1}}, "series"),
        ({"cohort": {"of": "1", "number": 1}}, "cohort"),
    ],
)
async def test_a_wrong_one_is_422(front: Front, more: dict[str, Any], path: str) -> None:
    body = {"name": "x", "type": "scheduled", **more}
    answer = await front.call("POST", "/v1/tournaments", front.token(), json=body)
    assert path in wrong_paths(answer)
