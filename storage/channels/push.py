"""Notices by web push (RFC 8030): encrypted for the browser (RFC 8291) and signed for its push service (VAPID, RFC 8292).

The library encrypts. It would name a push service without its port, and nothing but `mailto:` as a contact, so the header is made here,
once for each push service and half a day: a shared one would name the wrong one, and a signature costs as much as an encryption.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable, Sequence
from io import BytesIO
from typing import Final
from urllib.parse import urlsplit

import jwt
import msgspec
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from webpush import WebPush, WebPushSubscription
from webpush.vapid import VAPID

from actors.domain.notices.events import Channel, notice_body
from actors.domain.notices.settings import PushSubscription
from storage.channels.http import Caller, CallError, InternalAddressError
from storage.ports import SENT, Delivery, Letter

# RFC 8291 section 4: a push service takes 4,096 bytes, of which the head (86), the tag (16) and the delimiter (1) are not the message's.
MAX_MESSAGE_BYTES: Final = 3993
MAX_SHOWN_CHARS: Final = 1000  # of the text; what is cut off is on the page
TTL_S: Final = 24 * 3600  # how long a push service keeps it for a browser that is away
TOKEN_TTL_S: Final = 12 * 3600  # RFC 8292 section 2: a day at most
TOKENS_KEPT: Final = 1000
GONE: Final = (404, 410)


def public_key_of(private_key: str) -> str:
    """The public key that browsers subscribe with, base64url, of a private one (32 bytes in base64url). Raises ValueError."""
    return str(VAPID.get_application_server_key(_private(private_key).public_key()))


def new_private_key() -> str:
    """A new private key, 32 bytes in base64url."""
    number = ec.generate_private_key(ec.SECP256R1()).private_numbers().private_value
    return base64.urlsafe_b64encode(number.to_bytes(32, "big")).rstrip(b"=").decode()


def _private(text: str) -> ec.EllipticCurvePrivateKey:
    raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    if len(raw) != 32:
        raise ValueError(f"expected 32 bytes in base64url, got {len(raw)}")
    return ec.derive_private_key(int.from_bytes(raw, "big"), ec.SECP256R1())


class _Vapid:
    """In the place of the library's: the whole origin as the audience, the contact as it was given. Tokens are kept for their audience."""

    def __init__(self, key: ec.EllipticCurvePrivateKey, contact: str, clock_ms: Callable[[], int]) -> None:
        self._key = key
        self._contact = contact
        self._clock_ms = clock_ms
        self._k = VAPID.get_application_server_key(key.public_key())
        self._tokens: dict[str, tuple[int, str]] = {}  # by audience: when it was made, and the header

    def get_authorization_header(self, endpoint: object, subscriber: str, expiration: int) -> str:
        """The `Authorization` for the push service of an endpoint, as the library asks for it."""
        del subscriber, expiration
        url, now_s = urlsplit(str(endpoint)), self._clock_ms() // 1000
        audience = f"{url.scheme}://{url.netloc}"
        made_s, header = self._tokens.get(audience, (0, ""))
        if not 0 <= now_s - made_s < TOKEN_TTL_S // 2:
            claims = {"aud": audience, "exp": now_s + TOKEN_TTL_S, "sub": self._contact}
            header = f"vapid t={jwt.encode(claims, self._key, algorithm='ES256')}, k={self._k}"
            if len(self._tokens) >= TOKENS_KEPT:
                self._tokens.pop(next(iter(self._tokens)))
            self._tokens[audience] = now_s, header
        return header


class PushChannel:
    """See `storage.ports.NoticeChannel`. `contact`: `mailto:` or `https:`, for who runs a push service."""

    name: Final[Channel] = "push"

    def __init__(self, caller: Caller, private_key: str, contact: str, clock_ms: Callable[[], int]) -> None:
        self._caller = caller
        key = _private(private_key)
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        self._push = WebPush(private, BytesIO(public), subscriber="-", ttl=TTL_S)
        self._push.vapid = _Vapid(key, contact, clock_ms)

    async def send(self, letters: Sequence[Letter]) -> list[Delivery]:
        """See `NoticeChannel.send`."""
        return await asyncio.gather(*map(self._push_all, letters))

    async def _push_all(self, letter: Letter) -> Delivery:
        """To all browsers of a user: sent if one of them has it."""
        body = notice_body(letter.notice, letter.title, letter.text[:MAX_SHOWN_CHARS])
        message = msgspec.json.encode(body)
        if len(message) > MAX_MESSAGE_BYTES:
            message = msgspec.json.encode(body | {"details": {}, "text": ""})
        found = [await self._push_one(subscription, message) for subscription in letter.settings.push_subscriptions]
        gone = tuple(endpoint for each in found for endpoint in each.gone)
        best = min(found, key=lambda each: ("sent", "later", "refused").index(each.outcome), default=None)
        return Delivery("refused", "no_address") if best is None else best._replace(gone=gone)

    async def _push_one(self, subscription: PushSubscription, message: bytes) -> Delivery:
        endpoint, keys = subscription.endpoint, subscription.keys
        try:
            known = WebPushSubscription.model_validate(
                {"endpoint": endpoint, "keys": {"auth": keys.auth, "p256dh": keys.p256dh}}
            )
            made = self._push.get(message, known)
        except ValueError:  # no point on the curve
            return Delivery("refused", "invalid_keys", (endpoint,))
        headers: dict[bytes | str, bytes | str] = {
            "ttl": made.headers["ttl"],
            "content-encoding": made.headers["content-encoding"],
            "authorization": made.headers["authorization"],
            "content-type": "application/octet-stream",
        }
        try:
            status = await self._caller.post(endpoint, made.encrypted, headers)
        except InternalAddressError:
            return Delivery("refused", "internal_address")
        except CallError as error:
            return Delivery("later", str(error))
        if 200 <= status < 300:
            return SENT
        if status in GONE:
            return Delivery("refused", "gone", (endpoint,))
        if status == 413:
            return Delivery("refused", "too_large")
        return Delivery("later", f"status_{status // 100}xx")

    async def close(self) -> None:
        """See `NoticeChannel.close`."""
        await self._caller.close()
