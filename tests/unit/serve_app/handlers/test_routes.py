"""The table of calls tells which of them the gateway answers too: held against a real one."""

from __future__ import annotations

import re

import httpx2

from tests.support.calls import CALLS
from tests.support.gateway import running_gateway


async def test_the_gateway_answers_what_the_table_calls_hot_and_nothing_else() -> None:
    async with running_gateway() as gateway, httpx2.AsyncClient(base_url=gateway.url) as http:
        tournament = await gateway.tournament()
        for route in CALLS:
            path = re.sub(r"\{(\w+)\}", lambda found: {"tournament": tournament, "user": "1"}[found[1]], route.path)
            answer = await http.request(route.method, path)
            offered = answer.status_code < 300 or answer.json()["code"] not in ("not_found", "method_not_allowed")
            assert offered is route.hot, (route, answer.status_code, answer.text)
