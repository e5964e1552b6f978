"""Requests as other people's software made them, recorded once (docs/formats.md says how): each is taken as it came."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.support.front import open_front

GOLDEN = Path(__file__).parents[3] / "golden/standards/requests.json"
REQUESTS: list[dict[str, Any]] = json.loads(GOLDEN.read_text(encoding="utf-8"))


@pytest.mark.parametrize("number", range(len(REQUESTS)), ids=[f"{each['by']}-{n}" for n, each in enumerate(REQUESTS)])
async def test_it_is_taken_as_it_came(number: int, tmp_path: Path) -> None:
    recorded = REQUESTS[number]
    ids = tmp_path / "ids.json"
    ids.write_text(json.dumps({"users": {"mailto:ann@example.org": "42"}}))
    async with open_front(foreign_ids=str(ids)) as front:
        tournament = await front.create()
        for user in (42, 43):
            assert (await front.join(tournament, user)).status_code == 201

        def filled(text: str) -> str:
            return text.replace("TOURNAMENT", tournament)

        before = len(front.palio.log.calls)
        for _ in range(2):  # the second is a retry
            answer = await front.call(
                recorded["method"],
                filled(recorded["path"]),
                front.token() | {name: filled(value) for name, value in recorded["headers"].items()},
                content=filled(recorded["body"]).encode(),
            )
            assert answer.status_code == recorded["status"], answer.text
        values = [msgspec.json.decode(record.value) for call in front.palio.log.calls[before:] for record in call]
        assert [[value["user_id"], value["score"]] for value in values] == recorded["counts"] * 2
        state = front.palio.states[int(tournament)]
        attempts = sum(int(count) for count in state.members.attempts)
        assert attempts == len(recorded["counts"]) * (1 if recorded["once"] else 2)
