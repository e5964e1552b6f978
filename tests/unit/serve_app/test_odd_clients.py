"""What unusual clients, proxies and browsers send, byte by byte: one answer each, the same at both entrypoints."""

from __future__ import annotations

import asyncio
import gzip
import json
from typing import Final
from urllib.parse import urlsplit

import pytest

from tests.support.entrypoints import Entrypoints, running_entrypoints
from tests.support.gateway import WAIT_S

SCORE: Final = b'{"event_id":"%b","score":5}'
CHUNKED: Final = b"transfer-encoding: chunked\r\n"
Case = tuple[bytes, bytes, bytes, int, str | None]


def chunks(body: bytes, size: int, extension: bytes = b"", trailer: bytes = b"") -> bytes:
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    coded = b"".join(b"%x%b\r\n%b\r\n" % (len(piece), extension, piece) for piece in pieces)
    return coded + b"0" + extension + b"\r\n" + trailer + b"\r\n"


# (request line, headers, body, status, code); V is a tournament's view, its scores are submitted with a player's token.
READS: Final[dict[str, Case]] = {
    "HTTP/1.0": (b"GET V HTTP/1.0", b"", b"", 200, None),
    "HTTP/1.0, to be kept": (b"GET V HTTP/1.0", b"connection: keep-alive\r\n", b"", 200, None),
    "no host": (b"GET V HTTP/1.1", b"", b"", 200, None),
    "upper-case host": (b"GET V HTTP/1.1", b"host: PALIO.EXAMPLE:8000\r\n", b"", 200, None),
    "two hosts": (b"GET V HTTP/1.1", b"host: a\r\nhost: b\r\n", b"", 400, "malformed"),
    "to a proxy": (b"GET http://palio.exampleV HTTP/1.1", b"host: x\r\n", b"", 200, None),
    "to a proxy, upper case": (b"GET HTTP://PALIO.EXAMPLE:80V HTTP/1.1", b"host: x\r\n", b"", 200, None),
    "of all": (b"OPTIONS * HTTP/1.1", b"host: x\r\n", b"", 404, "not_found"),
    "a tunnel": (b"CONNECT palio.example:443 HTTP/1.1", b"host: x\r\n", b"", 400, "malformed"),
    "no slash": (b"GET v1 HTTP/1.1", b"host: x\r\n", b"", 400, "malformed"),
    "two slashes": (b"GET /V HTTP/1.1", b"host: x\r\n", b"", 404, "not_found"),
    "a slash behind": (b"GET V/ HTTP/1.1", b"host: x\r\n", b"", 404, "not_found"),
    "dots": (b"GET /v1/users/..V HTTP/1.1", b"host: x\r\n", b"", 404, "not_found"),
    "digits with percents": (b"GET /v1/tournaments/%37%37 HTTP/1.1", b"host: x\r\n", b"", 404, "tournament_unknown"),
    "percents that are none": (b"GET /v1/tournaments/%zz%1 HTTP/1.1", b"host: x\r\n", b"", 404, "tournament_unknown"),
    "a NUL": (b"GET /v1/tournaments/7%00 HTTP/1.1", b"host: x\r\n", b"", 404, "tournament_unknown"),
    "no UTF-8": (b"GET /v1/tournaments/%ff HTTP/1.1", b"host: x\r\n", b"", 404, "tournament_unknown"),
    "digits of another script": (
        b"GET /v1/tournaments/%D9%A7 HTTP/1.1",
        b"host: x\r\n",
        b"",
        404,
        "tournament_unknown",
    ),
    "an id with zeros before": (b"GET /v1/tournaments/007 HTTP/1.1", b"host: x\r\n", b"", 404, "tournament_unknown"),
    "a very long id": (
        b"GET /v1/tournaments/" + b"9" * 4000 + b" HTTP/1.1",
        b"host: x\r\n",
        b"",
        404,
        "tournament_unknown",
    ),
    "an empty query": (b"GET V?&& HTTP/1.1", b"host: x\r\n", b"", 200, None),
    "a fragment": (b"GET V#top HTTP/1.1", b"host: x\r\n", b"", 200, None),
    "many cookies": (b"GET V HTTP/1.1", b"host: x\r\n" + b"cookie: a=b\r\n" * 60, b"", 200, None),
    "a long cookie": (b"GET V HTTP/1.1", b"host: x\r\ncookie: a=" + b"b" * 20_000 + b"\r\n", b"", 200, None),
    "too many headers": (b"GET V HTTP/1.1", b"".join(b"x-%d: y\r\n" % n for n in range(110)), b"", 431, "too_large"),
    "a range": (b"GET V HTTP/1.1", b"host: x\r\nrange: bytes=0-9\r\n", b"", 200, None),
    "some tags": (b"GET V HTTP/1.1", b'host: x\r\nif-none-match: "a", W/"b"\r\nif-none-match: "c"\r\n', b"", 200, None),
    "any tag": (b"GET V HTTP/1.1", b"host: x\r\nif-none-match: *\r\n", b"", 304, None),
    "a weak tag": (b"GET V HTTP/1.1", b"host: x\r\nif-none-match: W/ETAG\r\n", b"", 304, None),
    "one tag of several": (b"GET V HTTP/1.1", b'host: x\r\nif-none-match: "a", ETAG\r\n', b"", 304, None),
    "since when": (
        b"GET V HTTP/1.1",
        b"host: x\r\nif-modified-since: Sat, 29 Oct 2044 19:43:31 GMT\r\n",
        b"",
        200,
        None,
    ),
    "a body": (b"GET V HTTP/1.1", b"host: x\r\ncontent-length: 2\r\n", b"{}", 200, None),
    "another protocol": (b"GET V HTTP/1.1", b"host: x\r\nconnection: upgrade\r\nupgrade: h2c\r\n", b"", 200, None),
    "a folded header": (b"GET V HTTP/1.1", b"host: x\r\nx-a: b\r\n c\r\n", b"", 400, "malformed"),
    "a space before a colon": (b"GET V HTTP/1.1", b"host : x\r\n", b"", 400, "malformed"),
    "a method of no kind": (b"FOO V HTTP/1.1", b"host: x\r\n", b"", 400, "malformed"),
    "another way to sign in": (
        b"GET V HTTP/1.1",
        b"host: x\r\nauthorization: Basic YTpi\r\n",
        b"",
        401,
        "token_invalid",
    ),
    "a forwarder's nonsense": (b"GET V HTTP/1.1", b"host: x\r\nx-forwarded-for: ,\xff, me\r\n", b"", 200, None),
}
WRITES: Final[dict[str, Case]] = {
    "chunks of a byte": (b"POST V/scores HTTP/1.1", CHUNKED, chunks(SCORE % b"a", 1), 202, None),
    "chunks with extensions": (b"POST V/scores HTTP/1.1", CHUNKED, chunks(SCORE % b"b", 9, b';a=b;c="d"'), 202, None),
    "a trailer": (b"POST V/scores HTTP/1.1", CHUNKED, chunks(SCORE % b"c", 9, trailer=b"x-sum: 1\r\n"), 202, None),
    "a chunk without a size": (b"POST V/scores HTTP/1.1", CHUNKED, b"zz\r\n{}\r\n0\r\n\r\n", 400, "malformed"),
    "a chunk beyond all": (b"POST V/scores HTTP/1.1", CHUNKED, b"f" * 20 + b"\r\n{}", 400, "malformed"),
    "chunks and a length": (
        b"POST V/scores HTTP/1.1",
        CHUNKED + b"content-length: 4\r\n",
        b"0\r\n\r\n",
        400,
        "malformed",
    ),
    "chunks of gzip": (
        b"POST V/scores HTTP/1.1",
        b"transfer-encoding: gzip, chunked\r\n",
        chunks(gzip.compress(SCORE % b"d"), 9),
        415,
        "unsupported_media_type",
    ),
    "two lengths": (b"POST V/scores HTTP/1.1", b"content-length: 2\r\ncontent-length: 2\r\n", b"{}", 400, "malformed"),
    "a length below none": (b"POST V/scores HTTP/1.1", b"content-length: -1\r\n", b"{}", 400, "malformed"),
    "a length beyond all": (
        b"POST V/scores HTTP/1.1",
        b"content-length: 99999999999999999999\r\n",
        b"",
        400,
        "malformed",
    ),
    "no body": (b"POST V/scores HTTP/1.1", b"", b"", 400, "malformed"),
    "to go on first": (
        b"POST V/scores HTTP/1.1",
        b"expect: 100-continue\r\ncontent-length: 26\r\n",
        SCORE % b"e",
        202,
        None,
    ),
    "to go on with too much": (
        b"POST V/scores HTTP/1.1",
        b"expect: 100-continue\r\ncontent-length: 99999999\r\n",
        b"",
        413,
        "too_large",
    ),
    "another expectation": (
        b"POST V/scores HTTP/1.1",
        b"expect: tea\r\ncontent-length: 26\r\n",
        SCORE % b"f",
        202,
        None,
    ),
    "no media type": (b"POST V/scores HTTP/1.1", b"content-type:\r\ncontent-length: 26\r\n", SCORE % b"g", 202, None),
    "UTF-16": (
        b"POST V/scores HTTP/1.1",
        b"content-type: application/json; charset=utf-16\r\ncontent-length: 54\r\n",
        (SCORE % b"h").decode().encode("utf-16"),
        400,
        "malformed",
    ),
    "a form": (
        b"POST V/scores HTTP/1.1",
        b"content-type: application/x-www-form-urlencoded\r\ncontent-length: 3\r\n",
        b"a=b",
        415,
        "unsupported_media_type",
    ),
    "preferences": (
        b"POST V/scores HTTP/1.1",
        b"prefer: respond-async\r\nprefer: wait=x, wait=-1\r\ncontent-length: 26\r\n",
        SCORE % b"i",
        202,
        None,
    ),
}


