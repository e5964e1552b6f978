"""A user's own settings: read, replaced whole, nobody else's to see; every wrong field is named."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from actors.domain.notices.events import EVENTS
from actors.domain.notices.secrets import webhook_secret
from tests.support.front import Front, open_front
from tests.support.receivers import Browser

PATH = "/v1/users/me/notifications"
MASTER = b"m" * 32
DEFAULTS: dict[str, Any] = {
    "language": "en", "channels": ["live"], "opt_out": [], "overtaken": False, "email": None, "push_subscriptions": [],
    "webhook_url": None,
}  # fmt: skip


@pytest.fixture
async def front() -> AsyncIterator[Front]:
    there = ("live", "email", "push", "webhook")
    async with open_front(
        notice_channels=there, push_public_key="BPublic", notification_webhook_secret=MASTER
    ) as opened:
        yield opened


def whole() -> dict[str, Any]:
    keys = Browser("https://push.example/1").subscription.keys
    return {
        "language": "de",
        "channels": ["live", "email", "push", "webhook"],
        "opt_out": ["started"],
        "overtaken": True,
        "email": "ann@example.org",
        "push_subscriptions": [
            {"endpoint": "https://push.example/1", "keys": {"p256dh": keys.p256dh, "auth": keys.auth}}
        ],
        "webhook_url": "https://ann.example/hook?x=1",
    }


async def test_in_the_beginning_and_as_they_were_set(front: Front) -> None:
    token = front.token("player", 7)
    available = {
        "channels": ["live", "email", "push", "webhook"],
        "languages": ["en", "de"],
        "events": list(EVENTS),
        "push_public_key": "BPublic",
        "webhook_secret": webhook_secret(MASTER, 7),
    }
    assert (await front.call("GET", PATH, token)).json() == {**DEFAULTS, "available": available}
    bodies: list[dict[str, Any]] = [whole(), {"channels": []}, whole()]
    for body in bodies:
        answer = await front.call("PUT", PATH, token, json=body)
        assert (answer.status_code, answer.json()) == (200, {**DEFAULTS, **body, "available": available})
        got = await front.call("GET", "/v1/users/7/notifications", token)
        assert got.json() == answer.json()
        assert got.headers["cache-control"] == "private, no-store"
    browser = {**whole()["push_subscriptions"][0], "expirationTime": None}
    answer = await front.call("PUT", PATH, token, json={**whole(), "push_subscriptions": [browser, browser]})
    assert len(answer.json()["push_subscriptions"]) == 1
    assert (await front.call("GET", PATH, front.token("player", 8))).json()["email"] is None


async def test_they_are_nobody_elses(front: Front) -> None:
    for role in ("player", "service", "operator"):
        for method in ("GET", "PUT"):
            answer = await front.call(method, "/v1/users/7/notifications", front.token(role, 8), json={})
            assert (answer.status_code, answer.json()["code"]) == (403, "not_yours")
    assert (await front.call("GET", PATH)).status_code == 401
    assert (await front.call("GET", "/v1/users/0x/notifications", front.token("player", 8))).status_code == 404


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"channels": ["fax"]}, "channels[0]"),
    ({"language": "fr"}, "language"),
    ({"opt_out": ["all"]}, "opt_out[0]"),
    ({"more": 1}, "more"),
    ({"channels": ["email"], "email": None}, "email"),
    ({"channels": ["push"], "push_subscriptions": []}, "push_subscriptions"),
    ({"channels": ["webhook"], "webhook_url": None}, "webhook_url"),
    ({"email": "ann"}, "email"),
    ({"email": "ann@example.org\r\nBcc: all@example.org"}, "email"),
    ({"email": "a@example.org,b@example.org"}, "email"),
    ({"email": "änn@example.org"}, "email"),
    ({"email": "a" * 300 + "@example.org"}, "email"),
    ({"webhook_url": "http://ann.example/"}, "webhook_url"),
    ({"webhook_url": "https://127.0.0.1/"}, "webhook_url"),
    ({"webhook_url": "https://[::ffff:10.0.0.1]/"}, "webhook_url"),
    ({"webhook_url": "https://ann.example/" + "a" * 2000}, "webhook_url"),
    ({"push_subscriptions": [{"endpoint": "https://localhost/", "keys": {"p256dh": "", "auth": ""}}]}, "push_subscriptions[0].endpoint"),
    ({"push_subscriptions": [{"endpoint": "https://push.example/"}]}, "push_subscriptions[0]"),
]  # fmt: skip


@pytest.mark.parametrize(("more", "path"), WRONG)
async def test_what_is_wrong_is_named(front: Front, more: dict[str, Any], path: str) -> None:
    answer = await front.call("PUT", PATH, front.token("player", 7), json={**whole(), **more})
    assert answer.status_code == 422
    assert path in [error["path"] for error in answer.json()["errors"]]
    assert (await front.call("GET", PATH, front.token("player", 7))).json()["email"] is None


@pytest.mark.parametrize(
    ("keys", "path"),
    [
        ({"p256dh": "AAAA"}, "p256dh"),
        ({"p256dh": "!" * 87}, "p256dh"),
        ({"p256dh": "A" * 87}, "p256dh"),
        ({"auth": "AAAA"}, "auth"),
        ({"auth": "x" * 60}, "auth"),
    ],
)
async def test_wrong_keys_of_a_browser(front: Front, keys: dict[str, str], path: str) -> None:
    body = whole()
    body["push_subscriptions"][0]["keys"].update(keys)
    answer = await front.call("PUT", PATH, front.token("player", 7), json=body)
    assert (answer.status_code, answer.json()["errors"][0]["path"]) == (422, f"push_subscriptions[0].keys.{path}")


async def test_channels_that_are_off() -> None:
    async with open_front() as front:
        token = front.token("player", 7)
        available = (await front.call("GET", PATH, token)).json()["available"]
        assert (available["channels"], available["push_public_key"], available["webhook_secret"]) == (
            ["live"],
            None,
            None,
        )
        answer = await front.call("PUT", PATH, token, json=whole())
        errors = [(error["path"], error["message"]) for error in answer.json()["errors"]]
        assert errors == [
            (f"channels[{i}]", f"expected one of live, got {name}")
            for i, name in ((1, "email"), (2, "push"), (3, "webhook"))
        ]


async def test_addresses_inside_where_they_are_allowed() -> None:
    async with open_front(notice_channels=("webhook",), notification_private_addresses=True) as front:
        body = {"channels": ["webhook"], "webhook_url": "http://127.0.0.1:9/hook"}
        assert (await front.call("PUT", PATH, front.token("player", 7), json=body)).status_code == 200


async def test_who_sets_them_at_the_same_time(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(*_: object) -> bool:
        return False

    monkeypatch.setattr(front.palio.notices, "put_settings", never)
    answer = await front.call("PUT", PATH, front.token("player", 7), json={})
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
