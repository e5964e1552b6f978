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
from tests.support.gateway import WAIT_S, running_gateway

DOCUMENT = (PROJECT_DIR / "docs" / "live-protocol.md").read_text(encoding="utf-8")
NODE = shutil.which("node")


def example(language: str) -> str:
    [code] = re.findall(rf"^```{language}\n(.*?)^```$", DOCUMENT, re.MULTILINE | re.DOTALL)
    return str(code)


@pytest.mark.parametrize(
    ("language", "command"),
    [
        ("python", [sys.executable, "follow.py"]),
        pytest.param(
            "js",
            [NODE, "--experimental-websocket", "follow.mjs"],  # of its own from Node.js 22 on
            marks=pytest.mark.skipif(NODE is None, reason="needs Node.js"),
        ),
    ],
    ids=["Python", "JavaScript"],
)
async def test_a_client_of_the_document_follows_a_tournament_over_a_restart(
    tmp_path: Path, language: str, command: list[str]
) -> None:
    program = tmp_path / command[-1]
    program.write_text(example(language), encoding="utf-8")
    async with running_gateway() as gateway:
        tournament = await gateway.tournament(players=4)
        client = await asyncio.create_subprocess_exec(
            *command[:-1], str(program), gateway.live_url, tournament, stdout=asyncio.subprocess.PIPE
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


def test_every_code_is_told() -> None:
    names = [name for name, value in vars(protocol).items() if name.isupper() and isinstance(value, int | str)]
    codes = [str(getattr(protocol, name)) for name in names if name not in ("SUBPROTOCOL", "MAX_ID_CHARS")]
    assert len(codes) >= 12
    for code in codes:
        assert re.search(rf"\b{code}\b", DOCUMENT), code
