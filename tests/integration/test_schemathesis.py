"""schemathesis, all of its phases, against both entrypoints: Palio does as its own OpenAPI document says, and never fails by itself."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest

from cluster.config.settings import PROJECT_DIR
from serve_app.security.auth import Role
from tests.integration.conftest import create, join, stamp, submit
from tests.support.calls import GATEWAY_PATHS
from tests.support.running import RunningPalio

CONFIG = Path(__file__).with_name("schemathesis.toml")
USERS = (1, 2, 3)
OPERATORS = r"^/v1/(operations|analytics|archives|dead-letters|users)|/(archive|export|history|prizes|invitations)\b"


@pytest.fixture(scope="module")
def config(palio: RunningPalio, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The configuration, with tournaments in several states and their users."""
    with palio.client() as client:
        over = create(client)
        client.post(f"/v1/tournaments/{over}/end").raise_for_status()
        made = [
            create(client),
            create(client, ties="shared", score_policy="sum", visibility="private"),
            create(client, type="instant", starts_at=None, ends_at=None, duration_s=3600, capacity=3),
            create(client, starts_at=stamp(1800)),
        ]
        for tournament in made:
            join(client, tournament, *USERS)
            submit(client, tournament, 1, "first", 10)
    known = {"tournaments": [*made, over], "users": [*map(str, USERS), "me"]}
    path = tmp_path_factory.mktemp("schemathesis") / CONFIG.name
    path.write_text(
        CONFIG.read_text() + "".join(f"\n[dictionaries.{name}]\nvalues = {values}\n" for name, values in known.items())
    )
    return path


@pytest.mark.parametrize(("entrypoint", "role"), [("api", "service"), ("api", "operator"), ("gateway", "service")])
def test_it_does_as_its_document_says(palio: RunningPalio, config: Path, entrypoint: str, role: Role) -> None:
    url, paths = palio.url, []
    if entrypoint == "gateway":
        url, paths = palio.gateway_url, [f"--include-path={path}" for path in GATEWAY_PATHS]
    elif role == "operator":
        paths = [f"--include-path-regex={OPERATORS}"]
    command = [
        *(sys.executable, "-P", "-m", "schemathesis.cli", "--config-file", str(config), "--no-color"),
        *("run", f"{palio.url}/openapi.json", "--url", url, *paths),
    ]
    token = {"SCHEMATHESIS_TOKEN": palio.token(role, 1)}
    environment = {**os.environ, "PYTHONPATH": str(PROJECT_DIR), **token}
    done = subprocess.run(command, cwd=config.parent, env=environment, capture_output=True, text=True, check=False)
    print(done.stdout)
    assert done.returncode == 0, done.stderr
    for phase in ("Coverage", "Fuzzing", "Stateful"):
        assert f"✅ {phase}\n" in done.stdout, "a phase did not run"
    assert httpx2.get(f"{url}/healthz").status_code == 200
