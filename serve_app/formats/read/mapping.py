"""Which of a file's columns is what, guessed from their names and first values; and a row of the file as a score or a join."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Literal, NamedTuple

from actors.domain.texts import check_name
from serve_app.formats.read.gradebooks import grade_columns, names_same, plain
from serve_app.formats.read.rows import FileRow
from serve_app.formats.read.values import DEFAULT, Numbers, Unit, guessed_mark
from serve_app.http.request_schemas import MAX_PLAYER_NAME
from serve_app.standards.foreign_ids import NONE, ForeignIds

Kind = Literal["scores", "joins"]
# What a field may be called in files, in the order in which it is looked for; without case, spaces, `-`, `_` and `.`.
NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "tournament_id": ("tournamentid", "tournament"),
    "user_id": (
        *("userid", "user", "playerid", "player", "participantid", "idnumber", "sisuserid", "personid", "learnerid"),
        *("studentid", "bib", "bibnumber", "id", "controlcard"),
    ),
    "event_id": ("eventid", "event", "submissionid", "attemptid"),
    "score": ("score", "points", "result", "value", "grade", "total", "time", "seconds"),
    "subscore": ("subscore", "tiebreak"),
    "name": ("name", "displayname", "username", "fullname", "nickname", "learnername", "student"),
}
FIELDS: Final = (*NAMES, "result")  # `result`: a JSON object; never guessed
BOARD: Final = "board_"
MAX_EVENT_ID: Final = 64
_TIMES_FIRST: Final = ("time", "seconds")


class Target(NamedTuple):
    """What is known of the tournament that a file is for."""

    tournament_id: str
    name: str = ""
    unit: Unit = "points"
    boards: tuple[str, ...] = ()
    subscored: bool = True


class Item(NamedTuple):
    """What a row says. `groups`: the user's group on each board. A join has no event id and no score."""

    tournament_id: str
    user_id: str
    name: str | None = None
    groups: dict[str, str] | None = None
    event_id: str = ""
    score: float | None = None
    subscore: float | None = None
    result: dict[str, Any] | None = None


class RowError(ValueError):
    """A row that is no score and no join; the message says why."""


class LeftOutError(RowError):
    """A row that is as it should be, and says no score: who was not graded, or did not finish."""


def guess(
    rows: Sequence[FileRow],
    given: Mapping[str, str],
    *,
    format_name: str = "csv",
    target: Target | None = None,
    ids: ForeignIds = NONE,
) -> dict[str, str]:
    """Fields with their columns, of a file that begins with these rows: those given, the others by their names. A column is one field at
    most; of several that may be the user's id, it is the first whose values are ids. Raises ValueError for what is given and is not there."""
    columns = list(dict.fromkeys(name for row in rows for name in row.fields))
    for field, column in given.items():
        if column not in columns:
            raise ValueError(f"{field}={column}: expected one of the columns {', '.join(columns)[:300]}")
    mapping = dict(given)
    by_plain = {plain(column): column for column in reversed(columns)}
    for field in NAMES:
        if field in mapping or (field == "score" and "result" in mapping):
            continue
        free = [
            column
            for column in _candidates(field, columns, by_plain, format_name, target)
            if column not in mapping.values()
        ]
        if field == "user_id":
            free.sort(key=lambda column: not _holds_ids(column, rows, ids))
        elif field == "score":
            free.sort(key=lambda column: all(_is_blank(row.fields.get(column)) for row in rows))
        mapping |= {field: free[0]} if free else {}
    return {field: mapping[field] for field in FIELDS if field in mapping}


def _candidates(
    field: str, columns: list[str], by_plain: Mapping[str, str], format_name: str, target: Target | None
) -> list[str]:
    names = NAMES[field]
    if field == "subscore" and target is not None and not target.subscored:
        return []
    if field == "score":
        if format_name in ("moodle", "canvas"):
            grades = grade_columns(format_name, columns)
            named = [column for column in grades if target is not None and names_same(column, target.name)]
            return named or (grades if len(grades) == 1 else [])
        if target is not None and target.unit == "time":
            names = (*_TIMES_FIRST, *names)
    return list(dict.fromkeys(by_plain[name] for name in names if name in by_plain))


def choices(format_name: str, columns: Iterable[str]) -> list[str]:
    """The columns of a gradebook that hold grades, to choose from; of other formats none."""
    return grade_columns(format_name, columns) if format_name in ("moodle", "canvas") else []


def numbers_of(rows: Iterable[FileRow], mapping: Mapping[str, str], unit: Unit, *, rounds: bool = False) -> Numbers:
    """How the scores of a file that begins with these rows are written."""
    columns = [mapping[field] for field in ("score", "subscore") if field in mapping]
    return Numbers(unit, guessed_mark(row.fields.get(column) for row in rows for column in columns), rounds)


def _holds_ids(column: str, rows: Iterable[FileRow], ids: ForeignIds) -> bool:
    values = [str(value) for row in rows if not _is_blank(value := row.fields.get(column))]
    return bool(values) and all(ids.user(value) is not None for value in values)


def _is_blank(value: Any) -> bool:
    return value is None or value == ""


