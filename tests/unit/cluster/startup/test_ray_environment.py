"""Ray always asks who calls: with a token of Palio's own, or with that of the Ray that is joined."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cluster.config.settings import Settings
from cluster.errors import StartError
from cluster.startup.ray_environment import RAY_ENVIRONMENT, prepare_ray_environment, require_ray_authentication


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [*RAY_ENVIRONMENT, "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"]:
        monkeypatch.setenv(name, "")  # remembered, and put back after the test
        monkeypatch.delenv(name)


def test_a_ray_of_palios_own_knows_a_token_of_palios_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_AUTH_TOKEN", "of another Ray")
    prepare_ray_environment(Settings(data_dir=tmp_path))
    token = tmp_path / "ray_token"
    assert os.environ["RAY_AUTH_MODE"] == "token"
    assert os.environ["RAY_AUTH_TOKEN_PATH"] == str(token)
    assert "RAY_AUTH_TOKEN" not in os.environ
    assert token.stat().st_mode & 0o777 == 0o600


def test_of_a_ray_that_is_joined_whoever_starts_palio_has_the_token(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_AUTH_TOKEN", "of that Ray")
    prepare_ray_environment(Settings(data_dir=tmp_path, ray_address="head:6379"))
    assert os.environ["RAY_AUTH_MODE"] == "token"
    assert os.environ["RAY_AUTH_TOKEN"] == "of that Ray"
    assert not (tmp_path / "ray_token").exists()


def test_a_ray_without_authentication_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    with pytest.raises(StartError, match="RAY_AUTH_MODE: expected `token`"):
        prepare_ray_environment(Settings(data_dir=tmp_path))


def test_a_process_of_a_node_without_authentication_does_not_serve() -> None:
    with pytest.raises(StartError, match="on every node"):
        require_ray_authentication()
