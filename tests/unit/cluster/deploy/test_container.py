"""The container's and systemd's files are in step with the rest: what they copy exists, and their settings are Palio's."""

from __future__ import annotations

import os
import re
import shlex

import pytest

from cluster.config.settings import PROJECT_DIR, load_settings
from scripts.cli.run import _parser

DEPLOY = PROJECT_DIR / "cluster" / "deploy"
DOCKERFILE = (DEPLOY / "Dockerfile").read_text()
UNIT = (DEPLOY / "palio.service").read_text()


def settings_of(assignments: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    found = dict(word.split("=", 1) for word in shlex.split(assignments) if word.startswith("PALIO_"))
    for variable in [name for name in os.environ if name.startswith("PALIO_")]:
        monkeypatch.delenv(variable)
    for name, value in found.items():
        monkeypatch.setenv(name, value)
    return found


@pytest.mark.parametrize("text", [DOCKERFILE, UNIT], ids=["Dockerfile", "palio.service"])
def test_its_settings_are_palios(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (assignments,) = re.findall(r"^(?:ENV |Environment=)(.*)$", text, re.MULTILINE)
    given = settings_of(assignments, monkeypatch)
    settings = load_settings()
    assert {"PALIO_DATA_DIR", "PALIO_DEMO"} <= given.keys()
    assert (str(settings.data_dir), settings.demo) == (given["PALIO_DATA_DIR"], False)


def test_the_image_holds_what_runs_and_nothing_else() -> None:
    copied = {
        word for line in re.findall(r"^COPY (?!--from)(.*)$", DOCKERFILE, re.MULTILINE) for word in line.split()[:-1]
    }
    assert {path for path in copied if not (PROJECT_DIR / path).exists()} == set()
    allowed = {line[1:] for line in (PROJECT_DIR / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert {path.split("/")[0] for path in copied} == allowed
    packages = {path.parent.name for path in PROJECT_DIR.glob("*/__init__.py")} | {"actors", "cluster", "storage"}
    assert packages - {"tests"} <= copied


@pytest.mark.parametrize(
    "command",
    [
        *re.findall(r"^ENTRYPOINT \[(.*)\]$", DOCKERFILE, re.MULTILINE),
        *re.findall(r"^ExecStart=(.*)$", UNIT, re.MULTILINE),
    ],
)
def test_it_starts_what_is_there(command: str) -> None:
    program, *arguments = shlex.split(command.replace('", "', '" "'))
    path = PROJECT_DIR / program.removeprefix("/opt/palio/")
    assert os.access(path, os.X_OK)
    assert _parser().parse_args(arguments).no_demo
