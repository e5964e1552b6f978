"""The live connection against a server that does what a healthy Palio seldom does: drops, close codes, gaps, refusals, lost acknowledgements."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any

import pytest
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.http11 import Request, Response

from scripts.client.palio_client import Live, LiveClosedError, LiveError, NoAnswerError, Subscription, live
from scripts.client.palio_client.live import Board, LiveData, LiveRow
from scripts.client.palio_client.results import Gateway
from scripts.client.palio_client.transport import Token, Transport

DATA = {
    "status": "running",
    "participants": 1,
    "starts_at": "2026-05-01T09:00:00.000Z",
    "ends_at": None,
    "ties": "first",
    "top": [{"user_id": "1", "name": "Ann", "score": 5}],
}


class Connection:
    """One socket at the server: `ask` is the next message, `tell` sends one."""

    def __init__(self, socket: ServerConnection) -> None:
        self.socket = socket

    async def ask(self) -> dict[str, Any]:
        message: dict[str, Any] = json.loads(await self.socket.recv())
        return message

    async def tell(self, **message: Any) -> None:
        await self.socket.send(json.dumps(message))

    async def grant(self) -> dict[str, Any]:
        message = await self.ask()
        await self.tell(id=message["id"], ok=True)
        return message

    async def snapshot(self, seq: int = 0, epoch: int = 1, **data: Any) -> None:
        await self.tell(tournament="7", type="snapshot", epoch=epoch, seq=seq, data={**DATA, **data})

    async def update(self, seq: int, participants: int, epoch: int = 1) -> None:
        patch = [{"op": "replace", "path": "/participants", "value": participants}]
        await self.tell(tournament="7", type="update", epoch=epoch, seq=seq, patch=patch)


Script = Callable[[Connection], Awaitable[None]]


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "FIRST_PAUSE_S", 0.001)
    monkeypatch.setattr(live, "LONGEST_PAUSE_S", 0.002)


@asynccontextmanager
async def following(
    *scripts: Script, token: Token = None, retry_for_s: float = 20.0, refuse: list[Response] | None = None
) -> AsyncIterator[tuple[Live, Server]]:
    """A live connection to a server that plays one script a socket; the last one stays open. Fails where a script failed."""
    failures: list[BaseException] = []
    waiting = list(scripts)

    async def play(socket: ServerConnection) -> None:
        if not waiting:  # the scripts have failed
            return
        try:
            await waiting.pop(0)(Connection(socket))
            if not waiting:
                await socket.wait_closed()
        except AssertionError as failure:
            failures.append(failure)

    def handshake(_: ServerConnection, __: Request) -> Response | None:
        return refuse.pop(0) if refuse else None

    async with serve(play, "127.0.0.1", 0, process_request=handshake, subprotocols=[live.SUBPROTOCOL]) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        found = Gateway(gateway="", live=f"ws://127.0.0.1:{port}/v1/live", version="1", demo=False, time=0)

        async def gateway() -> Gateway:
            return found

        async with asyncio.timeout(10), Live(gateway, Transport(token, 5, 5), retry_for_s) as connection:
            yield connection, server
    if failures:
        raise failures[0]


async def until(subscription: Subscription, participants: int) -> Board:
    async for board in subscription:
        if board.data.participants == participants:
            return board
    raise AssertionError("it ended")


async def test_a_table_is_followed_and_ends_with_the_tournament() -> None:
    async def script(server: Connection) -> None:
        assert await server.grant() == {"id": 1, "subscribe": "7"}
        await server.snapshot(4)
        await server.update(5, 2)
        await server.update(5, 99)  # seen already
        patch = [{"op": "replace", "path": "/status", "value": "finished"}]
        await server.tell(tournament="7", type="update", epoch=1, seq=6, patch=patch)

    async with following(script) as (connection, _):
        subscription = await connection.subscribe("7")
        boards = [board async for board in subscription]
    assert (boards[-1].over, boards[-1].data.participants, boards[-1].seq) == (True, 2, 6)
    assert boards[-1].data.top[0].name == "Ann"
    assert [board.seq for board in boards] == sorted({board.seq for board in boards})
    with pytest.raises(LiveClosedError, match="was closed"):
        await connection.subscribe("8")


@pytest.mark.parametrize("reason", ['{"retry_after_ms": 30}', "", "words", '{"else": 1}'])
async def test_it_comes_back_and_goes_on_from_where_it_was(reason: str) -> None:
    async def first(server: Connection) -> None:
        await server.grant()
        await server.snapshot(4)
        await server.update(5, 2)
        await server.socket.close(4000, reason)

    async def second(server: Connection) -> None:
        assert (await server.grant())["since"] == {"epoch": 1, "seq": 5}
        await server.update(6, 3)

    async with following(first, second) as (connection, _):
        subscription = await connection.subscribe("7")
        board = await until(subscription, 3)
        assert (board.connected, subscription.resumed, subscription.gaps, connection.connections) == (True, 1, 0, 2)


async def test_while_it_is_away_the_last_board_is_shown_as_such() -> None:
    back = asyncio.Event()

    async def first(server: Connection) -> None:
        await server.grant()
        await server.snapshot(4)
        server.socket.transport.abort()  # without a close frame

    async def second(server: Connection) -> None:
        await back.wait()
        await server.grant()

    async with following(first, second) as (connection, _):
        subscription = await connection.subscribe("7")
        async for board in subscription:
            if not board.connected:
                break
        assert board.data.participants == 1
        back.set()
        async for board in subscription:
            if board.connected:
                break
        assert (board.data.participants, subscription.resumed) == (1, 0)  # nothing was missed


async def test_a_gap_means_to_subscribe_again() -> None:
    async def script(server: Connection) -> None:
        await server.grant()
        await server.snapshot(4)
        await server.update(6, 99)
        assert await server.grant() == {"id": 2, "subscribe": "7"}
        await server.update(7, 98)  # without its snapshot it means nothing
        await server.snapshot(7, participants=3)

    async with following(script) as (connection, _):
        subscription = await connection.subscribe("7")
        assert (await until(subscription, 3)).seq == 7
        assert subscription.gaps == 1


@pytest.mark.parametrize("code", [1009, 1002, 1007, 4500, 4999])
async def test_a_close_that_says_do_not_come_back_ends_all(code: int) -> None:
    async def script(server: Connection) -> None:
        await server.grant()
        await server.snapshot(4)
        await server.ask()  # a submission, never answered
        await server.socket.close(code, "no")

    async with following(script) as (connection, _):
        subscription = await connection.subscribe("7")
        with pytest.raises(LiveClosedError, match=str(code)):
            await connection.submit("7", 5)
        with pytest.raises(LiveClosedError, match=str(code)):
            await until(subscription, 99)
        with pytest.raises(LiveClosedError, match=str(code)):
            await connection.subscribe("8")


async def test_a_refused_handshake_is_tried_again_or_is_the_end() -> None:
    busy = Response(HTTPStatus.SERVICE_UNAVAILABLE, "", Headers({"Retry-After": "0"}))

    async def script(server: Connection) -> None:
        await server.grant()
        await server.snapshot(4)

    async with following(script, refuse=[busy]) as (connection, _):
        await connection.subscribe("7")
    gone = Response(HTTPStatus.NOT_FOUND, "", Headers({"Retry-After": "0"}), b"not here")
    async with following(script, refuse=[gone]) as (connection, _):
        with pytest.raises(LiveClosedError, match="404 b'not here'"):
            await connection.subscribe("7")


@pytest.mark.parametrize(
    ("code", "final"),
    [("tournament_unknown", True), ("too_many_subscriptions", True), ("overloaded", False), ("new", False)],
)
async def test_a_refused_subscription_ends_or_is_tried_again(code: str, final: bool) -> None:
    async def script(server: Connection) -> None:
        message = await server.ask()
        await server.tell(id=message["id"], error={"code": code, "message": "no"})
        if not final:
            await server.grant()
            await server.snapshot(4)

    async with following(script) as (connection, _):
        if final:
            with pytest.raises(LiveError, match=f"{code}: no") as raised:
                await connection.subscribe("7")
            assert raised.value.code == code
        else:
            await connection.subscribe("7")


async def test_a_subscription_that_palio_ends_is_an_error() -> None:
    seen = asyncio.Event()

    async def script(server: Connection) -> None:
        await server.grant()
        await server.snapshot(4)
        await seen.wait()
        await server.tell(tournament="7", type="unsubscribed", reason="not_allowed")
        assert await server.grant() == {"id": 2, "subscribe": "7"}
        await server.snapshot(9)

    async with following(script) as (connection, _):
        subscription = await connection.subscribe("7")
        with pytest.raises(ValueError, match="followed already"):
            await connection.subscribe("7")
        seen.set()
        with pytest.raises(LiveError, match="not_allowed"):
            await until(subscription, 99)
        await connection.subscribe("7")  # it may be asked for again


async def test_it_signs_in_first_and_hears_of_itself() -> None:
    async def script(server: Connection) -> None:
        assert await server.grant() == {"id": 1, "auth": "t"}
        await server.grant()
        await server.tell(type="me", tournament="7", rank=2, previous_rank=None, score=4, percentile=50.0)
        await server.snapshot(4)
        await server.tell(type="me", tournament="7", rank=1, previous_rank=2, score=9, percentile=100.0)

    async with following(script, token="t") as (connection, _):
        await asyncio.sleep(0.05)  # signed in, before there is anything to follow
        subscription = await connection.subscribe("7", me=True)
        me = None
        async for board in subscription:
            me = board.me
            if me is not None and me.rank == 1:
                break
        assert me is not None
        assert (me.previous_rank, me.score) == (2, 9)


async def test_an_expired_token_is_followed_by_a_new_one() -> None:
    tokens = iter("ab")

    async def script(server: Connection) -> None:
        assert (await server.grant())["auth"] == "a"
        await server.grant()
        await server.snapshot(4)
        await server.tell(tournament="7", type="unsubscribed", reason="token_expired")
        await server.tell(type="signed_out", reason="token_expired")
        assert (await server.grant())["auth"] == "b"
        assert (await server.grant())["since"] == {"epoch": 1, "seq": 4}
        await server.update(5, 2)

    async with following(script, token=lambda: next(tokens)) as (connection, _):
        subscription = await connection.subscribe("7")
        await until(subscription, 2)


async def test_a_token_that_is_not_valid_is_an_error() -> None:
    async def script(server: Connection) -> None:
        message = await server.ask()
        await server.tell(id=message["id"], error={"code": "unauthorized", "message": "wrong"})

    async with following(script, token="t") as (connection, _):
        with pytest.raises(LiveError, match="unauthorized: wrong"):
            await connection.subscribe("7")


async def test_scores_are_sent_again_until_they_are_acknowledged() -> None:
    async def first(server: Connection) -> None:
        sent = [await server.ask() for _ in range(3)]
        await server.tell(id=sent[0]["id"], ok=True)
        await server.socket.close(1012)

    async def second(server: Connection) -> None:
        again = [await server.ask() for _ in range(2)]
        assert [each["submit"]["event_id"] for each in again] == ["e1", "e2"]
        error = {"code": "rate_limited", "message": "wait", "retry_after_s": 0}
        await server.tell(id=again[0]["id"], error=error)
        third = await server.ask()
        assert third == again[0]
        await server.tell(ids=[third["id"], again[1]["id"]], ok=True)

    async with following(first, second) as (connection, _):
        submitted = [connection.submit("7", number, event_id=f"e{number}", user_id="1") for number in range(3)]
        assert await asyncio.gather(*submitted) == ["e0", "e1", "e2"]


async def test_a_score_that_is_refused_or_never_acknowledged_is_an_error() -> None:
    async def script(server: Connection) -> None:
        message = await server.ask()
        assert message["submit"] == {"tournament": "7", "event_id": "e", "result": {"time_s": 1}}
        await server.tell(id=message["id"], error={"code": "invalid", "message": "no"})

    async with following(script, retry_for_s=0.3) as (connection, _):
        with pytest.raises(LiveError, match="invalid: no"):
            await connection.submit("7", result={"time_s": 1}, event_id="e")
        with pytest.raises(NoAnswerError, match="submit e2: not acknowledged within"):
            await connection.submit("7", 5, event_id="e2")


async def test_no_more_scores_are_on_their_way_than_palio_reads_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "MAX_ON_THEIR_WAY", 2)

    async def script(server: Connection) -> None:
        first, second = [await server.ask() for _ in range(2)]
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(server.ask(), 0.05)
        await server.tell(ids=[first["id"], second["id"]], ok=True)
        await server.grant()

    async with following(script) as (connection, _):
        await asyncio.gather(*(connection.submit("7", number) for number in range(3)))


async def test_notices_are_kept_up_to_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "MAX_NOTICES", 2)
    told = {"event": "ended", "tournament": "7", "name": "n", "user_id": "1", "at": "2026-05-01T09:00:00.000Z"}

    async def script(server: Connection) -> None:
        for key in "abc":
            await server.tell(type="notice", key=key, title="t", text="x", rank=1, **told)
        await server.tell(type="something new")
        await server.grant()
        await server.snapshot(4)

    async with following(script) as (connection, _):
        await connection.subscribe("7")
        heard = connection.notices()
        assert [(await anext(heard)).key, (await anext(heard)).key] == ["b", "c"]
        assert connection.notices_dropped == 1


@pytest.mark.parametrize(
    ("ties", "ranks"), [("first", [1, 2, 3, 4]), ("shared", [1, 1, 3, 4]), ("dense", [1, 1, 2, 3])]
)
def test_ranks_follow_from_places_scores_and_ties(ties: Any, ranks: list[int]) -> None:
    rows = [
        LiveRow(user_id="1", name=None, score=score, subscore=sub) for score, sub in ((5, 1), (5, 1), (5, 2), (4, 2))
    ]
    data = LiveData(status="running", participants=4, starts_at=None, ends_at=None, ties=ties, top=rows)
    assert Board(tournament_id="7", epoch=1, seq=1, data=data).ranks() == ranks
