"""Registered tools of LTI: the file that PALIO_LTI_TOOLS names.

    {"tools": [{"client_id": "quiz-tool", "user_id": "7", "jwks": "https://quiz.example/.well-known/jwks.json",
                "tournaments": ["8127364512893471"]}]}

`jwks` is where the tool's public keys are, a path or a URL. `user_id` is whose calls the tool's are, as of a service; `tournaments` are those
that it may see, without it all.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from actors.domain.values import parse_id
from serve_app.security.jwks import KeySet

MAX_TOOLS: Final = 1000
MAX_TOURNAMENTS: Final = 1000


class Tool(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """See the module."""

    client_id: Annotated[str, Meta(min_length=1, max_length=255)]
    user_id: str
    jwks: Annotated[str, Meta(min_length=1)]
    algorithm: Literal["RS256", "ES256"] = "RS256"
    tournaments: Annotated[list[str], Meta(max_length=MAX_TOURNAMENTS)] | None = None

    def sees(self, tournament: str) -> bool:
        """Whether a tournament is one of the tool's."""
        return self.tournaments is None or tournament in self.tournaments


class _Tools(msgspec.Struct, forbid_unknown_fields=True):
    tools: Annotated[list[Tool], Meta(max_length=MAX_TOOLS)]


class Tools:
    """The tools by client id, each with its keys."""

    def __init__(self, tools: list[Tool]) -> None:
        self._tools = {tool.client_id: tool for tool in tools}
        self._keys = {tool.client_id: KeySet(tool.jwks, tool.algorithm) for tool in tools}

    def tool(self, client_id: object) -> Tool | None:
        """The tool of a client id, None if it is not registered."""
        return self._tools.get(client_id) if isinstance(client_id, str) else None

    def keys(self, tool: Tool) -> KeySet:
        """Its public keys."""
        return self._keys[tool.client_id]


_decoder: Final = msgspec.json.Decoder(_Tools)


def parse_tools(data: bytes) -> Tools:
    """The file's content. Raises ValueError, and msgspec's errors."""
    tools = _decoder.decode(data).tools
    seen: set[str] = set()
    for tool in tools:
        if tool.client_id in seen:
            raise ValueError(f"expected each client_id once, got {tool.client_id[:100]!r} twice")
        seen.add(tool.client_id)
        for text in (tool.user_id, *(tool.tournaments or ())):
            try:
                parse_id(text)
            except ValueError as error:
                raise ValueError(f"{tool.client_id[:100]}: {error}") from None
    return Tools(tools)
