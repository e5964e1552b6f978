"""Scores on a live socket, over real ones: the rules of the POST, and answers in batches."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from serve_app.live import submissions
from serve_app.security.auth import make_token
from storage.ports import LogOverloadedError, LogUnavailableError
from tests.support.gateway import SECRET, WAIT_S, Gateway, LiveClient, running_gateway
from tests.support.on_uvloop import event_loop_policy, pytestmark

__all__ = ["event_loop_policy", "pytestmark"]  # they run on uvloop


def score(tournament: str, event_id: str = "a", value: float = 5, **more: Any) -> dict[str, Any]:
    return {"tournament": tournament, "event_id": event_id, "score": value, **more}


async def submit(client: LiveClient, tournament: str, *event: Any, **more: Any) -> str:
    """`ok`, or the error's code."""
    answer = await client.ask(submit=score(tournament, *event, **more))
    return "ok" if answer.get("ok") else str(answer["error"]["code"])


async def acknowledged(client: LiveClient, count: int) -> list[int]:
    """The ids of so many submissions, as they are acknowledged."""
    ids: list[int] = []
    while len(ids) < count:
        answer = await client.receive()
        assert answer["ok"], answer
        ids += answer["ids"] if "ids" in answer else [answer["id"]]
    return ids


async def test_a_score_is_in_the_log_when_it_is_acknowledged() -> None:
    async with running_gateway() as gateway, gateway.client() as client:
        tournament = await gateway.tournament(players=1)
        await client.ask(auth=gateway.token(1))
        assert await submit(client, tournament, "a", 912.5) == "ok"
        assert json.loads(gateway.palio.log.calls[-1][0].value) == {
            "type": "score", "event_id": "a", "user_id": "1", "score": 912.5, "v": 1,
        }  # fmt: skip
        assert gateway.data(tournament)["top"][0]["score"] == 912.5
        assert await submit(client, tournament, "a", 912.5) == "ok"  # again: it counts once
        assert gateway.palio.states[int(tournament)].members.attempts[0] == 1


async def test_what_comes_together_is_one_append_and_one_answer() -> None:
    async with running_gateway() as gateway, gateway.client() as client:
        one, two = await gateway.tournament(players=1), await gateway.tournament(players=1)
        await client.ask(auth=gateway.token(1))
        calls = len(gateway.palio.log.calls)
        wire = client.socket.protocol
        for number in range(6):
            message = {"id": number, "submit": score((one, two)[number % 2], f"e{number}", number)}
            wire.send_text(json.dumps(message).encode())
        client.socket.transport.write(b"".join(wire.data_to_send()))
        assert (await client.receive()) == {"ids": [0, 1, 2, 3, 4, 5], "ok": True}
        assert [len(call) for call in gateway.palio.log.calls[calls:]] == [6]
        assert gateway.data(one)["top"][0]["score"] == 4


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"score": 1.005}, "invalid"),
        ({"score": "1"}, "invalid"),
        ({"score": 100_000_000}, "invalid"),
        ({"event_id": ""}, "invalid"),
        ({"event_id": "x" * 65}, "invalid"),
        ({"user_id": "0"}, "invalid"),
        ({"user_id": "2"}, "not_yours"),
        ({"tournament": "77"}, "tournament_unknown"),
        ({"tournament": "x"}, "tournament_unknown"),
        ({"tournament": 7}, "invalid"),
        ({"more": 1}, "invalid"),
    ],
)
async def test_the_rules_are_those_of_the_post(changed: dict[str, Any], code: str) -> None:
    async with running_gateway() as gateway, gateway.client() as client:
        tournament = await gateway.tournament(players=2)
        await client.ask(auth=gateway.token(1))
        calls = len(gateway.palio.log.calls)
        answer = await client.ask(submit={**score(tournament), **changed})
        assert answer["error"]["code"] == code
        assert len(gateway.palio.log.calls) == calls
        if code == "invalid":
            assert next(iter(changed)) in answer["error"]["message"]
        assert await submit(client, tournament) == "ok"


async def test_a_socket_must_have_signed_in() -> None:
    async with running_gateway() as gateway, gateway.client() as client:
        tournament = await gateway.tournament(players=1)
        assert await submit(client, tournament) == "token_missing"
        token = make_token(SECRET, role="player", user_id=1, ttl_s=1)
        await client.ask(auth=token)
        assert await submit(client, tournament) == "ok"
        await client.until(lambda message: message.get("type") == "signed_out")
        assert await submit(client, tournament) == "token_missing"


async def test_a_service_names_the_user_and_an_operator_submits_their_own() -> None:
    async with running_gateway() as gateway, gateway.client() as client:
        tournament = await gateway.tournament(players=1)
        await client.ask(auth=gateway.token(9, "service"))
        assert await submit(client, tournament) == "invalid"
        assert await submit(client, tournament, user_id="1") == "ok"
        await client.ask(auth=gateway.token(9, "operator"))
        assert await submit(client, tournament, user_id="1") == "not_yours"
        assert await submit(client, tournament) == "ok"


