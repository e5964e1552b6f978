from __future__ import annotations

import pytest

from serve_app.http.caching import NO_STORE, PERSONAL, etag_matches, is_public, reply_response
from serve_app.http.messages import Request
from storage.ports import Reply

PUBLIC = Reply(found=True, public=True, body=b"{}", etag='"1-2-3"')


def test_a_public_reply_may_be_kept_with_its_tag() -> None:
    answer = reply_response(Request("GET", {}), PUBLIC)
    assert (answer.status, answer.body, answer.headers) == (
        200,
        b"{}",
        {"cache-control": "no-cache", "etag": '"1-2-3"'},
    )
    aged = reply_response(Request("GET", {}), PUBLIC, max_age_s=2)
    assert aged.headers["cache-control"] == "public, max-age=2"
    assert is_public(answer.headers)
    assert is_public(aged.headers)


@pytest.mark.parametrize(("age_s", "told"), [(0.0, None), (0.99, None), (1.0, "1"), (2.9, "2")])
def test_the_age_is_told_in_whole_seconds(age_s: float, told: str | None) -> None:
    reply = Reply(found=True, public=True, body=b"{}", etag='"1"', age_s=age_s)
    assert reply_response(Request("GET", {}), reply).headers.get("age") == told


@pytest.mark.parametrize(
    ("request_", "reply"),
    [
        (Request("GET", {"if-none-match": "*"}, personal=True), PUBLIC),
        (Request("GET", {"if-none-match": "*"}), Reply(found=True, public=False, body=b"{}", etag='"1"')),
    ],
    ids=["me", "private"],
)
def test_what_depends_on_the_caller_is_nobodys_to_keep(request_: Request, reply: Reply) -> None:
    answer = reply_response(request_, reply, max_age_s=2)
    assert (answer.status, answer.body, answer.headers) == (200, b"{}", PERSONAL)
    assert not is_public(answer.headers)
    answer.headers["etag"] = "mine"
    assert "etag" not in PERSONAL


def test_who_has_it_gets_304_without_a_body() -> None:
    answer = reply_response(Request("GET", {"if-none-match": '"0", "1-2-3"'}), PUBLIC, max_age_s=1)
    assert (answer.status, answer.body) == (304, b"")
    assert answer.headers == {"cache-control": "public, max-age=1", "etag": '"1-2-3"'}
    assert reply_response(Request("GET", {"if-none-match": '"1-2-4"'}), PUBLIC).status == 200


def test_a_reply_without_a_tag_is_never_304() -> None:
    untagged = Reply(found=True, public=True, body=b"{}")
    answer = reply_response(Request("GET", {"if-none-match": "*"}), untagged)
    assert (answer.status, "etag" in answer.headers) == (200, False)


@pytest.mark.parametrize(
    ("wanted", "matches"),
    [
        ('"a"', True),
        ('W/"a"', True),
        (' "b" ,\tW/"a" ', True),
        ("*", True),
        (" * ", True),
        ('"b"', False),
        ("a", False),
        ("", False),
        ('"a', False),
        ('w/"a"', False),
    ],
)
def test_tags_are_compared_weakly(wanted: str, matches: bool) -> None:
    assert etag_matches(wanted, '"a"') is matches


def test_what_says_nothing_is_not_public() -> None:
    assert not is_public({})
    assert not is_public(NO_STORE)
