"""The api in front of an in-process Palio. Every answer is held against the OpenAPI document: status, body, problem form."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import msgspec
from fastapi import FastAPI

from serve_app.api.app import create_app
from serve_app.config import FrontConfig
from serve_app.http.problems import CODES, PROBLEM_JSON, ProblemDetails
from serve_app.security.auth import make_token
from serve_app.services.container import Services, open_services
from tests.support.calls import operation_of, validate
from tests.support.inprocess import InProcessPalio

SECRET = b"a secret of thirty-two bytes, now"
SCHEDULED = {
    "name": "Spring exam",
    "type": "scheduled",
    "starts_at": "2027-01-15T07:59:00.000Z",  # a minute before the in-process clock: it runs at once
    "ends_at": "2027-01-15T10:00:00.000Z",
}
LATER = {**SCHEDULED, "starts_at": "2027-01-15T09:00:00.000Z"}
INSTANT = {"name": "Sprint", "type": "instant", "capacity": 2, "duration_s": 60}


class Front:
    """A client with shorthands; `call` checks each answer against the documentation."""

    def __init__(self, palio: InProcessPalio, services: Services, app: FastAPI, client: httpx2.AsyncClient) -> None:
        self.palio = palio
        self.services = services
        self.app = app
        self.client = client

    def token(self, role: str = "service", user: int = 1, ttl_s: float = 3600, **more: Any) -> dict[str, str]:
        token = make_token(SECRET, role=role, user_id=user, ttl_s=ttl_s, now_s=self.palio.now_ms / 1000, **more)
        return {"authorization": f"Bearer {token}"}

    async def call(self, method: str, path: str, headers: dict[str, str] | None = None, **more: Any) -> httpx2.Response:
        response = await self.client.request(method, path, headers=headers, **more)
        check_documented(method, path.partition("?")[0], response)
        return response

    async def create(self, spec: dict[str, Any] = SCHEDULED, **more: Any) -> str:
        response = await self.call("POST", "/v1/tournaments", self.token(), json={**spec, **more})
        assert response.status_code == 201, response.text
        return str(response.json()["id"])

    async def join(self, tournament: str, user: int, **body: Any) -> httpx2.Response:
        return await self.call(
            "PUT", f"/v1/tournaments/{tournament}/participants/me", self.token("player", user), json=body
        )

    async def submit(self, tournament: str, user: int, body: Any, **headers: str) -> httpx2.Response:
        path = f"/v1/tournaments/{tournament}/scores"
        more = {"content": body} if isinstance(body, bytes) else {"json": body}
        return await self.call("POST", path, {**self.token("player", user), **headers}, **more)


@asynccontextmanager
async def open_front(**config: Any) -> AsyncIterator[Front]:
    """A front over a Palio of its own. Limits are out of the way unless given."""
    given = {"player_rate": 1e6, "player_burst": 10**6, "anonymous_rate": 1e6, "anonymous_burst": 10**6, **config}
    palio = InProcessPalio()
    settings = FrontConfig(jwt_secret=SECRET, replica_id="test", **given)
    services = await open_services(
        settings,
        palio.log,
        palio.owners,
        palio.records,
        palio.read_model,
        palio.updates,
        palio.signer,
        notices=palio.notices,
        prizes=palio.prizes,
        operations=palio.operations,
        archive=palio.archive,
        archives=palio.archives,
        attempts=palio.attempts,
        series=palio.series,
        clock_ms=palio.clock_ms,
    )
    app = create_app(services)
    transport = httpx2.ASGITransport(app)
    try:
        async with httpx2.AsyncClient(transport=transport, base_url="http://palio.example:8000") as client:
            yield Front(palio, services, app, client)
    finally:
        await services.close()


def check_documented(method: str, path: str, response: httpx2.Response) -> None:
    """The answer is one that the OpenAPI document names, in the form it gives."""
    operation, status = operation_of(method, path), response.status_code
    if status >= 400:
        problem = msgspec.json.decode(response.content, type=ProblemDetails, strict=True)
        assert response.headers["content-type"] == PROBLEM_JSON
        assert problem.status == status
        assert problem.code in CODES, problem.code
        assert "Traceback" not in response.text
    if operation is None or status in (405, 500):
        return
    told = operation["responses"][str(status)]
    if "content" not in told:
        assert response.content == b""
        return
    content = told["content"][response.headers["content-type"]]
    validate(content["schema"], response.json() if "json" in response.headers["content-type"] else response.text)


def problem(response: httpx2.Response) -> tuple[int, str]:
    """(status, code) of an error."""
    return response.status_code, response.json()["code"]


def wrong_paths(response: httpx2.Response) -> list[str]:
    """The fields that a 422 names."""
    assert response.status_code == 422, response.text
    return [error["path"] for error in response.json()["errors"]]
