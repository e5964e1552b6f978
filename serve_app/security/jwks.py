"""The public keys of RS256, ES256 and EdDSA: a JWKS file or URL (RFC 7517), cached, fetched anew within bounds."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import httpx2
import jwt
import msgspec

from serve_app.http.problems import unavailable

logger = logging.getLogger(__name__)

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
        except Exception as error:  # a source may be away, or anything at all: no token makes it an error of ours
            logger.warning("the JWKS cannot be read: %s: %.200s", type(error).__name__, error)
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
            asyncio.timeout(
                FETCH_TIMEOUT_S
            ),  # the client's own bounds each read: a source that trickles would keep everyone waiting
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
        """The keys for the algorithm. One that cannot be read is left out, and said so; the others serve.

        Raises msgspec.DecodeError, TypeError for what is no JWKS, ValueError for one without such a key.
        """
        document = msgspec.json.decode(data)
        entries = document.get("keys") if isinstance(document, dict) else None
        if not isinstance(entries, list):
            raise TypeError("expected a JWKS: an object with a list of `keys`")
        keys: dict[str | None, Any] = {}
        unreadable: list[str] = []
        for position, entry in enumerate(entries):
            try:
                if self._is_ours(entry):
                    keys[entry.get("kid")] = jwt.PyJWK.from_dict(entry, algorithm=self._algorithm).key
            except Exception as error:  # whatever an entry holds, PyJWT and what it calls raise many kinds
                unreadable.append(f"keys[{position}]: {type(error).__name__}")
        if unreadable:
            logger.warning(
                "%d of %d keys of the JWKS cannot be read: %s", len(unreadable), len(entries), unreadable[:3]
            )
        if not keys:
            raise ValueError(f"expected a JWKS with a key for {self._algorithm}")
        if len(keys) == 1:
            keys[None] = next(iter(keys.values()))
        return keys

    def _is_ours(self, entry: dict[str, Any]) -> bool:
        """Whether a key is meant for the algorithm. Raises TypeError for what is no key."""
        if not isinstance(entry, dict) or not isinstance(entry.get("kid"), str | None):
            raise TypeError("expected an object, with a `kid` that is a string")
        if entry.get("kty") != KEY_TYPES[self._algorithm] or entry.get("use", "sig") != "sig":
            return False
        return bool(entry.get("alg", self._algorithm) == self._algorithm)


def _read_file(path: str) -> bytes:
    data = Path(path).read_bytes()
    if len(data) > MAX_JWKS_BYTES:
        raise ValueError(f"expected a JWKS of at most {MAX_JWKS_BYTES} bytes, got {len(data)}")
    return data
