"""How long the one tournament of an actor is without its owner when that is killed, with 100,000 participants.

`python -m scripts.benchmarks.bench_recovery`, `--cluster` on real servers. Set-up: a dedicated tournament is created
at the api; joins and a score of
each participant are appended to the log directly, the joins signed as the gateway signs them (it answers about a thousand joins a second), and
all of it is checkpointed. Then, in turns, the owner's process is killed with SIGKILL, with all checkpointed or with scores applied just
before, most of which are in the log alone. Measured from the kill: until a page of the rankings comes from the new owner (its
`position.epoch` is higher; until then the read model answers), and until a new score is applied. Reads go on all the time, one
after the other.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import random
import statistics
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

import httpx2
import psutil

from actors.domain.codec import decode_snapshot, encode_snapshot
from actors.domain.delivery import scope_name
from actors.domain.messages import Join, encode_message, encode_score
from actors.domain.signing import Signer
from actors.domain.values import partition_of
from cluster.config.settings import Settings
from cluster.startup.ports import opened, signer_of
from scripts.benchmarks.harness.measured_palio import MeasuredPalio, spread, table
from storage.ports import NewRecord, StoredSnapshot
from tests.integration.conftest import applied_within_s, create, eventually, join
from tests.support.running import kill_9

OWNER_GOAL_S: Final = 3.0
APPEND_RECORDS: Final = 1000
WAIT_S: Final = 300.0
READ_PAUSE_S: Final = 0.01
FIRST_USER: Final = 1_000_000
PROBE: Final = 99
CODEC_TURNS: Final = 5
ROLE: Final = "ray::TournamentActor"


class Arena(NamedTuple):
    """The tournament, and where its records are."""

    palio: MeasuredPalio
    tournament: str
    partition: int
    users: range


class Found(NamedTuple):
    """Seconds from the kill until the new owner answered, and until a new score was applied; failed reads, and how long the slowest took.

    `unsaved`: offsets that the last checkpoint was behind, just before the kill.
    """

    owner_s: float
    applied_s: float
    reads: int
    failed: int
    slowest_s: float
    unsaved: int


def joins(arena: Arena, signer: Signer) -> Iterator[NewRecord]:
    """A signed join of each participant."""
    key = arena.tournament.encode()
    for user in arena.users:
        value = encode_message(Join(command_id=f"bench-{user}", user_id=str(user), name=f"Player {user}"))
        yield NewRecord(arena.partition, key, value, signer.sign(key, value))


def scores(arena: Arena, count: int, series: int) -> Iterator[NewRecord]:
    """`count` scores, one of each participant in turn."""
    key = arena.tournament.encode()
    rng = random.Random(series)
    for number in range(count):
        value = encode_score(f"s{series}-{number}", arena.users[number % len(arena.users)], rng.randrange(10_000_000))
        yield NewRecord(arena.partition, key, value)


async def append(settings: Settings, records: Iterable[NewRecord]) -> None:
    """Append to the log, some at a time."""
    async with opened(settings) as (log, _):
        remaining = iter(records)
        while some := list(itertools.islice(remaining, APPEND_RECORDS)):
            await log.append(some, WAIT_S)


async def unsaved_records(arena: Arena) -> int:
    """How many offsets of the tournament's partition the checkpoint is behind."""
    scope = scope_name(arena.partition, int(arena.tournament))
    async with opened(arena.palio.settings) as (log, records):
        last = (await log.bounds())[arena.partition].last
        return last - (await records.projected(arena.partition, [scope]))[scope]


async def await_durable(arena: Arena) -> StoredSnapshot:
    """Wait until the checkpoint holds all that is in the tournament's partition; returns the snapshot. Raises TimeoutError."""
    deadline = time.monotonic() + WAIT_S
    while unsaved := await unsaved_records(arena):
        if time.monotonic() > deadline:
            raise TimeoutError(f"{unsaved:,} records are not durable after {WAIT_S:g} s")
        await asyncio.sleep(0.25)
    async with opened(arena.palio.settings) as (_, records):
        return (await records.snapshots(int(arena.tournament)))[0]


class Reads(threading.Thread):
    """Reads the first page of the rankings until an owner of a later epoch than `epoch` answers."""

    def __init__(self, arena: Arena, epoch: int) -> None:
        super().__init__()
        self._arena = arena
        self._epoch = epoch
        self.took_s: list[float] = []
        self.failed = 0
        self.answered_at = float("inf")

    def run(self) -> None:
        """See the class."""
        deadline = time.monotonic() + WAIT_S
        with self._arena.palio.client(gateway=True) as gateway:
            while (began := time.monotonic()) < deadline:
                epoch = epoch_of(gateway, self._arena.tournament)
                now = time.monotonic()
                self.took_s.append(now - began)
                if epoch is not None and epoch > self._epoch:
                    self.answered_at = now
                    return
                self.failed += epoch is None
                time.sleep(READ_PAUSE_S)


def epoch_of(gateway: httpx2.Client, tournament: str) -> int | None:
    """The epoch of the owner that a page of the rankings is of; None when there was no page."""
    answer = gateway.get(f"/v1/tournaments/{tournament}/rankings", params={"limit": 20})
    if answer.status_code != 200:
        return None
    epoch: int = answer.json()["position"]["epoch"]
    return epoch


