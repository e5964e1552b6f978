from __future__ import annotations

import os
from typing import Any

import pytest
from redis.asyncio.connection import parse_url

from cluster.config.settings import load_settings
from cluster.errors import SettingsError


@pytest.fixture(autouse=True)
def no_palio_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in list(os.environ):
        if variable.upper().startswith("PALIO_"):
            monkeypatch.delenv(variable)


def test_servers_take_the_embedded_parts_places(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load_settings()
    assert (settings.kafka(50, 1, 1), settings.mysql(), settings.redis(), settings.influx()) == (None, None, None, None)
    monkeypatch.setenv("PALIO_KAFKA_BOOTSTRAP_SERVERS", "a:1,b:2")
    monkeypatch.setenv("PALIO_KAFKA_PASSWORD", "hunter2")
    monkeypatch.setenv("PALIO_MYSQL_SHARDS", "p0:1/r0:2/s0:3,p1:4")
    monkeypatch.setenv("PALIO_MYSQL_PASSWORD", "hunter2")
    monkeypatch.setenv("PALIO_REDIS_URLS", "redis://c:5,redis://d:6")
    monkeypatch.setenv("PALIO_REDIS_CLUSTER", "true")
    monkeypatch.setenv("PALIO_INFLUX_URL", "http://i:7")
    settings = load_settings()
    kafka, mysql, redis, influx = settings.kafka(50, 10, 2.0), settings.mysql(), settings.redis(), settings.influx()
    assert kafka is not None
    assert (kafka.bootstrap_servers, kafka.partitions, kafka.max_queued, kafka.password) == (
        "a:1,b:2",
        50,
        10,
        "hunter2",
    )
    assert mysql is not None
    assert [[str(server) for server in (shard.primary, *shard.replicas)] for shard in mysql.shards] == [
        ["p0:1", "r0:2", "s0:3"], ["p1:4"],
    ]  # fmt: skip
    assert redis is not None
    assert (redis.urls, redis.cluster) == (("redis://c:5", "redis://d:6"), True)
    assert influx is not None
    assert influx.url == "http://i:7"
    assert "hunter2" not in repr((settings, kafka, mysql, redis, influx))


def test_tls_and_sasl_pass_through_to_every_server(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable, value in {
        "PALIO_KAFKA_BOOTSTRAP_SERVERS": "a:1",
        "PALIO_KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
        "PALIO_KAFKA_SASL_MECHANISM": "SCRAM-SHA-512",
        "PALIO_KAFKA_USER": "u",
        "PALIO_MYSQL_SHARDS": "p0:1",
        "PALIO_MYSQL_TLS": "true",
        "PALIO_REDIS_URLS": "rediss://c:5,rediss://d:6?ssl_check_hostname=false",
        "PALIO_INFLUX_URL": "https://i:7",
        "PALIO_INFLUX_CA_FILE": "/ca",
    }.items():
        monkeypatch.setenv(variable, value)
    for part in ("KAFKA", "MYSQL", "REDIS"):
        for kind in ("CA", "CERT", "KEY"):
            monkeypatch.setenv(f"PALIO_{part}_{kind}_FILE", f"/a {part} {kind}")
    settings = load_settings()
    kafka, mysql, redis, influx = settings.kafka(50, 1, 1), settings.mysql(), settings.redis(), settings.influx()
    assert kafka is not None
    assert (kafka.security_protocol, kafka.sasl_mechanism, kafka.username) == ("SASL_SSL", "SCRAM-SHA-512", "u")
    assert (kafka.cafile, kafka.certfile, kafka.keyfile) == ("/a KAFKA CA", "/a KAFKA CERT", "/a KAFKA KEY")
    assert mysql is not None
    assert mysql.tls
    assert (mysql.tls_ca_file, mysql.tls_cert_file, mysql.tls_key_file) == (
        "/a MYSQL CA",
        "/a MYSQL CERT",
        "/a MYSQL KEY",
    )
    assert redis is not None
    for url in redis.urls:
        options: dict[str, Any] = dict(parse_url(url))
        assert [options[f"ssl_{name}"] for name in ("ca_certs", "certfile", "keyfile")] == [
            "/a REDIS CA", "/a REDIS CERT", "/a REDIS KEY",
        ]  # fmt: skip
    assert dict(parse_url(redis.urls[1]))["ssl_check_hostname"] is False, "what the URL says stays"
    assert influx is not None
    assert (influx.url, influx.ca_file) == ("https://i:7", "/ca")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"PALIO_KAFKA_CA_FILE": "/ca"}, "expected PALIO_KAFKA_SECURITY_PROTOCOL SSL or SASL_SSL beside it"),
        ({"PALIO_MYSQL_CERT_FILE": "/cert"}, "expected PALIO_MYSQL_TLS beside it"),
        ({"PALIO_REDIS_CA_FILE": "/ca"}, "expected rediss:// in PALIO_REDIS_URLS beside it"),
        (
            {"PALIO_REDIS_CA_FILE": "/ca", "PALIO_REDIS_URLS": "rediss://a:1,redis://b:2"},
            "expected rediss:// in PALIO_REDIS_URLS beside it",
        ),
        (
            {"PALIO_MYSQL_KEY_FILE": "/key", "PALIO_MYSQL_TLS": "true"},
            "expected PALIO_MYSQL_CERT_FILE beside it",
        ),
    ],
)
def test_files_for_tls_that_would_do_nothing_are_refused(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, str], told: str
) -> None:
    for variable, value in given.items():
        monkeypatch.setenv(variable, value)
    with pytest.raises(SettingsError) as error:
        load_settings()
    assert str(error.value).startswith(next(iter(given)))
    assert told in str(error.value)


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("PALIO_MYSQL_SHARDS", "p0:1/r0", "expected host:port for each server, got 'r0'"),
        ("PALIO_MYSQL_SHARDS", "3306", "expected host:port for each server, got '3306'"),
        ("PALIO_MYSQL_SHARDS", ":3306", "expected host:port for each server, got ':3306'"),
        ("PALIO_MYSQL_SHARDS", "p0:", "expected host:port for each server, got 'p0:'"),
        ("PALIO_MYSQL_SHARDS", "p0:1,", "expected host:port for each server, got ''"),
        ("PALIO_MYSQL_SHARDS", "p0:\u00b2", "expected host:port for each server, got 'p0:\u00b2'"),
        ("PALIO_MYSQL_SHARDS", "p0:70000", "expected host:port for each server, got 'p0:70000'"),
        ("PALIO_KAFKA_MIN_INSYNC_REPLICAS", "4", "expected at most PALIO_KAFKA_REPLICATION_FACTOR (3), got 4"),
        ("PALIO_KAFKA_SECURITY_PROTOCOL", "TLS", "expected one of PLAINTEXT, SSL"),
        (
            "PALIO_REDIS_URLS",
            "redis://u:geheim@h:6379",
            "user and password are PALIO_REDIS_USER and PALIO_REDIS_PASSWORD",
        ),
        ("PALIO_MYSQL_SHARDS", "u:geheim@db", "user and password are PALIO_MYSQL_USER and PALIO_MYSQL_PASSWORD"),
        ("PALIO_INFLUX_URL", "http://u:geheim@h:8086", "expected addresses alone"),
        ("PALIO_KAFKA_TOPIC_ID", "abc", "expected PALIO_KAFKA_BOOTSTRAP_SERVERS beside it"),
    ],
)
def test_servers_that_cannot_be(monkeypatch: pytest.MonkeyPatch, name: str, value: str, told: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as error:
        load_settings()
    assert str(error.value).startswith(name)
    assert told in str(error.value)
    assert "geheim" not in str(error.value)
