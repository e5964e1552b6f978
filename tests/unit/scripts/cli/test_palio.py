import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import jwt
import pytest

from cluster.config.settings import TOPICS, Settings, describe
from scripts.cli.palio import main, settings_document
from scripts.cli.run import Stop

ROOT = Path(__file__).parents[4]


@pytest.fixture(autouse=True)
def no_palio_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in list(os.environ):
        if variable.upper().startswith("PALIO_"):
            monkeypatch.delenv(variable)


def test_a_token_stands_alone_on_the_last_line_and_is_signed_with_the_directorys_secret(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["token", "--role", "service", "--sub", "42", "--ttl-s", "60", "--data", str(tmp_path)]) == 0
    token = capsys.readouterr().out.splitlines()[-1]
    secret = (tmp_path / "jwt_secret").read_text().strip()
    claims = jwt.decode(token, secret, algorithms=["HS256"], audience="palio")
    assert (claims["sub"], claims["role"]) == ("42", "service")
    assert 60 <= claims["exp"] - claims["iat"] <= 62


def test_a_configured_secret_and_audience_go_before_the_directorys(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PALIO_JWT_SECRET", "s" * 40)
    monkeypatch.setenv("PALIO_JWT_AUDIENCE", "siena")
    assert main(["token", "--role", "player", "--sub", "1", "--data", str(tmp_path)]) == 0
    assert (
        jwt.decode(capsys.readouterr().out.strip(), "s" * 40, algorithms=["HS256"], audience="siena")["role"]
        == "player"
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--sub", "0"], "expected a decimal id"),
        (["--sub", "me"], "expected a decimal id"),
        (["--sub", "1", "--ttl-s", "-1"], "expected a lifetime above 0"),
    ],
)
def test_a_token_for_nobody_is_refused_in_one_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, arguments: list[str], message: str
) -> None:
    assert main(["token", "--role", "player", *arguments, "--data", str(tmp_path)]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("palio: ")
    assert message in captured.err
    assert captured.err.count("\n") == 1


def test_no_token_can_be_signed_when_the_keys_are_elsewhere(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PALIO_JWT_ALGORITHM", "ES256")
    monkeypatch.setenv("PALIO_JWT_JWKS", "https://keys.example/jwks.json")
    assert main(["token", "--role", "player", "--sub", "1"]) == 1
    assert "PALIO_JWT_ALGORITHM is ES256" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments", [[], ["token"], ["token", "--role", "king", "--sub", "1"], ["nonsense"], ["demo", "--speed", "0"]]
)
def test_misuse_exits_with_2_and_shows_the_usage(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    assert "usage: palio" in capsys.readouterr().err


def test_settings_lists_each_variable_with_type_default_and_meaning(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PALIO_PORT", "9000")
    monkeypatch.setenv("PALIO_JWT_SECRET", "hunter2" * 8)
    assert main(["settings"]) == 0
    out = capsys.readouterr().out
    lines = {line.split()[0]: line for line in out.splitlines()}
    assert sorted(lines) == sorted("PALIO_" + name.upper() for name in Settings.model_fields)
    assert "integer, 1 to 65535; default 8000 [set to: 9000]" in lines["PALIO_PORT"]
    assert "Port of the api" in lines["PALIO_PORT"]
    assert "hunter2" not in out


def test_an_unknown_setting_is_an_error_of_every_command(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PALIO_COLOUR", "blue")
    assert main(["settings"]) == 1
    assert "PALIO_COLOUR" in capsys.readouterr().err


def test_run_refuses_bad_settings_before_anything_starts(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "scripts.cli.run", "--data", str(tmp_path / "data")],
        cwd=ROOT,
        env=os.environ | {"PALIO_PORT": "http"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "palio: PALIO_PORT: expected integer, 1 to 65535, got 'http'\n"
    assert not (tmp_path / "data").exists()


def test_the_demo_says_when_nobody_answers(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scripts.demo.client.PATIENCE_S", 0.2)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"  # bound, and not listening
        assert main(["demo", "--url", url, "--data", str(tmp_path)]) == 1
    assert f"demo: GET {url}/v1: no success within" in capsys.readouterr().out


def test_the_first_signal_asks_to_stop_and_its_echo_changes_nothing() -> None:
    held = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        stop = Stop()
        stop.install()
        assert not stop.asked.is_set()
        signal.raise_signal(signal.SIGTERM)
        assert stop.asked.is_set()
        signal.raise_signal(signal.SIGINT)  # within a second: the same request
    finally:
        for number, handler in held.items():
            signal.signal(number, handler)


def test_the_document_of_the_settings_names_all_of_them_and_is_up_to_date() -> None:
    variables = [row.variable for row in describe()]
    assert [variable for variable in variables if variable in TOPICS] == list(TOPICS)
    assert variables[0] in TOPICS, "the first topic begins with the first setting"
    assert all(f"| `{variable}` |" in settings_document() for variable in variables)
    written = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    assert written == settings_document(), "scripts/palio settings --markdown > docs/settings.md"
