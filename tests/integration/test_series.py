"""Series, cohorts and invitations on the whole Palio, while those who open and place are killed: nothing doubled, nobody forgotten."""

from __future__ import annotations

import functools
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2

from tests.integration.conftest import create, eventually, problem, stamp, submit
from tests.support.running import RunningPalio, kill_9

EVERY_MINUTE = {"cron": "* * * * *", "time_zone": "Europe/Rome", "duration_s": 30, "ahead": 5}


def kill_owners(stage: RunningPalio) -> None:
    for pid in stage.pids("ray::TournamentActor"):
        kill_9(pid)


def answered(client: httpx2.Client, path: str) -> dict[str, Any] | None:
    """The body at `path`; None while its owner is away, or before there is one."""
    try:
        answer = client.get(path)
    except httpx2.TransportError:
        return None
    assert answer.status_code in (200, 404, 503), answer.text
    body: dict[str, Any] = answer.json()
    return body if answer.status_code == 200 else None


def opened(client: httpx2.Client, series: str) -> list[dict[str, Any]]:
    """What a series lists, oldest first; empty while its owner is away."""
    body = answered(client, f"/v1/series/{series}")
    return list(reversed(body["tournaments"])) if body else []


def seen(client: httpx2.Client, tournament: str) -> dict[str, Any] | None:
    return answered(client, f"/v1/tournaments/{tournament}")


def submitted(client: httpx2.Client, tournament: str, user: int) -> str | None:
    """What became of this user's only score; None while its owner is away."""
    outcome: str | None = submit(client, tournament, user, "only", user).get("outcome")
    return outcome


def has_status(client: httpx2.Client, tournament: str, status: str) -> bool:
    view = seen(client, tournament)
    return view is not None and view["status"] == status


def table_of(client: httpx2.Client, league: str, user: int) -> str | None:
    """Where a player of a league lands who joins it now; None while it cannot be joined."""
    try:
        answer = client.put(f"/v1/tournaments/{league}/participants/{user}", headers={"Prefer": "wait=10"})
    except httpx2.TransportError:
        return None
    return answer.json().get("tournament_id") if answer.status_code in (200, 201) else None


def play_league(api: httpx2.Client, gateway: httpx2.Client) -> str:
    """A league whose first tables are over before their time: 2 has won in the lowest tier, the highest was empty."""
    if (second := time.time() % 60) > 45:
        time.sleep(61 - second)  # or they start meanwhile
    rule, fields = {"tiers": 2, "promote": 1, "demote": 1}, dict.fromkeys(("starts_at", "ends_at", "capacity"))
    league = create(api, recurrence=EVERY_MINUTE | {"ahead": 1}, league=rule, **fields)
    found = eventually(lambda: (items := opened(api, league)) and len(items) == 2 and items)
    tables = {item["tier"]: item["id"] for item in found}
    assert [table_of(api, league, user) for user in (1, 2, 3)] == [tables[2]] * 3
    for table in tables.values():
        answer = api.post(f"/v1/tournaments/{table}/start", headers={"Prefer": "wait=10"})
        assert answer.json()["status"] == "running"
    for user, score in ((1, 5), (2, 9), (3, 7)):
        assert submit(gateway, tables[2], user, "only", score)["outcome"] == "applied"
    for table in tables.values():
        assert api.post(f"/v1/tournaments/{table}/end", headers={"Prefer": "wait=10"}).json()["status"] == "finished"
    return league


def check_league(api: httpx2.Client, league: str) -> None:
    """Its tables have moved the one player; whoever joins again lands in the next time's table of their tier."""
    first = eventually(lambda: [item["at"] for item in opened(api, league) if item["decided"]], within_s=120)
    assert len(set(first)) == 1
    landed = {user: eventually(functools.partial(table_of, api, league, user)) for user in (1, 2, 3, 4)}
    at = min(item["at"] for item in opened(api, league) if not item["decided"])
    tables = {item["tier"]: item["id"] for item in opened(api, league) if item["at"] == at}
    assert landed == {1: tables[2], 2: tables[1], 3: tables[2], 4: tables[2]}
    assert (eventually(functools.partial(seen, api, tables[1])) or {})["participants"] == 1


