#!/usr/bin/env bash
# A reader of IOF XML 3.0 refuses a time with a fraction of a second, which the schema that it ships allows.
#
# Expected: the schema has Time as xsd:double and says that fractions such as 258.7 may be used; a file that is valid by
#   it is read.
# Seen on 2026-11-30: ooresults 0.4.10 finds the file valid and ends with ValueError: invalid literal for int().
# Whom it touches: sprints timed to a tenth, and any list that a system with a finer clock hands on.
# What to do: hand on whole seconds, or read the list with another program.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check --no-cache-dir ooresults==0.4.10
cat > seen.py <<'PY'
import sys
from importlib.metadata import version

from lxml import etree
from ooresults.plugins.iof_result_list import parse_result_list, xml_schema

print("ooresults", version("ooresults"))
DOCUMENT = """<ResultList xmlns="http://www.orienteering.org/datastandard/3.0" iofVersion="3.0">
<Event><Name>Sprint</Name><StartTime><Date>2026-05-01</Date></StartTime></Event>
<ClassResult><Class><Name>H21</Name></Class><PersonResult>
<Person><Name><Family>Lind</Family><Given>Ann</Given></Name></Person>
<Result><StartTime>2026-05-01T09:00:00Z</StartTime><FinishTime>2026-05-01T09:33:21Z</FinishTime>
<Time>%s</Time><Status>OK</Status></Result></PersonResult></ClassResult></ResultList>"""


def seen(time: str) -> tuple[bool, str]:
    document = (DOCUMENT % time).encode()
    valid = xml_schema.validate(etree.fromstring(document))
    try:
        parse_result_list(document)
    except ValueError as error:
        return valid, str(error)
    return valid, "read"


found = {time: seen(time) for time in ("2001", "2001.5")}
for time, (valid, said) in found.items():
    print(f"{time}: {'valid' if valid else 'not valid'}, {said}")
if found["2001"] != (True, "read") or not found["2001.5"][0] or "invalid literal for int()" not in found["2001.5"][1]:
    sys.exit(f"changed: {found}")
print("as stated")
PY
venv/bin/python seen.py
