"""IOF XML 3.0, the data standard of the International Orienteering Federation: the results of a `ResultList`, one row each.

Read as it comes by expat, which is told to refuse a DTD: so no entity can grow, and nothing is fetched. `Time` is in seconds, fractions
included; `Score` may come several times. What has another status than `OK` is no result, also where it has a time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO, Final
from xml.parsers import expat

from serve_app.formats.read.rows import FileRow

NAMESPACE: Final = "http://www.orienteering.org/datastandard/3.0"
BYTES_AT_ONCE: Final = 64 * 1024
MAX_DEPTH: Final = 50
MAX_TEXT_CHARS: Final = 10_000
MAX_RESULTS: Final = 1000  # of one who runs
_SEPARATOR: Final = " "  # no URI has it
_PERSONS: Final = frozenset(("PersonResult", "TeamMemberResult"))
# Where a text stands beneath a person's element, and the column that it is.
_OF_PERSON: Final[Mapping[tuple[str, ...], str]] = {
    ("Person", "Id"): "person_id",
    ("Person", "Name", "Family"): "family",
    ("Person", "Name", "Given"): "given",
    ("Organisation", "Name"): "organisation",
}
_OF_RESULT: Final[Mapping[tuple[str, ...], str]] = {
    ("BibNumber",): "bib",
    ("Leg",): "leg",
    ("StartTime",): "start_time",
    ("FinishTime",): "finish_time",
    ("Time",): "time",
    ("Position",): "position",
    ("Status",): "status",
    ("Score",): "score",
    ("ControlCard",): "control_card",
}
_TYPED: Final = frozenset(("person_id", "score"))  # of several types a column each, too


def read_iof(file: BinaryIO) -> Iterator[FileRow]:
    """A row for each result of a person: `person_id`, `name`, `bib`, `control_card`, `organisation`, `class`, `team`, `race`, `time`, `score`,
    `position`, `status` and more, as texts. `line` counts results."""
    document = _ResultList()
    parser = expat.ParserCreate(namespace_separator=_SEPARATOR)
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = _refuse_doctype
    parser.StartElementHandler = document.start
    parser.EndElementHandler = document.end
    parser.CharacterDataHandler = document.text
    file.seek(0)
    number = 0
    while True:
        data = file.read(BYTES_AT_ONCE)
        try:
            parser.Parse(data, not data)
        except expat.ExpatError as error:
            raise ValueError(f"line {error.lineno}: no XML: {expat.ErrorString(error.code)}") from None
        except (ValueError, LookupError) as error:
            raise ValueError(f"line {parser.CurrentLineNumber}: {error}") from None
        for fields in document.taken():
            number += 1
            status = fields.get("status", "")
            problem = "" if status else "expected a Status"
            yield FileRow(number, fields, problem, "" if status in ("", "OK") else status)
        if not data:
            return


def _refuse_doctype(*_: Any) -> None:
    raise ValueError("expected no DOCTYPE: IOF XML has none")


class _ResultList:
    """Takes the document's events; whole results can be taken away."""

    def __init__(self) -> None:
        self._path: list[str] = []
        self._text: list[str] | None = None  # of the element that is open, where it is wanted
        self._chars = 0
        self._attributes: dict[str, str] = {}
        self._class = ""
        self._team: dict[str, str] = {}
        self._person: dict[str, str] = {}
        self._person_depth = 0
        self._results: list[dict[str, str]] = []
        self._rows: list[dict[str, str]] = []

    def taken(self) -> list[dict[str, str]]:
        rows, self._rows = self._rows, []
        return rows

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        namespace, _, name = tag.rpartition(_SEPARATOR)
        if not self._path:
            self._check_root(name, namespace, attributes)
        if len(self._path) >= MAX_DEPTH:
            raise ValueError(f"expected at most {MAX_DEPTH} elements within each other")
        name = name if namespace == NAMESPACE else ""  # what others have put in is not looked at
        self._path.append(name)
        self._attributes = attributes
        self._text, self._chars = [], 0
        if name in _PERSONS and not self._person_depth:
            self._person, self._results, self._person_depth = {}, [], len(self._path)
        elif name == "TeamResult":
            self._team = {}
        elif name == "Result" and len(self._path) == self._person_depth + 1 and self._person_depth:
            if len(self._results) >= MAX_RESULTS:
                raise ValueError(f"expected at most {MAX_RESULTS} results of one person")
            race = attributes.get("raceNumber")
            self._results.append({} if race is None else {"race": race})

    def _check_root(self, name: str, namespace: str, attributes: dict[str, str]) -> None:
        version = attributes.get("iofVersion", "")
        if name != "ResultList" or namespace != NAMESPACE or not version.startswith("3."):
            of = f" of {namespace}" if namespace else ""
            said = f" {version}" if version else ""
            raise ValueError(f"expected a ResultList of IOF XML 3.0, got {name[:40]}{said}{of[:80]}")

    def text(self, data: str) -> None:
        if self._text is None:
            return
        self._chars += len(data)
        if self._chars <= MAX_TEXT_CHARS:
            self._text.append(data)
        elif not self._is_route():
            raise ValueError(f"expected texts of at most {MAX_TEXT_CHARS} characters")

    def _is_route(self) -> bool:
        return "Route" in self._path or "" in self._path  # a track, or what others have put in: not looked at

    def end(self, _tag: str) -> None:
        path, text = tuple(self._path), self._text
        self._path.pop()
        self._text = None
        if self._person_depth and len(path) > self._person_depth:
            if text is not None:
                self._field(path[self._person_depth :], "".join(text).strip())
        elif self._person_depth and len(path) == self._person_depth:
            self._person_depth = 0
            self._rows += (self._row(result) for result in self._results)
        elif text is not None and path[1:] == ("ClassResult", "Class", "Name"):
            self._class = "".join(text).strip()
        elif text is not None and path[1:] in (
            ("ClassResult", "TeamResult", "Name"),
            ("ClassResult", "TeamResult", "BibNumber"),
        ):
            self._team[path[-1]] = "".join(text).strip()

    def _field(self, within: tuple[str, ...], text: str) -> None:
        if within[0] == "Result":
            fields, column = (self._results[-1] if self._results else {}), _OF_RESULT.get(within[1:])
        else:
            fields, column = self._person, _OF_PERSON.get(within)
        if column is None:
            return
        fields.setdefault(column, text)
        if column in _TYPED and (kind := self._attributes.get("type")):
            fields.setdefault(f"{column} {kind}"[:100], text)

    def _row(self, result: dict[str, str]) -> dict[str, str]:
        person = dict(self._person)
        name = f"{person.pop('given', '')} {person.pop('family', '')}".strip()
        team = {"team": self._team["Name"]} if self._team.get("Name") else {}
        if "BibNumber" in self._team:
            team["team_bib"] = self._team["BibNumber"]
        return {"name": name, **person, "class": self._class, **team, **result}
