"""Clients in other languages against a whole Palio: the TypeScript one as it is installed, and two that generators make from OpenAPI."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest

from cluster.config.settings import PROJECT_DIR
from tests.integration.conftest import create, join
from tests.support.fenced import fenced
from tests.support.node_packages import NODE, needs_node, node_package
from tests.support.running import RunningPalio

pytestmark = needs_node
CLIENT = PROJECT_DIR / "serve_app" / "web" / "client"
STRICT = ("--strict", "--noEmit", "--target", "es2022", "--module", "nodenext", "--lib", "es2023,dom,dom.iterable")
# Types of Node.js that the examples use.
PROCESS = "declare const process: { env: Record<string, string | undefined> };\n"


def run(*command: str | Path, cwd: Path, **env: str) -> str:
    """What a command printed. It must succeed."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(cwd), "npm_config_cache": str(cwd / "cache"), **env}
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def module(folder: Path) -> None:
    """A fresh folder for ES modules."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "package.json").write_text('{"private": true, "type": "module"}', encoding="utf-8")


def node(program: Path, palio: RunningPalio, **env: str) -> str:
    assert NODE is not None
    token = palio.token("service", 1)
    command = (NODE, "--experimental-websocket", program)  # of its own from Node.js 22 on
    return run(*command, cwd=program.parent, PALIO_URL=palio.url, PALIO_TOKEN=token, **env)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh folder with the TypeScript client, packed and installed."""
    folder = tmp_path_factory.mktemp("typescript")
    module(folder)
    packed = run(
        "npm",
        "pack",
        "--silent",
        "--pack-destination",
        folder,
        cwd=CLIENT,
        HOME=str(folder),
        npm_config_cache=str(folder / "cache"),
    )
    run("npm", "install", "--offline", "--silent", "--no-audit", "--no-fund", f"./{packed.strip()}", cwd=folder)
    return folder


def test_the_examples_of_the_typescript_client_run(palio: RunningPalio, installed: Path) -> None:
    first, *others = fenced(PROJECT_DIR / "docs" / "clients.md", "js")
    (readme,) = fenced(CLIENT / "README.md", "js")
    imports = [line for code in others for line in code.splitlines() if line.startswith("import ")]
    rest = "\n".join(line for code in others for line in code.splitlines() if not line.startswith("import "))
    for name, code in {"readme": readme, "document": "\n".join([*imports, first, rest])}.items():
        (installed / f"{name}.mjs").write_text(code, encoding="utf-8")
        (installed / f"{name}.mts").write_text(PROCESS + code, encoding="utf-8")
    run(node_package(".bin/tsc"), *STRICT, "readme.mts", "document.mts", cwd=installed)
    assert "Rita" in node(installed / "readme.mjs", palio)
    said = node(installed / "document.mjs", palio)
    for wanted in ("applied 1\n1 Rita 912.5\n100 []\n100 0\n", "950", "409 not_scheduled"):
        assert wanted in said


