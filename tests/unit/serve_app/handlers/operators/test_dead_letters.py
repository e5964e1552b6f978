from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from actors.domain.messages import Tick, encode_message, encode_score
from actors.domain.values import partition_of
from storage.ports import DeadLetter, LogRecord
from tests.support.front import Front, open_front


@pytest.fixture
async def front() -> AsyncIterator[Front]:
    async with open_front() as front:
        yield front


async def keep(
    front: Front, key: str, value: bytes, offset: int = 5, reason: str = "unknown_tournament"
) -> dict[str, int]:
    record = LogRecord(0, offset, front.palio.now_ms, key.encode(), value)
    await front.palio.log.dead_letter([DeadLetter(record, reason, "in detail")])
    return {"partition": 0, "offset": offset}


async def replay(front: Front, *letters: dict[str, int], **headers: str) -> Any:
    answer = await front.call(
        "POST", "/v1/dead-letters/replay", {**front.token("operator"), **headers}, json={"letters": letters}
    )
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_a_score_is_sent_again_where_it_belongs_and_counts_once(front: Front) -> None:
    tournament = await front.create()
    await front.join(tournament, 42)
    letter = await keep(front, tournament, encode_score("a1", 42, 91250))
    [shown] = (await front.call("GET", "/v1/dead-letters", front.token("operator"))).json()["items"]
    assert shown.items() >= {**letter, "reason": "unknown_tournament", "kind": "score", "replayable": True}.items()
    assert '"event_id":"a1"' in shown["value"]
    answer = await replay(front, letter, letter)
    [replayed] = answer["replayed"]
    assert replayed["to"]["partition"] == partition_of(int(tournament), front.palio.partitions)
    assert (replayed["outcome"], answer["rejected"]) == ("applied", [])
    again = (await replay(front, letter))["replayed"][0]
    assert (again["outcome"], again["reason"]) == ("ignored", "duplicate")
    participant = await front.call("GET", f"/v1/tournaments/{tournament}/participants/42")
    assert (participant.json()["score"], participant.json()["attempts"]) == (912.5, 1)


async def test_not_waited_for_its_outcome_is_left_out(front: Front) -> None:
    tournament = await front.create()
    letter = await keep(front, tournament, encode_score("a1", 42, 1))
    assert "outcome" not in (await replay(front, letter, prefer="wait=0"))["replayed"][0]


async def test_what_is_no_score_or_for_nobody_is_not_sent_again(front: Front) -> None:
    tournament = await front.create()
    letters = [
        await keep(front, tournament, b"no JSON", 1, "malformed"),
        await keep(front, tournament, encode_message(Tick()), 2),
        await keep(front, "someone", encode_score("a", 1, 1), 3),
        await keep(front, "7", encode_score("a", 1, 1), 4),
        {"partition": 0, "offset": 99},
    ]
    before = len(front.palio.log.calls)
    answer = await replay(front, *letters)
    assert [(each["offset"], each["code"]) for each in answer["rejected"]] == [
        (1, "not_replayable"), (2, "not_replayable"), (3, "not_replayable"), (4, "tournament_unknown"), (99, "letter_unknown"),
    ]  # fmt: skip
    assert answer["replayed"] == []
    assert len(front.palio.log.calls) == before


async def test_control_records_do_not_show_what_they_say(front: Front) -> None:
    value = b'{"v":1,"type":"create","salt":"secret"}'
    await keep(front, "7", encode_message(Tick()), 1, "unsigned")
    await keep(front, "7", b"x" * 5000, 2, "malformed")
    await keep(front, "7", value, 3, "malformed")
    answer = (await front.call("GET", "/v1/dead-letters?limit=3", front.token("operator"))).json()
    assert [(each["kind"], len(each["value"])) for each in answer["items"]] == [
        ("control", 0), ("unreadable", 2000), ("control", 0),
    ]  # fmt: skip
    assert answer["more"] is False
    assert (await front.call("GET", "/v1/dead-letters?limit=2", front.token("operator"))).json()["more"] is True


@pytest.mark.parametrize("letters", [[], [{"partition": 0, "offset": 1}] * 101, [{"partition": -1, "offset": 1}], [{}]])
async def test_a_wrong_replay_is_refused_as_a_whole(front: Front, letters: Any) -> None:
    answer = await front.call("POST", "/v1/dead-letters/replay", front.token("operator"), json={"letters": letters})
    assert answer.status_code == 422
