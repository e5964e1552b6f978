"""An SMTP sink on loopback, aiosmtpd's own: takes every mail, delivers none, and keeps each as a file in a Maildir."""

from __future__ import annotations

import importlib.util
import smtplib
import sys
from pathlib import Path
from typing import Any, Final

from scripts.local_servers.base import HOST, ServerError, launch, listens, pid_of, wait_for_answer

MAX_MAIL_BYTES: Final = 10 << 20  # larger ones are refused with 552


class SmtpServer:
    """See `scripts.local_servers.base.Server`. Uses `first_port` alone; one that runs keeps its own."""

    name = "smtp"

    def install(self) -> None:
        """See `Server.install`."""
        if importlib.util.find_spec("aiosmtpd") is None:
            raise ServerError("expected the Python package aiosmtpd to be installed (a development dependency)")

    def start(self, directory: Path, first_port: int) -> dict[str, Any]:
        """`host`, `port`, and the `directory` of the mails, a file each: as they came, with X-MailFrom and X-RcptTo."""
        home = (directory / self.name).absolute()
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        noted = home / "port"
        if pid_of(directory, self.name) is None:
            if listens(first_port):
                raise ServerError(f"expected port {first_port} to be free for {self.name}")
            noted.write_text(str(first_port), encoding="utf-8")
            sink = ["-c", "aiosmtpd.handlers.Mailbox", str(home / "mails")]
            options = ["--nosetuid", "--smtputf8", "--size", str(MAX_MAIL_BYTES), "--listen", f"{HOST}:{first_port}"]
            launch(directory, self.name, [sys.executable, "-P", "-m", "aiosmtpd", *options, *sink])
        port = int(noted.read_text(encoding="utf-8"))
        wait_for_answer(directory, self.name, lambda: _answers(port))
        return {"host": HOST, "port": port, "directory": str(home / "mails" / "new")}


def _answers(port: int) -> bool:
    try:
        with smtplib.SMTP(HOST, port, timeout=5) as client:
            return client.noop()[0] == 250
    except smtplib.SMTPException as error:
        raise ConnectionError(str(error)) from error
