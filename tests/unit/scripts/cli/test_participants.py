"""`scripts/palio join`, `submit` and `invite`."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest

from scripts.cli.palio import main
from scripts.client.palio_client import NotFoundError
from tests.support.commands import Command
from tests.support.front import Front


async def test_who_joins_submits_and_is_told_the_rank(command: Command, front: Front) -> None:
    tournament = await front.create()
    assert (await command("join", tournament, 42, "--name", "Rita")).last == "user 42 takes part"
    told = await command("submit", tournament, 42, 912.5, "--event-id", "a")
    assert (told.status, told.last) == (0, "applied: score 912.50, rank 1 (event a)")
    again = await command("submit", tournament, 42, 912.5, "--event-id", "a")
    assert (again.status, again.last) == (1, "ignored: duplicate (event a)")
    unwaited = await command("submit", tournament, 42, 913, "--wait-s", 0)
    assert (unwaited.status, "not known yet" in unwaited.last) == (0, True)
    told = await command("submit", tournament, "me", 5, "--json", role="player", user=42)
    assert json.loads(told.out)["outcome"] == "applied"
    with pytest.raises(ValueError, match="expected either a score or --result"):
        await command("submit", tournament, 42)


async def test_an_invitation_is_made_used_listed_and_revoked(command: Command, front: Front) -> None:
    tournament = await front.create(visibility="private")
    given = await command("invite", tournament, "--user", 42)
    invite = given.last
    assert f"http://palio.example:8000/#/t/{tournament}?invite={quote(invite, safe='')}" in given.out.splitlines()
    with pytest.raises(NotFoundError):
        await command("join", tournament, "me", role="player", user=42)
    joined = await command("join", tournament, "me", "--invite", invite, role="player", user=42)
    assert joined.last == "user 42 takes part"
    listed = json.loads((await command("invite", tournament, "--list", "--json")).out)
    assert [(each["user_id"], each["uses_left"]) for each in listed] == [("42", 0)]
    revoked = await command("invite", tournament, "--revoke", listed[0]["id"])
    assert revoked.last == f"invitation {listed[0]['id']} is revoked"
    assert (await command("invite", tournament, "--list")).out == "id  user  uses  left  expires at\n"


async def test_groups_of_boards_are_given_at_joining(command: Command, front: Front) -> None:
    tournament = await front.create(boards=["country"])
    await command("join", tournament, 42, "--group", "country=IT")
    await command("submit", tournament, 42, 5)
    standing = await front.call("GET", f"/v1/tournaments/{tournament}/participants/42")
    assert standing.json()["boards"]["country"]["group"] == "IT"


@pytest.mark.parametrize(
    "wrong",
    [["join", "7", "42", "--group", "IT"], ["submit", "7", "42", "--result", "[1]"], ["submit", "7", "42", "much"]],
)
def test_misuse_is_2(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(wrong)
    assert ended.value.code == 2
    assert "usage: palio" in capsys.readouterr().err
