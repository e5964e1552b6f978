#!/usr/bin/env bash
# One player gets the bye again and again, and its points, while others have had none.
#
# Expected: in a Swiss nobody is left out twice as long as it can be helped (FIDE's basic rules, C.04.1; card game
#   tournaments alike). tournament-pairings takes `receivedBye` and says that players without one are preferred.
# Seen on 2026-11-29: cardarena-tournament-core 1.5.0 leaves out whoever comes last in its order and keeps no record
#   of byes: one of five players gets two of three and is second without having won a game. tournament-pairings 2.0.1
#   gives a second bye in round 4 of five players, though two have had none and a round without rematches exists.
# Whom it touches: small Swiss tournaments with an odd number of players: byes count as wins.
# What to do: check who is left out, and pair again without those who have had a bye.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-audit --no-fund --cache "$folder/cache" tournament-pairings@2.0.1
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check --no-cache-dir cardarena-tournament-core==1.5.0
cat > seen.mjs <<'JS'
import { Swiss } from "tournament-pairings";

// Players 2, 3 and 5 have had a bye. With 1 left out, 2 against 3 and 4 against 5 would be new.
const players = [
  { id: 1, score: 2, avoid: [5, 4, 3], receivedBye: false },
  { id: 2, score: 2, avoid: [5, 4], receivedBye: true },
  { id: 3, score: 1, avoid: [4, 1], receivedBye: true },
  { id: 4, score: 2, avoid: [3, 1, 2], receivedBye: false },
  { id: 5, score: 2, avoid: [1, 2], receivedBye: true },
];
const byes = Array.from({ length: 50 }, () => {
  const alone = Swiss(structuredClone(players), 4).find((match) => match.player1 === null || match.player2 === null);
  return alone.player1 ?? alone.player2;
});
console.log(JSON.stringify([...new Set(byes)].sort()));
JS
cat > seen.py <<'PY'
import json
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

from cardarena_tournament_core import MatchupOutcome, Player, PokemonTCG, Swiss, Tournament

npm = json.loads(Path("node_modules/tournament-pairings/package.json").read_text())["version"]
print("cardarena-tournament-core", version("cardarena-tournament-core"), "tournament-pairings", npm)
players = [Player(id=str(number), name=f"Player {number}") for number in range(1, 6)]
tournament = Tournament(pairing=Swiss(players), scoring=PokemonTCG())
byes, winners = [], []
for _ in range(3):
    played = tournament.pair()
    for match in played.matchups:
        if match.player2 is None:
            byes.append(match.player1.name)
        else:
            match.outcome = MatchupOutcome.PLAYER1_WINS
            winners.append(match.player1.name)
    tournament.submit_results(played)
table = [row.player.name for row in tournament.standings()]
print("cardarena-tournament-core: byes", byes, "table", table)
second = json.loads(subprocess.run(["node", "seen.mjs"], check=True, capture_output=True).stdout)
print("tournament-pairings: bye of round 4 to player", second, "after byes of 2, 3 and 5")
if byes[1] != byes[2] or byes[1] in winners or table[1] != byes[1] or not set(second) <= {2, 3, 5}:
    sys.exit(f"changed: {byes} {table} {second}")
print("as stated")
PY
venv/bin/python seen.py
