from __future__ import annotations

import gzip

import msgspec
import pytest

from serve_app.http.batches import MAX_BATCH, NDJSON_TYPES, Batch, read_joins, read_scores
from serve_app.http.messages import Request
from serve_app.http.problems import Problem
from serve_app.http.request_schemas import BatchJoin, BatchSubmission

MAX_BYTES = 256 * 1024
GOOD = b'{"tournament_id":"7","event_id":"e","user_id":"42","score":1.5}'
ITEM = BatchSubmission(tournament_id="7", event_id="e", user_id="42", score=1.5)


def read(body: bytes, media_type: str = "application/x-ndjson", **headers: str) -> Batch[BatchSubmission]:
    request = Request("POST", {"content-type": media_type, **headers}, body=body)
    return read_scores(request, MAX_BYTES)


def refusal(body: bytes, media_type: str = "application/x-ndjson") -> tuple[int, str]:
    with pytest.raises(Problem) as caught:
        read(body, media_type)
    return caught.value.status, caught.value.code


def test_an_array_is_read() -> None:
    assert read(b"[%b,%b]" % (GOOD, GOOD), "application/json") == Batch([ITEM, ITEM], [], [])
    assert read(b"[]", "application/json") == Batch([], [], [])


@pytest.mark.parametrize("media_type", [*sorted(NDJSON_TYPES), "Application/X-NDJSON; charset=utf-8"])
def test_lines_are_read_with_their_numbers(media_type: str) -> None:
    assert read(b"\n%b\r\n \t\r\n%b" % (GOOD, GOOD), media_type) == Batch([ITEM, ITEM], [], [2, 4])


def test_no_lines_are_no_scores() -> None:
    assert read(b"\n \n") == Batch([], [], [])


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        (b"{oops", "malformed"),
        (b"\xff", "malformed"),
        (b"[" * 5000, "invalid"),
        (GOOD + GOOD, "malformed"),
        (b"7", "invalid"),
        (b"null", "invalid"),
        (b"{}", "invalid"),
        (GOOD.replace(b'"42"', b"42"), "invalid"),
        (GOOD.replace(b"}", b',"more":1}'), "invalid"),
        (GOOD.replace(b'"e"', b'""'), "invalid"),
    ],
)
def test_a_wrong_line_is_named_and_the_others_are_read(wrong: bytes, code: str) -> None:
    assert read(b"%b\n\n%b\n%b" % (GOOD, wrong, GOOD)) == Batch([ITEM, None, ITEM], [(1, code)], [1, 3, 4])


def test_a_wrong_item_of_an_array_is_named_and_the_others_are_read() -> None:
    body = b"[%b,{},%b,7]" % (GOOD, GOOD)
    assert read(body, "application/json") == Batch([ITEM, None, ITEM, None], [(1, "invalid"), (3, "invalid")], [])


def test_what_is_two_scores_for_one_line_does_not_make_up_for_one_over_two() -> None:
    """As many scores as lines, yet not one a line: the numbers of the lines would be those of others."""
    read_lines = read(b"%b%b\n%b" % (GOOD, GOOD, GOOD.replace(b",", b",\n", 1)))
    assert read_lines.items == [None] * 3
    assert read_lines.lines == [1, 2, 3]


@pytest.mark.parametrize("body", [b"", b"[", b"[1,]", b"[{]", b"\xff"])
def test_what_is_no_json_is_400(body: bytes) -> None:
    assert refusal(body, "application/json") == (400, "malformed")


@pytest.mark.parametrize("body", [GOOD, b"7", b'"x"', b"null"])
def test_what_is_no_array_is_422(body: bytes) -> None:
    assert refusal(body, "application/json") == (422, "invalid")


def test_other_types_are_415() -> None:
    assert refusal(GOOD, "text/csv") == (415, "unsupported_media_type")


@pytest.mark.parametrize("wrong", [b"", b"{}"], ids=["all good", "one wrong"])
def test_more_than_a_thousand_are_422(wrong: bytes) -> None:
    full = [GOOD] * (MAX_BATCH - 1) + [wrong or GOOD]
    assert len(read(b"\n".join(full)).items) == MAX_BATCH
    assert len(read(b"[" + b",".join(full) + b"]", "application/json").items) == MAX_BATCH
    assert refusal(b"\n".join([*full, GOOD])) == (422, "invalid")
    assert refusal(b"[" + b",".join([*full, GOOD]) + b"]", "application/json") == (422, "invalid")


def test_bodies_are_bounded_packed_and_unpacked() -> None:
    assert refusal(b" " * (MAX_BYTES + 1)) == (413, "too_large")
    packed = gzip.compress(GOOD + b"\n" + b" " * (MAX_BYTES - len(GOOD) - 1))
    assert read(packed, **{"content-encoding": "gzip"}).items == [ITEM]
    with pytest.raises(Problem, match="at most"):
        read(gzip.compress(b"\n" * (MAX_BYTES + 1)), **{"content-encoding": "gzip"})


def test_the_two_ways_read_the_same() -> None:
    objects = [{"tournament_id": "1", "event_id": str(n), "user_id": str(n), "score": n / 100} for n in range(1, 50)]
    lines = read(b"\n".join(msgspec.json.encode(o) for o in objects))
    assert lines.items == read(msgspec.json.encode(objects), "application/json").items
    assert lines.lines == list(range(1, 50))


def test_joins_are_read_alike() -> None:
    body = b'{"tournament_id":"7","user_id":"42"}\n{"tournament_id":"7","user_id":"43","name":"Ann"}\n{"user_id":"44"}'
    request = Request("POST", {"content-type": "application/x-ndjson"}, body=body)
    items = [BatchJoin(tournament_id="7", user_id="42"), BatchJoin(tournament_id="7", user_id="43", name="Ann"), None]
    assert read_joins(request, MAX_BYTES) == Batch(items, [(2, "invalid")], [1, 2, 3])
