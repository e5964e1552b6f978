"""IOF XML 3.0, the data standard of the International Orienteering Federation: a `ResultList` with one class.

Scores are times where the tournament shows them so (`display.unit`), in seconds; else they are a `Score`. Names have no parts here: all of
one is the `Family`, which the schema wants beside a `Given`.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Final
from xml.sax.saxutils import XMLGenerator
from xml.sax.xmlreader import AttributesImpl

import pyarrow as pa

from actors.domain.results.table import told_of
from actors.domain.values import decimal_score, parse_time, rfc3339
from serve_app.formats.write.rows import Row, pieces

NAMESPACE: Final = "http://www.orienteering.org/datastandard/3.0"
CREATOR: Final = "Palio"


def write_iof(table: pa.Table, now_ms: int) -> Iterator[bytes]:
    """The result list, complete once the tournament has finished, before that a snapshot."""
    told = told_of(table)
    timed = told.get("display", {}).get("unit") == "time"
    document = _Document()
    status = "Complete" if told["status"] == "finished" else "Snapshot"
    document.open(
        "ResultList", xmlns=NAMESPACE, iofVersion="3.0", createTime=rfc3339(now_ms), creator=CREATOR, status=status
    )
    document.open("Event")
    document.element("Id", told["id"], type=CREATOR)
    document.element("Name", told["name"])
    for name, key in (("StartTime", "starts_at"), ("EndTime", "ends_at")):
        if told[key] is not None:
            _moment(document, name, parse_time(told[key]))
    document.close("Event")
    document.open(
        "ClassResult", timeResolution=str(10 ** -told.get("display", {}).get("decimals", 2)) if timed else "1"
    )
    document.open("Class")
    document.element("Name", told["name"])
    document.close("Class")
    best: int | None = None
    for rows in pieces(table):
        for row in rows:
            best = row.score if best is None else best
            _person(document, row, best, timed=timed)
        yield document.taken()
    document.close("ClassResult")
    document.close("ResultList")
    yield document.taken()


def _moment(document: _Document, name: str, time_ms: int) -> None:
    date, _, time = rfc3339(time_ms).partition("T")
    document.open(name)
    document.element("Date", date)
    document.element("Time", time)
    document.close(name)


def _person(document: _Document, row: Row, best: int, *, timed: bool) -> None:
    document.open("PersonResult")
    document.open("Person")
    document.element("Id", str(row.user_id), type=CREATOR)
    document.open("Name")
    document.element("Family", row.shown_name)
    document.element("Given", "")
    document.close("Name")
    document.close("Person")
    document.open("Result")
    if timed:
        document.element("Time", str(decimal_score(row.score)))
        document.element("TimeBehind", str(decimal_score(abs(row.score - best))))
    document.element("Position", str(row.rank))
    document.element("Status", "OK")
    if not timed:
        document.element("Score", str(decimal_score(row.score)), type=CREATOR)
    document.close("Result")
    document.close("PersonResult")


class _Document:
    """An XML document that is taken away as it grows."""

    def __init__(self) -> None:
        self._text = io.StringIO()
        self._xml = XMLGenerator(self._text, "utf-8", short_empty_elements=True)
        self._xml.startDocument()

    def open(self, name: str, **attributes: str) -> None:
        self._xml.startElement(name, AttributesImpl(attributes))

    def close(self, name: str) -> None:
        self._xml.endElement(name)

    def element(self, name: str, text: str, **attributes: str) -> None:
        self.open(name, **attributes)
        self._xml.characters(text)
        self.close(name)

    def taken(self) -> bytes:
        text = self._text.getvalue()
        self._text.seek(0)
        self._text.truncate()
        return text.encode()
