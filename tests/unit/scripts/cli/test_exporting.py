"""`scripts/palio export`: a file that is whole, or none."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.client.palio_client import NotFoundError
from tests.support.commands import commands_at
from tests.support.scripted_http import Answers, Given, refusal

TABLE = {"a": "table"}


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


async def test_the_file_is_named_after_the_tournament_and_is_new(capsys: pytest.CaptureFixture[str]) -> None:
    answers = Answers(Given(200, TABLE))
    command = commands_at(answers, capsys)
    said = await command("export", "7", "--format", "iof")
    assert said.last == "7.xml"
    assert Path("7.xml").read_text() == '{"a":"table"}'
    assert Path("7.xml").stat().st_mode & 0o777 == 0o644
    assert answers.sent() == ["GET http://palio.example:8000/v1/tournaments/7/export?format=iof"]
    with pytest.raises(ValueError, match="is there already"):
        await command("export", "7", "--format", "iof")
    await command("export", "7", "--format", "gradebook", "--system", "moodle", "--out", "7.xml")
    assert answers.sent()[-1].endswith("?format=gradebook&system=moodle")


async def test_what_cannot_be_had_leaves_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    command = commands_at(Answers(refusal(404, "tournament_unknown")), capsys)
    with pytest.raises(NotFoundError):
        await command("export", "7")
    with pytest.raises(ValueError, match="cannot be written: No such file or directory"):
        await command("export", "7", "--out", "no/where.csv")
    assert list(Path().iterdir()) == []
