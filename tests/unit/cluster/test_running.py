"""Finding the Palio that runs on a data directory."""

from __future__ import annotations

import fcntl
from pathlib import Path
from unittest.mock import MagicMock

import pytest
from ray.exceptions import GetTimeoutError

from cluster.config.settings import Settings
from cluster.errors import StartError
from cluster.running import joined_palio, running_ray
from cluster.startup.bootstrap import RAY_ADDRESS_FILE


def test_an_embedded_palio_is_found_while_it_holds_its_directory(tmp_path: Path) -> None:
    given = Settings(data_dir=tmp_path)
    assert running_ray(given) is None
    (tmp_path / RAY_ADDRESS_FILE).write_text("127.0.0.1:6379\n")
    with (tmp_path / "lock").open("a+") as lock:
        assert running_ray(given) is None  # what a killed one left
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        assert running_ray(given) == "127.0.0.1:6379"
    assert running_ray(Settings(data_dir=tmp_path, ray_address="a:1")) == "a:1"


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ValueError("no such actor"), "expected a running Palio on this Ray, found none"),
        (GetTimeoutError("30 s"), "the director of the Palio on this Ray does not answer: GetTimeoutError"),
    ],
)
def test_a_ray_without_a_director_that_answers(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, error: Exception, told: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    left = []
    monkeypatch.setattr("cluster.running.prepare_ray_environment", lambda _settings: None)
    monkeypatch.setattr("ray.init", lambda **_: None)
    monkeypatch.setattr("ray.shutdown", lambda: left.append(True))
    monkeypatch.setattr("ray.get_actor", fail if isinstance(error, ValueError) else lambda *_: MagicMock())
    monkeypatch.setattr("ray.get", fail)
    with pytest.raises(StartError, match=told), joined_palio(Settings(data_dir=tmp_path, ray_address="a:1")):
        raise AssertionError
    assert left == [True]


def test_none_to_join_is_told_with_the_directory_that_was_looked_at(tmp_path: Path) -> None:
    with (
        pytest.raises(StartError, match=f"on the data directory {tmp_path}, found none"),
        joined_palio(Settings(data_dir=tmp_path)),
    ):
        raise AssertionError
    assert list(tmp_path.iterdir()) == []  # whoever only looks leaves nothing
