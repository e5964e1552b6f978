"""What Prometheus is told of an owner and of ingest: counters grow with totals kept elsewhere, gauges are what they are now."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest_asyncio
from prometheus_client import REGISTRY

from actors.domain.messages import ScoreWire
from cluster.actors.metrics import DEAD_LETTERS, IngestMetrics, OwnerMetrics, PrizeMetrics, _Grow, owner_points
from cluster.config.settings import Settings
from cluster.startup.ports import clock_ms
from storage.ports import NewRecord
from tests.support.small_palio import SmallPalio, small_palio

TOURNAMENT = 7


@pytest_asyncio.fixture
async def palio(tmp_path: Path) -> AsyncIterator[SmallPalio]:
    """Users 41 and 42 in a tournament; 42 has a score, user 43's was ignored, and one record is a dead letter."""
    settings = Settings(data_dir=tmp_path, partitions=1, shards=1, ingest_actors=1)
    async with small_palio(settings) as palio:
        await palio.create(TOURNAMENT, users=(41, 42))
        for user in (42, 43):
            await palio.append(TOURNAMENT, ScoreWire(event_id="a", user_id=str(user), score=9.5))
        await palio.log.append([NewRecord(0, b"7", b"no JSON")])
        await palio.applied()
        yield palio


class Sized(SimpleNamespace):
    """Of length 11."""

    def __len__(self) -> int:
        return 11


def value(name: str, **labels: Any) -> float:
    return REGISTRY.get_sample_value(name, {name: str(label) for name, label in labels.items()}) or 0.0


def test_a_counter_grows_to_a_total_and_never_falls() -> None:
    grow, before = _Grow(), DEAD_LETTERS._value.get()
    for total, grown in ((3, 3), (3, 3), (5, 5), (1, 5), (2, 6)):  # 1: a total that began anew
        grow.to(DEAD_LETTERS, "letters", total)
        assert DEAD_LETTERS._value.get() == before + grown


def test_each_number_of_an_owner_is_told_by_its_own_metric() -> None:
    owner: Any = SimpleNamespace(
        outcomes={("applied", ""): 2, ("rejected", "of_a_test"): 3},
        publisher=SimpleNamespace(published=4),
        checkpointer=SimpleNamespace(saved=5, failures=6, dirty=7, last_round_ms=1000),
        families=SimpleNamespace(errands=14),
        read_model=SimpleNamespace(waiting=8, written=9, failures=10, repaired=11),
        tournaments=SimpleNamespace(active=dict.fromkeys(range(12))),
        attempts_lost=15,
    )
    counters = {
        "palio_updates_published_total": 4,
        "palio_checkpoints_saved_total": 5,
        "palio_checkpoint_failures_total": 6,
        "palio_copies_written_total": 9,
        "palio_copy_failures_total": 10,
        "palio_copies_repaired_total": 11,
        "palio_copy_refused_for_memory_total": 13,
        "palio_attempts_lost_total": 15,
    }
    before = {counter: value(counter) for counter in counters}
    OwnerMetrics("numbered").update(owner, 1014, refused_for_memory=13)
    assert {counter: value(counter) - before[counter] for counter in counters} == counters
    assert value("palio_records_total", outcome="rejected", reason="of_a_test") == 3
    gauges = ("active_tournaments", "unsaved_tournaments", "copies_waiting", "checkpoint_age_seconds")
    assert [value(f"palio_{gauge}", owner="numbered") for gauge in gauges] == [12, 7, 8, 0.014]
    owner.read_model = None  # embedded: there is none to write
    OwnerMetrics("without").update(owner, 1014)
    assert REGISTRY.get_sample_value("palio_copies_waiting", {"owner": "without"}) is None


