"""What an owner spends on a score by what it does: applying, publishing, checkpoints; and on a view. In one process, without Ray.

`python -m scripts.benchmarks.bench_owner`. An owner of its own holds the tournaments of all partitions, with records in a SQLite file and a
broker in memory. Deliveries come as ingest sends them, encoded; each holds random scores of all partitions. Process CPU time, threads included.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import tempfile
import time
from collections.abc import Awaitable, Sequence
from pathlib import Path
from typing import Any

from actors.domain.delivery import ControlItem, Item, Range, ScoreItem, encode_ranges
from actors.domain.messages import Create, Join, Spec
from actors.domain.signing import Signer
from actors.domain.values import partition_of
from actors.owner.checkpoint.snapshot_chain import USUAL
from actors.owner.owner import Owner, OwnerConfig
from actors.owner.reads import OwnerReads
from cluster.actors.process import settle
from scripts.benchmarks.harness.measured_palio import table
from storage.ports import LiveQuery, Updates, ViewQuery
from storage.records.sql.database import SqlRecords
from storage.updates.broker import Broker
from storage.updates.embedded import BrokerUpdates
from tests.support.memory_ports import MemoryScoreLog

PARTITIONS = 50
DELIVERY = 250  # scores: what comes in 50 ms at 5,000 a second
SECOND = 5_000  # scores between two rounds of publications of a second each


class Bench:
    """An owner with running tournaments."""

    def __init__(self, tournaments: int, members: int) -> None:
        self.now_ms = int(time.time() * 1000)
        self.rng = random.Random(3)
        self.ids = [self.rng.randrange(1, 2**63) for _ in range(tournaments)]
        self.partition = {number: partition_of(number, PARTITIONS) for number in self.ids}
        self.users = range(1, members + 1)
        self.count = 0
        self.offsets = dict.fromkeys(range(PARTITIONS), -1)

    async def open(self, path: Path, updates: Updates, config: OwnerConfig | None = None) -> None:
        """Make the owner and its tournaments."""
        log = MemoryScoreLog(PARTITIONS, clock_ms=lambda: self.now_ms)
        self.records = await SqlRecords.open(path)
        self.owner = Owner(
            name="bench",
            instance="i",
            log=log,
            records=self.records,
            updates=updates,
            signer=Signer({"k": b"s" * 32}, "k"),
            clock_ms=lambda: self.now_ms,
            config=config or OwnerConfig(),
        )
        self.reads = OwnerReads(self.owner, self.owner.publisher)
        await self.owner.adopt([(partition, 0, -1) for partition in range(PARTITIONS)])
        for scope in self.owner.scopes():
            self.offsets[scope.partition] = scope.watermark = scope.epoch
        spec = Spec(
            name="x", type="scheduled", starts_ms=self.now_ms - 1, ends_ms=self.now_ms + 10**9, score_policy="best"
        )
        for number in self.ids:
            create = Create(
                command_id="c",
                creator="1",
                created_ms=self.now_ms,
                spec=spec,
                dedicated=False,
                salt="5a" * 16,
                request_digest="d",
            )
            joins = [Join(command_id=f"j{user}", user_id=str(user), name=f"player {user}") for user in self.users]
            await self.deliver([(number, create), *((number, join) for join in joins)])

    async def deliver(self, what: Sequence[tuple[int, Any]]) -> None:
        """Deliver records, (tournament, control message or (user, score))."""
        await self.owner.deliver(self.encoded(what))

    def encoded(self, what: Sequence[tuple[int, Any]]) -> bytes:
        """A delivery of these."""
        ranges: dict[int, list[Item]] = {}
        begun = dict(self.offsets)
        for number, message in what:
            partition = self.partition[number]
            self.offsets[partition] += 1
            self.count += 1
            at = self.offsets[partition], self.now_ms, number
            made = (
                ScoreItem(*at, message[0], f"e{self.count}", message[1])
                if isinstance(message, tuple)
                else ControlItem(*at, message)
            )
            ranges.setdefault(partition, []).append(made)
        return encode_ranges([Range(p, 0, begun[p], self.offsets[p], items) for p, items in ranges.items()])

    def scores(self, count: int) -> list[tuple[int, Any]]:
        """Random scores, each better than all before."""
        drawn = zip(self.rng.choices(self.ids, k=count), self.rng.choices(self.users, k=count), strict=True)
        return [(number, (user, 100_000 + self.count + n)) for n, (number, user) in enumerate(drawn)]


async def cpu_of(work: Awaitable[Any]) -> float:
    """CPU seconds of this process until it is done."""
    before = time.process_time()
    await work
    return time.process_time() - before


async def measure(tournaments: int, members: int, watched: int, seconds: int, rounds: int) -> list[str]:
    """A row: `watched` of the tournaments have a subscriber; `rounds` checkpoints, each after `seconds` of scores."""
    broker = Broker()
    updates = BrokerUpdates(broker.call)
    bench = Bench(tournaments, members)
    with tempfile.TemporaryDirectory(prefix="palio-bench-") as directory:
        await bench.open(Path(directory) / "records.db", updates)
        owner = bench.owner
        settle()  # as the actor does once it has loaded
        for number in bench.ids[:watched]:
            await bench.reads.read(bench.partition[number], number, LiveQuery())
        await owner.checkpointer.full_round(owner.scopes())
        applying = publishing = saving = 0.0
        for _ in range(rounds):
            for _ in range(seconds):
                for _ in range(SECOND // DELIVERY):
                    data = bench.encoded(bench.scores(DELIVERY))
                    applying += await cpu_of(owner.deliver(data))
                    bench.now_ms += DELIVERY * 1000 // SECOND
                    publishing += await cpu_of(owner.publish_due())
                for number in bench.ids[:watched]:
                    owner.publisher.watch(owner.tournaments.active[number])
            saving += await cpu_of(owner.checkpointer.full_round(owner.scopes()))
        scores = rounds * seconds * SECOND
        viewed = bench.ids[: min(2_000, tournaments)]
        changed = same = 0.0
        for number in viewed:
            changed += await cpu_of(bench.reads.read(bench.partition[number], number, ViewQuery()))
            same += await cpu_of(bench.reads.read(bench.partition[number], number, ViewQuery()))
        await bench.records.close()
    us = [1e6 * spent / scores for spent in (applying, publishing, saving)]
    return [
        f"{tournaments:,} of {members:,}, {watched:,} watched",
        *(f"{part:.1f}" for part in (*us, sum(us))),
        f"{1e6 * changed / len(viewed):.0f}",
        f"{1e6 * same / len(viewed):.0f}",
    ]


async def measure_one(members: int, rounds: int) -> list[str]:
    """A row of one tournament with so many participants, each with a score: checkpoints after SECOND scores, as deltas and whole, in turns."""
    bench = Bench(1, 0)
    with tempfile.TemporaryDirectory(prefix="palio-bench-") as directory:
        await bench.open(Path(directory) / "records.db", BrokerUpdates(Broker().call))
        owner, number = bench.owner, bench.ids[0]
        bench.users = range(1, members + 1)
        for first in range(1, members + 1, SECOND):
            users = bench.users[first - 1 : first - 1 + SECOND]
            joins = [Join(command_id=f"j{user}", user_id=str(user), name=f"player {user}") for user in users]
            await bench.deliver([(number, join) for join in joins])
            await bench.deliver([(number, (user, bench.rng.randrange(100_000))) for user in users])
        settle()
        await owner.checkpointer.full_round(owner.scopes())
        applied: list[float] = []
        saved: dict[int, list[float]] = {USUAL.most: [], 0: []}
        for most in list(saved) * rounds:
            owner.checkpointer.deltas = USUAL._replace(most=most)
            batches = [bench.encoded(bench.scores(DELIVERY)) for _ in range(SECOND // DELIVERY)]
            applied.append(sum([await cpu_of(owner.deliver(data)) for data in batches]))
            saved[most].append(await cpu_of(owner.checkpointer.full_round(owner.scopes())))
        await bench.records.close()
    medians = [sorted(each)[len(each) // 2] for each in (applied, saved[0], saved[USUAL.most])]
    return [f"{members:,}", *(f"{1e6 * spent / SECOND:.1f}" for spent in medians)]


def main(argv: Sequence[str] | None = None) -> str:
    """Measure, print a Markdown table and return it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tournaments", type=int, nargs="*", default=[200, 10_000], help="how many (200 and 10,000)")
    parser.add_argument("--members", type=int, default=10, help="participants of each (10)")
    parser.add_argument("--watched", type=float, default=0.1, help="the share that somebody watches (0.1)")
    parser.add_argument("--seconds", type=int, default=10, help="seconds of 5,000 scores between two checkpoints (10)")
    parser.add_argument("--rounds", type=int, default=2, help="checkpoints (2)")
    parser.add_argument("--one", type=int, nargs="*", help="instead: of one tournament with so many participants")
    options = parser.parse_args(argv)
    if options.one:
        rows = [asyncio.run(measure_one(members, options.rounds)) for members in options.one]
        text = table(["participants", "applied", "saved whole", "saved as deltas"], rows)
        print(text)
        return text
    rows = [
        asyncio.run(measure(count, options.members, watched, options.seconds, options.rounds))
        for count in options.tournaments
        for watched in (0, round(options.watched * count))
    ]
    head = ["tournaments", "applied", "published", "saved", "us a score", "a view, changed", "a view, as before"]
    text = table(head, rows)
    print(text)
    return text


if __name__ == "__main__":
    main(sys.argv[1:])
