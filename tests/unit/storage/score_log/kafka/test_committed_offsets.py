"""Which offsets are written. That they are kept is tests/contract/test_score_log_kafka.py's."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.protocol.commit import OffsetCommitRequest

from storage.ports import LogError, LogUnavailableError
from storage.score_log.kafka.committed_offsets import REFRESH_S, KafkaCommits
from storage.score_log.kafka.config import KafkaLogConfig


class Client:
    """A coordinator that holds `kept` (Kafka's: the next offset to read) of partitions that end at 100."""

    def __init__(self) -> None:
        self.kept = {0: -1, 1: 50}
        self.writes: list[dict[int, int]] = []
        self.codes = {"group": 0, "fetch": 0, "commit": 0}
        self.config = KafkaLogConfig("localhost:1", topic="scores", partitions=3)

    async def list_offsets(self, topic: str, asked: dict[int, int]) -> dict[int, int]:
        return dict.fromkeys(asked, 100)

    async def retried(self, attempt: Callable[[], Awaitable[Any]]) -> Any:
        return await attempt()

    async def coordinator(self, group: str) -> int:
        return 1

    async def check(self, code: int, what: str) -> None:
        if code:
            raise LogUnavailableError(f"{what}: {code}")

    async def send(self, node: int, request: Any, *, coordination: bool) -> Any:
        assert coordination
        if isinstance(request, OffsetCommitRequest):
            ((_, parts),) = request._topics
            self.writes.append({partition: offset for partition, offset, _ in parts})
            self.kept.update(self.writes[-1])
            return SimpleNamespace(topics=[("scores", [(p, self.codes["commit"]) for p, *_ in parts])])
        parts = [(partition, offset, "", self.codes["fetch"]) for partition, offset in self.kept.items()]
        return SimpleNamespace(error_code=self.codes["group"], topics=[("scores", parts)])


@pytest.fixture
def client() -> Client:
    return Client()


@pytest.fixture
def commits(client: Client) -> KafkaCommits:
    return KafkaCommits(client)  # type: ignore[arg-type]


async def test_ours_is_the_last_offset_and_kafkas_the_next(client: Client, commits: KafkaCommits) -> None:
    assert await commits.committed() == {0: -1, 1: 49, 2: -1}
    await commits.commit({0: 0, 2: 99})
    assert client.writes == [{0: 1, 2: 100}]
    assert await commits.committed() == {0: 0, 1: 49, 2: 99}


async def test_offsets_are_only_raised(client: Client, commits: KafkaCommits) -> None:
    await commits.commit({0: 10, 1: 60})
    await commits.commit({0: 10, 1: 20})
    assert client.writes == [{0: 11, 1: 61}]


async def test_an_offset_beyond_the_end_notes_nothing(client: Client, commits: KafkaCommits) -> None:
    with pytest.raises(LogError, match="partition 1 ends at 99, commit of 100"):
        await commits.commit({0: 10, 1: 100})
    assert client.writes == []


async def test_what_is_kept_is_written_anew_before_kafka_forgets_it(
    client: Client, commits: KafkaCommits, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_s = 10_000.0
    monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: now_s)
    await commits.commit({0: 10, 1: 5})  # of 1 it is not known when it was written last; the higher one is kept
    assert client.writes == [{0: 11, 1: 50}]
    now_s += REFRESH_S - 1
    await commits.commit({0: 10, 1: 5, 2: -1})
    assert len(client.writes) == 1
    now_s += 1
    await commits.commit({0: 3, 1: 5, 2: -1})
    assert client.writes[1:] == [{0: 11, 1: 50}]


@pytest.mark.parametrize("where", ["group", "fetch", "commit"])
async def test_whatever_a_broker_refuses_is_told(client: Client, commits: KafkaCommits, where: str) -> None:
    client.codes[where] = 15
    with pytest.raises(LogUnavailableError, match=": 15"):
        await commits.commit({0: 10})
    client.codes[where] = 0
    await commits.commit({0: 11})  # and nothing was noted as written
    assert client.writes[-1] == {0: 12}
