"""Reads the files with Python's readers of the field, and compares with what they must say: python read.py FOLDER."""

import json
import sys
from importlib import resources
from importlib.metadata import version
from pathlib import Path

import xmlschema
from icalendar import Calendar
from ooresults.plugins import iof_result_list

folder = Path(sys.argv[1])

schema = xmlschema.XMLSchema(str(resources.files("ooresults") / "schema" / "IOF.xsd"))
for name in ("iof.xml", "iof_seconds.xml"):
    schema.validate(str(folder / name))
print("xmlschema", version("xmlschema"), "with IOF.xsd of ooresults", version("ooresults"), ": iof.xml is valid")
_, people, _ = iof_result_list.parse_result_list((folder / "iof_seconds.xml").read_bytes())
assert [(each["last_name"], each["result"].time) for each in people] == [("Ann", 2814), ("Bo", 2815)], people
try:
    iof_result_list.parse_result_list((folder / "iof.xml").read_bytes())
except ValueError as error:
    print("ooresults: whole seconds as they must be; fractions, which the schema allows, are refused:", error)

calendar = Calendar.from_ical((folder / "tournaments.ics").read_bytes())
(event,) = calendar.walk("VEVENT")
assert str(event["summary"]) == "Fr\u00fchling; Finale, \\ 2027", event
print("icalendar", version("icalendar"), ": tournaments.ics as it must be")
board = json.loads((folder / "clics.json").read_text())
assert [row["score"]["score"] for row in board["rows"]] == [99999999.99, 912.5, 0.01, -12.05], board
