"""The producer id under which batches are numbered, and getting another one when its numbers are in doubt."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from aiokafka.protocol.transaction import InitProducerIdRequest

from storage.ports.errors import LogError
from storage.score_log.kafka.client import BACKOFF_LAST_S, KafkaClient

logger = logging.getLogger(__name__)

_MAX_TRANSACTION_MS: Final = 2**31 - 1  # the request wants one, though there are no transactions here


class ProducerIds:
    """Belongs to one event loop. `renewed` is called when there is another id."""

    def __init__(self, client: KafkaClient, renewed: Callable[[], None]) -> None:
        self._client = client
        self._renewed = renewed
        self._current: tuple[int, int] | None = None  # producer id and epoch
        self._renewing: asyncio.Task[None] | None = None
        self._closed = False

    async def current(self) -> tuple[int, int]:
        """The id to number batches under. Raises LogUnavailableError, LogError."""
        if self._current is None:
            self._current = await self._client.retried(self._ask)
        return self._current

    def renew(self, spoilt: tuple[int, int]) -> None:
        """Get another id than this one, beside everything else: the partitions that are not barred from it go on."""
        if spoilt == self._current and not self._closed and (self._renewing is None or self._renewing.done()):
            self._renewing = asyncio.get_running_loop().create_task(self._renew())

    async def _renew(self) -> None:
        while True:
            try:
                self._current = await self._client.retried(self._ask)
                break
            except LogError as error:
                logger.warning("no other producer id yet: %s", error)
                await asyncio.sleep(BACKOFF_LAST_S)
        self._renewed()

    async def _ask(self) -> tuple[int, int]:
        reply = await self._client.ask(InitProducerIdRequest(None, _MAX_TRANSACTION_MS))
        await self._client.check(reply.error_code, "a producer id")
        return reply.producer_id, reply.producer_epoch

    async def close(self) -> None:
        """End what is under way."""
        self._closed = True
        if self._renewing is not None:
            self._renewing.cancel()
            await asyncio.gather(self._renewing, return_exceptions=True)
