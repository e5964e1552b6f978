"""`scripts/palio create`, `list`, `show`, and the commands that change a status."""

from __future__ import annotations

import io
import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from scripts.cli.palio import parser
from scripts.cli.tournaments import body_of, moment
from scripts.client.palio_client import ConflictError
from tests.support.commands import Command
from tests.support.front import Front

NOW = datetime(2027, 5, 1, 9, tzinfo=UTC)
TIMES = ("--starts-at", "2027-01-15T09:00:00Z", "--ends-at", "+90m")


def body(*arguments: str) -> dict[str, Any]:
    return body_of(parser().parse_args(["create", *arguments]), NOW)


def test_flags_are_the_fields_of_the_body() -> None:
    assert body(
        "Exam", "--starts-at", "now", "--ends-at", "+90m", "--capacity", "5", "--private", "--unit", "time"
    ) == {
        "name": "Exam",
        "type": "scheduled",
        "starts_at": "2027-05-01T09:00:00.000Z",
        "ends_at": "2027-05-01T10:30:00.000Z",
        "capacity": 5,
        "visibility": "private",
        "display": {"unit": "time", "decimals": 2},
    }
    assert body("Sprint", "--capacity", "2", "--duration-s", "60")["type"] == "instant"


def test_a_file_is_the_body_and_flags_go_before_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "race.json"
    file.write_text('{"name": "Race", "order": "asc", "prizes": [], "display": {"unit": "time", "decimals": 0}}')
    made = body("--json", str(file), "--order", "desc", "--decimals", "1", "--starts-at", "+10m")
    assert (made["name"], made["order"], made["prizes"]) == ("Race", "desc", [])
    assert (made["display"], made["starts_at"]) == ({"unit": "time", "decimals": 1}, "2027-05-01T09:10:00.000Z")
    monkeypatch.setattr(sys, "stdin", io.StringIO('{"name": "From stdin"}'))
    assert body("--json", "-")["name"] == "From stdin"


@pytest.mark.parametrize(
    ("content", "told"),
    [("{", "expected JSON"), ("[1]", "expected an object"), ("{}", "expected a name"), (None, "cannot be read")],
)
def test_a_file_that_is_none_is_told(tmp_path: Path, content: str | None, told: str) -> None:
    file = tmp_path / "x.json"
    if content is not None:
        file.write_text(content)
    with pytest.raises(ValueError, match=told):
        body("--json", str(file))


@pytest.mark.parametrize("text", ["tomorrow", "2027-05-01", "2027-05-01T09:00:00", "+5", "+5w"])
def test_a_time_needs_its_zone(text: str) -> None:
    with pytest.raises(ValueError, match="expected a time with its zone"):
        moment(text, NOW)
    assert moment("2027-05-01T11:00:00+02:00", NOW) == NOW


async def test_a_file_makes_many_and_the_same_key_makes_none_twice(command: Command, tmp_path: Path) -> None:
    file = tmp_path / "season.ndjson"
    times = {"type": "scheduled", "starts_at": "2027-01-15T09:00:00Z", "ends_at": "2027-01-15T10:00:00Z"}
    lines = [{"name": "One", **times}, {"name": "Two", **times, "idempotency_key": "two"}, {"name": "Three"}]
    file.write_text("\n\n".join(map(json.dumps, lines)))
    done = await command("create", "--file", str(file), "--key", "season")
    assert (done.status, len(done.out.split())) == (1, 2)
    assert f"{file}, line 5: " in done.err
    assert "2 created, 1 refused" in done.err
    again = await command("create", "--file", str(file), "--key", "season")
    assert again.out == done.out
    file.write_text("\n")
    with pytest.raises(ValueError, match="found none"):
        await command("create", "--file", str(file))
    file.write_text("{}\n[]")
    with pytest.raises(ValueError, match="line 2: expected an object"):
        await command("create", "--file", str(file))
    with pytest.raises(ValueError, match="expected --file alone"):
        await command("create", "Name", "--file", str(file))


async def test_a_tournament_is_made_listed_shown_and_ended(command: Command, front: Front) -> None:
    made = await command("create", "Exam", *TIMES, "--key", "k")
    assert made.out == f"{made.last}\n"  # the id alone
    assert "Exam is scheduled, until 2027-01-15T10:30:00.000Z" in made.err
    assert (await command("create", "Exam", *TIMES, "--key", "k")).last == made.last
    other = (await command("create", "Ra\u0301ce", *TIMES)).last
    listed = await command("list", "-q", "exam", "--json")
    assert [json.loads(line)["id"] for line in listed.out.splitlines()] == [made.last]
    lines = (await command("list", "--limit", 1)).out.splitlines()
    assert lines[0].startswith("id  status  type")
    assert lines[1].startswith(f"{other}  scheduled  scheduled  0  2027-01-15T09:00:00.000Z")
    assert len(lines) == 2
    assert (await command("start", made.last)).last == f"tournament {made.last} is running"
    for user, score in ((1, 5), (2, 7.5)):
        await front.join(made.last, user, name=f"U{user}")
        await front.submit(made.last, user, {"event_id": "e", "score": score})
    shown = await command("show", made.last)
    assert "status  running" in shown.out
    assert [line.split("  ")[:3] for line in shown.out.splitlines()[-2:]] == [["1", "2", "7.50"], ["2", "1", "5.00"]]
    assert (await command("show", made.last, "--rows", 1)).out.count(".50  ") == 1
    assert "rank" not in (await command("show", made.last, "--rows", 0)).out
    everything = json.loads((await command("show", made.last, "--all", "--json")).out)
    assert [row["user_id"] for row in everything["rows"]] == ["2", "1"]
    assert json.loads((await command("end", made.last, "--json")).out)["status"] == "finished"
    with pytest.raises(ConflictError, match="not_running"):
        await command("end", made.last)
