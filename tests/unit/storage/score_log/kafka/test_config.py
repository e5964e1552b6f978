from __future__ import annotations

import logging
import ssl
import time
from pathlib import Path

import pytest

from storage.score_log.kafka import config as module
from storage.score_log.kafka.config import KafkaLogConfig, Sparse


def record(message: str, *arguments: object) -> logging.LogRecord:
    return logging.LogRecord("aiokafka", logging.WARNING, "", 0, message, arguments, None)


def test_a_kind_of_message_passes_once_in_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = 0.0
    monkeypatch.setattr(time, "monotonic", lambda: now_s)
    sparse = Sparse(10)
    assert sparse.filter(record("cannot reach %s", "a"))
    assert not sparse.filter(record("cannot reach %s", "b"))
    assert sparse.filter(record("another"))
    now_s = 9.9
    assert not sparse.filter(record("cannot reach %s", "a"))
    now_s = 10.0
    assert sparse.filter(record("cannot reach %s", "a"))
    assert not sparse.filter(record("cannot reach %s", "a"))


def test_aiokafka_never_logs_requests_one_of_which_carries_the_password() -> None:
    assert not logging.getLogger("aiokafka.conn").isEnabledFor(logging.DEBUG)
    for name in ("aiokafka", "aiokafka.conn", "aiokafka.cluster"):
        assert any(isinstance(each, Sparse) for each in logging.getLogger(name).filters), name


def test_names_follow_from_the_topic() -> None:
    plain = KafkaLogConfig("a:1", topic="scores")
    assert (plain.letters_topic, plain.commit_group) == ("scores-dlq", "scores-durable")


def test_a_letter_has_room_for_a_whole_record_and_what_is_said_of_it() -> None:
    assert KafkaLogConfig("a:1", max_message_bytes=1000).max_letter_bytes == 1000 + 65536


def test_the_password_is_not_shown() -> None:
    assert "hidden" not in repr(KafkaLogConfig("a:1", username="me", password="hidden"))


@pytest.mark.parametrize("protocol", ["PLAINTEXT", "SASL_PLAINTEXT"])
def test_without_tls_there_is_no_context(protocol: module.SecurityProtocol) -> None:
    arguments = KafkaLogConfig("a:1", security_protocol=protocol, username="me", password="p").connection()
    assert arguments["ssl_context"] is None
    assert (arguments["sasl_plain_username"], arguments["sasl_plain_password"]) == ("me", "p")


@pytest.mark.parametrize("protocol", ["SSL", "SASL_SSL"])
def test_with_tls_servers_must_prove_who_they_are(protocol: module.SecurityProtocol) -> None:
    context = KafkaLogConfig("a:1", security_protocol=protocol).connection()["ssl_context"]
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)


def test_files_that_are_none_are_errors(tmp_path: Path) -> None:
    (tmp_path / "no.pem").write_text("no certificate", encoding="utf-8")
    with pytest.raises(OSError, match="No such file"):
        KafkaLogConfig("a:1", security_protocol="SSL", cafile=str(tmp_path / "away.pem")).connection()
    with pytest.raises(ssl.SSLError):
        KafkaLogConfig("a:1", security_protocol="SSL", cafile=str(tmp_path / "no.pem")).connection()
    with pytest.raises(ssl.SSLError):
        KafkaLogConfig("a:1", security_protocol="SSL", certfile=str(tmp_path / "no.pem")).connection()
