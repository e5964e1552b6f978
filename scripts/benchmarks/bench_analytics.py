"""What analytics cost a score: the owner, which notes the attempts and stores them with its checkpoints, and the collector, which brings them
into the series. In one process, without Ray.

`python -m scripts.benchmarks.bench_analytics`. An owner of its own (as in bench_owner) holds the tournaments, with records in a SQLite file; the
series are Parquet files. Each round is some seconds of 5,000 random scores, a checkpoint of all that changed, and a round of the collector, the
first of which is not counted. Process CPU time, threads included. What the owner spends is measured with and without, in turns.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from actors.analytics.collector import Collector
from actors.owner.owner import OwnerConfig
from cluster.actors.process import settle
from cluster.startup.ports import attempts_of
from scripts.benchmarks.bench_owner import DELIVERY, SECOND, Bench, cpu_of
from scripts.benchmarks.harness.measured_palio import table
from storage.metrics.parquet import ParquetMetrics
from storage.updates.broker import Broker
from storage.updates.embedded import BrokerUpdates

ROUND_S: Final = 10  # between two looks of the collector, unless told otherwise
SHAPES: Final = ((200, 20), (5_000, 10), (1, 20_000))


class Spent(NamedTuple):
    """CPU seconds for `scores`."""

    applying: float
    saving: float
    collecting: float
    scores: int


async def measure(tournaments: int, members: int, rounds: int, *, attempts: bool) -> Spent:
    """So many tournaments with so many members each; `attempts`: whether analytics are told."""
    bench = Bench(tournaments, members)
    with tempfile.TemporaryDirectory(prefix="palio-bench-") as directory:
        path = Path(directory)
        await bench.open(path / "records.db", BrokerUpdates(Broker().call), OwnerConfig(attempts=attempts))
        owner, series = bench.owner, ParquetMetrics(path / "series", keeps=True)
        collector = Collector(bench.records, attempts_of(bench.records), series)
        await owner.checkpointer.full_round(owner.scopes())
        await collector.round()
        settle()
        applying = saving = collecting = 0.0
        for number in range(rounds + 1):
            if number == 1:
                applying = saving = collecting = 0.0
            for _ in range(ROUND_S * SECOND // DELIVERY):
                data = bench.encoded(bench.scores(DELIVERY))
                applying += await cpu_of(owner.deliver(data))
                bench.now_ms += DELIVERY * 1000 // SECOND
            saving += await cpu_of(owner.checkpointer.full_round(owner.scopes()))
            collecting += await cpu_of(collector.round())
        await series.close()
        await bench.records.close()
    return Spent(applying, saving, collecting, rounds * ROUND_S * SECOND)


def row(tournaments: int, members: int, rounds: int) -> list[str]:
    """A row of the table."""
    without, told = (
        asyncio.run(measure(tournaments, members, rounds, attempts=attempts)) for attempts in (False, True)
    )
    us = [1e6 * seconds / told.scores for seconds in (
        without.applying, told.applying, without.saving, told.saving, told.collecting,
    )]  # fmt: skip
    each_ms = 1e3 * told.collecting / (rounds * tournaments)
    return [f"{tournaments:,} of {members:,}", *(f"{part:.2f}" for part in us), f"{each_ms:.2f}"]


def main(argv: Sequence[str] | None = None) -> str:
    """Measure, print a Markdown table and return it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=4, help="rounds that are counted (4)")
    parser.add_argument("--only", type=int, nargs="*", help="only the shapes with so many tournaments")
    options = parser.parse_args(argv)
    rows = [row(*shape, options.rounds) for shape in SHAPES if not options.only or shape[0] in options.only]
    head = ["tournaments", "applied, not told", "applied, told", "saved, not told", "saved, told", "collected"]
    text = table([*head, "ms a tournament and round"], rows)
    print(text)
    return text


if __name__ == "__main__":
    main(sys.argv[1:])
