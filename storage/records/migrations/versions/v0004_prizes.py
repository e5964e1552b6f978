"""The ledger of prizes; effects by their kind."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

MYSQL: dict[str, Any] = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"}


def upgrade() -> None:
    """Make the table, and indexes, that are not there."""
    connection = op.get_bind()
    metadata = sa.MetaData()
    prizes = _prizes(metadata)
    prizes.create(connection, checkfirst=True)
    outbox = sa.Table("outbox", metadata, autoload_with=connection)
    effects = {index["name"] for index in sa.inspect(connection).get_indexes("outbox")}
    if "idx_outbox_kind" not in effects:
        sa.Index("idx_outbox_kind", outbox.c.kind, outbox.c.tournament_id).create(connection)
    for index in prizes.indexes:  # a table whose making was cut off before its indexes
        index.create(connection, checkfirst=True)


def _key(name: str, kind: sa.types.TypeEngine[int] | None = None) -> sa.Column[int]:
    return sa.Column(name, kind or sa.BigInteger(), primary_key=True, autoincrement=False)


def _prizes(metadata: sa.MetaData) -> sa.Table:
    big, number = sa.BigInteger, sa.Integer
    return sa.Table(
        "prizes",
        metadata,
        _key("tournament_id"),
        _key("rule_number", number()),
        _key("user_id"),
        _key("n", number()),
        sa.Column("log_partition", number, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("place", number, nullable=False),
        sa.Column("units", big, nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("item", sa.String(255), nullable=False),
        sa.Column("board_group", sa.String(255)),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("claim", sa.Boolean, nullable=False),
        sa.Column("claimed_ms", big),
        sa.Column("attempts", number, nullable=False),
        sa.Column("due_ms", big, nullable=False),
        sa.Column("created_ms", big, nullable=False),
        sa.Column("changed_ms", big, nullable=False),
        sa.Column("changed_by", big, nullable=False),
        sa.Column("reason", sa.String(255), nullable=False),
        sa.Column("reference", sa.String(255), nullable=False),
        sa.Column("version", number, nullable=False),
        sa.Index("idx_prizes_state", "state", "tournament_id", "due_ms"),
        sa.Index("idx_prizes_user", "user_id", "created_ms"),
        **MYSQL,
    )
