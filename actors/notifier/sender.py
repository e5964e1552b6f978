"""One channel at work: tells jobs page by page in turns, tries again whom it could not tell, and leaves a server that is away alone.

Turns: after each page another tournament's job is next, so one with 100,000 recipients delays no other. A page ends where its letters would
take more than a second or so.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, Protocol

import msgspec

from actors.domain.notices.events import Channel, Notice, NoticeEvent, decode_event, notice_key
from actors.domain.notices.retries import channel_pause_ms, retry_pause_ms
from actors.domain.notices.settings import DEFAULTS, NotificationSettings
from actors.domain.values import decimal_score
from actors.notifier.pace import Pace
from storage.ports import Delivery, Letter, NoticeChannel, NoticeJob, NoticeRetry, Notices, ParticipantRow

logger = logging.getLogger(__name__)

JOBS_A_ROUND: Final = 16
PAGE_ROWS: Final = 500
LETTERS: Final = (10, 100)  # of a page, at least and at most
RETRIES_A_ROUND: Final = 50


class Letters(Protocol):
    """Writes letters."""

    def letter(self, notice: Notice, settings: NotificationSettings) -> Letter:
        """A notice in the language of its user."""


class _Page(NamedTuple):
    """Who is told next: letters in the order of users, up to `cursor`; `last`: nobody comes after them."""

    letters: list[Letter]
    cursor: int
    last: bool


class Sender:
    """See the module. `first_retry_ms`: from a letter's first failed try to the second."""

    def __init__(
        self,
        channel: NoticeChannel,
        notices: Notices,
        letters: Letters,
        pace: Pace,
        clock_ms: Callable[[], int],
        first_retry_ms: int,
    ) -> None:
        self.name: Channel = channel.name
        self._channel = channel
        self._notices = notices
        self._letters = letters
        self._pace = pace
        self._clock_ms = clock_ms
        self._first_retry_ms = first_retry_ms
        self._page_letters = min(max(LETTERS[0], int(pace.rate)), LETTERS[1])
        self._again_ms = 0  # while the channel's server is away: when it is tried again
        self.failures = 0  # of the channel's server, running
        self.outcomes: Counter[tuple[str, str]] = Counter()  # letters by what became of them and why, since the start
        self.open_jobs = 0  # as last seen
        self.oldest_job_ms: int | None = None
        self.waits = False  # whether a letter that it could not deliver was put off in the last round that had work

    async def round(self) -> bool:
        """Retries that are due, then a page of each open job; whether there was anything to do. Raises RecordsUnavailableError."""
        wait_ms = self._again_ms - self._clock_ms()
        if self.failures and 0 < wait_ms <= channel_pause_ms(self.failures):
            return False
        busy = await self._retry()
        jobs = await self._notices.open_jobs(self.name, JOBS_A_ROUND)
        self.open_jobs, self.oldest_job_ms = len(jobs), min((job.made_ms for job in jobs), default=None)
        for job in jobs:
            if self.failures and self._again_ms > self._clock_ms():
                break  # it went away just now
            await self._work(job)
        return busy or bool(jobs)

    # -- jobs ---------------------------------------------------------------------------------------------------------

    async def _work(self, job: NoticeJob) -> None:
        """One page of a job."""
        try:
            event = decode_event(job.payload)
        except (msgspec.ValidationError, msgspec.DecodeError):
            logger.exception("the event %s of tournament %d cannot be read; nobody is told", job.key, job.tournament_id)
            self.outcomes["refused", "unreadable"] += 1
            await self._notices.advance(job, job._replace(done_ms=self._clock_ms(), failed=job.failed + 1), [])
            return
        page = await self._page(job, event)
        deliveries = await self._send(page.letters)
        now_ms = self._clock_ms()
        counts = Counter(each.outcome for each in deliveries)
        retries = [
            self._first_retry(job, letter, delivery, now_ms)
            for letter, delivery in zip(page.letters, deliveries, strict=True)
            if delivery.outcome in ("later", "unavailable")
        ]
        after = job._replace(
            cursor=page.cursor,
            worked_ms=now_ms,
            done_ms=now_ms if page.last else None,
            sent=job.sent + counts["sent"],
            failed=job.failed + counts["refused"],
        )
        if not await self._notices.advance(job, after, retries):
            logger.warning("the job %s of tournament %d was moved on by somebody else", job.key, job.tournament_id)

    async def _page(self, job: NoticeJob, event: NoticeEvent) -> _Page:
        most = 1 if self.failures else self._page_letters  # one letter shows whether the server is back
        if event.user_id:
            row = await self._notices.recipient(job.tournament_id, event.user_id)
            return _Page(await self._written(job.key, event, {event.user_id: row}), event.user_id, last=True)
        rows = await self._notices.recipients(job.tournament_id, job.cursor, event.at_ms, PAGE_ROWS)
        letters = await self._written(job.key, event, {row.user_id: row for row in rows})
        if len(letters) > most:
            letters = letters[:most]
            return _Page(letters, letters[-1].notice.user_id, last=False)
        return _Page(letters, rows[-1].user_id if rows else job.cursor, last=len(rows) < PAGE_ROWS)

    async def _written(self, key: str, event: NoticeEvent, rows: dict[int, ParticipantRow | None]) -> list[Letter]:
        """Letters to those of these users who want them, by user id."""
        if self.name == "live":  # which is for those who have set nothing, too
            known = await self._notices.settings_of(list(rows))
            settings = {user: known[user].settings if user in known else DEFAULTS for user in rows}
        else:
            known = await self._notices.settings_of(list(rows), self.name)
            settings = {user: each.settings for user, each in known.items()}
        return [
            self._letters.letter(_notice(key, event, user, rows[user]), wanted)
            for user, wanted in sorted(settings.items())
            if wanted.wants(self.name, event.event)
        ]

    def _first_retry(self, job: NoticeJob, letter: Letter, delivery: Delivery, now_ms: int) -> NoticeRetry:
        attempts = 1 if delivery.outcome == "later" else 0
        due_ms = now_ms + (self._first_retry_ms if attempts else 0)
        return NoticeRetry(
            job.tournament_id, job.key, job.channel, letter.notice.user_id, job.payload, attempts, due_ms
        )

    # -- retries ------------------------------------------------------------------------------------------------------

    async def _retry(self) -> bool:
        due = await self._notices.due_retries(
            self.name, self._clock_ms(), 1 if self.failures else min(RETRIES_A_ROUND, self._page_letters)
        )
        letters: list[Letter] = []
        waiting: list[NoticeRetry] = []
        for retry in due:
            row = await self._notices.recipient(retry.tournament_id, retry.user_id)
            written = await self._written(retry.key, decode_event(retry.payload), {retry.user_id: row})
            if written:
                letters += written
                waiting.append(retry)
            else:
                self.outcomes["refused", "not_wanted"] += 1
                await self._notices.settle(retry, None, sent=False)
        for retry, delivery in zip(waiting, await self._send(letters), strict=True):
            await self._notices.settle(retry, self._again(retry, delivery), sent=delivery.outcome == "sent")
        return bool(due)

    def _again(self, retry: NoticeRetry, delivery: Delivery) -> NoticeRetry | None:
        now_ms = self._clock_ms()
        if delivery.outcome == "unavailable":  # not the receiver's fault, and not counted
            return retry._replace(due_ms=now_ms)
        if delivery.outcome != "later":
            return None
        pause_ms = retry_pause_ms(retry.attempts + 1, self._first_retry_ms)
        if pause_ms is None:
            self.outcomes["refused", "given_up"] += 1
            return None
        return retry._replace(attempts=retry.attempts + 1, due_ms=now_ms + pause_ms)

    # -- letters ------------------------------------------------------------------------------------------------------

    async def _send(self, letters: Sequence[Letter]) -> list[Delivery]:
        if not letters:
            return []
        await self._pace.take(len(letters))
        deliveries = await self._channel.send(letters)
        away = False
        for letter, delivery in zip(letters, deliveries, strict=True):
            self.outcomes[delivery.outcome, delivery.reason] += 1
            away |= delivery.outcome == "unavailable"
            if delivery.gone:
                await self._forget(letter.notice.user_id, delivery.gone)
        self.waits = any(each.outcome == "later" for each in deliveries)
        if away:
            self.failures += 1
            self._again_ms = self._clock_ms() + channel_pause_ms(self.failures)
        else:
            self.failures = 0
        return deliveries

    async def _forget(self, user_id: int, gone: Sequence[str]) -> None:
        """Take addresses that there are no more out of a user's settings, unless these were changed just now."""
        stored = (await self._notices.settings_of([user_id])).get(user_id)
        if stored is None:
            return
        settings = stored.settings
        left = tuple(each for each in settings.push_subscriptions if each.endpoint not in gone)
        url = None if settings.webhook_url in gone else settings.webhook_url
        changed = msgspec.structs.replace(settings, push_subscriptions=left, webhook_url=url)
        if changed != settings:
            await self._notices.put_settings(user_id, changed, stored.version)


def _notice(key: str, event: NoticeEvent, user_id: int, row: ParticipantRow | None) -> Notice:
    return Notice(
        key=notice_key(event.tournament_id, key, user_id),
        event=event,
        user_id=user_id,
        user_name=None if row is None else row.name,
        rank=event.rank if row is None or row.rank is None else row.rank,
        score=None if row is None or row.score is None else decimal_score(row.score),
    )
