#!/usr/bin/env bash
# A time just before an hour becomes that hour, so what was in time is too late.
#
# Expected: a time with more digits than microseconds is cut, as Python's own fromisoformat, pydantic and JavaScript do
#   it: it never leaves its second. RFC 3339 section 5.6 allows any number of digits.
# Seen on 2026-11-29 with msgspec 0.22.0: the seventh digit rounds, so 09:59:59.9999999 is read as 10:00:00, at the
#   year's end as the next year. pydantic 2.14.3 and Python 3.11 or later read 09:59:59.999999.
# Whom it touches: .NET writes seven digits, Go and Java up to nine; the last tick of a day (23:59:59.9999999) is a
#   usual end there. Read by msgspec and by pydantic in one service, one time is before the end and the other not.
# What to do: read a time as a str and cut it at six digits where it decides what is in time, or read it once only.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check --no-cache-dir msgspec==0.22.0 pydantic==2.14.3
cat > seen.py <<'PY'
import datetime
import platform
import sys
from importlib.metadata import version

import msgspec
import pydantic

print("msgspec", version("msgspec"), "pydantic", version("pydantic"), "Python", platform.python_version())
adapter = pydantic.TypeAdapter(datetime.datetime)
readers = {
    "msgspec": lambda text: msgspec.json.decode(f'"{text}"', type=datetime.datetime),
    "pydantic": lambda text: adapter.validate_json(f'"{text}"'),
    "fromisoformat": datetime.datetime.fromisoformat,
}
seen = {}
for text in ("2026-05-01T09:59:59.9999999Z", "2026-12-31T23:59:59.9999999Z"):
    for name, read in readers.items():
        seen[name, text[:7]] = read(text).replace(tzinfo=None).isoformat()
        print(f"{name}: {text} -> {seen[name, text[:7]]}")
cut = {"2026-05": "2026-05-01T09:59:59.999999", "2026-12": "2026-12-31T23:59:59.999999"}
up = {"2026-05": "2026-05-01T10:00:00", "2026-12": "2027-01-01T00:00:00"}
if seen != {(name, month): (up if name == "msgspec" else cut)[month] for name in readers for month in cut}:
    sys.exit(f"changed: {seen}")
print("as stated")
PY
venv/bin/python seen.py
