"""A steady load on one tournament that remembers every acknowledged event, and the table that must come of them."""

from __future__ import annotations

import itertools
import random
import threading
import time
from typing import Any

import httpx

from tests.support.running import RunningPalio


class Load:
    """Submits scores of `users` from a thread, by the gateway, without waiting; reads the view from another.

    An event whose answer never came is sent again under the same id until it is acknowledged, as a careful client does, so that
    what must be in the table is known exactly. `best` policy: each user's best score.
    """

    def __init__(self, palio: RunningPalio, tournament: str, users: range) -> None:
        self.palio = palio
        self.tournament = tournament
        self.users = users
        self.best: dict[int, float] = {}
        self.attempts: dict[int, int] = {}
        self.acknowledged: list[float] = []  # when
        self.refused: list[str] = []
        self.reads: list[tuple[float, int]] = []
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

    def _submit(self) -> None:
        headers = {"Authorization": f"Bearer {self.palio.token('service', 1)}"}
        with httpx.Client(base_url=self.palio.gateway_url, headers=headers, timeout=10) as client:
            for number in itertools.count():
                if self._stop.is_set():
                    return
                user, score = self._random.choice(self.users), self._random.randrange(10_000_000) / 100
                body = {"event_id": f"load-{number}", "user_id": str(user), "score": score}
                if self._acknowledge(client, body):
                    self.best[user] = max(self.best.get(user, -1), score)
                    self.attempts[user] = self.attempts.get(user, 0) + 1
                time.sleep(0.002)

    def _acknowledge(self, client: httpx.Client, body: dict[str, Any]) -> bool:
        for _ in range(1000):  # bounded: the test fails long before
            try:
                answer = client.post(f"/v1/tournaments/{self.tournament}/scores", json=body)
            except httpx.HTTPError as error:
                self.refused.append(repr(error))
            else:
                if answer.status_code == 202:
                    self.acknowledged.append(time.monotonic())
                    return True
                self.refused.append(answer.text)
            time.sleep(0.05)
        return False

    def _read(self) -> None:
        with httpx.Client(base_url=self.palio.gateway_url, timeout=10) as client:
            while not self._stop.is_set():
                try:
                    status = client.get(f"/v1/tournaments/{self.tournament}").status_code
                except httpx.HTTPError:
                    status = 0
                self.reads.append((time.monotonic(), status))
                time.sleep(0.01)

    def check_table(self, within_s: float = 60.0) -> None:
        """The table has every acknowledged event, once."""
        wanted = {str(user): score for user, score in self.best.items()}
        deadline = time.monotonic() + within_s
        with self.palio.client(gateway=True) as client:
            while True:
                answer = client.get(f"/v1/tournaments/{self.tournament}/rankings", params={"limit": 1000})
                rows = answer.json().get("rows", [])
                if {row["user_id"]: row["score"] for row in rows} == wanted and self._attempts_match():
                    break
                assert time.monotonic() < deadline, f"{len(rows)} rows, wanted {len(wanted)}: {answer.text[:300]}"
                time.sleep(0.2)
        assert [row["score"] for row in rows] == sorted(wanted.values(), reverse=True)
        assert [row["rank"] for row in rows] == list(range(1, len(rows) + 1))

    def _attempts_match(self) -> bool:
        """`attempts` counts every applied event: one lost or counted twice shows here."""
        with self.palio.client() as api:
            got = {
                user: api.get(f"/v1/tournaments/{self.tournament}/participants/{user}").json().get("attempts")
                for user in self.attempts
            }
        return got == self.attempts
