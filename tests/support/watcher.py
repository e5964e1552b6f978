"""Clients of live sockets that insist on whole sequences: `Watcher` looks at each frame, which a client that mends things would hide."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
import time
from collections.abc import Callable
from typing import Any

import jsonpatch
from websockets.sync.client import ClientConnection, connect

from scripts.client.palio_client import Board, Live, PalioClient
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
    """The Python client in a thread, following one tournament whatever happens; no update may be missing in what it gets."""

    def __init__(self, palio: RunningPalio, tournament: str) -> None:
        self.palio = palio
        self.tournament = tournament
        self.board: Board | None = None
        self.epochs: list[int] = []  # each as it was first seen
        self.failure: BaseException | None = None
        self._live: Live | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Follower:
        self._thread.start()
        deadline = time.monotonic() + WAIT_S
        while self.board is None:
            assert self.failure is None, self.failure
            assert time.monotonic() < deadline, "no snapshot"
            time.sleep(0.02)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        assert self.failure is None, self.failure

    @property
    def connections(self) -> int:
        """How many sockets it took."""
        return 0 if self._live is None else self._live.connections

    @property
    def top(self) -> list[tuple[str, float]]:
        """(user, score) in the order shown. Raises what ended the following."""
        if self.failure is not None:
            raise self.failure
        assert self.board is not None
        return [(row.user_id, row.score) for row in self.board.data.top]

    def _run(self) -> None:
        try:
            asyncio.run(self._follow())
        except BaseException as failure:
            self.failure = failure

    async def _follow(self) -> None:
        async with PalioClient(self.palio.url) as client, client.live() as self._live:
            boards = await self._live.subscribe(self.tournament)
            while not self._stop.is_set():
                with contextlib.suppress(TimeoutError, StopAsyncIteration):  # the latter: it is over
                    async with asyncio.timeout(0.2):
                        await anext(boards)
                self.board = await boards.first()
                if self.board.epoch not in self.epochs:
                    self.epochs.append(self.board.epoch)
                assert boards.gaps == 0, "a gap, which the server never leaves"
                await asyncio.sleep(0.01)
