"""The archive: its files, and who took part in tournaments that have left the records."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

MYSQL: dict[str, Any] = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"}


def upgrade() -> None:
    """Make the tables, and indexes, that are not there."""
    connection = op.get_bind()
    for table in _tables():
        table.create(connection, checkfirst=True)
        for index in table.indexes:  # a table whose making was cut off before its indexes
            index.create(connection, checkfirst=True)


def _key(name: str, kind: sa.types.TypeEngine[int]) -> sa.Column[int]:
    return sa.Column(name, kind, primary_key=True, autoincrement=False)


def _tables() -> list[sa.Table]:
    metadata, big, number = sa.MetaData(), sa.BigInteger, sa.Integer
    archives = sa.Table(
        "archives",
        metadata,
        _key("tournament_id", big().with_variant(number, "sqlite")),
        sa.Column("log_partition", number, nullable=False),
        sa.Column("log_offset", big, nullable=False),
        sa.Column("revision", big, nullable=False),
        sa.Column("finished_ms", big, nullable=False),
        sa.Column("participants", big, nullable=False),
        sa.Column("size_bytes", big, nullable=False),
        sa.Column("digest", sa.String(32), nullable=False),
        sa.Column("archived_ms", big, nullable=False),
        sa.Column("place", sa.String(16), nullable=False),
        sa.Index("idx_archives_finished", "finished_ms", "tournament_id"),
        sa.Index("idx_archives_place", "place", "finished_ms"),
        **MYSQL,
    )
    archived_participants = sa.Table(
        "archived_participants",
        metadata,
        _key("tournament_id", big()),
        _key("user_id", big()),
        sa.Index("idx_archived_participants_user", "user_id", "tournament_id"),
        sqlite_with_rowid=False,
        **MYSQL,
    )
    return [archives, archived_participants]
