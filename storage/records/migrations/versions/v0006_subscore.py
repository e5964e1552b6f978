"""The subscore beside a participant's score: why equal scores stand in their order. NULL in what is there, and where there are none."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column, if it is not there."""
    columns = {column["name"] for column in sa.inspect(op.get_bind()).get_columns("tournament_participants")}
    if "subscore" not in columns:
        op.add_column("tournament_participants", sa.Column("subscore", sa.Numeric(10, 2)))
