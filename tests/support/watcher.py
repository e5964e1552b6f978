"""A client of live sockets that keeps what the patches make of each tournament, and insists on whole sequences."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable
from typing import Any

import jsonpatch
from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.sync.client import ClientConnection, connect

from tests.support.running import RunningPalio

WAIT_S = 30.0


class Watcher:
    """A socket, and by tournament `data` as the snapshots and patches make it, and the `position` it is at."""

    socket: ClientConnection

    def __init__(self, palio: RunningPalio) -> None:
        self._connecting = connect(palio.live_url, subprotocols=["palio.v1"], open_timeout=WAIT_S)  # type: ignore[list-item]
        self.data: dict[str, Any] = {}
        self.position: dict[str, tuple[int, int]] = {}
        self.me: list[dict[str, Any]] = []
        self.frames: list[dict[str, Any]] = []
        self._id = 0

    def __enter__(self) -> Watcher:
        self.socket = self._connecting.__enter__()
        assert self.socket.subprotocol == "palio.v1"
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def ask(self, **message: Any) -> dict[str, Any]:
        """Send a message and return its answer; what comes before it is taken in."""
        self._id += 1
        self.socket.send(json.dumps({"id": self._id, **message}))
        while True:
            frame = self.receive()
            if frame.get("id") == self._id:
                return frame

    def receive(self, timeout_s: float = WAIT_S) -> dict[str, Any]:
        """The next frame, taken in. Raises TimeoutError, ConnectionClosed."""
        frame: dict[str, Any] = json.loads(self.socket.recv(timeout=timeout_s))
        self.frames.append(frame)
        name, kind = frame.get("tournament", ""), frame.get("type")
        if kind == "snapshot":
            self.data[name], self.position[name] = frame["data"], (frame["epoch"], frame["seq"])
        elif kind == "update":
            epoch, seq = self.position[name]
            assert (frame["epoch"], frame["seq"]) == (epoch, seq + 1), "a gap, which the server never leaves"
            self.data[name] = jsonpatch.apply_patch(self.data[name], frame["patch"])
            self.position[name] = (epoch, seq + 1)
        elif kind == "me":
            self.me.append(frame)
        return frame

    def until(self, wanted: Callable[[], Any]) -> None:
        """Take in frames until `wanted` holds."""
        deadline = time.monotonic() + WAIT_S
        while not wanted():
            assert time.monotonic() < deadline, self.data
            self.receive(max(0.01, deadline - time.monotonic()))


class Follower:
    """A watcher in a thread that follows one tournament whatever happens: it comes back after a lost connection, and resumes."""

    def __init__(self, palio: RunningPalio, tournament: str) -> None:
        self.palio = palio
        self.tournament = tournament
        self.data: dict[str, Any] = {}
        self.epochs: list[int] = []  # each as it was first seen
        self.connections = 0
        self.failure: BaseException | None = None
        self._position: tuple[int, int] | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Follower:
        self._thread.start()
        deadline = time.monotonic() + WAIT_S
        while not self.data:
            assert time.monotonic() < deadline, "no snapshot"
            time.sleep(0.02)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        assert self.failure is None, self.failure

    @property
    def top(self) -> list[tuple[str, float]]:
        """(user, score) in the order shown. Raises what ended the following."""
        if self.failure is not None:
            raise self.failure
        return [(row["user_id"], row["score"]) for row in self.data["top"]]

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                with contextlib.suppress(ConnectionClosed, OSError, WebSocketException):
                    self._follow()
                self._stop.wait(0.1)
        except BaseException as failure:
            self.failure = failure

    def _follow(self) -> None:
        with Watcher(self.palio) as watcher:
            self.connections += 1
            since = {}
            if self._position is not None:
                watcher.data[self.tournament], watcher.position[self.tournament] = self.data, self._position
                since = {"since": {"epoch": self._position[0], "seq": self._position[1]}}
            assert watcher.ask(subscribe=self.tournament, **since).get("ok")
            while not self._stop.is_set():
                with contextlib.suppress(TimeoutError):
                    watcher.receive(0.2)
                if self.tournament in watcher.position:
                    self.data, self._position = watcher.data[self.tournament], watcher.position[self.tournament]
                    if self._position[0] not in self.epochs:
                        self.epochs.append(self._position[0])
