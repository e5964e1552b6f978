"""Load on a running Palio: players who view, join and submit, through both entrypoints.

    LOAD_TOKEN=$(scripts/palio token --role service --sub 1 | tail -n 1) \\
        .venv/bin/locust -f tests/load/locustfile.py --host http://127.0.0.1:8000 --headless -u 100 -r 20 -t 60s

The service's token acts for every player. Without `--tournament` a tournament is made for the run and ended after it.
"""

import itertools
import json
import os
import random
import threading
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from locust import FastHttpUser, between, events, task
from locust.argument_parser import LocustArgumentParser
from locust.env import Environment
from locust.exception import StopUser

FIRST_USER_ID = 1_000_000
_user_ids = itertools.count(FIRST_USER_ID)


class Target:
    """What this process's players aim at, found out once, by the first of them or at the start of the test."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.gateway = ""
        self.tournament = ""
        self.made = False

    def prepare(self, host: str, token: str, tournament: str) -> None:
        """Ask the api for the gateway, and make a tournament if none is named."""
        with self.lock:
            if self.gateway:
                return
            gateway = call(host, token, "GET", "/v1")["gateway"]
            if not tournament:
                spec = {
                    "name": f"Load {uuid.uuid4().hex[:8]}",
                    "type": "scheduled",
                    "starts_at": rfc3339(datetime.now(UTC)),
                    "ends_at": rfc3339(datetime.now(UTC) + timedelta(days=1)),
                }
                tournament = call(host, token, "POST", "/v1/tournaments", spec)["id"]
                self.made = True
            self.tournament, self.gateway = tournament, gateway.rstrip("/")


target = Target()


def rfc3339(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def call(host: str, token: str, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    """A call outside the measured ones; its refusal is shown with Palio's own words."""
    data = None if body is None else json.dumps(body).encode()
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    request = Request(host.rstrip("/") + path, data=data, headers=headers, method=method)
    try:
        with urlopen(request, timeout=30) as response:
            answer: dict[str, Any] = json.load(response)
            return answer
    except HTTPError as error:
        raise SystemExit(f"{method} {path}: {error.code} {error.read(300).decode(errors='replace')}") from error


@events.init_command_line_parser.add_listener
def options(parser: LocustArgumentParser) -> None:
    parser.add_argument("--token", env_var="LOAD_TOKEN", default="", is_secret=True, help="a service's token")
    parser.add_argument("--tournament", env_var="LOAD_TOURNAMENT", default="", help="id; default: one is made")


@events.test_start.add_listener
def check(environment: Environment, **_kwargs: object) -> None:
    if environment.parsed_options is None or not environment.parsed_options.token:
        raise SystemExit("expected --token or LOAD_TOKEN: scripts/palio token --role service --sub 1")


@events.test_stop.add_listener
def end(environment: Environment, **_kwargs: object) -> None:
    if target.made:
        assert environment.parsed_options is not None
        assert environment.host is not None
        call(environment.host, environment.parsed_options.token, "POST", f"/v1/tournaments/{target.tournament}/end")
        target.made, target.gateway = False, ""


class Player(FastHttpUser):
    """Joins once, then mostly watches and now and then sends a score."""

    wait_time = between(0.1, 1.0)
    host = os.environ.get("LOAD_HOST", "http://127.0.0.1:8000")

    def on_start(self) -> None:
        given = self.environment.parsed_options
        target.prepare(self.host, given.token, given.tournament)
        self.headers = {"Authorization": f"Bearer {given.token}"}
        self.user_id = str(next(_user_ids) + random.randrange(1 << 40))  # processes of one run must not meet
        self.path = f"/v1/tournaments/{target.tournament}"
        with self.client.put(
            f"{self.path}/participants/{self.user_id}",
            json={"name": f"Load {self.user_id}"[:64]},
            headers=self.headers,
            name="join (api)",
            catch_response=True,
        ) as response:
            if response.status_code not in (200, 201, 202):
                response.failure(f"{response.status_code} {response.text}")
                raise StopUser

    @task(10)
    def view(self) -> None:
        self.client.get(target.gateway + self.path, headers=self.headers, name="view (gateway)")

    @task(6)
    def submit(self) -> None:
        score = {"event_id": uuid.uuid4().hex, "user_id": self.user_id, "score": random.randrange(10_000_000) / 100}
        url = f"{target.gateway}{self.path}/scores"
        self.client.post(url, json=score, headers=self.headers, name="submit (gateway)")

    @task(1)
    def submit_and_wait(self) -> None:
        score = {"event_id": uuid.uuid4().hex, "user_id": self.user_id, "score": random.randrange(10_000_000) / 100}
        headers = self.headers | {"Prefer": "wait=5"}
        self.client.post(
            f"{target.gateway}{self.path}/scores", json=score, headers=headers, name="submit, wait=5 (gateway)"
        )

    @task(2)
    def page(self) -> None:
        self.client.get(
            f"{target.gateway}{self.path}/rankings?limit=100", headers=self.headers, name="rankings (gateway)"
        )

    @task(1)
    def list_tournaments(self) -> None:
        self.client.get("/v1/tournaments?status=running&limit=20", headers=self.headers, name="list (api)")
