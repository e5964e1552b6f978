from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from actors.domain.publications import update_frame
from serve_app.live.protocol import Position, text_frame
from serve_app.live.topic import RING_FRAMES, Taken, Topic
from storage.ports import LiveSnapshot


class Owner:
    """Publishes updates 1, 2, ... of an epoch; the data is the number itself."""

    def __init__(self, kept: int) -> None:
        self.epoch, self.seq, self._kept = 1, 0, kept

    def publish(self) -> tuple[int, int, bytes]:
        self.seq += 1
        return self.epoch, self.seq, update_frame(7, self.epoch, self.seq, b"[]")

    def take_over(self) -> None:
        self.epoch += 5
        self.seq = 0

    def snapshot(self) -> LiveSnapshot:
        recent = tuple((seq, b"[]") for seq in range(max(1, self.seq - self._kept + 1), self.seq + 1))
        return LiveSnapshot(True, True, self.epoch, self.seq, b"{}", recent)


class Watcher:
    """Fails on what clients may not see: a gap, a step back without a snapshot, an update before a snapshot."""

    def __init__(self, since: Position | None = None) -> None:
        self.position = since

    def take(self, frame: bytes) -> None:
        size = 2 if frame[1] < 126 else 4
        message: dict[str, Any] = json.loads(frame[size:])
        epoch, seq = message["epoch"], message["seq"]
        if message["type"] == "update":
            assert self.position == (epoch, seq - 1), (self.position, message)
        self.position = Position(epoch, seq)


steps = st.lists(
    st.sampled_from(["publish", "lose", "late", "snapshot", "stale", "take_over", "watch", "resume", "lost"]),
    min_size=30,
    max_size=120,
)


@given(steps, st.integers(0, 6))
def test_watchers_never_see_a_gap_and_end_up_to_date(taken: list[str], kept: int) -> None:
    owner, topic, watchers = Owner(kept), Topic(7), list[Watcher]()
    late: list[tuple[int, int, bytes]] = []
    stale = owner.snapshot()

    def offer(epoch: int, seq: int, payload: bytes) -> None:
        what, frame = topic.offer(epoch, seq, payload)
        if what is Taken.NEXT:
            for watcher in watchers:
                watcher.take(frame)
        elif what is Taken.GAP and topic.synced:
            topic.forget_position()

    def adopt(snapshot: LiveSnapshot) -> None:
        for frame in topic.adopt(snapshot) or ():
            for watcher in watchers:
                watcher.take(frame)
        for pending in topic.take_pending():
            offer(*pending)

    for step in taken:
        if step == "publish":
            offer(*owner.publish())
        elif step == "lose":
            owner.publish()
        elif step == "late":
            late.append(owner.publish())
        elif step == "snapshot":
            stale = owner.snapshot()
            adopt(stale)
            for update in late:
                offer(*update)
        elif step == "stale":
            adopt(stale)
        elif step == "take_over":
            owner.take_over()
        elif step == "lost":
            topic.forget_position()
        elif step in ("watch", "resume") and topic.synced:
            since = watchers[0].position if step == "resume" and watchers else None
            watcher = Watcher(since)
            for frame in topic.start(since) or ():
                watcher.take(frame)
            if watcher.position is not None:
                watchers.append(watcher)
    for update in late:
        offer(*update)
    adopt(owner.snapshot())
    assert topic.synced
    assert topic.position == (owner.epoch, owner.seq)
    assert all(watcher.position == topic.position for watcher in watchers)


def test_the_ring_and_what_is_kept_for_later_are_bounded() -> None:
    owner, topic = Owner(4), Topic(7)
    for _ in range(3 * RING_FRAMES):
        topic.offer(*owner.publish())
    assert len(topic.pending) == RING_FRAMES
    topic.adopt(owner.snapshot())
    for _ in range(3 * RING_FRAMES):
        assert topic.offer(*owner.publish())[0] is Taken.NEXT
    assert len(topic.ring) == RING_FRAMES
    assert topic.tail(owner.seq - RING_FRAMES - 1) is None
    assert len(topic.tail(owner.seq - RING_FRAMES) or ()) == RING_FRAMES
    assert topic.start(None) is None  # the kept snapshot is too far back: a newer one is wanted
    assert topic.start(Position(1, owner.seq)) == []


def test_everyone_gets_the_same_bytes() -> None:
    owner, topic = Owner(4), Topic(7)
    topic.adopt(owner.snapshot())
    epoch, seq, payload = owner.publish()
    assert topic.offer(epoch, seq, payload) == (Taken.NEXT, text_frame(payload))
    first, second = topic.start(None), topic.start(None)
    assert first is not None
    assert second is not None
    assert all(a is b for a, b in zip(first, second, strict=True))


def test_a_position_between_updates_begins_with_the_snapshot() -> None:
    topic = Topic(7)
    topic.adopt(LiveSnapshot(True, epoch=3, seq=0, data=b"{}"))
    for seq in range(1, 4):
        topic.offer(3, seq, update_frame(7, 3, seq, b"[]"))
    frames = topic.start(Position(3, -1))
    assert frames is not None
    assert frames[0] == topic.snapshot
    assert len(topic.start(Position(3, 0)) or ()) == 3
