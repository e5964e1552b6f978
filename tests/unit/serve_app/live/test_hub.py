from __future__ import annotations

import asyncio
import json
import socket
from typing import Any

import pytest

from actors.domain.publications import NOTICES_CHANNEL, changed_channel, update_frame, updates_channel
from serve_app.live.limits.bounds import HubLimits
from serve_app.live.topic import Socket
from serve_app.security.auth import Role
from storage.ports import AccessQuery, Publication
from storage.updates.broker import Broker
from storage.updates.embedded import BrokerUpdates
from tests.support import inprocess
from tests.support.gateway import HANDSHAKE, WAIT_S, Gateway, LiveClient, running_gateway
from tests.support.on_uvloop import event_loop_policy, pytestmark

__all__ = ["event_loop_policy", "pytestmark"]  # they run on uvloop


def transport_of(session: Socket) -> asyncio.WriteTransport:
    transport: asyncio.WriteTransport = session.write.__self__  # type: ignore[attr-defined]  # a method of it
    return transport


async def eventually(condition: Any) -> None:
    async with asyncio.timeout(WAIT_S):
        while not condition():
            await asyncio.sleep(0)


async def test_two_subscribers_see_the_same() -> None:
    async with running_gateway() as gateway, gateway.client() as a, gateway.client() as b:
        tournament = await gateway.tournament(players=30)
        await a.watch(tournament)
        for user in range(1, 11):
            await gateway.score(tournament, user, user * 7 % 31)
        await b.watch(tournament)
        for user in range(1, 31):
            await gateway.score(tournament, user, user * 11 % 37 + 31)
        wanted = gateway.data(tournament)
        await a.until_data(tournament, wanted)
        await b.until_data(tournament, wanted)
        assert a.positions == b.positions == {tournament: (1, gateway.palio.seqs[int(tournament)])}
        assert gateway.palio.owners.calls["live"] == 1  # the second started from what the replica has


async def test_many_subscribers_at_once_make_one_call() -> None:
    async with running_gateway() as gateway:
        tournament = await gateway.tournament(players=1)
        gateway.palio.owners.delay_s = 0.05
        async with asyncio.TaskGroup() as group:
            clients = [gateway.client() for _ in range(20)]
            entered = await asyncio.gather(*(client.__aenter__() for client in clients))
            for client in entered:
                group.create_task(client.watch(tournament))
        assert gateway.palio.owners.calls["live"] == 1
        for each in clients:
            await each.__aexit__(None, None, None)


async def test_a_gap_is_healed_by_what_was_missed() -> None:
    async with running_gateway() as gateway, gateway.client() as a:
        tournament = await gateway.tournament(players=3)
        await a.watch(tournament)
        await gateway.score(tournament, 1, 1)
        lose(gateway)
        await gateway.score(tournament, 2, 2)
        find(gateway)
        await gateway.score(tournament, 3, 3)
        await a.until_data(tournament, gateway.data(tournament))
        assert [m["type"] for m in a.seen if "type" in m] == ["snapshot", "update", "update", "update"]


async def test_a_gap_beyond_what_owners_keep_is_healed_by_a_snapshot() -> None:
    async with running_gateway() as gateway, gateway.client() as a:
        tournament = await gateway.tournament(players=3)
        await a.watch(tournament)
        lose(gateway)
        for score in range(1, 40):
            await gateway.score(tournament, 2, score)
        find(gateway)
        await gateway.score(tournament, 3, 3)
        await a.until_data(tournament, gateway.data(tournament))
        assert a.seen[-1]["type"] in ("snapshot", "update")
        assert [m["type"] for m in a.seen if "type" in m][:2] == ["snapshot", "snapshot"]


async def test_announced_loss_and_a_broken_broker_are_healed() -> None:
    async with running_gateway() as gateway, gateway.client() as a:
        tournament = await gateway.tournament(players=3)
        await a.watch(tournament)
        lose(gateway)
        await gateway.score(tournament, 1, 5)
        for subscription in gateway.palio.updates._subscriptions:
            subscription._kept.append(Publication("", b"", lost=True))
            subscription._some.set()
        await a.until_data(tournament, gateway.data(tournament))
        find(gateway)
        gateway.palio.updates.broken = True
        await gateway.score(tournament, 2, 6)
        await eventually(lambda: gateway.hub.feed.restarts > 0)
        gateway.palio.updates.broken = False
        await a.until_data(tournament, gateway.data(tournament))
        await gateway.score(tournament, 3, 7)
        await a.until_data(tournament, gateway.data(tournament))


