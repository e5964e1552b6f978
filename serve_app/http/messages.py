"""Requests and responses as the handlers see them: the same for both entrypoints, whatever server carries them."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple


class Principal(NamedTuple):
    """A caller: `privileged` ones (services, operators) see private tournaments."""

    user_id: int
    role: str
    privileged: bool
    expires_s: float = 0.0


@dataclass(slots=True)
class Request:
    """One HTTP request. `headers` have lower-case names; `path` holds the path's parameters; `client` is the client's address
    (`serve_app.security.client_address`).

    `personal`: the answer depends on who calls (`serve_app.http.caching`). `principal` is the caller, None without a token, once the
    request was `counted` against their limit (`serve_app.handlers.callers`).
    """

    method: str
    headers: Mapping[str, str]
    query: Mapping[str, str] = field(default_factory=dict)
    path: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    client: str = ""
    personal: bool = False
    principal: Principal | None = None
    counted: bool = False


@dataclass(slots=True)
class Response:
    """One HTTP response; `headers` have lower-case names, content-length is the entrypoint's business.

    `stream`: the body comes from here, a piece at a time; whoever sends it closes it.
    """

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = "application/json"
    stream: AsyncGenerator[bytes, None] | None = None


Handler = Callable[[Request], Coroutine[Any, Any, Response]]