def measure(arena: Arena, owner: int, unsaved: int) -> Found:
    """Kill the owner's process and see."""
    with arena.palio.client(gateway=True) as gateway:
        epoch = epoch_of(gateway, arena.tournament)
        assert epoch is not None, "no owner to kill"
        reads = Reads(arena, epoch)
        kill_9(owner)
        killed_at = time.monotonic()
        reads.start()
        applied_s = applied_within_s(gateway, arena.tournament, PROBE, killed_at, wait=1)
        reads.join()
    return Found(reads.answered_at - killed_at, applied_s, len(reads.took_s), reads.failed, max(reads.took_s), unsaved)


def codec_note(snapshot: StoredSnapshot) -> str:
    """What the snapshot weighs and costs."""
    decoding, encoding = [], []
    for _ in range(CODEC_TURNS):
        began_s = time.process_time()
        state = decode_snapshot(snapshot.data, snapshot.deltas)
        decoded_s = time.process_time()
        encode_snapshot(state)
        decoding.append(decoded_s - began_s)
        encoding.append(time.process_time() - decoded_s)
    return (
        f"The snapshot is {len(snapshot.data):,} bytes; to encode it takes {1000 * statistics.median(encoding):.0f} ms of CPU time, "
        f"to decode it {1000 * statistics.median(decoding):.0f} ms (medians of {CODEC_TURNS})."
    )


def set_up(palio: MeasuredPalio, participants: int) -> tuple[Arena, str]:
    """The tournament, with everybody in it and checkpointed, and how long that took."""
    with palio.client() as api:
        tournament = create(api, placement="dedicated", capacity=participants + 1)
        partition = partition_of(int(tournament), palio.settings.partitions)
        arena = Arena(palio, tournament, partition, range(FIRST_USER, FIRST_USER + participants))
        join(api, tournament, PROBE)
        time.sleep(2)  # the counters are up to a second old
        known, began_s = palio.applied(), time.monotonic()
        asyncio.run(append(palio.settings, joins(arena, signer_of(palio.settings))))
        asyncio.run(append(palio.settings, scores(arena, participants, 0)))
        appended_s = time.monotonic() - began_s
        palio.await_applied(known + 2 * participants, WAIT_S)
        applied_s = time.monotonic() - began_s
        asyncio.run(await_durable(arena))
        durable_s = time.monotonic() - began_s
    return arena, (
        f"Set-up: {2 * participants:,} joins and scores appended within {appended_s:.1f} s, applied within {applied_s:.1f} s, "
        f"all of it durable within {durable_s:.1f} s."
    )


def strike(arena: Arena, own: set[int], unsaved: int, series: int) -> Found:
    """One kill of the owner, with this many scores applied just before; `own` is its process before and after."""
    asyncio.run(await_durable(arena))
    if unsaved:
        time.sleep(2)  # the counters are up to a second old
        known = arena.palio.applied()
        asyncio.run(append(arena.palio.settings, scores(arena, unsaved, series)))
        arena.palio.await_applied(known + unsaved, WAIT_S)
    others = set(arena.palio.pids(ROLE)) - own
    (owner,) = own
    lacking = asyncio.run(unsaved_records(arena))
    killed_s = time.time()
    found = measure(arena, owner, lacking)
    own.clear()
    own |= eventually(lambda: set(arena.palio.pids(ROLE)) - others)
    (owner,) = own
    begun_s = psutil.Process(owner).create_time() - killed_s
    print(f"{unsaved:,} unsaved: {found}; its process began {begun_s:+.2f} s from the kill", file=sys.stderr)
    return found


def main(argv: Sequence[str] | None = None) -> str:
    """Measure, print a Markdown table and return it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--participants", type=int, default=100_000, help="participants of the tournament (100000)")
    parser.add_argument(
        "--unsaved", type=int, default=50_000, help="scores applied just before the kill, in the second row (50000)"
    )
    parser.add_argument("--turns", type=int, default=3, help="how often each is measured (3)")
    parser.add_argument("--cluster", action="store_true", help="on real servers")
    options = parser.parse_args(argv)
    found: dict[int, list[Found]] = {0: [], options.unsaved: []}
    with MeasuredPalio(cluster=options.cluster) as palio:
        shards = set(palio.pids(ROLE))
        arena, note = set_up(palio, options.participants)
        print(note, file=sys.stderr)
        own = set(palio.pids(ROLE)) - shards
        for number in range(options.turns):
            for unsaved, results in found.items():
                results.append(strike(arena, own, unsaved, number + 1))
        codec = codec_note(asyncio.run(await_durable(arena)))
    head = ["killed with", "records in no checkpoint, median", "the new owner answers after s, median (range)"]
    head += ["a score is applied after s", "reads meanwhile", "failed", "slowest s", "aim", ""]
    rows = [_row(unsaved, results) for unsaved, results in found.items()]
    text = f"{options.participants:,} participants.\n\n{table(head, rows)}\n\n{note} {codec}"
    print(text)
    return text


def _row(unsaved: int, results: Sequence[Found]) -> list[str]:
    owner = [result.owner_s for result in results]
    applied = [result.applied_s for result in results]
    return [
        f"{unsaved:,} scores just applied" if unsaved else "all checkpointed",
        f"{statistics.median(result.unsaved for result in results):,.0f}",
        spread(owner, 2),
        spread(applied, 2),
        f"{sum(result.reads for result in results):,}",
        f"{sum(result.failed for result in results)}",
        f"{max(result.slowest_s for result in results):.2f}",
        f"{OWNER_GOAL_S:g} s",
        "met" if max(owner) <= OWNER_GOAL_S else "missed",
    ]


if __name__ == "__main__":
    main(sys.argv[1:])
