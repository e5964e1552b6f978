"""A process that appends to a SQLite score log until it is killed or done, and prints what was acknowledged.

    python -m tests.support.log_process PATH PARTITIONS WRITER CALLS

Each acknowledged call is one line: `<partition> <offset> <value>` for each record, separated by commas.
"""

from __future__ import annotations

import asyncio
import sys

from storage.ports import NewRecord
from storage.score_log.sqlite.log import SqliteScoreLog


async def main(path: str, partitions: int, writer: str, calls: int) -> None:
    log = SqliteScoreLog(path, partitions, window_ms=0.5)
    numbers = iter(range(calls))

    async def work() -> None:
        for n in numbers:
            values = [f"{writer}-{n}-{i}" for i in range(1 + n % 3)]
            records = [NewRecord((n + i) % partitions, b"1", value.encode()) for i, value in enumerate(values)]
            offsets = await log.append(records)
            lines = zip(records, offsets, values, strict=True)
            print(",".join(f"{record.partition} {offset} {value}" for record, offset, value in lines), flush=True)

    await asyncio.gather(*(work() for _ in range(16)))
    await log.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4])))
