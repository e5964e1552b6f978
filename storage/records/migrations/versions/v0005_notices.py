"""Users' notification settings, the jobs and retries of notices."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

MYSQL: dict[str, Any] = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"}
BYTES = 65_535


def upgrade() -> None:
    """Make the tables, and indexes, that are not there."""
    connection = op.get_bind()
    for table in _tables():
        table.create(connection, checkfirst=True)
        for index in table.indexes:  # a table whose making was cut off before its indexes
            index.create(connection, checkfirst=True)


def _key(name: str, kind: sa.types.TypeEngine[Any]) -> sa.Column[Any]:
    return sa.Column(name, kind, primary_key=True, autoincrement=False)


def _tables() -> list[sa.Table]:
    metadata, big, number = sa.MetaData(), sa.BigInteger, sa.Integer
    settings = sa.Table(
        "notification_settings",
        metadata,
        _key("user_id", big().with_variant(number, "sqlite")),
        sa.Column("channels", number, nullable=False),
        sa.Column("overtaken", sa.Boolean, nullable=False),
        sa.Column("version", number, nullable=False),
        sa.Column("data", sa.LargeBinary(BYTES), nullable=False),
        sa.Index("idx_notification_settings_overtaken", "overtaken", "user_id"),
        **MYSQL,
    )
    jobs = sa.Table(
        "notice_jobs",
        metadata,
        _key("tournament_id", big()),
        _key("notice_key", sa.String(100)),
        _key("channel", sa.String(16)),
        sa.Column("payload", sa.LargeBinary(BYTES), nullable=False),
        sa.Column("last_user", big, nullable=False),
        sa.Column("made_ms", big, nullable=False),
        sa.Column("worked_ms", big, nullable=False),
        sa.Column("done_ms", big),
        sa.Column("sent", big, nullable=False),
        sa.Column("failed", big, nullable=False),
        sa.Index("idx_notice_jobs_open", "channel", "done_ms", "worked_ms"),
        **MYSQL,
    )
    retries = sa.Table(
        "notice_retries",
        metadata,
        _key("tournament_id", big()),
        _key("notice_key", sa.String(100)),
        _key("channel", sa.String(16)),
        _key("user_id", big()),
        sa.Column("payload", sa.LargeBinary(BYTES), nullable=False),
        sa.Column("attempts", number, nullable=False),
        sa.Column("due_ms", big, nullable=False),
        sa.Index("idx_notice_retries_due", "channel", "due_ms"),
        sa.Index("idx_notice_retries_user", "user_id"),
        **MYSQL,
    )
    return [settings, jobs, retries]
