from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from serve_app.config import FrontConfig
from serve_app.http.problems import Problem
from serve_app.security import auth, jwks
from serve_app.security.auth import Authenticator, make_token
from tests.support.entrypoints import Entrypoints, running_entrypoints
from tests.support.front import open_front, problem

SECRET = b"s" * 32
NOW = 1_800_000_000
CLAIMS = {"sub": "42", "role": "player", "aud": "palio", "exp": NOW + 60}

WRONG_EXPIRIES: list[object] = ["soon", 10**30, float("inf"), True, None, []]


class Clock:
    def __init__(self) -> None:
        self.now = float(NOW)

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def authenticator(clock: Clock) -> Authenticator:
    return Authenticator(FrontConfig(jwt_secret=SECRET, jwt_cache_entries=3), clock_s=clock)


def signed(claims: dict[str, object], key: Any = SECRET, algorithm: str = "HS256", **headers: object) -> str:
    return "Bearer " + jwt.encode(claims, key, algorithm=algorithm, headers=headers)


async def refusal(authenticator: Authenticator, authorization: str) -> Problem:
    with pytest.raises(Problem) as caught:
        await authenticator.authenticate(authorization)
    return caught.value


@pytest.mark.parametrize(("role", "privileged"), [("player", False), ("service", True), ("operator", True)])
async def test_a_good_token_names_the_caller(authenticator: Authenticator, role: str, privileged: bool) -> None:
    header = "Bearer " + make_token(SECRET, role=role, user_id=2**63 - 1, ttl_s=60, now_s=NOW)
    principal = await authenticator.authenticate(header)
    assert principal[:3] == (2**63 - 1, role, privileged)
    assert authenticator.peek(header) == principal
    assert await authenticator.authenticate_token(header.removeprefix("Bearer ")) == principal
    assert await authenticator.authenticate(header.replace("Bearer", "bearer")) == principal


