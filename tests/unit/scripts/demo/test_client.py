"""The client's patience, against answers that a healthy Palio seldom gives: refusals, lost answers, undecided joins."""

import json
from collections.abc import Callable
from typing import Any

import httpx2
import pytest

import scripts.demo.client
from scripts.demo.client import DemoClient, DemoError
from scripts.demo.data import Result, Row

RESULTS = [Result(0.0, user, "e", 100 * user) for user in (1, 2, 3)]


@pytest.fixture(autouse=True)
def little_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("PATIENCE_S", 0.5), ("FIRST_PAUSE_S", 0.001), ("LONGEST_PAUSE_S", 0.002)):
        monkeypatch.setattr(scripts.demo.client, name, value)


class Answers:
    """Gives one answer after the other, the last for ever; keeps the requests."""

    def __init__(self, *answers: Any) -> None:
        self.requests: list[httpx2.Request] = []
        self._answers = list(answers)

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Exception):
            raise answer
        status, body = answer
        return httpx2.Response(status, json=body, headers={"Retry-After": "1"})

    def bodies(self) -> list[Any]:
        return [json.loads(request.content) for request in self.requests]


def client(answers: Callable[[httpx2.Request], httpx2.Response]) -> DemoClient:
    return DemoClient("http://api/", "t", transport=httpx2.MockTransport(answers))


async def test_scores_go_to_the_gateway_that_the_api_names() -> None:
    answers = Answers((200, {"gateway": "http://gate:8001/", "live": "ws://gate:8001/v1/live"}), (202, {}))
    demo = client(answers)
    assert await demo.find_gateway() == "http://gate:8001"
    assert demo.live == "ws://gate:8001/v1/live"
    await demo.score("7", RESULTS[:1])
    assert [str(request.url) for request in answers.requests] == [
        "http://api/v1",
        "http://gate:8001/v1/tournaments/7/scores",
    ]
    assert answers.requests[1].headers["authorization"] == "Bearer t"
    assert json.loads(answers.requests[1].content) == {"event_id": "e", "user_id": "1", "score": 1.0}


async def test_what_passes_is_repeated_and_carries_the_same_body() -> None:
    answers = Answers((503, {}), httpx2.ReadTimeout("lost"), (429, {}), (500, {}), (202, {}))
    await client(answers).score("7", RESULTS[:1])
    assert len(answers.requests) == 5
    assert all(body == answers.bodies()[0] for body in answers.bodies())


async def test_a_refusal_is_an_error_at_once() -> None:
    answers = Answers((403, {"code": "not_yours"}))
    with pytest.raises(DemoError, match=r"POST http://api/v1/tournaments/7/scores: 403 .*not_yours"):
        await client(answers).score("7", RESULTS[:1])
    assert len(answers.requests) == 1


async def test_patience_ends() -> None:
    with pytest.raises(DemoError, match=r"no success for .* the last answer was 503"):
        await client(Answers((503, {}))).score("7", RESULTS[:1])


async def test_only_the_rejected_scores_of_a_batch_are_sent_again() -> None:
    answers = Answers(
        (202, {"accepted": 1, "rejected": [{"index": 1, "code": "busy"}, {"index": 2, "code": "busy"}]}),
        (202, {"accepted": 2, "rejected": []}),
    )
    await client(answers).score("7", RESULTS)
    assert [[score["user_id"] for score in body] for body in answers.bodies()] == [["1", "2", "3"], ["2", "3"]]
    assert all(score["tournament_id"] == "7" for body in answers.bodies() for score in body)


async def test_a_batch_that_stays_rejected_is_an_error() -> None:
    answers = Answers(
        (202, {"accepted": 2, "rejected": [{"index": 1, "code": "unknown"}]}),
        (202, {"rejected": [{"index": 0, "code": "unknown"}]}),
    )
    with pytest.raises(DemoError, match="got unknown for 1"):
        await client(answers).score("7", RESULTS)


async def test_a_join_is_done_once_it_is_in_the_log() -> None:
    answers = Answers((202, {"offset": None}), (202, {"offset": 5}))
    assert await client(answers).join("7", 1, "Pupil 1")
    assert len(answers.requests) == 2
    assert answers.requests[0].headers["prefer"] == "wait=0"


async def test_a_closed_tournament_takes_nobody_and_a_full_one_is_an_error() -> None:
    assert not await client(Answers((409, {"code": "registration_closed"}))).join("7", 1, "Pupil 1")
    with pytest.raises(DemoError, match="tournament_full"):
        await client(Answers((409, {"code": "tournament_full"}))).join("7", 1, "Pupil 1")


async def test_postponing_what_is_over_is_told_and_ending_it_is_no_error() -> None:
    assert await client(Answers((200, {}))).postpone("7", "2026-05-01T09:00:00.000Z")
    assert not await client(Answers((409, {"code": "already_over"}))).postpone("7", "2026-05-01T09:00:00.000Z")
    await client(Answers((409, {"code": "not_running"}))).end("7")


async def test_the_table_is_read_to_its_last_page() -> None:
    answers = Answers(
        (200, {"rows": [{"rank": 1, "user_id": "4", "score": 2.52}], "next_cursor": "1"}),
        (200, {"rows": [{"rank": 2, "user_id": "9", "score": -1}], "next_cursor": None}),
    )
    assert await client(answers).rows("7") == [Row(1, 4, 252), Row(2, 9, -100)]
    assert [request.url.params.get("cursor") for request in answers.requests] == [None, "1"]


async def test_an_address_that_is_not_palios_is_said() -> None:
    with pytest.raises(DemoError, match="expected Palio's answer"):
        await client(Answers((200, {"hello": "world"}))).find_gateway()
