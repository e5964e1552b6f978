"""Lines as text; that a real server reads them so is in contract/test_metrics_influx.py."""

from __future__ import annotations

import math

import pytest

from storage.metrics.line_protocol import Lines, line, lines
from storage.ports import Point


@pytest.mark.parametrize(
    ("point", "text"),
    [
        (
            Point("owner", {"owner": "shard-1"}, {"active": 3, "lag_s": 0.5, "name": 'a \\ "b"'}, 1),
            r'owner,owner=shard-1 active=3i,lag_s=0.5,name="a \\ \"b\"" 1',
        ),
        (Point("m", {"b": "2", "a": "1"}, {"x": -1e300}, -5), "m,a=1,b=2 x=-1e+300 -5"),
        (Point("a b,c=d", {"e f": "g,h=i"}, {"j=k": 1.0}, 0), r"a\ b\,c=d,e\ f=g\,h\=i j\=k=1.0 0"),
        (Point("#no", {"time": "noon"}, {"time": 1.0}, 0), "_no,time_=noon time_=1.0 0"),
        (Point("m", {"a": "b\\", "c": "d\\e"}, {"f\\=": 1.0}, 0), r"m,a=b/,c=d\e f/\==1.0 0"),
        (Point("m\n", {"a\r": "b\tc"}, {"x\0": 1.0}, 0), r"m\ ,a\ =b\ c x\ =1.0 0"),
        (Point("m", {"": "x", "empty": ""}, {"": 1.0, "nan": math.nan, "x": 1.0}, 0), "m x=1.0 0"),
        (Point("", {}, {"x": 1.0}, 0), None),
        (Point("m", {}, {}, 0), None),
        (Point("m", {}, {"x": math.inf}, 0), None),
    ],
)
def test_a_point_is_one_line(point: Point, text: str | None) -> None:
    assert line(point) == text


def test_as_many_points_as_go_into_the_size_and_at_least_one() -> None:
    points = [Point("m", {}, {"x": float(i)}, i) for i in range(4)]
    assert lines(points, 1) == Lines(b"m x=0.0 0", 1, 0)
    assert lines(points, 20) == Lines(b"m x=0.0 0\nm x=1.0 1", 2, 0)
    assert lines(points, 1000) == Lines(b"m x=0.0 0\nm x=1.0 1\nm x=2.0 2\nm x=3.0 3", 4, 0)
    assert lines([Point("m", {}, {}, 0), *points], 19) == Lines(b"m x=0.0 0", 2, 1)
    assert lines([Point("m", {}, {}, 0)], 1000) == Lines(b"", 1, 1)
    assert lines([], 1000) == Lines(b"", 0, 0)


def test_what_cannot_be_text_or_a_number_is_counted() -> None:
    odd = [
        Point("m", {}, {"x": None}, 0),  # type: ignore[dict-item]
        Point(None, {}, {"x": 1.0}, 0),  # type: ignore[arg-type]
        Point("m", {"\ud800": "a"}, {"x": 1.0}, 0),
    ]
    assert lines(odd, 1000) == Lines(b"m,?=a x=1.0 0", 3, 2)
