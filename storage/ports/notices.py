"""What the durable store keeps for notices: users' settings, and which events are told to whom, how far.

An event that is to be told becomes a job for each channel, which tells the tournament's participants page by page in the order of their ids; its
`cursor` is the last one who is done with. Who could not be told now becomes a retry of their own, so nobody is waited for.

Guarantees
- Atomicity: each call that writes is one transaction. So an event leaves the outbox with its jobs made, and a cursor moves with the retries
  of those whom it passed.
- Order and fencing: a cursor only grows, and only from what the caller read; of two who work on a job one is told that it is not the first.
  Settings are replaced only from the version that was read.
- Duplicates: a job is made once for each (tournament, key, channel), as long as the first one is kept.
- Loss: what a call returned from survives the loss of every process and of the machine's power.
- Place: jobs and retries lie on the shard of their tournament, with its rows. Settings of all users lie on the first shard.
- Privacy: settings are encrypted at rest, but for which channels are in use and whether `overtaken` is wanted. Of those that no key
  opens any more the version is there, and the defaults.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from actors.domain.notices.events import Channel
from actors.domain.notices.settings import NotificationSettings
from storage.ports.records import OutboxRow, ParticipantRow, TournamentRow


class StoredSettings(NamedTuple):
    """A user's settings; `version` counts their changes, from 1."""

    user_id: int
    version: int
    settings: NotificationSettings


class NoticeJob(NamedTuple):
    """An event on its way through one channel. Times in ms; `worked_ms`: when a page of it was last told, `done_ms`: since when it is done.

    `cursor`: the last user who is done with, 0 at the begin. `sent` and `failed` count letters, retries that came to an end included.
    """

    tournament_id: int
    key: str
    channel: str
    payload: bytes
    cursor: int
    made_ms: int
    worked_ms: int
    done_ms: int | None
    sent: int
    failed: int


class NoticeRetry(NamedTuple):
    """One user whom a job could not tell: `attempts` so far, and when the next one is due."""

    tournament_id: int
    key: str
    channel: str
    user_id: int
    payload: bytes
    attempts: int
    due_ms: int


class Notices(Protocol):
    """See the module's guarantees. Every method raises RecordsUnavailableError when the store does not answer."""

    # settings

    async def settings_of(self, user_ids: Sequence[int], channel: Channel | None = None) -> dict[int, StoredSettings]:
        """The settings of those of these users who have any; only of those who use a channel, if one is named."""

    async def settings_after(self, user_id: int, limit: int, *, overtaken: bool = False) -> list[StoredSettings]:
        """Settings by user id, beyond one; only of those who want to hear that they were overtaken, if told so."""

    async def put_settings(self, user_id: int, settings: NotificationSettings, after: int) -> bool:
        """Write settings as version `after + 1`, in place of version `after` (0: of none); False, with nothing written, if there are others
        by now."""

    # events become jobs

    async def noted(self, limit: int) -> list[OutboxRow]:
        """Effects of the kind `notice`, of all tournaments."""

    async def begin(
        self,
        tournament_id: int,
        key: str,
        payload: bytes,
        channels: Sequence[Channel],
        now_ms: int,
        effect: OutboxRow | None = None,
    ) -> None:
        """Make an event's jobs, one for each of these channels, unless there are some with its key; and take the effect that it came with out
        of the outbox. Raises RecordsUnavailableError also for a tournament that is not stored yet."""

    async def starting(self, after_ms: int, upto_ms: int, limit: int) -> list[TournamentRow]:
        """Tournaments that wait for a start in `(after_ms, upto_ms]`, the next one first."""

    # jobs

    async def open_jobs(self, channel: str, limit: int) -> list[NoticeJob]:
        """Jobs of a channel that are not done, those that were left alone for longest first."""

    async def recipients(self, tournament_id: int, after: int, upto_ms: int, limit: int) -> list[ParticipantRow]:
        """Who takes part and had joined by a time (ms), by user id, beyond one."""

    async def recipient(self, tournament_id: int, user_id: int) -> ParticipantRow | None:
        """The row of one user, also of one who has left."""

    async def advance(self, job: NoticeJob, after: NoticeJob, retries: Sequence[NoticeRetry]) -> bool:
        """Put a job as it is `after` a page in place of what was read, and add retries; False, with nothing written, if somebody else moved it
        on meanwhile."""

    # retries

    async def due_retries(self, channel: str, now_ms: int, limit: int) -> list[NoticeRetry]:
        """Retries of a channel that are due, the longest due first."""

    async def settle(self, retry: NoticeRetry, again: NoticeRetry | None, *, sent: bool) -> None:
        """Put a retry off, or end it (None): then its job counts one more that was `sent`, or that failed."""

    async def forget_user(self, user_id: int) -> None:
        """Delete a user's settings and what waits to be told them."""

    # looking on

    async def progress(self, limit: int, tournament_id: int | None = None) -> list[tuple[NoticeJob, int]]:
        """Jobs, of one tournament or of all, those that are not done first, then the newest, each with how many retries wait."""

    async def prune(self, before_ms: int) -> int:
        """Delete jobs that were done before a time and wait for no retry; returns how many."""
