"""docs/live-protocol.md: its clients work as they stand, and it tells of every code."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from cluster.config.settings import PROJECT_DIR
from serve_app.live import protocol
from storage.ports import LogUnavailableError
from tests.support.gateway import WAIT_S, running_gateway

DOCUMENT = (PROJECT_DIR / "docs" / "live-protocol.md").read_text(encoding="utf-8")
NODE = shutil.which("node")


def example(language: str, name: str) -> str:
    """The client whose function has this name."""
    codes = re.findall(rf"^```{language}\n(.*?)^```$", DOCUMENT, re.MULTILINE | re.DOTALL)
    [code] = [each for each in codes if re.search(rf"(def|function) {name}\(", each)]
    return str(code)


CLIENTS = pytest.mark.parametrize(
    ("language", "command"),
    [
        ("python", [sys.executable]),
        pytest.param(
            "js",
            [NODE, "--experimental-websocket"],  # of its own from Node.js 22 on
            marks=pytest.mark.skipif(NODE is None, reason="needs Node.js"),
        ),
    ],
    ids=["Python", "JavaScript"],
)
ENDINGS = {"python": "py", "js": "mjs"}


@CLIENTS
async def test_a_client_of_the_document_follows_a_tournament_over_a_restart(
    tmp_path: Path, language: str, command: list[str]
) -> None:
    program = tmp_path / f"follow.{ENDINGS[language]}"
    program.write_text(example(language, "follow"), encoding="utf-8")
    async with running_gateway() as gateway:
        tournament = await gateway.tournament(players=4)
        client = await asyncio.create_subprocess_exec(
            *command, str(program), gateway.live_url, tournament, stdout=asyncio.subprocess.PIPE
        )
        assert client.stdout is not None
        shown: list[Any] = []

        async def until_shown() -> None:
            async with asyncio.timeout(WAIT_S):
                while not shown or shown[-1] != gateway.data(tournament):
                    shown.append(json.loads(await client.stdout.readline()))  # type: ignore[union-attr]

        try:
            await until_shown()
            for user, score in [(1, 10), (2, 30), (3, 20), (4, 5), (1, 40), (4, 35)]:
                await gateway.score(tournament, user, score)
                await until_shown()
            await gateway.leave(tournament, 3)
            await until_shown()
            await gateway.hub.drain(0)
            gateway.hub.draining = False  # the next one, as it were
            await gateway.score(tournament, 2, 50)
            await until_shown()
            assert [row["user_id"] for row in shown[-1]["top"]] == ["2", "1", "4"]
        finally:
            client.kill()
            await client.communicate()


@CLIENTS
async def test_a_client_of_the_document_submits_scores_over_a_restart(
    tmp_path: Path, language: str, command: list[str]
) -> None:
    program = tmp_path / f"submit.{ENDINGS[language]}"
    program.write_text(example(language, "submit"), encoding="utf-8")
    async with running_gateway() as gateway:
        tournament = await gateway.tournament(players=1)
        append, calls = gateway.palio.log.append, 0

        async def once_in_vain(records: Any, timeout_s: float) -> list[int]:
            nonlocal calls
            calls += 1
            if calls == 1:  # it is appended, and nobody is told
                await append(records, timeout_s)
                await gateway.hub.drain(0)
                gateway.hub.draining = False
                raise LogUnavailableError("undecided")
            return await append(records, timeout_s)

        gateway.palio.log.append = lambda *call: asyncio.ensure_future(once_in_vain(*call))  # type: ignore[method-assign]

        async def run(*scores: str) -> tuple[int | None, bytes]:
            arguments = (str(program), gateway.live_url, gateway.token(1), tournament, *scores)
            client = await asyncio.create_subprocess_exec(*command, *arguments, stderr=asyncio.subprocess.PIPE)
            async with asyncio.timeout(WAIT_S):
                _, told = await client.communicate()
            return client.returncode, told

        assert (await run("a=5", "b=9.5", "c=7"))[0] == 0
        assert calls > 1
        state = gateway.palio.states[int(tournament)]
        assert state.members.attempts[0] == 3  # each of them once
        assert gateway.data(tournament)["top"][0]["score"] == 9.5
        status, told = await run("d=1.005")
        assert status == 1
        assert b"decimals" in told


def test_every_code_is_told() -> None:
    names = [name for name, value in vars(protocol).items() if name.isupper() and isinstance(value, int | str)]
    codes = [str(getattr(protocol, name)) for name in names if name not in ("SUBPROTOCOL", "MAX_ID_CHARS")]
    assert len(codes) >= 12
    for code in codes:
        assert re.search(rf"\b{code}\b", DOCUMENT), code
