"""Which shard a database is, and the catalog of slots."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

MYSQL: dict[str, Any] = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"}


def upgrade() -> None:
    """Make the tables that are not there."""
    op.create_table(
        "shard_identity",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("shard", sa.Integer, nullable=False),
        sa.Column("installation", sa.String(32), nullable=False),
        sa.Column("slots_version", sa.Integer, nullable=False),
        if_not_exists=True,
        **MYSQL,
    )
    op.create_table(
        "shard_slots",
        sa.Column("slot", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("shard", sa.Integer, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        if_not_exists=True,
        **MYSQL,
    )
