"""compose.yaml: Compose takes it, Palio takes its settings, and its servers are those that Palio asks, where Palio asks them."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from cluster.config.settings import PROJECT_DIR, Settings, load_settings
from scripts.local_servers.base import ensure_program
from scripts.local_servers.kafka import KAFKA_VERSION
from scripts.local_servers.redis import ask
from tests.support.running import free_ports

DEPLOY = PROJECT_DIR / "cluster" / "deploy"
TEXT = (DEPLOY / "compose.yaml").read_text()
SECRETS = dict.fromkeys(re.findall(r"\$\{(\w+):\?\}", TEXT), "0123456789abcdef" * 4)


def compose(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    program = ensure_program("docker-compose", "docker-compose")
    environment = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), **variables}
    with tempfile.NamedTemporaryFile() as nothing:  # not the `.env` of whoever runs the tests
        command = [program, "-f", "compose.yaml", "--env-file", nothing.name, *arguments]
        return subprocess.run(
            command, cwd=DEPLOY, env=environment, capture_output=True, text=True, timeout=120, check=False
        )


@pytest.fixture(scope="module")
def services() -> dict[str, dict[str, Any]]:
    """As Compose reads them: anchors, variables and short forms resolved. It checks the whole by the specification's JSON schema."""
    done = compose("config", **SECRETS)
    assert done.returncode == 0, done.stderr
    found: dict[str, dict[str, Any]] = yaml.safe_load(done.stdout)["services"]
    return found


@pytest.fixture
def settings(services: dict[str, dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Palio's, as its container finds them: the image's and then compose.yaml's."""
    for variable in [name for name in os.environ if name.startswith("PALIO_")]:
        monkeypatch.delenv(variable)
    (image,) = re.findall(r"^ENV (.*)$", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE)
    for name, value in (
        *(word.split("=", 1) for word in image.split() if word.startswith("PALIO_")),
        *services["palio"]["environment"].items(),
    ):
        monkeypatch.setenv(name, str(value))
    return load_settings()


@pytest.mark.parametrize("missing", SECRETS)
def test_no_secret_has_a_default(missing: str) -> None:
    assert len(SECRETS) == 5
    done = compose("config", **{name: value for name, value in SECRETS.items() if name != missing})
    assert done.returncode != 0
    assert missing in done.stderr


def test_the_secrets_file_stays_here() -> None:
    for name in (".gitignore", ".dockerignore"):
        assert "cluster/deploy/.env" in (PROJECT_DIR / name).read_text().replace("/cluster", "cluster").splitlines()
    made = re.findall(r"for name in (.*); do", TEXT)
    assert set(made[0].split()) == set(SECRETS)
    for name in re.findall(r"^ +(\w*(?:PASSWORD|SECRET)): (.*)$", TEXT, re.MULTILINE):
        assert re.fullmatch(r'\$\{\w+:\?\}|"1"', name[1]), name  # "1": MariaDB makes its root's own


def test_every_setting_is_palios(settings: Settings, services: dict[str, dict[str, Any]]) -> None:
    known = {f"PALIO_{name.upper()}" for name in Settings.model_fields}
    assert set(services["palio"]["environment"]) <= known
    assert set(re.findall(r"PALIO_\w+", TEXT)) <= known
    assert settings.ray_address is None
    assert settings.demo is False


def test_it_asks_the_servers_that_are_there(settings: Settings, services: dict[str, dict[str, Any]]) -> None:
    kafka, mysql, redis = settings.kafka(settings.partitions, 1, 1), settings.mysql(), settings.redis()
    assert kafka is not None
    assert mysql is not None
    assert redis is not None
    broker = services["kafka"]["environment"]
    assert broker["KAFKA_ADVERTISED_LISTENERS"] == f"PLAINTEXT://{kafka.bootstrap_servers}"
    assert f":{kafka.bootstrap_servers.split(':')[1]}," in broker["KAFKA_LISTENERS"]
    assert services["kafka"]["image"].endswith(f":{KAFKA_VERSION}"), "the one that tests run with"
    assert (kafka.replication_factor, kafka.min_insync_replicas) == (1, 1)
    assert {shard.primary.port for shard in mysql.shards} == {3306}
    for shard in mysql.shards:
        theirs = services[shard.primary.host]["environment"]
        assert (theirs["MARIADB_USER"], theirs["MARIADB_PASSWORD"]) == (mysql.user, mysql.password)
        assert theirs["MARIADB_DATABASE"] == mysql.database
    assert redis.urls == ("redis://redis:6379",)
    assert services["redis"]["environment"]["REDIS_PASSWORD"] == redis.password
    needed = {"kafka", "redis", *(shard.primary.host for shard in mysql.shards)}
    assert {name: each["condition"] for name, each in services["palio"]["depends_on"].items()} == dict.fromkeys(
        needed, "service_healthy"
    )


def test_ports_and_paths_are_palios(settings: Settings) -> None:
    assert yaml.safe_load(TEXT)["services"]["palio"]["ports"] == [
        f"127.0.0.1:{port}:{port}" for port in (settings.port, settings.gateway_port)
    ]
    assert settings.gateway_public_url == f"http://127.0.0.1:{settings.gateway_port}"
    assert yaml.safe_load(TEXT)["services"]["palio"]["volumes"] == [f"palio:{settings.data_dir}"]
    (job,) = yaml.safe_load((DEPLOY / "prometheus" / "compose.yml").read_text())["scrape_configs"]
    assert job["static_configs"] == [{"targets": [f"palio:{settings.gateway_port}"]}]
    (source,) = yaml.safe_load((DEPLOY / "grafana/provisioning/datasources/prometheus.yaml").read_text())["datasources"]
    assert source["url"] == "http://prometheus:9090"


def test_each_server_is_watched_comes_back_and_keeps_what_it_has(services: dict[str, dict[str, Any]]) -> None:
    for name, service in services.items():
        assert service["restart"] == "unless-stopped", name
        assert "healthcheck" in service or name == "palio", name  # the image has it
        assert any(
            re.match(r"[\w-]+:", str(volume)) or (isinstance(volume, dict) and volume["type"] == "volume")
            for volume in service["volumes"]
        ), name
        assert ":" in service["image"] or name == "palio", f"{name}: of which version"
    assert "HEALTHCHECK" in (DEPLOY / "Dockerfile").read_text()
    for line in yaml.safe_load(TEXT)["services"]["prometheus"]["volumes"]:
        source = line.split(":")[0]
        assert not source.startswith(".") or (DEPLOY / source).is_dir()


def test_redis_takes_the_command(services: dict[str, dict[str, Any]], tmp_path: Path) -> None:
    """A real Redis, by the command of the container but for its port and directory."""
    (port,) = free_ports(1)
    shell, option, script = (word.replace("$$", "$") for word in services["redis"]["command"])
    ensure_program("redis-server", "redis-server")
    script = script.replace("dir /data", f"dir {tmp_path}\nport {port}\nbind 127.0.0.1")
    environment = {"PATH": os.environ["PATH"], **services["redis"]["environment"]}
    process = subprocess.Popen([shell, option, script], env=environment, stdout=subprocess.DEVNULL)
    try:
        password = services["redis"]["environment"]["REDIS_PASSWORD"]
        for _ in range(300):
            try:
                assert "noeviction" in ask(port, password, ["INFO", "memory"])
                break
            except OSError:
                assert process.poll() is None
                time.sleep(0.1)
        else:
            raise AssertionError("Redis does not answer")
        assert password not in Path(f"/proc/{process.pid}/cmdline").read_text()
        assert (tmp_path / "appendonlydir").is_dir()
    finally:
        process.kill()
        process.wait()
