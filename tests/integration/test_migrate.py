"""`scripts/palio migrate` from a real MariaDB into a whole Palio: a writer goes on meanwhile, the tool is killed in the middle."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pymysql
import pytest

from tests.integration.conftest import eventually
from tests.support.running import RunningPalio, environment_of
from tests.support.servers_mysql import RunningMysql

TOURNAMENTS = 6
PARTICIPANTS = 4_000
OLD = "palio_old"  # a name that the servers' user may use


@pytest.fixture
def mysql(tmp_path: Path) -> Iterator[RunningMysql]:
    running = RunningMysql(tmp_path / "mysql", shards=1)
    yield running
    running.down()


def test_everything_arrives_though_the_old_system_writes_and_the_tool_is_killed(
    palio: RunningPalio, mysql: RunningMysql, tmp_path: Path
) -> None:
    user, password = mysql.connect_values["user"], mysql.connect_values["password"]
    mysql.sql("mysql-0-primary", f"CREATE DATABASE {OLD}; SET GLOBAL log_bin_trust_function_creators = 1;")
    account = {**mysql.connect_values["shards"][0]["primary"], "user": user, "password": password, "database": OLD}
    file = tmp_path / "old.json"
    file.write_text(json.dumps(account), encoding="utf-8")
    with pymysql.connect(**account, autocommit=True) as connection:
        _fill(connection)

    def command(*arguments: str) -> list[str]:
        base = [sys.executable, "-P", "-m", "scripts.cli.palio", "migrate", *arguments, "--from", str(file)]
        return [*base, "--url", palio.url, "--token", palio.token("service", 1)]

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(command(*arguments), env=environment_of({}), capture_output=True, text=True, check=False)

    dry = run("copy", "--dry-run")
    assert (dry.returncode, dry.stdout) == (0, "nothing stands in the way\n"), dry.stderr
    assert run("status").stdout == "nothing was copied yet\n"

    stop = threading.Event()
    writer = threading.Thread(target=_write, args=(account, stop))
    writer.start()
    try:
        with subprocess.Popen(
            command("copy", "--pause-ms", "200"), env=environment_of({}), stderr=subprocess.PIPE, text=True
        ) as copying:
            assert copying.stderr is not None
            assert any("2000 of about" in line for line in copying.stderr)
            copying.kill()
        copied = subprocess.Popen(command("copy"), env=environment_of({}), stdout=subprocess.PIPE, text=True)
        stop.wait(5)
    finally:
        stop.set()
        writer.join()
    out, _ = copied.communicate(timeout=200)
    assert "all is copied" in out
    with subprocess.Popen(command("mirror"), env=environment_of({})) as mirroring:
        try:
            with pymysql.connect(**account, autocommit=True) as connection:
                cursor = connection.cursor()
                cursor.execute("UPDATE tournament_participants SET score = 1.25 WHERE id = 7")
                cursor.execute("INSERT INTO tournament_participants VALUES (99999, 1, 99999, 17.5, NULL, 'late')")
            eventually(lambda: run("compare").returncode == 0, 120)
        finally:
            mirroring.kill()
    compared = run("compare")
    assert f"{TOURNAMENTS} tournaments, 0 with differences" in compared.stdout, compared.stdout
    with pymysql.connect(**account, autocommit=True) as connection:
        connection.cursor().execute("UPDATE tournament_participants SET score = 2.5 WHERE id = 7")
    assert "user 7: old 2.50, Palio 1.25" in run("compare").stdout


def _fill(connection: pymysql.Connection) -> None:
    cursor = connection.cursor()
    cursor.execute(
        "CREATE TABLE tournaments (id BIGINT PRIMARY KEY, name VARCHAR(200), status VARCHAR(20), is_active TINYINT, "
        "start_time DATETIME, end_time DATETIME)"
    )
    cursor.execute(
        "CREATE TABLE tournament_participants (id BIGINT PRIMARY KEY, tournament_id BIGINT, user_id BIGINT, "
        "score DECIMAL(10,2), `rank` INT, team VARCHAR(20))"
    )
    cursor.executemany(
        "INSERT INTO tournaments VALUES (%s, %s, 'x', 1, UTC_TIMESTAMP() - INTERVAL 2 HOUR, UTC_TIMESTAMP() + INTERVAL %s HOUR)",
        [(number, f"Cup {number}", 5 if number % 2 else -1) for number in range(1, TOURNAMENTS + 1)],
    )
    draw = random.Random(7)
    cursor.executemany(
        "INSERT INTO tournament_participants VALUES (%s, %s, %s, %s, NULL, 'a')",
        [
            (number, 1 + number % TOURNAMENTS, number, None if number % 50 == 0 else draw.randrange(100_000) / 100)
            for number in range(1, PARTICIPANTS + 1)
        ],
    )


def _write(account: dict[str, object], stop: threading.Event) -> None:
    draw = random.Random(8)
    with pymysql.connect(**account, autocommit=True) as connection:
        cursor = connection.cursor()
        added = PARTICIPANTS
        while not stop.wait(0.005):
            cursor.execute(
                "UPDATE tournament_participants SET score = %s WHERE id = %s",
                (draw.randrange(100_000) / 100, draw.randrange(1, added + 1)),
            )
            if draw.random() < 0.1:
                added += 1
                cursor.execute(
                    "INSERT INTO tournament_participants VALUES (%s, %s, %s, 5, NULL, 'b')",
                    (added, 1 + added % TOURNAMENTS, added),
                )
