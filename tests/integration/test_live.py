"""Live sockets of the real gateway, with a real client that applies the patches."""

from __future__ import annotations

import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import httpx2
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from cluster.config.settings import Settings
from cluster.config.tokens import token
from tests.integration.conftest import create, eventually, join, submit
from tests.support.running import RunningPalio
from tests.support.watcher import WAIT_S, Watcher


def table(watcher: Watcher, tournament: str) -> list[tuple[str, float]]:
    return [(row["user_id"], row["score"]) for row in watcher.data.get(tournament, {"top": []})["top"]]


def until_first(watcher: Watcher, tournament: str, row: tuple[str, float]) -> None:
    watcher.until(lambda: table(watcher, tournament)[:1] == [row])


def test_the_table_is_followed_by_patches(palio: RunningPalio, service: httpx2.Client) -> None:
    tournament = create(service)
    join(service, tournament, 1, 2, 3)
    with Watcher(palio) as watcher:
        assert watcher.ask(subscribe=tournament)["ok"]
        watcher.until(lambda: tournament in watcher.data)
        assert watcher.data[tournament].keys() == {"status", "participants", "starts_at", "ends_at", "ties", "top"}
        for user, score in ((1, 10), (2, 20), (3, 15), (1, 30)):
            submit(service, tournament, user, f"{user}-{score}", score)
        watcher.until(lambda: table(watcher, tournament) == [("1", 30), ("2", 20), ("3", 15)])
        assert watcher.data[tournament]["participants"] == 3
        service.delete(f"/v1/tournaments/{tournament}/participants/2")
        watcher.until(lambda: table(watcher, tournament) == [("1", 30), ("3", 15)])
        service.post(f"/v1/tournaments/{tournament}/end")
        watcher.until(lambda: watcher.data[tournament]["status"] == "finished")
        view = service.get(f"/v1/tournaments/{tournament}").json()
        shown = watcher.data[tournament]
        assert {name: shown[name] for name in shown if name != "top"} == {
            name: view[name] for name in shown if name != "top"
        }
        kinds = [frame["type"] for frame in watcher.frames if frame.get("tournament") == tournament]
        assert kinds.count("snapshot") == 1  # all the rest came as patches


def test_updates_come_at_most_twenty_times_a_second(palio: RunningPalio, service: httpx2.Client) -> None:
    tournament = create(service)
    join(service, tournament, 1)
    with Watcher(palio) as watcher, palio.client(gateway=True) as gateway:
        watcher.ask(subscribe=tournament)
        watcher.until(lambda: tournament in watcher.data)
        watcher.frames.clear()
        began = time.monotonic()
        for number in range(300):
            gateway.post(
                f"/v1/tournaments/{tournament}/scores", json={"event_id": str(number), "user_id": "1", "score": number}
            )
        watcher.until(lambda: table(watcher, tournament) == [("1", 299)])
        took_s = time.monotonic() - began
        assert len(watcher.frames) <= 20 * took_s + 2


def test_scores_are_submitted_where_they_are_watched(palio: RunningPalio, service: httpx2.Client) -> None:
    """A service sends 500 without waiting; what is acknowledged is in the table, each once, also when all of it is sent again."""
    tournament = create(service)
    users = range(1, 51)
    joins = [{"tournament_id": tournament, "user_id": str(user)} for user in users]
    assert service.post("/v1/participants", json=joins).json() == {"accepted": 50, "rejected": []}
    eventually(lambda: service.get(f"/v1/tournaments/{tournament}").json()["participants"] == 50)
    with Watcher(palio) as watcher:
        assert watcher.ask(subscribe=tournament)["ok"]
        assert watcher.ask(auth=palio.token("service", 1))["ok"]
        wrong = watcher.ask(submit={"tournament": tournament, "event_id": "x", "user_id": "1", "score": 1.005})
        assert wrong["error"]["code"] == "invalid"
        for _ in range(2):
            acknowledged: list[int] = []
            for number in range(500):
                user, event = number % 50 + 1, f"e{number}"
                score = {"tournament": tournament, "event_id": event, "user_id": str(user), "score": number}
                watcher.socket.send(json.dumps({"id": 1000 + number, "submit": score}))
            while len(acknowledged) < 500:
                frame = watcher.receive()
                if frame.get("ok"):
                    acknowledged += frame.get("ids", [frame.get("id")])
            assert sorted(acknowledged) == list(range(1000, 1500))
        watcher.until(lambda: table(watcher, tournament)[:1] == [("50", 499)])
    attempts = service.get(f"/v1/tournaments/{tournament}/participants/50").json()["attempts"]
    assert attempts == 10


