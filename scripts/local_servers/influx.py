"""InfluxDB 1.x on loopback: authentication on, data in one directory, a database and a user that may do no more than use it."""

from __future__ import annotations

import json
import secrets
import ssl
from pathlib import Path
from typing import Any, Final

import httpx2

from scripts.local_servers.base import (
    HOST,
    ServerError,
    ensure_program,
    launch,
    listens,
    pid_of,
    wait_for_answer,
    write_private,
)

DATABASE: Final = "palio"
USER: Final = "palio"
ADMIN: Final = "admin"

# Reporting home, the web of listeners and the server's own statistics are off; the RPC port (backups) cannot be.
CONFIG: Final = """\
reporting-disabled = true
bind-address = "{host}:{rpc_port}"

[meta]
  dir = "{directory}/meta"

[data]
  dir = "{directory}/data"
  wal-dir = "{directory}/wal"
  query-log-enabled = false

[monitor]
  store-enabled = false

[subscriber]
  enabled = false

[continuous_queries]
  enabled = false

[http]
  bind-address = "{host}:{port}"
  auth-enabled = true
  log-enabled = false
  pprof-enabled = false
{http}
[logging]
  suppress-logo = true
"""


class InfluxServer:
    """See `scripts.local_servers.base.Server`. Uses `first_port` (HTTP) and the one after it; one that runs keeps its own."""

    name = "influx"
    scheme = "http"
    http_settings = ""  # more of them
    trusted: Path | None = None  # the authority of its certificate

    def install(self) -> None:
        """See `Server.install`."""
        ensure_program("influxd", "influxdb")

    def start(self, directory: Path, first_port: int) -> dict[str, Any]:
        """`url`, `database`, `user`, `password`, and `admin_user`, `admin_password` for making other databases."""
        home = (directory / self.name).absolute()
        home.mkdir(parents=True, exist_ok=True)
        facts = _facts(home / "client.json")
        if pid_of(directory, self.name) is None:
            for port in (first_port, first_port + 1):
                if listens(port):
                    raise ServerError(f"expected port {port} to be free for {self.name}")
            facts["url"] = f"{self.scheme}://{HOST}:{first_port}"
            write_private(home / "client.json", json.dumps(facts))
            configuration = home / "influxdb.conf"
            ports = {"port": first_port, "rpc_port": first_port + 1}
            text = CONFIG.format(host=HOST, **ports, directory=home, http=self.http_settings)
            configuration.write_text(text, encoding="utf-8")
            launch(directory, self.name, [ensure_program("influxd", "influxdb"), "-config", str(configuration)])
        trusted = ssl.create_default_context(cafile=self.trusted)
        with httpx2.Client(base_url=facts["url"], timeout=10, trust_env=False, verify=trusted) as client:
            wait_for_answer(directory, self.name, lambda: _answers(client))
            _make_accounts(client, facts)
        return facts


def _answers(http: httpx2.Client) -> bool:
    try:
        return http.get("/ping").status_code == httpx2.codes.NO_CONTENT
    except httpx2.TransportError as error:
        raise ConnectionError(str(error)) from error


def _facts(path: Path) -> dict[str, Any]:
    """What clients need to know, with the credentials made at the first start."""
    if path.exists():
        facts: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return facts
    return {
        "database": DATABASE,
        "user": USER,
        "password": secrets.token_urlsafe(18),
        "admin_user": ADMIN,
        "admin_password": secrets.token_urlsafe(18),
    }


def _make_accounts(http: httpx2.Client, facts: dict[str, Any]) -> None:
    """The database and both users; what exists with the same password is left as it is."""
    # The first user may be made by anyone, and must be an administrator; after that this is refused, which is fine.
    http.post("/query", data={"q": _create_user(ADMIN, facts["admin_password"]) + " WITH ALL PRIVILEGES"})
    for statement in (
        f'CREATE DATABASE "{DATABASE}"',
        _create_user(USER, facts["password"]),
        f'GRANT ALL ON "{DATABASE}" TO "{USER}"',
    ):
        answer = http.post("/query", data={"q": statement}, auth=(ADMIN, facts["admin_password"]))
        results = answer.json().get("results", [{}])
        if answer.status_code != httpx2.codes.OK or "error" in results[0]:
            raise ServerError(f"influx refused to make its database or user (status {answer.status_code})")


def _create_user(user: str, password: str) -> str:
    return f"CREATE USER \"{user}\" WITH PASSWORD '{password}'"
