"""The archive on S3: kill -9 of the process that writes it and of everything, tournaments that leave the records, and come back changed."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import boto3
import httpx2
import pyarrow.parquet as pq
import pytest
from moto.server import ThreadedMotoServer

from tests.integration.conftest import create, eventually, join, submit
from tests.support.running import NO_LIMITS, RunningPalio

PLAYERS = 9
PRIZES = [{"ranks": [1, 3], "amount": "33.34", "currency": "EUR"}]
BUCKET = "killed"  # not that of the contract's tests: moto's servers of one process share what they have


class S3:
    """An S3 server of its own, that can be away."""

    def __init__(self) -> None:
        self.server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
        self.server.start()
        _, self.port = self.server.get_host_and_port()
        self.client.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})

    @property
    def client(self) -> Any:
        keys = {"aws_access_key_id": "AKIDEXAMPLE", "aws_secret_access_key": "secret"}
        address = f"http://127.0.0.1:{self.port}"
        return boto3.client("s3", endpoint_url=address, region_name="eu-central-1", **keys)

    @property
    def url(self) -> str:
        options = f"region=eu-central-1&scheme=http&endpoint_override=127.0.0.1:{self.port}"
        return f"s3://AKIDEXAMPLE:secret@{BUCKET}/palio?{options}"

    def stop(self) -> None:
        """It refuses connections, and keeps what it has."""
        self.server.stop()

    def back(self) -> None:
        self.server = ThreadedMotoServer("127.0.0.1", self.port, verbose=False)
        self.server.start()

    def names(self) -> set[str]:
        """Of files; pyarrow puts empty objects for folders, too."""
        found = (each["Key"] for each in self.client.list_objects_v2(Bucket=BUCKET).get("Contents", []))
        return {key for key in found if not key.endswith("/")}


@pytest.fixture
def s3() -> Iterator[S3]:
    running = S3()
    yield running
    running.stop()


@pytest.fixture
def archiving(tmp_path: Path, s3: S3) -> Iterator[RunningPalio]:
    """A Palio whose tournaments leave the records 10 s after their end."""
    settings = {"URL": s3.url, "LEAVE_DAYS": str(10 / 86_400), "TIMEOUT_S": "4"}
    running = RunningPalio(
        tmp_path / "data", **NO_LIMITS, **{f"PALIO_ARCHIVE_{name}": value for name, value in settings.items()}
    )
    running.start()
    yield running
    assert running.stop() == 0, "".join(running.output)


def end(api: httpx2.Client, gateway: httpx2.Client) -> str:
    tournament = create(api, prizes=PRIZES, ties="shared")
    join(api, tournament, *range(1, PLAYERS + 1))
    for user in range(1, PLAYERS + 1):
        submit(gateway, tournament, user, "e", 50 if user in (2, 3) else user)
    ended = api.post(f"/v1/tournaments/{tournament}/end", headers={"Prefer": "wait=10"})
    assert ended.json()["status"] == "finished"
    return tournament


def listed(api: httpx2.Client) -> dict[str, dict[str, Any]]:
    found = api.get("/v1/archives").raise_for_status().json()["items"]
    return {item["tournament_id"]: item for item in found}


def read(api: httpx2.Client, tournament: str) -> list[tuple[Any, ...]]:
    data = api.get(f"/v1/tournaments/{tournament}/archive").raise_for_status().content
    table = pq.read_table(io.BytesIO(data))
    columns = ("rank", "user_id", "score", "attempts", "disqualified")
    return list(zip(*(table.column(name).to_pylist() for name in columns), strict=True))


def expected(*out: int) -> list[tuple[Any, ...]]:
    """By hand: two with 50, then 9 down to 1; the disqualified last."""
    scores = {user: 50 if user in (2, 3) else user for user in range(1, PLAYERS + 1)}
    order = sorted((user for user in scores if user not in out), key=lambda user: (-scores[user], user))
    ranked = [(1 + sum(scores[o] > scores[user] for o in order), user, scores[user], 1, False) for user in order]
    return ranked + [(None, user, scores[user], 1, True) for user in out]


def shown(api: httpx2.Client, tournament: str) -> dict[str, Any]:
    """What routes tell of it, without the position, which is of the process that shows it."""
    told: dict[str, Any] = {}
    for path in ("", "/rankings", "/participants/2", "/prizes", "/export?format=csv", "/history"):
        answer = api.get(f"/v1/tournaments/{tournament}{path}").raise_for_status()
        told[path] = answer.json() if "json" in answer.headers["content-type"] else answer.text
        if isinstance(told[path], dict):
            told[path].pop("position", None)
            told[path].pop("previous_rank", None)
    return told


def kill_archiver(running: RunningPalio) -> None:
    eventually(lambda: bool(running.pids("ray::ArchiverActor")), 60)
    running.kill_actors("ray::ArchiverActor")


def has_left(api: httpx2.Client, tournament: str, revision: int = 0) -> bool:
    item = listed(api).get(tournament)
    return item is not None and item["in_records"] is False and item["revision"] == revision


def test_killed_in_the_middle_and_with_s3_away_every_file_is_right_and_what_left_is_shown(
    archiving: RunningPalio, s3: S3
) -> None:
    with (
        archiving.client("operator") as api,
        archiving.client() as service,
        archiving.client(gateway=True) as gateway,
    ):
        first = end(service, gateway)
        before = shown(api, first)
        s3.stop()
        tournaments = [first, *(end(service, gateway) for _ in range(5))]
        for wait_s in (0.3, 0.9, 1.7):
            kill_archiver(archiving)
            time.sleep(wait_s)
        assert api.get(f"/v1/tournaments/{tournaments[-1]}/archive").status_code in (404, 503)
        s3.back()
        time.sleep(1)
        kill_archiver(archiving)
        eventually(lambda: set(listed(api)) == set(tournaments), 120)
        assert all(read(api, tournament) == expected() for tournament in tournaments)
        for tournament in tournaments:
            eventually(partial(has_left, api, tournament), 120)
        assert shown(api, first) == before
        assert s3.names() == {
            f"palio/{int(t) % 256:02x}/{t}.{kind}" for t in tournaments for kind in ("parquet", "state")
        }
    archiving.kill()
    archiving.start()
    with archiving.client("operator") as api:
        assert shown(api, first) == before
        out = api.post(f"/v1/tournaments/{first}/participants/2/disqualify", json={"reason": "two accounts"})
        assert out.status_code == 200, out.text
        assert api.delete("/v1/users/3").status_code == 204
        eventually(lambda: has_left(api, first, 2) and read(api, first) == expected(2), 120)
        told = shown(api, first)
        assert told["/rankings"]["rows"][0]["user_id"] == "3"
        assert told["/rankings"]["rows"][0]["name"] is None
    held = s3.client
    name = f"palio/{int(first) % 256:02x}/{first}"
    table = pq.read_table(io.BytesIO(held.get_object(Bucket=BUCKET, Key=f"{name}.parquet")["Body"].read()))
    assert set(table.column("name").to_pylist()) == {None, *(f"User {user}" for user in (1, 2, *range(4, PLAYERS + 1)))}
    state = held.get_object(Bucket=BUCKET, Key=f"{name}.state")["Body"].read()
    assert b"User 3" not in state
    assert b"User 4" in state
