"""`/metrics` of a running Palio: all processes in one exposition, and the numbers are those of what was done."""

from __future__ import annotations

import time

import httpx2
from prometheus_client.parser import text_string_to_metric_families

from tests.integration.conftest import create, eventually, join, submit
from tests.support.running import RunningPalio
from tests.support.watcher import Watcher

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def scrape(palio: RunningPalio) -> Samples:
    answer = httpx2.get(f"{palio.url}/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")
    families = text_string_to_metric_families(answer.text)
    return {(s.name, frozenset(s.labels.items())): s.value for family in families for s in family.samples}


def total(samples: Samples, name: str, **labels: str) -> float:
    """The sum over all series of this name that have these labels."""
    found = [
        value for (series, have), value in samples.items() if series == name and labels.items() <= dict(have).items()
    ]
    assert found, f"no {name} {labels}"
    return sum(found)


def test_metrics_tell_what_happened(palio: RunningPalio, service: httpx2.Client, gateway: httpx2.Client) -> None:
    tournament = create(service)
    join(service, tournament, 1)
    with Watcher(palio) as watcher:
        watcher.ask(subscribe=tournament)
        submit(gateway, tournament, 1, "first", 1)
        submit(gateway, tournament, 1, "first", 1)  # so that every series below is there
        submit(gateway, tournament, 2, "stranger", 1)
        gateway.get("/v1/tournaments/1")
        time.sleep(2.5)  # owners and ingest copy their counts once a second
        before = scrape(palio)
        for number in range(5):
            submit(gateway, tournament, 1, f"m{number}", number)
            submit(gateway, tournament, 1, f"m{number}", number)
        submit(gateway, tournament, 2, "x", 1)
        gateway.get("/v1/tournaments/1")
        gateway.get(f"/v1/tournaments/{tournament}")

        after = before

        def grown(name: str, **labels: str) -> float:
            return total(after, name, **labels) - total(before, name, **labels)

        def counted() -> bool:
            nonlocal after
            after = scrape(palio)
            return grown("palio_records_total", outcome="applied") >= 5

        eventually(counted)
        time.sleep(2.5)
        after = scrape(palio)
        assert grown("palio_accepted_total", entrypoint="gateway", kind="score") == 11
        assert grown("palio_records_total", outcome="applied") == 5
        assert grown("palio_records_total", outcome="ignored", reason="duplicate") == 5
        assert grown("palio_records_total", outcome="ignored", reason="not_joined") == 1
        assert grown("palio_rejected_total", entrypoint="gateway", code="tournament_unknown") == 1
        assert grown("palio_submission_seconds_count", entrypoint="gateway") == 11
        assert grown("palio_applied_seconds_count", entrypoint="gateway") == 11
        assert grown("palio_view_seconds_count", entrypoint="gateway") >= 1
        assert grown("palio_push_seconds_count") >= 1
        assert grown("palio_updates_published_total") >= 1
        assert grown("palio_checkpoints_saved_total") >= 1
        assert total(after, "palio_sockets") >= 1
        assert total(after, "palio_subscriptions") >= 1
        assert total(after, "palio_active_tournaments") >= 1
        assert total(after, "palio_lag_records") == 0
        assert total(after, "palio_lag_seconds") == 0
        assert 0 <= total(after, "palio_checkpoint_age_seconds") < 60
        for queue in ("palio_ingest_buffered_records", "palio_unsaved_tournaments", "palio_waiters"):
            assert total(after, queue) >= 0
        for histogram in (
            "palio_view_seconds",
            "palio_submission_seconds",
            "palio_applied_seconds",
            "palio_push_seconds",
        ):
            assert total(after, f"{histogram}_bucket", le="+Inf") > 0
            assert total(after, f"{histogram}_sum") > 0
