"""A disk that fills up under a running Palio: a clear refusal, reads go on, and all works again when there is room.

And a start on a full one."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tests.integration.conftest import create, eventually, join, problem, refused, submit
from tests.support.running import RunningPalio
from tests.support.small_disk import small_disk


@pytest.fixture
def tiny() -> Iterator[Path]:
    """A directory on a disk of 24 MiB of its own."""
    with small_disk(24) as mounted:
        yield mounted


def fill(disk: Path) -> None:
    """Until there is no byte left."""
    with (disk / "filler").open("wb", buffering=0) as filler, contextlib.suppress(OSError):
        while True:
            filler.write(b"x" * 4096)


def contents(disk: Path) -> dict[str, int]:
    """All files and how long they are."""
    return {str(path): path.stat().st_size for path in disk.rglob("*")}


def test_the_disk_fills_up(tiny: Path) -> None:
    palio = RunningPalio(tiny / "data").start()
    try:
        with palio.client() as client:
            tournament = create(client)
            join(client, tournament, 1)
            submit(client, tournament, 1, "before", 10)
            path = f"/v1/tournaments/{tournament}/scores"
            assert client.get("/readyz").status_code == 200
            fill(tiny)
            accepted: list[str] = []

            def refusal() -> httpx2.Response | None:
                name = f"full-{len(accepted)}"
                answer = client.post(path, json={"event_id": name, "user_id": "1", "score": 11})
                if answer.status_code == 202:
                    accepted.append(name)  # there was room in the log's last page
                    return None
                return answer

            answer = eventually(refusal)
            assert answer.status_code == 503
            assert answer.headers["content-type"].startswith("application/problem+json")
            assert int(answer.headers["retry-after"]) >= 1
            assert client.get(f"/v1/tournaments/{tournament}").status_code == 200
            not_ready = eventually(lambda: (r := client.get("/readyz")).status_code != 200 and r)
            assert problem(not_ready) == (503, "disk_full")
            (tiny / "filler").unlink()
            eventually(lambda: client.get("/readyz").status_code == 200)
            assert submit(client, tournament, 1, "after", 12)["outcome"] == "applied"
            me = f"/v1/tournaments/{tournament}/participants/1"
            eventually(lambda: client.get(me).json()["attempts"] == 2 + len(accepted))
    finally:
        assert palio.stop() == 0
    fill(tiny)
    before = contents(tiny)
    for data in (tiny / "data", tiny / "new"):
        assert refused(data).startswith("palio: disk full: ")
    assert contents(tiny) == before
    (tiny / "filler").unlink()
    palio.start()
    with palio.client() as client:
        assert client.get(f"/v1/tournaments/{tournament}/participants/1").json()["score"] == 12
    assert palio.stop() == 0
