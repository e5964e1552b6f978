"""Payouts by a webhook: each is one POST, signed by the scheme of Standard Webhooks (https://www.standardwebhooks.com).

`webhook-id` is the payout's key, and `Idempotency-Key` says the same to those who look there: the receiver answers a key that it knows as it did
before. The body is the same however often it is sent; the signature has the time of the attempt. Any 2xx is a yes; its body may be JSON
with a `reference`. 400, 402, 409, 410 and 422 are a no to this payout. Everything else may pass: it is sent again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import httpx2
import msgspec
from standardwebhooks import Webhook

from actors.domain.values import rfc3339
from storage.ports import Payout, PayoutRefusedError, PayoutUnavailableError

REFUSALS: Final = (400, 402, 409, 410, 422)
MAX_ANSWER_BYTES: Final = 64 * 1024  # of what comes back is read
MAX_PAUSE_S: Final = 3600.0  # that a receiver may ask for
SHOWN_CHARS: Final = 200


@dataclass(frozen=True, slots=True)
class WebhookConfig:
    """`secret`: `whsec_` and base64, or base64 alone. `timeout_s` bounds a whole payout; `at_once`, the connections."""

    url: str
    secret: str
    timeout_s: float = 10.0
    at_once: int = 8


class WebhookPayouts:
    """Implements Payouts. Belongs to one event loop."""

    def __init__(
        self, config: WebhookConfig, clock_ms: Callable[[], int], client: httpx2.AsyncClient | None = None
    ) -> None:
        """Raises ValueError for a secret that is none."""
        self._config = config
        self._clock_ms = clock_ms
        self._signer = Webhook(config.secret)
        self._client = client or httpx2.AsyncClient(
            follow_redirects=False,  # a POST that is redirected may become a GET, and look like a yes
            timeout=config.timeout_s,
            limits=httpx2.Limits(max_connections=config.at_once, max_keepalive_connections=config.at_once),
        )

    async def pay(self, payout: Payout) -> str:
        """See `Payouts.pay`."""
        body = body_of(payout)
        now = datetime.fromtimestamp(self._clock_ms() / 1000, UTC)
        headers = {
            "content-type": "application/json",
            "idempotency-key": payout.key,
            "webhook-id": payout.key,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": self._signer.sign(payout.key, now, body),
        }
        try:
            async with asyncio.timeout(self._config.timeout_s):
                async with self._client.stream(
                    "POST", self._config.url, content=body.encode(), headers=headers
                ) as response:
                    return _reference(response, await _read(response))
        except TimeoutError as error:
            raise PayoutUnavailableError(f"no answer within {self._config.timeout_s:g} s") from error
        except httpx2.HTTPError as error:
            raise PayoutUnavailableError(str(error) or type(error).__name__) from error

    async def close(self) -> None:
        """See `Payouts.close`."""
        await self._client.aclose()


def body_of(payout: Payout) -> str:
    """The JSON that is sent, by the scheme's form: `type`, `timestamp` (of the decision), `data`."""
    message = {"type": f"payout.{payout.kind}", "timestamp": rfc3339(payout.made_ms), "data": payout.told()}
    return msgspec.json.encode(message).decode()


async def _read(response: httpx2.Response) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for part in response.aiter_bytes():
        parts.append(part)
        size += len(part)
        if size > MAX_ANSWER_BYTES:
            break
    return b"".join(parts)[:MAX_ANSWER_BYTES]


def _reference(response: httpx2.Response, answer: bytes) -> str:
    status = response.status_code
    if response.is_success:
        return _told_reference(answer)
    shown = f"{status}: {answer.decode(errors='replace')[:SHOWN_CHARS]}"
    if status in REFUSALS:
        raise PayoutRefusedError(shown)
    raise PayoutUnavailableError(shown, _asked_pause_s(response.headers.get("retry-after", "")))


def _told_reference(answer: bytes) -> str:
    try:
        told = msgspec.json.decode(answer)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return ""
    reference = told.get("reference") if isinstance(told, dict) else None
    return reference if isinstance(reference, str) else ""


def _asked_pause_s(text: str) -> float:
    """`Retry-After` in seconds; as a date, or nonsense, it is left alone."""
    return min(float(text), MAX_PAUSE_S) if text.isascii() and text.isdigit() else 0.0
