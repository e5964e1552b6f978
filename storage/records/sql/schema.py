"""The tables of the durable store, the same on SQLite and MySQL, and how rows of the port become rows of them.

A participants table with a key of its own cannot be made: MySQL wants the partitioning column in every unique key, so the primary key is
(tournament_id, user_id). Columns whose plain names are reserved words are called `log_partition` and
`log_offset`. Scores are DECIMAL(10,2) in SQL and hundredths outside.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Dialect,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    Row,
    String,
    Table,
    Text,
    TypeDecorator,
)

from actors.domain.texts import folded
from storage.ports.records import OutboxRow, ParticipantRow, TournamentRow

SCHEMA_VERSION = 9  # the newest revision below storage/records/migrations/versions
# A snapshot's rows: MySQL's default packet takes 16 MiB, and a row should stay well below it.
SNAPSHOT_PART_BYTES = 4 << 20
SNAPSHOTS_KEPT = 2
FIRST_PART, DELTA_PART = 0, -1  # a snapshot's parts count up from 0, a delta's down from -1
OVER = ("finished", "cancelled")


class Hundredths(TypeDecorator[int]):
    """An int of hundredths as DECIMAL(10,2). SQLite has no decimals: there a double, exact to the hundredth in this range."""

    impl = Numeric(10, 2)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        """DECIMAL on a server, a plain number on SQLite."""
        return Numeric(10, 2, asdecimal=False) if dialect.name == "sqlite" else Numeric(10, 2)

    def process_bind_param(self, value: int | None, dialect: Dialect) -> Any:
        """Hundredths to the column's number."""
        if value is None:
            return None
        return value / 100 if dialect.name == "sqlite" else Decimal(value).scaleb(-2)

    def process_result_value(self, value: Any, dialect: Dialect) -> int | None:  # noqa: ARG002 - the same for all
        """The column's number to hundredths."""
        return None if value is None else round(value * 100)


Id = BigInteger().with_variant(Integer, "sqlite")  # as INTEGER, SQLite's primary key is the row's own number
MILLISECONDS = BigInteger

# Compared by code points: what is equal on SQLite is equal on MySQL. `name_folded` ignores case by itself.
MYSQL_TABLE: dict[str, Any] = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"}

metadata = MetaData()

schema_version = Table(
    "schema_version",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("version", Integer),
    **MYSQL_TABLE,
)

# Which shard this database is, and of which installation: addresses in the wrong order are noticed.
shard_identity = Table(
    "shard_identity",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("shard", Integer, nullable=False),
    Column("installation", String(32), nullable=False),
    **MYSQL_TABLE,
)

# Which shard holds a partition, on every shard of MySQL: see `storage.records.sql.partitions`.
shard_partitions = Table(
    "shard_partitions",
    metadata,
    Column("log_partition", Integer, primary_key=True, autoincrement=False),
    Column("shard", Integer, nullable=False),
    Column("version", Integer, nullable=False),
    Column("moving_to", Integer),
    **MYSQL_TABLE,
)

