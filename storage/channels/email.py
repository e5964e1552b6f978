"""Notices by e-mail: SMTP, a plain and an HTML part. The `Message-ID` is made of the notice's key, so that a second one can be told."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from email.utils import format_datetime, parseaddr
from typing import Final, Literal

import aiosmtplib

from actors.domain.notices.events import Channel
from storage.ports import SENT, Delivery, Letter

logger = logging.getLogger(__name__)
SHUTTING_DOWN: Final = 421


@dataclass(frozen=True, slots=True, kw_only=True)
class SmtpConfig:
    """Where mails are handed over. `sender`: `Palio <palio@example.org>`. `tls`: from the first byte, or by STARTTLS, which must work then."""

    host: str
    port: int
    sender: str
    tls: Literal["tls", "starttls", "none"] = "starttls"
    user: str | None = None
    password: str | None = None
    ca_file: str | None = None
    connections: int = 4
    timeout_s: float = 10


class _UnavailableError(Exception):
    """The server does not answer, or not as it should; the message is one word."""


class EmailChannel:
    """See `storage.ports.NoticeChannel`. Connections last for a call."""

    name: Final[Channel] = "email"

    def __init__(self, config: SmtpConfig) -> None:
        self._config = config
        self._address = parseaddr(config.sender)[1]
        self._tls = None if config.tls == "none" else ssl.create_default_context(cafile=config.ca_file)

    async def send(self, letters: Sequence[Letter]) -> list[Delivery]:
        """See `NoticeChannel.send`."""
        found: list[Delivery | None] = [None] * len(letters)
        left = iter(range(len(letters)))
        trouble: list[str] = []

        async def work() -> None:
            client: aiosmtplib.SMTP | None = None
            try:
                for index in left:  # one iterator for all who work
                    if trouble:
                        return
                    try:
                        client = client or await self._connect()
                        found[index] = await self._hand_over(client, letters[index])
                    except _Disconnected:
                        client = await self._connect()  # if that works, it was about this letter
                        found[index] = Delivery("later", "disconnected")
            except _UnavailableError as error:
                trouble.append(str(error))
            finally:
                if client is not None:
                    with contextlib.suppress(aiosmtplib.SMTPException, OSError):
                        await client.quit()

        await asyncio.gather(*(work() for _ in range(min(self._config.connections, len(letters)))))
        if trouble:
            logger.warning("the mail server at %s:%d: %s", self._config.host, self._config.port, trouble[0])
        reason = trouble[0] if trouble else "no_answer"
        return [each or Delivery("unavailable", reason) for each in found]

    async def _connect(self) -> aiosmtplib.SMTP:
        config = self._config
        client = aiosmtplib.SMTP(
            hostname=config.host,
            port=config.port,
            username=config.user,
            password=config.password,
            timeout=config.timeout_s,
            use_tls=config.tls == "tls",
            start_tls=config.tls == "starttls",
            tls_context=self._tls,
        )
        try:
            await client.connect()
        except aiosmtplib.SMTPAuthenticationError as error:
            raise _UnavailableError("login_refused") from error
        except ssl.SSLError as error:  # no SMTPException, for a certificate that is not the server's
            raise _UnavailableError("tls") from error
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            raise _UnavailableError("no_connection") from error
        return client

    async def _hand_over(self, client: aiosmtplib.SMTP, letter: Letter) -> Delivery:
        if letter.settings.email is None:
            return Delivery("refused", "no_address")
        try:
            await client.send_message(
                self._mail(letter, letter.settings.email), sender=self._address, recipients=[letter.settings.email]
            )
        except aiosmtplib.SMTPRecipientsRefused as error:
            return _judged(error.recipients[0].code, "recipient")
        except aiosmtplib.SMTPSenderRefused as error:
            raise _UnavailableError("sender_refused") from error
        except aiosmtplib.SMTPDataError as error:
            return _judged(error.code, "message")
        except aiosmtplib.SMTPNotSupported:
            return Delivery("refused", "address_not_supported")
        except (aiosmtplib.SMTPException, OSError) as error:
            client.close()
            raise _Disconnected from error
        except ValueError:  # a header that cannot be written
            return Delivery("refused", "invalid_address")
        return SENT

    def _mail(self, letter: Letter, address: str) -> EmailMessage:
        mail = EmailMessage(policy=SMTP_POLICY)
        mail["From"] = self._config.sender
        mail["To"] = address
        mail["Subject"] = letter.title
        mail["Date"] = format_datetime(datetime.fromtimestamp(letter.notice.event.at_ms / 1000, UTC))
        mail["Message-ID"] = f"<{letter.notice.key}@{self._address.rpartition('@')[2]}>"
        mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody's holiday notice is an answer to it
        mail.set_content(letter.text)
        mail.add_alternative(letter.html, subtype="html")
        return mail

    async def close(self) -> None:
        """See `NoticeChannel.close`."""


class _Disconnected(Exception):  # noqa: N818 - not an error of ours
    """The connection ended while a letter was being handed over."""


def _judged(code: int, what: str) -> Delivery:
    if code == SHUTTING_DOWN:
        raise _Disconnected
    if code >= 500:
        return Delivery("refused", f"{what}_refused")
    return Delivery("later", f"{what}_deferred")