async def test_over_the_embedded_broker_and_its_restart() -> None:
    broker = Replaceable()
    async with running_gateway(updates=BrokerUpdates(broker.call)) as gateway, gateway.client() as a:
        tournament = await gateway.tournament(players=3)
        await a.ask(auth=gateway.token(1))
        await a.watch(tournament, me=True)
        await gateway.score(tournament, 1, 5)
        await a.until(lambda m: m["type"] == "me" and m["rank"] == 1)
        await a.until_data(tournament, gateway.data(tournament))
        broker.replace()
        await gateway.score(tournament, 2, 6)  # nobody hears of it
        await a.until_data(tournament, gateway.data(tournament))
        await gateway.score(tournament, 3, 7)
        await a.until_data(tournament, gateway.data(tournament))


async def test_a_lost_last_update_is_found_by_the_check() -> None:
    async with running_gateway() as gateway, gateway.client() as a:
        tournament = await gateway.tournament(players=3)
        await a.watch(tournament)
        lose(gateway)
        await gateway.score(tournament, 1, 5)
        find(gateway)
        await gateway.hub.check()
        await a.until_data(tournament, gateway.data(tournament))
        calls = gateway.palio.owners.calls["live"]
        await gateway.hub.check()
        assert gateway.palio.owners.calls["live"] == calls  # in step: nothing to fetch


