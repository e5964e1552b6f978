"""A connection of the score log to Kafka: started when first used, errors translated, every retry bounded by a deadline.

One client has one connection to each broker, and a broker answers the requests of a connection one after another. So producing, each
reader and everything else have a client of their own: a fetch that waits for news holds nothing else up.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Final, TypeVar

import aiokafka.errors
from aiokafka.client import AIOKafkaClient, ConnectionGroup, CoordinationType
from aiokafka.conn import collect_hosts, create_conn
from aiokafka.errors import KafkaError
from aiokafka.protocol.offset import OffsetRequest
from aiokafka.structs import TopicPartition

from storage.ports.errors import LogConfigurationError, LogError, LogUnavailableError
from storage.score_log.kafka.config import KafkaLogConfig
from storage.score_log.kafka.protocol import Fetched, FetchRequest

T = TypeVar("T")

# The protocol's error codes that callers look for.
NO_ERROR: Final = 0
OFFSET_OUT_OF_RANGE: Final = 1
UNKNOWN_TOPIC_OR_PARTITION: Final = 3
TOPIC_ALREADY_EXISTS: Final = 36

# Codes that another try may mend, beside those that aiokafka says so of: unknown server error, broker, replica or preferred leader
# not available, fenced and unknown leader epoch, offset not available, quota exceeded.
ALSO_RETRIABLE: Final = frozenset({-1, 8, 9, 74, 75, 78, 80, 89})

# Where to list offsets from (the protocol's special timestamps).
EARLIEST: Final = -2
LATEST: Final = -1

BACKOFF_FIRST_S: Final = 0.05
BACKOFF_LAST_S: Final = 1.0
UNREACHABLE: Final = (KafkaError, OSError, asyncio.TimeoutError, KeyError, AssertionError)
AUTHENTICATION: Final = (
    aiokafka.errors.AuthenticationFailedError,
    aiokafka.errors.AuthenticationMethodNotSupported,
    aiokafka.errors.SaslAuthenticationFailed,
    aiokafka.errors.UnsupportedSaslMechanismError,
    aiokafka.errors.IllegalSaslStateError,
)


class RetriableError(LogUnavailableError):
    """A request failed in a way that another try may mend."""


class KafkaClient:
    """Belongs to one event loop, that of its first use. `topics`: those whose partitions' leaders it keeps up with, once they exist."""

    def __init__(self, config: KafkaLogConfig, topics: Iterable[str] = ()) -> None:
        self.config = config
        self._topics = list(topics)
        self._client: Any = None
        self._starting: asyncio.Lock | None = None
        self._closed = False

    async def started(self) -> Any:
        """aiokafka's client, connected. Raises LogUnavailableError, and LogConfigurationError for credentials that are refused."""
        if self._closed:
            raise LogUnavailableError("the log is closed")
        if self._usable():
            return self._client
        if self._starting is None:
            self._starting = asyncio.Lock()
        async with self._starting:
            if self._client is not None and not self._usable():
                broken, self._client = self._client, None
                with contextlib.suppress(*UNREACHABLE):
                    await broken.close()
            if self._client is None:
                self._client = await self._bootstrap()
        return self._client

    def _usable(self) -> bool:
        """Not one whose task of keeping up with the leaders died of an error that aiokafka did not expect, nor one that knows no broker any
        more: it asks nobody, for ever (seen: a broker that had lost its controller answered with no brokers at all)."""
        client = self._client
        return client is not None and not client._sync_task.done() and client.get_random_node() is not None

    async def _bootstrap(self) -> Any:
        servers = self.config.bootstrap_servers
        try:
            arguments = self.config.connection()
            client = AIOKafkaClient(bootstrap_servers=servers.split(","), **arguments)
        except (ValueError, OSError, ssl.SSLError) as error:
            raise LogConfigurationError(f"expected settings to connect to Kafka with, got: {error}") from error
        try:
            await client.bootstrap()
            if self._topics:
                await client.set_topics(self._topics)
        except ValueError as error:
            await client.close()
            raise LogConfigurationError(f"expected servers as host:port, got {servers!r}: {error}") from error
        except UNREACHABLE as error:
            await client.close()
            raise await self._reason(arguments, error) from error
        except BaseException:
            await client.close()
            raise
        if self._closed:
            await client.close()
            raise LogUnavailableError("the log is closed")
        if client.get_random_node() is None:
            await client.close()
            raise RetriableError(f"Kafka at {servers} names no brokers yet")
        return client

    async def _reason(self, arguments: Mapping[str, Any], error: BaseException) -> LogError:
        """Why a bootstrap failed: aiokafka says only that it did, so the first server is asked once more."""
        servers = self.config.bootstrap_servers
        try:
            host, port, _ = collect_hosts(servers.split(","))[0]
            connection = await create_conn(host, port, **arguments)
            connection.close()
        except AUTHENTICATION as refused:
            return LogConfigurationError(
                f"Kafka at {servers} refused user {self.config.username!r} ({self.config.sasl_mechanism}):"
                f" {type(refused).__name__}"
            )
        except UNREACHABLE as failed:
            return RetriableError(f"Kafka at {servers} cannot be reached: {describe_error(failed)}")
        return RetriableError(f"Kafka at {servers} cannot be reached: {describe_error(error)}")

    async def send(self, node: int, request: Any, *, coordination: bool = False) -> Any:
        """One request to one broker, without retry. Raises RetriableError, LogUnavailableError."""
        client = await self.started()
        group = ConnectionGroup.COORDINATION if coordination else ConnectionGroup.DEFAULT
        try:
            return await client.send(node, request, group=group)
        except (NotImplementedError, aiokafka.errors.IncompatibleBrokerVersion) as error:
            raise LogConfigurationError(
                f"expected a broker that takes {type(request).__name__} in a version of ours, broker {node} does not"
            ) from error
        except UNREACHABLE as error:
            client.force_metadata_update()
            raise RetriableError(f"Kafka's broker {node} did not answer: {describe_error(error)}") from error

    async def ask(self, request: Any) -> Any:
        """One request to any broker."""
        client = await self.started()
        return await self.send(client.get_random_node(), request)

    async def retried(self, attempt: Callable[[], Awaitable[T]], timeout_s: float | None = None) -> T:
        """The result of `attempt`, tried again while it raises RetriableError, for at most `timeout_s` (by default, the call timeout)."""
        loop = asyncio.get_running_loop()
        limit_s = self.config.call_timeout_ms / 1000 if timeout_s is None else timeout_s
        deadline = loop.time() + limit_s
        backoff_s = BACKOFF_FIRST_S
        last: RetriableError | None = None
        while True:
            try:
                async with asyncio.timeout_at(deadline):
                    return await attempt()
            except RetriableError as error:
                last = error
            except TimeoutError as error:
                raise LogUnavailableError(f"Kafka did not answer within {limit_s:g} s; {last or 'no reply'}") from error
            if loop.time() + backoff_s > deadline:
                raise LogUnavailableError(f"Kafka did not answer within {limit_s:g} s: {last}") from last
            await asyncio.sleep(backoff_s)
            backoff_s = min(2 * backoff_s, BACKOFF_LAST_S)

    async def leaders(self, topic: str, partitions: Iterable[int]) -> dict[int, list[int]]:
        """Partitions by the broker that leads them. Raises RetriableError when one has no leader."""
        client = await self.started()
        by_node: dict[int, list[int]] = {}
        for partition in partitions:
            node = client.cluster.leader_for_partition(TopicPartition(topic, partition))
            if node is None or node == -1:
                await self.refresh()
                raise RetriableError(f"partition {partition} of {topic} has no leader")
            by_node.setdefault(node, []).append(partition)
        return by_node

    async def to_leaders(self, topic: str, partitions: Iterable[int], request_for: Callable[[list[int]], Any]) -> Any:
        """The replies of all leaders of some partitions to a request each. Raises RetriableError."""
        by_node = await self.leaders(topic, partitions)
        return await asyncio.gather(*(self.send(node, request_for(own)) for node, own in by_node.items()))

    async def list_offsets(
        self, topic: str, times: Mapping[int, int], timeout_s: float | None = None
    ) -> dict[int, int]:
        """For each partition the first offset of that time (ms) or later, -1 where there is none; or EARLIEST, LATEST."""
        found = await self.find_records(topic, times, timeout_s)
        return {partition: offset for partition, (_, offset) in found.items()}

    async def find_records(
        self, topic: str, times: Mapping[int, int], timeout_s: float | None = None
    ) -> dict[int, tuple[int, int]]:
        """As `list_offsets`: (time in ms, offset), the time that of the record found."""

        async def attempt() -> dict[int, tuple[int, int]]:
            found: dict[int, tuple[int, int]] = {}
            replies = await self.to_leaders(
                topic, times, lambda own: OffsetRequest(-1, 0, [(topic, [(p, times[p]) for p in own])])
            )
            for reply in replies:
                for _, parts in reply.topics:
                    for partition, code, time_ms, offset in parts:
                        await self.check(code, f"the offsets of partition {partition}")
                        found[partition] = (time_ms, offset)
            return found

        return await self.retried(attempt, timeout_s) if times else {}

    async def fetch(
        self, node: int, topic: str, offsets: Mapping[int, int], wait_ms: int, max_bytes: int
    ) -> list[Fetched]:
        """What a broker has from these offsets on; it waits up to `wait_ms` for the first news. Raises RetriableError.

        `max_bytes` in all, and of one partition; but a batch that is larger comes whole.
        """
        reply = await self.send(node, FetchRequest(topic, offsets, wait_ms, max_bytes, max_bytes))
        await self.check(reply.error_code, f"reading {topic}")
        parts: list[Fetched] = reply.parts
        return parts

    async def coordinator(self, group: str) -> int:
        """The broker that keeps a group's offsets. Raises RetriableError."""
        client = await self.started()
        try:
            return int(await client.coordinator_lookup(CoordinationType.GROUP, group))
        except UNREACHABLE as error:
            client.force_metadata_update()
            raise RetriableError(f"the group {group} has no coordinator: {describe_error(error)}") from error

    async def check(self, code: int, what: str) -> None:
        """Raise for an error code: RetriableError, after asking for new metadata, or LogError."""
        if code == NO_ERROR:
            return
        error = aiokafka.errors.for_code(code)
        if error.retriable or code in ALSO_RETRIABLE:
            await self.refresh()
            raise RetriableError(f"{what}: {error.__name__}")
        raise LogError(f"{what}: {error.__name__}")

    async def follow(self, topics: Iterable[str]) -> None:
        """Keep up with the leaders of these topics from now on."""
        self._topics = list(topics)
        await (await self.started()).set_topics(self._topics)

    async def refresh(self) -> None:
        """Learn anew who leads what. Raises RetriableError when that takes longer than a request may."""
        client = await self.started()
        try:
            async with asyncio.timeout(self.config.request_timeout_ms / 1000):
                await client.force_metadata_update()
        except TimeoutError as error:
            raise RetriableError("Kafka does not tell who leads its partitions") from error

    async def close(self) -> None:
        """Close the connections. A second call does nothing."""
        self._closed = True
        client, self._client = self._client, None
        if client is not None:
            with contextlib.suppress(*UNREACHABLE):
                await client.close()


def describe_error(error: BaseException) -> str:
    """An error of aiokafka in words. These carry hosts and codes; credentials are in none of them."""
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
