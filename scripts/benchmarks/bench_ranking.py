"""Ranking against pipelined Redis and sortedcontainers: updates a CPU-second, and bytes a member.

`python -m scripts.benchmarks.bench_ranking` needs `redis-server` on the PATH. Every contender gets user ids and scores as plain
Python lists and keeps its own map of users. CPU time is the contender's own: this process's for the two in Python, the
server's alone for Redis (its `INFO cpu`), whose client is not counted. They take turns, chunk by chunk, each pinned to
a core, so that whatever else the machine does meets all of them. Redis gets pipelines of 100 commands or the batch,
whichever is more: small batches do not make it pay for small packets.
"""

from __future__ import annotations

import argparse
import sys
import time
import tracemalloc
from collections.abc import Callable, Sequence

import numpy as np

from actors.domain.ranking.ranking import Ranking
from actors.domain.ranking.user_map import UserMap
from scripts.benchmarks.harness.ranking_contenders import Contender, Palio, Redis, SortedListAndDict, redis_server

HIGHEST = 10_000_000  # hundredths: 100,000 points
GOALS = {  # times Redis, in batches of 100: writes, writes with the rank of each
    100_000: (3.0, 2.0),
    1_000_000: (2.5, 1.5),
}
HUGE_CHANGES = 400_000
CHUNK = 10_000  # updates before the next contender's turn
Batch = tuple[list[int], list[int]]


