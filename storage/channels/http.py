"""POSTs to URLs that users gave: never to an address inside, never along a redirect, bounded in time and in what is read.

A name is looked up once, at the connection, and every address that it has must be outside: so nothing can change between look and call.
Uses httpx2's core, which has the place where connections are made; httpx2 itself does not show it.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterable, Mapping
from typing import Any, Final

import httpcore2

from actors.domain.notices.addresses import is_outside

MAX_ANSWER_BYTES: Final = 64 * 1024  # of a body that nobody reads; beyond it the connection ends


class InternalAddressError(OSError):
    """The URL's host is inside."""


class CallError(OSError):
    """No answer; the message is one word that says why."""


class _OutsideOnly(httpcore2.AnyIOBackend):
    """Connects to hosts outside; with `private` to any."""

    def __init__(self, *, private: bool) -> None:
        self._private = private

    async def connect_tcp(self, host: str, port: int, **options: Any) -> httpcore2.AsyncNetworkStream:  # type: ignore[override]
        """As the base, to the first address of a host."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(options.get("timeout")):
                found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError, TimeoutError) as error:
            raise httpcore2.ConnectError("host unknown") from error
        addresses = [str(entry[4][0]) for entry in found]
        if not self._private and not all(is_outside(address) for address in addresses):
            raise InternalAddressError("an address inside")
        return await super().connect_tcp(addresses[0], port, **options)


class Caller:
    """See the module. At most `connections` at once; each call ends within `timeout_s`."""

    def __init__(self, *, private: bool, timeout_s: float, connections: int) -> None:
        self._timeout_s = timeout_s
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=ssl.create_default_context(),
            max_connections=connections,
            keepalive_expiry=15,
            network_backend=_OutsideOnly(private=private),
        )

    async def post(self, url: str, body: bytes, headers: Mapping[bytes | str, bytes | str]) -> int:
        """The status of the answer. Raises InternalAddressError, and CallError when there is none."""
        try:
            async with (
                asyncio.timeout(self._timeout_s),
                self._pool.stream("POST", url, headers=headers, content=body) as answer,
            ):
                await _read(answer.aiter_stream())
                return int(answer.status)
        except InternalAddressError:
            raise
        except TimeoutError as error:
            raise CallError("timeout") from error
        except httpcore2.ConnectError as error:
            raise CallError("no_connection") from error
        except (
            httpcore2.NetworkError,
            httpcore2.ProtocolError,
            httpcore2.TimeoutException,
            OSError,
            ValueError,
        ) as error:
            raise CallError("no_answer") from error

    async def close(self) -> None:
        """Close the connections."""
        await self._pool.aclose()


async def _read(chunks: AsyncIterable[bytes]) -> None:
    """To the end, so that the connection can be used again; not beyond the limit."""
    size = 0
    async for chunk in chunks:
        size += len(chunk)
        if size > MAX_ANSWER_BYTES:
            return
