"""The tables of the archive: a row for each file, and who took part in tournaments that have left the records."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, String, Table, false

from storage.records.sql.schema import MILLISECONDS, MYSQL_TABLE, Hundredths, Id, metadata

archives = Table(
    "archives",
    metadata,
    Column("tournament_id", Id, primary_key=True, autoincrement=False),
    Column("log_partition", Integer, nullable=False),
    Column("log_offset", BigInteger, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("finished_ms", MILLISECONDS, nullable=False),
    Column("participants", BigInteger, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("digest", String(32), nullable=False),
    Column("archived_ms", MILLISECONDS, nullable=False),
    Column("place", String(16), nullable=False),
    Index("idx_archives_finished", "finished_ms", "tournament_id"),
    Index("idx_archives_place", "place", "finished_ms"),
    **MYSQL_TABLE,
)

# So that a user's tournaments are found: to show them (without a name: that is in the archive alone, to be erased in one place), and to forget
# the user there: see `Records.user_tournaments` and `Records.took_part`. Columns are as in `tournament_participants`.
archived_participants = Table(
    "archived_participants",
    metadata,
    Column("tournament_id", BigInteger, primary_key=True, autoincrement=False),
    Column("user_id", BigInteger, primary_key=True, autoincrement=False),
    Column("active", Boolean, nullable=False, server_default=false()),
    Column("score", Hundredths),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("scored_ms", MILLISECONDS),
    Column("joined_ms", MILLISECONDS, nullable=False, server_default="0"),
    Column("rank", Integer),
    Column("subscore", Hundredths),
    Index("idx_archived_participants_user", "user_id", "tournament_id"),
    sqlite_with_rowid=False,
    **MYSQL_TABLE,
)
