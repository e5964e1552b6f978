#!/usr/bin/env bash
# The "duration" of one TCX file is 2 minutes with one reader and 12 with another, so a pause decides who wins.
#
# Expected: TCX has the time of each lap (TotalTimeSeconds) and the time of each point; two readers whose
#   documentation calls the same thing the duration, in seconds, agree on a run with a pause.
# Seen on 2026-11-29: python-tcxparser 2.4.0 adds up the laps (running time, whole seconds or not), tcxreader 0.4.11
#   takes the last point less the first (elapsed time). The average speeds differ alike.
# Whom it touches: races by uploaded files: with elapsed time a stop at a traffic light costs the place, with running
#   time a rest of ten minutes is free.
# What to do: state which of the two counts, and take it from the laps or the points by hand.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check --no-cache-dir python-tcxparser==2.4.0 tcxreader==0.4.11
cat > seen.py <<'PY'
import sys
from importlib.metadata import version

from tcxparser import TCXParser
from tcxreader.tcxreader import TCXReader

print("python-tcxparser", version("python-tcxparser"), "tcxreader", version("tcxreader"))
NAMESPACE = "http://www.garmin.com/xmlschemas/TrainingCenterDatabase/v2"


def lap(start: str, seconds: float, points: list[tuple[str, int]]) -> str:
    track = "".join(
        f"<Trackpoint><Time>2026-05-01T09:{time}Z</Time><Position><LatitudeDegrees>45.{metres:04}</LatitudeDegrees>"
        f"<LongitudeDegrees>9</LongitudeDegrees></Position><DistanceMeters>{metres}</DistanceMeters></Trackpoint>"
        for time, metres in points
    )
    return (
        f'<Lap StartTime="2026-05-01T09:{start}Z"><TotalTimeSeconds>{seconds}</TotalTimeSeconds>'
        "<DistanceMeters>200</DistanceMeters><Calories>10</Calories><Intensity>Active</Intensity>"
        f"<TriggerMethod>Manual</TriggerMethod><Track>{track}</Track></Lap>"
    )


laps = lap("00:00", 60.4, [("00:00", 0), ("01:00.4", 200)]) + lap("11:00", 59.6, [("11:00", 200), ("11:59.6", 400)])
with open("run.tcx", "w") as file:
    file.write(
        f'<?xml version="1.0"?><TrainingCenterDatabase xmlns="{NAMESPACE}"><Activities><Activity Sport="Running">'
        f"<Id>2026-05-01T09:00:00Z</Id>{laps}</Activity></Activities></TrainingCenterDatabase>"
    )
seen = {
    "python-tcxparser": float(TCXParser("run.tcx").duration),
    "tcxreader": float(TCXReader().read("run.tcx").duration),
}
print("duration in seconds:", seen)
if seen != {"python-tcxparser": 120.0, "tcxreader": 719.6}:
    sys.exit(f"changed: {seen}")
print("as stated")
PY
venv/bin/python seen.py
