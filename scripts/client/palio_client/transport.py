"""One HTTP call, repeated for as long as that is worth it. All calls of Palio's API may be repeated: creates carry an Idempotency-Key, scores
an event id, and joins, ends and the like change nothing twice."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from typing import Any, Final

import httpx2
import msgspec

from .errors import NoAnswerError, NotPalioError, problem_of

Token = str | Callable[[], str] | None
Again = Callable[[int, bytes], bool]  # of an answer's status and body
Chunks = Callable[[AsyncIterator[bytes], int | None], Awaitable[None]]
AGAIN: Final = frozenset({408, 429, 500, 502, 503, 504})
FIRST_PAUSE_S: Final = 0.1
LONGEST_PAUSE_S: Final = 2.0
MAX_CONNECTIONS: Final = 100


class Transport:
    """Calls with one token. `timeout_s`: of one try; `retry_for_s`: of a call with all its tries; 0: one try."""

    def __init__(
        self, token: Token, timeout_s: float, retry_for_s: float, transport: httpx2.AsyncBaseTransport | None = None
    ) -> None:
        self._token = token
        self._timeout_s = timeout_s
        self._retry_for_s = retry_for_s
        self._http = httpx2.AsyncClient(
            timeout=timeout_s,
            limits=httpx2.Limits(max_connections=MAX_CONNECTIONS, max_keepalive_connections=MAX_CONNECTIONS),
            transport=transport,
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    def token(self) -> str | None:
        """The token of the next call."""
        return self._token() if callable(self._token) else self._token

    @property
    def renews(self) -> bool:
        """Whether a token that has expired may be followed by another."""
        return callable(self._token)

    async def call(
        self,
        method: str,
        url: str,
        *,
        content: bytes | None = None,
        content_type: str = "application/json",
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        again: Again | None = None,
        chunks: Chunks | None = None,
    ) -> bytes:
        """The body of a call's answer, once it is a good one. `again`: tells of a good one whether it leaves undecided what
        became of the call, so that it is to be repeated. `chunks(body, total_bytes)`: takes the body of a good one as it comes (and anew at
        each try), from its first bytes on; then nothing is returned.

        Repeated are calls without an answer, too, and those answered with a status of AGAIN, after `Retry-After` where that is said, else
        after a pause that doubles. Raises ProblemError for a refusal, NoAnswerError (its cause: the last answer) when that takes longer than
        `retry_for_s`, NotPalioError.
        """
        what, deadline = f"{method} {url}", time.monotonic() + self._retry_for_s
        repeated = renewed = False
        for pause_s in pauses(FIRST_PAUSE_S, LONGEST_PAUSE_S):
            sent = {} if content is None else {"Content-Type": content_type}
            if (token := self.token()) is not None:
                sent["Authorization"] = f"Bearer {token}"
            try:
                response = await self._once(
                    self._http.build_request(
                        method, url, content=content, params=params, headers={**sent, **(headers or {})}
                    ),
                    chunks,
                )
            except httpx2.TransportError as error:
                trouble: Exception = error
                repeated = repeated or not isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout)
                wait_s = pause_s
            else:
                if response.is_success and chunks is not None:
                    return b""
                if response.is_success and not (again and again(response.status_code, response.content)):
                    return response.content
                trouble = problem_of(what, response.status_code, response.content, repeated=repeated)
                expired = response.status_code == 401 and self.renews and not renewed
                if not (expired or response.is_success or response.status_code in AGAIN):
                    raise trouble
                renewed = renewed or expired
                repeated = repeated or response.status_code not in (401, 429)
                wait_s = 0.0 if expired else max(pause_s, retry_after_s(response.headers))
            if time.monotonic() + wait_s > deadline:
                raise NoAnswerError(
                    f"{what}: no success within {self._retry_for_s:g} s; at last: {trouble!r}"
                ) from trouble
            await asyncio.sleep(wait_s)
        raise AssertionError("pauses never end")

    async def _once(self, request: httpx2.Request, chunks: Chunks | None) -> httpx2.Response:
        if chunks is None:
            return await self._http.send(request)
        response = await self._http.send(request, stream=True)
        try:
            if response.is_success:
                total = response.headers.get("Content-Length", "")
                await chunks(response.aiter_bytes(), int(total) if total.isdigit() else None)
            else:
                await response.aread()
        finally:
            await response.aclose()
        return response


def decoded(call: str, body: bytes, kind: Any) -> Any:
    """A body as a type. Raises NotPalioError for one that is otherwise."""
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise NotPalioError(f"{call}: expected Palio's answer, got {body[:200]!r} ({error})") from error


def pauses(first_s: float, longest_s: float) -> Iterator[float]:
    """Pauses that double, half of each at random, so that not all clients come back together."""
    pause_s = first_s
    while True:
        yield pause_s * random.uniform(0.5, 1)
        pause_s = min(2 * pause_s, longest_s)


def retry_after_s(headers: Mapping[str, str]) -> float:
    """What `Retry-After` says, in seconds; 0 where it says nothing."""
    text = headers.get("Retry-After", "")
    return float(text) if text.isascii() and text.isdigit() else 0.0
