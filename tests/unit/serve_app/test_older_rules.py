"""Tournaments of older rules: what came later is refused by both entrypoints, with what it is, and changes nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from actors.domain.codec import encode_snapshot
from actors.domain.messages import RULES_VERSION
from tests.support.entrypoints import Entrypoints, running_entrypoints

EDITS: dict[str, Any] = {
    "window_s": 60,
    "freeze_s": 60,
    "ends_when": {"all_done": True},
    "display": {"unit": "time"},
    "prizes": [{"ranks": [1], "item": "mug"}],
}
CALLS: list[tuple[str, str, Any, str]] = [  # method, path below the tournament's, body, what is refused
    *(("PATCH", "", {"name": "not this either", field: value}, field) for field, value in EDITS.items()),
    *(("PATCH", "", {field: None}, field) for field in EDITS),
    ("POST", "/invitations", {}, "invite"),
    ("DELETE", "/invitations/abc", None, "revoke_invitation"),
    ("PUT", "/participants/8", {"attributes": {"country": "FI"}}, "attributes"),
    ("POST", "/participants/7/begin", None, "begin"),
    ("POST", "/participants/7/done", None, "done"),
    ("PATCH", "/participants/7", {"extra_s": 60}, "extra_time"),
    ("POST", "/participants/7/disqualify", {"reason": "why"}, "disqualify"),
    ("POST", "/participants/7/reinstate", None, "reinstate"),
    ("POST", "/reveal", None, "reveal"),
    ("POST", "/reopen", {"ends_at": "2027-02-15T08:00:00Z"}, "reopen"),
]


@pytest.fixture
async def both() -> AsyncIterator[Entrypoints]:
    async with running_entrypoints() as both:
        yield both


@pytest.mark.parametrize("rules", range(1, RULES_VERSION))
async def test_what_came_later_is_refused_and_changes_nothing(both: Entrypoints, rules: int) -> None:
    tournament = await both.gateway.tournament(players=8)
    path = f"/v1/tournaments/{tournament}"
    service = both.bearer(1, "service")
    state = both.palio.states[int(tournament)]
    state.rules_version = rules
    before = encode_snapshot(state)
    asked = 0
    for method, below, body, what in CALLS:
        for name, client in both.clients.items():
            answer = await client.request(method, path + below, headers=service, json=body)
            if name == "gateway" and answer.status_code in (404, 405):
                continue  # at the api alone
            asked += 1
            assert (answer.status_code, answer.json()["code"]) == (409, "older_rules"), (
                name,
                method,
                below,
                answer.text,
            )
            assert answer.json()["detail"] == f"{what} came with rules 3, the tournament has rules {rules}"
    assert asked > len(CALLS)  # the gateway has some of them
    assert encode_snapshot(both.palio.states[int(tournament)]) == before
    edited = await both.clients["api"].patch(path, headers=service, json={"name": "renamed"})
    assert (edited.status_code, edited.json()["name"]) == (200, "renamed")
