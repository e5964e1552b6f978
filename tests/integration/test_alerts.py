"""Alerts as an operator gets them: a real cause, Prometheus with the rules as they are shipped, Alertmanager, and who is told by it."""

from __future__ import annotations

import asyncio
import json
import shutil
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx2
import yaml

from cluster.config.settings import PROJECT_DIR
from cluster.startup.ports import clock_ms
from scripts.local_servers.base import ensure_program, launch, stop, wait_for_answer
from storage.ports import NewRecord
from storage.score_log.sqlite.log import SqliteScoreLog
from tests.integration.conftest import eventually
from tests.support.running import RunningPalio, free_ports

RULES = PROJECT_DIR / "cluster" / "deploy" / "prometheus" / "alerts.yml"
START_S = 60.0


@contextmanager
def told(port: int) -> Iterator[dict[str, dict[str, Any]]]:
    """A webhook: what it was told, by the alert's name."""
    alerts: dict[str, dict[str, Any]] = {}

    class Told(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            for alert in json.loads(self.rfile.read(int(self.headers["Content-Length"])))["alerts"]:
                alerts[alert["labels"]["alertname"]] = alert
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", port), Told)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield alerts
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def watching(directory: Path, targets: list[str], webhook: int) -> Iterator[str]:
    """Prometheus and Alertmanager, with the shipped rules but for their patience; Prometheus' address."""
    own, manager = free_ports(2)
    directory.mkdir()
    (directory / "alerts.yml").write_text(RULES.read_text().replace("for: 1m", "for: 2s"))
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": ["alerts.yml"],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [f"127.0.0.1:{manager}"]}]}]},
        "scrape_configs": [{"job_name": "palio", "static_configs": [{"targets": targets}]}],
    }
    (directory / "prometheus.yml").write_text(yaml.safe_dump(config))
    receiver = {"name": "operator", "webhook_configs": [{"url": f"http://127.0.0.1:{webhook}/"}]}
    route = {"receiver": "operator", "group_by": ["alertname"], "group_wait": "1s", "group_interval": "1s"}
    (directory / "alertmanager.yml").write_text(yaml.safe_dump({"route": route, "receivers": [receiver]}))
    commands = {
        "prometheus": [
            ensure_program("prometheus", "prometheus"),
            f"--config.file={directory}/prometheus.yml",
            f"--storage.tsdb.path={directory}/series",
            f"--web.listen-address=127.0.0.1:{own}",
        ],
        "alertmanager": [
            ensure_program("prometheus-alertmanager", "prometheus-alertmanager"),
            f"--config.file={directory}/alertmanager.yml",
            f"--storage.path={directory}/notices",
            f"--web.listen-address=127.0.0.1:{manager}",
            "--cluster.listen-address=",
        ],
    }
    try:
        for (name, command), port in zip(commands.items(), (own, manager), strict=True):
            launch(directory, name, command)
            url = f"http://127.0.0.1:{port}/-/ready"
            wait_for_answer(directory, name, partial(urllib.request.urlopen, url, timeout=5), START_S)
        yield f"http://127.0.0.1:{own}"
    finally:
        for name in commands:
            stop(directory, name)
        shutil.rmtree(directory / "series", ignore_errors=True)


async def write_what_nobody_can_read(data: Path) -> None:
    """As a producer of another system would; the log is Palio's own, of a process beside it."""
    log = SqliteScoreLog(data / "log.db", partitions=50, max_queued=10, window_ms=1, clock_ms=clock_ms)
    try:
        await log.append([NewRecord(0, b"1", b"{")])
    finally:
        await log.close()


def test_a_cause_reaches_the_operator(stage: RunningPalio, tmp_path: Path) -> None:
    (webhook, nobody) = free_ports(2)
    target = stage.gateway_url.removeprefix("http://")
    away = f"127.0.0.1:{nobody}"
    with told(webhook) as alerts, watching(tmp_path / "watch", [target, away], webhook) as prometheus:

        def asked(query: str) -> list[Any]:
            found: list[Any] = httpx2.get(f"{prometheus}/api/v1/query", params={"query": query}).json()["data"][
                "result"
            ]
            return found

        eventually(lambda: asked("palio_dead_letters_total"))
        eventually(lambda: "PalioDown" in alerts)
        assert (
            alerts["PalioDown"]["labels"] | {"instance": away, "severity": "critical"} == alerts["PalioDown"]["labels"]
        )
        assert "PalioDeadLetters" not in alerts

        asyncio.run(write_what_nobody_can_read(stage.data))
        eventually(lambda: "PalioDeadLetters" in alerts)
        letters = alerts["PalioDeadLetters"]
        assert (letters["status"], letters["labels"]["severity"]) == ("firing", "warning")
        assert letters["annotations"]["summary"] == "a producer writes what cannot be applied"