async def test_a_new_epoch_is_a_snapshot_for_all_and_the_old_owner_is_not_heard(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with running_gateway() as gateway, gateway.client() as a, gateway.client() as b:
        tournament = await gateway.tournament(players=3)
        await a.watch(tournament)
        await b.watch(tournament)
        await gateway.score(tournament, 1, 5)
        monkeypatch.setattr(inprocess, "EPOCH", 7)
        gateway.palio.seqs[int(tournament)] = 0
        gateway.palio.recent.clear()
        await gateway.score(tournament, 2, 6)
        for client in (a, b):
            await client.until_data(tournament, gateway.data(tournament))
            assert client.positions[tournament] == (7, 1)
        stale = update_frame(int(tournament), 1, 2, b'[{"op":"replace","path":"/status","value":"stale"}]')
        await gateway.palio.updates.publish([(updates_channel(int(tournament)), stale)])
        await gateway.score(tournament, 3, 7)
        for client in (a, b):
            await client.until_data(tournament, gateway.data(tournament))
            assert all(m["epoch"] == 7 for m in client.seen[-1:])
            assert "stale" not in json.dumps(client.seen)


async def test_updates_during_the_fetch_are_neither_lost_nor_doubled() -> None:
    async with running_gateway() as gateway, gateway.client() as a:
        tournament = await gateway.tournament(players=5)
        gateway.palio.owners.delay_s = 0.05
        await a.send(id=1, subscribe=tournament)
        await eventually(lambda: gateway.palio.owners.calls.get("live"))
        gateway.palio.owners.delay_s = 0.0
        for user in range(1, 6):
            await gateway.score(tournament, user, user)
        await a.until_data(tournament, gateway.data(tournament))


async def test_since_is_answered_with_what_was_missed() -> None:
    async with running_gateway() as gateway:
        tournament = await gateway.tournament(players=9)
        async with gateway.client() as a:
            await a.watch(tournament)
            await gateway.score(tournament, 1, 1)
            await a.until_data(tournament, gateway.data(tournament))
        for user in range(2, 6):
            await gateway.score(tournament, user, user)
        epoch, seq = a.positions[tournament]
        for _ in range(2):  # from the hub's ring, and (the topic forgotten) from the owner's
            async with gateway.client() as b:
                b.data[tournament], b.positions[tournament] = dict(a.data[tournament]), (epoch, seq)
                assert (await b.ask(subscribe=tournament, since={"epoch": epoch, "seq": seq}))["ok"]
                await b.until_data(tournament, gateway.data(tournament))
                assert {m["type"] for m in b.seen if "type" in m} == {"update"}
            gateway.hub.topics.drop(gateway.hub.topics.by_id[int(tournament)])


@pytest.mark.parametrize("since", [{"epoch": 1, "seq": 10_000}, {"epoch": 0, "seq": 3}, {"epoch": 1, "seq": -5}])
async def test_since_that_cannot_be_answered_gets_a_snapshot(since: dict[str, int]) -> None:
    async with running_gateway() as gateway, gateway.client() as a:
        tournament = await gateway.tournament(players=2)
        await a.watch(tournament, since=since)
        assert a.data[tournament] == gateway.data(tournament)


async def test_a_slow_client_is_conflated_and_then_gets_the_newest() -> None:
    async with running_gateway(socket_buffer_bytes=32 * 1024) as gateway, gateway.client() as quick:
        tournament = await gateway.tournament(players=20)
        await quick.watch(tournament)
        slow = await raw_client(gateway, tournament)
        await eventually(lambda: gateway.server.sockets == 2)
        session = next(
            s
            for s in gateway.hub.sockets
            if s.paused or transport_of(s).get_extra_info("peername") == slow.getsockname()
        )
        written = 0
        while not session.paused:
            written += 1
            await gateway.scores(tournament, {user: written * 20 + user * 7 % 20 for user in range(1, 21)})
            await quick.until_data(tournament, gateway.data(tournament))
            assert written < 5_000
        held = transport_of(session).get_write_buffer_size()
        for more in range(50):  # nothing more is queued for it
            await gateway.score(tournament, 1 + more % 20, 1_000_000 + more)
        await quick.until_data(tournament, gateway.data(tournament))
        assert transport_of(session).get_write_buffer_size() <= held < 64 * 1024
        reader, writer = await asyncio.open_connection(sock=slow)
        frames: list[dict[str, Any]] = []
        async with asyncio.timeout(WAIT_S):
            while not frames or frames[-1].get("data") != gateway.data(tournament):
                frames.append(await read_frame(reader))
        assert frames[-1]["type"] == "snapshot"
        await gateway.score(tournament, 3, 9_999_999)
        async with asyncio.timeout(WAIT_S):
            assert (await read_frame(reader))["type"] == "update"
        writer.close()


async def test_a_client_that_stays_slow_is_closed() -> None:
    limits = HubLimits(check_interval_s=3600, slow_timeout_s=0.05)
    async with running_gateway(limits, socket_buffer_bytes=16 * 1024) as gateway:
        tournament = await gateway.tournament(players=20)
        slow = await raw_client(gateway, tournament)
        await eventually(lambda: gateway.server.sockets == 1)
        topic = gateway.hub.topics.by_id[int(tournament)]
        for score in range(1, 5_000):
            await gateway.scores(tournament, {user: score * 20 + user * 7 % 20 for user in range(1, 21)})
            await eventually(lambda: topic.position == gateway.palio.position(int(tournament)) or not topic.watched)
            if not topic.live:
                break
        await eventually(lambda: gateway.server.sockets == 0)
        reader, writer = await asyncio.open_connection(sock=slow)
        async with asyncio.timeout(WAIT_S):
            while not isinstance(frame := await read_frame(reader), int):
                pass
        assert frame == 4001
        writer.close()


async def test_an_owner_that_is_away_does_not_disconnect() -> None:
    async with running_gateway() as gateway, gateway.client() as a:
        tournament = await gateway.tournament(players=3)
        await gateway.score(tournament, 1, 1)
        gateway.palio.owners.down = True
        gateway.palio.read_model.holds = True
        await a.watch(tournament)  # from the read model
        assert a.data[tournament] == gateway.data(tournament)
        gateway.palio.owners.down = False
        await a.until(lambda m: m["type"] == "snapshot")
        await gateway.score(tournament, 2, 2)
        await a.until_data(tournament, gateway.data(tournament))


async def test_without_a_read_model_the_snapshot_comes_later() -> None:
    async with running_gateway() as gateway, gateway.client() as a:
        tournament = await gateway.tournament(players=3)
        gateway.palio.owners.down = True
        assert (await a.ask(subscribe=tournament))["ok"]
        gateway.palio.owners.down = False
        await a.until_data(tournament, gateway.data(tournament))
        gateway.palio.owners.down = True
        async with gateway.client() as b:
            await b.watch(tournament)  # kept by the replica: needs nobody
        gateway.palio.owners.down = False
        assert (await a.ask(subscribe="12345"))["error"]["code"] == "tournament_unknown"


async def test_me_at_once_and_by_the_regular_check() -> None:
    async with running_gateway() as gateway, gateway.client() as a, gateway.client() as other:
        tournament = await gateway.tournament(players=3)
        assert (await a.ask(auth=gateway.token(1)))["ok"]
        assert (await other.ask(auth=gateway.token(2)))["ok"]
        await a.watch(tournament, me=True)
        first = await a.until(lambda m: m["type"] == "me")
        assert first == {
            "type": "me",
            "tournament": tournament,
            "rank": None,
            "previous_rank": None,
            "score": None,
            "percentile": None,
        }
        await other.watch(tournament, me=True)
        await other.until(lambda m: m["type"] == "me")
        await gateway.score(tournament, 1, 10.5)
        mine = await a.until(lambda m: m["type"] == "me")
        assert (mine["rank"], mine["previous_rank"], mine["score"]) == (1, None, 10.5)
        await gateway.score(tournament, 2, 20)
        assert (await other.until(lambda m: m["type"] == "me"))["rank"] == 1
        await gateway.hub.check()
        mine = await a.until(lambda m: m["type"] == "me")
        assert (mine["rank"], mine["previous_rank"]) == (2, 1)
        await gateway.hub.check()
        await gateway.hub.check()
        assert (await a.ask(unsubscribe=tournament))["ok"]
        assert [m.get("type") for m in a.seen[a.seen.index(mine) :]].count("me") == 1  # unchanged: not sent again
        assert [m["rank"] for m in other.seen if m.get("type") == "me"] == [None, 1]


async def test_changes_are_heard_only_while_somebody_wants_me() -> None:
    async with running_gateway() as gateway, gateway.client() as a:
        tournament = await gateway.tournament(players=1)
        [subscription] = [
            s for s in gateway.palio.updates._subscriptions if not any(c.startswith("replies") for c in s.channels)
        ]
        changed = f"tournament:{{{tournament}}}:changed"
        await a.watch(tournament)
        assert changed not in subscription.channels
        await a.ask(auth=gateway.token(1))
        await a.ask(subscribe=tournament, me=True)
        await eventually(lambda: changed in subscription.channels)
        await a.ask(unsubscribe=tournament)
        await eventually(lambda: changed not in subscription.channels)


async def test_private_tournaments_are_for_members() -> None:
    async with (
        running_gateway() as gateway,
        gateway.client() as member,
        gateway.client() as stranger,
        gateway.client() as operator,
    ):
        tournament = await gateway.tournament(visibility="private", players=0)
        await gateway.join(tournament, 5)
        assert (await stranger.ask(subscribe=tournament))["error"]["code"] == "tournament_unknown"
        await stranger.ask(auth=gateway.token(6))
        assert (await stranger.ask(subscribe=tournament))["error"]["code"] == "tournament_unknown"
        await member.ask(auth=gateway.token(5))
        await member.watch(tournament)
        await operator.ask(auth=gateway.token(9, "operator"))
        await operator.watch(tournament)
        await gateway.score(tournament, 5, 3)
        await member.until_data(tournament, gateway.data(tournament))
        await gateway.hub.check()
        await gateway.leave(tournament, 5)
        ended = await member.until(lambda m: m.get("type") == "unsubscribed")
        assert ended == {"tournament": tournament, "type": "unsubscribed", "reason": "not_allowed"}
        assert (await member.ask(subscribe=tournament))["error"]["code"] == "tournament_unknown"
        await operator.until_data(tournament, gateway.data(tournament))


@pytest.mark.parametrize("holds", [False, True])
@pytest.mark.parametrize("user", [None, 6])
async def test_a_hidden_tournament_is_as_an_unknown_one_while_its_owner_is_away(user: int | None, holds: bool) -> None:
    """It was refused by what is kept of it, and an unknown one waited."""
    async with running_gateway() as gateway, gateway.client() as stranger, gateway.client() as member:
        hidden = await gateway.tournament(visibility="private")
        await gateway.join(hidden, 5)
        if user is not None:
            await stranger.ask(auth=gateway.token(user))
        await member.ask(auth=gateway.token(5))
        gateway.palio.owners.down, gateway.palio.read_model.holds = True, holds
        heard = []
        for number, tournament in enumerate((hidden, "77")):
            await stranger.send(id=number, subscribe=tournament)
            if holds:
                await member.ask(subscribe=hidden)
                await member.until(lambda m: m.get("type") == "snapshot")  # what is kept has been looked at
                await member.ask(unsubscribe=hidden)
            heard.append(await stranger.receive())
        assert heard == [{"id": 0, "ok": True}, {"id": 1, "ok": True}]
        gateway.palio.owners.down = False
        ends = [await stranger.receive() for _ in heard]
        assert {end["tournament"] for end in ends} == {hidden, "77"}
        assert ends[0].keys() == ends[1].keys()
        assert {end["type"] for end in ends} == {"unsubscribed"}
        assert len({end["reason"] for end in ends}) == 1


async def test_a_private_tournament_asks_the_owner_for_each_subscription() -> None:
    async with running_gateway() as gateway, gateway.client() as first, gateway.client() as second:
        tournament = await gateway.tournament(visibility="private", players=5)
        await first.ask(auth=gateway.token(5))
        await first.watch(tournament)
        gateway.hub.members.changed = lambda topic, users: None  # type: ignore[method-assign]
        await gateway.leave(tournament, 5)
        await second.ask(auth=gateway.token(5))
        assert (await second.ask(subscribe=tournament))["error"]["code"] == "tournament_unknown"
        await gateway.hub.check()  # which finds what was not heard of
        assert (await first.until(lambda m: m.get("type") == "unsubscribed"))["reason"] == "not_allowed"


async def test_who_is_removed_while_being_admitted_is_not_kept() -> None:
    async with running_gateway() as gateway, gateway.client() as member:
        tournament = await gateway.tournament(visibility="private", players=5)
        await member.ask(auth=gateway.token(5))
        answered, released = asyncio.Event(), asyncio.Event()
        read = gateway.palio.owners.read

        async def slow(tournament_id: int, query: Any) -> Any:
            answer = await read(tournament_id, query)
            if isinstance(query, AccessQuery) and not answered.is_set():
                answered.set()
                await released.wait()
            return answer

        gateway.palio.owners.read = slow  # type: ignore[method-assign]
        await member.send(id=1, subscribe=tournament)
        await asyncio.wait_for(answered.wait(), WAIT_S)
        await gateway.leave(tournament, 5)
        told = await member.receive()
        assert told["error"]["code"] == "tournament_unknown"
        released.set()
        assert (await member.ask(subscribe=tournament))["error"]["code"] == "tournament_unknown"


async def test_anyone_may_have_left_when_changes_are_lost() -> None:
    async with running_gateway() as gateway, gateway.client() as member:
        tournament = await gateway.tournament(visibility="private", players=5)
        await member.ask(auth=gateway.token(5))
        await member.watch(tournament)
        updates = changed_channel(int(tournament))
        gateway.hub.feed.unwatch(updates)  # the broker drops it
        await gateway.leave(tournament, 5)
        gateway.hub._deliver(Publication(updates, b"", lost=True))
        assert (await member.until(lambda m: m.get("type") == "unsubscribed"))["reason"] == "not_allowed"


@pytest.mark.parametrize("role", ["service", "operator"])
async def test_signing_in_with_fewer_rights_ends_what_they_gave(role: Role) -> None:
    async with running_gateway() as gateway, gateway.client() as client:
        public = await gateway.tournament(players=1)
        theirs, others = [await gateway.tournament(visibility="private", players=n) for n in (5, 1)]
        await client.ask(auth=gateway.token(5, role))
        for tournament in (public, theirs, others):
            await client.watch(tournament)
        await client.ask(auth=gateway.token(5, role))  # the same again ends nothing
        assert len(next(iter(gateway.hub.sockets)).subscriptions) == 3
        assert (await client.ask(auth=gateway.token(5)))["ok"]
        ended = [m for m in client.seen if m.get("type") == "unsubscribed"]
        assert [(m["tournament"], m["reason"]) for m in ended] == [(each, "not_allowed") for each in (theirs, others)]
        assert list(next(iter(gateway.hub.sockets)).subscriptions) == [int(public)]
        await client.watch(theirs)  # as the member they are
        assert (await client.ask(subscribe=others))["error"]["code"] == "tournament_unknown"


async def test_idle_topics_are_dropped_and_the_number_is_bounded() -> None:
    limits = HubLimits(check_interval_s=3600, keep_s=0, max_topics=2)
    async with running_gateway(limits) as gateway, gateway.client() as a:
        first, second, third = [await gateway.tournament() for _ in range(3)]
        await a.watch(first)
        await a.watch(second)
        assert (await a.ask(subscribe=third))["error"]["code"] == "overloaded"
        await a.ask(unsubscribe=first)
        await a.watch(third)  # in the place of the one that nobody watches
        await a.ask(unsubscribe=third)
        await gateway.hub.check()
        assert list(gateway.hub.topics.by_id) == [int(second)]
        [subscription] = [
            s for s in gateway.palio.updates._subscriptions if not any(c.startswith("replies") for c in s.channels)
        ]
        await eventually(lambda: subscription.channels == {NOTICES_CHANNEL, updates_channel(int(second))})


async def test_drain_tells_everyone_when_to_come_back() -> None:
    async with running_gateway() as gateway:
        clients = [gateway.client() for _ in range(20)]
        entered: list[LiveClient] = [await client.__aenter__() for client in clients]
        tournament = await gateway.tournament()
        await asyncio.gather(*(client.watch(tournament) for client in entered))
        await gateway.server.drain(0.1)
        waits = set()
        for client in entered:
            await client.socket.wait_closed()
            assert client.socket.close_code == 4000
            waits.add(json.loads(client.socket.close_reason or "")["retry_after_ms"])
        assert len(waits) > 10
        assert min(waits) >= 500
        assert gateway.server.sockets == 0
        for each in clients:
            await each.__aexit__(None, None, None)


class Replaceable:
    """A broker that comes back empty after `replace`, as one that was restarted."""

    def __init__(self) -> None:
        self._broker = Broker()

    def replace(self) -> None:
        self._broker = Broker()

    async def call(self, method: str, *args: Any) -> Any:
        return await self._broker.call(method, *args)


def lose(gateway: Gateway) -> None:
    """From now on the broker drops updates."""
    for subscription in gateway.palio.updates._subscriptions:
        subscription.offer = lambda publication: None  # type: ignore[method-assign]


def find(gateway: Gateway) -> None:
    for subscription in gateway.palio.updates._subscriptions:
        del subscription.offer


async def raw_client(gateway: Gateway, tournament: str) -> socket.socket:
    """A live client that subscribes and then reads nothing, with a small receive buffer."""
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    raw.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(raw, ("127.0.0.1", gateway.server.port))
    await loop.sock_sendall(raw, HANDSHAKE)
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += await loop.sock_recv(raw, 1)
    assert head.startswith(b"HTTP/1.1 101")
    payload = json.dumps({"id": 1, "subscribe": tournament}).encode()
    await loop.sock_sendall(raw, bytes([0x81, 0x80 | len(payload), 0, 0, 0, 0]) + payload)
    await eventually(
        lambda: int(tournament) in gateway.hub.topics.by_id and gateway.hub.topics.by_id[int(tournament)].synced
    )
    return raw


async def read_frame(reader: asyncio.StreamReader) -> Any:
    """The next text frame's JSON, or the code of a close frame."""
    first, second = await reader.readexactly(2)
    size = second & 127
    if size == 126:
        size = int.from_bytes(await reader.readexactly(2))
    payload = await reader.readexactly(size)
    return int.from_bytes(payload[:2]) if first & 15 == 8 else json.loads(payload)