def unsigned(claims: dict[str, object]) -> str:
    def part(value: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    return f"Bearer {part({'alg': 'none', 'typ': 'JWT'})}.{part(claims)}."


@pytest.mark.parametrize(
    ("header", "code"),
    [
        (signed({**CLAIMS, "exp": NOW - 1}), "token_expired"),
        (signed({**CLAIMS, "exp": NOW}), "token_expired"),
        (unsigned(CLAIMS), "token_invalid"),
        (signed(CLAIMS, b"t" * 32), "token_invalid"),
        (signed(CLAIMS, SECRET * 2, "HS512"), "token_invalid"),
        (signed(CLAIMS, SECRET * 2, "HS384"), "token_invalid"),
        (signed({**CLAIMS, "aud": "other"}), "token_invalid"),
        (signed({**CLAIMS, "aud": 7}), "token_invalid"),
        (signed({**CLAIMS, "nbf": 2**40}), "token_invalid"),
        *((signed({k: v for k, v in CLAIMS.items() if k != name}), "token_invalid") for name in CLAIMS),
        *((signed({**CLAIMS, "sub": sub}), "token_invalid") for sub in ("0", "x", "", "-1", "9223372036854775808")),
        *((signed({**CLAIMS, "role": role}), "token_invalid") for role in ("admin", "", None, 7, ["player"])),
        *((signed({**CLAIMS, "exp": exp}), "token_invalid") for exp in WRONG_EXPIRIES),
        ("Bearer", "token_invalid"),
        ("Bearer ", "token_invalid"),
        ("Basic eDp5", "token_invalid"),
        ("Bearer a.b", "token_invalid"),
        ("Bearer a.b.c", "token_invalid"),
        ("Bearer \u00e9\u00e9.b.c", "token_invalid"),
        ("Bearer " + "a" * 10_000, "token_invalid"),
        ("Bearer " + base64.urlsafe_b64encode(b"[" * 2500).decode().rstrip("=") + ".e30.e30", "token_invalid"),
    ],
)
async def test_a_bad_token_is_401_with_a_challenge(authenticator: Authenticator, header: str, code: str) -> None:
    refused = await refusal(authenticator, header)
    assert (refused.status, refused.code) == (401, code)
    assert refused.headers["www-authenticate"].startswith('Bearer realm="palio", error="invalid_token"')
    assert authenticator.peek(header) is None


async def test_an_audience_among_several_is_enough(authenticator: Authenticator) -> None:
    assert await authenticator.authenticate(signed({**CLAIMS, "aud": ["other", "palio"]})) is not None


async def test_a_remembered_token_still_expires(authenticator: Authenticator, clock: Clock) -> None:
    header = signed(CLAIMS)
    await authenticator.authenticate(header)
    clock.now = NOW + 59.9
    assert authenticator.peek(header) is not None
    clock.now = NOW + 60
    assert authenticator.peek(header) is None
    assert (await refusal(authenticator, header)).code == "token_expired"


async def test_a_remembered_token_is_verified_anew_after_a_while(authenticator: Authenticator, clock: Clock) -> None:
    header = signed({**CLAIMS, "exp": NOW + 10_000})
    await authenticator.authenticate(header)
    clock.now = NOW + auth.TRUSTED_S
    assert authenticator.peek(header) is None
    assert await authenticator.authenticate(header) is not None


async def test_remembered_tokens_are_bounded(authenticator: Authenticator) -> None:
    headers = [signed({**CLAIMS, "sub": str(user)}) for user in range(1, 5)]
    for header in (*headers[:3], headers[0], headers[3]):
        await authenticator.authenticate(header)
    assert [authenticator.peek(header) is not None for header in headers] == [True, False, True, True]


@pytest.mark.parametrize("config", [FrontConfig(jwt_secret=b"short"), FrontConfig(jwt_algorithm="ES256")])
def test_keys_must_be_configured(config: FrontConfig) -> None:
    with pytest.raises(ValueError, match="expected"):
        Authenticator(config)


KEYS: dict[str, tuple[Any, Any]] = {
    "RS256": (rsa.generate_private_key(65537, 2048), jwt.algorithms.RSAAlgorithm),
    "ES256": (ec.generate_private_key(ec.SECP256R1()), jwt.algorithms.ECAlgorithm),
    "EdDSA": (ed25519.Ed25519PrivateKey.generate(), jwt.algorithms.OKPAlgorithm),
}


def published(algorithm: str, kid: str | None) -> dict[str, object]:
    key, kind = KEYS[algorithm]
    return {**kind.to_jwk(key.public_key(), as_dict=True), **({"kid": kid} if kid else {})}


@pytest.mark.parametrize("algorithm", list(KEYS))
async def test_keys_from_a_file(tmp_path: Path, clock: Clock, algorithm: str) -> None:
    path = tmp_path / "jwks.json"
    path.write_text(json.dumps({"keys": [published(name, name) for name in KEYS]}))
    authenticator = Authenticator(FrontConfig(jwt_algorithm=algorithm, jwt_jwks=str(path)), clock_s=clock)
    key = KEYS[algorithm][0]
    for headers in ({"kid": algorithm}, {}):
        principal = await authenticator.authenticate(signed(CLAIMS, key, algorithm, **headers))
        assert principal.user_id == 42
    assert (await refusal(authenticator, signed(CLAIMS, key, algorithm, kid="other"))).code == "token_invalid"
    # the public key's bytes as an HMAC secret: the algorithm is configuration's, never the token's
    public = published(algorithm, None)
    confused = signed(CLAIMS, str(public.get("n", public.get("x"))).encode(), "HS256", kid=algorithm)
    assert (await refusal(authenticator, confused)).code == "token_invalid"
    assert (await refusal(authenticator, unsigned(CLAIMS))).code == "token_invalid"


UNREADABLE: list[object] = [
    7, None, [], "key", {}, {"kty": None}, {"kty": ["RSA"]}, {"kty": "RSA"}, {"kty": "RSA", "n": 7, "e": "AQAB"},
    {"kty": "RSA", "n": "\u00e9", "e": "AQAB"}, {"kty": "RSA", "n": "", "e": ""}, {"kty": "RSA", "kid": ["a"], "n": "AQAB", "e": "AQAB"},
    {"kty": "RSA", "kid": {}, "n": "AQAB", "e": "AQAB"}, {"kty": "EC"}, {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"},
    {"kty": "EC", "crv": 7, "x": "", "y": ""}, {"kty": "EC", "crv": "P-384", "x": "AA", "y": None}, {"kty": "OKP"},
    {"kty": "OKP", "crv": "X25519", "x": "AA"}, {"kty": "OKP", "crv": "Ed25519", "x": "AA"}, {"kty": "oct", "k": "AA"},
]  # fmt: skip


@pytest.mark.parametrize("algorithm", list(KEYS))
async def test_keys_that_cannot_be_read_do_not_refuse_the_good_ones(
    tmp_path: Path, clock: Clock, algorithm: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "jwks.json"
    path.write_text(json.dumps({"keys": [*UNREADABLE, published(algorithm, "good"), *UNREADABLE]}))
    authenticator = Authenticator(FrontConfig(jwt_algorithm=algorithm, jwt_jwks=str(path)), clock_s=clock)
    principal = await authenticator.authenticate(signed(CLAIMS, KEYS[algorithm][0], algorithm, kid="good"))
    assert principal.user_id == 42
    assert "cannot be read" in caplog.text
    assert (await refusal(authenticator, signed(CLAIMS, KEYS[algorithm][0], algorithm, kid="a"))).status == 401


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "[]",
        "7",
        "null",
        '"x"',
        "{}",
        '{"keys": null}',
        '{"keys": 7}',
        '{"keys": {}}',
        '{"keys": []}',
        "[" * 5000,
        json.dumps({"keys": UNREADABLE}),
        '{"keys": "\\ud800"}',
    ],
)
async def test_a_malformed_jwks_is_503_never_500(tmp_path: Path, clock: Clock, text: str) -> None:
    path = tmp_path / "jwks.json"
    path.write_text(text)
    for algorithm, (key, _) in KEYS.items():
        authenticator = Authenticator(FrontConfig(jwt_algorithm=algorithm, jwt_jwks=str(path)), clock_s=clock)
        for headers in ({"kid": "one"}, {}):
            refused = await refusal(authenticator, signed(CLAIMS, key, algorithm, **headers))
            assert (refused.status, refused.code) == (503, "keys_unavailable")
            assert int(refused.headers["retry-after"]) >= 1


class Jwks:
    """A server of keys on loopback; `answer` is what it says instead, (status, headers, body)."""

    def __init__(self) -> None:
        self.keys: list[Any] = []
        self.answer: tuple[int, dict[str, str], bytes] | None = None
        self.asked = 0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked += 1
                told = json.dumps({"keys": outer.keys}).encode() if outer.keys else b"nothing"
                status, headers, body = outer.answer or (200 if outer.keys else 500, {}, told)
                self.send_response(status)
                for name, value in {"content-length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                return

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/jwks.json"
        Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()


@pytest.fixture
def key_server() -> Iterator[Jwks]:
    served = Jwks()
    yield served
    served.server.shutdown()
    served.server.server_close()


async def test_keys_from_a_url_are_fetched_anew_for_an_unknown_key_but_not_without_bound(key_server: Jwks) -> None:
    now = 0.0
    keys = jwks.KeySet(key_server.url, "ES256", monotonic_s=lambda: now)
    with pytest.raises(Problem) as caught:
        await keys.key("one")
    assert (caught.value.status, caught.value.code) == (503, "keys_unavailable")
    key_server.keys = [published("ES256", "one")]
    with pytest.raises(Problem):
        await keys.key("one")
    assert key_server.asked == 1  # not again at once
    now += jwks.MIN_REFRESH_S
    assert await keys.key("one") is not None
    assert key_server.asked == 2
    key_server.keys = [published("ES256", "two")]
    for _ in range(5):
        with pytest.raises(jwt.InvalidKeyError):
            await keys.key("two")
    assert key_server.asked == 2
    now += jwks.MIN_REFRESH_S
    assert await keys.key("two") is not None
    with pytest.raises(jwt.InvalidKeyError):
        await keys.key("one")
    key_server.keys = []
    now += jwks.REFRESH_S
    assert await keys.key("two") is not None  # the source is away: what was read serves on


async def test_tokens_of_all_kinds() -> None:
    async with open_front() as front:
        now = front.palio.now_ms / 1000
        claims = {"sub": "42", "role": "player", "aud": "palio", "exp": now + 60}
        bad = [
            signed({**claims, "exp": now - 1}, b"a secret of thirty-two bytes, now"),
            unsigned(claims),
            signed({**claims, "aud": "x"}, b"a secret of thirty-two bytes, now"),
            "Bearer nonsense",
        ]
        for header in bad:
            for method, path in (("GET", "/v1/tournaments"), ("POST", "/v1/scores"), ("GET", "/v1/users/me/prizes")):
                response = await front.call(method, path, {"authorization": header})
                assert problem(response)[0] == 401
                assert "invalid_token" in response.headers["www-authenticate"]


NO_KEYS: dict[str, tuple[int, dict[str, str], bytes]] = {
    "a page": (200, {"content-type": "text/html"}, b"<!doctype html><title>Sign in</title>"),
    "half of it": (200, {}, b'{"keys": [{"kty": "EC", "crv": "P-2'),
    "no UTF-8": (200, {}, b'{"keys": ["\xff"]}'),
    "nothing": (200, {}, b""),
    "no list": (200, {}, b'{"keys": {"kid": "good"}}'),
    "keys that are none": (200, {}, json.dumps({"keys": UNREADABLE}).encode()),
    "another algorithm's": (200, {}, json.dumps({"keys": [published("RS256", "good")]}).encode()),
    "too much": (200, {}, b" " * (jwks.MAX_JWKS_BYTES + 1)),
    "another place": (302, {"location": "/elsewhere"}, b""),
    "not found": (404, {}, b"{}"),
    "less than announced": (200, {"content-length": "1000"}, b"{}"),
    "an unknown encoding": (200, {"content-encoding": "gzip"}, b"no gzip"),
}


def kinds_of_tokens() -> dict[str, str]:
    """A good one, and what callers send by mistake."""
    claims, key = {"sub": "42", "role": "player", "aud": "palio", "exp": 2**40}, KEYS["ES256"][0]
    return {
        "good": signed(claims, key, "ES256", kid="good"),
        "unknown key": signed(claims, key, "ES256", kid="other"),
        "no key id": signed(claims, key, "ES256"),
        "another's": signed(claims, ec.generate_private_key(ec.SECP256R1()), "ES256", kid="good"),
        "key id of another type": "Bearer " + jwt.encode(claims, key, "ES256", headers={"kid": "x"})[:-3],
    }


async def statuses(both: Entrypoints, token: str) -> set[tuple[int, str | None]]:
    """What requests with a token are answered, whatever they ask for and where."""
    seen: set[tuple[int, str | None]] = set()
    for client in both.clients.values():
        for method, path in (
            ("GET", "/v1/tournaments/77"),
            ("POST", "/v1/tournaments/77/scores"),
            ("POST", "/v1/scores"),
        ):
            for body in ({"event_id": "a", "score": 1}, ["x" * 100_000]):  # a large one needs a token that verifies
                answer = await client.request(method, path, headers={"authorization": token}, json=body)
                seen.add((answer.status_code, answer.json()["code"]))
                assert answer.status_code != 503 or int(answer.headers["retry-after"]) >= 1
    return seen


async def test_good_keys_serve_beside_one_that_cannot_be_read(key_server: Jwks) -> None:
    key_server.keys = [UNREADABLE[9], published("ES256", "good"), *UNREADABLE]
    async with running_entrypoints(jwt_algorithm="ES256", jwt_jwks=key_server.url) as both:
        for kind, token in kinds_of_tokens().items():
            seen = await statuses(both, token)
            if kind in ("good", "no key id"):
                assert {status for status, _ in seen} <= {403, 404, 413, 415, 422}, (kind, seen)  # the caller is known
                assert (404, "tournament_unknown") in seen
            else:
                assert seen == {(401, "token_invalid")}, kind
        async with both.gateway.client() as live:
            for kind, token in kinds_of_tokens().items():
                answer = await live.ask(auth=token.removeprefix("Bearer "))
                assert answer.get("ok", False) is (kind in ("good", "no key id")), (kind, answer)


@pytest.mark.parametrize("answer", NO_KEYS.values(), ids=list(NO_KEYS))
async def test_without_keys_every_token_is_503_and_who_has_none_is_served(
    key_server: Jwks, answer: tuple[int, dict[str, str], bytes]
) -> None:
    key_server.answer = answer
    async with running_entrypoints(jwt_algorithm="ES256", jwt_jwks=key_server.url) as both:
        for token in kinds_of_tokens().values():
            assert await statuses(both, token) <= {(503, "keys_unavailable"), (401, "token_invalid")}
        assert (503, "keys_unavailable") in await statuses(both, kinds_of_tokens()["good"])
        for client in both.clients.values():
            assert (await client.get("/v1/tournaments/77")).json()["code"] == "tournament_unknown"
        async with both.gateway.client() as live:
            error = (await live.ask(auth=kinds_of_tokens()["good"].removeprefix("Bearer ")))["error"]
            assert error["code"] == "keys_unavailable"
    assert key_server.asked == 1  # not once for each of these requests
