"""Gradebooks as Moodle and Canvas export them: CSV with cells that are no grades, and rows that are no students.

- Moodle (`Export > Plain text file`): a row a user, columns by what the site shows of users (`ID number`, `Email address`), grade items as
  `Quiz: Test 1 (Real)`; no grade is `-`. Numbers have the decimal mark of who exported.
- Canvas (`Export > Export Entire Gradebook`): five columns and more of a student, assignments as `Essay (123)`; before the students one or two
  rows (`Manual Posting`, `    Points Possible`), after them the `Student, Test` of the student view. No grade is empty, `EX` or `N/A`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO, Final

from serve_app.formats.read.rows import FileRow
from serve_app.formats.read.text import read_csv

_MOODLE_USER: Final = frozenset(
    (
        *(
            "firstname",
            "lastname",
            "surname",
            "name",
            "fullname",
            "idnumber",
            "institution",
            "department",
            "emailaddress",
        ),
        *("username", "suspended", "suspendedinthiscourse", "lastdownloadedfromthiscourse"),
    )
)
_MOODLE_ONLY: Final = frozenset(("idnumber", "lastdownloadedfromthiscourse"))
_MOODLE_NO_NUMBERS: Final = re.compile(r"\((feedback|letter)\)$", re.IGNORECASE)
_CANVAS_STUDENT: Final = frozenset(
    (
        "student",
        "lastname",
        "firstname",
        "name",
        "id",
        "sisuserid",
        "sisloginid",
        "integrationid",
        "rootaccount",
        "section",
    )
)
_CANVAS_ONLY: Final = (frozenset(("student", "id", "section")), frozenset(("lastname", "firstname", "id", "section")))
_CANVAS_TOTAL: Final = re.compile(
    r"((unposted )?(current|final) (score|grade|points)|override (score|grade))( \(.*\))?$", re.IGNORECASE
)
_NO_GRADES: Final = {"moodle": frozenset(("-",)), "canvas": frozenset(("EX", "N/A"))}
NAME: Final = "Name"  # of the parts of a name, put together


def plain(column: str) -> str:
    """A column's name without case, spaces and marks."""
    return "".join(char for char in column.casefold() if char not in " -_.")


def gradebook_of(columns: Iterable[str]) -> str | None:
    """`moodle` or `canvas` where these are its columns."""
    names = {plain(column) for column in columns}
    if any(own <= names for own in _CANVAS_ONLY):
        return "canvas"
    return "moodle" if _MOODLE_ONLY & names else None


def grade_columns(system: str, columns: Iterable[str]) -> list[str]:
    """Those that hold grades of something, then those of all together."""
    if system == "canvas":
        grades = [column for column in columns if plain(column) not in _CANVAS_STUDENT]
        return sorted(grades, key=lambda column: _CANVAS_TOTAL.search(column) is not None)
    grades = [
        column for column in columns if plain(column) not in _MOODLE_USER and not _MOODLE_NO_NUMBERS.search(column)
    ]
    return sorted(grades, key=lambda column: plain(column).startswith("coursetotal"))


def names_same(column: str, tournament_name: str) -> bool:
    """Whether a grade's column is named after a tournament: `Quiz: Spring exam (Real)`, `Spring exam (123)`, `Spring exam`."""
    bare = re.sub(r" \([^()]*\)$", "", column)
    wanted = plain(tournament_name)
    return any(plain(each) == wanted for each in (column, bare, bare.partition(": ")[2])) and wanted != ""


def read_moodle(file: BinaryIO) -> Iterator[FileRow]:
    """A row a user."""
    return _with_names("moodle", read_csv(file))


def read_canvas(file: BinaryIO) -> Iterator[FileRow]:
    """A row a student."""
    return (row for row in _with_names("canvas", read_csv(file)) if not _is_no_student(row))


def _with_names(system: str, rows: Iterable[FileRow]) -> Iterator[FileRow]:
    nothing = _NO_GRADES[system]
    for row in rows:
        if row.problem:
            yield row
            continue
        fields: dict[str, Any] = {name: "" if value in nothing else value for name, value in row.fields.items()}
        by_plain = {plain(name): value for name, value in row.fields.items()}
        last = by_plain.get("lastname") or by_plain.get("surname") or ""
        if "firstname" in by_plain and NAME not in fields:
            fields[NAME] = f"{by_plain['firstname']} {last}".strip()
        yield row._replace(fields=fields)


def _is_no_student(row: FileRow) -> bool:
    """Of Canvas: the rows before the students have no id, the student of the student view none of the school."""
    if row.problem:
        return False
    by_plain = {plain(name): value for name, value in row.fields.items()}
    no_ids = not any(by_plain.get(name) for name in ("id", "sisuserid", "sisloginid"))
    test = by_plain.get("student") == "Student, Test" and not by_plain.get("sisuserid")
    return no_ids or test
