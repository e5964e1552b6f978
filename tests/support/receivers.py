"""What notices are sent to, for tests: an HTTP server on loopback that answers as told, a real SMTP server, a browser's push keys."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any

from aiosmtpd.controller import Controller
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from actors.domain.notices.events import Notice, NoticeEvent, notice_key
from actors.domain.notices.settings import NotificationSettings, PushKeys, PushSubscription
from storage.channels.templates import Templates
from storage.ports import Letter


@dataclass
class Call:
    """One POST that came."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class HttpReceiver:
    """`answer` says what each call is answered: a status, raw bytes, or None: nothing at all."""

    port: int = 0
    answer: Callable[[Call], int | bytes | None] = lambda _call: 200
    calls: list[Call] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                first, *lines = head.decode("latin-1").strip().split("\r\n")
                headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
                body = await reader.readexactly(int(headers.get("content-length", "0")))
                call = Call(first.split(" ")[1], headers, body)
                self.calls.append(call)
                answer = self.answer(call)
                if answer is None:
                    await asyncio.sleep(3600)
                    return
                if isinstance(answer, bytes):
                    writer.write(answer)
                    await writer.drain()
                    return
                writer.write(b"HTTP/1.1 %d X\r\ncontent-length: 2\r\n\r\nok" % answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):  # the last: its loop ends
            pass
        finally:
            writer.close()


@asynccontextmanager
async def http_receiver(answer: Callable[[Call], int | bytes | None] | None = None) -> AsyncIterator[HttpReceiver]:
    """A receiver for as long as the body."""
    receiver = HttpReceiver()
    if answer is not None:
        receiver.answer = answer
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()


class Mails:
    """An SMTP server's handler that keeps mails. `refuse` answers a recipient: empty takes it; `refuse_data` answers the mail."""

    def __init__(self) -> None:
        self.kept: list[tuple[str, list[str], EmailMessage]] = []
        self.refuse: Callable[[str], str] = lambda _address: ""
        self.refuse_data = ""

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:  # noqa: N802
        if refusal := self.refuse(address):
            return refusal
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        if self.refuse_data:
            return self.refuse_data
        mail: Any = message_from_bytes(envelope.content, policy=default)
        self.kept.append((envelope.mail_from, list(envelope.rcpt_tos), mail))
        return "250 OK"


@asynccontextmanager
async def smtp_server(mails: Mails, port: int = 0, **options: Any) -> AsyncIterator[int]:
    """aiosmtpd on loopback, for as long as the body; its port."""
    controller = Controller(mails, hostname="127.0.0.1", port=port or _free_port(), **options)
    await asyncio.to_thread(controller.start)
    try:
        yield controller.port
    finally:
        await asyncio.to_thread(controller.stop)


def _free_port() -> int:
    from tests.support.running import free_ports

    return free_ports(1)[0]


class Browser:
    """A browser's side of web push (RFC 8291)."""

    def __init__(self, endpoint: str) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._public = self._key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        self._auth = b"sixteen bytes :)"
        self.subscription = PushSubscription(endpoint, PushKeys(_text(self._public), _text(self._auth)))

    def decrypt(self, body: bytes) -> bytes:
        """What a message says, by the steps of RFC 8291 section 3.4 and RFC 8188."""
        salt, size, length = body[:16], int.from_bytes(body[16:20], "big"), body[20]
        sender, sealed = body[21 : 21 + length], body[21 + length :]
        assert len(sealed) <= size
        shared = self._key.exchange(ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), sender))
        secret = _derive(shared, self._auth, b"WebPush: info\0" + self._public + sender, 32)
        key = _derive(secret, salt, b"Content-Encoding: aes128gcm\0", 16)
        nonce = _derive(secret, salt, b"Content-Encoding: nonce\0", 12)
        text = AESGCM(key).decrypt(nonce, sealed, None).rstrip(b"\0")
        assert text.endswith(b"\x02")
        return text[:-1]


def _derive(secret: bytes, salt: bytes, info: bytes, length: int) -> bytes:
    return HKDF(hashes.SHA256(), length, salt, info).derive(secret)


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def letter(user: int, settings: NotificationSettings, *, name: str = "Spring <Cup>", details: str = "") -> Letter:
    """A notice to one user that a tournament has ended."""
    event = NoticeEvent(
        event="ended",
        tournament_id=5,
        name=name,
        at_ms=1_790_000_000_000,
        details={"more": details} if details else {},
    )
    notice = Notice(
        key=notice_key(5, "ended-12-0", user), event=event, user_id=user, user_name=f"U{user}", rank=user, score=9.5
    )
    return Templates().letter(notice, settings)
