from __future__ import annotations

import pytest

from serve_app.handlers.handlers import Handlers
from serve_app.handlers.routes import ROUTES
from serve_app.http.messages import Request
from tests.support.front import open_front


async def test_there_is_a_handler_for_each_call_and_no_other() -> None:
    async with open_front() as front:
        assert set(Handlers(front.services, "api").table) == {route.name for route in ROUTES}


async def test_each_answers_whatever_goes_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also what no handler thinks of: a request without its path parameters, an authenticator that breaks."""
    async with open_front() as front:
        handlers = Handlers(front.services, "api")

        async def broken(authorization: str) -> None:
            raise KeyError(authorization)

        monkeypatch.setattr(front.services.authenticator, "authenticate", broken)
        for name, handler in handlers.table.items():
            answer = await handler(Request("GET", {"authorization": "x"}))
            assert answer.status == (200 if name in ("healthz", "readyz") else 500), name
