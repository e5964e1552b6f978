"""The HMAC of control records: over topic, key, value and key id, so that only Palio changes a tournament's course.

A signature is `<key id>:<hex HMAC-SHA256>`. Several keys may verify (old ones through the log's retention), one signs.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping

from actors.domain.errors import InvalidRecordError

TOPIC = "tournament-scores"


class Signer:
    """Signs with `key_id`'s key and verifies with any of `keys` (key id -> secret bytes)."""

    def __init__(self, keys: Mapping[str, bytes], key_id: str, topic: str = TOPIC) -> None:
        if key_id not in keys:
            raise ValueError(f"expected the signing key {key_id!r} among the keys {sorted(keys)}")
        self._keys = dict(keys)
        self._key_id = key_id
        self._topic = topic.encode()

    def sign(self, key: bytes, value: bytes) -> str:
        """The signature of a record."""
        return f"{self._key_id}:{self._mac(self._key_id, key, value)}"

    def verify(self, key: bytes, value: bytes, signature: str) -> None:
        """Raises InvalidRecordError `unsigned` unless the signature is one of ours."""
        key_id, _, mac = signature.partition(":")
        if key_id not in self._keys or not hmac.compare_digest(mac.encode(), self._mac(key_id, key, value).encode()):
            raise InvalidRecordError("unsigned", "expected a valid palio-signature on a control record")

    def _mac(self, key_id: str, key: bytes, value: bytes) -> str:
        mac = hmac.new(self._keys[key_id], digestmod=hashlib.sha256)
        for part in (self._topic, key_id.encode(), key, value):
            mac.update(len(part).to_bytes(4, "big"))  # lengths keep the parts apart
            mac.update(part)
        return mac.hexdigest()
