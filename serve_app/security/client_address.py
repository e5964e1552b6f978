"""Whose request it is, for limits by address: the peer, or whom proxies that are trusted say they speak for."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

FORWARDED_FOR: Final = b"x-forwarded-for"
REMEMBERED: Final = 4096  # answers
_IPV6_PREFIX: Final = 64  # what one subscriber has at least, to take any address of

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class TrustedProxies:
    """`networks`: addresses and networks, comma-separated, as PALIO_TRUSTED_PROXIES has them. Raises ValueError for anything else."""

    def __init__(self, networks: str = "") -> None:
        texts = [text.strip() for text in networks.split(",")] if networks.strip() else []
        try:
            self._networks = [ipaddress.ip_network(text) for text in texts]
        except ValueError as error:
            raise ValueError("expected addresses and networks with commas between them") from error
        self._remembered = lru_cache(REMEMBERED)(self._client)

    def client(self, peer: tuple[str, int] | None, headers: Iterable[tuple[bytes, bytes]]) -> str:
        """The client's address, an IPv6 one as its network of 64 bits, of an ASGI scope's `client` and `headers`; "" if there is none.

        Each proxy appends whom it heard from, so the last address that is no trusted proxy's is the client's. What stands before it
        is the client's own claim, and never looked at. A peer that is not trusted is the client, whatever it claims.
        """
        if peer is None:
            return ""
        forwarded = b""
        if self._networks:
            forwarded = b",".join(value for name, value in headers if name == FORWARDED_FOR)
        return self._remembered(peer[0], forwarded)

    def _client(self, peer: str, forwarded: bytes) -> str:
        address = _parsed(peer)
        if address is None:
            return peer  # a Unix socket's
        if self._networks and self._trusts(address):
            for text in reversed(forwarded.decode("latin-1").split(",")):
                claimed = _parsed(_without_port(text.strip()))
                if claimed is None:
                    break  # what a trusted proxy heard from nobody can say: its own requests
                address = claimed
                if not self._trusts(address):
                    break
        if address.version == 6:
            return str(ipaddress.ip_network((address, _IPV6_PREFIX), strict=False))
        return str(address)

    def _trusts(self, address: _Address) -> bool:
        return any(address in network for network in self._networks)


def _parsed(text: str) -> _Address | None:
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if address.version == 6 else address


def _without_port(text: str) -> str:
    """Some proxies give the port, too: `192.0.2.1:4711`, `[2001:db8::1]:4711`."""
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0] if text.count(":") == 1 else text
