"""What a user wants to be told, where and in which language."""

from __future__ import annotations

from typing import Annotated, Final, Literal, get_args

import msgspec

from actors.domain.notices.events import CHANNELS, Channel, EventName

Language = Literal["en", "de"]
LANGUAGES: Final[tuple[Language, ...]] = get_args(Language)
MAX_PUSH_SUBSCRIPTIONS: Final = 5  # a browser on each of a user's devices
MAX_URL_CHARS: Final = 2000


class PushKeys(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A browser's public key (P-256, uncompressed) and its secret of 16 bytes, both base64url, as `PushSubscription.toJSON()` gives them."""

    p256dh: Annotated[str, msgspec.Meta(max_length=100)]
    auth: Annotated[str, msgspec.Meta(max_length=50)]


class PushSubscription(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a browser is reached."""

    endpoint: Annotated[str, msgspec.Meta(max_length=MAX_URL_CHARS)]
    keys: PushKeys


class NotificationSettings(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`channels` that are used, `opt_out` of events; `overtaken` is told to those alone who asked for it."""

    language: Language = "en"
    channels: tuple[Channel, ...] = ("live",)
    opt_out: tuple[EventName, ...] = ()
    overtaken: bool = False
    email: str | None = None
    push_subscriptions: tuple[PushSubscription, ...] = ()
    webhook_url: str | None = None

    def wants(self, channel: Channel, event: EventName) -> bool:
        """Whether this event is to be told on this channel."""
        if channel not in self.channels or event in self.opt_out or (event == "overtaken" and not self.overtaken):
            return False
        match channel:
            case "email":
                return self.email is not None
            case "push":
                return bool(self.push_subscriptions)
            case "webhook":
                return self.webhook_url is not None
        return True


DEFAULTS: Final = NotificationSettings()


def channel_bits(settings: NotificationSettings) -> int:
    """The channels in use as bits: what the store looks for without reading the settings."""
    return sum(channel_bit(channel) for channel in settings.channels)


def channel_bit(channel: Channel) -> int:
    """Bit n for `CHANNELS[n]`."""
    return 1 << CHANNELS.index(channel)