tournaments = Table(
    "tournaments",
    metadata,
    Column("tournament_id", Id, primary_key=True, autoincrement=False),
    Column("log_partition", Integer, nullable=False),
    Column("log_offset", BigInteger, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("name", String(255), nullable=False),
    Column("name_folded", String(1024), nullable=False),  # what `q` is looked for in, the same on every database
    Column("type", String(16), nullable=False),
    Column("visibility", String(16), nullable=False),
    Column("status", String(16), nullable=False),
    Column("is_active", Boolean, nullable=False),
    Column("dedicated", Boolean, nullable=False),
    Column("creator", BigInteger, nullable=False),
    Column("created_ms", MILLISECONDS, nullable=False),
    Column("start_time", MILLISECONDS),
    Column("end_time", MILLISECONDS),
    Column("finished_ms", MILLISECONDS),
    Column("capacity", BigInteger),
    Column("participants", BigInteger, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("spec", Text(1 << 20), nullable=False),
    Index("idx_tournaments_status", "status", "start_time"),
    Index("idx_tournaments_active", "is_active", "end_time"),
    Index("idx_tournaments_listed", "created_ms", "tournament_id"),
    Index("idx_tournaments_partition", "log_partition", "is_active"),
    **MYSQL_TABLE,
)

participants = Table(
    "tournament_participants",
    metadata,
    Column("tournament_id", BigInteger, primary_key=True, autoincrement=False),
    Column("user_id", BigInteger, primary_key=True, autoincrement=False),
    Column("name", String(255)),
    Column("active", Boolean, nullable=False),
    Column("score", Hundredths),
    Column("attempts", Integer, nullable=False),
    Column("scored_ms", MILLISECONDS),
    Column("joined_ms", MILLISECONDS, nullable=False),
    Column("rank", Integer),
    Column("subscore", Hundredths),
    Index("idx_tournament_participants_user", "user_id"),
    sqlite_with_rowid=False,
    mysql_partition_by="HASH(tournament_id)",
    mysql_partitions="8",
    **MYSQL_TABLE,
)
Index("idx_tournament_participants_tournament", participants.c.tournament_id, participants.c.score.desc())

snapshots = Table(
    "snapshots",
    metadata,
    Column("tournament_id", BigInteger, primary_key=True, autoincrement=False),
    Column("log_offset", BigInteger, primary_key=True, autoincrement=False),
    Column("part", Integer, primary_key=True, autoincrement=False),
    Column("log_partition", Integer, nullable=False),
    Column("data", LargeBinary(SNAPSHOT_PART_BYTES), nullable=False),
    **MYSQL_TABLE,
)

outbox = Table(
    "outbox",
    metadata,
    Column("tournament_id", BigInteger, primary_key=True, autoincrement=False),
    Column("log_offset", BigInteger, primary_key=True, autoincrement=False),
    Column("n", Integer, primary_key=True, autoincrement=False),
    Column("kind", String(64), nullable=False),
    Column("payload", LargeBinary((1 << 24) - 1), nullable=False),
    Index("idx_outbox_kind", "kind", "tournament_id"),
    **MYSQL_TABLE,
)

# Prizes: see `storage.ports.prizes`. Named as in `actors.domain.prizes.ledger.Entry`, but for words that databases keep for themselves.
prizes = Table(
    "prizes",
    metadata,
    Column("tournament_id", BigInteger, primary_key=True, autoincrement=False),
    Column("rule_number", Integer, primary_key=True, autoincrement=False),
    Column("user_id", BigInteger, primary_key=True, autoincrement=False),
    Column("n", Integer, primary_key=True, autoincrement=False),
    Column("log_partition", Integer, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("place", Integer, nullable=False),
    Column("units", BigInteger, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("item", String(255), nullable=False),
    Column("board_group", String(255)),
    Column("state", String(16), nullable=False),
    Column("claim", Boolean, nullable=False),
    Column("claimed_ms", MILLISECONDS),
    Column("attempts", Integer, nullable=False),
    Column("due_ms", MILLISECONDS, nullable=False),
    Column("created_ms", MILLISECONDS, nullable=False),
    Column("changed_ms", MILLISECONDS, nullable=False),
    Column("changed_by", BigInteger, nullable=False),
    Column("reason", String(255), nullable=False),
    Column("reference", String(255), nullable=False),
    Column("version", Integer, nullable=False),
    Index("idx_prizes_state", "state", "tournament_id", "due_ms"),
    Index("idx_prizes_user", "user_id", "created_ms"),
    **MYSQL_TABLE,
)

projected = Table(
    "projected",
    metadata,
    Column("scope", String(64), primary_key=True),
    Column("log_partition", Integer, nullable=False),
    Column("log_offset", BigInteger, nullable=False),
    **MYSQL_TABLE,
)


def tournament_values(row: TournamentRow) -> dict[str, Any]:
    """The columns of a tournament."""
    values = row._asdict()
    values["log_partition"] = values.pop("partition")
    values["log_offset"] = values.pop("offset")
    values["start_time"] = values.pop("starts_ms")
    values["end_time"] = values.pop("ends_ms")
    values["spec"] = row.spec.decode()
    values["name_folded"] = folded(row.name)
    values["is_active"] = row.status not in OVER
    return values


# In the order of TournamentRow's fields: all but what is only looked for.
TOURNAMENT_COLUMNS = tuple(column for column in tournaments.c if column.name not in ("name_folded", "is_active"))
PARTICIPANT_COLUMNS = tuple(participants.c[name] for name in ParticipantRow._fields)


def tournament_row(row: Row[*tuple[Any, ...]]) -> TournamentRow:
    """A row of TOURNAMENT_COLUMNS, or one that begins with them."""
    values: list[Any] = list(row[: len(TOURNAMENT_COLUMNS)])
    values[-1] = values[-1].encode()
    return TournamentRow(*values)


def participant_row(row: Row[*tuple[Any, ...]]) -> ParticipantRow:
    """A row that ends with PARTICIPANT_COLUMNS."""
    return ParticipantRow(*row[-len(PARTICIPANT_COLUMNS) :])


def outbox_values(row: OutboxRow) -> dict[str, Any]:
    """The columns of an outbox row."""
    values = row._asdict()
    values["log_offset"] = values.pop("offset")
    return values
