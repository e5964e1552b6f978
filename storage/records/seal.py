"""Settings as they lie in the database: encrypted and authenticated (Fernet: AES-128-CBC and HMAC-SHA256), bound to their user.

The first secret encrypts; all of them decrypt, so a secret can be replaced: put the new one first, write every row anew, take the old one out.
"""

from __future__ import annotations

import base64
import hashlib
import logging
from collections.abc import Sequence

import msgspec
from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from actors.domain.notices.settings import DEFAULTS, NotificationSettings

logger = logging.getLogger(__name__)


class _Sealed(msgspec.Struct):
    user_id: int  # a row that was put in another user's place is not theirs
    settings: NotificationSettings


class SettingsSeal:
    """See the module; each secret is at least 32 bytes of whatever form."""

    def __init__(self, secrets: Sequence[bytes]) -> None:
        self._fernet = MultiFernet([Fernet(_key(secret)) for secret in secrets])
        self._decode = msgspec.json.Decoder(_Sealed).decode

    def close(self, user_id: int, settings: NotificationSettings) -> bytes:
        """A user's settings, encrypted."""
        return self._fernet.encrypt(msgspec.json.encode(_Sealed(user_id, settings)))

    def open(self, user_id: int, data: bytes) -> NotificationSettings:
        """The inverse; the defaults for what no secret opens, or what is another user's: the log says so."""
        try:
            sealed = self._decode(self._fernet.decrypt(data))
        except (InvalidToken, msgspec.ValidationError, msgspec.DecodeError) as error:
            logger.error("the notification settings of user %d cannot be read: %s", user_id, type(error).__name__)  # noqa: TRY400
            return DEFAULTS
        if sealed.user_id != user_id:
            logger.error("the notification settings of user %d are those of another one", user_id)
            return DEFAULTS
        return sealed.settings


def _key(secret: bytes) -> bytes:
    """Fernet's key of a secret of any length and form."""
    return base64.urlsafe_b64encode(hashlib.blake2b(secret, digest_size=32, person=b"palio-settings").digest())