def test_since_brings_the_missed_updates_only(palio: RunningPalio, service: httpx2.Client) -> None:
    tournament = create(service)
    join(service, tournament, 1)
    with Watcher(palio) as watcher, Watcher(palio) as other:
        for each in (watcher, other):
            each.ask(subscribe=tournament)
            each.until(partial(each.data.__contains__, tournament))
        watcher.ask(unsubscribe=tournament)
        epoch, seq = watcher.position[tournament]
        for number in range(3):
            submit(service, tournament, 1, f"s{number}", number)
            until_first(other, tournament, ("1", number))
        watcher.frames.clear()
        assert watcher.ask(subscribe=tournament, since={"epoch": epoch, "seq": seq})["ok"]
        watcher.until(lambda: table(watcher, tournament) == [("1", 2)])
        assert "snapshot" not in [frame.get("type") for frame in watcher.frames]
        assert watcher.position == other.position
        # a position that nobody has, or of another epoch, brings a snapshot
        for since in ({"epoch": epoch, "seq": seq + 1000}, {"epoch": epoch + 5, "seq": 0}):
            watcher.frames.clear()
            assert watcher.ask(subscribe=tournament, since=since)["ok"]
            watcher.until(lambda: any(frame.get("type") == "snapshot" for frame in watcher.frames))


def test_me_is_told_to_that_user_alone(palio: RunningPalio, service: httpx2.Client) -> None:
    tournament = create(service)
    join(service, tournament, 51, 52)
    with Watcher(palio) as mine, Watcher(palio) as other:
        assert mine.ask(subscribe=tournament, me=True)["error"]["code"] == "unauthorized"
        assert mine.ask(auth=palio.token("player", 51))["ok"]
        assert mine.ask(subscribe=tournament, me=True)["ok"]
        other.ask(subscribe=tournament)
        submit(service, tournament, 51, "m", 5)
        mine.until(lambda: any((frame["rank"], frame["score"]) == (1, 5) for frame in mine.me))
        submit(service, tournament, 52, "m", 6)
        mine.until(lambda: any((frame["rank"], frame["previous_rank"]) == (2, 1) for frame in mine.me))  # within 5 s
        other.until(lambda: len(table(other, tournament)) == 2)
        assert other.me == []
        assert mine.me[-1].keys() == {"type", "tournament", "rank", "previous_rank", "score", "percentile"}


def test_private_tournaments_need_a_member_who_stays_one(palio: RunningPalio, service: httpx2.Client) -> None:
    tournament = create(service, visibility="private")
    join(service, tournament, 61)
    with Watcher(palio) as watcher:
        assert watcher.ask(subscribe=tournament)["error"]["code"] == "tournament_unknown"
        assert watcher.ask(auth="nonsense")["error"]["code"] == "unauthorized"
        assert watcher.ask(auth=palio.token("player", 62))["ok"]
        assert watcher.ask(subscribe=tournament)["error"]["code"] == "tournament_unknown"
        assert watcher.ask(auth=palio.token("player", 61))["ok"]
        assert watcher.ask(subscribe=tournament)["ok"]
        watcher.until(lambda: tournament in watcher.data)
        service.delete(f"/v1/tournaments/{tournament}/participants/61")
        watcher.until(lambda: any(frame.get("type") == "unsubscribed" for frame in watcher.frames))
        assert watcher.ask(subscribe=tournament)["error"]["code"] == "tournament_unknown"


def test_an_expired_token_ends_what_needed_it(palio: RunningPalio, service: httpx2.Client) -> None:
    public, private = create(service), create(service, visibility="private")
    join(service, private, 71)
    short = token(Settings(data_dir=palio.data), role="player", sub=71, ttl_s=3)
    with Watcher(palio) as watcher:
        assert watcher.ask(auth=short)["ok"]
        assert watcher.ask(subscribe=public)["ok"]
        assert watcher.ask(subscribe=private)["ok"]
        watcher.until(lambda: any(frame.get("type") == "signed_out" for frame in watcher.frames))
        ended = [frame["tournament"] for frame in watcher.frames if frame.get("type") == "unsubscribed"]
        assert ended == [private]
        join(service, public, 1)
        watcher.until(lambda: watcher.data[public]["participants"] == 1)  # public ones go on


