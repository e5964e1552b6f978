"""Which of a file's columns is what, guessed from their names; and a row of the file as a score or a join."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal

from actors.domain.errors import ScoreValueError
from actors.domain.values import hundredths, parse_id
from scripts.cli.importing.readers import FileRow
from scripts.client.palio_client import Join, Score

Kind = Literal["scores", "joins"]
# What a field may be called in files, in the order in which it is looked for; without case, spaces, `-`, `_` and `.`.
NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "tournament_id": ("tournamentid", "tournament"),
    "user_id": ("userid", "user", "playerid", "player", "participantid", "id"),
    "event_id": ("eventid", "event", "submissionid", "attemptid"),
    "score": ("score", "points", "result", "value", "grade", "total"),
    "subscore": ("subscore", "tiebreak"),
    "name": ("name", "displayname", "username", "fullname", "nickname"),
}
FIELDS: Final = (*NAMES, "result")  # `result`: a JSON object; never guessed
MAX_EVENT_ID: Final = 64


class RowError(ValueError):
    """A row that is no score and no join; the message says why."""


def guess(columns: Iterable[str], given: Mapping[str, str]) -> dict[str, str]:
    """Fields with their columns: those given, the others by their names. A column is one field at most. Raises ValueError for what is given
    and is not there."""
    known = list(columns)
    for field, column in given.items():
        if column not in known:
            raise ValueError(f"--map {field}={column}: expected one of the columns {', '.join(known)[:300]}")
    mapping = dict(given)
    plain = {_plain(column): column for column in reversed(known)}
    for field, names in NAMES.items():
        if field in mapping or (field == "score" and "result" in mapping):
            continue
        free = [plain[name] for name in names if name in plain and plain[name] not in mapping.values()]
        mapping |= {field: free[0]} if free else {}
    return {field: mapping[field] for field in FIELDS if field in mapping}


def _plain(column: str) -> str:
    return "".join(char for char in column.casefold() if char not in " -_.")


class RowMaker:
    """Makes scores or joins of rows. `tournament_id`: of all rows, where no column says.

    A row without an event id gets one that is made of what it says and of how many rows before it say just the same: the same file, and a
    longer one that begins with it, gives the same ids again, in whatever order its other rows are.
    """

    def __init__(self, kind: Kind, mapping: Mapping[str, str], tournament_id: str | None) -> None:
        self._kind = kind
        self._mapping = mapping
        self._tournament_id = tournament_id
        self._seen: Counter[bytes] = Counter()
        needed = ["user_id"] if kind == "joins" else ["user_id", "result" if "result" in mapping else "score"]
        if missing := [field for field in needed if field not in mapping]:
            raise ValueError(f"no column for {' and '.join(missing)}: expected --map {missing[0]}=COLUMN")
        if tournament_id is None and "tournament_id" not in mapping:
            raise ValueError("no column for tournament_id: expected --tournament ID, or --map tournament_id=COLUMN")

    def make(self, row: FileRow) -> Score | Join:
        """The score or join of a row. Raises RowError."""
        if row.problem:
            raise RowError(row.problem)
        tournament = self._id(row, "tournament_id") if "tournament_id" in self._mapping else str(self._tournament_id)
        user = self._id(row, "user_id")
        if self._kind == "joins":
            return self.join(row, tournament, user)
        score, subscore, result = self._number(row, "score"), self._number(row, "subscore"), self._object(row)
        if (score is None) == (result is None):
            raise RowError("expected a score" if score is None else "expected either a score or a result")
        event_id = self._text(row, "event_id") or self._made_id(tournament, user, score, subscore, result)
        if len(event_id) > MAX_EVENT_ID:
            raise RowError(f"event_id: expected at most {MAX_EVENT_ID} characters, got {len(event_id)}")
        return Score(
            tournament_id=tournament, user_id=user, event_id=event_id, score=score, subscore=subscore, result=result
        )

    def join(self, row: FileRow, tournament_id: str, user_id: str) -> Join:
        """The join of a row's user."""
        return Join(tournament_id=tournament_id, user_id=user_id, name=self._text(row, "name"))

    def _text(self, row: FileRow, field: str) -> str | None:
        value = row.fields.get(self._mapping.get(field, ""))
        return None if value is None or value == "" else str(value)

    def _id(self, row: FileRow, field: str) -> str:
        text = self._text(row, field)
        try:
            return str(parse_id(text or ""))
        except (ValueError, IndexError):
            raise RowError(
                f"{field}: expected a number from 1 to 2^63-1, got {'nothing' if text is None else text[:40]}"
            ) from None

    def _number(self, row: FileRow, field: str) -> float | None:
        value = row.fields.get(self._mapping.get(field, ""))
        if value is None or value == "":
            return None
        try:
            number = float("" if isinstance(value, bool) else value)
            hundredths(number)
        except ScoreValueError as error:
            raise RowError(f"{field}: {error}") from None
        except (ValueError, TypeError):
            raise RowError(f"{field}: expected a number, got {str(value)[:40]}") from None
        return number

    def _object(self, row: FileRow) -> dict[str, Any] | None:
        value = row.fields.get(self._mapping.get("result", ""))
        if value is None or value == "":
            return None
        try:
            result = json.loads(value) if isinstance(value, str) else value
        except ValueError as error:
            raise RowError(f"result: expected JSON: {error}") from None
        if not isinstance(result, dict):
            raise RowError("result: expected a JSON object")
        return result

    def _made_id(self, *said: object) -> str:
        digest = hashlib.blake2b(json.dumps(said, sort_keys=True).encode(), digest_size=16).digest()
        self._seen[digest] += 1
        return f"import-{digest.hex()}-{self._seen[digest]}"
