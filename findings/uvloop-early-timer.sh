#!/usr/bin/env bash
# A timer set for a moment of the loop's clock runs before the clock shows that moment.
#
# Expected: asyncio's documentation of loop.call_at: the callback is scheduled for the absolute time `when`, by the
#   clock of loop.time(); so inside the callback loop.time() is at least `when`. asyncio's own loop keeps to it.
# Seen on 2026-11-29 with uvloop 0.23.0: it rounds the delay to whole milliseconds, so a timer of 1.4 ms comes after
#   1 ms and one of 0.4 ms in the next turn.
# Whom it touches: code that checks in the callback whether the time has come and otherwise goes away, or sets the
#   timer again: it skips a turn, or spins; pacing by fractions of a millisecond runs too fast.
# What to do: let the callback of a timer count as the time having come, or compare with a millisecond's allowance.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check --no-cache-dir uvloop==0.23.0
cat > seen.py <<'PY'
import asyncio
import platform
import sys
from importlib.metadata import version

import uvloop

print("uvloop", version("uvloop"), "Python", platform.python_version())
TIMES = 200


async def early(delay_s: float) -> int:
    """How many of the timers ran before their time."""
    loop = asyncio.get_running_loop()
    count = 0
    for _ in range(TIMES):
        done = loop.create_future()
        when = loop.time() + delay_s
        loop.call_at(when, lambda when=when, done=done: done.set_result(loop.time() < when))
        count += await done
    return count


seen = {}
for name, run in (("asyncio", asyncio.run), ("uvloop", uvloop.run)):
    for delay_ms in (0.4, 1.4):
        seen[name, delay_ms] = run(early(delay_ms / 1000))
        print(f"{name}: {seen[name, delay_ms]} of {TIMES} timers of {delay_ms} ms ran early")
if seen["asyncio", 0.4] + seen["asyncio", 1.4] or min(seen["uvloop", 0.4], seen["uvloop", 1.4]) < TIMES / 10:
    sys.exit(f"changed: {seen}")
print("as stated")
PY
venv/bin/python seen.py
