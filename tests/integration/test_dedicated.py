"""A dedicated tournament: an actor alone, the same answers, gone after the end; more than may be alone share."""

from __future__ import annotations

from functools import partial

import httpx2

from tests.integration.conftest import create, eventually, finished_view, join, problem, submit
from tests.support.actors import actor_names
from tests.support.running import RunningPalio


def play(api: httpx2.Client, gateway: httpx2.Client, tournament: str) -> None:
    """A short tournament with all kinds of calls, to its end."""
    path = f"/v1/tournaments/{tournament}"
    join(api, tournament, 1, 2, 3)
    assert submit(gateway, tournament, 1, "a", 10.5)["rank"] == 1
    assert submit(api, tournament, 2, "a", 20.25)["rank"] == 1
    assert submit(gateway, tournament, 1, "a", 11)["reason"] == "duplicate"
    assert submit(gateway, tournament, 4, "a", 11)["reason"] == "not_joined"
    assert api.get(f"{path}/participants/1").json()["rank"] == 2
    rows = [(row["rank"], row["user_id"], row["score"]) for row in gateway.get(f"{path}/rankings").json()["rows"]]
    assert rows == [(1, "2", 20.25), (2, "1", 10.5)]
    assert api.patch(path, json={"name": "Alone"}).json()["name"] == "Alone"
    assert api.delete(f"{path}/participants/3").status_code == 204
    assert api.post(f"{path}/end").json()["status"] == "finished"


def read_after(api: httpx2.Client, gateway: httpx2.Client, tournament: str) -> None:
    """All that can be asked of a finished tournament."""
    path = f"/v1/tournaments/{tournament}"
    for client in (api, gateway):
        view = eventually(partial(finished_view, client, path))
        assert [(row["rank"], row["user_id"], row["score"]) for row in view["top"]] == [(1, "2", 20.25), (2, "1", 10.5)]
        assert view["participants"] == 2
    assert gateway.get(f"{path}/rankings").json()["total"] == 2
    assert api.get(f"{path}/participants/1").json()["score"] == 10.5
    assert problem(api.get(f"{path}/participants/3")) == (404, "participant_unknown")
    assert submit(gateway, tournament, 1, "late", 99)["reason"] == "ended"
    assert problem(api.put(f"{path}/participants/5", json={})) == (409, "registration_closed")
    assert problem(api.post(f"{path}/cancel")) == (409, "already_over")
    assert tournament in [item["id"] for item in api.get("/v1/users/1/tournaments").json()["items"]]


def test_dedicated_tournaments(palio: RunningPalio, service: httpx2.Client, gateway: httpx2.Client) -> None:
    shared = set(palio.pids("ray::TournamentActor"))
    marked = create(service, placement="dedicated")
    large = create(service, capacity=10_000)  # `auto` gives it an actor alone
    third = create(service, placement="dedicated")  # beyond PALIO_MAX_DEDICATED: hosted by its partition's shard
    join(service, third, 9)
    names = actor_names(palio)
    assert {f"tournament-{marked}", f"tournament-{large}"} <= names
    assert f"tournament-{third}" not in names
    assert {"director", "updates", "shard-0", "ingest-0"} <= names
    assert len(set(palio.pids("ray::TournamentActor")) - shared) == 2
    for tournament in (marked, large, third):
        assert service.get(f"/v1/tournaments/{tournament}").json()["placement"] == "dedicated"
        service.delete(f"/v1/tournaments/{tournament}/participants/9")
        play(service, gateway, tournament)
    eventually(lambda: set(palio.pids("ray::TournamentActor")) == shared)  # their actors have gone
    for tournament in (marked, large, third):
        read_after(service, gateway, tournament)
    assert not {f"tournament-{marked}", f"tournament-{large}"} & actor_names(palio)
    next_one = create(service, placement="dedicated")  # there is room again
    assert len(eventually(lambda: set(palio.pids("ray::TournamentActor")) - shared)) == 1
    play(service, gateway, next_one)
    eventually(lambda: set(palio.pids("ray::TournamentActor")) == shared)
    read_after(service, gateway, next_one)
