"""The doctor: what is right is `ok`, what is wrong is named with what to do, and nothing is made."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from actors.domain.series.zones import ZONE_RULES
from scripts.cli.palio import main


@pytest.fixture(autouse=True)
def no_palio_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in list(os.environ):
        if variable.upper().startswith("PALIO_"):
            monkeypatch.delenv(variable)


@pytest.fixture
def free(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("PALIO_PORT", "PALIO_GATEWAY_PORT"):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            monkeypatch.setenv(variable, str(probe.getsockname()[1]))


@pytest.fixture
def silent_port() -> Iterator[int]:
    with socket.socket() as held:  # bound, and not listening: connections are refused
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


def lines(capsys: pytest.CaptureFixture[str]) -> dict[str, list[str]]:
    rows = [line.split("  ") for line in capsys.readouterr().out.splitlines()]
    return {row[0]: row[1:] for row in rows}


@pytest.mark.usefixtures("free")
def test_of_an_embedded_palio_all_is_well_and_nothing_is_made(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["doctor", "--data", str(tmp_path / "data")]) == 0
    found = lines(capsys)
    assert {row[0] for subject, row in found.items() if subject != "subject"} == {"ok"}
    assert ZONE_RULES in found["time zones"][1]
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_setting_is_named(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PALIO_SHARDS", "many")
    assert main(["doctor", "--data", str(tmp_path)]) == 1
    state, found, to_do = lines(capsys)["settings"]
    assert state == "wrong"
    assert "PALIO_SHARDS" in found
    assert "scripts/palio settings" in to_do


@pytest.mark.usefixtures("free")
def test_a_port_in_use_is_named_with_its_setting(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        monkeypatch.setenv("PALIO_GATEWAY_PORT", str(port := other.getsockname()[1]))
        assert main(["doctor", "--data", str(tmp_path)]) == 1
    state, found, to_do = lines(capsys)["gateway's port"]
    assert (state, str(port) in found, "PALIO_GATEWAY_PORT" in to_do) == ("wrong", True, True)


@pytest.mark.usefixtures("free")
@pytest.mark.parametrize(
    ("variables", "subject", "setting"),
    [
        ({"PALIO_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:{port}"}, "log", "PALIO_KAFKA"),
        ({"PALIO_MYSQL_SHARDS": "127.0.0.1:{port}"}, "MySQL 127.0.0.1:{port}", "PALIO_MYSQL"),
        ({"PALIO_REDIS_URLS": "redis://127.0.0.1:{port}"}, "redis", "PALIO_REDIS"),
        (
            {"PALIO_INFLUX_URL": "http://127.0.0.1:{port}", "PALIO_INFLUX_DATABASE": "palio"},
            "series of metrics",
            "PALIO_INFLUX",
        ),
    ],
)
def test_a_server_that_does_not_answer_is_named_with_its_settings(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    silent_port: int,
    variables: dict[str, str],
    subject: str,
    setting: str,
) -> None:
    monkeypatch.setattr("cluster.checkup.ANSWER_S", 3.0)  # aiokafka tries on
    for variable, value in variables.items():
        monkeypatch.setenv(variable, value.format(port=silent_port))
    assert main(["doctor", "--data", str(tmp_path)]) == 1
    state, _, to_do = lines(capsys)[subject.format(port=silent_port)]
    assert (state, setting in to_do) == ("wrong", True)


@pytest.mark.usefixtures("free")
def test_several_nodes_need_servers(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PALIO_RAY_ADDRESS", "127.0.0.1:1")
    assert main(["doctor", "--data", str(tmp_path)]) == 1
    state, _, to_do = lines(capsys)["several nodes"]
    assert state == "wrong"
    assert "PALIO_KAFKA_BOOTSTRAP_SERVERS" in to_do
