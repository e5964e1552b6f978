#!/usr/bin/env bash
# Tied players get different ratings by the order in which they are listed, and JavaScript and Python disagree.
#
# Expected: new players who tie come out with the same rating, wherever they stand in the list; and the two openskill
#   libraries, of the same name and the same models, agree. The JavaScript README names the partial models for large
#   races.
# Seen on 2026-11-29: with bradleyTerryPart of openskill 5.0.1 (npm) a player meets only the neighbours in the list.
#   Of two joint winners of three the first listed stays at 25 and the second gets 27.6; of two joint last ones the
#   first listed drops to 22.4 and the second stays at 25. openskill 6.2.0 (PyPI) compares within a window of places
#   (`window_size`, 4) and gives both the same; without ties, too, its numbers differ from four players on.
# Whom it touches: ratings of races and of any event with more than two a match; ratings moved between the languages.
# What to do: with ties, or across languages, use plackettLuce or the full models: there the two agree.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-audit --no-fund --cache "$folder/cache" openskill@5.0.1
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check --no-cache-dir openskill==6.2.0
cat > seen.mjs <<'JS'
import { rate, rating } from "openskill";
import { bradleyTerryFull, bradleyTerryPart } from "openskill/models";

const [model, ranks] = JSON.parse(process.argv[2]);
const options = { model: { bradleyTerryFull, bradleyTerryPart }[model], rank: ranks };
console.log(JSON.stringify(rate(ranks.map(() => [rating()]), options).map(([player]) => player.mu)));
JS
cat > seen.py <<'PY'
import json
import subprocess
import sys
from importlib.metadata import version

from openskill.models import BradleyTerryFull, BradleyTerryPart

npm = json.load(open("node_modules/openskill/package.json"))["version"]
print("openskill", npm, "(npm),", version("openskill"), "(PyPI)")
stated = {
    ("Part", (1, 1, 2)): ([25.0, 27.6, 22.4], [26.3, 26.3, 22.4]),
    ("Part", (1, 2, 2)): ([27.6, 22.4, 25.0], [27.6, 23.7, 23.7]),
    ("Part", (1, 2, 3, 4)): ([27.6, 25.0, 25.0, 22.4], [27.6, 25.9, 24.1, 22.4]),
    ("Full", (1, 2, 2)): ([30.3, 22.4, 22.4], [30.3, 22.4, 22.4]),
}
seen = {}
for kind, ranks in stated:
    command = ["node", "seen.mjs", json.dumps([f"bradleyTerry{kind}", ranks])]
    javascript = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    model = {"Part": BradleyTerryPart, "Full": BradleyTerryFull}[kind]()
    python = [player.mu for (player,) in model.rate([[model.rating()] for _ in ranks], ranks=list(ranks))]
    seen[kind, ranks] = [round(mu, 1) for mu in javascript], [round(mu, 1) for mu in python]
    print(kind, "places", *ranks, "-> JavaScript", *seen[kind, ranks][0], "| Python", *seen[kind, ranks][1])
if seen != stated:
    sys.exit(f"changed: {seen}")
print("as stated")
PY
venv/bin/python seen.py
