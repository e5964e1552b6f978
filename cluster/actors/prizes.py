"""`PrizesActor`: a Ray actor around the settler and the payer of prizes. A restarted one goes on where the ledger is."""

from __future__ import annotations

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
from actors.prizes.settler import Settler, notice_key_of, won_ms
from cluster.actors.metrics import PrizeMetrics
from cluster.actors.worker import Worker
from cluster.startup.ports import clock_ms, notices_of, open_log, open_payouts, prizes_of, signer_of
from storage.ports import NewRecord, Notices, Records, ScoreLog

logger = logging.getLogger(__name__)

LOOK_S: Final = 0.5
MEASURE_EVERY_S: Final = 10.0


class PrizesActor(Worker):
    """See the module. The log is opened only where nobody need approve prizes: then the approval is a record, as an operator's is."""

    name = "prizes"
    _log: ScoreLog | None = None

    async def begin(self, records: Records) -> None:
        """As Worker.begin."""
        settings = self.settings
        self._ledger = prizes_of(records)
        approve = None
        if settings.payout_approval == "automatic":
            self._log = open_log(settings)
            approve = _approval(self._log, signer_of(settings))
        self._settler = Settler(
            records,
            self._ledger,
            clock_ms,
            approve,
            _telling(notices_of(settings, records), settings.notice_channels()),
        )
        self._payouts = open_payouts(settings)
        self._payer = None
        if self._payouts is None:
            logger.warning("nobody pays prizes out: PALIO_PAYOUT_URL is not set")
        else:
            self._payer = Payer(self._ledger, self._payouts, clock_ms, settings.payer())
            self.repeat("pay", LOOK_S, self._payer.round)
        self._metrics = PrizeMetrics()
        self.repeat("settle", LOOK_S, self._settler.round)
        self.repeat("metrics", MEASURE_EVERY_S, self._update_metrics)

    async def end(self) -> None:
        """As Worker.end. A payout that was under way is sent again by the next one, with the same key."""
        if self._payouts is not None:
            await self._payouts.close()
        if self._log is not None:
            await self._log.close()

    async def _update_metrics(self) -> None:
        self._metrics.update(await self._ledger.counts(), self._settler, self._payer)


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
            at_ms=won_ms(state, entry),
            user_id=entry.user_id,
            rank=entry.rank,
            details={"prize": what_is_won(entry)},
        )
        await notices.begin(state.tournament_id, notice_key_of(state, entry), encode_event(event), channels, clock_ms())

    return tell
