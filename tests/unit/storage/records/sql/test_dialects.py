"""The statements that differ by dialect, as they are sent."""

from __future__ import annotations

import pytest
from aiomysql.cursors import RE_INSERT_VALUES
from sqlalchemy import BigInteger, Column, MetaData, Table
from sqlalchemy.dialects import mysql, sqlite
from sqlalchemy.schema import CreateTable

from storage.ports import StorageVersionError
from storage.records.sql.dialects import insert_new, upsert
from storage.records.sql.migrate import check_version
from storage.records.sql.schema import SCHEMA_VERSION, participants, tournaments

TABLE = Table(
    "t",
    MetaData(),
    Column("id", BigInteger, primary_key=True),
    Column("log_offset", BigInteger),
    Column("value", BigInteger),
)


def to_mysql(statement: object) -> str:
    return str(statement.compile(dialect=mysql.dialect())).partition("ON DUPLICATE KEY UPDATE ")[2]  # type: ignore[attr-defined]


def to_sqlite(statement: object) -> str:
    return str(statement.compile(dialect=sqlite.dialect())).partition("ON CONFLICT ")[2]  # type: ignore[attr-defined]


def test_mysql_assigns_the_guard_last() -> None:
    """MySQL assigns from left to right, and a changed guard would decide for the columns after it."""
    assert to_mysql(upsert("mysql", TABLE, guard="log_offset")) == (
        "value = if(VALUES(log_offset) >= t.log_offset, VALUES(value), t.value), "
        "log_offset = if(VALUES(log_offset) >= t.log_offset, VALUES(log_offset), t.log_offset)"
    )


def test_sqlite_replaces_only_where_the_guard_allows() -> None:
    assert to_sqlite(upsert("sqlite", TABLE, guard="log_offset")) == (
        "(id) DO UPDATE SET log_offset = excluded.log_offset, value = excluded.value"
        " WHERE excluded.log_offset >= t.log_offset"
    )


def test_without_a_guard_everything_is_replaced() -> None:
    assert to_mysql(upsert("mysql", TABLE)) == "log_offset = VALUES(log_offset), value = VALUES(value)"
    assert (
        to_sqlite(upsert("sqlite", TABLE))
        == "(id) DO UPDATE SET log_offset = excluded.log_offset, value = excluded.value"
    )


def test_insert_new_leaves_what_is_there() -> None:
    assert to_mysql(insert_new("mysql", TABLE)) == "id = t.id"
    assert to_sqlite(insert_new("sqlite", TABLE)) == "DO NOTHING"


def test_mysql_partitions_participants_by_a_column_of_their_key() -> None:
    sql = " ".join(str(CreateTable(participants).compile(dialect=mysql.dialect())).split())
    assert "score NUMERIC(10, 2)" in sql
    assert "PRIMARY KEY (tournament_id, user_id)" in sql
    assert sql.endswith("PARTITION BY HASH(tournament_id) PARTITIONS 8")
    assert "tournament_id BIGINT NOT NULL" in str(CreateTable(tournaments).compile(dialect=mysql.dialect()))


def test_only_newer_versions_are_refused() -> None:
    check_version("records.db", SCHEMA_VERSION)
    with pytest.raises(StorageVersionError, match=f"schema {SCHEMA_VERSION + 1}"):
        check_version("records.db", SCHEMA_VERSION + 1)


def test_many_rows_go_in_one_statement_on_mysql() -> None:
    """aiomysql sends rows one by one unless it sees this form; the row alias that MySQL 8.4 would have is not of it."""
    for statement in (
        upsert("mysql", participants),
        upsert("mysql", tournaments, "log_offset"),
        insert_new("mysql", participants),
    ):
        dialect = mysql.dialect(paramstyle="format")
        dialect.server_version_info = (8, 4, 0)
        sql = str(statement.compile(dialect=dialect))
        assert RE_INSERT_VALUES.match(sql), sql
        assert ("`rank`" in sql) == ("attempts" in sql)  # a reserved word of MySQL 8
