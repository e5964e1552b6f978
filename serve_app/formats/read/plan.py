"""What a file is taken for, from its first rows; and all of its rows by that, with what is wrong counted and told by line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from serve_app.formats.read.files import READERS
from serve_app.formats.read.mapping import (
    Item,
    Kind,
    LeftOutError,
    RowError,
    RowMaker,
    Target,
    choices,
    guess,
    numbers_of,
)
from serve_app.formats.read.rows import FileRow
from serve_app.formats.read.values import Mark, Numbers, Unit
from serve_app.standards.foreign_ids import NONE, ForeignIds

LOOKED_AT_ROWS: Final = 100
SHOWN_REJECTED: Final = 1000  # lines told; the others are counted
SHOWN_GROUPS: Final = 20
GROUPED: Final = ("class", "race", "leg")  # of which a file may have several, where a tournament wants one


class Wishes(NamedTuple):
    """What is said of a file, instead of guessed. `mapping`: fields with their columns; `where`: columns with the value that a row must have;
    `joins`: each user of a score takes part first."""

    mapping: Mapping[str, str] = {}
    where: Mapping[str, str] = {}
    kind: Kind | None = None
    unit: Unit | None = None
    mark: Mark | None = None
    rounds: bool = False
    joins: bool = False


class Plan(NamedTuple):
    """What a file is taken for; see `Wishes`."""

    format_name: str
    kind: Kind
    mapping: dict[str, str]
    numbers: Numbers
    joins: bool
    target: Target | None
    ids: ForeignIds
    where: dict[str, str]

    def maker(self) -> RowMaker:
        """A new one for each time that the file is read: it counts rows."""
        return RowMaker(
            self.kind,
            self.mapping,
            self.target,
            joins=self.joins,
            numbers=self.numbers,
            ids=self.ids,
            blanks=READERS[self.format_name].blanks,
            where=self.where,
        )


class Rejected(NamedTuple):
    """A line that was not taken, and why."""

    line: int
    why: str


def columns_of(rows: Iterable[FileRow]) -> list[str]:
    """The columns of these rows."""
    return list(dict.fromkeys(name for row in rows for name in row.fields))


def plan_of(
    format_name: str, rows: Sequence[FileRow], wishes: Wishes, target: Target | None = None, ids: ForeignIds = NONE
) -> Plan:
    """What a file is taken for that begins with these rows. Raises ValueError for what is wished and cannot be, and for what is missing."""
    if not rows:
        raise ValueError("expected rows, found none that can be read")
    known = columns_of(rows)
    if unknown := [column for column in wishes.where if column not in known]:
        raise ValueError(f"{unknown[0]}: expected one of the columns {', '.join(known)[:300]}")
    mapping = guess(rows, wishes.mapping, format_name=format_name, target=target, ids=ids)
    kind = wishes.kind or _kind(format_name, mapping, known)
    unit = wishes.unit or ("points" if target is None else target.unit)
    numbers = numbers_of(rows, mapping, unit, rounds=wishes.rounds)
    if wishes.mark is not None:
        numbers = numbers._replace(mark=wishes.mark)
    joins = wishes.joins and kind == "scores"
    plan = Plan(format_name, kind, mapping, numbers, joins, target, ids, dict(wishes.where))
    plan.maker()  # says what is missing
    return plan


def _kind(format_name: str, mapping: Mapping[str, str], columns: Iterable[str]) -> Kind:
    if "score" in mapping or "result" in mapping:
        return "scores"
    if found := choices(format_name, columns):
        shown = ", ".join(found)[:500]
        raise ValueError(f"several columns of grades; expected one of them to be mapped to score: {shown}")
    return "joins"


class Reading:
    """Makes items of a file's rows by a plan, and keeps what is told of the others; at most SHOWN_REJECTED by line.

    `groups`: how many items there are of each class, race and leg, where the file says so and nobody has chosen.
    """

    def __init__(self, plan: Plan) -> None:
        self.rows = 0
        self.left_out: Counter[str] = Counter()
        self.rejected: list[Rejected] = []
        self.rejected_count = 0
        self.groups: dict[str, Counter[str]] = {name: Counter() for name in GROUPED if name not in plan.where}
        self._maker = plan.maker()

    def items(self, rows: Sequence[FileRow], from_line: int = 1) -> list[tuple[int, Item]]:
        """The next rows' items, with their lines; those before `from_line` are left out, yet the ids of later ones count them."""
        made: list[tuple[int, Item]] = []
        for row in rows:
            self.rows += 1
            counts = row.line >= from_line
            try:
                item = self._maker.make(row)
            except LeftOutError as error:
                if counts:
                    self.left_out[str(error)] += 1
                continue
            except RowError as error:
                if counts:
                    self.reject(row.line, str(error))
                continue
            if counts:
                made.append((row.line, item))
                self._count_groups(row)
        return made

    def reject(self, line: int, why: str) -> None:
        """Tell of a line."""
        self.rejected_count += 1
        if len(self.rejected) < SHOWN_REJECTED:
            self.rejected.append(Rejected(line, why))

    def _count_groups(self, row: FileRow) -> None:
        for name, counted in self.groups.items():
            if (value := row.fields.get(name)) and (value in counted or len(counted) < SHOWN_GROUPS):
                counted[str(value)] += 1
