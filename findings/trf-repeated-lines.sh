#!/usr/bin/env bash
# Reading a chess tournament's TRF file and writing it again loses all but one accelerated player and forbidden pair.
#
# Expected: the TRF(x) extensions that pairing engines share (JaVaFo's manual, "Accelerated rounds" and "Forbidden
#   pairs") have one XXA line for each accelerated player and may have many XXP lines, so a reader keeps all of them.
# Seen on 2026-11-29 with trf 1.1.1: the XX lines go into a dict by their code, and the last one wins, silently.
#   py4swiss 0.3.1 reads the same file whole.
# Whom it touches: who passes files on by way of it: the next round is paired without the acceleration, and players
#   who must not meet (of one family or club) may be paired.
# What to do: carry the XX lines over by hand, or read with py4swiss.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check --no-cache-dir trf==1.1.1 py4swiss==0.3.1
cat > seen.py <<'PY'
import sys
from importlib.metadata import version
from pathlib import Path

import trf
from py4swiss.trf import TrfParser

print("trf", version("trf"), "py4swiss", version("py4swiss"))


def player(number: int) -> str:
    name = f"Player, {number}"
    return f"001 {number:>4} m    {name:<33} {2500 - number:>4} ITA {number:>11} 1990/01/01  0.0 {number:>4}"


lines = ["012 Open", "XXR 5", "XXA    1  1.0  1.0", "XXA    2  1.0  1.0", "XXP    1    2", "XXP    3    4"]
lines += [player(number) for number in range(1, 5)]
Path("in.trf").write_text("\n".join(lines) + "\n")
Path("out.trf").write_text(trf.dumps(trf.loads(Path("in.trf").read_text())))
section = TrfParser.parse(Path("in.trf")).x_section
read = sorted(section.accelerations), sorted(tuple(sorted(pair)) for pair in section.forbidden_pairs)
print("py4swiss reads: accelerated", read[0], "forbidden", read[1])
written = [line for line in Path("out.trf").read_text().splitlines() if line[:3] in ("XXA", "XXP")]
print("trf writes:", written)
kept = sorted(line.split()[:2] for line in written)
if read != ([1, 2], [(1, 2), (3, 4)]) or kept != [["XXA", "2"], ["XXP", "3"]]:
    sys.exit(f"changed: {read} {written}")
print("as stated")
PY
venv/bin/python seen.py
