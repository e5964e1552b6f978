"""`scripts/palio dlq`."""

from __future__ import annotations

import json

import pytest

from actors.domain.messages import encode_score
from scripts.cli.palio import main
from scripts.client.palio_client import ForbiddenError
from storage.ports import DeadLetter, LogRecord
from tests.support.commands import Command
from tests.support.front import Front


async def keep(front: Front, key: str, value: bytes, offset: int) -> None:
    record = LogRecord(0, offset, front.palio.now_ms, key.encode(), value)
    await front.palio.log.dead_letter([DeadLetter(record, "unknown_tournament", "too early")])


async def test_letters_are_listed_and_sent_again(command: Command, front: Front) -> None:
    tournament = await front.create()
    await front.join(tournament, 42)
    await keep(front, tournament, encode_score("a1", 42, 91250), 5)
    await keep(front, "7", b"\x1b[2J", 6)
    listed = await command("dlq", role="operator")
    assert [line.split("  ")[0] for line in listed.out.splitlines()] == ["letter", "0:6", "0:5"]
    assert "unknown_tournament  score  yes  too early" in listed.last
    assert "\x1b" not in listed.out
    assert (await command("dlq", "--limit", 1, role="operator")).last.startswith("... and older ones")
    assert len(json.loads((await command("dlq", "--json", role="operator")).out)["items"]) == 2
    sent = await command("dlq", "replay", "--all", role="operator")
    assert (sent.status, sent.last) == (0, "0:5  applied  -")
    again = await command("dlq", "replay", "0:5", "--json", role="operator")
    assert (again.status, json.loads(again.out)["replayed"][0]["reason"]) == (0, "duplicate")
    refused = await command("dlq", "replay", "0:6", "0:99", role="operator")
    assert (refused.status, [line[:13] for line in refused.out.splitlines()[1:]]) == (
        1,
        ["0:6  not sent", "0:99  not sen"],
    )
    with pytest.raises(ForbiddenError):
        await command("dlq")


async def test_one_that_is_ignored_is_told(command: Command, front: Front) -> None:
    tournament = await front.create()
    await keep(front, tournament, encode_score("a1", 42, 1), 5)
    said = await command("dlq", "replay", "0:5", role="operator")
    assert (said.status, said.last) == (1, "0:5  ignored  not_joined")


async def test_misuse_is_told(command: Command) -> None:
    for arguments in (["list", "7:5"], ["replay"], ["replay", "7:5", "--all"]):
        with pytest.raises(ValueError, match="expected"):
            await command("dlq", *arguments, role="operator")
    with pytest.raises(SystemExit):
        main(["dlq", "replay", "five"])
