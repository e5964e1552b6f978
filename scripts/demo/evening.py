"""A club evening beside the race: a series, boards that open by themselves, results that are scored, a table that freezes, prizes, a notice.

Each part is played through the public API with the race's first runners, and what Palio makes of it is compared with what `expected`
computes from the data alone.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from actors.domain.values import rfc3339
from scripts.client.palio_client import PalioClient, Score, Winner
from scripts.demo.client import DemoClient, DemoError
from scripts.demo.data import Result, Row, table
from scripts.demo.expected import POINTS, cents_of_places, points

BOARD_SIZE: Final = 50
ON_BOARDS: Final = 120  # runners: two whole boards and a part
AT_THE_LAP: Final = 12
AT_THE_FINISH: Final = 40
LAP_S: Final = 20
FINISH_S: Final = 40
FREEZE_S: Final = 20
PLACE_CENTS: Final = 10_001  # of each of the first three places
TRY_S: Final = 0.5
PATIENCE_S: Final = 90.0
TIME: Final = {"unit": "time", "decimals": 0}


class Runner(NamedTuple):
    """`net`: net seconds, in hundredths."""

    user_id: int
    name: str
    net: int


class Check(NamedTuple):
    """Whether a part came out as the data says; `detail` says what was compared, or what was different."""

    name: str
    well: bool
    detail: str

    def __str__(self) -> str:
        return f"{self.name}: {'' if self.well else 'DIFFERS: '}{self.detail}"


class Evening:
    """`runners`: at least ON_BOARDS, in the order in which they come. `token_of(user_id)`: a player's token; None: no notice is waited for.
    `key` is of this evening alone."""

    def __init__(
        self,
        client: DemoClient,
        runners: Sequence[Runner],
        token_of: Callable[[int], str] | None,
        key: str,
    ) -> None:
        self._client = client
        self._runners = runners
        self._token_of = token_of
        self._key = key

    async def play(self) -> list[Check]:
        """All parts, side by side. Raises PalioError when Palio refuses or stays away, DemoError."""
        async with asyncio.TaskGroup() as parts:
            played = [parts.create_task(part()) for part in (self._boards, self._series, self._finish)]
        return [check for part in played for check in part.result()]

    # -- boards of fifty, with points for the time -----------------------------------------------------------------

    async def _boards(self) -> list[Check]:
        client, runners = self._client, self._runners[:ON_BOARDS]
        parent = await self._create(
            "boards", "Club points", 600, cohorts={"size": BOARD_SIZE}, scoring=POINTS, subscore={"order": "asc"}
        )
        board_of: dict[int, str] = {}
        for runner in runners:  # one after another: who came first is on the first board
            board_of[runner.user_id] = await client.place(parent, runner.user_id, runner.name)
        boards = list(dict.fromkeys(board_of.values()))
        for board in boards:
            await client.results(
                [
                    Score(
                        tournament_id=board,
                        event_id="evening",
                        user_id=str(runner.user_id),
                        result={"time_s": runner.net / 100, "correct": True},
                    )
                    for runner in runners
                    if board_of[runner.user_id] == board
                ]
            )
        await client.end(parent)
        wrong = []
        for number, board in enumerate(boards):
            members = runners[number * BOARD_SIZE : (number + 1) * BOARD_SIZE]
            await self._status(board, "finished")
            wanted = [(rank, user, score) for rank, user, score in _by_points(members)]
            got = [tuple(row) for row in await client.rows(board)]
            if got != wanted:
                wrong.append(f"board {number + 1} has {got[:3]}..., expected {wanted[:3]}...")
        if len(boards) != -(-ON_BOARDS // BOARD_SIZE):
            wrong.append(f"{len(boards)} boards")
        told = f"{len(runners)} runners on {len(boards)} boards of {BOARD_SIZE}, points by their times as the data gives them"
        return [Check("Club points", not wrong, "; ".join(wrong) or told)]

    # -- a series that opens by itself -----------------------------------------------------------------------------

    async def _series(self) -> list[Check]:
        client, runners = self._client, self._runners[:AT_THE_LAP]
        series = await client.create(
            f"{self._key}-series",
            {
                "name": "Lap of the minute",
                "type": "scheduled",
                "order": "asc",
                "display": TIME,
                "recurrence": {"cron": "* * * * *", "time_zone": "Europe/London", "duration_s": LAP_S, "ahead": 1},
            },
        )
        lap = await self._until(lambda: client.next_of(series), "a tournament of the series")
        for runner in runners:
            await client.join(lap, runner.user_id, runner.name)
        await self._status(lap, "running")
        results = [Result(0, runner.user_id, "lap", runner.net) for runner in runners]
        await client.score(lap, results)
        await self._status(lap, "finished")
        await client.cancel(series)
        wanted, got = table(results, "asc", "first"), await client.rows(lap)
        told = f"opened by its schedule, {len(runners)} runners, its final table equals the data"
        return [
            Check(
                "Lap of the minute", got == wanted, told if got == wanted else f"got {got[:3]}, expected {wanted[:3]}"
            )
        ]

    # -- a finish whose table freezes, with prizes, and a notice to the winner ---------------------------------------

    async def _finish(self) -> list[Check]:
        client = self._client
        runners = [
            runner._replace(net=runner.net // 6000 * 6000) for runner in self._runners[:AT_THE_FINISH]
        ]  # whole minutes tie
        rules = [
            {"ranks": [1, 3], "amount": f"{PLACE_CENTS / 100:.2f}", "currency": "EUR", "ties": "split"},
            {"top_percent": 25, "item": "medal", "count": 1, "ties": "each"},
        ]
        finish = await self._create(
            "finish",
            "Photo finish",
            FINISH_S,
            order="asc",
            ties="shared",
            display=TIME,
            freeze_s=FREEZE_S,
            prizes=rules,
        )
        await asyncio.gather(*(client.join(finish, runner.user_id, runner.name) for runner in runners))
        results = [Result(0, runner.user_id, "finish", runner.net) for runner in runners]
        before, after = results[: len(results) // 2], results[len(results) // 2 :]
        await client.score(finish, before)
        frozen_ms = self._ends_ms - FREEZE_S * 1000
        await asyncio.sleep(max(0.0, frozen_ms / 1000 + 1 - time.time()))
        await client.score(finish, after)
        checks = [
            await self._table("Photo finish, frozen", finish, before, "stands as it was when it froze", public=True)
        ]
        winner = table(results, "asc", "shared")[0].user_id
        notice = None
        if self._token_of is not None:
            notice = asyncio.create_task(self._notice(self._token_of(winner), finish))
        await client.reveal(finish)
        checks.append(await self._table("Photo finish, revealed", finish, results, "shows everybody", public=True))
        await self._status(finish, "finished")
        checks.append(await self._table("Photo finish", finish, results, "the final table equals the data"))
        checks.append(await self._prizes(finish, table(results, "asc", "shared")))
        if notice is not None:
            heard = await notice
            checks.append(Check("Notice", heard == 1, f"the winner heard of rank {heard}"))
        return checks

    async def _table(
        self, name: str, tournament: str, results: Sequence[Result], told: str, *, public: bool = False
    ) -> Check:
        """A table, once it is as the data says, or as it is after a while."""
        wanted = table(results, "asc", "shared")
        got: list[Row] = []
        for _ in range(6):
            got = await self._client.rows(tournament, public=public)
            if got == wanted:
                return Check(name, True, told)
            await asyncio.sleep(TRY_S)
        return Check(name, False, f"got {len(got)} rows {got[:3]}, expected {len(wanted)} rows {wanted[:3]}")

    async def _prizes(self, tournament: str, rows: Sequence[Row]) -> Check:
        """The ledger, approved and paid, against shares computed from the table."""
        wanted = {(0, user): cents for user, cents in cents_of_places(rows, 3, PLACE_CENTS).items()}
        last = rows[-(-len(rows) * 25 // 100) - 1].rank
        wanted |= {(1, row.user_id): 1 for row in rows if row.rank <= last}
        await self._until(lambda: self._client.winners(tournament), "the ledger of prizes")
        await self._client.approve(tournament)

        async def paid() -> list[Winner]:
            winners = await self._client.winners(tournament)
            return winners if all(winner.state == "paid" for winner in winners) else []

        winners: list[Winner] = await self._until(paid, "all prizes to be paid")
        got = {
            (winner.rule, int(winner.user_id)): winner.count or round(float(winner.amount or 0) * 100)
            for winner in winners
        }
        money = sum(cents for (rule, _), cents in got.items() if rule == 0)
        told = f"{len(got)} paid, the purse of {3 * PLACE_CENTS / 100:.2f} EUR to the last cent, shares as the data gives them"
        well = got == wanted and money == 3 * PLACE_CENTS
        return Check(
            "Prizes", well, told if well else f"got {sorted(got.items())[:4]}, expected {sorted(wanted.items())[:4]}"
        )

    async def _notice(self, token: str, tournament: str) -> int | None:
        """The rank in the notice that tells a player of the end; None when none came."""
        async with PalioClient(self._client.url, token) as player, player.live() as live:
            try:
                async with asyncio.timeout(PATIENCE_S):
                    async for notice in live.notices():
                        if (notice.tournament, notice.event) == (tournament, "ended"):
                            return notice.rank
            except TimeoutError:
                return None
        return None

    # -- what the parts share ---------------------------------------------------------------------------------------

    async def _create(self, key: str, name: str, lasts_s: float, **more: Any) -> str:
        now_ms = int(time.time() * 1000)
        self._ends_ms = now_ms + int(lasts_s * 1000)
        spec = {
            "name": name,
            "type": "scheduled",
            "starts_at": rfc3339(now_ms),
            "ends_at": rfc3339(self._ends_ms),
            **more,
        }
        return await self._client.create(f"{self._key}-{key}", spec)

    async def _status(self, tournament: str, wanted: str) -> None:
        async def reached() -> bool:
            return (await self._client.view(tournament)).status == wanted

        await self._until(reached, f"tournament {tournament} to be {wanted}")

    async def _until(self, ask: Callable[[], Any], what: str) -> Any:
        """What `ask` returns once it is something. Raises DemoError."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            found = await ask()
            if found:
                return found
            if time.monotonic() > deadline:
                raise DemoError(f"expected {what} within {PATIENCE_S:.0f} s")
            await asyncio.sleep(TRY_S)


def _by_points(members: Sequence[Runner]) -> list[Row]:
    """The table of a board: most points first, of equal points the fastest, then who was first."""
    scored = sorted((-points(runner.net), runner.net, place, runner.user_id) for place, runner in enumerate(members))
    return [Row(rank, user, -score) for rank, (score, _, _, user) in enumerate(scored, start=1)]
