"""Notices on live sockets: to their user's sockets alone, for as long as they are signed in."""

from __future__ import annotations

import json

from actors.domain.publications import NOTICES_CHANNEL, encode_notices
from tests.support.gateway import Gateway, LiveClient, running_gateway


async def tell(gateway: Gateway, *users: int) -> None:
    await gateway.palio.updates.publish(
        [
            (
                NOTICES_CHANNEL,
                encode_notices([(user, json.dumps({"type": "notice", "to": user}).encode()) for user in users]),
            )
        ]
    )


async def notices(client: LiveClient) -> list[int]:
    """Whose notices came, up to now."""
    await client.ask(unsubscribe="1")  # what was sent before has come by its answer
    return [message["to"] for message in client.seen if message.get("type") == "notice"]


async def test_each_user_gets_their_own_on_all_their_sockets() -> None:
    async with (
        running_gateway() as gateway,
        gateway.client() as one,
        gateway.client() as two,
        gateway.client() as nobody,
    ):
        for client in (one, two):
            await client.ask(auth=gateway.token(1))
        await tell(gateway, 1, 2, 3)
        await one.until(lambda message: message.get("type") == "notice")
        assert await notices(one) == await notices(two) == [1]
        assert await notices(nobody) == []
        await one.ask(auth=gateway.token(2))
        await tell(gateway, 1, 2)
        await one.until(lambda message: message.get("to") == 2)
        assert await notices(one) == [1, 2]
        assert await notices(two) == [1, 1]


async def test_who_is_signed_out_or_gone_gets_none() -> None:
    async with running_gateway() as gateway, gateway.client() as client:
        async with gateway.client() as gone:
            await gone.ask(auth=gateway.token(1))
        await client.ask(auth=gateway.token(1, ttl_s=1))
        await client.until(lambda message: message.get("type") == "signed_out")
        while len(gateway.hub.sockets) > 1:
            await client.ask(unsubscribe="1")
        await tell(gateway, 1)
        assert await notices(client) == []
        assert gateway.hub._by_user == {}
