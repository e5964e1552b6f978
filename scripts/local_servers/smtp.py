"""An SMTP sink on loopback: takes every mail, delivers none, and keeps each as a file in a directory.

`python -m scripts.local_servers.smtp PORT DIRECTORY` is the sink itself; `SmtpServer` starts it in a process of its own.
"""

from __future__ import annotations

import asyncio
import importlib.util
import itertools
import os
import signal
import smtplib
import sys
import time
from itertools import islice
from pathlib import Path
from typing import Any, Final

from scripts.local_servers.base import HOST, ServerError, launch, listens, pid_of, wait_until

ROOT: Final = Path(__file__).parents[2]
MAX_MAIL_BYTES: Final = 10 << 20  # larger ones are refused with 552
MAX_MAILS: Final = 10_000  # beyond, the oldest are deleted


class SmtpServer:
    """See `scripts.local_servers.base.Server`. Uses `first_port` alone; one that runs keeps its own."""

    name = "smtp"

    def install(self) -> None:
        """See `Server.install`."""
        if importlib.util.find_spec("aiosmtpd") is None:
            raise ServerError("expected the Python package aiosmtpd to be installed (a development dependency)")

    def start(self, directory: Path, first_port: int) -> dict[str, Any]:
        """`host`, `port`, and the `directory` of the mails: files `<time>-<number>.eml`, sorted by name as they came."""
        home = (directory / self.name).absolute()
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        noted = home / "port"
        if pid_of(directory, self.name) is None:
            if listens(first_port):
                raise ServerError(f"expected port {first_port} to be free for {self.name}")
            noted.write_text(str(first_port), encoding="utf-8")
            command = [sys.executable, "-P", "-m", "scripts.local_servers.smtp", str(first_port), str(home / "mails")]
            paths = filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])
            launch(directory, self.name, command, {**os.environ, "PYTHONPATH": os.pathsep.join(paths)})
        port = int(noted.read_text(encoding="utf-8"))
        wait_until(lambda: self._answers(directory, port), f"{self.name} to answer on port {port}")
        return {"host": HOST, "port": port, "directory": str(home / "mails")}

    def _answers(self, directory: Path, port: int) -> bool:
        if pid_of(directory, self.name) is None:
            raise ServerError(f"{self.name} ended at once; why, is in {directory}/logs/{self.name}.log")
        try:
            with smtplib.SMTP(HOST, port, timeout=5) as client:
                return client.noop()[0] == 250
        except smtplib.SMTPException as error:
            raise ConnectionError(str(error)) from error


class Sink:
    """Keeps mails as files, written beside and then renamed, so that a reader sees whole files only."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._directory = directory
        self._numbers = itertools.count(1)

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        """A mail has come: the answer to its sender. The envelope's addresses are its first header fields."""
        fields = [("X-MailFrom", envelope.mail_from or ""), *(("X-RcptTo", to) for to in envelope.rcpt_tos)]
        head = "".join(f"{name}: {address}\r\n" for name, address in fields)
        path = self._directory / f"{time.time_ns() // 1_000_000:014d}-{next(self._numbers):06d}.eml"
        try:
            unfinished = path.with_suffix(".tmp")
            unfinished.write_bytes(head.encode("utf-8", errors="replace") + envelope.original_content)
            unfinished.rename(path)
            kept = sorted(self._directory.glob("*.eml"))
            for old in islice(kept, max(0, len(kept) - MAX_MAILS)):
                old.unlink(missing_ok=True)
        except OSError as error:
            return f"451 cannot keep the mail: {error.strerror}"
        return "250 kept"


async def serve(port: int, directory: Path) -> None:
    """Take mails until SIGTERM or SIGINT. Raises OSError."""
    from aiosmtpd.smtp import SMTP

    sink = Sink(directory)
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for sign in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(sign, stopped.set)

    def connection() -> asyncio.Protocol:
        protocol: asyncio.Protocol = SMTP(
            sink, hostname="palio-sink", data_size_limit=MAX_MAIL_BYTES, enable_SMTPUTF8=True, loop=loop
        )
        return protocol

    server = await loop.create_server(connection, HOST, port)
    await stopped.wait()
    server.close()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), Path(sys.argv[2])))
