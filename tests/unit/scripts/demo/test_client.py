"""What the demo asks of Palio, against answers that a healthy Palio seldom gives. Repeats and pages are judged where the client is."""

import io
import itertools
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx2
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from scripts.client.palio_client import ConflictError
from scripts.demo.client import DemoClient, DemoError
from scripts.demo.data import Result, Row
from scripts.demo.told import METRICS

RESULTS = [Result(0.0, user, "e", 100 * user) for user in (1, 2, 3)]
ROOT = {"gateway": "http://gate", "live": "ws://gate/v1/live", "version": "1", "demo": False, "time": 0}


class Answers:
    """Answers every call but the first, which asks for the gateway, alike; keeps the requests."""

    def __init__(self, answered: int, **body: Any) -> None:
        self.requests: list[httpx2.Request] = []
        self._answer = answered, body

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        if request.url.path == "/v1":
            return httpx2.Response(200, json=ROOT)
        self.requests.append(request)
        return httpx2.Response(self._answer[0], json=self._answer[1])


def client(answers: Answers) -> DemoClient:
    return DemoClient("http://api/", "t", transport=httpx2.MockTransport(answers))


def refusal(code: str) -> Answers:
    return Answers(409, status=409, code=code, detail="so it is")


async def test_several_scores_are_a_batch_in_their_order_and_one_alone_is_not() -> None:
    answers = Answers(202, accepted=3, rejected=[])
    await client(answers).score("7", RESULTS)
    lines = [json.loads(line) for line in answers.requests[0].content.splitlines()]
    assert [(line["tournament_id"], line["user_id"], line["score"]) for line in lines] == [
        ("7", "1", 1.0),
        ("7", "2", 2.0),
        ("7", "3", 3.0),
    ]
    alone = Answers(202, event_id="e", partition=1, offset=2)
    await client(alone).score("7", RESULTS[:1])
    assert str(alone.requests[0].url) == "http://gate/v1/tournaments/7/scores"
    assert json.loads(alone.requests[0].content) == {"event_id": "e", "user_id": "1", "score": 1.0}


async def test_a_rejected_score_is_an_error() -> None:
    answers = Answers(202, accepted=2, rejected=[{"index": 1, "code": "invalid"}])
    with pytest.raises(DemoError, match="got invalid for 1"):
        await client(answers).score("7", RESULTS)


async def test_a_closed_tournament_takes_nobody_and_a_full_one_is_an_error() -> None:
    assert not await client(refusal("registration_closed")).join("7", 1, "Pupil 1")
    with pytest.raises(ConflictError, match="tournament_full"):
        await client(refusal("tournament_full")).join("7", 1, "Pupil 1")


async def test_postponing_what_is_over_is_told_and_ending_it_is_no_error() -> None:
    assert not await client(refusal("already_over")).postpone("7", "2026-05-01T09:00:00.000Z")
    await client(refusal("already_over")).end("7")


async def test_a_table_is_in_hundredths() -> None:
    row = {"rank": 1, "user_id": "4", "name": None, "score": 2.52, "scored_at": "2026-05-01T09:00:00.000Z"}
    position = {"epoch": 0, "seq": 1, "offset": 2}
    answers = Answers(200, rows=[row], total=1, status="running", next_cursor=None, position=position)
    assert await client(answers).rows("7", public=True) == [Row(1, 4, 252)]
    assert "authorization" not in answers.requests[0].headers


async def test_the_archives_table_is_in_hundredths_and_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scripts.demo.client.AGAIN_S", 0)
    scores = pa.array([Decimal("2.52"), Decimal("-0.05"), Decimal("9.00")], pa.decimal128(10, 2))
    then = datetime(2026, 5, 1, 9, tzinfo=UTC)
    table = pa.table(
        {
            "rank": pa.array([1, 2, None], pa.int32()),
            "user_id": [4, 5, 6],
            "score": scores,
            "name": ["a"] * 3,
            "attempts": [1] * 3,
            "scored_at": [then] * 3,
            "joined_at": [then] * 3,
            "disqualified": [False, False, True],
            "prizes": pa.array([[]] * 3, pa.list_(pa.utf8())),
            "board_club": ["x"] * 3,
        }
    )
    file = io.BytesIO()
    pq.write_table(table, file)
    asked = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append(request.url.path)
        if len(asked) < 3:
            return httpx2.Response(404, json={"status": 404, "code": "not_archived", "detail": "not yet"})
        return httpx2.Response(200, content=file.getvalue())

    client = DemoClient("http://api/", "t", transport=httpx2.MockTransport(answer))
    assert [row[:5] for row in await client.archived("7")] == [
        (1, 4, "a", 252, 1),
        (2, 5, "a", -5, 1),
        (None, 6, "a", 900, 1),
    ]
    assert asked == ["/v1/tournaments/7/archive"] * 3


async def test_series_are_asked_by_the_operator_once_the_end_is_in_them() -> None:
    asked: list[httpx2.Request] = []
    ends = itertools.chain([0], itertools.repeat(1))

    def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append(request)
        return httpx2.Response(
            200, json={"step_s": 60, "points": [{"time": "2026-05-01T09:00:00Z", "value": next(ends)}]}
        )

    client = DemoClient("http://api/", "t", operator="o", transport=httpx2.MockTransport(answer))
    start, end = datetime(2026, 5, 1, 9, tzinfo=UTC), datetime(2026, 5, 1, 9, 4, tzinfo=UTC)
    assert [*await client.series("7", start, end)] == ["finished"]
    assert {*await client.series("7", start, end)} == {*METRICS}
    query = dict(asked[0].url.params)
    assert asked[0].headers["authorization"] == "Bearer o"
    assert (query["tournament"], query["step"]) == ("7", "60")
    assert (query["from"], query["to"]) == ("2026-05-01T09:00:00+00:00", "2026-05-01T09:05:00+00:00")
    long = await client.series("7", start, start + timedelta(days=30))
    assert long
    assert int(dict(asked[-1].url.params)["step"]) * 1_000 > 30 * 86_400  # no more steps than a series may have


async def test_a_file_that_never_comes_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scripts.demo.client.PATIENCE_S", 0.01)
    monkeypatch.setattr("scripts.demo.client.AGAIN_S", 0)
    missing = Answers(404, status=404, code="not_archived", detail="not yet")
    with pytest.raises(DemoError, match="in the archive"):
        await client(missing).archived("7")
