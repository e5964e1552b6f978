"""`scripts/palio dlq`."""

from __future__ import annotations

import json
from typing import Any

import pytest

from scripts.cli.palio import main
from tests.support.commands import commands_at
from tests.support.scripted_http import Answers, Given


def letter(offset: int, *, replayable: bool) -> dict[str, Any]:
    told = {
        "at": "2027-05-01T09:12:07.250Z",
        "key": "8",
        "reason": "not_created",
        "detail": "too early",
        "kind": "score",
    }
    return {"partition": 7, "offset": offset, **told, "value": "{\x1b}", "replayable": replayable}


LETTERS = {"items": [letter(5, replayable=True), letter(4, replayable=False)], "more": True}
APPLIED = {"partition": 7, "offset": 5, "to": {"partition": 7, "offset": 9}, "outcome": "applied"}
NOT_SENT = {"partition": 7, "offset": 4, "code": "not_replayable", "detail": "only scores"}


async def test_letters_are_listed_with_their_reasons(capsys: pytest.CaptureFixture[str]) -> None:
    command = commands_at(Answers(Given(200, LETTERS)), capsys)
    said = await command("dlq", "--limit", 2)
    assert said.out.splitlines()[1] == "7:5  2027-05-01T09:12:07.250Z  not_created  score  yes  too early  {\\x1b}"
    assert "and older ones" in said.last
    assert json.loads((await command("dlq", "--json")).out) == LETTERS


async def test_letters_are_sent_again(capsys: pytest.CaptureFixture[str]) -> None:
    answers = Answers(Given(200, {"replayed": [APPLIED], "rejected": []}))
    said = await commands_at(answers, capsys)("dlq", "replay", "7:5")
    assert (said.status, said.last) == (0, "7:5  applied  -")
    assert answers.bodies() == [{"letters": [{"partition": 7, "offset": 5}]}]
    ignored = {"replayed": [{**APPLIED, "outcome": "ignored", "reason": "ended"}], "rejected": []}
    answers = Answers(Given(200, LETTERS), Given(200, ignored))
    said = await commands_at(answers, capsys)("dlq", "replay", "--all", "--json")
    assert (said.status, json.loads(said.out)) == (1, ignored)
    rejected = Answers(Given(200, {"replayed": [], "rejected": [NOT_SENT]}))
    said = await commands_at(rejected, capsys)("dlq", "replay", "7:4")
    assert (said.status, said.last) == (1, "7:4  not sent  only scores")
    assert json.loads(answers.requests[1].content) == {"letters": [{"partition": 7, "offset": 5}]}  # which can be


async def test_misuse_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    command = commands_at(Answers(Given(200, LETTERS)), capsys)
    for arguments in (["list", "7:5"], ["replay"], ["replay", "7:5", "--all"]):
        with pytest.raises(ValueError, match="expected"):
            await command("dlq", *arguments)
    with pytest.raises(SystemExit):
        main(["dlq", "replay", "five"])
