"""A tool of LTI: its key, its registration at Palio, the assertions that it signs."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from serve_app.standards.ags import SCOPES
from serve_app.standards.lti_tokens import ASSERTION_TYPE

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
CLIENT = "quiz-tool"
USER = 7


def register(directory: Path, **more: Any) -> str:
    """Write the file of tools and the tool's keys; the file's path. `more` is beside what a tool's entry must have."""
    keys = directory / "jwks.json"
    public = {**jwt.algorithms.RSAAlgorithm.to_jwk(KEY.public_key(), as_dict=True), "kid": "k1", "use": "sig"}
    keys.write_text(json.dumps({"keys": [public]}))
    tools = directory / "tools.json"
    entry = {"client_id": CLIENT, "user_id": str(USER), "jwks": str(keys), **more}
    tools.write_text(json.dumps({"tools": [entry]}))
    return str(tools)


def assertion(now_s: float, audience: str, *, key: Any = KEY, algorithm: str = "RS256", **claims: Any) -> str:
    """A JWT as tools sign it; a claim that is None is left out."""
    whole = {
        "iss": CLIENT, "sub": CLIENT, "aud": audience, "iat": int(now_s) - 5, "exp": int(now_s) + 60,
        "jti": str(uuid.uuid4()), **claims,
    }  # fmt: skip
    given = {name: value for name, value in whole.items() if value is not None}
    return jwt.encode(given, key, algorithm=algorithm, headers={"kid": "k1"})


def form(signed: str, scope: str = " ".join(SCOPES), **more: str) -> dict[str, str]:
    """The form of a request for a token."""
    return {
        "grant_type": "client_credentials",
        "client_assertion_type": ASSERTION_TYPE,
        "client_assertion": signed,
        "scope": scope,
        **more,
    }
