"""The bounded queue of points: what is taken and not written waits again, and only what had to make room counts as lost."""

from __future__ import annotations

import contextlib

from storage.metrics.buffer import PointBuffer
from storage.ports import Point


def points(*numbers: int) -> list[Point]:
    return [Point("m", {}, {"value": float(number)}, number) for number in numbers]


def test_the_oldest_make_room_and_are_counted() -> None:
    buffer = PointBuffer(3)
    buffer.add(points(1, 2, 3, 4, 5))
    assert buffer.dropped == 2
    with buffer.taken(10) as taken:
        assert taken == points(3, 4, 5)
        assert len(buffer) == 0


def test_what_was_not_written_waits_again_before_all_others() -> None:
    buffer = PointBuffer(3)
    buffer.add(points(1, 2))
    with contextlib.suppress(OSError), buffer.taken(2) as taken:
        buffer.add(points(3))
        del taken[:1]  # written
        raise OSError("away")
    with buffer.taken(3) as taken:
        assert taken == points(2, 3)


def test_what_is_put_back_is_the_first_to_make_room() -> None:
    buffer = PointBuffer(2)
    buffer.add(points(1, 2))
    with buffer.taken(2):
        buffer.add(points(3))
        assert buffer.dropped == 0
    assert buffer.dropped == 1
    buffer.drop_all()
    assert (len(buffer), buffer.dropped) == (0, 3)
