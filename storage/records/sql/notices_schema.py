"""The tables of notices: users' settings (on the first shard), jobs and retries (on the shard of their tournament)."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, LargeBinary, String, Table

from actors.domain.notices.events import MAX_KEY_CHARS
from storage.records.sql.schema import MILLISECONDS, MYSQL_TABLE, Id, metadata

SEALED_BYTES = 65_535
PAYLOAD_BYTES = 65_535

notification_settings = Table(
    "notification_settings",
    metadata,
    Column("user_id", Id, primary_key=True, autoincrement=False),
    Column("channels", Integer, nullable=False),
    Column("overtaken", Boolean, nullable=False),
    Column("version", Integer, nullable=False),
    Column("data", LargeBinary(SEALED_BYTES), nullable=False),
    Index("idx_notification_settings_overtaken", "overtaken", "user_id"),
    **MYSQL_TABLE,
)

notice_jobs = Table(
    "notice_jobs",
    metadata,
    Column("tournament_id", BigInteger, primary_key=True, autoincrement=False),
    Column("notice_key", String(MAX_KEY_CHARS), primary_key=True),
    Column("channel", String(16), primary_key=True),
    Column("payload", LargeBinary(PAYLOAD_BYTES), nullable=False),
    Column("last_user", BigInteger, nullable=False),  # the cursor, which is a reserved word
    Column("made_ms", MILLISECONDS, nullable=False),
    Column("worked_ms", MILLISECONDS, nullable=False),
    Column("done_ms", MILLISECONDS),
    Column("sent", BigInteger, nullable=False),
    Column("failed", BigInteger, nullable=False),
    Index("idx_notice_jobs_open", "channel", "done_ms", "worked_ms"),
    **MYSQL_TABLE,
)

notice_retries = Table(
    "notice_retries",
    metadata,
    Column("tournament_id", BigInteger, primary_key=True, autoincrement=False),
    Column("notice_key", String(MAX_KEY_CHARS), primary_key=True),
    Column("channel", String(16), primary_key=True),
    Column("user_id", BigInteger, primary_key=True, autoincrement=False),
    Column("payload", LargeBinary(PAYLOAD_BYTES), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("due_ms", MILLISECONDS, nullable=False),
    Index("idx_notice_retries_due", "channel", "due_ms"),
    Index("idx_notice_retries_user", "user_id"),
    **MYSQL_TABLE,
)