class RowMaker:
    """Makes scores or joins of rows. `target`: the tournament of all rows, where no column says; `boards`: those whose groups are brought,
    from columns `board_<name>`; `joins`: names and groups are wanted of scores, too; `blanks`: a row without a score is left out.

    A row without an event id gets one that is made of what it says and of how many rows before it say just the same: the same file, and a
    longer one that begins with it, gives the same ids again, in whatever order its other rows are.
    """

    def __init__(
        self,
        kind: Kind,
        mapping: Mapping[str, str],
        target: Target | None,
        *,
        joins: bool = False,
        numbers: Numbers = DEFAULT,
        ids: ForeignIds = NONE,
        blanks: bool = False,
        where: Mapping[str, str] | None = None,
    ) -> None:
        self._kind = kind
        self._joins = joins or kind == "joins"
        self._mapping = mapping
        self._target = target
        self._numbers = numbers
        self._ids = ids
        self._blanks = blanks
        self._where = dict(where or {})
        self._seen: Counter[bytes] = Counter()
        self._scored_by = "result" if "result" in mapping else "score"
        needed = ["user_id"] if kind == "joins" else ["user_id", self._scored_by]
        if missing := [field for field in needed if field not in mapping]:
            raise ValueError(f"no column for {' and '.join(missing)}: expected --map {missing[0]}=COLUMN")
        if target is None and "tournament_id" not in mapping:
            raise ValueError("no column for tournament_id: expected --tournament ID, or --map tournament_id=COLUMN")

    def make(self, row: FileRow) -> Item:
        """The score or join of a row. Raises RowError, LeftOutError."""
        for column, value in self._where.items():
            if str(row.fields.get(column, "")) != value and not (row.problem and not row.fields):
                raise LeftOutError(f"{column} is another")
        if row.problem:
            raise RowError(row.problem)
        if self._kind == "scores" and row.left_out:
            raise LeftOutError(row.left_out)
        if self._kind == "scores" and self._blanks and self._text(row, self._scored_by) is None:
            raise LeftOutError("no score")  # whoever it is
        item = self._join(row)
        if self._kind == "joins":
            return item
        score, subscore, result = self._number(row, "score"), self._number(row, "subscore"), self._object(row)
        if (score is None) == (result is None):
            raise RowError("expected a score" if score is None else "expected either a score or a result")
        event_id = self._text(row, "event_id") or self._made_id(
            item.tournament_id, item.user_id, score, subscore, result
        )
        if len(event_id) > MAX_EVENT_ID:
            raise RowError(f"event_id: expected at most {MAX_EVENT_ID} characters, got {len(event_id)}")
        return item._replace(event_id=event_id, score=score, subscore=subscore, result=result)

    def _join(self, row: FileRow) -> Item:
        tournament = self._tournament(row)
        user = self._id(row, "user_id", self._ids)
        if not self._joins:
            return Item(tournament, user)
        name = self._text(row, "name")
        if name == user:  # one without a name is written as the id
            name = None
        if name is not None:
            try:
                check_name(name, max_chars=MAX_PLAYER_NAME)
            except ValueError as error:
                raise RowError(f"name: {error}") from None
        groups = {}
        for board in () if self._target is None else self._target.boards:
            if not _is_blank(group := row.fields.get(BOARD + board)):
                groups[board] = str(group)
        return Item(tournament, user, name, groups or None)

    def _tournament(self, row: FileRow) -> str:
        if "tournament_id" not in self._mapping:
            return "" if self._target is None else self._target.tournament_id
        return self._id(row, "tournament_id", NONE)

    def _text(self, row: FileRow, field: str) -> str | None:
        value = row.fields.get(self._mapping.get(field, ""))
        return None if _is_blank(value) else str(value)

    def _id(self, row: FileRow, field: str, ids: ForeignIds) -> str:
        text = self._text(row, field)
        found = None if text is None else ids.user(text)
        if found is None:
            got = "nothing" if text is None else text[:40]
            raise RowError(f"{field}: expected a number from 1 to 2^63-1, got {got}")
        return str(found)

    def _number(self, row: FileRow, field: str) -> float | None:
        value = row.fields.get(self._mapping.get(field, ""))
        if _is_blank(value):
            return None
        try:
            return self._numbers.read(value)
        except ValueError as error:
            raise RowError(f"{field}: {error}") from None

    def _object(self, row: FileRow) -> dict[str, Any] | None:
        value = row.fields.get(self._mapping.get("result", ""))
        if _is_blank(value):
            return None
        try:
            result = json.loads(value) if isinstance(value, str) else value
        except ValueError as error:
            raise RowError(f"result: expected JSON: {error}") from None
        if not isinstance(result, dict):
            raise RowError("result: expected a JSON object")
        try:
            json.dumps(result, allow_nan=False)
        except (TypeError, ValueError, RecursionError) as error:  # as a time within a struct of Parquet
            raise RowError(f"result: expected what JSON has: {error}") from None
        return result

    def _made_id(self, *said: object) -> str:
        digest = hashlib.blake2b(json.dumps(said, sort_keys=True).encode(), digest_size=16).digest()
        self._seen[digest] += 1
        return f"import-{digest.hex()}-{self._seen[digest]}"
