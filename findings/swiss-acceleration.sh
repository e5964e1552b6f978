#!/usr/bin/env bash
# An "accelerated" Swiss of nine rounds is accelerated for two rounds instead of five, and starts with another group.
#
# Expected: caissify-pairings names FIDE's Baku acceleration (C.04.5.1). Its rules: the first half of the rounds,
#   rounded up, is accelerated; the top group gets a whole virtual point in the first half of those and half a point
#   in the others (nine rounds: three and two); the top group is the first half rounded up to an even number.
# Seen on 2026-11-29 with caissify-pairings 0.5.0: one point in rounds 1 and 2 and none later, whatever the number of
#   rounds (its text says so further down), and of ten players five are at the top, so round 1 begins with 1 against
#   3 where the rules have 1 against 4. pairing-core 0.4.1, for the same rules: 1, 1, 1, 1/2, 1/2 and six of ten.
# Whom it touches: rated opens: from round 1 on the pairings are not those that an arbiter's program makes.
# What to do: pair accelerated rounds with another engine, or add the virtual points to the scores yourself.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check --no-cache-dir caissify-pairings==0.5.0 pairing-core==0.4.1
cat > seen.py <<'PY'
import sys
from importlib.metadata import version

from caissify_pairings import generate_pairings
from pairing_core.fide2026 import baku

print("caissify-pairings", version("caissify-pairings"), "pairing-core", version("pairing-core"))
ROUNDS = 9


def pair(round_number: int, accelerated: bool) -> list[list[int]]:
    """Ten players; all games of the rounds before were draws between players five places apart."""
    before = round_number - 1
    colours = ["white", "black"]
    players = [
        {
            "id": number,
            "name": f"Player {number}",
            "score": before / 2,
            "rating": 2500 - number,
            "starting_number": number,
            "color_hist": [colours[(number + played) % 2] for played in range(before)],
            "float_history": ["none"] * before,
            "bye_count": 0,
        }
        for number in range(1, 11)
    ]
    met = {tuple(sorted((a, (a + played + 4) % 10 + 1))) for played in range(before) for a in range(1, 11, 2)}
    made = generate_pairings("dutch", players, met, round_number, ROUNDS, accelerated=accelerated)
    return sorted(sorted((game["white_id"], game["black_id"])) for game in made)


differs = [number for number in range(1, ROUNDS + 1) if pair(number, True) != pair(number, False)]
print("caissify-pairings: acceleration changes the pairings of rounds", differs)
first = pair(1, True)
print("caissify-pairings: round 1 is", first)
points = [baku.virtual_points(True, number, ROUNDS) for number in range(1, ROUNDS + 1)]
top = list(baku.split_groups(list(range(1, 11))).ga)
print("pairing-core: virtual points", points, "top group", top)
if differs != [1, 2] or first[0] != [1, 3] or points != [1, 1, 1, 0.5, 0.5, 0, 0, 0, 0] or len(top) != 6:
    sys.exit(f"changed: {differs} {first} {points} {top}")
print("as stated")
PY
venv/bin/python seen.py