async def test_a_private_tournament_takes_those_of_members() -> None:
    async with running_gateway() as gateway, gateway.client() as client:
        private = await gateway.tournament(players=1, visibility="private")
        await client.ask(auth=gateway.token(2))
        assert await submit(client, private) == "tournament_unknown"
        await client.ask(auth=gateway.token(1))
        assert await submit(client, private) == "ok"
        await gateway.leave(private, 1)
        assert await submit(client, private, "b") == "tournament_unknown"


async def test_rates_are_the_callers_wherever_they_call() -> None:
    async with running_gateway(player_rate=1, player_burst=3) as gateway, gateway.client() as client:
        tournament = await gateway.tournament(players=1)
        await client.ask(auth=gateway.token(1))
        for _ in range(3):
            assert await submit(client, tournament) == "ok"
        answer = await client.ask(submit=score(tournament))
        assert (answer["error"]["code"], answer["error"]["retry_after_s"]) == ("rate_limited", 1)
        async with gateway.client() as another:
            await another.ask(auth=gateway.token(1))
            assert await submit(another, tournament) == "rate_limited"


async def test_a_player_has_the_frames_of_every_socket_and_a_service_those_of_its_rate() -> None:
    async with running_gateway() as gateway:
        tournament = await gateway.tournament(players=1)
        for role, limited in (("player", True), ("service", False)):
            async with gateway.client() as client:
                await client.ask(auth=gateway.token(1, role))  # type: ignore[arg-type]
                for number in range(1000):
                    await client.send(id=number, submit=score(tournament, f"{role}{number}", user_id="1"))
                codes: set[str] = set()
                left = 1000
                while left:
                    answer = await client.receive()
                    left -= len(answer.get("ids", [1]))
                    codes.add(answer.get("error", {}).get("code", "ok"))
                assert codes == ({"ok", "rate_limited"} if limited else {"ok"})


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (LogOverloadedError("full"), "log_overloaded"),
        (LogUnavailableError("away"), "log_unavailable"),
        (OSError("a defect"), "internal"),
    ],
)
@pytest.mark.parametrize("at_once", [True, False])
async def test_what_the_log_refuses_is_told(
    error: Exception, code: str, at_once: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running_gateway() as gateway, gateway.client() as client:
        tournament = await gateway.tournament(players=1)
        await client.ask(auth=gateway.token(1))

        def append(*_: Any) -> asyncio.Future[list[int]]:
            if at_once:
                raise error
            future: asyncio.Future[list[int]] = asyncio.get_running_loop().create_future()
            future.set_exception(error)
            return future

        with monkeypatch.context() as patched:
            patched.setattr(gateway.services.appends, "submit", append)
            assert await submit(client, tournament) == code
        assert await submit(client, tournament) == "ok"


async def held_log(gateway: Gateway) -> tuple[asyncio.Event, list[int]]:
    """The log takes nothing until the event; the sizes of the calls that wait for it."""
    release, sizes = asyncio.Event(), []
    append = gateway.palio.log.append

    async def held(records: Any, timeout_s: float = 5.0) -> list[int]:
        sizes.append(len(records))
        await release.wait()
        return await append(records, timeout_s)

    gateway.palio.log.append = lambda *call: asyncio.ensure_future(held(*call))  # type: ignore[method-assign]
    return release, sizes


async def test_only_so_many_are_in_flight(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(submissions, "MAX_IN_FLIGHT", 20)
    async with running_gateway() as gateway, gateway.client() as client:
        tournament = await gateway.tournament(players=1)
        await client.ask(auth=gateway.token(1))
        release, sizes = await held_log(gateway)
        for number in range(100):
            await client.send(id=number, submit=score(tournament, f"e{number}"))
        async with asyncio.timeout(WAIT_S):
            while sum(sizes) < 20:
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        assert 20 <= sum(sizes) <= 20 + submissions_of_a_slice()
        release.set()
        assert await acknowledged(client, 100) == list(range(100))


def submissions_of_a_slice() -> int:
    """A slice that is being parsed is parsed whole."""
    return 1024 // 70 + 1


async def test_who_leaves_gets_no_answer_and_what_was_sent_counts() -> None:
    async with running_gateway() as gateway, gateway.client() as other:
        tournament = await gateway.tournament(players=1)
        release, sizes = await held_log(gateway)
        async with gateway.client() as client:
            await client.ask(auth=gateway.token(1))
            await client.send(id=1, submit=score(tournament))
            async with asyncio.timeout(WAIT_S):
                while not sizes:
                    await asyncio.sleep(0.01)
        release.set()
        async with asyncio.timeout(WAIT_S):
            while not gateway.data(tournament)["top"]:
                await asyncio.sleep(0.01)
        assert (await other.ask(unsubscribe="1"))["ok"]


async def test_messages_are_obeyed_in_their_order() -> None:
    """Also behind one that takes waiting: a token that has to be verified."""
    async with running_gateway() as gateway, gateway.client() as client:
        tournament = await gateway.tournament(players=1)
        await client.send(id=1, auth=gateway.token(1))
        await client.send(id=2, submit=score(tournament))
        await client.send(id=3, unsubscribe="1")
        assert sorted([(await client.receive())["id"] for _ in range(3)]) == [1, 2, 3]
