"""Settings of the MySQL records as they are read, and the locking reads as each server takes them."""

from __future__ import annotations

import pytest
from sqlalchemy import select
from sqlalchemy.dialects import mysql

from storage.records.mysql.engine import MysqlOptions, MysqlServer, MysqlShard, mysql_engine
from storage.records.sql.schema import shard_identity, tournaments

ACCOUNT = {"user": "palio", "password": "a-secret", "database": "palio"}
PRIMARY = {"host": "127.0.0.1", "port": 3306}
REPLICA = {"host": "127.0.0.1", "port": 3307}


@pytest.mark.parametrize(
    ("shard", "replicas"),
    [
        ({"primary": PRIMARY}, ()),
        ({"primary": PRIMARY, "replica": REPLICA}, (MysqlServer("127.0.0.1", 3307),)),
        (
            {"primary": PRIMARY, "replicas": [REPLICA, {"host": "db"}]},
            (MysqlServer("127.0.0.1", 3307), MysqlServer("db")),
        ),
    ],
)
def test_options_are_read_from_json_values(shard: dict[str, object], replicas: tuple[MysqlServer, ...]) -> None:
    options = MysqlOptions.of({"shards": [shard], **ACCOUNT}, timeout_ms=5)
    assert options.shards == (MysqlShard(MysqlServer("127.0.0.1", 3306), replicas),)
    assert (options.user, options.password, options.database, options.timeout_ms) == ("palio", "a-secret", "palio", 5)


@pytest.mark.parametrize(
    "values",
    [{}, {"shards": [{}], **ACCOUNT}, {"shards": [{"primary": {"hots": "db"}}], **ACCOUNT}, {"shards": 5, **ACCOUNT}],
)
def test_other_values_are_told_without_the_password(values: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="expected shards with primary and replicas") as told:
        MysqlOptions.of(values)
    assert "a-secret" not in str(told.value)


async def test_the_password_is_in_no_text() -> None:
    options = MysqlOptions.of({"shards": [{"primary": PRIMARY}], **ACCOUNT})
    engine = mysql_engine(options, options.shards[0].primary)
    assert "a-secret" not in f"{options} {options!r} {engine} {engine.url} {engine.url!r}"
    await engine.dispose()


def test_without_tls_there_is_no_context_and_with_it_certificates_are_checked() -> None:
    options = MysqlOptions.of({"shards": [], **ACCOUNT})
    assert options.tls_context() is None
    context = MysqlOptions.of({"shards": [], **ACCOUNT}, tls=True).tls_context()
    assert context is not None
    assert context.check_hostname
    with pytest.raises(FileNotFoundError):
        MysqlOptions.of({"shards": [], **ACCOUNT}, tls=True, tls_ca_file="/no/such/file").tls_context()


def test_locking_reads_are_those_of_both_servers() -> None:
    sql = [
        str(statement.compile(dialect=mysql.dialect()))
        for statement in (
            select(tournaments.c.log_offset).with_for_update(),
            select(shard_identity.c.shard).with_for_update(read=True),
        )
    ]
    assert sql[0].endswith("FOR UPDATE")
    assert sql[1].endswith("LOCK IN SHARE MODE")
