"""The topics of the score log: made when missing, else checked. What would lose or reorder records stops the start.

Checked of the log's topic: the number of partitions (tournaments are placed by it for ever), LogAppendTime (an end is exact by the
log's clock), the replication factor, min.insync.replicas, no unclean election (it loses acknowledged records), deletion by time alone
(not by size, not compacted), room for the largest record, and records stored uncompressed, since a codec that a reader lacks would
stall its partition.
"""

from __future__ import annotations

from typing import Any, Final

from aiokafka.protocol.admin import CreateTopicsRequest, DescribeConfigsRequest

from storage.ports.errors import LogConfigurationError
from storage.score_log.kafka.client import (
    LATEST,
    NO_ERROR,
    TOPIC_ALREADY_EXISTS,
    UNKNOWN_TOPIC_OR_PARTITION,
    KafkaClient,
    RetriableError,
)
from storage.score_log.kafka.config import KafkaLogConfig
from storage.score_log.kafka.protocol import TopicRequest, TopicState, topic_states

TOPIC: Final = 2  # the protocol's type of a configuration resource
MAKE_TIMEOUT_S: Final = (
    60.0  # once in a log's life; a broker that has just started on a busy machine took more than 10 s for 50 partitions
)


def log_settings(config: KafkaLogConfig) -> dict[str, str]:
    """What the log's topic must be set to."""
    return {
        "cleanup.policy": "delete",
        "compression.type": "uncompressed",
        "message.timestamp.type": "LogAppendTime",
        "min.insync.replicas": str(config.min_insync_replicas),
        "retention.bytes": "-1",
        "unclean.leader.election.enable": "false",
    }


async def open_topics(client: KafkaClient) -> TopicState:
    """Make the topics or check them; returns the log's. Raises LogConfigurationError, LogUnavailableError."""
    config = client.config
    letters = {
        **log_settings(config),
        "max.message.bytes": str(config.max_letter_bytes),
        "retention.ms": str(config.dead_letter_retention_ms),
    }
    log = {
        **log_settings(config),
        "max.message.bytes": str(config.max_message_bytes),
        "retention.ms": str(config.retention_ms),
    }
    names = [config.topic, config.letters_topic]
    states = await topics(client, names)
    found = states[config.topic]
    if config.topic_id is not None and (found is None or str(found.topic_id) != config.topic_id):
        there = "no such topic" if found is None else f"one with id {found.topic_id}"
        raise LogConfigurationError(f"topic {config.topic}: expected the one with id {config.topic_id}, found {there}")
    if found is not None:  # checked first: beside a topic that is not as it must be, nothing is made
        await _check(client, found)
    if states[config.letters_topic] is None:
        await client.retried(lambda: _create(client, config.letters_topic, 1, letters), MAKE_TIMEOUT_S)
    if states[config.topic] is None:
        await client.retried(lambda: _create(client, config.topic, config.partitions, log), MAKE_TIMEOUT_S)
    if None in states.values():
        states = await client.retried(lambda: _appeared(client, names), MAKE_TIMEOUT_S)
        made = states[config.topic]
        assert made is not None
        await client.follow(names)
        # A broker leads new partitions a moment after they are known.
        await client.list_offsets(config.topic, dict.fromkeys(range(made.partitions), LATEST), MAKE_TIMEOUT_S)
        await client.list_offsets(config.letters_topic, {0: LATEST}, MAKE_TIMEOUT_S)
    else:
        await client.follow(names)
    state = states[config.topic]
    assert state is not None
    if found is None:
        await _check(client, state)
    _check_room(config.letters_topic, await topic_settings(client, config.letters_topic), config.max_letter_bytes)
    return state


async def check_made(config: KafkaLogConfig) -> None:
    """For who only looks: raises LogConfigurationError unless the log's topics are there; none is made. LogUnavailableError."""
    client = KafkaClient(config)
    try:
        missing = [
            name
            for name, state in (await topics(client, [config.topic, config.letters_topic])).items()
            if state is None
        ]
    finally:
        await client.close()
    if missing:
        raise LogConfigurationError(f"topic {missing[0]}: expected one, found none")


async def topics(client: KafkaClient, names: list[str]) -> dict[str, TopicState | None]:
    """Each topic's state, None where there is none."""

    async def attempt() -> dict[str, TopicState | None]:
        found = topic_states(await client.ask(TopicRequest(names)))
        states: dict[str, TopicState | None] = {}
        for name in names:
            state = found[name]
            if state.error_code == UNKNOWN_TOPIC_OR_PARTITION:
                states[name] = None
            else:
                await client.check(state.error_code, f"topic {name}")
                states[name] = state
        return states

    return await client.retried(attempt)


async def _appeared(client: KafkaClient, names: list[str]) -> dict[str, TopicState | None]:
    """The states of topics that were just made; a broker learns of them a moment after the controller."""
    states = await topics(client, names)
    missing = [name for name, state in states.items() if state is None]
    if missing:
        raise RetriableError(f"topic {missing[0]} was made and is not there yet")
    return states


async def _create(client: KafkaClient, name: str, partitions: int, settings: dict[str, str]) -> None:
    config = client.config
    inner = await client.started()
    controller = inner.cluster.controller
    if controller is None:
        await client.refresh()
        raise RetriableError("Kafka has no controller")
    topic: tuple[Any, ...] = (name, partitions, config.replication_factor, [], list(settings.items()))
    reply = await client.send(controller.nodeId, CreateTopicsRequest([topic], config.request_timeout_ms, False))
    _, code, message = reply.topic_errors[0][:3]
    if code not in (NO_ERROR, TOPIC_ALREADY_EXISTS):  # another process may have made it meanwhile
        try:
            await client.check(code, f"topic {name} cannot be made")
        except RetriableError:
            raise
        except Exception as error:
            raise LogConfigurationError(f"{error}: {message}") from error


async def topic_settings(client: KafkaClient, name: str) -> dict[str, str]:
    """What a topic is set to, defaults included."""

    async def attempt() -> dict[str, str]:
        reply = await client.ask(DescribeConfigsRequest([(TOPIC, name, None)]))
        code, message, _, _, entries = reply.resources[0]
        await client.check(code, f"the settings of topic {name} ({message})")
        return {entry[0]: entry[1] for entry in entries}

    return await client.retried(attempt)


async def _check(client: KafkaClient, state: TopicState) -> None:
    config = client.config
    name = config.topic

    def expect(what: str, expected: Any, got: Any) -> None:
        if expected != got:
            raise LogConfigurationError(f"topic {name}: expected {what} {expected}, got {got}")

    if state.partitions != config.partitions:
        raise LogConfigurationError(
            f"topic {name}: expected {config.partitions} partitions, got {state.partitions}: growth is a new topic"
        )
    expect("replication factor", [config.replication_factor], sorted(set(state.replicas)))
    settings = await topic_settings(client, name)
    for setting, expected in log_settings(config).items():
        expect(setting, expected, settings.get(setting))
    expect("retention.ms", str(config.retention_ms), settings.get("retention.ms"))
    _check_room(name, settings, config.max_message_bytes)


def _check_room(topic: str, settings: dict[str, str], needed_bytes: int) -> None:
    room = settings["max.message.bytes"]
    if int(room) < needed_bytes:
        raise LogConfigurationError(f"topic {topic}: expected max.message.bytes of at least {needed_bytes}, got {room}")
