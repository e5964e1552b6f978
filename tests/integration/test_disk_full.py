"""A disk that fills up under a running Palio: a clear refusal, reads go on, and all works again when there is room."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tests.integration.conftest import create, eventually, join, submit
from tests.support.running import RunningPalio
from tests.support.small_disk import small_disk


@pytest.fixture
def tiny() -> Iterator[Path]:
    """A directory on a disk of 24 MiB of its own."""
    with small_disk(24) as mounted:
        yield mounted


def test_the_disk_fills_up(tiny: Path) -> None:
    palio = RunningPalio(tiny / "data").start()
    try:
        with palio.client() as client:
            tournament = create(client)
            join(client, tournament, 1)
            submit(client, tournament, 1, "before", 10)
            path = f"/v1/tournaments/{tournament}/scores"
            with (tiny / "filler").open("wb", buffering=0) as filler:
                while True:  # until there is no byte left
                    try:
                        filler.write(b"x" * 4096)
                    except OSError:
                        break
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
            (tiny / "filler").unlink()
            assert submit(client, tournament, 1, "after", 12)["outcome"] == "applied"
            me = f"/v1/tournaments/{tournament}/participants/1"
            eventually(lambda: client.get(me).json()["attempts"] == 2 + len(accepted))
    finally:
        assert palio.stop() == 0
    palio.start()
    with palio.client() as client:
        assert client.get(f"/v1/tournaments/{tournament}/participants/1").json()["score"] == 12
    assert palio.stop() == 0
