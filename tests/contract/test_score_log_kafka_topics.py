"""What the log on Kafka checks of its topics before it uses them, and what it says when something is otherwise."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace
from typing import Literal, get_args

import pytest
from aiokafka.admin import RecordsToDelete
from aiokafka.structs import TopicPartition

from storage.ports import (
    LogConfigurationError,
    LogError,
    LogReader,
    LogTruncatedError,
    LogUnavailableError,
    NewRecord,
)
from storage.score_log.kafka import log as score_log_kafka
from storage.score_log.kafka import producer as score_log_kafka_producer
from storage.score_log.kafka.config import KafkaLogConfig
from storage.score_log.kafka.log import KafkaScoreLog
from storage.score_log.kafka.topics import check_made
from tests.contract.conftest import PARTITIONS, kafka_config
from tests.support.kafka_topics import administering, delete_topic, make_topic, open_log, set_topic
from tests.support.servers_kafka import PASSWORD, USER, KafkaForTests


@pytest.fixture
def config(kafka: KafkaForTests) -> KafkaLogConfig:
    return kafka_config(kafka)


async def refused(config: KafkaLogConfig) -> str:
    with pytest.raises(LogConfigurationError) as raised:
        await open_log(config)
    return str(raised.value)


async def test_topics_that_are_missing_are_made_as_configured_and_found_the_next_time(config: KafkaLogConfig) -> None:
    log = await open_log(config)
    identity = log.identity
    await log.close()
    async with administering(config) as admin:
        (state,) = await admin.describe_topics([config.topic])
        assert len(state["partitions"]) == PARTITIONS
    again = await open_log(config)
    assert again.identity == identity
    await again.close()


async def test_who_only_looks_makes_no_topic(config: KafkaLogConfig) -> None:
    with pytest.raises(LogConfigurationError, match=f"topic {config.topic}: expected one, found none"):
        await check_made(config)
    async with administering(config) as admin:
        assert config.topic not in await admin.list_topics()
    await (await open_log(config)).close()
    await check_made(config)


async def test_a_topic_of_another_number_of_partitions_is_refused(config: KafkaLogConfig) -> None:
    await make_topic(config, partitions=12)
    assert f"expected {PARTITIONS} partitions, got 12" in await refused(config)


async def test_a_lazily_opened_log_tells_every_use_of_it(config: KafkaLogConfig) -> None:
    await make_topic(config, partitions=12)
    log = KafkaScoreLog(config)
    with pytest.raises(LogConfigurationError, match="12"):
        await log.append([NewRecord(0, b"1", b"x")])
    with pytest.raises(LogConfigurationError, match="12"):
        await log.reader({0: -1}).poll(1, 0)
    with pytest.raises(LogConfigurationError, match="12"):
        await log.bounds()
    with pytest.raises(LogUnavailableError):
        assert log.identity
    await log.close()


@pytest.mark.parametrize(
    ("setting", "value", "said"),
    [
        ("message_timestamp_type", "CreateTime", "expected message.timestamp.type LogAppendTime, got CreateTime"),
        ("cleanup_policy", "compact", "expected cleanup.policy delete, got compact"),
        ("compression_type", "producer", "expected compression.type uncompressed, got producer"),
        ("unclean_leader_election_enable", "true", "expected unclean.leader.election.enable false, got true"),
        ("retention_bytes", "1000000", "expected retention.bytes -1, got 1000000"),
        ("retention_ms", "60000", "expected retention.ms 604800000, got 60000"),
        ("max_message_bytes", "1000", "expected max.message.bytes of at least 1048576, got 1000"),
    ],
)
async def test_a_topic_that_is_set_otherwise_is_refused(
    config: KafkaLogConfig, setting: str, value: str, said: str
) -> None:
    await make_topic(config, None, **{setting: value})
    assert said in await refused(config)


async def test_replicas_other_than_configured_are_refused(config: KafkaLogConfig) -> None:
    await make_topic(config)
    assert "expected replication factor [3], got [1]" in await refused(replace(config, replication_factor=3))
    assert "expected min.insync.replicas 2, got 1" in await refused(replace(config, min_insync_replicas=2))


async def test_more_replicas_than_brokers_cannot_be_made(config: KafkaLogConfig) -> None:
    assert "cannot be made" in await refused(replace(config, replication_factor=3))


async def test_a_topic_that_was_made_anew_is_another_log(
    config: KafkaLogConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(score_log_kafka, "IDENTITY_S", 0.0)
    monkeypatch.setattr(score_log_kafka_producer, "CHECK_S", 0.0)
    log = await open_log(config)
    await log.append([NewRecord(0, b"1", b"%d" % i) for i in range(8)])
    await log.commit({0: 3})
    reader = log.reader({0: 5})
    assert [r.value for part in await reader.poll(10, 2_000) for r in part.records] == [b"6", b"7"]
    await delete_topic(config)
    await make_topic(config)
    other = await open_log(config)
    assert other.identity != log.identity
    with pytest.raises(LogConfigurationError, match=f"expected the one with id {log.identity}, got {other.identity}"):
        await log.commit({0: 4})
    with pytest.raises(LogError, match="ends at -1, commit of 4"):
        await other.commit({0: 4})
    with pytest.raises(LogTruncatedError, match="ends at -1, wanted 8"):
        await until_told(reader)
    with pytest.raises(LogConfigurationError, match="made anew"):
        await append_until_told(log)
    with pytest.raises(LogConfigurationError, match="made anew"):
        await log.append([NewRecord(1, b"1", b"x")])
    await log.close()
    await other.close()


async def append_until_told(log: KafkaScoreLog) -> None:
    """The check runs beside the appends."""
    for _ in range(50):
        await log.append([NewRecord(1, b"1", b"x")])
        await asyncio.sleep(0.02)


async def until_told(reader: LogReader) -> None:
    """Poll while the client learns of new leaders."""
    for _ in range(50):
        with contextlib.suppress(LogUnavailableError):
            await reader.poll(10, 100)


async def test_a_log_start_past_a_position_is_told(config: KafkaLogConfig) -> None:
    log = await open_log(config)
    await log.append([NewRecord(1, b"1", b"%d" % i) for i in range(8)])
    behind, ahead = log.reader({1: 3}), log.reader({1: 4})
    async with administering(config) as admin:
        await admin.delete_records({TopicPartition(config.topic, 1): RecordsToDelete(5)})
    assert (await log.bounds())[1] == (5, 7)
    with pytest.raises(LogTruncatedError, match="starts at 5, wanted 4"):
        await behind.poll(10, 1_000)
    with pytest.raises(LogTruncatedError, match="starts at 5, wanted 4"):
        await log.read(1, 3, 10)
    assert [r.offset for part in await ahead.poll(10, 1_000) for r in part.records] == [5, 6, 7]
    await log.close()


async def test_a_position_beyond_the_end_is_told(config: KafkaLogConfig) -> None:
    log = await open_log(config)
    await log.append([NewRecord(1, b"1", b"x")])
    with pytest.raises(LogTruncatedError, match="ends at 0, wanted 6"):
        await log.reader({1: 5}).poll(10, 1_000)
    with pytest.raises(LogTruncatedError, match="ends at 0, wanted 6"):
        await log.read(1, 5, 10)
    await log.close()


async def test_settings_changed_later_are_noticed_at_the_next_start(config: KafkaLogConfig) -> None:
    log = await open_log(config)
    await log.close()
    await set_topic(config, message_timestamp_type="CreateTime")
    assert "LogAppendTime" in await refused(config)


# -- addresses and credentials ----------------------------------------------------------------------------------------


Mechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]
MECHANISMS = get_args(Mechanism)


def sasl(kafka: KafkaForTests, config: KafkaLogConfig, password: str, mechanism: Mechanism = "PLAIN") -> KafkaLogConfig:
    return replace(
        config,
        bootstrap_servers=kafka.sasl_bootstrap_servers,
        security_protocol="SASL_PLAINTEXT",
        sasl_mechanism=mechanism,
        username=USER,
        password=password,
    )


async def appended_and_read(config: KafkaLogConfig) -> None:
    """A record goes in and comes out."""
    log = await open_log(config)
    assert await log.append([NewRecord(0, b"1", b"x")]) == [0]
    assert [r.value for part in await log.reader({0: -1}).poll(1, 2_000) for r in part.records] == [b"x"]
    await log.close()


@pytest.mark.parametrize("mechanism", MECHANISMS)
async def test_the_right_password_lets_in_and_is_written_nowhere(
    kafka: KafkaForTests, config: KafkaLogConfig, caplog: pytest.LogCaptureFixture, mechanism: Mechanism
) -> None:
    caplog.set_level("DEBUG")
    with_password = sasl(kafka, config, PASSWORD, mechanism)
    await appended_and_read(with_password)
    assert PASSWORD not in caplog.text
    assert PASSWORD not in repr(with_password)


async def test_tls_with_a_password_lets_in_and_a_certificate_that_is_not_trusted_is_told(
    kafka: KafkaForTests, config: KafkaLogConfig
) -> None:
    secure = replace(
        sasl(kafka, config, PASSWORD),
        bootstrap_servers=kafka.tls_bootstrap_servers,
        security_protocol="SASL_SSL",
        cafile=kafka.cafile,
        call_timeout_ms=1_500,
    )
    await appended_and_read(secure)
    with pytest.raises(LogUnavailableError, match="certificate verify failed"):
        await open_log(replace(secure, cafile=None))
    assert "refused user" in await refused(replace(secure, password="not-the-password"))


async def test_a_client_that_shows_a_certificate_needs_no_password(
    kafka: KafkaForTests, config: KafkaLogConfig
) -> None:
    shown = kafka.authority.issue("palio")
    mutual = replace(
        config,
        bootstrap_servers=kafka.mutual_bootstrap_servers,
        security_protocol="SSL",
        cafile=kafka.cafile,
        certfile=str(shown.certificate),
        keyfile=str(shown.key),
        call_timeout_ms=1_500,
    )
    await appended_and_read(mutual)
    with pytest.raises(LogUnavailableError, match="cannot be reached"):
        await open_log(replace(mutual, certfile=None, keyfile=None))


@pytest.mark.parametrize("mechanism", MECHANISMS)
async def test_a_wrong_password_is_told_without_it(
    kafka: KafkaForTests, config: KafkaLogConfig, caplog: pytest.LogCaptureFixture, mechanism: Mechanism
) -> None:
    caplog.set_level("DEBUG")
    said = await refused(sasl(kafka, config, "not-the-password", mechanism))
    assert f"refused user '{USER}' ({mechanism})" in said
    assert "SaslAuthenticationFailed" in said
    log = KafkaScoreLog(sasl(kafka, config, "not-the-password", mechanism))
    with pytest.raises(LogConfigurationError, match="refused user"):
        await log.append([NewRecord(0, b"1", b"x")])
    await log.close()
    assert "not-the-password" not in said + caplog.text


async def test_no_password_where_one_is_needed_is_told(kafka: KafkaForTests, config: KafkaLogConfig) -> None:
    said = await refused(replace(sasl(kafka, config, "x"), password=None))
    assert "sasl_plain_password required" in said


@pytest.mark.parametrize("servers", ["127.0.0.1:1", "nowhere.invalid:9092"])
async def test_an_unreachable_host_is_told_within_the_deadline(config: KafkaLogConfig, servers: str) -> None:
    unreachable = replace(
        config, bootstrap_servers=servers, call_timeout_ms=1_000, username=USER, password="not-the-password"
    )
    with pytest.raises(LogUnavailableError, match=f"{servers} cannot be reached") as raised:
        await open_log(unreachable)
    assert "not-the-password" not in str(raised.value)


async def test_settings_that_make_no_sense_are_told(config: KafkaLogConfig) -> None:
    assert "host:port" in await refused(replace(config, bootstrap_servers="127.0.0.1:kafka"))
    assert "expected settings" in await refused(replace(config, security_protocol="SSL", cafile="/nonexistent/ca.pem"))


async def test_a_plain_listener_asked_for_tls_is_told(config: KafkaLogConfig) -> None:
    with pytest.raises(LogUnavailableError, match="cannot be reached"):
        await open_log(replace(config, security_protocol="SSL", call_timeout_ms=1_500, request_timeout_ms=1_000))
