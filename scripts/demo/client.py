"""The demo's HTTP client: the public API, with every call repeated until it is answered or the patience is used up.

All calls of the contract may be repeated: creates carry an Idempotency-Key, scores an event id, joins and ends change nothing twice.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import httpx2

from scripts.demo.data import Result, Row, hundredths

PATIENCE_S = 120.0  # a restart of Palio fits in several times
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 2.0
TRY_AGAIN = frozenset({408, 429, 500, 502, 503, 504})
PAGE_ROWS = 1000


class DemoError(Exception):
    """Palio refused a call for good, or did not answer for too long; the message says which and how."""


class DemoClient:
    """A service that runs tournaments. Scores and views go to the gateway, all else to the api.

    At most `joins` joins are in flight, so a slow Palio gets fewer of them and not a queue; the other calls never wait for them.
    """

    def __init__(
        self, url: str, token: str, *, joins: int = 12, transport: httpx2.AsyncBaseTransport | None = None
    ) -> None:
        self._url = url.rstrip("/")
        self.gateway = self._url  # until `find_gateway`
        self.live = ""
        self._http = httpx2.AsyncClient(
            headers={"Authorization": f"Bearer {token}"},
            limits=httpx2.Limits(max_connections=100, max_keepalive_connections=100),  # one a tournament, and the joins
            timeout=15.0,
            transport=transport,
        )
        self._public = httpx2.AsyncClient(timeout=15.0, transport=transport)  # somebody without a token
        self._joins = asyncio.Semaphore(joins)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()
        await self._public.aclose()

    async def find_gateway(self) -> str:
        """Ask the api where the gateway and its live sockets are, and send scores there from now on."""
        response = await self._call("GET", f"{self._url}/v1")
        try:
            told = response.json()
            self.gateway, self.live = str(told["gateway"]).rstrip("/"), str(told["live"])
        except (ValueError, KeyError, TypeError) as error:
            raise DemoError(f"GET {self._url}/v1: expected Palio's answer, got {response.text[:200]!r}") from error
        return self.gateway

    async def create(self, key: str, spec: Mapping[str, Any]) -> dict[str, Any]:
        """Create a tournament, or find the one this key created; its view."""
        url, headers = f"{self._url}/v1/tournaments", {"Idempotency-Key": key}
        while True:
            response = await self._call("POST", url, json=spec, headers=headers)
            if response.status_code != 202:  # which is undecided: repeating does no harm
                view: dict[str, Any] = response.json()
                return view

    async def view(self, tournament_id: str) -> dict[str, Any]:
        """The tournament as the gateway shows it, up to a second old."""
        view: dict[str, Any] = (await self._call("GET", f"{self.gateway}/v1/tournaments/{tournament_id}")).json()
        return view

    async def join(self, tournament_id: str, user_id: int, name: str) -> bool:
        """Let a user take part; False when the tournament takes nobody any more.

        It does not wait until it is applied: once the join is in the log (it has an offset), it comes before any later score.
        """
        url = f"{self.gateway}/v1/tournaments/{tournament_id}/participants/{user_id}"
        while True:
            async with self._joins:
                response = await self._call(
                    "PUT", url, json={"name": name}, headers={"Prefer": "wait=0"}, allowed={409}
                )
            if response.status_code == 409 and response.json().get("code") != "registration_closed":
                raise DemoError(f"PUT {url}: {response.text[:200]}")
            if response.status_code != 202 or response.json().get("offset") is not None:
                return response.is_success

    async def score(self, tournament_id: str, results: Sequence[Result]) -> None:
        """Append results in this order: one alone as a player's, several as a batch."""
        if len(results) == 1:
            await self._call("POST", f"{self.gateway}/v1/tournaments/{tournament_id}/scores", json=_score(results[0]))
            return
        rest = list(results)
        deadline = time.monotonic() + PATIENCE_S
        while rest:
            batch = [{"tournament_id": tournament_id} | _score(result) for result in rest]
            answer = (await self._call("POST", f"{self.gateway}/v1/scores", json=batch)).json()
            refused = answer["rejected"]
            if refused and time.monotonic() > deadline:
                raise DemoError(
                    f"POST /v1/scores: expected every score to be accepted, got {refused[0]['code']} for {len(refused)}"
                )
            rest = [rest[item["index"]] for item in refused]
            if rest:
                await asyncio.sleep(LONGEST_PAUSE_S)

    async def place(self, parent_id: str, user_id: int, name: str) -> str:
        """Let a user take part in a tournament of boards; the id of the board where they are."""
        url = f"{self.gateway}/v1/tournaments/{parent_id}/participants/{user_id}"
        while True:
            response = await self._call("PUT", url, json={"name": name})
            if response.status_code != 202:  # which is undecided: repeating does no harm
                return str(response.json()["tournament_id"])

    async def results(self, submissions: Sequence[Mapping[str, Any]]) -> None:
        """Append submissions of one batch. Raises DemoError when one is refused."""
        answer = (await self._call("POST", f"{self.gateway}/v1/scores", json=list(submissions))).json()
        if answer["rejected"]:
            raise DemoError(f"POST /v1/scores: expected every result to be accepted, got {answer['rejected'][0]}")

    async def next_of(self, series_id: str) -> str | None:
        """The tournament of a series that has not started yet, if there is one."""
        listed = (await self._call("GET", f"{self._url}/v1/series/{series_id}")).json()["tournaments"]
        return next((str(item["id"]) for item in listed if item["status"] == "scheduled"), None)

    async def cancel(self, tournament_id: str) -> None:
        """Cancel a tournament, or stop a series."""
        await self._call("POST", f"{self._url}/v1/tournaments/{tournament_id}/cancel", allowed={409})

    async def reveal(self, tournament_id: str) -> None:
        """Show a frozen table."""
        await self._call("POST", f"{self._url}/v1/tournaments/{tournament_id}/reveal", allowed={409})

    async def winners(self, tournament_id: str) -> list[dict[str, Any]]:
        """The ledger of a tournament's prizes; empty until it is made."""
        prizes = (await self._call("GET", f"{self._url}/v1/tournaments/{tournament_id}/prizes")).json()
        winners: list[dict[str, Any]] = prizes["winners"]
        return winners

    async def approve(self, tournament_id: str) -> None:
        """Approve all prizes of a tournament."""
        await self._call("POST", f"{self._url}/v1/tournaments/{tournament_id}/prizes/approve", json={})

    async def postpone(self, tournament_id: str, ends_at: str) -> bool:
        """Move a tournament's end; False when it is over already."""
        response = await self._call(
            "PATCH", f"{self._url}/v1/tournaments/{tournament_id}", json={"ends_at": ends_at}, allowed={409, 422}
        )
        return response.is_success

    async def end(self, tournament_id: str) -> None:
        """End a tournament now; one that is over stays as it is."""
        await self._call("POST", f"{self._url}/v1/tournaments/{tournament_id}/end", allowed={409})

    async def rows(self, tournament_id: str, *, public: bool = False) -> list[Row]:
        """The whole table, page by page; `public`: as somebody without a token sees it."""
        rows: list[Row] = []
        cursor: str | None = None
        while True:
            query = {"limit": str(PAGE_ROWS)} | ({"cursor": cursor} if cursor else {})
            url = f"{self._url}/v1/tournaments/{tournament_id}/rankings"
            page = (await self._call("GET", url, public=public, params=query)).json()
            rows += [Row(row["rank"], int(row["user_id"]), hundredths(row["score"])) for row in page["rows"]]
            cursor = page["next_cursor"]
            if cursor is None:
                return rows

    async def _call(
        self,
        method: str,
        url: str,
        *,
        allowed: frozenset[int] | set[int] = frozenset(),
        public: bool = False,
        **options: Any,
    ) -> httpx2.Response:
        """One call, repeated while it is worth it. Raises DemoError for a refusal whose status is not in `allowed`."""
        deadline, trouble = time.monotonic() + PATIENCE_S, ""
        for pause_s in _pauses():
            try:
                response = await (self._public if public else self._http).request(method, url, **options)
            except httpx2.TransportError as error:
                trouble = f"{type(error).__name__}: {error}"
            else:
                if response.is_success or response.status_code in allowed:
                    return response
                trouble = f"{response.status_code} {response.text[:200]}"
                if response.status_code not in TRY_AGAIN:
                    raise DemoError(f"{method} {url}: {trouble}")
                pause_s = max(pause_s, _retry_after_s(response))  # noqa: PLW2901 - the server knows better
            if time.monotonic() + pause_s > deadline:
                break
            await asyncio.sleep(pause_s)
        raise DemoError(f"{method} {url}: no success for {PATIENCE_S:.0f} s; the last answer was {trouble}")


def _score(result: Result) -> dict[str, Any]:
    return {"event_id": result.event_id, "user_id": str(result.user_id), "score": result.score / 100}


def _pauses() -> Iterator[float]:
    pause_s = FIRST_PAUSE_S
    while True:
        yield pause_s
        pause_s = min(2 * pause_s, LONGEST_PAUSE_S)


def _retry_after_s(response: httpx2.Response) -> float:
    text = response.headers.get("Retry-After", "")
    return min(float(text), LONGEST_PAUSE_S) if text.isascii() and text.isdigit() else 0.0
