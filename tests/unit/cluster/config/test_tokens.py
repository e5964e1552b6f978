"""Tokens made for operators, scripts and tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jwt
import pytest

from cluster.config.settings import Settings
from cluster.config.tokens import token
from cluster.errors import StartError


def test_a_token_carries_the_claims_of_the_contract(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    made = token(settings, role="service", sub="7", ttl_s=60)
    secret = (tmp_path / "jwt_secret").read_bytes().strip()
    claims = jwt.decode(made, secret, algorithms=["HS256"], audience="palio")
    assert (claims["sub"], claims["role"]) == ("7", "service")
    assert 60 <= claims["exp"] - claims["iat"] <= 62


@pytest.mark.parametrize(
    "wrong", [{"role": "admin"}, {"sub": "0"}, {"sub": "x"}, {"sub": str(2**63)}, {"ttl_s": 0}, {"ttl_s": float("nan")}]
)
def test_a_token_for_nobody_is_refused(tmp_path: Path, wrong: dict[str, object]) -> None:
    given: dict[str, Any] = {"role": "player", "sub": "1", "ttl_s": 1.0} | wrong
    with pytest.raises(ValueError, match="expected"):
        token(Settings(data_dir=tmp_path), **given)


def test_no_token_where_the_keys_are_elsewhere(tmp_path: Path) -> None:
    with pytest.raises(StartError, match="EdDSA"):
        token(Settings(data_dir=tmp_path, jwt_algorithm="EdDSA", jwt_jwks="keys.json"), role="player")
