"""What must be the same at both entrypoints: methods, `Allow`, encodings of bodies, batches."""

from __future__ import annotations

import gzip
import json
import re
import zlib
from collections.abc import AsyncIterator
from typing import Final

import pytest

from serve_app.handlers.routes import handler_names
from tests.support.entrypoints import Entrypoints, running_entrypoints

METHODS = ("OPTIONS", "HEAD", "GET", "POST", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND")
MAX_BODY_BYTES = 64 * 1024


@pytest.fixture
async def both() -> AsyncIterator[Entrypoints]:
    async with running_entrypoints(max_body_bytes=MAX_BODY_BYTES) as both:
        yield both


async def test_methods_and_allow_are_the_same(both: Entrypoints) -> None:
    tournament = await both.gateway.tournament(players=1)
    for template, handlers in handler_names(hot_only=True).items():
        path = re.sub(r"\{(\w+)\}", lambda found: {"tournament": tournament, "user": "1"}[found[1]], template)
        expected = {*handlers, "OPTIONS", *(["HEAD"] if "GET" in handlers else [])}
        for method in METHODS:
            answers = {name: await client.request(method, path) for name, client in both.clients.items()}
            for name, answer in answers.items():
                case = (name, method, path, answer.text)
                if method == "OPTIONS":
                    assert (answer.status_code, answer.content) == (204, b""), case
                elif method not in expected:
                    assert answer.status_code == 405, case
                    assert method == "HEAD" or answer.json()["code"] == "method_not_allowed", case
                else:
                    assert "allow" not in answer.headers, case
                    continue
                assert answer.headers["allow"] == ", ".join(sorted(expected)), case
            api, gateway = answers.values()
            assert api.status_code == gateway.status_code, (method, path)
            assert api.content == gateway.content, (method, path)
            if method == "HEAD":
                assert api.content == b"", path
                assert api.headers.get("content-length") == gateway.headers.get("content-length"), path


async def test_pages_and_static_files_tell_their_methods(both: Entrypoints) -> None:
    api = both.clients["api"]
    for path in ("/", "/docs", "/openapi.json", "/web/app.js", "/v1", "/v1/tournaments"):
        asked = await api.options(path)
        wrong = await api.delete(path)
        assert (asked.status_code, wrong.status_code) == (204, 405), path
        assert asked.headers["allow"] == wrong.headers["allow"], path
        assert {"GET", "HEAD", "OPTIONS"} <= set(asked.headers["allow"].split(", ")), path
    assert (await api.options("/nothing")).status_code == 404


def deflated(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=zlib.MAX_WBITS | 16)
    return packer.compress(data) + packer.flush()


ENCODED: Final = [
    ("gzip", deflated(b'{"event_id":"a","score":5}'), 202, None),
    ("GZIP", deflated(b'{"event_id":"a","score":5}'), 202, None),
    ("x-gzip", gzip.compress(b'{"event_id":"a","score":5}'), 202, None),
    ("identity", b'{"event_id":"a","score":5}', 202, None),
    ("gzip", b'{"event_id":"a","score":5}', 400, "malformed"),
    ("gzip", gzip.compress(b'{"event_id":"a","score":5}')[:-4], 400, "malformed"),
    ("gzip", gzip.compress(b'{"event_id":"a","score":5}') + b"more", 400, "malformed"),
    ("gzip", gzip.compress(b'{"event_id":"a","score":"5"}'), 422, "invalid"),
    ("gzip", gzip.compress(b" " * (MAX_BODY_BYTES + 1)), 413, "too_large"),
    ("gzip", gzip.compress(b'{"event_id":"a","score":5}' + b" " * (MAX_BODY_BYTES - 26)), 202, None),
    ("gzip, gzip", gzip.compress(gzip.compress(b"{}")), 415, "unsupported_media_type"),
    ("br", b"\x0b\x02\x80{}\x03", 415, "unsupported_media_type"),
    ("zstd", b"x", 415, "unsupported_media_type"),
    ("nonsense", b'{"event_id":"a","score":5}', 415, "unsupported_media_type"),
]


@pytest.mark.parametrize("lane", ["", "?lane=slow"])
async def test_encoded_bodies(both: Entrypoints, lane: str) -> None:
    tournament = await both.gateway.tournament(players=1)
    for coding, body, status, code in ENCODED:
        headers = {**both.bearer(), "content-type": "application/json", "content-encoding": coding}
        for name, client in both.clients.items():
            answer = await client.post(f"/v1/tournaments/{tournament}/scores{lane}", content=body, headers=headers)
            assert (answer.status_code, answer.json().get("code")) == (status, code), (name, coding, answer.text)
            if status == 415:
                assert answer.headers["accept-encoding"] == "gzip, identity", name


async def test_every_body_may_be_encoded(both: Entrypoints) -> None:
    tournament = await both.gateway.tournament()
    item = {"tournament_id": tournament, "event_id": "a", "user_id": "1", "score": 1}
    lines = json.dumps(item).encode() + b"\n"
    calls = [
        ("PUT", f"/v1/tournaments/{tournament}/participants/7", "application/json", b'{"name":"Ann"}'),
        ("PATCH", f"/v1/tournaments/{tournament}", "application/json", b'{"name":"New"}'),
        ("POST", "/v1/scores", "application/json", json.dumps([item]).encode()),
        ("POST", "/v1/scores", "application/x-ndjson", lines),
    ]
    for name, client in both.clients.items():
        for method, path, media_type, body in calls:
            headers = {**both.bearer(role="service"), "content-type": media_type, "content-encoding": "gzip"}
            answer = await client.request(method, path, content=gzip.compress(body), headers=headers)
            assert answer.status_code in (200, 201, 202), (name, path, answer.text)
            headers["content-encoding"] = "br"
            answer = await client.request(method, path, content=body, headers=headers)
            assert answer.status_code == 415, (name, path, answer.text)


async def test_rejected_lines_are_named_by_index_and_line(both: Entrypoints) -> None:
    """`index` is the place among the scores, `line` the line as an editor numbers it."""
    tournament = await both.gateway.tournament(players=1)
    good = json.dumps({"tournament_id": tournament, "event_id": "a", "user_id": "1", "score": 1}).encode()
    unknown = good.replace(tournament.encode(), b"77")
    headers = {**both.bearer(role="service"), "content-type": "application/x-ndjson"}
    bodies = {
        b"\n\n".join([good, b"{oops", b" \r", good, unknown]) + b"\n": [
            {"index": 1, "line": 3, "code": "malformed"},
            {"index": 3, "line": 9, "code": "tournament_unknown"},
        ],
        b"\r\n" + good + b"\r\n\r\n" + unknown: [{"index": 1, "line": 4, "code": "tournament_unknown"}],
        good + good + b"\n" + good: [{"index": 0, "line": 1, "code": "malformed"}],
        good.replace(b", ", b",\n") + b"\n" + good: None,
    }
    for name, client in both.clients.items():
        for body, rejected in bodies.items():
            answer = (await client.post("/v1/scores", content=body, headers=headers)).json()
            if rejected is None:  # one score over several lines: each of them is no JSON
                assert answer["accepted"] == 1, name
                assert [item["line"] for item in answer["rejected"]] == [1, 2, 3, 4], name
            else:
                assert answer["rejected"] == rejected, name
        array = await client.post("/v1/scores", json=[{"event_id": "a"}], headers=both.bearer(role="service"))
        assert array.json()["rejected"] == [{"index": 0, "code": "invalid"}], name
