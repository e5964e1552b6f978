"""Secrets are made once; what lies in the data directory is its owner's alone."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from cluster.config.secrets import load_or_create_secret, make_private
from cluster.errors import StartError


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def test_a_new_data_directory_is_its_owners_alone(tmp_path: Path) -> None:
    make_private(tmp_path / "made" / "data")
    assert mode(tmp_path / "made" / "data") == 0o700


def test_what_exists_from_before_is_tightened(tmp_path: Path) -> None:
    data = tmp_path / "data"
    (data / "series").mkdir(parents=True)
    names = ["log.db", "log.db-wal", "records.db", "records.db-shm", "jwt_secret", "series/points-1.parquet"]
    for name in names:
        (data / name).write_bytes(b"x")
        (data / name).chmod(0o644)
    data.chmod(0o755)
    make_private(data)
    assert {mode(data / name) for name in names} == {0o600}
    assert {mode(data), mode(data / "series")} == {0o700}


def test_files_of_others_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "notes.txt").chmod(0o644)
    (tmp_path / "log.db").symlink_to(tmp_path / "notes.txt")
    make_private(tmp_path)
    assert mode(tmp_path / "notes.txt") == 0o644


def test_a_secret_is_made_once_and_is_its_owners_alone(tmp_path: Path) -> None:
    data = tmp_path / "data"
    made = load_or_create_secret(data, "ray_token")
    assert load_or_create_secret(data, "ray_token") == made
    assert len(made) == 64
    assert (mode(data), mode(data / "ray_token")) == (0o700, 0o600)


def test_a_secret_that_is_too_short_is_refused(tmp_path: Path) -> None:
    (tmp_path / "jwt_secret").write_text("short")
    with pytest.raises(StartError, match="at least 32 bytes"):
        load_or_create_secret(tmp_path, "jwt_secret")
