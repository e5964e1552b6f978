#!/usr/bin/env bash
# A 24-hour race in a calendar lasts 23 hours if the clocks change during it.
#
# Expected: RFC 5545 section 3.3.6: days and weeks of a DURATION are nominal, hours, minutes and seconds are exact. So
#   from noon on the Saturday before summer time PT24H ends at 13:00 on Sunday (24 h) and P1D at 12:00 (23 h).
# Seen on 2026-11-29: no library tells the two apart. icalendar 7.3.2, ics 0.7.3 and ical.js 2.2.1 end both at 12:00,
#   node-ical 0.26.1 ends both at 13:00. An event with PT24H ends an hour apart by the library that reads it.
# Whom it touches: who takes a tournament's start and end from a calendar file: it closes an hour early, in autumn an
#   hour late, on two weekends a year.
# What to do: write DTEND in UTC, and read the end from it; add exact hours in UTC, never to local times.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-audit --no-fund --cache "$folder/cache" ical.js@2.2.1 node-ical@0.26.1
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check --no-cache-dir icalendar==7.3.2 ics==0.7.3 tzdata==2026.6
cat > seen.mjs <<'JS'
import { readFileSync } from "node:fs";
import ICAL from "ical.js";
import nodeIcal from "node-ical";

const text = readFileSync(process.argv[2], "utf8");
const calendar = new ICAL.Component(ICAL.parse(text));
ICAL.TimezoneService.register(new ICAL.Timezone(calendar.getFirstSubcomponent("vtimezone")));
const event = new ICAL.Event(calendar.getFirstSubcomponent("vevent"));
const other = Object.values(nodeIcal.sync.parseICS(text)).find((part) => part.type === "VEVENT");
const icalHours = (event.endDate.toUnixTime() - event.startDate.toUnixTime()) / 3600;
console.log(JSON.stringify({ "ical.js": icalHours, "node-ical": (other.end - other.start) / 3_600_000 }));
JS
cat > seen.py <<'PY'
import json
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import icalendar
import ics

print("icalendar", version("icalendar"), "ics", version("ics"))
for name in ("ical.js", "node-ical"):
    print(name, json.loads(Path("node_modules", name, "package.json").read_text())["version"])
LINES = (
    "BEGIN:VCALENDAR|VERSION:2.0|PRODID:-//Example//EN|BEGIN:VTIMEZONE|TZID:Europe/Rome|"
    "BEGIN:DAYLIGHT|TZOFFSETFROM:+0100|TZOFFSETTO:+0200|DTSTART:19700329T020000|"
    "RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU|END:DAYLIGHT|"
    "BEGIN:STANDARD|TZOFFSETFROM:+0200|TZOFFSETTO:+0100|DTSTART:19701025T030000|"
    "RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU|END:STANDARD|END:VTIMEZONE|"
    "BEGIN:VEVENT|UID:1@example.com|DTSTAMP:20260101T000000Z|DTSTART;TZID=Europe/Rome:20260328T120000|"
    "DURATION:{}|SUMMARY:24 hours|END:VEVENT|END:VCALENDAR|"
)
seen = {}
for duration in ("PT24H", "P1D"):
    text = LINES.format(duration).replace("|", "\r\n")
    Path("race.ics").write_bytes(text.encode())
    event = icalendar.Calendar.from_ical(text).walk("VEVENT")[0]
    hours = {"icalendar": (event.end.timestamp() - event.start.timestamp()) / 3600}
    (other,) = ics.Calendar(text).events
    hours["ics"] = (other.end.timestamp() - other.begin.timestamp()) / 3600
    hours |= json.loads(subprocess.run(["node", "seen.mjs", "race.ics"], check=True, capture_output=True).stdout)
    seen[duration] = hours
    print(f"{duration} lasts, in hours: {hours}")
stated = {"icalendar": 23, "ics": 23, "ical.js": 23, "node-ical": 24}
if seen != {"PT24H": stated, "P1D": stated}:
    sys.exit(f"changed: {seen}")
print("as stated")
PY
venv/bin/python seen.py
