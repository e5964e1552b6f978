"""What may go wrong in a simulated world, and how often: each seed draws its own mixture, so that some worlds see one fault often."""

from __future__ import annotations

from random import Random
from typing import Final

# probabilities: at each awaited step (crash, pause, slow), or at each call (the rest)
RATES: Final[dict[str, tuple[float, ...]]] = {
    "crash": (0, 0, 0.002, 0.01),  # the process ends here, before or after the effect of the call
    "pause": (0, 0, 0.003),  # the process stops for a while and wakes up as if nothing had happened
    "slow": (0.05, 0.3, 0.6),  # the call takes time, so that others overtake it
    "append_fails": (0, 0.02, 0.1),
    "append_unacknowledged": (0, 0.02, 0.2),  # appended, and the caller is told that it failed
    "read_fails": (0, 0.02),
    "save_fails": (0, 0.05, 0.4),
    "save_unacknowledged": (0, 0.05),
    "delivery_lost": (0, 0.05),
    "answer_lost": (0, 0.05, 0.1),
    "delivered_twice": (0, 0.05),  # at once, or much later and out of order
    "wrong_incarnation": (0, 0.2),  # the call reaches an older process of that name that is still alive
    "record_twice": (0, 0.1),  # a producer repeats itself
}
AWAY_MS: Final = (1_000, 4_000)  # how long a shard is away, again and again, in worlds whose store has two
EVENTS: Final = ("kill", "twin", "kill_all")  # what befalls whole processes, at random moments


class Faults:
    """Draws faults; `over` ends them all. What concerns shards is drawn from `apart`, so that other worlds take the course they always took."""

    def __init__(self, random: Random, apart: Random) -> None:
        self._random = random
        self.rates = {name: random.choice(rates) for name, rates in RATES.items()}
        self._away_ms = apart.choice(AWAY_MS) if apart.random() < 0.5 else 0
        self._begin_ms = apart.randrange(10_000)
        self.events = random.sample(EVENTS, random.randint(0, len(EVENTS)))
        self.over = False
        self.count = 0

    def strike(self, name: str) -> bool:
        """Whether this fault happens now."""
        rate = self.rates[name]
        if self.over or not rate or self._random.random() >= rate:
            return False
        self.count += name != "slow"
        return True

    def away(self, now_ms: int) -> int | None:
        """The shard, of two, that is away now; each in turn, with times between in which both are there."""
        if self.over or not self._away_ms:
            return None
        turn, at_ms = divmod(now_ms + self._begin_ms, 2 * self._away_ms)
        return turn % 2 if at_ms < self._away_ms else None

    def delay_s(self, most_s: float) -> float:
        """A random time."""
        return self._random.random() * most_s
