"""Live tables, one's own standing, notices and submissions, over one socket that comes back by itself (see docs/live-protocol.md)."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
import uuid
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any, Final, Literal

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.typing import Subprotocol

from .errors import LiveClosedError, LiveError, NoAnswerError, NotPalioError
from .patch import apply_patch
from .results import OVER, Gateway, Result, Status
from .transport import AGAIN, Transport, pauses, retry_after_s

SUBPROTOCOL: Final = Subprotocol("palio.v1")
FIRST_PAUSE_S: Final = 0.4
LONGEST_PAUSE_S: Final = 15.0
MAX_ON_THEIR_WAY: Final = 1000  # submissions, as many as Palio reads ahead
MAX_NOTICES: Final = 1000
HOPELESS_CLOSES: Final = frozenset({1002, 1007, 1009})  # what this client sent is not understood; 4500-4999, too
FINAL_CODES: Final = frozenset(
    {"malformed", "unknown_message", "binary_frame", "tournament_unknown", "unauthorized", "too_many_subscriptions"}
)


class LiveRow(Result, frozen=True, kw_only=True):
    """A row of a live table; its rank follows from its place, the scores and `ties`."""

    user_id: str
    name: str | None
    score: float
    subscore: float | None = None


class LiveData(Result, frozen=True, kw_only=True):
    """What Palio keeps up to date: the first 20 rows and what is beside them."""

    status: Status
    participants: int
    starts_at: datetime | None
    ends_at: datetime | None
    ties: Literal["first", "shared", "dense"]
    top: list[LiveRow]


class Me(Result, frozen=True, kw_only=True):
    """One's own standing; all None while one takes no part."""

    rank: int | None
    previous_rank: int | None
    score: float | None
    percentile: float | None


class Board(Result, frozen=True, kw_only=True):
    """A live table at one moment. `connected` False: the socket is away, and this is what it showed last."""

    tournament_id: str
    epoch: int
    seq: int
    data: LiveData
    me: Me | None = None
    connected: bool = True

    @property
    def over(self) -> bool:
        """Whether it is finished or cancelled."""
        return self.data.status in OVER

    def ranks(self) -> list[int]:
        """The rank of each row."""
        ranks = list[int]()
        previous: LiveRow | None = None
        for place, row in enumerate(self.data.top, start=1):
            equal = previous is not None and (row.score, row.subscore) == (previous.score, previous.subscore)
            if self.data.ties == "first" or not ranks:
                ranks.append(place)
            elif equal:
                ranks.append(ranks[-1])
            else:
                ranks.append(place if self.data.ties == "shared" else ranks[-1] + 1)
            previous = row
        return ranks


class Notice(Result, frozen=True, kw_only=True):
    """What happened to one of one's tournaments; it may come twice, with the same `key`."""

    key: str
    event: str
    tournament: str
    name: str
    user_id: str
    at: datetime
    title: str
    text: str
    rank: int | None = None
    score: float | None = None


