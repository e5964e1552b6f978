"""The Python client against a whole Palio: what its documents show, and what it survives."""

from __future__ import annotations

import ast
import asyncio
import inspect
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cluster.config.settings import PROJECT_DIR, Settings
from cluster.config.tokens import token
from scripts.client.palio_client import (
    ConflictError,
    InvalidError,
    Join,
    LiveError,
    NotFoundError,
    PalioClient,
    Score,
    UnauthorizedError,
)
from tests.integration.conftest import spec
from tests.support.fenced import fenced
from tests.support.running import RunningPalio

CLIENT = PROJECT_DIR / "scripts" / "client"


def client(palio: RunningPalio, role: str = "service", sub: int = 1) -> PalioClient:
    return PalioClient(palio.url, lambda: palio.token(role, sub))


@pytest.mark.parametrize(
    "document", [CLIENT / "README.md", PROJECT_DIR / "docs" / "clients.md"], ids=lambda path: path.name
)
def test_the_first_program_of_a_document_runs(palio: RunningPalio, document: Path, tmp_path: Path) -> None:
    program = tmp_path / "first.py"
    program.write_text(fenced(document, "python")[0], encoding="utf-8")
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(CLIENT),  # as if it were installed
        "PALIO_URL": palio.url,
        "PALIO_TOKEN": palio.token("service", 1),
    }
    done = subprocess.run(
        [sys.executable, program], env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "Rita" in done.stdout
    assert "912.5" in done.stdout


async def test_the_examples_of_the_document_run(palio: RunningPalio, monkeypatch: pytest.MonkeyPatch) -> None:
    import scripts.client.palio_client as package

    monkeypatch.setitem(sys.modules, "palio_client", package)
    async with client(palio) as names_palio:
        names: dict[str, Any] = {"palio": names_palio}
        for block in fenced(PROJECT_DIR / "docs" / "clients.md", "python")[1:]:
            code = compile(block, "docs/clients.md", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
            made = eval(code, names)
            if inspect.isawaitable(made):
                async with asyncio.timeout(60):
                    await made
        assert (names["first"].outcome, names["scores"].accepted, names["board"].data.top[0].name) == (
            "applied",
            100,
            "Rita",
        )


async def test_a_tournament_is_run_by_it(palio: RunningPalio) -> None:
    async with client(palio) as service, client(palio, "player", 501) as player, PalioClient(palio.url) as anybody:
        made = await service.create(spec(visibility="private", prizes=[{"ranks": [1, 1], "item": "cup", "count": 1}]))
        with pytest.raises(NotFoundError) as hidden:
            await player.tournament(made.id)
        assert hidden.value.code == "tournament_unknown"
        with pytest.raises(UnauthorizedError):
            await anybody.join(made.id)
        invitation = await service.invite(made.id, user_id="501")
        assert [each.id for each in await service.invitations(made.id)] == [invitation.id]
        assert (await player.join(made.id, name="Ann", invite=invitation.invite)).outcome == "applied"
        assert (
            await service.join_all(Join(tournament_id=made.id, user_id=str(user)) for user in range(502, 505))
        ).accepted == 3
        told = await player.submit(made.id, 5.25, wait_s=5)
        assert (told.outcome, told.rank) == ("applied", 1)
        with pytest.raises(InvalidError) as wrong:
            await player.submit(made.id, 5.255)
        assert [error.path for error in wrong.value.errors] == ["score"]
        scores = [Score(tournament_id=made.id, user_id=str(user), event_id="a", score=user) for user in range(502, 505)]
        answer = await service.submit_all([*scores, Score(tournament_id="7", user_id="1", event_id="x", score=1)])
        assert (answer.accepted, [(each.index, each.code) for each in answer.rejected]) == (
            3,
            [(3, "tournament_unknown")],
        )
        edited = await service.edit(made.id, {"name": "Renamed"}, version=made.version)
        assert edited.version == made.version + 1
        await service.disqualify(made.id, "504", "late")
        assert (await service.end(made.id)).status == "finished"
        with pytest.raises(ConflictError) as over:
            await service.end(made.id)
        assert over.value.code == "not_running"
        assert [(row.user_id, row.score) async for row in player.rows(made.id)] == [
            ("503", 503),
            ("502", 502),
            ("501", 5.25),
        ]
        assert [item.id async for item in player.user_tournaments()] == [made.id]
        assert {entry.action for entry in await service.history(made.id)} >= {"edit", "disqualify", "end"}
        async with asyncio.timeout(30):
            while not [winner async for winner in service.winners(made.id)]:
                await asyncio.sleep(0.1)
        assert [winner.user_id for winner in (await service.approve_prizes(made.id)).winners] == ["503"]


async def test_a_live_table_ends_with_its_tournament(palio: RunningPalio) -> None:
    async with client(palio) as service, client(palio, "player", 511) as player, player.live() as live:
        made = await service.create(spec())
        await service.join(made.id, "511", name="Ann")
        boards = await live.subscribe(made.id, me=True)
        await asyncio.gather(*(live.submit(made.id, number) for number in range(1, 51)))
        with pytest.raises(LiveError, match="not_yours"):
            await live.submit(made.id, 1, user_id="1")
        async for board in boards:
            if board.me is not None and board.me.score == 50:
                break
        await service.end(made.id)
        async for board in boards:
            last = board
        assert (last.over, last.ranks(), last.data.top[0].score) == (True, [1], 50)
        async with asyncio.timeout(30):
            async for notice in live.notices():
                if (notice.tournament, notice.event) == (made.id, "ended"):
                    break
        assert notice.rank == 1


async def test_a_token_that_expires_is_followed_by_the_next(palio: RunningPalio) -> None:
    """A private table stays watched beyond the life of a token, and calls go on."""
    settings = Settings(data_dir=palio.data)

    def short() -> str:
        return token(settings, role="player", sub=521, ttl_s=2)

    async with client(palio) as service, PalioClient(palio.url, short) as player, player.live() as live:
        made = await service.create(spec(visibility="private"))
        await service.join(made.id, "521")
        boards = await live.subscribe(made.id)
        await asyncio.sleep(3)
        await service.submit(made.id, 7, user_id="521")
        async with asyncio.timeout(20):
            async for board in boards:
                if board.data.top:
                    break
        assert board.data.top[0].score == 7
        assert (await player.participant(made.id)).score == 7
