from __future__ import annotations

import smtplib
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from scripts.local_servers.base import ServerError, pid_of, stop
from scripts.local_servers.smtp import SmtpServer
from tests.support.servers_influx import free_ports


@pytest.fixture
def sink(tmp_path: Path) -> Iterator[dict[str, Any]]:
    server = SmtpServer()
    server.install()
    yield server.start(tmp_path, free_ports(1))
    stop(tmp_path, "smtp")
    assert pid_of(tmp_path, "smtp") is None


def mails(sink: dict[str, Any]) -> list[bytes]:
    paths = sorted(Path(sink["directory"]).iterdir(), key=lambda path: path.stat().st_mtime_ns)
    return [path.read_bytes() for path in paths]


def test_mails_are_kept_in_their_order(sink: dict[str, Any]) -> None:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "palio@example.org", "a@example.org", "Prìze"
    mail.set_content("You won.\n.\n..a line of dots\nüber\n")
    with smtplib.SMTP(sink["host"], sink["port"], timeout=10) as client:
        client.send_message(mail, to_addrs=["a@example.org", "b@example.org"])
        client.sendmail("", ["ü@example.org"], b"Subject: second\r\n\r\nhi\r\n", mail_options=["SMTPUTF8"])
    first, second = (message_from_bytes(mail, policy=policy.default) for mail in mails(sink))
    assert first["X-MailFrom"] == "palio@example.org"
    assert first["X-RcptTo"] == "a@example.org, b@example.org"
    assert first["Subject"] == "Prìze"
    assert first.get_content() == "You won.\n.\n..a line of dots\nüber\n"
    assert second["X-RcptTo"] == "ü@example.org"
    assert second.get_content() == "hi\n"


def test_a_mail_that_is_too_large_is_refused(sink: dict[str, Any]) -> None:
    with (
        smtplib.SMTP(sink["host"], sink["port"], timeout=10) as client,
        pytest.raises(smtplib.SMTPResponseException) as refused,
    ):
        client.sendmail("a@example.org", ["b@example.org"], b"x" * 78 + b"\r\n" + (b"y" * 78 + b"\r\n") * 150_000)
    assert refused.value.smtp_code == 552
    assert mails(sink) == []


def test_a_second_start_leaves_it_alone_and_a_stopped_one_keeps_its_mails(sink: dict[str, Any], tmp_path: Path) -> None:
    pid = pid_of(tmp_path, "smtp")
    assert SmtpServer().start(tmp_path, 1) == sink
    assert pid_of(tmp_path, "smtp") == pid
    with smtplib.SMTP(sink["host"], sink["port"], timeout=10) as client:
        client.sendmail("a@example.org", ["b@example.org"], b"Subject: x\r\n\r\nhi\r\n")
    stop(tmp_path, "smtp")
    SmtpServer().start(tmp_path, sink["port"])
    assert len(mails(sink)) == 1


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(ServerError, match="package aiosmtpd"):
        SmtpServer().install()
