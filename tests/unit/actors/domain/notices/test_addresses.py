"""What of the network is inside, however it is written."""

from __future__ import annotations

import pytest

from actors.domain.notices.addresses import check_url, is_outside


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
        "255.255.255.255", "::1", "::", "fe80::1", "fc00::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1",
        "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "2002:7f00:1::", "2002:a00:1::1", "192.0.2.1", "2001:db8::1",
    ],
)  # fmt: skip
def test_inside(address: str) -> None:
    assert not is_outside(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "1.1.1.1", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_outside(address: str) -> None:
    assert is_outside(address)


def test_what_is_no_address() -> None:
    with pytest.raises(ValueError, match="does not appear"):
        is_outside("example.org")


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/", "ftp://example.org/", "//example.org/", "example.org", "", "https://", "https:///x",
        "https://user:pw@example.org/", "https://user@example.org/", "https://example.org/#part", "https://localhost/",
        "https://localhost./", "https://a.localhost/", "https://printer.local/", "https://metadata.google.internal/",
        "https://intranet/", "https://127.0.0.1/", "https://127.1/", "https://2130706433/", "https://0x7f.1/",
        "https://0177.0.0.1/", "https://[::1]/", "https://[::ffff:10.0.0.1]:8443/x", "https://10.0.0.1:8443/",
        "https://example.org/\r\nx", "https://exa mple.org/", "https://exämple.org/", "https://example.org\\@10.0.0.1/",
        "https://example.org:99999/", "https://example.org:port/", "https://[broken/",
    ],
)  # fmt: skip
def test_urls_that_are_not_called(url: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        check_url(url, private=False)


@pytest.mark.parametrize(
    "url", ["https://example.org", "https://example.org:8443/a?b=c", "https://8.8.8.8/", "https://[2606:4700::1]/"]
)
def test_urls_that_are(url: str) -> None:
    check_url(url, private=False)
    check_url(url, private=True)


def test_inside_where_it_is_allowed() -> None:
    for url in ("http://127.0.0.1:9000/hook", "https://localhost/x", "http://intranet/"):
        check_url(url, private=True)
    for url in ("ftp://127.0.0.1/", "http://a:b@127.0.0.1/"):
        with pytest.raises(ValueError, match="expected"):
            check_url(url, private=True)
