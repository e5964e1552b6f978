"""The settings of notifications. Without a mail server, or keys for web push, that channel is off."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings

from actors.domain.notices.events import Channel


class NoticeSettings(BaseSettings):
    """See the module. Durations end in `_s`; rates are letters a second."""

    notification_secret: SecretStr | None = Field(
        None,
        min_length=32,
        description="Secret that encrypts users' notification settings; without it one is made in the data directory.",
    )
    notification_old_secrets: SecretStr | None = Field(
        None,
        min_length=32,
        description="Earlier ones, separated by commas, that still decrypt: see docs/notifications.md.",
    )
    notification_webhook_secret: SecretStr | None = Field(
        None,
        min_length=32,
        description="Secret from which users' webhook secrets follow; without it one is made in the data directory.",
    )
    notification_page_url: str | None = Field(
        None,
        min_length=1,
        description="URL of the page, `https://host`, for links in notices; without it there are none.",
    )
    notification_soon_s: float = Field(
        900, ge=0, le=7 * 86_400, description="How long before a start its participants are told; 0: not at all."
    )
    notification_overtaken_s: float = Field(
        600, ge=1, le=86_400, description="Least time between two notices of being overtaken in a tournament."
    )
    notification_webhooks: bool = Field(True, description="Whether users may name a URL that their notices go to.")
    notification_private_addresses: bool = Field(
        False,
        description="Whether URLs of users may lead to addresses inside (loopback, private), and without TLS. For tests.",
    )
    notification_retry_s: float = Field(
        10, gt=0, le=3600, description="Wait after the first failed try of a letter; three times as long each time."
    )
    notification_keep_s: float = Field(
        7 * 86_400, ge=60, description="How long it is remembered that an event was told, and how far."
    )
    notification_timeout_s: float = Field(10, gt=0, le=60, description="Longest wait for a mail server or a receiver.")
    notification_live_rate: float = Field(5000, gt=0, description="Notices a second to live sockets.")
    notification_email_rate: float = Field(50, gt=0, description="E-mails a second.")
    notification_push_rate: float = Field(200, gt=0, description="Push messages a second.")
    notification_webhook_rate: float = Field(200, gt=0, description="Calls a second of users' webhooks.")

    smtp_host: str | None = Field(None, min_length=1, description="Mail server; without it there is no e-mail.")
    smtp_port: int = Field(587, ge=1, le=65_535, description="Its port.")
    smtp_tls: Literal["starttls", "tls", "none"] = Field(
        "starttls", description="How connections to it are encrypted: by STARTTLS, from the first byte, not at all."
    )
    smtp_user: str | None = Field(None, description="Palio's user there.")
    smtp_password: SecretStr | None = Field(None, description="Its password.")
    smtp_ca_file: str | None = Field(None, description="PEM file of the authorities that its certificate is of.")
    smtp_sender: str | None = Field(None, min_length=3, description="Sender of mails, `Palio <palio@example.org>`.")

    push_private_key: SecretStr | None = Field(
        None, description="Private key of web push (`scripts/palio push-key` makes one); without it there is no push."
    )
    push_contact: str | None = Field(
        None, min_length=1, description="Whom push services can reach, `mailto:ops@example.org` or a https URL."
    )

    @field_validator("notification_page_url")
    @classmethod
    def _page_url(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("http://", "https://")):
            raise ValueError("expected http:// or https://")
        return value

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.smtp_host is not None and "@" not in (self.smtp_sender or ""):
            raise ValueError("PALIO_SMTP_SENDER: expected an address, since PALIO_SMTP_HOST is set, got none")
        if (self.push_private_key is None) != (self.push_contact is None):
            raise ValueError("PALIO_PUSH_CONTACT: expected beside PALIO_PUSH_PRIVATE_KEY, or neither")
        if self.push_contact is not None and not self.push_contact.startswith(("mailto:", "https://")):
            raise ValueError(f"PALIO_PUSH_CONTACT: expected mailto: or https://, got {self.push_contact!r}")
        return self

    def notice_channels(self) -> tuple[Channel, ...]:
        """The channels that there are."""
        there: dict[Channel, bool] = {
            "live": True,
            "email": self.smtp_host is not None,
            "push": self.push_private_key is not None,
            "webhook": self.notification_webhooks,
        }
        return tuple(channel for channel, is_there in there.items() if is_there)
