"""MariaDB for tests and trying out: shards of a primary and a replica each, by GTID replication, small enough for one machine.

A primary flushes each commit to the disk (`innodb_flush_log_at_trx_commit=1`, `sync_binlog=1`), as Palio's promise asks of it; a
replica need not, since it fetches again what it lost. `kill -9` and `start` again is a case that this is for.
"""

from __future__ import annotations

import functools
import getpass
import json
import os
import secrets
import shutil
import subprocess
from pathlib import Path
from typing import Any, Final

from scripts.local_servers.base import (
    HOST,
    ServerError,
    ensure_program,
    launch,
    wait_for_answer,
    wait_until,
    write_private,
)

DATABASE: Final = "palio"
USER: Final = "palio"
REPLICATION_USER: Final = "replication"
BOOTSTRAP_S: Final = 120.0
# Four servers share a machine of two cores with everything else: about 100 MB each.
COMMON: Final = """
[mariadbd]
datadir = {data}
socket = {data}/server.sock
pid-file = {data}/server.pid
port = {port}
bind-address = 127.0.0.1
server-id = {server_id}
gtid-domain-id = {shard}
character-set-server = utf8mb4
collation-server = utf8mb4_bin
skip-name-resolve
performance-schema = OFF
innodb-buffer-pool-size = 32M
innodb-log-file-size = 64M
innodb-log-buffer-size = 4M
key-buffer-size = 1M
aria-pagecache-buffer-size = 1M
table-open-cache = 400
max-connections = 200
max-allowed-packet = 16M
log-warnings = 1
"""
PRIMARY: Final = """
log-bin = binlog
binlog-format = ROW
max-binlog-size = 64M
binlog-expire-logs-seconds = 3600
sync-binlog = 1
innodb-flush-log-at-trx-commit = 1
"""
REPLICA: Final = """
read-only = ON
relay-log = relay
relay-log-recovery = ON
innodb-flush-log-at-trx-commit = 2
slave-net-timeout = 10
"""


class MysqlServers:
    """See the module and `scripts.local_servers.base.Server`. Ports: primary, replica, primary, replica, ... from the first on."""

    name = "mysql"

    def __init__(self, shards: int = 2, more_settings: str = "") -> None:
        self._shards = shards
        self._more_settings = more_settings  # lines of each server's configuration

    def install(self) -> None:
        """See `Server.install`."""
        for program in ("mariadbd", "mariadb-install-db", "mariadb"):
            ensure_program(program, "mariadb-server")

    def start(self, directory: Path, first_port: int) -> dict[str, Any]:
        """Start what does not run. Returns shards (addresses of primary and replica), user, password, database; raises ServerError."""
        passwords = _passwords(directory)
        ports = [first_port + 2 * shard for shard in range(self._shards)]
        for shard, port in enumerate(ports):
            self._launch(directory, f"mysql-{shard}-primary", port, shard)
            self._launch(directory, f"mysql-{shard}-replica", port + 1, shard)
        for shard, port in enumerate(ports):
            primary, replica = (
                data_of(directory, f"mysql-{shard}-primary"),
                data_of(directory, f"mysql-{shard}-replica"),
            )
            _wait_for(primary)
            run_sql(primary, _accounts(passwords))
            _wait_for(replica)
            if not run_sql(replica, "SHOW SLAVE STATUS;"):
                run_sql(replica, _follow(port, passwords["replication"]))
        for shard in range(self._shards):
            follows = functools.partial(_follows, data_of(directory, f"mysql-{shard}-replica"))
            wait_until(follows, f"the replica of shard {shard} to follow its primary")
        return {
            "shards": [
                {"primary": {"host": HOST, "port": port}, "replica": {"host": HOST, "port": port + 1}} for port in ports
            ],
            "user": USER,
            "password": passwords["palio"],
            "database": DATABASE,
        }

    def start_one(self, directory: Path, name: str, first_port: int) -> None:
        """Start one server again, by its name, and wait until it answers. Raises ServerError."""
        _, shard, role = name.split("-")
        self._launch(directory, name, first_port + 2 * int(shard) + (role == "replica"), int(shard))
        _wait_for(data_of(directory, name))

    def _launch(self, directory: Path, name: str, port: int, shard: int) -> None:
        data = data_of(directory, name)
        if not data.exists():
            template = _template(directory)
            copied = data.with_suffix(".part")
            shutil.rmtree(copied, ignore_errors=True)
            shutil.copytree(template, copied)
            copied.rename(data)  # a directory is whole or not there
        primary = name.endswith("primary")
        settings = COMMON.format(data=data, port=port, server_id=10 * shard + (1 if primary else 2), shard=shard)
        file = data.parent / f"{name}.cnf"
        file.write_text(settings + self._more_settings + (PRIMARY if primary else REPLICA), encoding="utf-8")
        launch(directory, name, [ensure_program("mariadbd", "mariadb-server"), f"--defaults-file={file}", *_as_user()])