def test_a_series_opens_each_tournament_once_and_a_league_moves_its_players_whoever_is_killed(
    stage: RunningPalio,
) -> None:
    with stage.client() as api, stage.client(gateway=True) as gateway:
        league = play_league(api, gateway)
        fields = dict.fromkeys(("starts_at", "ends_at", "capacity"))
        series = create(api, recurrence=EVERY_MINUTE, **fields)
        kill_owners(stage)  # while it opens
        first = eventually(lambda: (found := opened(api, series)) and len(found) >= 5 and found)
        kill_owners(stage)
        eventually(lambda: opened(api, series))
        for item in first:
            view = eventually(functools.partial(seen, api, item["id"]))
            assert (view["starts_at"], view["series"]["id"]) == (item["at"], series)
        # the first one starts within a minute, and another opens; all at once is killed just before
        time.sleep(max(0.0, 55 - time.time() % 60))
        kill_owners(stage)
        later = eventually(lambda: (found := opened(api, series)) and len(found) > len(first) and found, within_s=120)
        assert [item["id"] for item in later[: len(first)]] == [item["id"] for item in first]
        assert len({item["id"] for item in later}) == len({item["at"] for item in later}) == len(later)
        check_league(api, league)
    stage.kill()
    stage.start()
    with stage.client() as api:
        again = eventually(lambda: (found := opened(api, series)) and len(found) >= len(later) and found)
        assert [item["id"] for item in again[: len(later)]] == [item["id"] for item in later]
        stopped = api.post(f"/v1/tournaments/{series}/cancel", headers={"Prefer": "wait=10"})
        assert stopped.json()["status"] == "cancelled"
        coming = [item["id"] for item in again if item["at"] > stamp(5)]
        assert coming
        for tournament in coming:
            eventually(functools.partial(has_status, api, tournament, "cancelled"))


def test_cohorts_place_everybody_once_while_their_owner_is_killed(stage: RunningPalio) -> None:
    with stage.client() as api, stage.client(gateway=True) as gateway:
        tournament = create(api, cohorts={"size": 6}, capacity=None)

        def joined(user: int) -> str:
            """The board, asked for until it is told: what is not answered is asked again."""

            def ask() -> str | None:
                try:
                    answer = api.put(f"/v1/tournaments/{tournament}/participants/{user}", headers={"Prefer": "wait=5"})
                except httpx2.TransportError:
                    return None
                assert answer.status_code in (200, 201, 202, 503), answer.text
                return answer.json().get("tournament_id") if answer.status_code < 202 else None

            return eventually(ask, within_s=120)

        killing = threading.Timer(0.1, kill_owners, [stage])
        killing.start()
        with ThreadPoolExecutor(20) as pool:
            boards = dict(zip(range(1, 21), pool.map(joined, range(1, 21)), strict=True))
        killing.join()  # which may be later than all of them; from here on owners come back one by one
        assert sorted(Counter(boards.values()).values()) == [2, 6, 6, 6]
        assert {user: joined(user) for user in (1, 7, 20)} == {user: boards[user] for user in (1, 7, 20)}
        listed = eventually(functools.partial(answered, api, f"/v1/tournaments/{tournament}/cohorts"))["items"]
        assert {item["tournament_id"]: item["seats"] for item in listed} == Counter(boards.values())
        for board, players in Counter(boards.values()).items():
            assert eventually(functools.partial(seen, api, board))["participants"] == players
        eventually(stage.well)
        for user, board in boards.items():
            applied = eventually(functools.partial(submitted, gateway, board, user))
            assert applied in ("applied", "duplicate")  # the second when it was asked again
        ended = api.post(f"/v1/tournaments/{tournament}/end", headers={"Prefer": "wait=10"})
        assert ended.json()["status"] == "finished"
        for board in set(boards.values()):
            eventually(functools.partial(has_status, api, board, "finished"))


def test_a_single_use_lets_one_of_many_in_at_both_entrypoints(stage: RunningPalio) -> None:
    with stage.client() as api:
        tournament = create(api, visibility="private")
        path = f"/v1/tournaments/{tournament}"
        given = api.post(
            f"{path}/invitations", json={"uses": 1, "expires_at": stamp(600)}, headers={"Prefer": "wait=10"}
        )
        assert given.status_code == 201

        def bring(user: int) -> httpx2.Response:
            with stage.client("player", user, gateway=user % 2 == 0) as player:
                return player.put(
                    f"{path}/participants/me", json={"invite": given.json()["invite"]}, headers={"Prefer": "wait=10"}
                )

        with ThreadPoolExecutor(12) as pool:
            answers = list(pool.map(bring, range(101, 113)))
        assert sorted(answer.status_code for answer in answers) == [201] + [404] * 11
        assert {problem(answer) for answer in answers if answer.status_code != 201} == {(404, "tournament_unknown")}
        assert [item["uses_left"] for item in api.get(f"{path}/invitations").json()["items"]] == [0]
        assert api.post(f"{path}/cancel", headers={"Prefer": "wait=10"}).status_code == 200
