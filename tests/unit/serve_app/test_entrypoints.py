"""What must be the same at both entrypoints: methods, `Allow`, encodings of bodies, batches."""

from __future__ import annotations

import gzip
import json
import re
import zlib
from collections.abc import AsyncIterator, Iterator
from typing import Any, Final

import httpx2
import pytest

from serve_app.api.security_headers import ALWAYS
from serve_app.handlers.routes import ROUTES
from serve_app.security.auth import make_token
from tests.support.calls import GATEWAY_PATHS, METHODS_OF
from tests.support.entrypoints import Entrypoints, running_entrypoints
from tests.support.gateway import SECRET
from tests.support.offered_methods import every_method, judge_method

MAX_BODY_BYTES = 64 * 1024


@pytest.fixture
async def both() -> AsyncIterator[Entrypoints]:
    async with running_entrypoints(max_body_bytes=MAX_BODY_BYTES, demo=True) as both:
        yield both


async def test_methods_and_allow_of_every_route_are_the_same(both: Entrypoints) -> None:
    """Without a token and of nothing that exists: only what is offered is judged. What is at the api alone is 404 at the gateway."""
    for method, path, offered in every_method():
        answers = {name: await client.request(method, path) for name, client in both.clients.items()}
        for name, answer in answers.items():
            judge_method(answer, method, offered[name])
        api, gateway = answers.values()
        if offered["gateway"]:
            assert (api.status_code, api.content) == (gateway.status_code, gateway.content), (method, path)
            for header in ("allow", "content-length", "content-type", "cache-control"):
                assert api.headers.get(header) == gateway.headers.get(header), (method, path, header)


async def test_head_is_get_without_the_body(both: Entrypoints) -> None:
    """Of what exists, and by whom it is for; also what is an error."""
    tournament = await both.gateway.tournament(players=1)
    for template, methods in METHODS_OF.items():
        if "GET" not in methods:
            continue
        for target in (tournament, "77", "x"):
            path = template.replace("{tournament}", target).replace("{user}", "1")
            for name, client in both.clients.items():
                for headers in ({}, both.bearer(1), both.bearer(9)):
                    got, head = [await client.request(method, path, headers=headers) for method in ("GET", "HEAD")]
                    case = (name, path, headers)
                    assert (head.status_code, head.content) == (got.status_code, b""), case
                    for header in (
                        "content-length",
                        "content-type",
                        "cache-control",
                        "etag",
                        "vary",
                        "www-authenticate",
                    ):
                        assert head.headers.get(header) == got.headers.get(header), (case, header)


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
        (
            "POST",
            "/v1/participants",
            "application/json",
            json.dumps([{"tournament_id": tournament, "user_id": "1"}]).encode(),
        ),
    ]
    for name, client in both.clients.items():
        for method, path, media_type, body in calls:
            headers = {**both.bearer(role="service"), "content-type": media_type, "content-encoding": "gzip"}
            answer = await client.request(method, path, content=gzip.compress(body), headers=headers)
            assert answer.status_code in (200, 201, 202), (name, path, answer.text)
            headers["content-encoding"] = "br"
            answer = await client.request(method, path, content=body, headers=headers)
            assert answer.status_code == 415, (name, path, answer.text)


async def test_half_a_character_is_refused(both: Entrypoints) -> None:
    """JSON can write lone surrogates, which no text holds: as a field's name or a choice they were a 500."""
    tournament = await both.gateway.tournament(players=1)
    calls = {
        ("POST", f"/v1/tournaments/{tournament}/scores"): rb'{"event_id":"a","score":1,"\ud800":1}',
        ("PUT", f"/v1/tournaments/{tournament}/participants/7"): rb'{"name":"Ann","\udfff":1}',
        ("PATCH", f"/v1/tournaments/{tournament}"): rb'{"metadata":{"a":"\ud800"}}',
        ("POST", "/v1/tournaments"): rb'{"name":"New","type":"\ud800","capacity":1,"duration_s":1}',
    }
    for name, client in both.clients.items():
        for (method, path), body in calls.items():
            role = "player" if path.endswith("scores") else "service"
            headers = {**both.bearer(role=role), "content-type": "application/json"}
            answer = await client.request(method, path, content=body, headers=headers)
            if (name, path) == ("gateway", "/v1/tournaments"):
                assert answer.status_code == 404, answer.text  # creates are the api's
            else:
                assert (answer.status_code, answer.json()["code"]) == (400, "malformed"), (name, path, answer.text)


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


OF_ITS_OWN: Final = {"date", "server", "connection"}  # of an entrypoint