class Subscription:
    """One tournament, followed: `async for board in subscription` gives the newest board whenever it changed.

    Who is slow misses boards in between, never the newest (policy: newest). The iteration ends when the tournament is over; LiveError ends it
    where Palio does not let one watch any more, LiveClosedError when the connection ended for good.
    """

    def __init__(self, tournament_id: str, *, me: bool) -> None:
        self.tournament_id = tournament_id
        self.wants_me = me
        self.board: Board | None = None
        self.resumed = 0
        """How often what was missed came alone, after the socket had been away."""
        self.gaps = 0
        """How often updates did not follow one another; Palio leaves no gaps."""
        self._data: Any = None
        self._position: tuple[int, int] | None = None  # None: it waits for a snapshot
        self._shown: Board | None = None
        self._returning = False
        self._me: Me | None = None
        self._failure: Exception | None = None
        self._changed = asyncio.Event()

    def __aiter__(self) -> AsyncIterator[Board]:
        return self

    async def __anext__(self) -> Board:
        while True:
            if self.board is not None and self.board is not self._shown:
                self._shown = self.board
                return self.board
            if self._failure is not None:
                raise self._failure
            if self.board is not None and self.board.over and self.board.connected:
                raise StopAsyncIteration
            self._changed.clear()
            await self._changed.wait()

    async def first(self) -> Board:
        """The first board, or the newest one there is. Raises LiveError where Palio does not let one watch."""
        while self.board is None and self._failure is None:
            self._changed.clear()
            await self._changed.wait()
        if self._failure is not None:
            raise self._failure
        assert self.board is not None
        return self.board

    def _message(self) -> dict[str, Any]:
        message: dict[str, Any] = {"subscribe": self.tournament_id}
        if self._position is not None:
            message["since"] = {"epoch": self._position[0], "seq": self._position[1]}
        return {**message, "me": True} if self.wants_me else message

    def _take(self, frame: Mapping[str, Any]) -> bool:
        """Take in a frame of this tournament; False for a gap, after which it is to be subscribed to again."""
        kind = frame["type"]
        if kind == "me":
            self._me = msgspec.convert(frame, Me)
        elif kind == "snapshot":
            self._data, self._position = frame["data"], (frame["epoch"], frame["seq"])
        else:
            came = frame["epoch"], frame["seq"]
            if self._position is None or came <= self._position:
                return True  # it waits for a snapshot, or has this already
            if came != (self._position[0], self._position[1] + 1):
                self._position = None
                self.gaps += 1
                return False
            apply_patch(self._data, frame["patch"])
            self._position = came
            self.resumed += self._returning
        self._returning = self._returning and kind == "me"
        if self._position is not None:
            self._show(connected=True)
        return True

    def _away(self) -> None:
        self._returning = True
        if self.board is not None:
            self._show(connected=False)

    def _back(self) -> None:
        if self.board is not None and not self.board.connected:
            self._show(connected=True)

    def _show(self, *, connected: bool) -> None:
        if self._position is None:
            assert self.board is not None
            self.board = msgspec.structs.replace(self.board, connected=connected)
        else:
            epoch, seq = self._position
            data = msgspec.convert(self._data, LiveData)
            self.board = Board(
                tournament_id=self.tournament_id, epoch=epoch, seq=seq, data=data, me=self._me, connected=connected
            )
        self._changed.set()

    def _fail(self, failure: Exception) -> None:
        self._failure = failure
        self._changed.set()


class _Submission:
    """A score on its way: sent, and not acknowledged yet."""

    def __init__(self, message: dict[str, Any], deadline: float) -> None:
        self.message = message
        self.deadline = deadline
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()


