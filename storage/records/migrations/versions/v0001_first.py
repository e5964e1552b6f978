"""Tournaments, participants, snapshots, outbox, projected offsets."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

MYSQL: dict[str, Any] = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"}
PART_BYTES = 4 << 20
SPEC_CHARACTERS = 1 << 20
PAYLOAD_BYTES = (1 << 24) - 1


def upgrade() -> None:
    """Make the tables, and indexes, that are not there."""
    connection = op.get_bind()
    metadata = _schema()
    for table in metadata.sorted_tables:
        table.create(connection, checkfirst=True)
        for index in table.indexes:  # a table whose making was cut off before its indexes
            index.create(connection, checkfirst=True)


def _key(name: str, kind: sa.types.TypeEngine[int] | None = None) -> sa.Column[int]:
    return sa.Column(name, kind or sa.BigInteger(), primary_key=True, autoincrement=False)


def _schema() -> sa.MetaData:
    metadata = sa.MetaData()
    big, number = sa.BigInteger, sa.Integer
    sa.Table("schema_version", metadata, _key("id", number()), sa.Column("version", number), **MYSQL)
    sa.Table(
        "tournaments",
        metadata,
        _key("tournament_id", big().with_variant(number, "sqlite")),
        sa.Column("log_partition", number, nullable=False),
        sa.Column("log_offset", big, nullable=False),
        sa.Column("epoch", big, nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("name_folded", sa.String(1024), nullable=False),
        sa.Column("type", sa.String(16), nullable=False),
        sa.Column("visibility", sa.String(16), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("is_active", sa.Boolean, nullable=False),
        sa.Column("dedicated", sa.Boolean, nullable=False),
        sa.Column("creator", big, nullable=False),
        sa.Column("created_ms", big, nullable=False),
        sa.Column("start_time", big),
        sa.Column("end_time", big),
        sa.Column("finished_ms", big),
        sa.Column("capacity", big),
        sa.Column("participants", big, nullable=False),
        sa.Column("version", big, nullable=False),
        sa.Column("revision", big, nullable=False),
        sa.Column("spec", sa.Text(SPEC_CHARACTERS), nullable=False),
        sa.Index("idx_tournaments_status", "status", "start_time"),
        sa.Index("idx_tournaments_active", "is_active", "end_time"),
        sa.Index("idx_tournaments_listed", "created_ms", "tournament_id"),
        sa.Index("idx_tournaments_partition", "log_partition", "is_active"),
        **MYSQL,
    )
    participants = sa.Table(
        "tournament_participants",
        metadata,
        _key("tournament_id"),
        _key("user_id"),
        sa.Column("name", sa.String(255)),
        sa.Column("active", sa.Boolean, nullable=False),
        sa.Column("score", sa.Numeric(10, 2)),
        sa.Column("attempts", number, nullable=False),
        sa.Column("scored_ms", big),
        sa.Column("joined_ms", big, nullable=False),
        sa.Column("rank", number),
        sa.Index("idx_tournament_participants_user", "user_id"),
        sqlite_with_rowid=False,
        mysql_partition_by="HASH(tournament_id)",
        mysql_partitions="8",
        **MYSQL,
    )
    sa.Index("idx_tournament_participants_tournament", participants.c.tournament_id, participants.c.score.desc())
    sa.Table(
        "snapshots",
        metadata,
        _key("tournament_id"),
        _key("log_offset"),
        _key("part", number()),
        sa.Column("log_partition", number, nullable=False),
        sa.Column("data", sa.LargeBinary(PART_BYTES), nullable=False),
        **MYSQL,
    )
    sa.Table(
        "outbox",
        metadata,
        _key("tournament_id"),
        _key("log_offset"),
        _key("n", number()),
        sa.Column("kind", sa.String(64), nullable=False),
        sa.Column("payload", sa.LargeBinary(PAYLOAD_BYTES), nullable=False),
        **MYSQL,
    )
    sa.Table(
        "projected",
        metadata,
        sa.Column("scope", sa.String(64), primary_key=True),
        sa.Column("log_partition", number, nullable=False),
        sa.Column("log_offset", big, nullable=False),
        **MYSQL,
    )
    return metadata
