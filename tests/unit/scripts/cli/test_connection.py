"""Where the commands ask, as whom, and how they fail."""

from __future__ import annotations

import os
from pathlib import Path

import jwt
import pytest

from cluster.config.settings import API_URL
from scripts.cli.connection import explain, find
from scripts.cli.palio import main, parser
from scripts.client.palio_client import FieldError, InvalidError, NoAnswerError


@pytest.fixture(autouse=True)
def no_palio_variables(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for variable in list(os.environ):
        if variable.upper().startswith("PALIO_"):
            monkeypatch.delenv(variable)
    monkeypatch.chdir(tmp_path)  # where the default data directory is not


def found(*arguments: str) -> tuple[str, str | None]:
    url, token = find(parser().parse_args(["list", *arguments]), "service")
    return url, token() if callable(token) else token


def role_of(token: str | None, data: Path) -> str:
    assert token is not None
    secret = (data / "jwt_secret").read_text().strip()
    role: str = jwt.decode(token, secret, algorithms=["HS256"], audience="palio")["role"]
    return role


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A local data directory, which has a secret."""
    made = tmp_path / "made"
    assert main(["token", "--role", "player", "--sub", "1", "--data", str(made)]) == 0
    return made


def test_options_go_before_the_environment_and_that_before_this_machine(
    monkeypatch: pytest.MonkeyPatch, data: Path
) -> None:
    url, token = found("--data", str(data))
    assert (url, role_of(token, data)) == ("http://127.0.0.1:8000", "service")
    (data / API_URL).write_text("http://127.0.0.1:8120")  # while a Palio runs on it, at other ports
    assert found("--data", str(data))[0] == "http://127.0.0.1:8120"
    (data / API_URL).unlink()
    monkeypatch.setenv("PALIO_PORT", "9000")
    assert found("--data", str(data))[0] == "http://127.0.0.1:9000"
    monkeypatch.setenv("PALIO_URL", "https://palio.example")
    assert found() == ("https://palio.example", None)  # a token of this machine is nobody's there
    assert role_of(found("--data", str(data))[1], data) == "service"
    monkeypatch.setenv("PALIO_TOKEN", "t")
    assert found("--data", str(data)) == ("https://palio.example", "t")
    assert found("--url", "http://a:1", "--token", "u") == ("http://a:1", "u")


def test_no_secret_is_made_where_there_is_no_palio(tmp_path: Path) -> None:
    assert found("--data", str(tmp_path / "nothing"))[1] is None
    assert not (tmp_path / "nothing").exists()


def test_where_nobody_answers_one_line_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr("scripts.cli.connection.RETRY_FOR_S", 0.01)
    assert main(["show", "7", "--url", "http://127.0.0.1:9"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("palio: nobody answers at http://127.0.0.1:9 (")
    assert "is Palio running?" in said
    assert said.count("\n") == 1
    file = tmp_path / "scores.csv"
    file.write_text("user_id,score\n1,2\n")
    assert main(["import", str(file), "--tournament", "7", "--yes", "--url", "http://127.0.0.1:9"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("palio: nobody answers")  # told before it begins: from then on it tries for minutes


def test_errors_are_told_in_the_servers_words() -> None:
    error = InvalidError("POST x", 422, "invalid", "2 fields are wrong", [FieldError("capacity", "expected a number")])
    assert explain(error, "http://a") == "2 fields are wrong (invalid); capacity: expected a number"
    error = InvalidError(
        "POST x", 422, "invalid", "capacity: expected a number", [FieldError("capacity", "expected a number")]
    )
    assert explain(error, "http://a") == "capacity: expected a number (invalid)"
    assert explain(NoAnswerError("POST x: in vain"), "http://a").startswith("nobody answers at http://a")


def test_each_command_explains_itself_with_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    for name in (
        "create",
        "list",
        "show",
        "start",
        "end",
        "cancel",
        "reveal",
        "join",
        "submit",
        "invite",
        "watch",
        "import",
        "export",
        "prizes",
        "dlq",
    ):
        with pytest.raises(SystemExit) as ended:
            main([name, "--help"])
        assert ended.value.code == 0
        assert f"example: scripts/palio {name} " in capsys.readouterr().out
