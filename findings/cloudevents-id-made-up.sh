#!/usr/bin/env bash
# A received CloudEvent without an id is given one by its reader, a new one at each delivery.
#
# Expected: CloudEvents 1.0 requires id, source, type and specversion; source and id together tell a second delivery
#   from another event. A reader refuses an event without an id, as cloudevents.v1 of the same package does.
# Seen on 2026-11-29: cloudevents 2.2.0 (PyPI), cloudevents.core.bindings.http: from_structured and from_binary return
#   an event with a random id, and the time of reading as its time.
# Whom it touches: whoever counts events once by source and id: a producer that forgets the id has each of its retries
#   counted, and nobody is told.
# What to do: look for the required attributes before the library does, or read by cloudevents.v1.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check --no-cache-dir cloudevents==2.2.0
cat > seen.py <<'PY'
import json
import sys
from importlib.metadata import version

from cloudevents.core.bindings.http import HTTPMessage, from_binary, from_structured
from cloudevents.core.formats.json import JSONFormat
from cloudevents.v1.exceptions import MissingRequiredFields
from cloudevents.v1.http import from_http

print("cloudevents", version("cloudevents"))
event = {"specversion": "1.0", "type": "score", "source": "/game", "data": {"score": 1}}
whole = HTTPMessage({"content-type": "application/cloudevents+json"}, json.dumps(event).encode())
parts = HTTPMessage(
    {"ce-specversion": "1.0", "ce-type": "score", "ce-source": "/game", "content-type": "application/json"}, b'{"score": 1}'
)
seen = {
    "structured": [from_structured(whole, JSONFormat()).get_id() for _ in range(2)],
    "binary": [from_binary(parts, JSONFormat()).get_id() for _ in range(2)],
}
print(seen)
try:
    from_http(whole.headers, whole.body)
    sys.exit("changed: cloudevents.v1 takes it, too")
except MissingRequiredFields as error:
    print("cloudevents.v1:", error)
if any(not first or first == second for first, second in seen.values()):
    sys.exit(f"changed: {seen}")
print("as stated")
PY
venv/bin/python seen.py