async def answers_of(both: Entrypoints, name: str, data: bytes) -> tuple[int, str | None]:
    """Status and code of the last answer at an entrypoint, which must be whole, and end the connection."""
    url = urlsplit(both.urls[name])
    reader, writer = await asyncio.open_connection(url.hostname, url.port)
    writer.write(data)
    async with asyncio.timeout(WAIT_S):
        received = await reader.read()
    writer.close()
    last = received.removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n").removeprefix(b"HTTP/1.1 ")
    head, _, body = last.partition(b"\r\n\r\n")
    headers = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
    assert len(body) == int(headers.get(b"content-length", b"0")), received
    assert headers[b"connection"] == b"close", received
    status = int(last[:3])
    return status, json.loads(body)["code"] if status >= 400 else None


@pytest.mark.parametrize("cases", [READS, WRITES], ids=["reads", "writes"])
async def test_each_is_answered_alike(cases: dict[str, Case]) -> None:
    async with running_entrypoints() as both:
        view = f"/v1/tournaments/{await both.gateway.tournament(players=1)}"
        etag = (await both.clients["gateway"].get(view)).headers["etag"].encode()
        found = {}
        for kind, (line, headers, body, _, _) in cases.items():
            if cases is WRITES:
                headers += f"host: x\r\nauthorization: {both.bearer()['authorization']}\r\n".encode()
                headers += b"" if b"content-type" in headers else b"content-type: application/json\r\n"
            if b"connection:" not in headers and b"HTTP/1.0" not in line:
                headers += b"connection: close\r\n"
            data = line.replace(b"V", view.encode(), 1) + b"\r\n" + headers.replace(b"ETAG", etag) + b"\r\n" + body
            answers = await asyncio.gather(*(answers_of(both, name, data) for name in both.urls))
            found[kind] = dict(zip(both.urls, answers, strict=True))
        assert found == {kind: dict.fromkeys(both.urls, case[3:]) for kind, case in cases.items()}
