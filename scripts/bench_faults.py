"""What users notice when a part of a running Palio is killed with SIGKILL, under a steady load that remembers all it was promised.

`python -m scripts.bench_faults`. It starts a Palio of its own. For each part, in turns: a running tournament of 20 members gets scores without
pause and is read in every way at both doors; the part is killed; the time until a new score is applied is taken; at the end the
table must show every acknowledged event, once. Load and Palio share the machine.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from scripts.measured_palio import table
from tests.integration.conftest import applied_within_s, create, eventually, join
from tests.support.load import Load
from tests.support.running import NO_LIMITS, RunningPalio, kill_9

USERS: Final = range(1, 21)
PROBE: Final = 99
GOAL_S: Final = 3.0
PARTS: Final = {
    "owner of shared tournaments": "ray::TournamentActor",
    "owner of a dedicated tournament": "ray::TournamentActor",
    "ingest": "ray::IngestActor",
    "director": "ray::DirectorActor",
    "updates broker": "ray::UpdatesActor",
    "gateway": "ray::ServeReplica:gateway",
    "api": "ray::ServeReplica:api",
}


class Found(NamedTuple):
    """One fault: seconds until a score was applied again, longest time without an accepted score or an answered read, failed reads by door."""

    applied_s: float
    writes_away_s: float
    gateway_reads_failed: int
    api_reads_failed: int
    reads: int
    acknowledged: int


def measure(palio: RunningPalio, part: str) -> Found:
    """Kill one part in mid-load. Raises AssertionError when an acknowledged event is lost or counted twice."""
    with palio.client() as api, palio.client(gateway=True) as gateway:
        before = set(palio.pids("ray::TournamentActor"))
        dedicated = "dedicated" in part
        tournament = create(api, placement="dedicated" if dedicated else "shared")
        join(api, tournament, *USERS, PROBE)
        owners = set(palio.pids("ray::TournamentActor"))
        doomed = sorted(owners - before if dedicated else before) if "owner" in part else palio.pids(PARTS[part])
        with Load(palio, tournament, USERS) as load:
            time.sleep(1.5)
            killed_at = time.monotonic()
            for pid in doomed:
                kill_9(pid)
            door = api if part == "gateway" else gateway
            applied_s = _until(lambda: applied_within_s(door, tournament, PROBE, killed_at, wait=1))
            eventually(lambda: set(palio.pids(PARTS[part])) - set(doomed) and palio.well(), 120)
            time.sleep(1)
        api.delete(f"/v1/tournaments/{tournament}/participants/{PROBE}")
        load.check_table()
        api.post(f"/v1/tournaments/{tournament}/end")
    times = [killed_at, *(at for at in load.acknowledged if at > killed_at)]
    failed = [what for _, what, status in load.reads if status != 200]
    return Found(
        applied_s,
        max(after - at for at, after in itertools.pairwise(times)),
        sum(what.startswith("gateway") for what in failed),
        sum(what.startswith("api") for what in failed),
        len(load.reads),
        sum(load.attempts.values()),
    )


def _until(probe: Callable[[], float]) -> float:
    """The probe's answer, however often its door is not there yet."""
    import httpx

    while True:
        try:
            return probe()
        except (httpx.HTTPError, AssertionError):
            time.sleep(0.05)


def main(argv: Sequence[str] | None = None) -> str:
    """Measure, print a Markdown table and return it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=3, help="how often each part is killed (3)")
    parser.add_argument("--only", choices=list(PARTS), help="one part alone")
    options = parser.parse_args(argv)
    found: dict[str, list[Found]] = {part: [] for part in PARTS if options.only in (None, part)}
    with tempfile.TemporaryDirectory(prefix="palio-bench-") as directory:
        palio = RunningPalio(Path(directory) / "data", **NO_LIMITS).start()
        try:
            for _ in range(options.turns):
                for part, results in found.items():
                    results.append(measure(palio, part))
                    print(f"{part}: {results[-1]}", file=sys.stderr)
        finally:
            palio.stop()
    rows = []
    for part, results in found.items():
        applied = [result.applied_s for result in results]
        goal = "-"
        if "owner" in part:
            goal = f"{GOAL_S:g} s: {'met' if max(applied) <= GOAL_S else 'missed'}"
        rows.append(
            [
                part,
                f"{statistics.median(applied):.1f} ({min(applied):.1f}-{max(applied):.1f})",
                f"{max(result.writes_away_s for result in results):.1f}",
                f"{sum(result.gateway_reads_failed for result in results)}",
                f"{sum(result.api_reads_failed for result in results)}",
                f"{sum(result.reads for result in results):,}",
                f"{sum(result.acknowledged for result in results):,}",
                "0, 0",
                goal,
            ]
        )
    head = [
        "killed",
        "applying again after s, median (range)",
        "longest without an accepted score s",
        "reads failed, gateway",
    ]
    head += ["reads failed, api", "reads", "acknowledged", "lost, doubled", "aim"]
    text = table(head, rows)
    print(text)
    return text


if __name__ == "__main__":
    main(sys.argv[1:])
