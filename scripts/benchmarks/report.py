"""Runs every benchmark and writes its table into BENCHMARKS.md, between `<!-- name -->` and `<!-- /name -->`: `scripts/bench all [NAME ...]`.

A benchmark that fails leaves its old table there; the others go on, and the exit status is then 1.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from cluster.config.settings import PROJECT_DIR

REPORT: Final = PROJECT_DIR / "BENCHMARKS.md"
TIMEOUT_S: Final = 3600.0
CLUSTER: Final = "-cluster"
BESIDE_OTHERS: Final = "peers"  # which must be there
ON_SERVERS_TOO: Final = ("faults", "latency", "recovery", "shape", "submissions")


def names() -> list[str]:
    """The benchmarks there are; with `-cluster`, on real servers."""
    folder = PROJECT_DIR / "scripts" / "benchmarks"
    found = sorted({path.stem.removeprefix("bench_") for path in folder.glob("bench_*.py")} - {BESIDE_OTHERS})
    return [*found, *(f"{name}{CLUSTER}" for name in ON_SERVERS_TOO)]


def measure(name: str) -> str:
    """What a benchmark prints, run in a process of its own. Raises subprocess.SubprocessError when it fails."""
    command = [sys.executable, "-P", "-m", f"scripts.benchmarks.bench_{name.removesuffix(CLUSTER)}"]
    command += ["--cluster"] if name.endswith(CLUSTER) else []
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, timeout=TIMEOUT_S).stdout.strip()


def written(report: str, name: str, result: str, date: str) -> str:
    """The report with this result. Raises ValueError when it has no place for it."""
    begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    before, found_begin, rest = report.partition(begin)
    _, found_end, after = rest.partition(end)
    if not (found_begin and found_end):
        raise ValueError(f"expected {begin} and {end} in {REPORT.name}")
    return f"{before}{begin}\nMeasured {date}.\n\n{result}\n{end}{after}"


def main(wanted: Sequence[str]) -> int:
    """Run these benchmarks, or all, and write what they print into the report."""
    unknown = set(wanted) - set(names())
    if unknown:
        raise SystemExit(f"expected some of {', '.join(names())}, got {', '.join(sorted(unknown))}")
    failed = []
    for name in wanted or names():
        print(f"== {name}", file=sys.stderr)
        try:
            result = measure(name)
        except subprocess.SubprocessError as error:
            print(f"{name} failed: {error}", file=sys.stderr)
            failed.append(name)
            continue
        print(result)
        _write(REPORT, name, result)
    return 1 if failed else 0


def _write(report: Path, name: str, result: str) -> None:
    date = f"{datetime.now(UTC):%Y-%m-%d}"
    report.write_text(written(report.read_text(encoding="utf-8"), name, result, date), encoding="utf-8")


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
