"""`PrizesActor`: a Ray actor around the settler and the payer of prizes. A restarted one goes on where the ledger is."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from actors.domain.messages import ApprovePrizes, encode_message
from actors.domain.notices.events import Channel, NoticeEvent, encode_event
from actors.domain.prizes.ledger import Entry, what_is_won
from actors.domain.signing import Signer
from actors.domain.tournament import Tournament
from actors.prizes.payer import Payer
from actors.prizes.settler import Settler
from cluster.actors.metrics import PrizeMetrics
from cluster.actors.process import Background, end_process, regularly, settle
from cluster.config.settings import Settings
from cluster.startup.ports import (
    clock_ms,
    notices_of,
    open_log,
    open_payouts,
    open_records,
    prizes_of,
    set_up_logging,
    signer_of,
)
from storage.ports import NewRecord, Notices, RecordsUnavailableError, ScoreLog, StorageError

logger = logging.getLogger(__name__)

LOOK_S: Final = 0.5
MEASURE_EVERY_S: Final = 10.0


class PrizesActor:
    """See the module. The log is opened only where nobody need approve prizes: then the approval is a record, as an operator's is."""

    def __init__(self, settings: Settings) -> None:
        set_up_logging(settings)
        self._settings = settings
        self._background = Background()
        self._log: ScoreLog | None = None
        self._started = asyncio.get_running_loop().create_task(self._start_or_end())

    async def _start_or_end(self) -> None:
        """A start that fails for good ends the process, so that Ray tries it anew."""
        try:
            await self._start()
        except Exception:
            end_process("prizes did not start")

    async def _start(self) -> None:
        settings = self._settings
        while True:
            try:
                self._records = await open_records(settings)
                break
            except RecordsUnavailableError as error:
                logger.warning("prizes wait for the records: %s", error)
                await asyncio.sleep(1)
        ledger = prizes_of(self._records)
        approve = None
        if settings.payout_approval == "automatic":
            self._log = open_log(settings)
            approve = _approval(self._log, signer_of(settings))
        self._settler = Settler(
            self._records,
            ledger,
            clock_ms,
            approve,
            _telling(notices_of(settings, self._records), settings.notice_channels()),
        )
        self._payouts = open_payouts(settings)
        self._payer = None
        if self._payouts is None:
            logger.warning("nobody pays prizes out: PALIO_PAYOUT_URL is not set")
        else:
            self._payer = Payer(ledger, self._payouts, clock_ms, settings.payer())
            self._background.start("pay", regularly(LOOK_S, _patient(self._payer.round)))
        self._metrics = PrizeMetrics()
        settle()
        self._background.start("settle", regularly(LOOK_S, _patient(self._settler.round)))
        self._background.start("metrics", regularly(MEASURE_EVERY_S, _patient(self._update_metrics)))

    async def ready(self) -> bool:
        """True once it works, or waits for the records."""
        return True

    async def stop(self) -> None:
        """Whatever is under way is sent again by the next one, with the same key."""
        if not self._started.done():
            self._started.cancel()
            return
        await self._background.stop()
        if self._payouts is not None:
            await self._payouts.close()
        if self._log is not None:
            await self._log.close()
        await self._records.close()

    async def _update_metrics(self) -> None:
        counts = await prizes_of(self._records).counts()
        self._metrics.update(counts, self._settler, self._payer)


def _approval(log: ScoreLog, signer: Signer) -> Callable[[Tournament], Awaitable[None]]:
    async def approve(state: Tournament) -> None:
        key = str(state.tournament_id).encode()
        value = encode_message(ApprovePrizes(command_id=uuid.uuid4().hex))
        await log.append([NewRecord(state.partition, key, value, signer.sign(key, value))])

    return approve


def _telling(notices: Notices, channels: Sequence[Channel]) -> Callable[[Tournament, Entry], Awaitable[None]]:
    async def tell(state: Tournament, entry: Entry) -> None:
        event = NoticeEvent(
            event="prize_won",
            tournament_id=state.tournament_id,
            name=state.spec.name,
            at_ms=entry.created_ms,
            user_id=entry.user_id,
            rank=entry.rank,
            details={"prize": what_is_won(entry)},
        )
        await notices.begin(state.tournament_id, f"prize_won-{entry.key}", encode_event(event), channels, clock_ms())

    return tell


def _patient(work: Callable[[], Awaitable[object]]) -> Callable[[], Awaitable[None]]:
    """The work, once more later where a store does not answer."""

    async def worked() -> None:
        try:
            await work()
        except StorageError as error:
            logger.warning("prizes wait: %s", error)
            await asyncio.sleep(1)

    return worked
