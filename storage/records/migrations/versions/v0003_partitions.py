"""Which shard holds a partition, instead of slots of tournaments.

What lies on several shards by slots is brought together when the store is opened (`storage.records.mysql.open`): that concerns all shards, and
this the tables of one. An earlier version that was not stopped can save nothing any more: it looks for the column that is gone.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

MYSQL: dict[str, Any] = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"}


def upgrade() -> None:
    """Make and drop what is not made or dropped yet."""
    op.create_table(
        "shard_partitions",
        sa.Column("log_partition", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("shard", sa.Integer, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("moving_to", sa.Integer),
        if_not_exists=True,
        **MYSQL,
    )
    columns = {column["name"] for column in sa.inspect(op.get_bind()).get_columns("shard_identity")}
    if "slots_version" in columns:
        op.drop_column("shard_identity", "slots_version")
    op.drop_table("shard_slots", if_exists=True)
