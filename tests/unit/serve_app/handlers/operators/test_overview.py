from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from serve_app.handlers.operators import overview
from serve_app.handlers.operators.overview import Kept
from storage.ports import Finding, ShardPlace, Shards, ShardServer
from tests.support.front import LATER, Front, open_front
from tests.support.inprocess_records import EPOCH


@pytest.fixture
async def front(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Front]:
    monkeypatch.setattr(overview, "ACTORS_KEPT_S", 0.0)
    monkeypatch.setattr(overview, "SERVERS_KEPT_S", 0.0)
    async with open_front() as front:
        yield front


async def told(front: Front, path: str) -> Any:
    answer = await front.call("GET", f"/v1/operations/{path}", front.token("operator"))
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "private, no-store"
    return answer.json()


async def test_tournaments_are_listed_with_who_holds_them(front: Front) -> None:
    running, hidden = await front.create(), await front.create(LATER, visibility="private", name="Hidden")
    over = await front.create(name="Over")
    await front.call("POST", f"/v1/tournaments/{over}/cancel", front.token())
    front.palio.operations.behind = 3
    items = {item["id"]: item for item in (await told(front, "tournaments"))["items"]}
    assert set(items) == {running, hidden, over}
    partition = items[running]["partition"]
    assert items[running].items() >= {
        "scope": f"partition-{partition}", "owner": "shard-0", "node": "here", "epoch": EPOCH, "lag_records": 3, "lag_s": 1.5,
    }.items()  # fmt: skip
    assert (items[over]["owner"], items[over]["lag_records"], items[over]["lag_s"]) == ("shard-0", None, None)
    found = await told(front, "tournaments?q=hidd&status=scheduled&limit=1")
    assert [item["id"] for item in found["items"]] == [hidden]
    one = await told(front, f"tournaments/{running}")
    assert one == {**{name: items[running][name] for name in one if name != "notices"}, "notices": []}
    unknown = await front.call("GET", "/v1/operations/tournaments/7", front.token("operator"))
    assert unknown.status_code == 404


async def test_an_owner_that_is_away_is_told_and_hides_no_other(front: Front) -> None:
    front.palio.operations.away = ["shard-1"]
    await front.create()
    actors = await told(front, "actors")
    assert [(owner["name"], owner["state"][:7]) for owner in actors["owners"]] == [
        ("shard-0", "running"), ("shard-1", "missing"),
    ]  # fmt: skip
    assert len(actors["partitions"]) == actors["ingest"][0]["partitions"] == front.palio.partitions
    assert sum(partition["records"] for partition in actors["partitions"]) == 1
    assert {partition["lag_s"] for partition in actors["partitions"]} == {0.0}


async def test_servers_and_shards(front: Front) -> None:
    operations = front.palio.operations
    assert (await told(front, "servers"))["shards"] is None
    operations.found = [Finding("redis", "wrong", "refused", "start it")]
    operations.placed = Shards([ShardServer(0, "primary", "a:1", None, None, "refused")], [ShardPlace(0, 0, 1)])
    assert await told(front, "servers") == {
        "findings": [{"subject": "redis", "state": "wrong", "found": "refused", "to_do": "start it"}],
        "shards": {
            "servers": [
                {"shard": 0, "role": "primary", "address": "a:1", "answer_ms": None, "behind": None, "error": "refused"}
            ],
            "places": [{"partition": 0, "shard": 0, "moving_to": 1}],
        },
    }


async def test_who_ordered_what_in_all_of_them_newest_first(front: Front) -> None:
    first, second = await front.create(LATER), await front.create(name="Second")
    for tournament, command in ((first, "start"), (second, "end"), (first, "cancel")):
        front.palio.now_ms += 1000
        await front.call("POST", f"/v1/tournaments/{tournament}/{command}", front.token("operator", 9))
    orders = await told(front, "history")
    assert [(item["tournament_id"], item["action"], item["by"]) for item in orders["items"]][:3] == [
        (first, "cancel", "9"), (second, "end", "9"), (first, "start", "9"),
    ]  # fmt: skip
    assert (orders["tournaments"], orders["silent"]) == (2, 0)
    assert len((await told(front, "history?limit=1"))["items"]) == 1
    assert len((await told(front, "history?limit=200"))["items"]) >= 3
    assert {item["tournament"] for item in (await told(front, "history?q=second"))["items"]} == {"Second"}
    front.palio.owners.down = True
    assert await told(front, "history") == {"items": [], "tournaments": 2, "silent": 2}


async def test_notices_by_tournament_and_of_all(front: Front) -> None:
    tournament = await front.create()
    await front.palio.notices.begin(int(tournament), "ended-5-1", b"", ["live", "email"], 1_800_000_000_000)
    await front.palio.notices.begin(7, "started-5-1", b"", ["live"], 1_800_000_000_001)
    notices = (await told(front, f"tournaments/{tournament}"))["notices"]
    assert [(each["event"], each["channel"], each["done_at"]) for each in notices] == [
        ("ended", "email", None), ("ended", "live", None),
    ]  # fmt: skip
    assert {each["event"] for each in (await told(front, "notices"))["items"]} == {"ended", "started"}


async def test_many_who_ask_at_once_are_one_look_and_a_failure_is_not_kept() -> None:
    asked = 0

    async def fetch() -> int:
        nonlocal asked
        asked += 1
        await asyncio.sleep(0)
        if asked == 1:
            raise ValueError("away")
        return asked

    kept = Kept(fetch, 60)
    assert [type(each) for each in await asyncio.gather(kept.get(), kept.get(), return_exceptions=True)] == [
        ValueError
    ] * 2
    assert set(await asyncio.gather(kept.get(), kept.get())) == {2}
    assert await kept.get() == 2
