"""`scripts/palio migrate`: bring tournaments of a MySQL-only system into Palio while it goes on writing; see docs/migration.md.

All that is known of how far it is stands in tables of the old database, `palio_migration_...`. What is to be sent stands in an outbox of
participants' ids: triggers put in those that are written, `copy` those that were there before. The sender reads a participant as it
is now, so no order of entries matters, and takes an entry away once Palio has its join and its score in the log.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, NamedTuple

import pymysql

from scripts.cli.connection import Commands, add_command, at_least_one, say
from scripts.cli.tables import print_rows
from scripts.client.palio_client import BatchAnswer, Join, PalioClient, Score

BEYOND_END: Final = timedelta(days=180)  # a copy stays open: a score that is mirrored late counts, too
CAPACITY: Final = 1_000_000  # of a copy: the old system decides who takes part
CHUNK: Final = 1000  # rows of one call to Palio
LOCK_WAIT_S: Final = 15  # a killed tool's lock goes with its connection
SHOWN: Final = 20  # differences of a tournament that are told one by one
RETRY_FOR_S: Final = 300.0

TABLES: Final = (
    "CREATE TABLE IF NOT EXISTS palio_migration_tournaments (tournament_id BIGINT PRIMARY KEY, spec TEXT NOT NULL, "
    "starts_at DATETIME(3) NOT NULL, palio_id BIGINT NULL) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4",
    "CREATE TABLE IF NOT EXISTS palio_migration_outbox (seq BIGINT AUTO_INCREMENT PRIMARY KEY, "
    "participant_id BIGINT NOT NULL) ENGINE=InnoDB",
    "CREATE TABLE IF NOT EXISTS palio_migration_progress (one TINYINT PRIMARY KEY, copied_to BIGINT NOT NULL, "
    "copied BIGINT NOT NULL) ENGINE=InnoDB",
    "INSERT IGNORE INTO palio_migration_progress VALUES (1, -9223372036854775808, 0)",
)
_WRITTEN: Final = "INSERT INTO palio_migration_outbox (participant_id) VALUES (NEW.id)"
TRIGGERS: Final = {
    "palio_migration_insert": "CREATE TRIGGER palio_migration_insert AFTER INSERT ON tournament_participants "
    f"FOR EACH ROW {_WRITTEN}",
    "palio_migration_update": "CREATE TRIGGER palio_migration_update AFTER UPDATE ON tournament_participants "
    f"FOR EACH ROW BEGIN IF NOT (NEW.score <=> OLD.score) THEN {_WRITTEN}; END IF; END",
}
COLUMNS: Final = {
    "tournaments": ("id", "name", "start_time", "end_time"),
    "tournament_participants": ("id", "tournament_id", "user_id", "score"),
}
DUE: Final = (
    "FROM palio_migration_outbox o JOIN tournament_participants p ON p.id = o.participant_id "
    "JOIN palio_migration_tournaments m ON m.tournament_id = p.tournament_id "
    "WHERE m.palio_id IS NOT NULL AND m.starts_at < UTC_TIMESTAMP(3) - INTERVAL 1 SECOND"
)


def add_migrate(commands: Commands) -> None:
    """The command."""
    command = add_command(
        commands,
        "migrate",
        migrate,
        shows="copy and mirror a MySQL-only system's tournaments into Palio",
        description="check: what the old tables hold, and what would stand in the way; changes nothing. copy: make the tool's tables and "
        "triggers in the old database, then bring every tournament and participant into Palio. mirror: go on sending what the old system "
        "writes, until Ctrl-C. compare: every table, the old one beside Palio's. status: how far it is.\n\n"
        "Each may be stopped at any time, also by kill -9; the same command goes on where it was. docs/migration.md has the steps.",
        example="scripts/palio migrate copy --from old.json",
        retry_for_s=RETRY_FOR_S,
        json=False,
    )
    command.add_argument("action", choices=tuple(ACTIONS), help="see above")
    command.add_argument(
        "--from",
        dest="old",
        type=Path,
        required=True,
        metavar="FILE",
        help='the old database: JSON with "host", "port", "user", "password", "database"',
    )
    command.add_argument("--dry-run", action="store_true", help="with copy or mirror: check, and change nothing")
    command.add_argument(
        "--pause-ms", type=int, default=0, metavar="N", help="rest after each 1,000 rows (default: not)"
    )
    command.add_argument(
        "--tournament", type=at_least_one, default=None, metavar="ID", help="compare this one alone, by its old id"
    )


async def migrate(palio: PalioClient, options: argparse.Namespace) -> int:
    """Do one action. Raises ValueError with a line that says what the old database or Palio did not like."""
    try:
        with opened(options.old) as old:
            if options.dry_run:
                return check(old)
            return await ACTIONS[options.action](palio, old, options)
    except pymysql.Error as error:
        raise ValueError(f"the old database: {error.args[-1] if error.args else error}") from error


class Old:
    """The old database; each statement is a transaction of its own but within `together`."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def rows(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """All rows of a statement."""
        with self._connection.cursor() as cursor:
            cursor.execute(statement, values or None)
            return list(cursor.fetchall())

    def many(self, statement: str, values: Iterable[tuple[Any, ...]]) -> None:
        """A statement for each of many."""
        with self._connection.cursor() as cursor:
            cursor.executemany(statement, list(values))

    @contextmanager
    def together(self) -> Iterator[None]:
        """All or nothing."""
        self._connection.begin()
        try:
            yield
            self._connection.commit()
        except BaseException:
            self._connection.rollback()
            raise


@contextmanager
def opened(file: Path) -> Iterator[Old]:
    """The database that a file names. Raises ValueError, pymysql.Error."""
    try:
        given = json.loads(file.read_text(encoding="utf-8"))
        account = {name: given[name] for name in ("host", "port", "user", "password", "database")}
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, KeyError, TypeError) as error:
        raise ValueError(f"{file}: expected JSON with host, port, user, password, database: {error!r}") from error
    connection = pymysql.connect(**account, charset="utf8mb4", autocommit=True, connect_timeout=10)
    try:
        yield Old(connection)
    finally:
        connection.close()


def spec_of(name: str | None, starts: datetime | None, ends: datetime | None, now: datetime) -> dict[str, Any]:
    """What Palio is asked for. The newest score stands, as in the old table; it ends long after the old one. Times are UTC."""
    begins = now if starts is None else max(now - BEYOND_END, min(starts, now + BEYOND_END))
    return {
        "name": ((name or "").strip() or "Tournament")[:100],
        "type": "scheduled",
        "starts_at": _stamp(begins),
        "ends_at": _stamp(max(begins, ends or now, now) + BEYOND_END),
        "capacity": CAPACITY,
        "score_policy": "last",
    }


class Differences(NamedTuple):
    """Where two tables are not the same: (user, old score, Palio's score), None: has none."""

    found: list[tuple[str, Decimal | None, Decimal | None]]

    def lines(self) -> list[str]:
        """The first ones for people."""
        told = [f"user {user}: old {_said(old)}, Palio {_said(new)}" for user, old, new in self.found[:SHOWN]]
        more = len(self.found) - SHOWN
        return [*told, f"and {more} more"] if more > 0 else told


def differences(old: Mapping[str, Decimal], palio: Mapping[str, Decimal]) -> Differences:
    """By users' ids."""
    users = sorted(old.keys() | palio.keys(), key=int)
    pairs = ((user, old.get(user), palio.get(user)) for user in users)
    return Differences([pair for pair in pairs if pair[1] != pair[2]])


def check(old: Old) -> int:
    """Print what is there and what would stand in the way; 1 if something does."""
    troubles = []
    for table, wanted in COLUMNS.items():
        there = old.rows(
            "SELECT column_name FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = %s",
            table,
        )
        missing = set(wanted) - {name.lower() for (name,) in there}
        if missing:
            troubles.append(f"{table}: expected the columns {', '.join(sorted(missing))}")
    if not troubles:
        ((tournaments,),) = old.rows("SELECT COUNT(*) FROM tournaments")
        ((participants,),) = old.rows("SELECT COUNT(*) FROM tournament_participants")
        say(f"{tournaments} tournaments, {participants} participants")
        troubles += [
            f"{count} {what}"
            for what, statement in (
                ("users that are twice in a tournament", "SELECT COUNT(*) FROM (SELECT 1 FROM tournament_participants "
                 "GROUP BY tournament_id, user_id HAVING COUNT(*) > 1) twice"),
                ("participants without a user's id above 0", "SELECT COUNT(*) FROM tournament_participants "
                 "WHERE user_id IS NULL OR user_id < 1"),
                ("participants of no tournament", "SELECT COUNT(*) FROM tournament_participants p LEFT JOIN "
                 "tournaments t ON t.id = p.tournament_id WHERE t.id IS NULL"),
                ("tournaments with more than a million participants", "SELECT COUNT(*) FROM (SELECT 1 FROM "
                 "tournament_participants GROUP BY tournament_id HAVING COUNT(*) > 1000000) large"),
            )
            for ((count,),) in (old.rows(statement),)
            if count
        ]  # fmt: skip
    for trouble in troubles:
        print(trouble)
    if not troubles:
        print("nothing stands in the way")
    return int(bool(troubles))


async def _check(palio: PalioClient, old: Old, options: argparse.Namespace) -> int:
    del palio, options
    return check(old)


async def _copy(palio: PalioClient, old: Old, options: argparse.Namespace) -> int:
    if check(old):
        return 1
    _prepare(old)
    await _create(palio, old)
    ((total,),) = old.rows("SELECT COUNT(*) FROM tournament_participants")
    while True:
        ((last, copied),) = old.rows("SELECT copied_to, copied FROM palio_migration_progress")
        ids = old.rows("SELECT id FROM tournament_participants WHERE id > %s ORDER BY id LIMIT %s", last, CHUNK)
        if ids:
            with old.together():  # queued and noted, or neither
                old.many("INSERT INTO palio_migration_outbox (participant_id) VALUES (%s)", ids)
                old.rows(
                    "UPDATE palio_migration_progress SET copied_to = %s, copied = %s", ids[-1][0], copied + len(ids)
                )
            say(f"{copied + len(ids)} of about {total} participants")
        if not await _send(palio, old) and not ids:
            break
        await asyncio.sleep(options.pause_ms / 1000)
    print("all is copied; `migrate mirror` sends what is written from now on")
    return 0


async def _mirror(palio: PalioClient, old: Old, options: argparse.Namespace) -> int:
    if check(old):
        return 1
    _prepare(old)
    while True:
        await _create(palio, old)
        sent = await _send(palio, old)
        await asyncio.sleep(options.pause_ms / 1000 if sent == CHUNK else max(0.2, options.pause_ms / 1000))


async def _compare(palio: PalioClient, old: Old, options: argparse.Namespace) -> int:
    known = old.rows("SELECT tournament_id, palio_id FROM palio_migration_tournaments ORDER BY tournament_id")
    palio_ids = dict(known)
    chosen = [options.tournament] if options.tournament else [
        each for (each,) in old.rows("SELECT id FROM tournaments ORDER BY id")
    ]  # fmt: skip
    different = 0
    for tournament in chosen:
        palio_id = palio_ids.get(tournament)
        rows = old.rows(
            "SELECT user_id, score FROM tournament_participants WHERE tournament_id = %s AND score IS NOT NULL",
            tournament,
        )
        theirs = {str(user): _hundredths(score) for user, score in rows}
        ours = {}
        if palio_id is not None:
            ours = {row.user_id: _hundredths(row.score) async for row in palio.rows(str(palio_id))}
        found = differences(theirs, ours)
        different += bool(found.found) or palio_id is None
        print(f"tournament {tournament}: {len(theirs)} scores, Palio {len(ours)}, {len(found.found)} differences")
        for line in found.lines():
            print(f"  {line}")
    print(f"{len(chosen)} tournaments, {different} with differences")
    return int(different > 0)


async def _status(palio: PalioClient, old: Old, options: argparse.Namespace) -> int:
    del palio, options
    ((begun,),) = old.rows(
        "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = DATABASE() "
        "AND table_name = 'palio_migration_progress'"
    )
    if not begun:
        print("nothing was copied yet")
        return 0
    ((copied,),) = old.rows("SELECT copied FROM palio_migration_progress")
    ((made, there),) = old.rows(
        "SELECT (SELECT COUNT(palio_id) FROM palio_migration_tournaments), (SELECT COUNT(*) FROM tournaments)"
    )
    ((waiting,),) = old.rows("SELECT COUNT(*) FROM palio_migration_outbox")
    print_rows(
        ("what", "how many"),
        [
            ("tournaments in Palio", f"{made} of {there}"),
            ("participants copied", copied),
            ("waiting to be sent", waiting),
        ],
    )
    return 0


ACTIONS: Final = {"check": _check, "copy": _copy, "mirror": _mirror, "compare": _compare, "status": _status}


def _prepare(old: Old) -> None:
    """The tool's tables and triggers; alone, until the connection ends. A trigger is made once no older write is open: none is missed."""
    ((alone,),) = old.rows("SELECT GET_LOCK(CONCAT('palio_migration.', DATABASE()), %s)", LOCK_WAIT_S)
    if not alone:
        raise ValueError("another `migrate copy` or `migrate mirror` works on this database")
    for statement in TABLES:
        old.rows(statement)
    there = {
        name
        for (name,) in old.rows(
            "SELECT trigger_name FROM information_schema.triggers WHERE trigger_schema = DATABASE()"
        )
    }
    for name, statement in TRIGGERS.items():
        if name not in there:
            old.rows(statement)


async def _create(palio: PalioClient, old: Old) -> None:
    """Tournaments that Palio does not have. What is asked for is noted first: after a kill the same is asked for by the same key."""
    now = datetime.now(UTC).replace(tzinfo=None)
    new = old.rows(
        "SELECT t.id, t.name, t.start_time, t.end_time FROM tournaments t "
        "LEFT JOIN palio_migration_tournaments m ON m.tournament_id = t.id WHERE m.tournament_id IS NULL"
    )
    for tournament, name, starts, ends in new:
        spec = spec_of(name, starts, ends, now)
        begins = datetime.fromisoformat(spec["starts_at"]).replace(tzinfo=None)
        old.rows(
            "INSERT INTO palio_migration_tournaments (tournament_id, spec, starts_at) VALUES (%s, %s, %s)",
            tournament, json.dumps(spec), begins,
        )  # fmt: skip
    noted = old.rows("SELECT tournament_id, spec FROM palio_migration_tournaments WHERE palio_id IS NULL")
    for start in range(0, len(noted), CHUNK):
        part = noted[start : start + CHUNK]
        answer = await palio.create_all(
            {**json.loads(spec), "idempotency_key": f"migrate-{tournament}"} for tournament, spec in part
        )
        old.many(
            "UPDATE palio_migration_tournaments SET palio_id = %s WHERE tournament_id = %s",
            [(int(made.id), part[made.index][0]) for made in answer.tournaments],
        )
        for refused in answer.rejected:
            raise ValueError(f"Palio did not take tournament {part[refused.index][0]}: {refused.code}")


async def _send(palio: PalioClient, old: Old) -> int:
    """Send up to CHUNK entries of the outbox; how many. Raises ValueError for one that Palio will never take; it stays."""
    due = old.rows(f"SELECT o.seq, p.id, m.palio_id, p.user_id, p.score {DUE} ORDER BY o.seq LIMIT {CHUNK}")
    if not due:
        old.rows(  # what the old system deleted since; `compare` tells what Palio still has
            "DELETE o FROM palio_migration_outbox o LEFT JOIN tournament_participants p ON p.id = o.participant_id "
            "WHERE p.id IS NULL"
        )
        return 0
    _all_taken(
        await palio.join_all(Join(tournament_id=str(to), user_id=str(user)) for _, _, to, user, _ in due),
        [f"participant {row}" for _, row, *_ in due],
    )
    scored = [each for each in due if each[4] is not None]
    _all_taken(
        await palio.submit_all(
            Score(tournament_id=str(to), user_id=str(user), event_id=f"migrate-{row}-{seq}", score=float(score))
            for seq, row, to, user, score in scored
        ),
        [f"the score of participant {row}" for _, row, *_ in scored],
    )
    old.many("DELETE FROM palio_migration_outbox WHERE seq = %s", [(seq,) for seq, *_ in due])
    return len(due)


def _all_taken(answer: BatchAnswer, what: list[str]) -> None:
    for refused in answer.rejected:
        raise ValueError(f"Palio did not take {what[refused.index]}: {refused.code}")


def _stamp(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds") + "Z"


def _hundredths(score: float | Decimal) -> Decimal:
    return Decimal(str(score)).quantize(Decimal("0.01"))


def _said(score: Decimal | None) -> str:
    return "none" if score is None else str(score)
