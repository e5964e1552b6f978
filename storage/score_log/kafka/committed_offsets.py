"""The committed offsets, kept as those of a consumer group: Kafka's convention is the next offset to read, so ours plus one.

Kafka takes any offset for a group, also a lower one; so what is kept is read first and only raised. Two processes that commit one
partition in the same moments may lower it for an instant, until the higher one commits again: that makes a reader begin earlier and a
pruning leave more, no worse. The director gives each partition to one ingest actor.

Kafka forgets the offsets of a group without members after `offsets.retention.minutes` (7 days by default) since the last commit, so a
partition where nothing happens is committed anew once an hour. A Palio that is down for longer finds none: it should be set
to no less than the log's retention.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

from aiokafka.protocol.commit import OffsetCommitRequest, OffsetFetchRequest

from storage.ports.errors import LogError
from storage.score_log.kafka.client import LATEST, KafkaClient

REFRESH_S: Final = 3600.0


class KafkaCommits:
    """See the module."""

    def __init__(self, client: KafkaClient) -> None:
        self._client = client
        self._topic = client.config.topic
        self._partitions = client.config.partitions
        self._group = client.config.commit_group
        self._one_at_a_time = asyncio.Lock()
        self._written_at: dict[int, float] = {}  # loop time of our last commit of a partition

    async def committed(self) -> dict[int, int]:
        """The committed offset of each partition, -1 where there is none. Raises LogUnavailableError."""
        return await self._client.retried(self._fetch)

    async def _fetch(self) -> dict[int, int]:
        node = await self._client.coordinator(self._group)
        request = OffsetFetchRequest(self._group, [(self._topic, list(range(self._partitions)))])
        reply = await self._client.send(node, request, coordination=True)
        await self._client.check(reply.error_code, f"the offsets of group {self._group}")
        found = dict.fromkeys(range(self._partitions), -1)
        for _, parts in reply.topics:
            for partition, following, _metadata, code in parts:
                await self._client.check(code, f"the committed offset of partition {partition}")
                found[partition] = max(following - 1, -1)
        return found

    async def commit(self, offsets: Mapping[int, int]) -> None:
        """Raise committed offsets. Raises LogError, with nothing noted, for one beyond the log's end; LogUnavailableError."""
        async with self._one_at_a_time:
            ends = await self._client.list_offsets(self._topic, dict.fromkeys(offsets, LATEST))
            for partition, offset in offsets.items():
                if offset >= ends[partition]:
                    raise LogError(f"partition {partition} ends at {ends[partition] - 1}, commit of {offset}")
            kept = await self.committed()
            now_s = asyncio.get_running_loop().time()
            raised = {
                partition: max(offset, kept[partition])
                for partition, offset in offsets.items()
                if offset > kept[partition]
                or (kept[partition] >= 0 and now_s - self._written_at.get(partition, -REFRESH_S) >= REFRESH_S)
            }
            if raised:
                await self._client.retried(lambda: self._write(raised))
                self._written_at.update(dict.fromkeys(raised, now_s))

    async def _write(self, offsets: Mapping[int, int]) -> None:
        node = await self._client.coordinator(self._group)
        # No member and no generation: the group has none, it only keeps offsets.
        parts = [(partition, offset + 1, "") for partition, offset in offsets.items()]
        reply = await self._client.send(
            node, OffsetCommitRequest(self._group, -1, "", -1, [(self._topic, parts)]), coordination=True
        )
        for _, answers in reply.topics:
            for partition, code in answers:
                await self._client.check(code, f"committing partition {partition}")
