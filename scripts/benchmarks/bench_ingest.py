"""Ingest alone: a filled topic applied and checkpointed, beside aiokafka's bare consumer; and scores produced straight to Kafka.

`python -m scripts.benchmarks.bench_ingest`, on real servers, always. 200 running tournaments of 20 members over 50
partitions. In turns: the ingest actor
is stopped (SIGSTOP) and a trusted producer fills the topic; a bare consumer in a process of its own reads what came (getmany); the ingest
actor goes on (SIGCONT), and time and CPU time are taken until the last score of every partition is applied by its owner, and until the committed
offsets reach the log's ends, which means that all of it is durable. Then as many scores are produced while Palio applies them. No request
is under way but the probes, five a second. CPU time is that of ingest, owner and servers, or where it is said of all processes; for the
bare consumer that of its process and Kafka's. The producer is not counted.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import os
import signal
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple

import httpx2

from cluster.config.settings import Settings
from cluster.startup.ports import opened
from scripts.benchmarks.harness.client_process import LoadProcess
from scripts.benchmarks.harness.contest import Contest, set_up
from scripts.benchmarks.harness.ingest_clients import Consumed, Entry, Produced, Topic, consume, produce
from scripts.benchmarks.harness.measured_palio import SERVERS, MeasuredPalio, spread, table

WAIT_S: Final = 300.0
PROBE_PAUSE_S: Final = 0.2  # a probe costs the api some 5 ms of CPU time
FIRST_PAUSE_S: Final = 0.01
COUNTED: Final = ("IngestActor", "TournamentActor", *SERVERS)
RATIO_GOAL: Final = 0.25
LIVE_GOAL: Final = 35_000

BARE: Final = "bare aiokafka consumer"
APPLIED: Final = "from a filled topic to applied"
DURABLE: Final = "from a filled topic to applied and checkpointed"
LIVE: Final = "produced straight to Kafka meanwhile, to applied; CPU of all processes"


class Met(NamedTuple):
    """One measurement: records a second, and a CPU-second of those who are counted."""

    a_second: float
    a_cpu_s: float


class Stage:
    """A running Palio, its tournaments, and how many scores of each user are in the topic."""

    def __init__(self, palio: MeasuredPalio, contest: Contest, api: httpx2.Client) -> None:
        settings = palio.settings
        assert settings.kafka_bootstrap_servers is not None
        self.palio = palio
        self.contest = contest
        self.topic = Topic(settings.kafka_bootstrap_servers, settings.kafka_topic, settings.partitions)
        self.scores: Counter[int] = Counter()
        self._api = api
        self._seeds = itertools.count(1)

    def producing(self, count: int) -> LoadProcess:
        """A producer of `count` scores, on its way."""
        return LoadProcess(produce, self.topic, self.contest, count, next(self._seeds))

    def await_first(self, produced: Produced, known: Counter[int]) -> None:
        """Wait until a first score of some partition is applied, of users who had `known` scores."""
        deadline = time.monotonic() + WAIT_S
        for entry in itertools.cycle(produced.first.values()):
            if self._attempts(entry) > known[entry.user]:
                return
            _check(deadline, "no record is applied")
            time.sleep(FIRST_PAUSE_S)

    def await_applied(self, produced: Produced) -> tuple[float, Counter[str]]:
        """Wait until the last score of every partition is applied, and with it all; returns the clock and the CPU time as of then.

        Raises RuntimeError when one was applied twice.
        """
        deadline = time.monotonic() + WAIT_S
        seen: tuple[float, Counter[str]] | None = None
        for entry in reversed(produced.last.values()):
            waited = seen is None
            while (attempts := self._attempts(entry)) < self.scores[entry.user]:
                _check(deadline, f"{attempts} of {self.scores[entry.user]} scores of {entry} are applied")
                waited = True
                time.sleep(PROBE_PAUSE_S)
            if attempts > self.scores[entry.user]:
                raise RuntimeError(f"expected {self.scores[entry.user]} attempts of {entry}, got {attempts}")
            if (
                seen is None or waited
            ):  # what was found at once was applied before: the probes since then are nobody's cost
                seen = time.monotonic(), self.palio.cpu_s()
        assert seen is not None, "something was produced"
        return seen

    def _attempts(self, entry: Entry) -> int:
        answer = self._api.get(f"/v1/tournaments/{entry.tournament}/participants/{entry.user}")
        found: int = answer.raise_for_status().json()["attempts"]
        return found


async def _ends(settings: Settings) -> dict[int, int]:
    """The last offset of each partition."""
    async with opened(settings) as (log, _):
        return {partition: held.last for partition, held in (await log.bounds()).items()}


async def _await_committed(settings: Settings) -> None:
    """Wait until the committed offsets are where the log ends now."""
    deadline = time.monotonic() + WAIT_S
    async with opened(settings) as (log, _):
        ends = {partition: held.last for partition, held in (await log.bounds()).items()}
        while behind := [p for p, offset in (await log.committed()).items() if offset < ends[p]]:
            _check(deadline, f"partitions {behind} are not committed")
            await asyncio.sleep(PROBE_PAUSE_S)


def _check(deadline: float, otherwise: str) -> None:
    if time.monotonic() > deadline:
        raise TimeoutError(f"{otherwise} after {WAIT_S:g} s")


@contextlib.contextmanager
def _stopped(palio: MeasuredPalio) -> Iterator[Callable[[], None]]:
    """Ingest does not run, until the yielded function is called, or the body ends."""
    pids = palio.pids("ray::IngestActor")

    def go_on() -> None:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)

    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield go_on
    finally:
        go_on()


def turn(stage: Stage, count: int) -> dict[str, Met]:
    """Each measurement once."""
    palio, settings = stage.palio, stage.palio.settings
    known = Counter(stage.scores)
    with _stopped(palio) as go_on:
        ends = asyncio.run(_ends(settings))
        produced: Produced = stage.producing(count).result(WAIT_S)
        stage.scores += produced.scores
        before_bare = palio.cpu_s()
        bare: Consumed = LoadProcess(consume, stage.topic, ends, count).result(WAIT_S)
        before = palio.cpu_s()
        woken_s = time.monotonic()
        go_on()
        stage.await_first(produced, known)
        began_s = time.monotonic()
        at, used = stage.await_applied(produced)
        applied_s, applied = at - began_s, used - before
        asyncio.run(_await_committed(settings))
        durable_s, durable = time.monotonic() - began_s, palio.cpu_s() - before
    _tell(
        f"first applied after {began_s - woken_s:.2f} s, all after {applied_s:.1f} s more, checkpointed after {durable_s:.1f} s"
    )
    _tell_shares("filled topic to checkpointed", durable, count)
    live = _live(stage, count)
    return {
        BARE: Met(bare.records / bare.seconds, count / (bare.cpu_s + before["kafka"] - before_bare["kafka"])),
        APPLIED: Met(count / applied_s, count / _counted(applied)),
        DURABLE: Met(count / durable_s, count / _counted(durable)),
        LIVE: live,
    }


def _live(stage: Stage, count: int) -> Met:
    """Scores applied as they are produced, by the CPU time of everything but the producer."""
    before, began_s = stage.palio.cpu_s(), time.monotonic()
    produced: Produced = stage.producing(count).result(WAIT_S)
    stage.scores += produced.scores
    at, after = stage.await_applied(produced)
    used, took_s = after - before, at - began_s
    _tell_shares("produced meanwhile", used, count)
    asyncio.run(_await_committed(stage.palio.settings))
    return Met(count / took_s, count / used.total())


def _counted(used: Counter[str]) -> float:
    return sum(used[role] for role in COUNTED)


def _tell(text: str) -> None:
    print(text, file=sys.stderr)


def _tell_shares(what: str, used: Counter[str], count: int) -> None:
    shares = ", ".join(f"{role} {1e6 * seconds / count:.1f}" for role, seconds in used.most_common() if seconds)
    _tell(f"{what}: CPU us a score: {shares}")


def main(argv: Sequence[str] | None = None) -> str:
    """Measure, print a Markdown table and return it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=300_000, help="scores of each measurement (300000)")
    parser.add_argument("--turns", type=int, default=3, help="how often each is measured (3)")
    options = parser.parse_args(argv)
    turns = []
    with MeasuredPalio(cluster=True) as palio:
        contest = set_up(palio)
        with httpx2.Client(base_url=f"http://127.0.0.1:{palio.settings.port}", timeout=30) as api:
            stage = Stage(palio, contest, api)
            for _ in range(options.turns):
                turns.append(turn(stage, options.records))
                _tell(f"{turns[-1]}")
    head = ["records", "a second, median (range)", "a CPU-second, median (range)", "x bare, a second"]
    head += ["x bare, a CPU-second", "aim", ""]
    text = table(head, [_row(name, turns) for name in (BARE, APPLIED, DURABLE, LIVE)])
    print(text)
    return text


def _row(name: str, turns: Sequence[dict[str, Met]]) -> list[str]:
    mets = [met[name] for met in turns]
    rates, by_cpu = [met.a_second for met in mets], [met.a_cpu_s for met in mets]
    ratio = statistics.median(met[name].a_second / met[BARE].a_second for met in turns)
    cpu_ratio = statistics.median(met[name].a_cpu_s / met[BARE].a_cpu_s for met in turns)
    aim, met_it = "-", None
    if name == DURABLE:
        aim, met_it = f"{RATIO_GOAL} x bare", ratio >= RATIO_GOAL
    elif name == LIVE:
        aim, met_it = f"{LIVE_GOAL:,} a CPU-second", statistics.median(by_cpu) >= LIVE_GOAL
    compared = name in (APPLIED, DURABLE)
    return [
        name,
        spread(rates),
        spread(by_cpu),
        f"{ratio:.2f}" if compared else "-",
        f"{cpu_ratio:.2f}" if compared else "-",
        aim,
        "-" if met_it is None else "met" if met_it else "missed",
    ]


if __name__ == "__main__":
    main(sys.argv[1:])
