#!/usr/bin/env bash
# A chess player whose name has a quotation mark makes a game file that other programs refuse.
#
# Expected: the PGN standard, section 7, on strings: a quote inside one is written as a backslash and a quote, a
#   backslash as two. So libraries escape when they write and unescape when they read.
# Seen on 2026-11-29: chess 1.11.2 (python-chess) and chess.js 1.4.0 write the bare quote; @mliebelt/pgn-parser
#   1.4.19 refuses the file, chess.js even its own. Of a rightly escaped file python-chess keeps the backslashes in
#   the name, and chess.js refuses it.
# Whom it touches: exports of games of online tournaments, where people choose their names: one name spoils the file.
# What to do: take quotation marks and backslashes out of names before writing PGN.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-audit --no-fund --cache "$folder/cache" chess.js@1.4.0 @mliebelt/pgn-parser@1.4.19
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check --no-cache-dir chess==1.11.2
cat > seen.mjs <<'JS'
import { readFileSync, writeFileSync } from "node:fs";
import { parseGame } from "@mliebelt/pgn-parser";
import { Chess } from "chess.js";

function chessJs(text) {
  const game = new Chess();
  game.loadPgn(text);
  return game.getHeaders().White;
}
const readers = { "chess.js": chessJs, "pgn-parser": (text) => parseGame(text, { startRule: "game" }).tags.White };
const made = new Chess();
made.setHeader("White", 'Ana "Zen" Ruiz');
writeFileSync("chess.js.pgn", made.pgn());
const seen = {};
for (const file of ["escaped.pgn", "python-chess.pgn", "chess.js.pgn"]) {
  const text = readFileSync(file, "utf8");
  for (const [name, read] of Object.entries(readers)) {
    try {
      seen[`${name} reads ${file}`] = read(text);
    } catch {
      seen[`${name} reads ${file}`] = "error";
    }
  }
}
console.log(JSON.stringify(seen));
JS
cat > seen.py <<'PY'
import io
import json
import subprocess
import sys
from pathlib import Path

import chess
import chess.pgn

print("chess", chess.__version__)
for name in ("chess.js", "@mliebelt/pgn-parser"):
    print(name, json.loads(Path("node_modules", name, "package.json").read_text())["version"])
NAME = 'Ana "Zen" Ruiz'
TAGS = '[Event "Open"]\n[White "{}"]\n[Black "Bo"]\n[Result "1-0"]\n\n1. e4 1-0\n'
escaped = TAGS.format(NAME.replace('"', '\\"'))
Path("escaped.pgn").write_text(escaped)
game = chess.pgn.read_game(io.StringIO(TAGS.format("?")))
game.headers["White"] = NAME
Path("python-chess.pgn").write_text(f"{game}\n")
seen = {"python-chess reads escaped.pgn": chess.pgn.read_game(io.StringIO(escaped)).headers["White"]}
seen |= json.loads(subprocess.run(["node", "seen.mjs"], check=True, capture_output=True).stdout)
for what, name in seen.items():
    print(f"{what}: {name}")
right = {what for what, name in seen.items() if name == NAME}
errors = sum(name == "error" for name in seen.values())
if right != {"pgn-parser reads escaped.pgn"} or errors != 5 or len(seen) != 7:
    sys.exit(f"changed: {seen}")
print("as stated")
PY
venv/bin/python seen.py