def batches(rng: np.random.Generator, users: np.ndarray, size: int, updates: int) -> list[Batch]:
    """Random updates of known users, cut into batches."""
    return [
        (rng.choice(users, size).tolist(), rng.integers(0, HIGHEST, size).tolist())
        for _ in range(max(updates // size, 1))
    ]


def rates(
    contenders: Sequence[Contender], users: np.ndarray, size: int, *, ranks: bool, cpu_s: float
) -> dict[str, float]:
    """Updates a CPU-second of each contender, in batches of `size`; they take turns until each has had `cpu_s`."""
    rng = np.random.default_rng(size)
    used = dict.fromkeys((contender.name for contender in contenders), 0.0)
    done = dict.fromkeys(used, 0)
    while any(spent < cpu_s for spent in used.values()):
        for contender in contenders:
            if used[contender.name] >= cpu_s:
                continue
            pipelined = max(size, 100) if isinstance(contender, Redis) else size
            work = batches(rng, users, pipelined, CHUNK)
            apply: Callable[[list[int], list[int]], None] = contender.write_and_rank if ranks else contender.write
            before = contender.cpu_s()
            for batch in work:
                apply(*batch)
            used[contender.name] += contender.cpu_s() - before
            done[contender.name] += len(work) * pipelined
    return {name: done[name] / used[name] for name in used}


def build(contender: Contender, users: np.ndarray) -> None:
    """Give every user a score, 1,000 at a time."""
    rng = np.random.default_rng(7)
    for start in range(0, len(users), 1_000):
        part = users[start : start + 1_000].tolist()
        contender.write(part, rng.integers(0, HIGHEST, len(part)).tolist())


def traced_bytes(make: Callable[[], Contender], users: np.ndarray) -> int:
    """Bytes that a contender in this process holds, by tracemalloc (NumPy's and array's memory included)."""
    tracemalloc.start()
    contender = make()
    build(contender, users)
    for batch in batches(np.random.default_rng(1), users, 100, 5_000):
        contender.write_and_rank(*batch)
    if isinstance(contender, Palio):
        contender.ranking.slots(0, 20)
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return held


def random_users(members: int) -> np.ndarray:
    """Distinct random user ids."""
    return np.unique(np.random.default_rng(11).integers(1, 2**63 - 1, members + 16))[:members]


def compare(path: str, members: int, sizes: Sequence[int], cpu_s: float) -> tuple[list[str], list[str], str]:
    """Rows for one number of members: rates, goals, bytes."""
    users = np.random.default_rng(13).permutation(random_users(members))
    palio, server, sorted_list = Palio(), Redis(path), SortedListAndDict()
    empty = server.used_memory()
    for contender in (palio, server, sorted_list):
        build(contender, users)
    redis_bytes = server.used_memory() - empty
    rows, goals = [], []
    for ranks in (False, True):
        what = "write + rank of each" if ranks else "write"
        for size in sizes:
            found = rates((palio, server, sorted_list), users, size, ranks=ranks, cpu_s=cpu_s)
            ours, theirs, third = (found[contender.name] for contender in (palio, server, sorted_list))
            rows.append(
                f"| {members:,} | {what} | {size:,} | {ours / 1e3:,.0f} | {theirs / 1e3:,.0f} | {third / 1e3:,.0f} "
                f"| {ours / theirs:.1f} | {ours / third:.1f} |"
            )
            if size == 100 and members in GOALS:
                goal = GOALS[members][ranks]
                verdict = "met" if ours / theirs >= goal else "missed"
                goals.append(f"- {what} at {members:,}: {ours / theirs:.2f} times Redis, goal {goal}: {verdict}")
    del palio, sorted_list
    memory = [traced_bytes(Palio, users), redis_bytes]
    if members <= 100_000:
        memory.append(traced_bytes(SortedListAndDict, users))
    cells = " | ".join(f"{item / members:.0f}" for item in memory) + (" | -" if members > 100_000 else "")
    if members == 100_000:
        most = memory[0] / members
        goals.append(f"- bytes a member at 100,000: {most:.0f}, goal 82: {'met' if most <= 82 else 'missed'}")
    return rows, goals, f"| {members:,} | {cells} |"


def huge(members: int) -> str:
    """Build a ranking of 20 million, change it, and compare ranks and the whole order with NumPy's lexsort."""
    rng = np.random.default_rng(17)
    lines = [f"\n{members:,} members:\n"]
    users = rng.permutation(random_users(members))
    scores = rng.integers(0, HIGHEST, members)
    times = np.arange(members)
    by_rank = np.lexsort((times, -scores))
    tracemalloc.start()  # a handful of large arrays: to trace them costs nothing
    start = time.process_time()
    user_map = UserMap()
    user_map.add_many(users)
    lines.append(f"- user map built in {time.process_time() - start:.1f} CPU-seconds")
    start = time.process_time()
    ranking = Ranking.restore(
        descending=True, ties="first", slots=by_rank, scores=scores[by_rank], hidden=np.zeros(members, np.bool_)
    )
    lines.append(f"- restored in {time.process_time() - start:.1f} CPU-seconds")
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    times[by_rank] = np.arange(members)
    chosen = rng.integers(0, members, HUGE_CHANGES)
    new = rng.integers(0, HIGHEST, HUGE_CHANGES).tolist()
    for now, (slot, score) in enumerate(
        zip(user_map.slots(users[chosen].tolist()).tolist(), new, strict=True), members
    ):
        ranking.place(slot, score)
        if scores[slot] != score:
            scores[slot], times[slot] = score, now
    sample = rng.integers(0, members, 50)
    counted = [
        1 + int(np.count_nonzero((scores > scores[slot]) | ((scores == scores[slot]) & (times < times[slot]))))
        for slot in sample.tolist()
    ]
    exact = [ranking.rank(slot) for slot in sample.tolist()] == counted
    exact &= bool((ranking.ordered() == np.lexsort((times, -scores))).all())
    lines.append(f"- 50 ranks counted one by one and the whole order: {'exact' if exact else 'WRONG'}")
    lines.append(f"- {held / members:.0f} bytes a member with the user map")
    if not exact:
        raise SystemExit("\n".join(lines))
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> str:
    """Measure, print and return a Markdown report."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--members", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 10, 100, 1_000])
    parser.add_argument("--cpu-s", type=float, default=0.5, help="CPU seconds a contender and cell")
    parser.add_argument("--huge", action="store_true", help="also check and measure 20 million members (6 GB, 3 min)")
    parser.add_argument("--huge-members", type=int, default=20_000_000)
    options = parser.parse_args(argv)
    rows, goals, memory = [], [], []
    with redis_server() as path:
        for members in options.members:
            more_rows, more_goals, bytes_row = compare(path, members, options.batches, options.cpu_s)
            rows += more_rows
            goals += more_goals
            memory.append(bytes_row)
    report = [
        "Thousand updates a CPU-second, user id in, the map of users included.\n",
        "| members | each update | batch | Palio | Redis, pipelined | SortedList + dict | x Redis | x SortedList |",
        "|---|---|---|---|---|---|---|---|",
        *rows,
        "\nBytes a member, the map of users included.\n",
        "| members | Palio, tracemalloc | Redis, `used_memory` | SortedList + dict |",
        "|---|---|---|---|",
        *memory,
        *([""] if goals else []),
        *goals,
    ]
    if options.huge:
        report.append(huge(options.huge_members))
    text = "\n".join(report)
    sys.stdout.write(text + "\n")
    return text


if __name__ == "__main__":
    main()
