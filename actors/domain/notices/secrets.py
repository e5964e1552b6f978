"""The secret with which a user's webhooks are signed: nobody stores it, it follows from Palio's own and the user's id."""

from __future__ import annotations

import base64
import hashlib
import hmac


def webhook_secret(master: bytes, user_id: int) -> str:
    """32 bytes in the form of Standard Webhooks, `whsec_<base64>`."""
    secret = hmac.digest(master, b"palio webhook %d" % user_id, hashlib.sha256)
    return f"whsec_{base64.b64encode(secret).decode()}"
