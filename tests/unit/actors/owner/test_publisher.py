"""Publishing: how soon, how often, for whom; and that the patches of what is published lead from one table to the next."""

from __future__ import annotations

import asyncio
import copy
import random
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from actors.domain import views
from actors.domain.delivery import ControlItem, ScoreItem
from actors.domain.fold import apply
from actors.domain.messages import Create, Join, Leave, Spec
from actors.domain.publications import changed_channel, decode_changed, updates_channel
from actors.domain.tournament import Tournament
from actors.owner.change import Change
from actors.owner.entity import Entity, Scope
from actors.owner.live import Live
from actors.owner.publisher import WATCHED_MS, Publisher
from actors.owner.reads import OwnerReads
from storage.ports import RankingsQuery
from tests.support.gateway import live_of

NOW_MS = 1_800_000_000_000
INTERVAL_MS = 50
TOURNAMENT = 7


class Heard:
    """An Updates port that keeps what is published."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, bytes]] = []

    async def publish(self, messages: Sequence[tuple[str, bytes]]) -> None:
        self.messages += messages

    def take(self, channel: str) -> list[bytes]:
        found = [payload for name, payload in self.messages if name == channel]
        self.messages = [message for message in self.messages if message[0] != channel]
        return found


class Stage:
    """One running tournament, its publisher, and a clock that stands still."""

    def __init__(self, policy: Any = "last", members: int = 30, **spec_fields: Any) -> None:
        self.now_ms = NOW_MS
        self.offset = 0
        spec = Spec(
            name="x", type="scheduled", starts_ms=NOW_MS - 1, ends_ms=NOW_MS + 10**9, score_policy=policy, **spec_fields
        )
        create = Create(
            command_id="c", creator="1", created_ms=NOW_MS, spec=spec, dedicated=False, salt="ab", request_digest="d"
        )
        self.state: Tournament = self._control(None, create)
        for user in range(1, members + 1):
            self._control(self.state, Join(command_id=f"j{user}", user_id=str(user), name=f"n{user}"))
        self.heard = Heard()
        self.publisher = Publisher(self.heard, lambda: self.now_ms, INTERVAL_MS)  # type: ignore[arg-type]
        self.entity = Entity(self.state, Scope(0, 0, epoch=0, watermark=10**9, durable=-1))

    def _control(self, state: Tournament | None, message: Any) -> Tournament:
        self.offset += 1
        item = ControlItem(self.offset, self.now_ms, TOURNAMENT, message)
        return apply(state, TOURNAMENT, 0, item)[0]

    def score(self, user: int, score: int) -> None:
        self.offset += 1
        apply(self.state, TOURNAMENT, 0, ScoreItem(self.offset, self.now_ms, TOURNAMENT, user, str(self.offset), score))
        slots = {slot: user for slot in [self.state.members.slot(user)] if slot >= 0}
        self.publisher.note(Change(self.entity, slots))

    def leave(self, user: int) -> None:
        self._control(self.state, Leave(command_id=f"l{self.offset}", user_id=str(user)))
        self.publisher.note(Change(self.entity, top=True))

    async def published(self) -> tuple[int | None, list[bytes]]:
        next_due_ms = await self.publisher.publish_due()
        return next_due_ms, self.heard.take(updates_channel(TOURNAMENT))


async def test_a_watched_one_is_told_at_once_and_then_once_an_interval() -> None:
    stage = Stage()
    stage.publisher.watch(stage.entity)
    stage.score(1, 100)
    assert stage.publisher.wake.is_set()
    next_due_ms, frames = await stage.published()
    assert len(frames) == 1
    assert next_due_ms is None
    stage.now_ms += 10
    stage.score(2, 200)
    assert await stage.published() == (INTERVAL_MS - 10, [])
    stage.now_ms += INTERVAL_MS - 10
    next_due_ms, frames = await stage.published()
    assert len(frames) == 1
    assert next_due_ms is None
    assert stage.entity.live.seq == 2


async def test_one_nobody_watches_is_not_published_until_somebody_does() -> None:
    stage = Stage()
    stage.score(1, 100)
    stage.score(2, 200)
    assert await stage.published() == (None, [])
    assert not stage.publisher.wake.is_set()
    assert (stage.entity.live.seq, stage.entity.live.data) == (0, None)
    stage.publisher.watch(stage.entity)
    assert stage.publisher.wake.is_set()
    (frame,) = (await stage.published())[1]  # for whoever heard an earlier one
    update = msgspec.json.decode(frame)
    assert update["seq"] == stage.entity.live.seq == 1
    before = {
        "status": "",
        "participants": 0,
        "starts_at": None,
        "ends_at": None,
        "ties": "",
        "top": [{"user_id": "9"}],
    }
    assert patched(before, update["patch"]) == stage.entity.live.data == Live().data_now(stage.state, "running")


async def test_whoever_begins_to_watch_a_frozen_table_hears_the_frozen_one() -> None:
    stage = Stage(members=2, freeze_ms=1000)
    stage.score(1, 100)
    stage.now_ms = NOW_MS + 10**9 - 500  # it stands still
    stage.score(2, 900)
    stage.publisher.watch(stage.entity)
    _, frames = await stage.published()
    told = {operation["path"]: operation["value"] for operation in msgspec.json.decode(frames[0])["patch"]}
    assert [row["user_id"] for row in told["/top"]] == ["1"]
    stage.publisher.watch(stage.entity)
    stage.score(2, 950)
    stage.now_ms += INTERVAL_MS
    assert all(b'"2"' not in frame for frame in (await stage.published())[1])


async def test_watching_what_did_not_change_publishes_nothing() -> None:
    stage = Stage()
    stage.publisher.watch(stage.entity)
    assert await stage.published() == (None, [])
    assert stage.entity.live.data == Live().data_now(stage.state, "running")


async def test_one_that_was_watched_falls_silent_again_and_says_all_at_the_next_watch() -> None:
    stage = Stage()
    stage.publisher.watch(stage.entity)
    stage.score(1, 100)
    assert len((await stage.published())[1]) == 1
    stage.now_ms += WATCHED_MS
    stage.score(1, 200)
    assert await stage.published() == (None, [])
    assert (stage.entity.live.data, stage.entity.live.rows) == (None, {})
    stage.publisher.watch(stage.entity)
    (frame,) = (await stage.published())[1]
    assert msgspec.json.decode(frame)["seq"] == 2


async def test_one_whose_watchers_went_while_an_update_was_due() -> None:
    stage = Stage()
    stage.publisher.watch(stage.entity)
    stage.score(1, 100)
    stage.now_ms += WATCHED_MS
    assert await stage.published() == (None, [])
    assert stage.entity.position() == (0, 1)


async def test_who_changed_is_told_to_watchers_alone() -> None:
    stage = Stage()
    stage.score(1, 100)
    await stage.published()
    assert stage.heard.messages == []
    stage.publisher.watch(stage.entity)
    stage.score(2, 200)
    stage.now_ms += INTERVAL_MS
    await stage.published()
    assert [decode_changed(payload) for payload in stage.heard.take(changed_channel(TOURNAMENT))] == [{2}]


async def test_reads_of_what_nobody_watches_publish_nothing_and_have_a_position_each() -> None:
    stage = Stage()
    assert (await read(stage))["position"]["seq"] == 0
    stage.score(1, 100)
    shown = [await read(stage), await read(stage)]
    stage.score(1, 200)
    shown.append(await read(stage))
    assert [view["position"]["seq"] for view in shown] == [1, 1, 2]
    assert await stage.published() == (None, [])
    stage.publisher.watch(stage.entity)  # whoever read before subscribes from there
    assert (stage.entity.position(), live_of(shown[-1])) == ((0, 2), stage.entity.live.data)
    assert await stage.published() == (None, [])


async def test_updates_kept_for_those_who_come_back_are_without_gaps() -> None:
    stage = Stage()
    stage.publisher.watch(stage.entity)
    stage.score(1, 100)
    await stage.published()
    stage.now_ms += WATCHED_MS
    stage.score(1, 200)
    assert [seq for seq, _ in stage.entity.live.recent] == [1]
    await read(stage)  # update 2, which nobody heard
    stage.publisher.watch(stage.entity)
    stage.score(1, 300)
    await stage.published()
    assert [seq for seq, _ in stage.entity.live.recent] == [3]


async def test_a_clock_that_goes_back_silences_nothing() -> None:
    stage = Stage()
    stage.publisher.watch(stage.entity)
    stage.score(1, 100)
    await stage.published()
    stage.score(2, 200)
    stage.now_ms -= 3_600_000
    next_due_ms, frames = await stage.published()
    assert frames == []
    assert next_due_ms == INTERVAL_MS
    stage.now_ms += INTERVAL_MS
    assert len((await stage.published())[1]) == 1
    stage.publisher.watch(stage.entity)
    stage.score(3, 300)
    stage.now_ms += INTERVAL_MS
    assert len((await stage.published())[1]) == 1


async def test_a_scope_that_catches_up_tells_later() -> None:
    stage = Stage()
    stage.publisher.watch(stage.entity)
    stage.entity.scope.watermark = -1
    stage.score(1, 100)
    next_due_ms, frames = await stage.published()
    assert frames == []
    assert next_due_ms == INTERVAL_MS
    stage.entity.scope.watermark = 10**9
    stage.now_ms += INTERVAL_MS
    assert len((await stage.published())[1]) == 1


async def test_what_was_forgotten_is_not_told() -> None:
    stage = Stage()
    stage.publisher.watch(stage.entity)
    stage.score(1, 100)
    stage.publisher.forget(TOURNAMENT)
    assert await stage.published() == (None, [])


def patched(data: dict[str, Any], operations: list[dict[str, Any]]) -> dict[str, Any]:
    """RFC 6902, as far as live patches use it, read from the standard."""
    data = copy.deepcopy(data)

    def place(path: str) -> tuple[Any, Any]:
        *parents, last = path.split("/")[1:]
        where: Any = data
        for name in parents:
            where = where[int(name)] if isinstance(where, list) else where[name]
        return where, int(last) if isinstance(where, list) else last

    for operation in operations:
        where, at = place(operation["path"])
        if operation["op"] == "replace":
            assert at in where if isinstance(where, dict) else at < len(where)
            where[at] = operation["value"]
        elif operation["op"] == "remove":
            del where[at]
        elif operation["op"] == "add":
            assert at <= len(where)
            where.insert(at, operation["value"])
        else:
            assert operation["op"] == "move"
            source, source_at = place(operation["from"])
            value = source.pop(source_at)
            assert at <= len(where)
            where.insert(at, value)
    return data


async def test_each_patch_leads_from_one_table_to_the_next() -> None:
    rng = random.Random(5)
    for _ in range(20):
        stage = Stage(members=rng.choice([3, 25, 40]))
        stage.publisher.watch(stage.entity)
        shown: Any = copy.deepcopy(stage.entity.live.data)
        for _ in range(40):
            for _ in range(rng.choice([1, 1, 2, 8])):
                stage.score(rng.randint(1, 40), rng.randint(0, 30) * 100)
            if rng.random() < 0.2:
                stage.leave(rng.randint(1, 40))
            stage.now_ms += INTERVAL_MS
            for frame in (await stage.published())[1]:
                shown = patched(shown or {}, msgspec.json.decode(frame)["patch"])
            assert shown == stage.entity.live.data == Live().data_now(stage.state, stage.entity.status)


async def test_a_row_that_rises_or_falls_is_one_move() -> None:
    stage = Stage(members=20)
    stage.publisher.watch(stage.entity)
    for user in range(1, 21):
        stage.score(user, 10_000 - 100 * user)
    await stage.published()
    for score, source, target in ((50, 0, 19), (20_000, 19, 0)):
        stage.now_ms += INTERVAL_MS
        stage.score(1, score)
        (frame,) = (await stage.published())[1]
        operations = msgspec.json.decode(frame)["patch"]
        assert operations == [
            {"op": "move", "from": f"/top/{source}", "path": f"/top/{target}"},
            {"op": "replace", "path": f"/top/{target}/score", "value": score / 100},
        ]


async def read(stage: Stage) -> dict[str, Any]:
    shown: dict[str, Any] = msgspec.json.decode(await stage.publisher.settled(stage.entity, stage.entity.view))
    return shown


async def test_a_read_of_what_is_not_published_yet_publishes_it() -> None:
    stage = Stage()
    stage.publisher.watch(stage.entity)
    stage.score(1, 100)
    shown = await read(stage)
    assert shown["position"] == {"epoch": 0, "seq": 1, "offset": stage.offset}
    assert live_of(shown) == stage.entity.live.data
    assert stage.publisher.wake.is_set()
    frames = (await stage.published())[1]
    assert [msgspec.json.decode(frame)["seq"] for frame in frames] == [1]


async def test_a_read_between_two_updates_waits_for_the_next_one() -> None:
    stage = Stage()
    stage.publisher.watch(stage.entity)
    stage.score(1, 100)
    await stage.published()
    stage.now_ms += 10
    stage.score(2, 200)
    waiting = asyncio.create_task(read(stage))
    await asyncio.sleep(0)
    assert await stage.published() == (INTERVAL_MS - 10, [])
    stage.now_ms += INTERVAL_MS - 10
    assert len((await stage.published())[1]) == 1
    published = copy.deepcopy(stage.entity.live.data)
    stage.score(3, 300)  # before the reader has its turn
    shown = await waiting
    assert (shown["position"]["seq"], live_of(shown)) == (2, published)


async def test_a_read_that_waited_in_vain_has_no_position(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("actors.owner.publisher.READ_WAIT_S", 0.001)
    stage = Stage()
    stage.publisher.watch(stage.entity)
    stage.score(1, 100)
    await stage.published()
    stage.score(2, 200)
    shown = await read(stage)
    assert (shown["position"]["seq"], len(shown["top"])) == (views.UNPUBLISHED, 2)
    assert live_of(shown) != stage.entity.live.data
    reads = OwnerReads(None, stage.publisher)  # type: ignore[arg-type]  # whose owner finds tournaments: this one is at hand
    page = await reads.answer(stage.entity, RankingsQuery())
    assert (page.seq, msgspec.json.decode(page.body)["position"]["seq"]) == (views.UNPUBLISHED, views.UNPUBLISHED)


async def test_a_read_of_a_tournament_that_moves_meanwhile_is_answered() -> None:
    stage = Stage()
    stage.publisher.watch(stage.entity)
    stage.score(1, 100)
    await stage.published()
    stage.score(2, 200)
    waiting = asyncio.create_task(read(stage))
    await asyncio.sleep(0)
    stage.publisher.forget(TOURNAMENT)
    assert (await waiting)["position"]["seq"] == views.UNPUBLISHED


async def test_updates_after_a_position_apply_to_what_it_came_with(monkeypatch: pytest.MonkeyPatch) -> None:
    """REST, then the updates since its position, under load: the same table as everyone's. And reads make no more updates than there may be."""
    monkeypatch.setattr("actors.owner.publisher.READ_WAIT_S", 60)  # the clock here is the test's
    rng = random.Random(9)
    stage = Stage(members=40)
    stage.publisher.watch(stage.entity)
    frames: list[dict[str, Any]] = []
    reading: set[asyncio.Task[dict[str, Any]]] = set()
    for _ in range(2000):  # of a millisecond
        stage.now_ms += 1
        for _ in range(rng.choice([0, 0, 1, 2])):
            stage.score(rng.randint(1, 40), rng.randint(0, 30) * 100)
        if rng.random() < 0.3:
            reading.add(asyncio.create_task(read(stage)))
        await asyncio.sleep(0)
        frames += [msgspec.json.decode(frame) for frame in (await stage.published())[1]]
    stage.now_ms += INTERVAL_MS
    frames += [msgspec.json.decode(frame) for frame in (await stage.published())[1]]
    taken = await asyncio.gather(*reading)
    assert 30 <= len(frames) <= 2000 // INTERVAL_MS + 1
    assert len({shown["position"]["seq"] for shown in taken}) >= 20
    for shown in taken:
        data, position = live_of(shown), shown["position"]
        assert position["seq"] >= 0
        for frame in frames:
            if frame["seq"] > position["seq"]:
                data = patched(data, frame["patch"])
        assert data == stage.entity.live.data == Live().data_now(stage.state, stage.entity.status)
