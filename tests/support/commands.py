"""Commands of `scripts/palio` that ask a Palio, run in the test's own loop against a Palio in this process, or against answers given."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

import httpx2
import pytest

from scripts.cli.palio import parser
from scripts.client.palio_client import PalioClient
from tests.support.front import Front
from tests.support.scripted_http import Answers


class Said(NamedTuple):
    """The exit status, and what was printed."""

    status: int
    out: str
    err: str

    @property
    def last(self) -> str:
        """The last line on stdout."""
        return self.out.splitlines()[-1]


Command = Callable[..., Awaitable[Said]]


def commands_at(where: Front | Answers, capsys: pytest.CaptureFixture[str]) -> Command:
    """`await command("show", "7")` as a service; `role` and `user` say otherwise."""

    async def command(*arguments: object, role: str = "service", user: int = 1) -> Said:
        options: Any = parser().parse_args([str(argument) for argument in arguments])
        transport: httpx2.AsyncBaseTransport
        if isinstance(where, Front):
            transport = httpx2.ASGITransport(where.app)
            token = where.token(role, user)["authorization"].removeprefix("Bearer ")
        else:
            transport, token = where.transport, "t"
        capsys.readouterr()
        async with PalioClient("http://palio.example:8000", token, transport=transport, retry_for_s=5) as palio:
            status = await options.work(palio, options)
        return Said(status, *capsys.readouterr())

    return command
