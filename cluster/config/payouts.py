"""The settings of prizes: whether somebody must approve them, and who pays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator
from standardwebhooks import Webhook

from cluster.config.notices import NoticeSettings

if TYPE_CHECKING:
    from actors.prizes.payer import PayerConfig
    from storage.payouts.webhook import WebhookConfig

LEASE_MARGIN_S = 5  # beyond the longest payout, until one that is marked as being paid is sent again


class PayoutSettings(NoticeSettings):
    """See the module. Durations end in `_s`."""

    payout_url: str | None = Field(
        None,
        min_length=1,
        description="URL of whoever pays prizes out, told by signed webhooks; without it, embedded, a file in the data directory, "
        "and on servers nobody: prizes stay approved.",
    )
    payout_secret: SecretStr | None = Field(
        None, description="Secret that signs payouts, `whsec_` and base64, as the receiver has it."
    )
    payout_approval: Literal["manual", "automatic"] = Field(
        "manual", description="Whether prizes wait for an operator's approval. Claw-backs always do."
    )
    payout_timeout_s: float = Field(10, gt=0, le=300, description="Longest time of one payout.")
    payout_concurrency: int = Field(8, ge=1, le=1000, description="Payouts under way at once.")
    payout_max_attempts: int = Field(24, ge=1, le=1000, description="Times a payout is sent before it has failed.")
    payout_retry_s: float = Field(
        1, gt=0, le=3600, description="Wait before a payout is sent again; twice as long with each time."
    )
    payout_retry_max_s: float = Field(3600, gt=0, le=86_400, description="Longest such wait.")

    @field_validator("payout_url")
    @classmethod
    def _receiver(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("http://", "https://")):
            raise ValueError("expected http:// or https://")
        return value

    @model_validator(mode="after")
    def _signed(self) -> Self:
        if self.payout_url is None:
            return self
        try:
            Webhook("" if self.payout_secret is None else self.payout_secret.get_secret_value())
        except Exception:
            expected = "PALIO_PAYOUT_SECRET: expected whsec_ and base64, since PALIO_PAYOUT_URL is set"
            raise ValueError(expected) from None  # the cause may show the secret
        return self

    def payout_webhook(self) -> WebhookConfig | None:
        """The receiver of payouts; None where there is none."""
        if self.payout_url is None or self.payout_secret is None:
            return None
        from storage.payouts.webhook import WebhookConfig

        return WebhookConfig(
            self.payout_url, self.payout_secret.get_secret_value(), self.payout_timeout_s, self.payout_concurrency
        )

    def payer(self) -> PayerConfig:
        """How payouts are sent."""
        from actors.prizes.payer import PayerConfig

        return PayerConfig(
            at_once=self.payout_concurrency,
            lease_ms=round((self.payout_timeout_s + LEASE_MARGIN_S) * 1000),
            retry_ms=round(self.payout_retry_s * 1000),
            retry_max_ms=round(self.payout_retry_max_s * 1000),
            max_attempts=self.payout_max_attempts,
        )
