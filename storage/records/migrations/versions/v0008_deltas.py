"""Deltas of snapshots: parts below 0 of the same table. Nothing changes in it, but versions before this one cannot read them."""

from __future__ import annotations

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing to do: the number alone keeps earlier versions out."""
