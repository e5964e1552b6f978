"""The table of calls tells which of them the gateway answers too: held against a real one."""

from __future__ import annotations

import re

import httpx2

from serve_app.handlers.routes import ROUTES
from tests.support.gateway import running_gateway


async def test_the_gateway_answers_what_the_table_calls_hot_and_nothing_else() -> None:
    async with running_gateway() as gateway, httpx2.AsyncClient(base_url=gateway.url) as http:
        tournament = await gateway.tournament()
        for route in ROUTES:
            path = re.sub(r"\{(\w+)\}", lambda found: {"tournament": tournament}.get(found[1], "1"), route.path)
            answer = await http.request(route.method, path)
            offered = answer.status_code < 300 or answer.json()["code"] not in ("not_found", "method_not_allowed")
            assert offered is route.gateway, (route, answer.status_code, answer.text)


def test_a_path_that_the_gateway_has_it_has_with_all_its_methods() -> None:
    """So `Allow` is the same at both entrypoints."""
    paths = {route.path for route in ROUTES if route.gateway}
    assert all(route.gateway for route in ROUTES if route.path in paths)


def test_a_name_has_one_route_and_a_route_one_name() -> None:
    assert len({route.name for route in ROUTES}) == len({(route.method, route.path) for route in ROUTES}) == len(ROUTES)
