"""How users took part in tournaments that have left the records. Of those that left before this they are still not listed: `active` is false."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

TABLE = "archived_participants"


def upgrade() -> None:
    """Add the columns that are not there."""
    present = {column["name"] for column in sa.inspect(op.get_bind()).get_columns(TABLE)}
    for column in (
        sa.Column("active", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("score", sa.Numeric(10, 2)),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        sa.Column("scored_ms", sa.BigInteger),
        sa.Column("joined_ms", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("rank", sa.Integer),
        sa.Column("subscore", sa.Numeric(10, 2)),
    ):
        if column.name not in present:
            op.add_column(TABLE, column)
