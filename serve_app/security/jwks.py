"""The public keys of RS256, ES256 and EdDSA: a JWKS file or URL (RFC 7517), cached, fetched anew within bounds."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import httpx2
import jwt
import msgspec

from serve_app.http.problems import unavailable

MAX_JWKS_BYTES: Final = 256 * 1024
REFRESH_S: Final = 600.0  # so that a withdrawn key is forgotten
MIN_REFRESH_S: Final = 10.0  # tokens with unknown key ids cost one fetch in this time, however many there are
FETCH_TIMEOUT_S: Final = 5.0
KEY_TYPES: Final = {"RS256": "RSA", "ES256": "EC", "EdDSA": "OKP"}


class KeySet:
    """Keys by id. One fetch at a time, none sooner than MIN_REFRESH_S after the last; when the source is away, old keys serve on."""

    def __init__(self, source: str, algorithm: str, *, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        self._source = source
        self._algorithm = algorithm
        self._monotonic_s = monotonic_s
        self._keys: dict[str | None, Any] = {}
        self._loaded_s: float | None = None
        self._tried_s: float | None = None
        self._lock = asyncio.Lock()

    async def key(self, key_id: object) -> Any:
        """The key with this id (the only one, if the token names none). Raises Problem 503, or jwt.InvalidKeyError."""
        name = key_id if isinstance(key_id, str) else None
        if self._stale() or name not in self._keys:
            async with self._lock:
                if (self._stale() or name not in self._keys) and self._may_fetch():
                    await self._refresh()
        if self._loaded_s is None:
            raise unavailable("keys_unavailable", "the keys that verify tokens could not be read", MIN_REFRESH_S)
        if name not in self._keys:
            raise jwt.InvalidKeyError(f"no key {name!r}")
        return self._keys[name]

    def _stale(self) -> bool:
        return self._loaded_s is None or self._monotonic_s() - self._loaded_s >= REFRESH_S

    def _may_fetch(self) -> bool:
        return self._tried_s is None or self._monotonic_s() - self._tried_s >= MIN_REFRESH_S

    async def _refresh(self) -> None:
        self._tried_s = self._monotonic_s()
        try:
            keys = self._parse(await self._fetch())
        except (OSError, httpx2.HTTPError, ValueError, TypeError, jwt.PyJWTError, msgspec.DecodeError) as error:
            if self._loaded_s is None:
                raise unavailable(
                    "keys_unavailable", "the keys that verify tokens could not be read", MIN_REFRESH_S
                ) from error
            return  # the keys we have serve on; the next unknown id or refresh tries again
        self._keys = keys
        self._loaded_s = self._monotonic_s()

    async def _fetch(self) -> bytes:
        if not self._source.startswith(("http://", "https://")):
            return await asyncio.to_thread(_read_file, self._source.removeprefix("file://"))
        async with (
            httpx2.AsyncClient(timeout=FETCH_TIMEOUT_S, follow_redirects=False) as client,
            client.stream("GET", self._source, headers={"accept": "application/json"}) as response,
        ):
            response.raise_for_status()
            body = b""
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > MAX_JWKS_BYTES:
                    raise ValueError(f"expected a JWKS of at most {MAX_JWKS_BYTES} bytes")
            return body

    def _parse(self, data: bytes) -> dict[str | None, Any]:
        document = msgspec.json.decode(data, type=dict[str, Any])
        keys: dict[str | None, Any] = {}
        for entry in document.get("keys", []):
            if entry.get("kty") != KEY_TYPES[self._algorithm] or entry.get("use", "sig") != "sig":
                continue
            if entry.get("alg", self._algorithm) != self._algorithm:
                continue
            keys[entry.get("kid")] = jwt.PyJWK.from_dict(entry, algorithm=self._algorithm).key
        if not keys:
            raise ValueError(f"expected a JWKS with a key for {self._algorithm}")
        if len(keys) == 1:
            keys[None] = next(iter(keys.values()))
        return keys


def _read_file(path: str) -> bytes:
    data = Path(path).read_bytes()
    if len(data) > MAX_JWKS_BYTES:
        raise ValueError(f"expected a JWKS of at most {MAX_JWKS_BYTES} bytes, got {len(data)}")
    return data
