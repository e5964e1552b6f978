"""The durable store's schema: made from empty, brought up from every earlier version, refused when newer. On SQLite and MySQL."""

from __future__ import annotations

import contextlib
import dataclasses
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Connection, Engine, LargeBinary, Text, create_engine, insert, inspect, select, text, update

from storage.ports import ParticipantRow, RecordsUnavailableError, StorageError, StorageVersionError
from storage.records.mysql.engine import MysqlOptions, MysqlServer, check_schema, prepare
from storage.records.mysql.sharded import ShardedRecords
from storage.records.sql.database import SqlRecords
from storage.records.sql.migrate import ALEMBIC_TABLE, REVISIONS, check_same_version, migrate
from storage.records.sql.schema import (
    PARTICIPANT_COLUMNS,
    SCHEMA_VERSION,
    metadata,
    participant_row,
    participants,
    schema_version,
    tournament_values,
    tournaments,
)
from tests.contract.test_records import everything, participant, tournament, whole
from tests.support.servers_mysql import RunningMysql

EARLIER = range(1, SCHEMA_VERSION)
DATABASE = "palio_migrations"
GOLDEN = Path(__file__).parents[1] / "golden"


@pytest.fixture(params=["sqlite", "mysql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """An empty database."""
    if request.param == "sqlite":
        url: str | URL = f"sqlite:///{tmp_path / 'records.db'}"
    else:
        servers: RunningMysql = request.getfixturevalue("mysql_servers")
        url = fresh(servers)
    engine = create_engine(url)
    yield engine
    engine.dispose()


def fresh(servers: RunningMysql) -> URL:
    servers.sql("mysql-0-primary", f"DROP DATABASE IF EXISTS {DATABASE}; CREATE DATABASE {DATABASE};")
    options = servers.options()
    where = options.shards[0].primary
    return URL.create("mysql+pymysql", options.user, options.password, where.host, where.port, DATABASE)


def make(connection: Connection, version: int) -> None:
    """The schema of an earlier version, as that version left it."""
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(REVISIONS))
    command.upgrade(config, f"{version:04}")
    if version == 1:  # which knew nothing of revisions
        connection.execute(text(f"DROP TABLE {ALEMBIC_TABLE}"))
    connection.execute(insert(schema_version).values(id=0, version=version))


def differences(connection: Connection) -> list[object]:
    """What the database lacks or has beyond the tables as the code knows them."""
    context = MigrationContext.configure(connection, opts={"compare_type": _other_type})
    return list(compare_metadata(context, metadata))


def _other_type(_context: object, _there: object, _column: object, _found: object, wanted: object) -> bool | None:
    # BLOB(n) and TEXT(n) become the smallest type that holds n, which compares as another type.
    return False if isinstance(wanted, LargeBinary | Text) else None


def version_of(connection: Connection) -> list[int]:
    return list(connection.execute(schema_version.select().with_only_columns(schema_version.c.version)).scalars())


def test_the_newest_revision_is_the_version_of_the_schema() -> None:
    scripts = ScriptDirectory(str(REVISIONS))
    assert scripts.get_heads() == [f"{SCHEMA_VERSION:04}"]
    assert [s.revision for s in scripts.walk_revisions()] == [f"{n:04}" for n in range(SCHEMA_VERSION, 0, -1)]


def test_from_empty(database: Engine) -> None:
    for _ in range(2):  # the second time there is nothing to do
        with database.begin() as connection:
            migrate(connection, "here")
            assert version_of(connection) == [SCHEMA_VERSION]
            assert differences(connection) == []


@pytest.mark.parametrize("version", EARLIER)
def test_from_every_earlier_version(database: Engine, version: int) -> None:
    with database.begin() as connection:
        make(connection, version)
        connection.execute(insert(tournaments), [tournament_values(tournament(7))])
        columns = [
            name for name in ParticipantRow._fields if name != "subscore"
        ]  # these have been there since the first version
        person = {name: value for name, value in participant(7, 42)._asdict().items() if name in columns}
        connection.execute(insert(participants), [person])
    with database.begin() as connection:
        migrate(connection, "here")
        assert version_of(connection) == [SCHEMA_VERSION]
        assert differences(connection) == []
        assert list(connection.execute(text("SELECT tournament_id, name FROM tournaments"))) == [(7, "Tournament 7")]
        rows = connection.execute(select(*PARTICIPANT_COLUMNS))
        assert [participant_row(row) for row in rows] == [participant(7, 42)]


def test_who_only_looks_migrates_nothing(database: Engine) -> None:
    with database.connect() as connection, pytest.raises(StorageError, match="expected records, found none"):
        check_same_version(connection, "records")
    with database.begin() as connection:
        make(connection, 1)
    with database.connect() as connection:
        with pytest.raises(StorageError, match=f"records has schema 1, expected {SCHEMA_VERSION}: a start"):
            check_same_version(connection, "records")
        assert version_of(connection) == [1]
    with database.begin() as connection:
        migrate(connection, "records")
        check_same_version(connection, "records")


async def test_who_only_looks_at_a_shard_migrates_nothing(mysql_servers: RunningMysql) -> None:
    fresh(mysql_servers)
    options = dataclasses.replace(mysql_servers.options(), database=DATABASE)
    primary = options.shards[0].primary
    with pytest.raises(StorageError, match=f"{DATABASE} on {primary}: expected records, found none"):
        await check_schema(options, primary)
    await prepare(options, primary)
    await check_schema(options, primary)
    with pytest.raises(RecordsUnavailableError):
        await check_schema(options, MysqlServer(primary.host, 1))


def test_a_newer_version_is_refused_and_untouched(database: Engine) -> None:
    with database.begin() as connection:
        migrate(connection, "here")
        connection.execute(update(schema_version).values(version=99))
        connection.execute(text("CREATE TABLE of_the_future (a INTEGER)"))
    with database.begin() as connection:
        before = sorted(inspect(connection).get_table_names())
        with pytest.raises(StorageVersionError, match=f"here has schema 99, this version reads up to {SCHEMA_VERSION}"):
            migrate(connection, "here")
        assert sorted(inspect(connection).get_table_names()) == before


def test_a_revision_from_the_future_is_refused(database: Engine) -> None:
    """A newer version's migration that was cut off before it told its number."""
    with database.begin() as connection:
        migrate(connection, "here")
        connection.execute(text(f"UPDATE {ALEMBIC_TABLE} SET version_num = '0099'"))
        connection.execute(update(schema_version).values(version=SCHEMA_VERSION - 1))
    with database.begin() as connection, pytest.raises(StorageVersionError, match="0099"):
        migrate(connection, "here")


def test_tables_of_others_are_refused_and_untouched(database: Engine) -> None:
    with database.begin() as connection:
        connection.execute(text("CREATE TABLE of_others (a INTEGER)"))
        with pytest.raises(StorageError, match="not those of Palio"):
            migrate(connection, "here")
        assert inspect(connection).get_table_names() == ["of_others"]


def test_a_migration_that_was_cut_off_goes_on(mysql_servers: RunningMysql) -> None:
    """MySQL keeps the tables that were made; whichever statement was the last, the next start makes the rest."""
    engine = create_engine(fresh(mysql_servers))
    with engine.begin() as connection:
        migrate(connection, "here")
        for sql in (
            f"DELETE FROM {ALEMBIC_TABLE}",
            "DELETE FROM schema_version",
            "DROP TABLE shard_partitions",
            "DROP TABLE outbox",
            "DROP INDEX idx_prizes_user ON prizes",
            "DROP INDEX idx_tournaments_active ON tournaments",
            "DROP INDEX idx_tournament_participants_tournament ON tournament_participants",
        ):
            connection.execute(text(sql))
    with engine.begin() as connection:
        migrate(connection, "here")
        assert differences(connection) == []
        assert version_of(connection) == [SCHEMA_VERSION]
    engine.dispose()


@pytest.mark.parametrize("version", EARLIER)
async def test_a_file_of_an_earlier_version_opens(tmp_path: Path, version: int) -> None:
    """The file as that version wrote it."""
    path = tmp_path / "records.db"
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.executescript((GOLDEN / f"records_schema_{version}.sql").read_text(encoding="utf-8"))
    records = await SqlRecords.open(path)
    row, kept, page, effects, _ = await everything(records, 1)
    newest, before = whole(1, 11, b"second"), whole(1, 10, b"first")
    assert row == newest.tournaments[0]._replace(partition=1)
    assert kept == [each._replace(partition=1) for each in (*newest.snapshots, *before.snapshots)]
    assert isinstance(page, list)
    assert (row, newest.participants[0]) in page
    assert [p.score for _, p in page] == [-1_999, 11]
    assert effects == [*before.outbox, *newest.outbox]
    assert await records.projected(1, ["partition-1"]) == {"partition-1": 11}
    await records.save(whole(1, 12, b"third"))
    await records.close()
    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT version FROM schema_version").fetchall() == [(SCHEMA_VERSION,)]


async def test_a_newer_shard_is_refused(mysql_servers: RunningMysql) -> None:
    url = fresh(mysql_servers)
    options: MysqlOptions = mysql_servers.options()
    alone = MysqlOptions(shards=options.shards[:1], user=options.user, password=options.password, database=DATABASE)
    await prepare(alone, alone.shards[0].primary)
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(update(schema_version).values(version=99))
    engine.dispose()
    with pytest.raises(StorageVersionError, match=f"{DATABASE} on 127.0.0.1:[0-9]+ has schema 99"):
        await ShardedRecords.open(alone, 5)
