"""A gateway as replicas run it, on a loopback port, over an in-process Palio; and a live client that keeps the data up to date by patches."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import jsonpatch
from websockets.asyncio.client import ClientConnection, connect

from serve_app.config import FrontConfig
from serve_app.gateway.app import GatewayApp
from serve_app.gateway.server import GatewayServer, start
from serve_app.http.messages import Request, Response
from serve_app.live.hub import Hub
from serve_app.live.limits.bounds import HubLimits
from serve_app.security.auth import Role, make_token
from serve_app.services.container import open_services, wall_clock_ms
from tests.support.inprocess import InProcessPalio

SECRET = b"a secret of the tests, long enough"
HANDSHAKE = (
    b"GET /v1/live HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
WAIT_S = 20.0  # for what must come; tests fail by it, never pass by it


class Gateway:
    """`palio` behind `server`; `call` also reaches what the gateway itself does not offer."""

    def __init__(self, palio: InProcessPalio, server: GatewayServer) -> None:
        self.palio = palio
        self.server = server
        self.services = server.app.services
        self.hub = server.app.hub
        self.url = f"http://127.0.0.1:{server.port}"
        self.live_url = f"ws://127.0.0.1:{server.port}/v1/live"
        self._made = 0

    def token(self, user: int = 1, role: Role = "player", ttl_s: float = 3600) -> str:
        return make_token(SECRET, role=role, user_id=user, ttl_s=ttl_s)

    def bearer(self, user: int = 1, role: Role = "player") -> dict[str, str]:
        """The header of that."""
        return {"authorization": f"Bearer {self.token(user, role)}"}

    async def call(
        self, name: str, method: str = "POST", body: Any = None, role: Role = "service", caller: int = 1, **path: str
    ) -> Response:
        headers = {"authorization": f"Bearer {self.token(caller, role)}", "content-type": "application/json"}
        raw = b"" if body is None else json.dumps(body).encode()
        handler = self.server.app.handlers.table[name]
        response = await handler(Request(method, headers, {}, path, raw, "127.0.0.1"))
        assert response.status < 300, response
        return response

    async def tournament(self, players: int = 0, **spec: Any) -> str:
        """A running tournament with `players` users 1, 2, ... in it."""
        self._made += 1
        body = {
            "name": f"T{self._made}",
            "type": "scheduled",
            "capacity": 100_000,
            "starts_at": "2020-01-01T00:00:00.000Z",
            "ends_at": "2099-01-01T00:00:00.000Z",
            **spec,
        }
        made = json.loads((await self.call("create_tournament", body=body)).body)
        for user in range(1, players + 1):
            await self.join(made["id"], user)
        return str(made["id"])

    async def join(self, tournament: str, user: int) -> None:
        await self.call("join", "PUT", {"name": f"User {user}"}, tournament=tournament, user=str(user))

    async def leave(self, tournament: str, user: int) -> None:
        await self.call("leave", "DELETE", tournament=tournament, user=str(user))

    async def score(self, tournament: str, user: int, score: float) -> None:
        self._made += 1
        body = {"event_id": f"e{self._made}", "user_id": str(user), "score": score}
        await self.call("submit_score", body=body, tournament=tournament)

    async def scores(self, tournament: str, scores: dict[int, float]) -> None:
        """Many at once: one update."""
        self._made += 1
        body = [
            {"event_id": f"e{self._made}-{user}", "user_id": str(user), "score": score, "tournament_id": tournament}
            for user, score in scores.items()
        ]
        await self.call("submit_batch", body=body)

    def data(self, tournament: str) -> dict[str, Any]:
        """What every subscriber should see."""
        copied: dict[str, Any] = json.loads(json.dumps(self.palio.published[int(tournament)]))
        return copied

    @asynccontextmanager
    async def client(self, **options: Any) -> AsyncIterator[LiveClient]:
        # Whoever floods waits for the pongs behind their own frames: on a busy machine longer than the library does.
        options = {"subprotocols": ["palio.v1"], "ping_interval": None, **options}
        async with connect(self.live_url, **options) as socket:
            yield LiveClient(socket)


def live_of(view: dict[str, Any]) -> dict[str, Any]:
    """The live data that a view or a snapshot of the same moment shows."""
    data = {key: view[key] for key in ("status", "participants", "starts_at", "ends_at", "ties")}
    return {**data, "top": [{key: row[key] for key in ("user_id", "name", "score")} for row in view["top"]]}


class LiveClient:
    """Reads frames on request, applies them, and fails on what the contract forbids: gaps, and updates before a snapshot."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.data: dict[str, dict[str, Any]] = {}
        self.positions: dict[str, tuple[int, int]] = {}
        self.seen: list[dict[str, Any]] = []
        self._next_id = 0

    async def send(self, **message: Any) -> None:
        await self.socket.send(json.dumps(message))

    async def receive(self) -> dict[str, Any]:
        async with asyncio.timeout(WAIT_S):
            message: dict[str, Any] = json.loads(await self.socket.recv())
        self.seen.append(message)
        kind, tournament = message.get("type"), message.get("tournament", "")
        if kind == "snapshot":
            self.data[tournament] = message["data"]
            self.positions[tournament] = (message["epoch"], message["seq"])
        elif kind == "update":
            epoch, seq = self.positions[tournament]
            assert (message["epoch"], message["seq"]) == (epoch, seq + 1), (self.positions[tournament], message)
            self.data[tournament] = jsonpatch.apply_patch(self.data[tournament], message["patch"])
            self.positions[tournament] = (message["epoch"], message["seq"])
        return message

    async def ask(self, **message: Any) -> dict[str, Any]:
        """Send with an id, and read up to the answer."""
        self._next_id += 1
        await self.send(id=self._next_id, **message)
        while True:
            answer = await self.receive()
            if answer.get("id") == self._next_id:
                return answer

    async def watch(self, tournament: str, **more: Any) -> None:
        """Subscribe and read up to the first snapshot."""
        answer = await self.ask(subscribe=tournament, **more)
        assert answer.get("ok"), answer
        await self.until(lambda m: m.get("type") == "snapshot" and m["tournament"] == tournament)

    async def until(self, wanted: Any) -> dict[str, Any]:
        while True:
            message = await self.receive()
            if wanted(message):
                return message

    async def until_data(self, tournament: str, data: dict[str, Any]) -> None:
        """Read until the data is as given."""
        while self.data.get(tournament) != data:
            await self.receive()


