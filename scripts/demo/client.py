"""What the demo asks of Palio, by the Python client: its calls in the demo's own terms, rows and scores in hundredths."""

from __future__ import annotations

import asyncio
import io
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pyarrow.parquet as pq

from scripts.client.palio_client import (
    ConflictError,
    InvalidError,
    NotFoundError,
    PalioClient,
    Score,
    Tournament,
    Winner,
)
from scripts.demo.data import Result, Row, hundredths
from scripts.demo.told import METRICS, Filed

PATIENCE_S = 120.0  # a restart of Palio fits in several times
AGAIN_S = 0.5
SERIES_STEPS = 500


class DemoError(Exception):
    """What Palio did is not what must come of the demo; the message says which and how."""


class DemoClient:
    """A service that runs tournaments, an operator who looks at analytics, and somebody without a token.

    At most `joins` joins are in flight, so a slow Palio gets fewer of them and not a queue; the other calls never wait for them.
    All methods raise PalioError when Palio refuses or stays away.
    """

    def __init__(
        self,
        url: str,
        token: str,
        *,
        operator: str | None = None,
        joins: int = 12,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        self.url = url
        self.palio = PalioClient(url, token, retry_for_s=PATIENCE_S, transport=transport)
        self._operator = PalioClient(url, operator, retry_for_s=PATIENCE_S, transport=transport)
        self._public = PalioClient(url, retry_for_s=PATIENCE_S, transport=transport)
        self._joins = asyncio.Semaphore(joins)

    async def close(self) -> None:
        """Close the connections."""
        await self.palio.close()
        await self._operator.close()
        await self._public.close()

    async def create(self, key: str, spec: Mapping[str, Any]) -> str:
        """Create a tournament, or find the one this key created; its id."""
        return (await self.palio.create(spec, key=key)).id

    async def view(self, tournament_id: str) -> Tournament:
        """The tournament as the gateway shows it, up to a second old."""
        return await self.palio.tournament(tournament_id)

    async def join(self, tournament_id: str, user_id: int, name: str) -> bool:
        """Let a user take part; False when the tournament takes nobody any more.

        It does not wait until it is applied: once the join is in the log, it comes before any later score.
        """
        try:
            async with self._joins:
                await self.palio.join(tournament_id, str(user_id), name=name, wait_s=0)
        except ConflictError as conflict:
            if conflict.code != "registration_closed":
                raise
            return False
        return True

    async def place(self, parent_id: str, user_id: int, name: str) -> str:
        """Let a user take part in a tournament of boards; the id of the board where they are."""
        return str((await self.palio.join(parent_id, str(user_id), name=name)).tournament_id)

    async def score(self, tournament_id: str, results: Sequence[Result]) -> None:
        """Append scores in this order: one alone as a player's, several as a batch."""
        if len(results) == 1:
            (one,) = results
            await self.palio.submit(tournament_id, one.score / 100, user_id=str(one.user_id), event_id=one.event_id)
            return
        await self.results(
            [
                Score(
                    tournament_id=tournament_id,
                    user_id=str(result.user_id),
                    event_id=result.event_id,
                    score=result.score / 100,
                )
                for result in results
            ]
        )

    async def results(self, submissions: Sequence[Score]) -> None:
        """Append submissions. Raises DemoError when one is refused."""
        refused = (await self.palio.submit_all(submissions)).rejected
        if refused:
            raise DemoError(f"expected every result to be accepted, got {refused[0].code} for {len(refused)}")

    async def next_of(self, series_id: str) -> str | None:
        """The tournament of a series that has not started yet, if there is one."""
        listed = (await self.palio.series(series_id)).tournaments
        return next((item.id for item in listed if item.status == "scheduled"), None)

    async def cancel(self, tournament_id: str) -> None:
        """Cancel a tournament, or stop a series; one that is over stays as it is."""
        try:
            await self.palio.cancel(tournament_id)
        except ConflictError:
            return

    async def end(self, tournament_id: str) -> None:
        """End a tournament now; one that is over stays as it is."""
        try:
            await self.palio.end(tournament_id)
        except ConflictError:
            return

    async def reveal(self, tournament_id: str) -> None:
        """Show a frozen table; one that is shown stays as it is."""
        try:
            await self.palio.reveal(tournament_id)
        except ConflictError:
            return

    async def postpone(self, tournament_id: str, ends_at: str) -> bool:
        """Move a tournament's end; False when it is over already."""
        try:
            await self.palio.edit(tournament_id, {"ends_at": ends_at})
        except (ConflictError, InvalidError):
            return False
        return True

    async def winners(self, tournament_id: str) -> list[Winner]:
        """The ledger of a tournament's prizes; empty until it is made."""
        return [winner async for winner in self.palio.winners(tournament_id)]

    async def approve(self, tournament_id: str) -> None:
        """Approve all prizes of a tournament."""
        await self.palio.approve_prizes(tournament_id)

    async def archived(self, tournament_id: str) -> list[Filed]:
        """The archive's file of a tournament. Raises DemoError when it is not written within PATIENCE_S."""
        deadline_s = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline_s:
            file = io.BytesIO()
            try:
                await self.palio.download(f"/v1/tournaments/{tournament_id}/archive", file)
            except NotFoundError:
                await asyncio.sleep(AGAIN_S)
                continue
            file.seek(0)
            table = pq.read_table(file, columns=[*Filed._fields])
            rows = [Filed(*row) for row in zip(*(column.to_pylist() for column in table.columns), strict=True)]
            return [row if row.score is None else row._replace(score=int(row.score * 100)) for row in rows]
        raise DemoError(f"expected a file of tournament {tournament_id} in the archive within {PATIENCE_S:.0f} s")

    async def report(self, tournament_id: str) -> dict[str, Any]:
        """What analytics tell of a tournament."""
        found: dict[str, Any] = await self._operator.call("GET", f"/v1/analytics/tournaments/{tournament_id}")
        return found

    async def series(self, tournament_id: str, start: datetime, end: datetime) -> dict[str, dict[str, Any]]:
        """The series of a tournament from its creation to its end, by METRICS; `finished` alone while the end is not in it yet."""
        end += timedelta(minutes=1)
        minutes = -(-(end - start) // timedelta(minutes=SERIES_STEPS)) or 1
        asked = {"tournament": tournament_id, "step": str(60 * minutes)}
        asked |= {name: time.astimezone(UTC).isoformat() for name, time in (("from", start), ("to", end))}
        found: dict[str, dict[str, Any]] = {}
        for metric in ("finished", *(name for name in METRICS if name != "finished")):
            answer = await self._operator.call("GET", "/v1/analytics/series", params=asked | {"metric": metric})
            found[metric] = answer
            if metric == "finished" and not any(point["value"] for point in answer["points"]):
                break
        return found

    async def rows(self, tournament_id: str, *, public: bool = False) -> list[Row]:
        """The whole table; `public`: as somebody without a token sees it."""
        client = self._public if public else self.palio
        return [Row(row.rank, int(row.user_id), hundredths(row.score)) async for row in client.rows(tournament_id)]
