"""A steady load on one tournament that remembers every acknowledged event, and the table that must come of them."""

from __future__ import annotations

import itertools
import random
import threading
import time
from collections import Counter
from typing import Any

import httpx2

from tests.support.running import RunningPalio

READS_PAUSE_S = 0.02
WRITES_PAUSE_S = 0.002
GIVE_UP_S = 60.0


class Load:
    """Submits scores of `users` from a thread, by the gateway, without waiting; reads in every way from another, by both entrypoints.

    An event whose answer never came is sent again under the same id until it is acknowledged, as a careful client does, so that
    what must be in the table is known exactly: every event once. Each refusal is kept, which the Python client would
    hide. The tournament's policy is `best`, highest first. `rising`: each score is
    higher than all before it, so that each changes the table; else they are random.
    """

    def __init__(self, palio: RunningPalio, tournament: str, users: range, *, rising: bool = False) -> None:
        self.palio = palio
        self.tournament = tournament
        self.users = users
        self.rising = rising
        self.best: dict[int, float] = {}
        self.attempts: Counter[int] = Counter()
        self.acknowledged: list[float] = []  # when
        self.refused: list[str] = []
        self.reads: list[tuple[float, str, int]] = []  # when it was answered, what was read, status (0: no answer)
        self._random = random.Random(7)
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._submit), threading.Thread(target=self._read)]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    @property
    def statuses(self) -> Counter[tuple[str, int]]:
        """How often each read got which status."""
        return Counter((what, status) for _, what, status in self.reads)

    def _submit(self) -> None:
        headers = {"Authorization": f"Bearer {self.palio.token('service', 1)}"}
        with httpx2.Client(base_url=self.palio.gateway_url, headers=headers, timeout=10) as client:
            for number in itertools.count():
                if self._stop.is_set():
                    return
                user = self._random.choice(self.users)
                score = (number if self.rising else self._random.randrange(10_000_000)) / 100
                self._acknowledge(client, {"event_id": f"load-{number}", "user_id": str(user), "score": score})
                self.best[user] = max(self.best.get(user, -1), score)
                self.attempts[user] += 1
                time.sleep(WRITES_PAUSE_S)

    def _acknowledge(self, client: httpx2.Client, body: dict[str, Any]) -> None:
        """Submit until acknowledged; within GIVE_UP_S once the test is over."""
        stopped_at: float | None = None
        while True:
            if self._stop.is_set():
                stopped_at = stopped_at or time.monotonic()
                assert time.monotonic() - stopped_at < GIVE_UP_S, f"{body} is not acknowledged: {self.refused[-1]}"
            try:
                answer = client.post(f"/v1/tournaments/{self.tournament}/scores", json=body)
            except httpx2.HTTPError as error:
                self.refused.append(repr(error))
            else:
                if answer.status_code == 202:
                    self.acknowledged.append(time.monotonic())
                    return
                self.refused.append(answer.text)
            time.sleep(0.05)

    def _read(self) -> None:
        path = f"/v1/tournaments/{self.tournament}"
        wanted = [
            (self.palio.gateway_url, path),
            (self.palio.gateway_url, f"{path}/rankings?limit=5&cursor=3"),
            (self.palio.url, path),
            (self.palio.url, f"{path}/participants/{self.users[0]}"),
        ]
        with httpx2.Client(timeout=10) as client:
            for base, what in itertools.cycle(wanted):
                if self._stop.is_set():
                    return
                try:
                    status = client.get(base + what).status_code
                except httpx2.HTTPError:
                    status = 0
                entrypoint = "api" if base == self.palio.url else "gateway"
                self.reads.append((time.monotonic(), f"{entrypoint} {what.removeprefix(path)}", status))
                time.sleep(READS_PAUSE_S)

    def check_table(self, within_s: float = 90.0) -> None:
        """The table has every acknowledged event, once: the best score of each user, in order, and the number of attempts."""
        wanted = sorted(((score, str(user)) for user, score in self.best.items()), reverse=True)
        table = [(rank, user, score) for rank, (score, user) in enumerate(wanted, 1)]
        deadline = time.monotonic() + within_s
        with self.palio.client(gateway=True) as client, self.palio.client() as api:
            while True:
                answer = client.get(f"/v1/tournaments/{self.tournament}/rankings", params={"limit": 1000})
                rows = [(row["rank"], row["user_id"], row["score"]) for row in answer.json().get("rows", [])]
                if rows == table and (attempts := self._attempts(api)) == self.attempts:
                    return
                if time.monotonic() > deadline:
                    assert rows == table, answer.text[:300]
                    assert attempts == self.attempts
                time.sleep(0.2)

    def miscounted(self, within_s: float = 90.0) -> tuple[int, int]:
        """(lost, doubled): acknowledged events that were not applied, and applications beyond one of an event. Raises AssertionError when
        every event was applied once and the table is wrong all the same."""
        try:
            self.check_table(within_s)
        except AssertionError:
            with self.palio.client() as api:
                applied = Counter(self._attempts(api))
            lost, doubled = (self.attempts - applied).total(), (applied - self.attempts).total()
            if not lost and not doubled:
                raise
            return lost, doubled
        return 0, 0

    def longest_unread_s(self, entrypoint: str, since: float) -> float:
        """The longest time from `since` on in which no read at an entrypoint was answered well."""
        times = [
            since,
            *(at for at, what, status in self.reads if status == 200 and at > since and what.startswith(entrypoint)),
        ]
        return max((after - at for at, after in itertools.pairwise(times)), default=0.0)

    def _attempts(self, api: httpx2.Client) -> dict[int, int]:
        """How many events of each user were applied: one lost or counted twice shows here."""
        path = f"/v1/tournaments/{self.tournament}/participants"
        return {user: api.get(f"{path}/{user}").json().get("attempts", 0) for user in self.attempts}
