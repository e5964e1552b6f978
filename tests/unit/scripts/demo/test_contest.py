"""Whether a final table is that of the data. Whole contests are played in tests/e2e."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx2
import pytest

from actors.analytics.collector import Collector
from actors.archiver.archiver import Archiver, ArchiveRules
from scripts.demo.client import DemoClient
from scripts.demo.contest import Clock, Stage, check_analytics, compare
from scripts.demo.data import Contest, Entry, Result, Row, race, schools, table
from scripts.demo.show import Counts, Show
from scripts.demo.state import DemoRun, Held
from scripts.demo.told import archive_faults
from tests.support.front import SCHEDULED, open_front

RESULTS = [Result(0.1, 1, "a", 500), Result(0.2, 2, "b", 700), Result(0.3, 3, "c", 500), Result(0.4, 1, "d", 900)]
GUEST = Row(1, 99, 9999)


def contest(**more: Any) -> Contest:
    entries = [Entry(0.0, user, f"U{user}") for user in (1, 2, 3)]
    return Contest(**{"key": "k", "name": "School", "order": "desc", "ties": "shared", "capacity": 9, "metadata": {},
                      "entries": entries, "results": RESULTS, **more})  # fmt: skip


def rows(upto: int) -> list[Row]:
    return table(RESULTS[:upto], "desc", "shared")


def test_a_table_that_equals_the_data_is_exact() -> None:
    verdict = compare(contest(), rows(4))
    assert (verdict.outcome, verdict.rows) == ("exact", 3)
    assert str(verdict) == "School: finished, 3 rows, equals the data"


@pytest.mark.parametrize("upto", [0, 1, 2, 3])
def test_a_table_of_what_was_in_until_its_end_is_cut(upto: int) -> None:
    verdict = compare(contest(), rows(upto))
    assert verdict.outcome == "cut"
    assert f"({upto} of 4 results counted)" in str(verdict)


def wrong_score(table_: list[Row]) -> list[Row]:
    return [table_[0]._replace(score=1), *table_[1:]]


@pytest.mark.parametrize(
    ("change", "at"),
    [
        (wrong_score, "at row 1 expected (1, 1, 900), got (1, 1, 1)"),
        (lambda table_: table_[:2], "at row 3 expected (3, 3, 500), got nothing"),
        (
            lambda table_: [table_[0], table_[1]._replace(rank=1), table_[2]],
            "at row 2 expected (2, 2, 700), got (1, 2, 700)",
        ),
        (lambda table_: table_[::-1], "at row 1 expected (1, 1, 900), got (3, 3, 500)"),
    ],
)
def test_anything_else_differs_and_says_where(change: Any, at: str) -> None:
    verdict = compare(contest(), change(rows(4)))
    assert verdict.outcome == "differs"
    assert at in str(verdict)
    assert "DIFFERS" in str(verdict)


def test_guests_are_left_out_and_said() -> None:
    shifted = [GUEST, *(row._replace(rank=row.rank + 1) for row in rows(4))]
    verdict = compare(contest(), shifted)
    assert (verdict.outcome, verdict.rows) == ("exact", 4)
    assert "(1 guests beside)" in str(verdict)
    assert compare(contest(), [GUEST, *wrong_score(rows(4))]).outcome == "differs"


def test_a_contest_without_results_has_an_empty_table() -> None:
    assert compare(contest(results=[]), []).outcome == "exact"
    assert compare(contest(results=[]), rows(1)).outcome == "differs"


async def test_demo_time_runs_at_its_speed_from_where_it_stopped() -> None:
    clock = Clock(1000.0, 50.0)
    assert 50 <= clock.now_s() < 1050
    before_s = asyncio.get_running_loop().time()
    await clock.until(clock.now_s() + 20)
    assert asyncio.get_running_loop().time() - before_s >= 0.015
    await clock.until(0)  # what is past is not waited for


async def test_analytics_and_archive_of_a_palio_equal_the_data() -> None:
    school = min(schools(), key=lambda each: (len(each.entries) < 20, len(each.entries)))
    runners = race()._replace(entries=race().entries[:40], results=race().results[:40])
    async with open_front() as front:
        tokens = (front.token(role)["authorization"].removeprefix("Bearer ") for role in ("service", "operator"))
        service, operator = tokens
        transport = httpx2.ASGITransport(front.app)
        client = DemoClient("http://palio.example:8000", service, operator=operator, transport=transport)
        counts = Counts(all_tournaments=2, all_entries=0, all_results=0, all_runners=0)
        stage = Stage(client, Clock(1), DemoRun(), Show(counts), counts, None, asyncio.Semaphore(), archive=True)
        for contest in (school, runners):
            spec = {
                **SCHEDULED,
                "name": contest.name,
                "order": contest.order,
                "ties": contest.ties,
                "capacity": contest.capacity,
            }
            held = Held(await client.create(contest.key, {**spec, **contest.spec}), 0.0, 0)
            for entry in contest.entries:
                assert await client.join(held.id, entry.user_id, entry.name)
            for result in contest.results:
                front.palio.now_ms += 3_000  # so that several minutes pass
                await client.score(held.id, [result])
            await client.end(held.id)
            palio = front.palio
            await Archiver(palio.records, palio.archives, palio.archive, palio.clock_ms, ArchiveRules()).round()
            await Collector(palio.records, palio.attempts, palio.series).round()
            assert archive_faults(contest, await client.archived(held.id)) == []
            assert await check_analytics(contest, held, stage) == []
        await client.close()