def test_what_is_wrong_is_an_error_not_a_disconnect(palio: RunningPalio, service: httpx2.Client) -> None:
    tournament = create(service)
    with Watcher(palio) as watcher:
        wrong: list[dict[str, Any]] = [
            {"dance": 1},
            {},
            {"subscribe": "0"},
            {"subscribe": 5},
            {"subscribe": "999"},
            {"unsubscribe": []},
            {"auth": 5},
            {"subscribe": tournament, "since": {"epoch": "x", "seq": 1}},
            {"subscribe": tournament, "unsubscribe": tournament},
            {"unsubscribe": tournament, "me": True},
        ]
        for message in wrong:
            error = watcher.ask(**message)["error"]
            assert error["code"], message
            assert error["message"], message
        for text in ("not json", "[]", "null", "1", '"x"', '{"id": {}}', "[" * 5000):
            watcher.socket.send(text)
            assert "error" in watcher.receive(), text
        watcher.socket.send(b"\x00binary")
        assert "error" in watcher.receive()
        assert watcher.ask(subscribe=tournament)["ok"]


def test_wrong_handshakes_are_refused_in_http(palio: RunningPalio) -> None:
    with pytest.raises(InvalidStatus) as refused, connect(palio.live_url, subprotocols=["other.v1"]):  # type: ignore[list-item]
        pass
    assert refused.value.response.status_code == 400
    with pytest.raises(InvalidStatus) as refused, connect(palio.live_url.replace("/v1/live", "/v1/life")):
        pass
    assert refused.value.response.status_code == 404
    assert httpx2.get(palio.live_url.replace("ws", "http", 1)).status_code in (400, 404, 426)


def test_ten_thousand_subscriptions(palio: RunningPalio, service: httpx2.Client) -> None:
    with ThreadPoolExecutor(8) as pool:
        tournaments = list(pool.map(lambda _: create(service), range(101)))
    with Watcher(palio) as watcher:
        answers = [watcher.ask(subscribe=tournament) for tournament in tournaments]
        assert all(answer.get("ok") for answer in answers[:100])
        assert answers[100]["error"]["code"] == "too_many_subscriptions"
        for number in range(10_000):
            watcher.socket.send(json.dumps({"id": f"m{number}", "subscribe": str(10**12 + number)}))
        seen: set[str] = set()
        while len(seen) < 10_000:
            frame = watcher.receive()
            if str(frame.get("id")).startswith("m"):
                assert frame["error"]["code"] == "too_many_subscriptions"
                seen.add(frame["id"])
        join(service, tournaments[99], 1)
        watcher.until(lambda: watcher.data[tournaments[99]]["participants"] == 1)
        assert watcher.ask(unsubscribe=tournaments[0])["ok"]
        assert watcher.ask(subscribe=tournaments[100])["ok"]


def test_a_frame_of_a_megabyte_ends_the_socket(palio: RunningPalio) -> None:
    with Watcher(palio) as watcher:
        watcher.socket.send("x" * (1 << 20))
        with pytest.raises(ConnectionClosed) as closed:
            watcher.receive()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1009


def test_a_client_that_does_not_read_harms_nobody_and_finds_the_newest(
    palio: RunningPalio, service: httpx2.Client
) -> None:
    tournament = create(service)
    users = range(1, 21)
    for user in users:
        name = {"name": f"{user:02d}" + "ü" * 62}
        assert service.put(f"/v1/tournaments/{tournament}/participants/{user}", json=name).status_code == 201
        submit(service, tournament, user, "a", user)
    raw = socket.create_connection(("127.0.0.1", palio.gateway_port))
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    slow = connect(
        palio.live_url,
        sock=raw,
        subprotocols=[Subprotocol("palio.v1")],
        max_queue=1,
        compression=None,
        open_timeout=WAIT_S,
    )
    with slow as socket_of_slow, Watcher(palio) as quick:
        quick.ask(subscribe=tournament)
        quick.until(lambda: len(table(quick, tournament)) == len(users))
        for number in range(390):  # each brings a snapshot of 3 KB: more than the buffers may hold
            socket_of_slow.send(json.dumps({"id": number, "subscribe": tournament}))
        for score in (100, 200, 300):
            submit(service, tournament, 7, str(score), score)
            until_first(quick, tournament, ("7", score))
        metrics = httpx2.get(f"{palio.url}/metrics").text
        conflated = [line for line in metrics.splitlines() if line.startswith("palio_conflated_total ")]
        assert float(conflated[0].split()[1]) >= 1
        deadline = time.monotonic() + WAIT_S
        newest = None
        while newest != 300:  # it reads at last
            assert time.monotonic() < deadline
            frame = json.loads(socket_of_slow.recv(timeout=WAIT_S))
            if (
                frame.get("type") == "snapshot" and frame["data"]["top"]
            ):  # one kept from before the scores, with the updates since
                newest = frame["data"]["top"][0]["score"]
            elif frame.get("type") == "update" and "300" in json.dumps(frame):
                newest = 300
    eventually(lambda: httpx2.get(f"{palio.gateway_url}/healthz").status_code == 200)