async def test_reads_and_refusals_are_the_same_to_the_header(both: Entrypoints) -> None:
    """Whoever reads what, and whatever is refused: one answer, and each tells caches what it is."""
    public, private = await both.gateway.tournament(players=3), await both.gateway.tournament(visibility="private")
    await both.gateway.join(private, 1)
    for user in (1, 2, 3):
        await both.gateway.score(public, user, user)
    callers = {"nobody": {}, "member": both.bearer(1), "stranger": both.bearer(9), "wrong": {"authorization": "x"}}
    always = {name.decode() for name, _ in ALWAYS} - {"cache-control"}
    for template in sorted(GATEWAY_PATHS):
        for tournament in (public, private, "77") if "{tournament}" in template else ("",):
            path = template.replace("{tournament}", tournament).replace("{user}", "1")
            for caller, headers in callers.items():
                writes = {"PUT", "POST", "PATCH", "DELETE"} if caller == "wrong" else {"POST"} - METHODS_OF[template]
                for method in {"GET", "HEAD", "OPTIONS"} | writes:
                    answers = [await client.request(method, path, headers=headers) for client in both.clients.values()]
                    told = [
                        {n: v for n, v in answer.headers.items() if n not in OF_ITS_OWN | always} for answer in answers
                    ]
                    case = (method, path, caller, told)
                    api, gateway = answers
                    assert (api.status_code, api.content, told[0]) == (gateway.status_code, gateway.content, told[1]), (
                        case
                    )
                    caching = api.headers["cache-control"]
                    if api.status_code >= 400 or (method in ("GET", "HEAD") and tournament == private):
                        assert (caching, api.headers["vary"]) == ("private, no-store", "authorization"), case
                        assert "etag" not in api.headers, case
                    elif method not in ("GET", "HEAD") or path == "/healthz":
                        assert caching == "no-store", case
                    else:
                        assert "no-store" not in caching, case


async def test_what_the_client_has_is_304_also_to_head(both: Entrypoints) -> None:
    tournament = await both.gateway.tournament(players=1)
    for path in (f"/v1/tournaments/{tournament}", f"/v1/tournaments/{tournament}/rankings"):
        for client in both.clients.values():
            shown = await client.get(path)
            for method in ("GET", "HEAD"):
                same = await client.request(method, path, headers={"if-none-match": shown.headers["etag"]})
                assert (same.status_code, same.content) == (304, b"")
                for name in ("etag", "cache-control", "access-control-allow-origin"):
                    assert same.headers[name] == shown.headers[name]
                assert "content-type" not in same.headers


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("limit=1&limit=2", 422, "invalid"),
        ("users=1&users=2", 422, "invalid"),
        ("limit=1&%6cimit=2", 422, "invalid"),
        ("&".join(f"a{n}=1" for n in range(20)), 200, None),
        ("&".join(f"a{n}=1" for n in range(21)), 400, "malformed"),
        ("limit=%35&=&other=%FF", 200, None),
    ],
)
async def test_queries(both: Entrypoints, query: str, status: int, code: str | None) -> None:
    """The api took any number of fields, and both the last of several."""
    tournament = await both.gateway.tournament(players=1)
    for suffix in ("/rankings", "/scores"):
        path = f"/v1/tournaments/{tournament}{suffix}?{query}"
        body = {"event_id": "a", "score": 1}
        for name, client in both.clients.items():
            if suffix == "/rankings":
                answer = await client.get(path)
            else:
                answer = await client.post(path, json=body, headers=both.bearer())
            expected = 202 if suffix == "/scores" and status == 200 else status
            assert (answer.status_code, answer.json().get("code")) == (expected, code), (name, suffix)


WRITES: Final = {  # of each hot call that writes: the role it is for, and a body that is right
    "submit_score": ("player", {"event_id": "a", "score": 1}),
    "submit_batch": ("service", [{"tournament_id": "T", "event_id": "a", "user_id": "1", "score": 1}]),
    "join": ("player", {"name": "Ann"}),
    "join_batch": ("service", [{"tournament_id": "T", "user_id": "5", "name": "Ann"}]),
    "leave": ("player", None),
    "edit_tournament": ("operator", {"metadata": {"room": 7}}),
}
WRONG_BODIES: Final = [
    b"",
    b"{",
    b"\xff",
    b"[" * 2000,
    b"[]",
    b"{}",
    b"null",
    b'{"event_id":"a","score":NaN}',
    b'{"event_id":"","score":1.005,"user_id":"0","more":1}',
    b'{"event_id":"a","score":1,"user_id":"2"}',
    b'{"name":"","invite":1}',
    b'{"name":"x","capacity":0,"starts_at":"yesterday","metadata":[]}',
    b'[{"tournament_id":"x"},7]',
    b" " * (MAX_BODY_BYTES + 1),
]


def compared(answer: httpx2.Response, *hidden: str) -> tuple[int, dict[str, str], str]:
    """All of an answer but what is an entrypoint's own, and what is of one write alone (ids and offsets)."""
    always = {name.decode() for name, _ in ALWAYS} - {"cache-control"}
    headers = {name: value for name, value in answer.headers.items() if name not in OF_ITS_OWN | always | {*hidden}}
    text = re.sub(
        r'"(event_id|offset|partition|seq|epoch|version|revision)":("\w+"|-?\d+|null)', r'"\1":0', answer.text
    )
    if text != answer.text:
        headers.pop("content-length")
    return answer.status_code, headers, text


