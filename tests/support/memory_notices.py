"""`Notices` in memory, for tests without a database."""

from __future__ import annotations

from collections.abc import Sequence

from actors.domain.notices.events import NOTICE_KIND, Channel
from actors.domain.notices.settings import NotificationSettings
from storage.ports import NoticeJob, NoticeRetry, OutboxRow, ParticipantRow, StoredSettings, TournamentRow
from tests.support.memory_records import MemoryRecords

JobKey = tuple[int, str, str]


class MemoryNotices:
    """See `storage.ports.notices.Notices`."""

    def __init__(self, records: MemoryRecords) -> None:
        self._records = records
        self._settings: dict[int, StoredSettings] = {}
        self._jobs: dict[JobKey, NoticeJob] = {}
        self._retries: dict[tuple[JobKey, int], NoticeRetry] = {}

    async def settings_of(self, user_ids: Sequence[int], channel: Channel | None = None) -> dict[int, StoredSettings]:
        found = [self._settings[user] for user in user_ids if user in self._settings]
        return {each.user_id: each for each in found if channel is None or channel in each.settings.channels}

    async def settings_after(self, user_id: int, limit: int, *, overtaken: bool = False) -> list[StoredSettings]:
        wanted = sorted(user for user in self._settings if user > user_id)
        found = [self._settings[user] for user in wanted]
        return [each for each in found if not overtaken or each.settings.overtaken][:limit]

    async def put_settings(self, user_id: int, settings: NotificationSettings, after: int) -> bool:
        there = self._settings.get(user_id)
        if (0 if there is None else there.version) != after:
            return False
        self._settings[user_id] = StoredSettings(user_id, after + 1, settings)
        return True

    async def noted(self, limit: int) -> list[OutboxRow]:
        return [row for row in await self._records.outbox(1 << 30) if row.kind == NOTICE_KIND][:limit]

    async def begin(
        self,
        tournament_id: int,
        key: str,
        payload: bytes,
        channels: Sequence[Channel],
        now_ms: int,
        effect: OutboxRow | None = None,
    ) -> None:
        for channel in channels:
            job = NoticeJob(tournament_id, key, channel, payload, 0, now_ms, 0, None, 0, 0)
            self._jobs.setdefault((tournament_id, key, channel), job)
        if effect is not None:
            self._records.release(lambda row: row == effect, tournament_id, effect.offset)

    async def starting(self, after_ms: int, upto_ms: int, limit: int) -> list[TournamentRow]:
        rows = [
            row
            for row in self._records.all_tournaments()
            if row.status == "scheduled" and row.starts_ms is not None and after_ms < row.starts_ms <= upto_ms
        ]
        return sorted(rows, key=lambda row: (row.starts_ms or 0, row.tournament_id))[:limit]

    async def open_jobs(self, channel: str, limit: int) -> list[NoticeJob]:
        found = [job for job in self._jobs.values() if job.channel == channel and job.done_ms is None]
        return sorted(found, key=lambda job: (job.worked_ms, job.made_ms, job.tournament_id))[:limit]

    async def recipients(self, tournament_id: int, after: int, upto_ms: int, limit: int) -> list[ParticipantRow]:
        rows = [
            row
            for row in self._records.participants_of(tournament_id)
            if row.user_id > after and row.active and row.joined_ms <= upto_ms
        ]
        return sorted(rows, key=lambda row: row.user_id)[:limit]

    async def recipient(self, tournament_id: int, user_id: int) -> ParticipantRow | None:
        return next((row for row in self._records.participants_of(tournament_id) if row.user_id == user_id), None)

    async def advance(self, job: NoticeJob, after: NoticeJob, retries: Sequence[NoticeRetry]) -> bool:
        key = job.tournament_id, job.key, job.channel
        there = self._jobs.get(key)
        if there is None or there.cursor != job.cursor or there.done_ms is not None:
            return False
        sent, failed = there.sent + after.sent - job.sent, there.failed + after.failed - job.failed
        self._jobs[key] = after._replace(sent=sent, failed=failed)
        for retry in retries:
            self._retries.setdefault((key, retry.user_id), retry)
        return True

    async def due_retries(self, channel: str, now_ms: int, limit: int) -> list[NoticeRetry]:
        due = [each for each in self._retries.values() if each.channel == channel and each.due_ms <= now_ms]
        return sorted(due, key=lambda each: (each.due_ms, each.tournament_id, each.user_id))[:limit]

    async def settle(self, retry: NoticeRetry, again: NoticeRetry | None, *, sent: bool) -> None:
        key = retry.tournament_id, retry.key, retry.channel
        if again is not None:
            if (key, retry.user_id) in self._retries:
                self._retries[key, retry.user_id] = again
        elif self._retries.pop((key, retry.user_id), None) is not None and (job := self._jobs.get(key)) is not None:
            self._jobs[key] = job._replace(sent=job.sent + sent, failed=job.failed + (not sent))

    async def forget_user(self, user_id: int) -> None:
        self._settings.pop(user_id, None)
        for key in [key for key in self._retries if key[1] == user_id]:
            del self._retries[key]

    async def progress(self, limit: int, tournament_id: int | None = None) -> list[tuple[NoticeJob, int]]:
        wanted = [job for job in self._jobs.values() if tournament_id in (None, job.tournament_id)]
        jobs = sorted(wanted, key=lambda job: (job.done_ms is not None, -job.made_ms, job.channel))
        return [(job, self._waiting(job)) for job in jobs[:limit]]

    async def prune(self, before_ms: int) -> int:
        old = [
            key
            for key, job in self._jobs.items()
            if job.done_ms is not None and job.done_ms < before_ms and not self._waiting(job)
        ]
        for key in old:
            del self._jobs[key]
        return len(old)

    def _waiting(self, job: NoticeJob) -> int:
        return sum(key == (job.tournament_id, job.key, job.channel) for key, _ in self._retries)
