from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from serve_app.live.limits.bounds import HubLimits
from serve_app.security.auth import make_token
from tests.support.gateway import HANDSHAKE, SECRET, WAIT_S, LiveClient, running_gateway
from tests.support.on_uvloop import event_loop_policy, pytestmark

__all__ = ["event_loop_policy", "pytestmark"]  # they run on uvloop


def code(answer: dict[str, Any]) -> str:
    return str(answer["error"]["code"])


async def send_and_receive(client: LiveClient, message: str | list[str]) -> None:
    await client.socket.send(message)
    await client.receive()


async def test_bad_messages_are_answered_and_the_socket_lives_on() -> None:
    async with running_gateway() as gateway, gateway.client() as client:
        tournament = await gateway.tournament()
        await client.socket.send("{")
        assert (await client.receive())["error"]["code"] == "malformed"
        await client.socket.send(b'{"id":1,"subscribe":"1"}')
        assert await client.receive() == {
            "id": None,
            "error": {"code": "binary_frame", "message": "expected text frames, got a binary one"},
        }
        assert code(await client.ask(dance=True)) == "unknown_message"
        assert code(await client.ask(subscribe="x")) == "malformed"
        assert code(await client.ask(subscribe="77")) == "tournament_unknown"
        assert (await client.ask(unsubscribe="77"))["ok"]
        await client.watch(tournament)


async def test_subscribe_first_then_a_snapshot_and_again_a_fresh_one() -> None:
    async with running_gateway() as gateway, gateway.client() as client:
        tournament = await gateway.tournament(players=1)
        await client.watch(tournament)
        assert [m.get("type", "ok") for m in client.seen] == ["ok", "snapshot"]
        await gateway.score(tournament, 1, 4)
        await client.until_data(tournament, gateway.data(tournament))
        await client.watch(tournament)
        await client.until_data(tournament, gateway.data(tournament))
        await gateway.score(tournament, 1, 5)
        await client.until_data(tournament, gateway.data(tournament))
        assert len(next(iter(gateway.hub.sockets)).subscriptions) == 1
        await client.ask(unsubscribe=tournament)
        await gateway.score(tournament, 1, 6)
        assert (await client.ask(unsubscribe=tournament))["ok"]
        assert client.seen[-1]["ok"]
        assert client.seen[-2]["ok"]  # nothing came in between


@pytest.mark.parametrize(
    "token",
    [
        "nonsense",
        "",
        make_token(SECRET, role="player", user_id=1, ttl_s=10, now_s=1_000_000_000),
        make_token(b"another secret, as long as needed", role="player", user_id=1, ttl_s=60),
        make_token(SECRET, role="player", user_id=1, ttl_s=60, audience="other"),
        "eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIiwicm9sZSI6Im9wZXJhdG9yIiwiYXVkIjoicGFsaW8iLCJleHAiOjk5OTk5OTk5OTl9.",
    ],
    ids=["nonsense", "empty", "expired", "other secret", "other audience", "none"],
)
async def test_bad_tokens_are_unauthorized(token: str) -> None:
    async with running_gateway() as gateway, gateway.client() as client:
        assert code(await client.ask(auth=token)) == "unauthorized"
        tournament = await gateway.tournament(players=1)
        assert code(await client.ask(subscribe=tournament, me=True)) == "unauthorized"
        await client.watch(tournament)


async def test_an_expired_token_ends_private_and_me_and_nothing_else() -> None:
    async with running_gateway() as gateway, gateway.client() as client:
        public, private = await gateway.tournament(players=1), await gateway.tournament(players=1, visibility="private")
        assert (await client.ask(auth=gateway.token(1, ttl_s=1)))["ok"]
        await client.watch(public, me=True)
        await client.watch(private)
        await client.until(lambda m: m.get("type") == "signed_out")
        assert {"tournament": private, "type": "unsubscribed", "reason": "token_expired"} in client.seen
        assert not gateway.hub.topics.by_id[int(public)].me
        await gateway.score(public, 1, 5)
        await gateway.score(private, 1, 5)
        await client.until_data(public, gateway.data(public))
        assert code(await client.ask(subscribe=private)) == "tournament_unknown"
        assert (await client.ask(auth=gateway.token(1)))["ok"]
        await client.watch(private)


async def test_another_user_on_the_same_socket_sees_only_their_own() -> None:
    async with running_gateway() as gateway, gateway.client() as client:
        private = await gateway.tournament(players=1, visibility="private")
        await client.ask(auth=gateway.token(1))
        await client.watch(private)
        assert (await client.ask(auth=gateway.token(1)))["ok"]  # the same again changes nothing
        assert (await client.ask(auth=gateway.token(2)))["ok"]
        assert {"tournament": private, "type": "unsubscribed", "reason": "other_user"} in client.seen


