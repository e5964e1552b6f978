"""Keys and where they come from; tokens verified with them are in test_auth.py."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from serve_app.http.problems import Problem
from serve_app.security import jwks
from serve_app.security.jwks import MAX_JWKS_BYTES, MIN_REFRESH_S, REFRESH_S, KeySet

BEGAN_S = 5000.0
PRIVATE = ec.generate_private_key(ec.SECP256R1())
PUBLIC: dict[str, Any] = jwt.algorithms.ECAlgorithm.to_jwk(PRIVATE.public_key(), as_dict=True)


def published(*key_ids: str | None, **more: Any) -> bytes:
    return json.dumps({"keys": [{**PUBLIC, **({"kid": kid} if kid else {}), **more} for kid in key_ids]}).encode()


class Clock:
    now_s = BEGAN_S

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "jwks.json"
    path.write_bytes(published("one"))
    return path


async def refusal(keys: KeySet, key_id: object) -> Problem:
    with pytest.raises(Problem) as caught:
        await keys.key(key_id)
    return caught.value


async def test_a_file_is_a_path_or_an_url(file: Path) -> None:
    for source in (str(file), f"file://{file}"):
        assert (await KeySet(source, "ES256").key("one")).public_numbers() == PRIVATE.public_key().public_numbers()


async def test_the_only_key_serves_tokens_that_name_none(file: Path) -> None:
    keys = KeySet(str(file), "ES256")
    assert await keys.key(None) is await keys.key("one")
    assert await keys.key(7) is await keys.key("one")  # an id that is none
    file.write_bytes(published("one", "two"))
    several = KeySet(str(file), "ES256")
    with pytest.raises(jwt.InvalidKeyError):
        await several.key(None)


@pytest.mark.parametrize(
    "other",
    [{"use": "enc"}, {"alg": "ES512"}, {"kty": "RSA"}],
    ids=["for encryption", "another algorithm", "another type"],
)
async def test_keys_for_something_else_are_left_out(file: Path, other: dict[str, str]) -> None:
    keys = json.loads(published("one"))["keys"] + json.loads(published("other", **other))["keys"]
    file.write_text(json.dumps({"keys": keys}), encoding="utf-8")
    found = KeySet(str(file), "ES256")
    assert await found.key(None) is await found.key("one")
    with pytest.raises(jwt.InvalidKeyError):
        await found.key("other")


async def test_keys_that_cannot_be_read_are_told_and_the_others_serve(
    file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    keys = [*json.loads(published("one"))["keys"], 7, {**PUBLIC, "kid": "bad", "x": "?"}]
    file.write_text(json.dumps({"keys": keys}), encoding="utf-8")
    assert await KeySet(str(file), "ES256").key("one")
    assert "2 of 3 keys of the JWKS cannot be read: ['keys[1]: TypeError', 'keys[2]: " in caplog.text


async def test_a_withdrawn_key_is_forgotten_and_a_new_one_is_found(file: Path, clock: Clock) -> None:
    keys = KeySet(str(file), "ES256", monotonic_s=clock)
    await keys.key("one")
    file.write_bytes(published("two"))
    clock.now_s = BEGAN_S + REFRESH_S - 0.1
    assert await keys.key("one")  # not looked at again until then
    clock.now_s = BEGAN_S + REFRESH_S
    with pytest.raises(jwt.InvalidKeyError):
        await keys.key("one")
    assert await keys.key("two")


async def test_an_unknown_id_reads_the_source_again_but_seldom(file: Path, clock: Clock) -> None:
    keys = KeySet(str(file), "ES256", monotonic_s=clock)
    await keys.key("one")
    file.write_bytes(published("one", "two"))
    clock.now_s = BEGAN_S + MIN_REFRESH_S - 0.1
    with pytest.raises(jwt.InvalidKeyError):
        await keys.key("two")
    clock.now_s = BEGAN_S + MIN_REFRESH_S
    assert await keys.key("two")


async def test_keys_serve_on_while_the_source_is_away(file: Path, clock: Clock) -> None:
    keys = KeySet(str(file), "ES256", monotonic_s=clock)
    await keys.key("one")
    file.unlink()
    clock.now_s = BEGAN_S + 10 * REFRESH_S
    assert await keys.key("one")
    with pytest.raises(jwt.InvalidKeyError):
        await keys.key("two")


async def test_without_keys_it_is_503_until_the_source_is_there(file: Path, clock: Clock) -> None:
    file.rename(file.with_suffix(".away"))
    keys = KeySet(str(file), "ES256", monotonic_s=clock)
    refused = await refusal(keys, "one")
    assert (refused.status, refused.code, refused.headers) == (503, "keys_unavailable", {"retry-after": "10"})
    file.with_suffix(".away").rename(file)
    assert (await refusal(keys, "one")).code == "keys_unavailable"  # not read again yet
    clock.now_s = BEGAN_S + MIN_REFRESH_S
    assert await keys.key("one")


async def test_sources_are_bounded(file: Path) -> None:
    file.write_bytes(published("one") + b" " * (MAX_JWKS_BYTES - len(published("one"))))
    assert await KeySet(str(file), "ES256").key("one")
    file.write_bytes(published("one") + b" " * MAX_JWKS_BYTES)
    assert (await refusal(KeySet(str(file), "ES256"), "one")).code == "keys_unavailable"


Answer = Callable[[asyncio.StreamWriter], Any]


@asynccontextmanager
async def served(answer: Answer) -> AsyncIterator[str]:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        try:
            await answer(writer)
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/keys"
    finally:
        server.close()


def whole(status: str, body: bytes, *headers: str) -> Answer:
    async def answer(writer: asyncio.StreamWriter) -> None:
        head = [f"HTTP/1.1 {status}", f"content-length: {len(body)}", "connection: close", *headers]
        writer.write("\r\n".join([*head, "", ""]).encode() + body)
        await writer.drain()

    return answer


async def test_one_fetch_serves_all_who_wait_for_it() -> None:
    asked = 0
    good = whole("200 OK", published("one"))

    async def counted(writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        asked += 1
        await asyncio.sleep(0.02)
        await good(writer)

    async with served(counted) as url:
        keys = KeySet(url, "ES256")
        assert len({id(key) for key in await asyncio.gather(*(keys.key("one") for _ in range(20)))}) == 1
    assert asked == 1


@pytest.mark.parametrize(
    "answer",
    [
        whole("302 Found", b"", "location: /elsewhere"),
        whole("404 Not Found", published("one")),
        whole("200 OK", b" " * (MAX_JWKS_BYTES + 1)),
        whole("200 OK", b"no json"),
    ],
    ids=["elsewhere", "an error", "too large", "no JSON"],
)
async def test_what_is_no_jwks_is_not_read(answer: Answer) -> None:
    async with served(answer) as url:
        assert (await refusal(KeySet(url, "ES256"), "one")).code == "keys_unavailable"


async def test_a_source_that_trickles_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each byte comes in time, the whole never does."""
    monkeypatch.setattr(jwks, "FETCH_TIMEOUT_S", 0.1)

    async def trickle(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 5000\r\n\r\n")
        while True:
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.01)

    async with asyncio.timeout(5), served(trickle) as url:
        assert (await refusal(KeySet(url, "ES256"), "one")).code == "keys_unavailable"