def data_of(directory: Path, name: str) -> Path:
    """The data directory of a server."""
    return directory.resolve() / "mysql" / name


def _as_user() -> list[str]:
    return ["--user=root"] if os.geteuid() == 0 else []


def _template(directory: Path) -> Path:
    """An empty data directory, made once and copied: making one takes seconds."""
    data = data_of(directory, "template")
    if data.exists():
        return data
    data.parent.mkdir(parents=True, exist_ok=True)
    making = data.with_suffix(".part")
    shutil.rmtree(making, ignore_errors=True)
    # The administrator is the operating system's user, over the socket only: no password lies about.
    command = [
        ensure_program("mariadb-install-db", "mariadb-server"),
        "--no-defaults",
        f"--datadir={making}",
        "--auth-root-authentication-method=socket",
        f"--auth-root-socket-user={getpass.getuser()}",
        "--skip-test-db",
        "--innodb-log-file-size=64M",
        *_as_user(),
    ]
    made = subprocess.run(command, check=False, capture_output=True, text=True, timeout=BOOTSTRAP_S)
    if made.returncode != 0:
        raise ServerError(f"mariadb-install-db failed: {(made.stdout + made.stderr)[-2_000:]}")
    making.rename(data)
    return data


def _passwords(directory: Path) -> dict[str, str]:
    file = directory / "mysql" / "passwords.json"
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        made = {user: secrets.token_urlsafe(24) for user in ("palio", "replication")}
        write_private(file, json.dumps(made))
    passwords: dict[str, str] = json.loads(file.read_text(encoding="utf-8"))
    return passwords


def _accounts(passwords: dict[str, str]) -> str:
    """Palio's account, for its database and others that begin with its name, and the replicas' account."""
    return f"""
        CREATE DATABASE IF NOT EXISTS {DATABASE};
        CREATE USER IF NOT EXISTS '{USER}'@'%' IDENTIFIED BY '{passwords["palio"]}';
        GRANT ALL ON `{DATABASE}%`.* TO '{USER}'@'%';
        CREATE USER IF NOT EXISTS '{REPLICATION_USER}'@'%' IDENTIFIED BY '{passwords["replication"]}';
        GRANT REPLICATION SLAVE ON *.* TO '{REPLICATION_USER}'@'%';
    """


def _follow(primary_port: int, password: str) -> str:
    return f"""
        CHANGE MASTER TO MASTER_HOST = '{HOST}', MASTER_PORT = {primary_port}, MASTER_USER = '{REPLICATION_USER}',
            MASTER_PASSWORD = '{password}', MASTER_USE_GTID = slave_pos, MASTER_CONNECT_RETRY = 1;
        START SLAVE;
    """


def _follows(data: Path) -> bool:
    status = run_sql(data, "SHOW SLAVE STATUS;").split("\t")
    return status[10:12] == ["Yes", "Yes"]  # Slave_IO_Running, Slave_SQL_Running


def _wait_for(data: Path) -> None:
    def answers() -> bool:
        try:
            return "1" in run_sql(data, "SELECT 1;")
        except ServerError as error:
            raise OSError(error) from error

    wait_for_answer(data.parents[1], data.name, answers)


def run_sql(data: Path, statements: str) -> str:
    """Run statements as the administrator over the server's socket; rows come back separated by tabs. Raises ServerError."""
    # Over stdin: passwords in arguments are seen by everybody on the machine.
    command = ["mariadb", "--no-defaults", f"--socket={data}/server.sock", "--batch", "--skip-column-names"]
    ran = subprocess.run(command, input=statements, check=False, capture_output=True, text=True, timeout=60)
    if ran.returncode != 0:
        # The client repeats the statement, and the server the part that it did not understand: there may be passwords in both.
        errors = [line.partition(" near ")[0] for line in ran.stderr.splitlines() if line.startswith("ERROR")]
        raise ServerError(f"{data.name}: {'; '.join(errors) or 'the mariadb client failed'}")
    return ran.stdout