@asynccontextmanager
async def opened_app(
    limits: HubLimits | None = None, *, palio: InProcessPalio | None = None, updates: Any = None, **config: Any
) -> AsyncIterator[tuple[InProcessPalio, GatewayApp]]:
    """A gateway's app without a server, with generous rates, and checks that tests call themselves (`hub.check`)."""
    palio = palio or InProcessPalio(now_ms=wall_clock_ms())
    if updates is not None:
        palio.updates = updates
    front = FrontConfig(
        **{
            "jwt_secret": SECRET,
            "player_rate": 10_000,
            "player_burst": 10_000,
            "anonymous_rate": 10_000,
            "anonymous_burst": 10_000,
            **config,
        }
    )
    services = await open_services(
        front,
        palio.log,
        palio.owners,
        palio.records,
        palio.read_model,
        palio.updates,
        palio.signer,
        notices=palio.notices,
        attempts=palio.attempts,
        series=palio.series,
        prizes=palio.prizes,
        operations=palio.operations,
        archive=palio.archive,
        archives=palio.archives,
    )
    hub = Hub(
        palio.owners,
        palio.updates,
        limits or HubLimits(check_interval_s=3600, check_grace_s=0.01),
        palio.read_model,
        services.reads.invalidate_id,
    )
    hub.start()
    try:
        yield palio, GatewayApp(services, hub)
    finally:
        await hub.stop()
        await services.close()


@asynccontextmanager
async def running_gateway(limits: HubLimits | None = None, **more: Any) -> AsyncIterator[Gateway]:
    """`opened_app` on a port."""
    async with opened_app(limits, **more) as (palio, app):
        server = await start(app, "127.0.0.1", 0)
        try:
            yield Gateway(palio, server)
        finally:
            await server.stop()
