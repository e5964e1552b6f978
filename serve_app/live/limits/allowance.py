"""How much a client may send: a bucket of `at_once` that fills at `a_second`."""

from __future__ import annotations


class Allowance:
    """Full at first. `now_s` is any clock that does not go back."""

    __slots__ = ("_a_second", "_at_once", "_filled_s", "_left")

    def __init__(self, a_second: float, at_once: float, now_s: float) -> None:
        self._a_second = a_second
        self._at_once = at_once
        self._left = at_once
        self._filled_s = now_s

    def take(self, now_s: float) -> bool:
        """Take one, if there is one."""
        self._fill(now_s)
        if self._left < 1:
            return False
        self._left -= 1
        return True

    def wait_s(self, now_s: float) -> float:
        """How long until one can be taken; 0: now."""
        self._fill(now_s)
        return max(0.0, (1 - self._left) / self._a_second)

    def _fill(self, now_s: float) -> None:
        self._left = min(self._left + (now_s - self._filled_s) * self._a_second, self._at_once)
        self._filled_s = now_s
