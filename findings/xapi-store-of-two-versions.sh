#!/usr/bin/env bash
# A client of xAPI 1.0 cannot read the versions of a store that speaks 1.0.3 and 2.0.
#
# Expected: GET /about lists the versions that a learning record store takes; a client picks one that it knows.
# Seen on 2026-11-29: tincan 1.0.0 (PyPI): About.from_json raises ValueError when any version in the list is one that it
#   does not know, and RemoteLRS.about() with it.
# Whom it touches: stores that add 2.0 (IEEE 9274.1.1) lose clients that ask first, though nothing changed for these.
# What to do: do not call about(), give the version by hand.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check --no-cache-dir tincan==1.0.0
cat > seen.py <<'PY'
import sys
from importlib.metadata import version

from tincan import About

print("tincan", version("tincan"))
print(About.from_json('{"version": ["1.0.3"]}').version)
try:
    print(About.from_json('{"version": ["1.0.3", "2.0.0"]}').version)
except ValueError as error:
    print("ValueError:", str(error).splitlines()[0])
else:
    sys.exit("changed: it is read")
print("as stated")
PY
venv/bin/python seen.py