async def test_the_101st_subscription_is_refused_and_10_000_are_no_disconnect() -> None:
    async with running_gateway() as gateway, gateway.client() as client:
        tournaments = [await gateway.tournament() for _ in range(101)]
        for tournament in tournaments[:100]:
            await client.watch(tournament)
        assert code(await client.ask(subscribe=tournaments[100])) == "too_many_subscriptions"
        assert (await client.ask(unsubscribe=tournaments[0]))["ok"]
        await client.watch(tournaments[100])

        async def flood() -> None:
            for number in range(10_000):
                await client.send(id=f"f{number}", subscribe=str(10_000 + number))

        sending = asyncio.create_task(flood())
        for number in range(10_000):
            assert (await client.until(lambda m: "error" in m))["id"] == f"f{number}"
            assert code(client.seen[-1]) == "too_many_subscriptions"
        await sending
        assert (await client.ask(unsubscribe=tournaments[1]))["ok"]


async def test_more_messages_than_allowed_are_errors() -> None:
    async with running_gateway() as gateway, gateway.client() as client:
        codes = set()
        for number in range(600):
            await client.send(id=number, unsubscribe="5")
        for _ in range(600):
            codes.add((await client.receive()).get("error", {}).get("code"))
        assert codes == {None, "rate_limited"}


@pytest.mark.parametrize("size", [16 * 1024 + 1, 1024 * 1024])
async def test_a_frame_too_big_is_1009(size: int) -> None:
    async with running_gateway() as gateway, gateway.client() as client:
        with pytest.raises(ConnectionClosed):
            await send_and_receive(client, "x" * size)
        assert client.socket.close_code == 1009
        async with gateway.client() as another:
            await another.ask(unsubscribe="1")


async def test_a_frame_of_16_kib_is_read() -> None:
    async with running_gateway() as gateway, gateway.client() as client:
        await client.socket.send("x" * 16 * 1024)
        assert code(await client.receive()) == "malformed"


async def test_a_message_in_many_fragments_is_bounded_too() -> None:
    async with running_gateway() as gateway, gateway.client() as client:
        with pytest.raises(ConnectionClosed):
            await send_and_receive(client, ["x" * 1000] * 100)
        assert client.socket.close_code == 1009


async def test_no_more_sockets_than_allowed(caplog: pytest.LogCaptureFixture) -> None:
    limits = HubLimits(check_interval_s=3600, max_sockets=2)
    async with running_gateway(limits) as gateway, gateway.client(), gateway.client() as second:
        with pytest.raises(InvalidStatus) as refused:
            async with gateway.client():
                pass
        assert refused.value.response.status_code == 503
        assert int(refused.value.response.headers["retry-after"]) >= 1
        assert json.loads(refused.value.response.body)["code"] == "too_many_sockets"
        assert not caplog.records
        await second.socket.close()
        async with asyncio.timeout(WAIT_S):
            while gateway.server.sockets == 2:
                await asyncio.sleep(0)
        async with gateway.client() as third:
            await third.ask(unsubscribe="1")


async def test_subprotocols() -> None:
    async with running_gateway() as gateway:
        async with gateway.client() as client:
            assert client.socket.subprotocol == "palio.v1"
        async with gateway.client(subprotocols=["graphql-ws", "palio.v1"]) as client:
            assert client.socket.subprotocol == "palio.v1"
        async with gateway.client(subprotocols=None) as client:
            assert client.socket.subprotocol is None
            await client.ask(unsubscribe="1")
        with pytest.raises(InvalidStatus) as refused:
            async with gateway.client(subprotocols=["graphql-ws"]):
                pass
        assert refused.value.response.status_code == 400
        gateway.live_url = gateway.live_url.replace("/v1/live", "/v1/other")
        with pytest.raises(InvalidStatus) as refused:
            async with gateway.client():
                pass
        assert refused.value.response.status_code == 404


async def test_a_client_that_answers_no_ping_is_closed() -> None:
    async with running_gateway(socket_idle_timeout_s=0.2) as gateway:
        reader, writer = await asyncio.open_connection("127.0.0.1", gateway.server.port)
        writer.write(HANDSHAKE)
        async with asyncio.timeout(WAIT_S):
            received = await reader.read()
        assert received.startswith(b"HTTP/1.1 101")
        assert b"\x89\x04" in received  # a ping
        assert gateway.server.sockets == 0
        writer.close()


async def test_who_leaves_is_forgotten() -> None:
    async with running_gateway() as gateway:
        tournament = await gateway.tournament(players=1)
        async with gateway.client() as client:
            await client.ask(auth=gateway.token(1))
            await client.watch(tournament, me=True)
            client.socket.transport.abort()
            async with asyncio.timeout(WAIT_S):
                while gateway.server.sockets:
                    await asyncio.sleep(0)
        topic = gateway.hub.topics.by_id[int(tournament)]
        assert not topic.watched
        assert not topic.me
        await gateway.score(tournament, 1, 5)
