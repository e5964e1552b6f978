"""The body of a user's notification settings, and its way to the domain's."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Annotated, Any, Final

import msgspec
from email_validator import EmailNotValidError, validate_email
from msgspec import Meta

from actors.domain.notices.addresses import check_url
from actors.domain.notices.events import CHANNELS, EVENTS, Channel, EventName
from actors.domain.notices.settings import (
    MAX_PUSH_SUBSCRIPTIONS,
    MAX_URL_CHARS,
    Language,
    NotificationSettings,
    PushKeys,
    PushSubscription,
)
from serve_app.http.bodies import BodyReader, wrong_fields
from serve_app.http.problems import FieldError

MAX_EMAIL_CHARS: Final = 254  # RFC 5321
PUBLIC_KEY_BYTES: Final = 65  # of P-256, uncompressed
AUTH_BYTES: Final = 16  # RFC 8291 section 2

Url = Annotated[str, Meta(max_length=MAX_URL_CHARS, extra_json_schema={"format": "uri"})]


class BrowserSubscription(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, frozen=True):
    """What `PushSubscription.toJSON()` gives in a browser."""

    endpoint: Url
    keys: PushKeys
    expirationTime: float | None = None  # noqa: N815 - the browsers' name


class Notifications(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, frozen=True):
    """`PUT /v1/users/me/notifications`. What is left out is as in the beginning: live sockets alone, in English."""

    language: Language = "en"
    channels: Annotated[list[Channel], Meta(max_length=len(CHANNELS))] = msgspec.field(default_factory=lambda: ["live"])
    opt_out: Annotated[list[EventName], Meta(max_length=len(EVENTS))] = []
    overtaken: bool = False
    email: Annotated[str, Meta(max_length=MAX_EMAIL_CHARS)] | None = None
    push_subscriptions: Annotated[list[BrowserSubscription], Meta(max_length=MAX_PUSH_SUBSCRIPTIONS)] = []
    webhook_url: Url | None = None


_read: Final = BodyReader(Notifications).read


def read_notifications(body: bytes, there: Sequence[Channel], *, private: bool) -> NotificationSettings:
    """Settings as sent; `there` are the channels that this Palio has, `private`: URLs may lead inside. Raises Problem 400, 422."""
    sent = _read(body)
    errors: list[FieldError] = []
    for index, channel in enumerate(sent.channels):
        needed: dict[Channel, Any] = {
            "email": sent.email,
            "push": sent.push_subscriptions,
            "webhook": sent.webhook_url,
        }
        if channel not in there:
            errors.append(FieldError(f"channels[{index}]", f"expected one of {', '.join(there)}, got {channel}"))
        elif not needed.get(channel, True):
            field = {"email": "email", "push": "push_subscriptions", "webhook": "webhook_url"}[channel]
            errors.append(FieldError(field, f"expected it, since channels has {channel}"))
    if sent.email is not None:
        errors += _wrong("email", _check_email, sent.email)
    if sent.webhook_url is not None:
        errors += _wrong("webhook_url", lambda url: check_url(url, private=private), sent.webhook_url)
    for index, subscription in enumerate(sent.push_subscriptions):
        at = f"push_subscriptions[{index}]"
        errors += _wrong(f"{at}.endpoint", lambda url: check_url(url, private=private), subscription.endpoint)
        errors += _wrong(f"{at}.keys.p256dh", _check_public_key, subscription.keys.p256dh)
        errors += _wrong(f"{at}.keys.auth", _check_auth, subscription.keys.auth)
    if errors:
        raise wrong_fields(errors)
    subscriptions = dict.fromkeys(PushSubscription(each.endpoint, each.keys) for each in sent.push_subscriptions)
    return NotificationSettings(
        language=sent.language,
        channels=tuple(channel for channel in CHANNELS if channel in sent.channels),
        opt_out=tuple(event for event in EVENTS if event in sent.opt_out),
        overtaken=sent.overtaken,
        email=sent.email,
        push_subscriptions=tuple(subscriptions),
        webhook_url=sent.webhook_url,
    )


def shown(settings: NotificationSettings) -> dict[str, Any]:
    """Settings as they are answered: as they could be sent again."""
    return {name: msgspec.to_builtins(getattr(settings, name)) for name in settings.__struct_fields__}


def _wrong(path: str, check: Any, value: str) -> list[FieldError]:
    try:
        check(value)
    except ValueError as error:
        return [FieldError(path, str(error))]
    return []


def _check_email(text: str) -> None:
    try:
        validate_email(text, check_deliverability=False, test_environment=True)
    except EmailNotValidError as error:
        raise ValueError(f"expected an e-mail address: {error}") from error
    if not text.isascii():  # not every mail server takes others
        raise ValueError("expected an e-mail address of ASCII characters")


def _decoded(text: str, size: int) -> bytes:
    try:
        raw = base64.b64decode(text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4), altchars=b"-_", validate=True)
    except ValueError as error:
        raise ValueError(f"expected {size} bytes in base64url") from error
    if len(raw) != size:
        raise ValueError(f"expected {size} bytes in base64url, got {len(raw)}")
    return raw


def _check_public_key(text: str) -> None:
    if _decoded(text, PUBLIC_KEY_BYTES)[0] != 4:  # the form's mark
        raise ValueError("expected an uncompressed public key of P-256")


def _check_auth(text: str) -> None:
    _decoded(text, AUTH_BYTES)
