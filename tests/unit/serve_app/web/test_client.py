"""The TypeScript client: by its own checks, against a gateway, and its types are those that its code and the server give."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from cluster.config.settings import PROJECT_DIR
from serve_app.security.auth import Role
from tests.support.gateway import WAIT_S, Gateway, running_gateway
from tests.support.node_packages import NODE, needs_node, node_package

CLIENT = PROJECT_DIR / "serve_app" / "web" / "client"
pytestmark = needs_node

# Follows a tournament and submits what it reads, a line each; tells boards, acknowledged event ids and errors the same way.
PROGRAM = """
import { createInterface } from "node:readline";
import { Live } from "%(client)s/src/index.js";
const [url, tournament, token] = process.argv.slice(2);
const say = (message) => console.log(JSON.stringify(message));
const live = new Live(async () => url, { token: () => token, timing: { checkMs: 100 } });
createInterface({ input: process.stdin })
  .on("line", (line) => {
    const submission = JSON.parse(line);
    live.submit(tournament, submission).then((id) => say({ acknowledged: id }), (error) => say({ refused: error.code }));
  })
  .on("close", () => live.close());
try {
  for await (const board of live.follow(tournament, { me: true })) say(board);
  say({ over: true });
  live.close();
} catch (error) {
  say({ failed: error.name, code: error.code });
}
"""


class Follower:
    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self.process, self._stdin, self._stdout = process, process.stdin, process.stdout
        self.boards: list[dict[str, Any]] = []
        self.acknowledged: list[str] = []

    def submit(self, event_id: str, score: float, **fields: str) -> None:
        self._stdin.write(json.dumps({"event_id": event_id, "score": score, **fields}).encode() + b"\n")

    def hang_up(self) -> None:
        self._stdin.close()

    async def said(self) -> dict[str, Any]:
        async with asyncio.timeout(WAIT_S):
            message: dict[str, Any] = json.loads(await self._stdout.readline())
        if "data" in message:
            self.boards.append(message)
        if "acknowledged" in message:
            self.acknowledged.append(message["acknowledged"])
        return message

    async def until(self, wanted: Any) -> dict[str, Any]:
        while not wanted(message := await self.said()):
            pass
        return message


@asynccontextmanager
async def following(gateway: Gateway, tournament: str, folder: Path, role: Role = "player") -> AsyncIterator[Follower]:
    assert NODE is not None
    program = folder / "follow.mjs"
    program.write_text(PROGRAM % {"client": CLIENT}, encoding="utf-8")
    process = await asyncio.create_subprocess_exec(
        NODE,
        "--experimental-websocket",  # of its own from Node.js 22 on
        str(program),
        gateway.live_url,
        tournament,
        gateway.token(1, role),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        yield Follower(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def test_it_follows_and_submits_over_a_restart(tmp_path: Path) -> None:
    async with running_gateway() as gateway:
        tournament = await gateway.tournament(players=3, ties="shared")
        async with following(gateway, tournament, tmp_path) as client:
            await client.until(lambda board: board.get("data") == gateway.data(tournament))
            client.submit("a", 10)
            await client.until(lambda board: board.get("me") and board["me"]["score"] == 10)
            await gateway.score(tournament, 2, 10)
            board = await client.until(lambda board: board.get("data") == gateway.data(tournament))
            assert (board["ranks"], board["connected"], board["over"]) == ([1, 1], True, False)
            await gateway.hub.drain(0)
            client.submit("b", 12)  # while there is no socket
            gateway.hub.draining = False  # the next one, as it were
            await client.until(lambda message: message.get("acknowledged") == "b")
            await gateway.score(tournament, 3, 11)
            await client.until(lambda board: board.get("data") == gateway.data(tournament))
            assert [(row["user_id"], row["score"]) for row in client.boards[-1]["data"]["top"]] == [
                ("1", 12), ("3", 11), ("2", 10),
            ]  # fmt: skip
            assert not all(board["connected"] for board in client.boards)
            client.submit("c", 1.005)
            assert (await client.until(lambda message: "refused" in message))["refused"] == "invalid"
            for number in range(450):  # more than a player's socket may send at once
                client.submit(f"many-{number}", number / 100)
            while len(client.acknowledged) < 452:
                await client.said()
            assert set(client.acknowledged[2:]) == {f"many-{number}" for number in range(450)}
            await gateway.call("end_tournament", tournament=tournament)
            assert await client.until(lambda message: "data" not in message) == {"over": True}
            client.hang_up()
            async with asyncio.timeout(WAIT_S):
                assert await client.process.wait() == 0  # nothing else keeps it


async def test_more_than_may_be_on_their_way_wait_for_their_turn(tmp_path: Path) -> None:
    async with running_gateway() as gateway:
        tournament = await gateway.tournament(players=1)
        async with following(gateway, tournament, tmp_path, role="service") as client:
            for number in range(1200):
                client.submit(f"many-{number}", number / 100, user_id="1")
            while len(client.acknowledged) < 1200:
                await client.said()
            assert client.acknowledged == [f"many-{number}" for number in range(1200)]


async def test_it_says_that_there_is_nothing_to_follow(tmp_path: Path) -> None:
    async with running_gateway() as gateway, following(gateway, "77", tmp_path) as client:
        assert await client.said() == {"failed": "LiveError", "code": "tournament_unknown"}


def test_its_own_checks_pass() -> None:
    assert NODE is not None
    checks = Path(__file__).with_name("client_checks.mjs")
    done = subprocess.run([NODE, "--test", checks], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout[-5000:]
    assert "# fail 0" in done.stdout


def test_its_types_are_up_to_date(tmp_path: Path) -> None:
    node_package("openapi-typescript")
    command = [PROJECT_DIR / ".ci" / "client_types", tmp_path]
    done = subprocess.run(
        command,
        env={**os.environ, "PYTHON": sys.executable},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    made = {path.name: path.read_text(encoding="utf-8") for path in tmp_path.iterdir()}
    there = {path.name: path.read_text(encoding="utf-8") for path in (CLIENT / "types").iterdir()}
    assert len(made) > 5
    assert made == there, "run .ci/client_types"
