"""The client's address from the peer and X-Forwarded-For."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from serve_app.security.client_address import TrustedProxies
from tests.support.front import open_front
from tests.support.gateway import running_gateway

PROXIES = "127.0.0.1, 10.0.0.0/8,2001:db8:ffff::/48"


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("192.0.2.1", [], "192.0.2.1"),
        ("192.0.2.1", ["198.51.100.7"], "192.0.2.1"),  # whoever is not trusted speaks for itself alone
        ("127.0.0.1", [], "127.0.0.1"),
        ("127.0.0.1", ["198.51.100.7"], "198.51.100.7"),
        ("127.0.0.1", ["203.0.113.5, 198.51.100.7"], "198.51.100.7"),  # the first one is the client's own claim
        ("127.0.0.1", ["203.0.113.5", "198.51.100.7"], "198.51.100.7"),  # in two lines
        ("127.0.0.1", ["203.0.113.5, 198.51.100.7, 10.1.2.3"], "198.51.100.7"),  # through two proxies
        ("127.0.0.1", ["10.9.9.9, 10.1.2.3"], "10.9.9.9"),  # proxies all the way
        ("127.0.0.1", ["203.0.113.5, nonsense, 10.1.2.3"], "10.1.2.3"),
        ("127.0.0.1", [""], "127.0.0.1"),
        ("127.0.0.1", ["198.51.100.7:4711"], "198.51.100.7"),
        ("127.0.0.1", ["[2001:db8:1:2::9]:4711"], "2001:db8:1:2::/64"),
        ("2001:db8:ffff::1", ["2001:db8:1:2:3::9"], "2001:db8:1:2::/64"),
        ("::ffff:127.0.0.1", ["::ffff:198.51.100.7"], "198.51.100.7"),
        ("fe80::1%eth0", [], "fe80::/64"),
        ("", ["198.51.100.7"], ""),
        ("a socket", ["198.51.100.7"], "a socket"),
    ],
)
def test_the_client(peer: str, forwarded: list[str], client: str) -> None:
    headers = [(b"host", b"a"), *((b"x-forwarded-for", value.encode()) for value in forwarded)]
    assert TrustedProxies(PROXIES).client((peer, 1), headers) == client


def test_no_peer() -> None:
    assert TrustedProxies(PROXIES).client(None, [(b"x-forwarded-for", b"198.51.100.7")]) == ""


def test_nobody_is_trusted_unless_told() -> None:
    assert TrustedProxies().client(("127.0.0.1", 1), [(b"x-forwarded-for", b"198.51.100.7")]) == "127.0.0.1"


@pytest.mark.parametrize("wrong", ["proxy.example.org", "10.0.0.1/8", "10.0.0.0/33", "10.0.0.1,,10.0.0.2"])
def test_what_is_no_list_of_addresses_and_networks(wrong: str) -> None:
    with pytest.raises(ValueError, match=r"expected addresses and networks"):
        TrustedProxies(wrong)


async def statuses(http: httpx2.AsyncClient, path: str, *addresses: str) -> list[int]:
    return [(await http.get(path, headers={"x-forwarded-for": address})).status_code for address in addresses]


ADDRESSES = ("192.0.2.1", "192.0.2.2", "192.0.2.1", "192.0.2.2")


async def test_at_the_api_callers_behind_a_trusted_proxy_do_not_share_a_limit() -> None:
    limits: dict[str, Any] = {"anonymous_rate": 0.001, "anonymous_burst": 1}
    async with open_front(**limits, trusted_proxies="127.0.0.0/8") as front:
        assert await statuses(front.client, "/v1/tournaments", *ADDRESSES) == [200, 200, 429, 429]
    async with open_front(**limits) as front:
        assert await statuses(front.client, "/v1/tournaments", *ADDRESSES) == [200, 429, 429, 429]


@pytest.mark.parametrize("suffix", ["", "/rankings"])  # the fast path, and the ASGI way
async def test_at_the_gateway_too(suffix: str) -> None:
    limits: dict[str, Any] = {"anonymous_rate": 0.001, "anonymous_burst": 1}
    for trusted, expected in (("127.0.0.0/8", [200, 200, 429, 429]), ("", [200, 429, 429, 429])):
        async with (
            running_gateway(**limits, trusted_proxies=trusted) as gateway,
            httpx2.AsyncClient(base_url=gateway.url) as http,
        ):
            path = f"/v1/tournaments/{await gateway.tournament(players=1)}{suffix}"
            assert await statuses(http, path, *ADDRESSES) == expected
