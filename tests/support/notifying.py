"""A notifier over stores in memory and a channel that does as it is told, for tests of what the notifier decides."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from actors.domain.notices.events import Channel, NoticeEvent, encode_event
from actors.domain.notices.settings import NotificationSettings
from actors.notifier.pace import Pace
from actors.notifier.sender import Sender
from storage.channels.templates import Templates
from storage.ports import SENT, Delivery, Letter
from tests.contract.test_records import checkpoint, participant, save, tournament
from tests.support.memory_notices import MemoryNotices
from tests.support.memory_records import MemoryRecords

START_MS = 1_790_000_000_000


class Clock:
    """Milliseconds since 1970; sleeping moves it."""

    def __init__(self) -> None:
        self.now_ms = START_MS
        self.slept_s: list[float] = []

    def __call__(self) -> int:
        return self.now_ms

    async def sleep(self, seconds: float) -> None:
        self.slept_s.append(seconds)
        self.now_ms += round(seconds * 1000)


class ToldChannel:
    """Answers each letter with `judge(user, how often it was tried)`."""

    def __init__(self, name: Channel = "webhook") -> None:
        self.name: Channel = name
        self.judge: Callable[[int, int], Delivery] = lambda _user, _tries: SENT
        self.tries: dict[str, int] = {}
        self.sent: list[str] = []
        self.batches: list[int] = []

    async def send(self, letters: Sequence[Letter]) -> list[Delivery]:
        self.batches.append(len(letters))
        return [self._send(letter) for letter in letters]

    def _send(self, letter: Letter) -> Delivery:
        key = letter.notice.key
        self.tries[key] = self.tries.get(key, 0) + 1
        delivery = self.judge(letter.notice.user_id, self.tries[key])
        if delivery.outcome == "sent":
            self.sent.append(key)
        return delivery

    async def close(self) -> None:
        pass


class Bench:
    """See the module."""

    def __init__(self, name: Channel = "webhook", rate: float = 1000) -> None:
        self.clock = Clock()
        self.records = MemoryRecords()
        self.notices = MemoryNotices(self.records)
        self.channel = ToldChannel(name)
        self.rate = rate
        self.sender = self.make_sender()

    def make_sender(self) -> Sender:
        """One that knows nothing of what was before, as after a kill -9."""
        pace = Pace(self.rate, self.clock, self.clock.sleep)
        return Sender(self.channel, self.notices, Templates(), pace, self.clock, 10_000)

    async def tournament(self, number: int, users: Sequence[int], *, wanting: Sequence[int] | None = None) -> None:
        """A finished tournament with participants, of whom some want webhooks (all, unless told otherwise)."""
        people = [participant(number, user, joined_ms=1, rank=user) for user in users]
        await save(self.records, checkpoint(tournament(number, status="finished"), participants=people))
        for user in users if wanting is None else wanting:
            settings = NotificationSettings(channels=("webhook",), webhook_url=f"https://example.org/{user}")
            await self.notices.put_settings(user, settings, 0)

    async def event(self, number: int, key: str = "ended-1-100", *, user_id: int = 0) -> NoticeEvent:
        """An event of a tournament, its job made."""
        event = NoticeEvent(
            event="ended", tournament_id=number, name="Spring", at_ms=self.clock.now_ms, user_id=user_id
        )
        await self.notices.begin(number, key, encode_event(event), [self.channel.name], self.clock.now_ms)
        return event

    async def run(self, sender: Sender | None = None, rounds: int = 1000) -> None:
        """Rounds until there is nothing to do at this moment."""
        for _ in range(rounds):
            if not await (sender or self.sender).round():
                return
        raise AssertionError(f"not done after {rounds} rounds")