@pytest.fixture(scope="module")
def document(palio: RunningPalio, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The OpenAPI document as it is served."""
    path = tmp_path_factory.mktemp("generated") / "openapi.json"
    path.write_bytes(httpx2.get(f"{palio.url}/openapi.json", timeout=60).content)
    return path


TYPESCRIPT = """
import { client } from "./made/client.gen";
import { rankings, submitScore, view } from "./made/sdk.gen";
async function main(): Promise<void> {
  client.setConfig({ baseUrl: process.env.PALIO_URL, auth: () => process.env.PALIO_TOKEN });
  const tournament = process.env.TOURNAMENT ?? "";
  const body = { event_id: "by TypeScript", user_id: "42", score: 912.5 };
  const told = await submitScore({ path: { tournament }, body, headers: { Prefer: "wait=5" }, throwOnError: true });
  if (!told.data || !("outcome" in told.data) || told.data.outcome !== "applied") throw new Error(JSON.stringify(told.data));
  const page = () => rankings({ path: { tournament }, query: { limit: 10 }, throwOnError: true });
  let table = await page();
  while (!table.data.rows.length) table = await page(); // a first page may be a second old
  const shown = await view({ path: { tournament: "77" } });
  console.log(JSON.stringify([told.data.outcome, table.data.rows[0].score, shown.error?.code]));
}
main();
"""


def test_a_client_generated_for_typescript_works(
    palio: RunningPalio, service: httpx2.Client, document: Path, tmp_path: Path
) -> None:
    """@hey-api/openapi-ts: what it makes compiles strictly, and does what it says."""
    tournament = create(service)
    join(service, tournament, 42)
    generator, tsc = node_package(".bin/openapi-ts"), node_package(".bin/tsc")
    run(generator, "--input", document, "--output", tmp_path / "made", "--no-log-file", cwd=tmp_path)
    (tmp_path / "smoke.ts").write_text(PROCESS + TYPESCRIPT, encoding="utf-8")
    kept = ("--strict", "--target", "es2022", "--module", "commonjs", "--lib", "es2023,dom,dom.iterable")
    run(tsc, *kept, "--outDir", "out", "smoke.ts", cwd=tmp_path)
    said = node(tmp_path / "out" / "smoke.js", palio, TOURNAMENT=tournament)
    assert json.loads(said) == ["applied", 912.5, "tournament_unknown"]


PYTHON = """
import os, time
from made import AuthenticatedClient
from made.api.scores import submit_score
from made.api.tournaments import create_tournament, rankings, view
from made.models import NewTournament, ProblemDetails, Rankings, ScoreOutcome, Submission, Tournament

client = AuthenticatedClient(base_url=os.environ["PALIO_URL"], token=os.environ["PALIO_TOKEN"])
new = NewTournament.from_dict({"name": "Generated", "type": "instant", "capacity": 5, "duration_s": 60})
made = create_tournament.sync(client=client, body=new)
assert isinstance(made, Tournament), made
score = Submission(event_id="by Python", user_id="42", score=912.5)
told = submit_score.sync(os.environ["TOURNAMENT"], client=client, body=score, prefer="wait=5")
assert isinstance(told, ScoreOutcome) and told.outcome == "applied", told
for _ in range(50):  # a first page may be a second old
    table = rankings.sync(os.environ["TOURNAMENT"], client=client, limit=10)
    assert isinstance(table, Rankings), table
    if table.rows:
        break
    time.sleep(0.1)
shown = view.sync("77", client=client)
assert isinstance(shown, ProblemDetails), shown
print(told.outcome, table.rows[0].score, shown.code)
"""


def test_a_client_generated_for_python_works(
    palio: RunningPalio, service: httpx2.Client, document: Path, tmp_path: Path
) -> None:
    """openapi-python-client: what it makes is valid Python with right types, and does what it says. It has no NDJSON and no Parquet."""
    tournament = create(service)
    join(service, tournament, 42)
    programs = Path(sys.executable).parent
    path = f"{programs}:{os.environ['PATH']}"  # it formats by ruff
    made = tmp_path / "made"
    generate = ("generate", "--path", document, "--output-path", made, "--meta", "none")
    said = run(programs / "openapi-python-client", *generate, cwd=tmp_path, PATH=path)
    for loss in ("Endpoint will not be generated", "Unable to process schema"):
        assert loss not in said
    run(sys.executable, "-m", "compileall", "-q", made, cwd=tmp_path)
    (tmp_path / "smoke.py").write_text(PYTHON, encoding="utf-8")
    token = palio.token("service", 1)
    said = run(sys.executable, "smoke.py", cwd=tmp_path, PALIO_URL=palio.url, PALIO_TOKEN=token, TOURNAMENT=tournament)
    assert said.split() == ["applied", "912.5", "tournament_unknown"]
