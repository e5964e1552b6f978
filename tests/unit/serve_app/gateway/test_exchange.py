from __future__ import annotations

import json

import pytest

from serve_app.gateway.exchange import Exchange, head_and_body, wire
from serve_app.http.caching import NO_STORE
from serve_app.http.messages import Response
from serve_app.http.problems import Problem, problem_response
from serve_app.services.reads import CachedReply
from storage.ports import Reply


def parsed(raw: bytes) -> tuple[dict[str, str], bytes]:
    head, _, body = raw.partition(b"\r\n\r\n")
    lines = [line.partition(": ") for line in head.decode("latin-1").split("\r\n")]
    headers = {name: value for name, _, value in lines}
    assert len(headers) == len(lines)
    return headers, body


def test_an_accepted_score_is_written_as_any_other_answer() -> None:
    body = b'{"event_id":"a"}'
    quick = parsed(head_and_body(Response(202, body, dict(NO_STORE))))
    usual = parsed(head_and_body(Response(202, body, {**NO_STORE, "x": "y"})))
    assert usual[0].pop("x") == "y"
    assert quick == usual
    assert quick == (
        {"cache-control": "no-store", "content-type": "application/json", "content-length": str(len(body))},
        body,
    )


def test_whatever_else_is_202_keeps_its_type() -> None:
    assert parsed(head_and_body(Response(202, b"x", dict(NO_STORE), "text/plain")))[0]["content-type"] == "text/plain"


def test_a_problem_is_written_with_its_headers_and_type() -> None:
    headers, body = parsed(
        head_and_body(problem_response(Problem(0, "rate_limited", "x", headers={"retry-after": "1"})))
    )
    assert headers["content-type"] == "application/problem+json"
    assert headers["retry-after"] == "1"
    assert int(headers["content-length"]) == len(body)
    assert json.loads(body)["code"] == "rate_limited"


@pytest.mark.parametrize("status", [204, 304])
def test_answers_without_content_have_no_length(status: int) -> None:
    raw = head_and_body(Response(status, b"", {"etag": '"1"'}))
    assert raw == b'etag: "1"\r\n\r\n'


@pytest.mark.parametrize("value", ["a\r\nset-cookie: b", "a\nb", "a\x00", "a\x7f"])
def test_a_header_cannot_be_split(value: str) -> None:
    with pytest.raises(ValueError, match="location has control characters"):
        head_and_body(Response(200, b"", {"location": value}))


def test_characters_beyond_latin_1_are_replaced() -> None:
    assert parsed(head_and_body(Response(200, b"", {"x": "\u00fc \u4e2d"})))[0]["x"] == "\u00fc ?"


def test_a_new_exchange_is_not_whole_and_not_started() -> None:
    exchange = Exchange(b"GET", b"/", {}, True)
    assert (exchange.whole, exchange.started, exchange.answer) == (False, False, None)
    assert exchange.body == b""


def test_authorization_is_read_as_latin_1() -> None:
    assert Exchange(b"GET", b"/", {}, True).authorization is None
    assert Exchange(b"GET", b"/", {b"authorization": b"Bearer \xfc"}, True).authorization == "Bearer \u00fc"


def test_a_cached_view_is_written_once_and_kept() -> None:
    entry = CachedReply(Reply(found=True, public=True, body=b'{"id":"7"}', etag='"1-2-3"'), 0.0)
    first = wire(entry)
    headers, body = parsed(first)
    assert body == entry.reply.body
    assert headers["etag"] == '"1-2-3"'
    assert headers["cache-control"].startswith("public, max-age=")
    assert headers["access-control-allow-origin"] == "*"
    assert entry.wire is first