async def same(both: Entrypoints, method: str, path: str, **more: Any) -> httpx2.Response:
    """The answer of both entrypoints to a request."""
    api, gateway = [await client.request(method, path, **more) for client in both.clients.values()]
    assert compared(api) == compared(gateway), (method, path, str(more)[:300])
    return api


def writes(tournament: str) -> Iterator[tuple[str, str, Any, bytes]]:
    """Method, path, role and body of the hot calls that write."""
    for route in ROUTES:
        if route.gateway and route.name in WRITES:
            path = route.path.replace("{tournament}", tournament).replace("{user}", "me")
            role, body = WRITES[route.name]
            text = b"" if body is None else json.dumps(body).replace('"T"', f'"{tournament}"').encode()
            yield route.method, path, role, text


async def test_writes_are_the_same(both: Entrypoints) -> None:
    """Done, waited for, refused for what the caller is or the tournament is not."""
    running = await both.gateway.tournament(players=9)
    private = await both.gateway.tournament(visibility="private")
    await both.gateway.join(private, 3)
    callers = (both.bearer(1), both.bearer(9), both.bearer(3, "service"), both.bearer(3, "operator"))
    for tournament, user in ((running, 1), (running, 3), (running, 9), (private, 3)):  # below, theirs are duplicates
        path, headers = f"/v1/tournaments/{tournament}/scores", {**both.bearer(user), "prefer": "wait=5"}
        await both.clients["api"].post(path, headers=headers, json={"event_id": "a", "score": 1})
    statuses = set()
    for tournament in (running, private, "77", "x"):
        for method, path, _, body in writes(tournament):
            for caller in callers:
                for more in ({"prefer": "wait=5"}, {"if-match": '"99"'}):
                    headers = {**caller, **more, "content-type": "application/json"}
                    statuses.add((await same(both, method, path, content=body, headers=headers)).status_code)
    assert statuses == {200, 202, 204, 403, 404, 412, 422}


async def test_the_first_join_is_201_at_both(both: Entrypoints) -> None:
    tournament = await both.gateway.tournament()
    path = f"/v1/tournaments/{tournament}/participants"
    for expected in (201, 200):
        api, gateway = [
            await client.put(f"{path}/{user}", headers=both.bearer(1, "service"), json={})
            for user, client in enumerate(both.clients.values(), start=10)
        ]
        assert api.status_code == gateway.status_code == expected
        assert (compared(api)[1], compared(api)[2].replace('"10"', '"11"')) == compared(gateway)[1:]


async def test_what_is_wrong_with_a_write_is_told_in_the_same_words(both: Entrypoints) -> None:
    tournament = await both.gateway.tournament(players=1)
    codes: set[str] = set()
    for method, path, role, right in writes(tournament):
        caller = both.bearer(1, role)
        requests: list[dict[str, Any]] = [
            {"content": body, "headers": {**caller, "content-type": kind}}
            for body in WRONG_BODIES
            for kind in ("application/json", "application/x-ndjson")
        ]
        token = caller["authorization"]
        requests += [
            {"content": right, "headers": {"content-type": "application/json", **headers}}
            for headers in (
                {},
                {"authorization": ""},
                {"authorization": "Basic eDp5"},
                {"authorization": "Bearer"},
                {"authorization": token[:-4] + "AAAA"},
                {"authorization": f"Bearer {make_token(SECRET, role=role, user_id=1, ttl_s=1, now_s=0)}"},
                {"authorization": f"Bearer {'x' * 5000}"},
            )
        ]
        requests += [
            {"content": right, "headers": [*caller.items(), (name, value)]}
            for name, value in (("authorization", token), ("content-type", "text/plain"), ("host", "x"))
        ]
        requests += [{"content": right, "headers": [*caller.items(), ("if-match", "1"), ("if-match", "2")]}]
        requests += [{"content": right, "headers": caller, "params": [("a", "1"), ("a", "2")]}]
        requests += [{"content": right, "headers": caller, "params": [(f"a{n}", "") for n in range(21)]}]
        for more in requests:
            answer = await same(both, method, path, **more)
            assert answer.status_code not in (500, 503), (method, path, str(more)[:300])
            if answer.status_code >= 400:
                codes.add(answer.json()["code"])
                if answer.json()["code"] == "invalid" and "params" not in more and "POST" in method:
                    assert answer.json()["errors"], answer.text
    expected = "malformed invalid too_large unsupported_media_type token_missing token_invalid token_expired not_yours"
    assert set(expected.split()) <= codes


async def test_limits_are_told_in_the_same_words() -> None:
    """Each by a caller of its own: the limit is one for both."""
    async with running_entrypoints(player_rate=0.001, player_burst=1, anonymous_rate=0.001, anonymous_burst=3) as both:
        answers = {}
        for user, (name, client) in enumerate(both.clients.items(), start=1):
            for _ in range(2):
                answers[name] = await client.get("/v1/tournaments/77", headers=both.bearer(user))
        api, gateway = (compared(answer, "retry-after") for answer in answers.values())
        assert api == gateway
        assert api[0] == 429
        assert all(int(answer.headers["retry-after"]) > 900 for answer in answers.values())