def test_each_number_of_ingest_is_told_by_its_own_metric() -> None:
    ingest: Any = SimpleNamespace(
        progress=SimpleNamespace(oldest_unapplied_ms=lambda: {0: 1000}, lag_records=lambda ends: {0: ends[0], 1: 0}),
        windows=SimpleNamespace(buffered=lambda: 6),
        letters=SimpleNamespace(total=7),
        moves=Sized(total=10),
        feeds={
            owner: SimpleNamespace(owner=owner, delivered=Counter(deadline=8, log=9), oldest_ms={"log": oldest_ms})
            for owner, oldest_ms in (("shard-0", 2000), ("shard-1", 3000))
        },
    )
    moved = value("palio_moved_records_total")
    turns = {turn: value("palio_delivered_records_total", turn=turn) for turn in ("deadline", "log")}
    before = value("palio_dead_letters_total")
    IngestMetrics("numbered").update(ingest, {0: 5}, 3500)
    assert [value("palio_lag_records", ingest="numbered", partition=p) for p in (0, 1)] == [5, 0]
    assert [value("palio_lag_seconds", ingest="numbered", partition=p) for p in (0, 1)] == [2.5, 0]
    assert value("palio_ingest_buffered_records", ingest="numbered") == 6
    assert value("palio_dead_letters_total") == before + 7
    assert value("palio_moved_records_total") == moved + 10
    assert value("palio_moves_waiting", ingest="numbered") == 11
    assert value("palio_delivered_records_total", turn="deadline") == turns["deadline"] + 16
    assert value("palio_delivered_records_total", turn="log") == turns["log"] + 18
    assert value("palio_delivery_longest_wait_seconds", ingest="numbered", turn="log") == 1.5
    assert value("palio_delivery_longest_wait_seconds", ingest="numbered", turn="deadline") == 0
    assert all(feed.oldest_ms == {} for feed in ingest.feeds.values()), "of each second anew"


async def test_an_owners_numbers(palio: SmallPalio) -> None:
    owner, name = palio.owner, "owner-of-a-test"
    applied = value("palio_records_total", outcome="applied", reason="")
    ignored = value("palio_records_total", outcome="ignored", reason="not_joined")
    saved = value("palio_checkpoints_saved_total")
    metrics = OwnerMetrics(name)
    for _ in range(2):  # the same totals again are no growth
        metrics.update(owner, owner.checkpointer.last_round_ms + 2500)
        assert value("palio_records_total", outcome="applied", reason="") == applied + owner.outcomes["applied", ""]
        assert value("palio_records_total", outcome="ignored", reason="not_joined") == ignored + 1
        assert value("palio_checkpoints_saved_total") == saved + owner.checkpointer.saved
    assert value("palio_active_tournaments", owner=name) == 1
    assert value("palio_unsaved_tournaments", owner=name) == owner.checkpointer.dirty
    assert value("palio_checkpoint_age_seconds", owner=name) == 2.5
    metrics.update(owner, 0)  # a clock that was set back
    assert value("palio_checkpoint_age_seconds", owner=name) == 0


async def test_ingests_numbers(palio: SmallPalio) -> None:
    ingest, name = palio.ingest, "ingest-of-a-test"
    ends = {partition: bounds.last for partition, bounds in (await palio.log.bounds()).items()}
    before = value("palio_dead_letters_total")
    metrics = IngestMetrics(name)
    metrics.update(ingest, {0: ends[0] + 4}, clock_ms())
    assert value("palio_lag_records", ingest=name, partition=0) == 4
    assert value("palio_lag_seconds", ingest=name, partition=0) == 0
    assert value("palio_ingest_buffered_records", ingest=name) == ingest.windows.buffered()
    assert value("palio_dead_letters_total") == before + 1
    metrics.update(ingest, ends, clock_ms())
    assert value("palio_lag_records", ingest=name, partition=0) == 0


async def test_the_series_of_an_owner(palio: SmallPalio) -> None:
    (point,) = owner_points(palio.owner, 5)
    assert (point.measurement, point.tags, point.time_ms) == ("owner", {"owner": "shard-0"}, 5)
    assert {name: point.fields[name] for name in ("active", "running", "participants", "scored", "ignored_total")} == {
        "active": 1.0,
        "running": 1.0,
        "participants": 2.0,
        "scored": 1.0,
        "ignored_total": 1.0,
    }
    assert point.fields["applied_total"] == palio.owner.outcomes["applied", ""]


def test_prizes_are_counted_by_state_and_payouts_by_outcome() -> None:
    settler: Any = SimpleNamespace(waiting=3, failures=4)
    payer: Any = SimpleNamespace(outcomes={"paid": 5, "retried": 6})
    paid = value("palio_payouts_total", outcome="paid")
    metrics = PrizeMetrics()
    assert value("palio_payouts_total", outcome="given_up") == 0, "a rate needs a first value"
    metrics.update({"paid": 7, "failed": 0}, settler, payer)
    metrics.update({"paid": 7, "failed": 1}, settler, payer)
    assert (value("palio_prizes", state="paid"), value("palio_prizes", state="failed")) == (7, 1)
    assert value("palio_prizes_waiting_tournaments") == 3
    assert value("palio_payouts_total", outcome="paid") == paid + 5
    metrics.update({}, settler, None)