class Live:
    """`async with palio.live() as live: board = await live.subscribe(tournament)`. One socket for all of it.

    It signs in with the client's token, comes back whenever the connection ends, after the time that Palio names or a pause that doubles up
    to 15 s, goes on from where each table was, and sends again what was not acknowledged.
    """

    def __init__(self, gateway: Callable[[], Awaitable[Gateway]], transport: Transport, retry_for_s: float) -> None:
        self.connections = 0
        self.notices_dropped = 0
        self._gateway = gateway
        self._transport = transport
        self._retry_for_s = retry_for_s
        self._socket: ClientConnection | None = None
        self._heard = False  # on this socket
        self._ids = 0
        self._subscriptions: dict[str, Subscription] = {}
        self._asked: dict[int, Subscription | Literal["auth"]] = {}  # by the message's id
        self._submissions: dict[int, _Submission] = {}
        self._room = asyncio.Semaphore(MAX_ON_THEIR_WAY)
        self._notices: deque[Notice] = deque()
        self._noticed = asyncio.Event()
        self._later: set[asyncio.Task[None]] = set()
        self._failure: Exception | None = None
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Live:
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._task is not None
        for task in (self._task, *self._later):
            task.cancel()
        await asyncio.wait([self._task, *self._later])
        self._end(LiveClosedError("the live connection was closed"))

    @property
    def connected(self) -> bool:
        """Whether there is a socket now."""
        return self._socket is not None

    async def subscribe(self, tournament_id: str, *, me: bool = False) -> Subscription:
        """Follow a tournament; returns with its first board. `me`: one's own standing, too. Raises LiveError, LiveClosedError,
        ValueError for one that is followed already."""
        self._raise_failure()
        if tournament_id in self._subscriptions:
            raise ValueError(f"tournament {tournament_id} is followed already")
        subscription = self._subscriptions[tournament_id] = Subscription(tournament_id, me=me)
        await self._subscribe(subscription)
        try:
            await subscription.first()
        except BaseException:
            self._subscriptions.pop(tournament_id, None)
            raise
        return subscription

    async def unsubscribe(self, subscription: Subscription) -> None:
        """Follow it no more."""
        if self._subscriptions.get(subscription.tournament_id) is subscription:
            del self._subscriptions[subscription.tournament_id]
            await self._send({"id": self._next_id(), "unsubscribe": subscription.tournament_id})

    async def submit(
        self,
        tournament_id: str,
        score: float | None = None,
        *,
        user_id: str | None = None,
        event_id: str | None = None,
        subscore: float | None = None,
        result: Mapping[str, Any] | None = None,
    ) -> str:
        """Submit a score, or a result; returns its event id once it is in the log. At most 1,000 are on their way; more wait.

        Raises LiveError for one that will never be taken, NoAnswerError when that is not known within `retry_for_s`, LiveClosedError.
        """
        self._raise_failure()
        event_id = event_id or uuid.uuid4().hex
        fields = {"user_id": user_id, "score": score, "subscore": subscore, "result": result}
        message: dict[str, Any] = {"tournament": tournament_id, "event_id": event_id}
        message |= {name: value for name, value in fields.items() if value is not None}
        async with self._room:
            submission, number = _Submission(message, time.monotonic() + self._retry_for_s), self._next_id()
            self._submissions[number] = submission
            try:
                await self._send({"id": number, "submit": message})
                async with asyncio.timeout_at(asyncio.get_running_loop().time() + self._retry_for_s):
                    await submission.done
            except TimeoutError:
                raise NoAnswerError(f"submit {event_id}: not acknowledged within {self._retry_for_s:g} s") from None
            finally:
                del self._submissions[number]
        return event_id

    async def notices(self) -> AsyncIterator[Notice]:
        """What happens to one's tournaments, as it comes. Of those that nobody takes the newest 1,000 are kept; `notices_dropped` counts the
        others."""
        while True:
            while self._notices:
                yield self._notices.popleft()
            self._raise_failure()
            self._noticed.clear()
            await self._noticed.wait()

    # -- the connection --------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        try:
            await self._connect_for_ever()
        except Exception as failure:
            self._end(failure)

    async def _connect_for_ever(self) -> None:
        waits = pauses(FIRST_PAUSE_S, LONGEST_PAUSE_S)
        url = (await self._gateway()).live
        while True:
            wait_s = next(waits)
            self._heard = False
            try:
                async with connect(url, subprotocols=[SUBPROTOCOL], compression=None) as socket:
                    await self._opened(socket)
                    async for text in socket:
                        await self._take(text)
                    closed = socket.close_code or 1006, socket.close_reason or ""
            except ConnectionClosed as error:
                closed = (1006, "") if error.rcvd is None else (error.rcvd.code, error.rcvd.reason)
            except InvalidStatus as error:
                status = error.response.status_code
                if status not in AGAIN:
                    body = bytes(error.response.body or b"")[:200]
                    raise LiveClosedError(f"{url}: the handshake was refused: {status} {body!r}") from error
                closed, wait_s = (1006, ""), max(wait_s, retry_after_s(error.response.headers))
            except (OSError, InvalidHandshake, TimeoutError, EOFError):
                closed = 1006, ""
            finally:
                self._lost()
            code, reason = closed
            if code in HOPELESS_CLOSES or 4500 <= code <= 4999:
                raise LiveClosedError(f"{url}: closed with {code} {reason}")
            if self._heard:
                waits = pauses(FIRST_PAUSE_S, LONGEST_PAUSE_S)
            await asyncio.sleep(_retry_after_ms(reason, wait_s))

    async def _opened(self, socket: ClientConnection) -> None:
        """Sign in, go on with what was watched, send again what was not acknowledged."""
        self._socket = socket
        self.connections += 1
        await self._sign_in()
        for number, submission in list(self._submissions.items()):
            if not submission.done.done():
                await self._send({"id": number, "submit": submission.message})

    async def _sign_in(self) -> None:
        """With the token of now; and subscribe to what is followed, which may need it."""
        if (token := self._transport.token()) is not None:
            self._asked[number := self._next_id()] = "auth"
            await self._send({"id": number, "auth": token})
        for subscription in list(self._subscriptions.values()):
            await self._subscribe(subscription)

    def _lost(self) -> None:
        self._socket = None
        self._asked.clear()
        for task in self._later:
            task.cancel()
        for subscription in self._subscriptions.values():
            subscription._away()

    def _end(self, failure: Exception) -> None:
        """It is over for good: tell all who wait."""
        self._failure = self._failure or failure
        for subscription in self._subscriptions.values():
            subscription._fail(self._failure)
        for submission in self._submissions.values():
            if not submission.done.done():
                submission.done.set_exception(self._failure)
        self._noticed.set()

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure

    async def _subscribe(self, subscription: Subscription) -> None:
        """At once, or once there is a socket."""
        if self._socket is None:
            return
        self._asked[number := self._next_id()] = subscription
        await self._send({"id": number, **subscription._message()})

    def _drop(self, subscription: Subscription, code: str, message: str) -> None:
        """Palio does not let one watch a tournament."""
        if self._subscriptions.get(subscription.tournament_id) is subscription:
            del self._subscriptions[subscription.tournament_id]
        subscription._fail(LiveError(code, message))

    async def _send(self, message: Mapping[str, Any]) -> None:
        """To the socket there is; without one it is sent when there is one again."""
        if self._socket is not None:
            with contextlib.suppress(ConnectionClosed):
                await self._socket.send(msgspec.json.encode(message).decode())

    def _next_id(self) -> int:
        self._ids += 1
        return self._ids

    def _after(self, wait_s: float, do: Callable[[], Awaitable[None]]) -> None:
        """Do something in a while, unless the socket is lost before."""

        async def later() -> None:
            await asyncio.sleep(wait_s)
            await do()

        task = asyncio.create_task(later())
        self._later.add(task)
        task.add_done_callback(self._later.discard)

    # -- what comes ------------------------------------------------------------------------------------------------

    async def _take(self, text: str | bytes) -> None:
        self._heard = True
        try:
            frame: dict[str, Any] = json.loads(text)
            await self._obey(frame)
        except (ValueError, KeyError, TypeError, AttributeError, msgspec.ValidationError) as error:
            raise NotPalioError(f"expected a frame of Palio's live protocol, got {text[:200]!r} ({error})") from error

    async def _obey(self, frame: dict[str, Any]) -> None:
        if frame.get("ok"):
            for number in frame.get("ids") or [frame["id"]]:
                self._granted(number)
        elif "error" in frame:
            await self._refused(frame.get("id"), frame["error"])
        elif frame["type"] in ("snapshot", "update", "me"):
            subscription = self._subscriptions.get(frame["tournament"])
            if subscription is not None and not subscription._take(frame):
                await self._subscribe(subscription)
        elif frame["type"] == "unsubscribed":
            subscription = self._subscriptions.get(frame["tournament"])
            if subscription is not None and not (frame["reason"] == "token_expired" and self._transport.renews):
                self._drop(
                    subscription, frame["reason"], f"tournament {frame['tournament']} may not be watched any more"
                )
        elif frame["type"] == "signed_out" and self._transport.renews:
            await self._sign_in()
        elif frame["type"] == "notice":
            if len(self._notices) == MAX_NOTICES:
                self._notices.popleft()
                self.notices_dropped += 1
            self._notices.append(msgspec.convert(frame, Notice))
            self._noticed.set()

    def _granted(self, number: int) -> None:
        asked = self._asked.pop(number, None)
        if isinstance(asked, Subscription):
            asked._back()
        elif (submission := self._submissions.get(number)) is not None and not submission.done.done():
            submission.done.set_result(None)

    async def _refused(self, number: int | None, error: Mapping[str, Any]) -> None:
        code, message = error["code"], error["message"]
        asked = None if number is None else self._asked.pop(number, None)
        if asked == "auth":
            if code in FINAL_CODES:
                raise LiveError(code, message)
            self._after(FIRST_PAUSE_S, self._sign_in)
        elif isinstance(asked, Subscription):
            if code in ("token_expired", "other_user"):
                await self._subscribe(asked)
            elif code in FINAL_CODES:
                self._drop(asked, code, message)
            else:
                self._after(FIRST_PAUSE_S, lambda: self._subscribe(asked))
        elif number is not None and (submission := self._submissions.get(number)) is not None:
            if "retry_after_s" in error:
                again = {"id": number, "submit": submission.message}
                self._after(float(error["retry_after_s"]), lambda: self._send(again))
            elif not submission.done.done():
                submission.done.set_exception(LiveError(code, message))


def _retry_after_ms(reason: str, otherwise_s: float) -> float:
    """The seconds that the reason of a close tells one to stay away."""
    try:
        return float(json.loads(reason)["retry_after_ms"]) / 1000
    except (ValueError, KeyError, TypeError):
        return otherwise_s
