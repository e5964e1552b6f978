"""Bad input at both real entrypoints: the contract's error each, nothing half done."""

from __future__ import annotations

import time
from collections.abc import Iterator

import httpx2
import jwt
import pytest

from tests.integration.conftest import create, join
from tests.support.running import RunningPalio


@pytest.fixture(scope="module")
def tournament(palio: RunningPalio) -> str:
    with palio.client() as client:
        made = create(client)
        join(client, made, 1)
    return made


@pytest.fixture(params=["api", "gateway"])
def entrypoint(request: pytest.FixtureRequest, palio: RunningPalio) -> Iterator[httpx2.Client]:
    with palio.client(gateway=request.param == "gateway") as client:
        yield client


GOOD = {"event_id": "e", "user_id": "1", "score": 1}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b"\xff\xfe", 400),
        (b"", 400),
        (b"[]", 422),
        (b'{"event_id":"e","user_id":"1","score":1.005}', 422),
        (b'{"event_id":"e","user_id":"1","score":1e9}', 422),
        (b'{"event_id":"e","user_id":"1","score":1e999}', (400, 422)),
        (b'{"event_id":"e","user_id":"1","score":NaN}', 422),
        (b'{"event_id":"e","user_id":"1","score":true}', 422),
        (b'{"event_id":"e","user_id":"1","score":"12"}', 422),
        (b'{"event_id":"","user_id":"1","score":1}', 422),
        (b'{"event_id":"e","user_id":"1","score":1,"x":1}', 422),
        (b'{"event_id":"e","user_id":"0","score":1}', 422),
        (b'{"event_id":"e","user_id":"9223372036854775808","score":1}', 422),
        (b'{"event_id":"e","user_id":"1"}', 422),
    ],
)
def test_a_bad_body(entrypoint: httpx2.Client, tournament: str, body: bytes, status: int | tuple[int, int]) -> None:
    answer = entrypoint.post(
        f"/v1/tournaments/{tournament}/scores", content=body, headers={"content-type": "application/json"}
    )
    assert answer.status_code in (status if isinstance(status, tuple) else (status,)), answer.text
    problem = answer.json()
    assert problem["status"] == answer.status_code
    assert problem["code"]
    if answer.status_code == 422:
        assert problem["errors"][0]["message"]
        assert "path" in problem["errors"][0]


def test_other_media_types(entrypoint: httpx2.Client, tournament: str) -> None:
    answer = entrypoint.post(
        f"/v1/tournaments/{tournament}/scores", content=b"x", headers={"content-type": "text/plain"}
    )
    assert answer.status_code == 415


@pytest.mark.parametrize("wrong", ["999", "0", "abc", "-1", "9223372036854775808"])
def test_unknown_tournaments(entrypoint: httpx2.Client, wrong: str) -> None:
    assert entrypoint.get(f"/v1/tournaments/{wrong}").status_code == 404
    assert entrypoint.post(f"/v1/tournaments/{wrong}/scores", json=GOOD).status_code == 404


def test_ten_megabytes(entrypoint: httpx2.Client, tournament: str) -> None:
    answer = entrypoint.post(
        f"/v1/tournaments/{tournament}/scores",
        content=b"x" * 10_000_000,
        headers={"content-type": "application/json"},
    )
    assert answer.status_code == 413


def test_bad_tokens(palio: RunningPalio, tournament: str) -> None:
    secret = (palio.data / "jwt_secret").read_bytes().strip()
    now = int(time.time())
    good = {"sub": "1", "role": "service", "aud": "palio", "exp": now + 60}
    wrong = {
        "expired": jwt.encode({**good, "exp": now - 60}, secret),
        "no exp": jwt.encode({k: v for k, v in good.items() if k != "exp"}, secret),
        "audience": jwt.encode({**good, "aud": "other"}, secret),
        "unsigned": jwt.encode(good, None, algorithm="none"),  # type: ignore[arg-type]
        "other key": jwt.encode(good, b"x" * 64),
        "other algorithm": jwt.encode(good, secret, algorithm="HS512"),
        "role": jwt.encode({**good, "role": "king"}, secret),
        "sub": jwt.encode({**good, "sub": "x"}, secret),
        "nonsense": "nonsense",
    }
    for base in (palio.url, palio.gateway_url):
        for name, token in wrong.items():
            answer = httpx2.post(
                f"{base}/v1/tournaments/{tournament}/scores", json=GOOD, headers={"Authorization": f"Bearer {token}"}
            )
            assert answer.status_code == 401, name
            assert answer.json()["code"], name
            assert "www-authenticate" in answer.headers
        assert httpx2.post(f"{base}/v1/tournaments/{tournament}/scores", json=GOOD).status_code == 401


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": ""}, {"type": "weekly"}, {"capacity": 0}, {"capacity": "many"}, {"order": "up"}, {"unknown": 1},
        {"ends_at": "2020-01-01T00:00:00.000Z"}, {"starts_at": "tomorrow"}, {"max_attempts": 10_001},
        {"starts_at": None}, {"visibility": "secret"}, {"min_participants": -1},
    ],
)  # fmt: skip
def test_a_bad_spec(palio: RunningPalio, wrong: dict[str, object]) -> None:
    from tests.integration.conftest import spec

    with palio.client() as client:
        before = client.get("/v1/tournaments", params={"limit": 1}).json()
        answer = client.post("/v1/tournaments", json=spec(name="never") | wrong)
        assert answer.status_code == 422, answer.text
        assert answer.json()["errors"]
        assert client.get("/v1/tournaments", params={"limit": 1}).json() == before


@pytest.mark.parametrize(
    "params", [{"limit": "0"}, {"limit": "101"}, {"limit": "x"}, {"cursor": "?"}, {"status": "odd"}]
)
def test_a_bad_list_query(palio: RunningPalio, params: dict[str, str]) -> None:
    answer = httpx2.get(f"{palio.url}/v1/tournaments", params=params)
    assert answer.status_code == 422
    assert answer.json()["errors"]


def test_an_unknown_path_is_a_problem(entrypoint: httpx2.Client) -> None:
    answer = entrypoint.get("/v1/nothing")
    assert answer.status_code == 404
    assert answer.headers["content-type"].startswith("application/problem+json")
