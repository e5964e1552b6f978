"""A call is repeated when that may help, no longer than the patience, and not before the server wants it."""

from types import SimpleNamespace

import httpx2
import pytest

from scripts.client.palio_client import NoAnswerError, NotFoundError, NotPalioError, transport
from scripts.client.palio_client.transport import Token, Transport, pauses
from tests.support.scripted_http import Answers, Given, refusal

GOOD = Given(200, {"it": "is"})


@pytest.fixture(autouse=True)
def slept_s(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long it waited, without waiting."""
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr(transport, "asyncio", SimpleNamespace(sleep=sleep))
    return slept


def calls(answers: Answers, token: Token = "t", retry_for_s: float = 60.0) -> Transport:
    return Transport(token, 1.0, retry_for_s, answers.transport)


async def test_what_may_pass_is_repeated_unchanged(slept_s: list[float]) -> None:
    answers = Answers(Given(503), httpx2.ReadTimeout("lost"), Given(500), Given(408), httpx2.ConnectError("no"), GOOD)
    assert await calls(answers).call("POST", "http://gate/x", content=b'{"a":1}', headers={"k": "v"}) == b'{"it":"is"}'
    assert len(answers.requests) == 6
    assert {(request.content, request.headers["k"]) for request in answers.requests} == {(b'{"a":1}', "v")}
    assert len(slept_s) == 5
    for waited_s, longest_s in zip(slept_s, (0.1, 0.2, 0.4, 0.8, 1.6), strict=True):
        assert longest_s / 2 <= waited_s <= longest_s


async def test_it_stays_away_as_long_as_the_server_says(slept_s: list[float]) -> None:
    answers = Answers(
        refusal(429, "rate_limited", **{"Retry-After": "7"}), Given(503, headers={"Retry-After": "3"}), GOOD
    )
    await calls(answers).call("GET", "http://gate/x")
    assert slept_s == [7, 3]


async def test_patience_ends_and_the_last_answer_is_told() -> None:
    with pytest.raises(NoAnswerError, match="GET http://gate/x: no success within 5 s") as raised:
        await calls(Answers(refusal(429, "rate_limited", **{"Retry-After": "9"})), retry_for_s=5).call(
            "GET", "http://gate/x"
        )
    assert "rate_limited" in str(raised.value.__cause__)
    answers = Answers(httpx2.ConnectError("nobody"))
    with pytest.raises(NoAnswerError, match="nobody"):
        await calls(answers, retry_for_s=0).call("GET", "http://gate/x")
    assert len(answers.requests) == 1


async def test_a_refusal_is_an_error_at_once() -> None:
    answers = Answers(refusal(404, "tournament_unknown"))
    with pytest.raises(NotFoundError, match="GET http://gate/x: 404 tournament_unknown: so it is") as raised:
        await calls(answers).call("GET", "http://gate/x")
    assert (raised.value.code, raised.value.repeated, len(answers.requests)) == ("tournament_unknown", False, 1)


@pytest.mark.parametrize(("first", "repeated"), [(httpx2.ReadError("cut"), True), (httpx2.ConnectError("no"), False)])
async def test_a_refusal_after_a_lost_answer_says_so(first: Exception, repeated: bool) -> None:
    with pytest.raises(NotFoundError) as raised:
        await calls(Answers(first, refusal(404, "tournament_unknown"))).call("GET", "http://gate/x")
    assert raised.value.repeated is repeated


async def test_an_expired_token_is_followed_by_a_new_one_once() -> None:
    tokens = iter("abcd")
    answers = Answers(refusal(401, "token_expired"), GOOD)
    await calls(answers, lambda: next(tokens)).call("GET", "http://gate/x")
    assert [request.headers["authorization"] for request in answers.requests] == ["Bearer a", "Bearer b"]
    for token in ("fixed", lambda: "always"):
        answers = Answers(refusal(401, "token_expired"))
        with pytest.raises(Exception, match="token_expired"):
            await calls(answers, token).call("GET", "http://gate/x")
        assert len(answers.requests) == (1 if token == "fixed" else 2)


async def test_an_answer_that_decides_nothing_is_asked_for_again() -> None:
    answers = Answers(Given(202, {}), Given(202, {}), GOOD)
    body = await calls(answers).call("PUT", "http://gate/x", again=lambda status, _: status == 202)
    assert (body, len(answers.requests)) == (b'{"it":"is"}', 3)


async def test_what_is_not_palio_is_said() -> None:
    with pytest.raises(NotPalioError, match="expected Palio's answer, got 404"):
        await calls(Answers(Given(404, {"hello": "world"}))).call("GET", "http://gate/x")


def test_pauses_do_not_grow_for_ever() -> None:
    found = pauses(0.1, 2.0)
    assert all(1.0 <= pause_s <= 2.0 for pause_s in [next(found) for _ in range(40)][5:])
