#!/usr/bin/env bash
# Values that a sports watch did not measure are read as real ones: a run of 42,950 km with a pulse of 255.
#
# Expected: the FIT protocol gives each base type an invalid value (0xFF, 0xFFFFFFFF ...) that devices write where
#   they have none; readers leave such fields out or give None.
# Seen on 2026-11-29 with fit-tool 0.9.16: it scales them like any other, so a session without a distance has
#   42949672.95 m and one without a time 4294967.295 s. garmin-fit-sdk 21.218.0 and fitdecode 0.11.0 leave them out.
# Whom it touches: challenges by distance, climb or time: one indoor run without a signal leads the ranking.
# What to do: read with another library, or drop values that are the invalid one of their type before scaling.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check --no-cache-dir \
  fit-tool==0.9.16 garmin-fit-sdk==21.218.0 fitdecode==0.11.0
cat > seen.py <<'PY'
import datetime
import sys
from importlib.metadata import version

import fitdecode
from fit_tool.fit_file import FitFile
from garmin_fit_sdk import Decoder, Encoder, Profile, Stream

print(*(f"{name} {version(name)}" for name in ("fit-tool", "garmin-fit-sdk", "fitdecode")))
start = datetime.datetime(2026, 5, 1, 9, tzinfo=datetime.UTC)
numbers = {Profile["messages"][number]["name"]: number for number in Profile["messages"]}
missing = {"total_distance": 0xFFFFFFFF / 100, "total_elapsed_time": 0xFFFFFFFF / 1000, "avg_heart_rate": 0xFF}
encoder = Encoder()
for name, fields in (
    ("file_id", {"type": "activity", "manufacturer": "development", "product": 1, "time_created": start}),
    ("session", {"timestamp": start, "start_time": start, "sport": "running", "total_timer_time": 60.4, **missing}),
):
    encoder.write_mesg({"mesg_num": numbers[name], **fields})
data = encoder.close()
with open("run.fit", "wb") as file:
    file.write(data)

wanted = ("total_timer_time", *missing)
seen = {}
messages, errors = Decoder(Stream.from_byte_array(bytearray(data))).read()
seen["garmin-fit-sdk"] = [messages["session_mesgs"][0].get(name) for name in wanted]
with fitdecode.FitReader("run.fit") as reader:
    frames = [frame for frame in reader if frame.frame_type == fitdecode.FIT_FRAME_DATA and frame.name == "session"]
seen["fitdecode"] = [frames[0].get_value(name, fallback=None) for name in wanted]
records = [record.message for record in FitFile.from_file("run.fit").records if not record.is_definition]
session = next(message for message in records if message.name == "session")
seen["fit-tool"] = [getattr(session, name) for name in wanted]
for name, values in seen.items():
    print(name, dict(zip(wanted, values, strict=True)))
none = [60.4, None, None, None]
if errors or seen != {
    "garmin-fit-sdk": none,
    "fitdecode": none,
    "fit-tool": [60.4, 42949672.95, 4294967.295, 255],
}:
    sys.exit(f"changed: {errors} {seen}")
print("as stated")
PY
venv/bin/python seen.py
