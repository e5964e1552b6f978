"""Live sockets of the real gateway, with a real client that applies the patches."""

from __future__ import annotations

import json
import time
from typing import Any

import jsonpatch
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests.integration.conftest import create, join, submit
from tests.support.running import RunningPalio

WAIT_S = 20.0


class Watcher:
    """A socket and what its patches made of each tournament's data."""

    def __init__(self, palio: RunningPalio) -> None:
        self.socket: ClientConnection = connect(palio.live_url, subprotocols=["palio.v1"])  # type: ignore[list-item]
        assert self.socket.subprotocol == "palio.v1"
        self.data: dict[str, Any] = {}
        self.position: dict[str, tuple[int, int]] = {}
        self.me: list[dict[str, Any]] = []
        self._id = 0

    def __enter__(self) -> Watcher:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def ask(self, **message: Any) -> dict[str, Any]:
        self._id += 1
        self.socket.send(json.dumps({"id": self._id, **message}))
        while True:
            frame = self.receive()
            if frame.get("id") == self._id:
                return frame

    def receive(self) -> dict[str, Any]:
        frame: dict[str, Any] = json.loads(self.socket.recv(timeout=WAIT_S))
        name, kind = frame.get("tournament", ""), frame.get("type")
        if kind == "snapshot":
            self.data[name], self.position[name] = frame["data"], (frame["epoch"], frame["seq"])
        elif kind == "update":
            epoch, seq = self.position[name]
            assert (frame["epoch"], frame["seq"]) == (epoch, seq + 1)
            self.data[name] = jsonpatch.apply_patch(self.data[name], frame["patch"])
            self.position[name] = (epoch, seq + 1)
        elif kind == "me":
            self.me.append(frame)
        return frame

    def until(self, wanted: Any) -> None:
        deadline = time.monotonic() + WAIT_S
        while not wanted():
            assert time.monotonic() < deadline
            self.receive()


@pytest.fixture
def service(palio):
    with palio.client() as client:
        yield client


def test_the_table_is_followed_by_patches(palio, service):
    tournament = create(service)
    join(service, tournament, 1, 2, 3)
    with Watcher(palio) as watcher:
        assert watcher.ask(subscribe=tournament)["ok"]
        watcher.until(lambda: tournament in watcher.data)
        for user, score in ((1, 10), (2, 20), (3, 15), (1, 30)):
            submit(service, tournament, user, f"{user}-{score}", score)
        wanted = [("1", 30), ("2", 20), ("3", 15)]
        watcher.until(lambda: [(r["user_id"], r["score"]) for r in watcher.data[tournament]["top"]] == wanted)
        assert watcher.data[tournament]["participants"] == 3
        service.post(f"/v1/tournaments/{tournament}/end")
        watcher.until(lambda: watcher.data[tournament]["status"] == "finished")


def test_since_brings_the_missed_updates_only(palio, service):
    tournament = create(service)
    join(service, tournament, 1)
    with Watcher(palio) as watcher:
        watcher.ask(subscribe=tournament)
        watcher.until(lambda: tournament in watcher.data)
        watcher.ask(unsubscribe=tournament)
        kept, (epoch, seq) = watcher.data[tournament], watcher.position[tournament]
        for number in range(3):
            submit(service, tournament, 1, f"s{number}", number)
            time.sleep(0.1)
        watcher.socket.send(json.dumps({"id": 99, "subscribe": tournament, "since": {"epoch": epoch, "seq": seq}}))
        kinds = []
        while watcher.position[tournament][1] == seq or watcher.data[tournament]["top"][0]["score"] != 2:
            kinds.append(watcher.receive().get("type"))
        assert "snapshot" not in kinds
        assert kept != watcher.data[tournament]


def test_me_is_told_to_that_user_alone(palio, service):
    tournament = create(service)
    join(service, tournament, 51, 52)
    with Watcher(palio) as mine, Watcher(palio) as other:
        assert mine.ask(subscribe=tournament, me=True)["error"]["code"]
        assert mine.ask(auth=palio.token("player", 51))["ok"]
        assert mine.ask(subscribe=tournament, me=True)["ok"]
        other.ask(subscribe=tournament)
        submit(service, tournament, 51, "m", 5)
        mine.until(lambda: any(frame["rank"] == 1 and frame["score"] == 5 for frame in mine.me))
        submit(service, tournament, 52, "m", 6)
        mine.until(lambda: any((f["rank"], f["previous_rank"]) == (2, 1) for f in mine.me))  # within 5 s
        other.until(lambda: len(other.data.get(tournament, {"top": []})["top"]) == 2)
        assert not other.me


def test_private_tournaments_need_a_member(palio, service):
    tournament = create(service, visibility="private")
    join(service, tournament, 61)
    with Watcher(palio) as watcher:
        assert watcher.ask(subscribe=tournament)["error"]["code"]
        assert watcher.ask(auth="nonsense")["error"]["code"] == "unauthorized"
        assert watcher.ask(auth=palio.token("player", 62))["ok"]
        assert watcher.ask(subscribe=tournament)["error"]["code"]
        assert watcher.ask(auth=palio.token("player", 61))["ok"]
        assert watcher.ask(subscribe=tournament)["ok"]
        watcher.until(lambda: tournament in watcher.data)


def test_what_is_wrong_is_an_error_not_a_disconnect(palio, service):
    tournament = create(service)
    with Watcher(palio) as watcher:
        for message in ({"dance": 1}, {"subscribe": "0"}, {"subscribe": 5}, {"subscribe": "999"}, {"unsubscribe": []}):
            assert watcher.ask(**message)["error"]["code"], message
        watcher.socket.send("not json")
        assert "error" in watcher.receive()
        watcher.socket.send(b"\x00binary")
        assert "error" in watcher.receive()
        assert watcher.ask(subscribe=tournament)["ok"]


def test_subscriptions_of_a_socket_are_bounded(palio, service):
    tournaments = [create(service) for _ in range(101)]
    with Watcher(palio) as watcher:
        answers = [watcher.ask(subscribe=tournament) for tournament in tournaments]
        assert all(answer.get("ok") for answer in answers[:100])
        assert answers[100]["error"]["code"]


def test_a_frame_of_a_megabyte_ends_the_socket(palio):
    with Watcher(palio) as watcher:
        watcher.socket.send("x" * (1 << 20))
        with pytest.raises(ConnectionClosed) as closed:
            watcher.receive()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1009
