"""Which addresses of the network a user may have Palio call: none inside, since what is there trusts its neighbours."""

from __future__ import annotations

import ipaddress
from typing import Final
from urllib.parse import urlsplit

NAT64: Final = ipaddress.ip_network("64:ff9b::/96")
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def is_outside(text: str) -> bool:
    """Whether an IP address is one of the public internet, however it is written. Raises ValueError for what is none."""
    return all(each.is_global and not each.is_multicast for each in _meant(ipaddress.ip_address(text)))


def _meant(address: Address) -> list[Address]:
    """The address, and the IPv4 address within it that a router may make of it."""
    if isinstance(address, ipaddress.IPv4Address):
        return [address]
    if address.ipv4_mapped is not None:
        return [address.ipv4_mapped]
    found: list[Address] = [address]
    if address.sixtofour is not None:
        found.append(address.sixtofour)
    if address in NAT64:
        found.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    return found


def check_url(text: str, *, private: bool) -> None:
    """Raises ValueError for an URL that Palio is not going to call: only https to a host outside; with `private` http and any host, too.

    What a name stands for is looked at when it is called: it may be another address by then.
    """
    schemes = ("https", "http") if private else ("https",)
    try:
        url = urlsplit(text)
        host, _ = url.hostname, url.port
    except ValueError as error:
        raise ValueError(f"expected a URL, got {text[:100]!r}") from error
    if url.scheme not in schemes or not host:
        raise ValueError(f"expected a URL that begins with {'://, or '.join(schemes)}://, got {text[:100]!r}")
    if url.username is not None or url.password is not None or url.fragment:
        raise ValueError("expected a URL without user, password and fragment")
    if not text.isascii() or any(char.isspace() or not char.isprintable() for char in text) or "\\" in text:
        raise ValueError("expected a URL of printable ASCII characters, others encoded")
    if private:
        return
    try:
        outside = is_outside(host)
    except ValueError:
        # a name; a last label of digits is an address to some resolvers ("127.1", "0x7f.1", "2130706433")
        last = host.rstrip(".").rpartition(".")[2]
        outside = "." in host.rstrip(".") and not last[:1].isdigit() and last not in ("localhost", "local", "internal")
    if not outside:
        raise ValueError("expected a host of the public internet, got an internal one")
