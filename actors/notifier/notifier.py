"""The notifier: takes events out of the outbox, finds what starts soon, and has each channel tell what is to be told.

A plain class; effects only through ports. Each loop is the caller's: `intake`, `soon`, `prune`, and a `Sender.round` for each channel.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import msgspec

from actors.domain.notices.events import Channel, NoticeEvent, decode_event, encode_event
from actors.notifier.pace import Pace
from actors.notifier.sender import Letters, Sender
from storage.ports import NoticeChannel, Notices, OutboxRow, RecordsUnavailableError

logger = logging.getLogger(__name__)

EVENTS_A_ROUND: Final = 200
STARTS_A_LOOK: Final = 1000  # those that start next; more have their turn before their start all the same


@dataclass(frozen=True, slots=True, kw_only=True)
class NotifierConfig:
    """`soon_ms` before a start its participants are told, 0: not at all. `keep_ms`: how long done jobs are remembered. Rates are letters
    a second."""

    soon_ms: int = 900_000
    keep_ms: int = 7 * 86_400_000
    first_retry_ms: int = 10_000
    rates: Mapping[Channel, float]


class Notifier:
    """See the module."""

    def __init__(
        self,
        notices: Notices,
        channels: Mapping[Channel, NoticeChannel],
        letters: Letters,
        clock_ms: Callable[[], int],
        config: NotifierConfig,
    ) -> None:
        self._notices = notices
        self._clock_ms = clock_ms
        self._config = config
        self.channels = tuple(channels)
        self.senders = [
            Sender(channel, notices, letters, Pace(config.rates[name], clock_ms), clock_ms, config.first_retry_ms)
            for name, channel in channels.items()
        ]
        self.taken = 0  # events, since the start
        self._soon: set[tuple[int, int | None]] = set()  # (tournament, start) of the last look: these have their jobs

    async def intake(self) -> int:
        """Make jobs of the events in the outbox; returns how many. Raises RecordsUnavailableError."""
        effects = await self._notices.noted(EVENTS_A_ROUND)
        for effect in effects:
            key = f"{_event_name(effect)}-{effect.offset}-{effect.n}"
            try:
                await self._notices.begin(
                    effect.tournament_id, key, effect.payload, self.channels, self._clock_ms(), effect
                )
            except RecordsUnavailableError as error:  # of one shard: the others' events go on
                logger.warning("an event of tournament %d waits: %s", effect.tournament_id, error)
                continue
            self.taken += 1
        return len(effects)

    async def soon(self) -> int:
        """Make jobs for tournaments that start soon; returns how many were looked at. A start that is moved is told again.

        Raises RecordsUnavailableError.
        """
        now_ms = self._clock_ms()
        if not self._config.soon_ms:
            return 0
        rows = await self._notices.starting(now_ms, now_ms + self._config.soon_ms, STARTS_A_LOOK)
        there = {(row.tournament_id, row.starts_ms) for row in rows}
        for row in rows:
            if (row.tournament_id, row.starts_ms) in self._soon:
                continue
            event = NoticeEvent(
                event="starting_soon",
                tournament_id=row.tournament_id,
                name=row.name,
                at_ms=now_ms,
                starts_ms=row.starts_ms,
                ends_ms=row.ends_ms,
            )
            await self._notices.begin(
                row.tournament_id, f"starting_soon-{row.starts_ms}", encode_event(event), self.channels, now_ms
            )
        self._soon = there
        return len(rows)

    async def prune(self) -> int:
        """Forget what was told long ago; returns how many jobs. Raises RecordsUnavailableError."""
        return await self._notices.prune(self._clock_ms() - self._config.keep_ms)


def _event_name(effect: OutboxRow) -> str:
    try:
        return decode_event(effect.payload).event
    except (msgspec.ValidationError, msgspec.DecodeError):
        return "unreadable"  # the sender says so, and nobody is told
