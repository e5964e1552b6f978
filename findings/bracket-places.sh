#!/usr/bin/env bash
# Whoever loses a quarter-final of a knockout of eight is ranked fourth, though six players did better or as well.
#
# Expected: places shared as in any sport's results: two beaten semi-finalists are third, and the four beaten
#   quarter-finalists fifth, since four are ahead of them.
# Seen on 2026-11-29 with brackets-manager 1.11.1: `finalStandings` counts the groups instead (1, 2, 3, 3, 4, 4, 4,
#   4). With a final for the third place the same four are fifth: one setting changes the places of other players.
# Whom it touches: prize money and ranking points by place.
# What to do: make the places from the order: one more than the number of those in the groups before.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-audit --no-fund --cache "$folder/cache" brackets-manager@1.11.1 brackets-memory-db@1.0.6
cat > seen.mjs <<'JS'
import { readFileSync } from "node:fs";
import { BracketsManager } from "brackets-manager";
import { InMemoryDatabase } from "brackets-memory-db";

for (const name of ["brackets-manager", "brackets-memory-db"])
  console.log(name, JSON.parse(readFileSync(`node_modules/${name}/package.json`)).version);

async function places(consolationFinal) {
  const manager = new BracketsManager(new InMemoryDatabase());
  const seeding = Array.from({ length: 8 }, (_, index) => `Player ${index + 1}`);
  const cup = { tournamentId: 0, name: "Cup", type: "single_elimination", seeding, settings: { consolationFinal } };
  const stage = await manager.create.stage(cup);
  for (let game = 0; game < 8; game++) {
    const { match } = await manager.get.stageData(stage.id);
    const ready = match.find((one) => one.status === 2); // both players are known
    if (!ready) break;
    const first = ready.opponent1.id < ready.opponent2.id; // the better seed wins
    const [opponent1, opponent2] = first ? [{ result: "win" }, {}] : [{}, { result: "win" }];
    await manager.update.match({ id: ready.id, opponent1, opponent2 });
  }
  return (await manager.get.finalStandings(stage.id)).map((row) => row.rank).join(" ");
}
const seen = [await places(false), await places(true)];
console.log("places:", seen[0]);
console.log("places with a final for the third place:", seen[1]);
if (seen[0] !== "1 2 3 3 4 4 4 4" || seen[1] !== "1 2 3 4 5 5 5 5") {
  console.log("changed:", JSON.stringify(seen));
  process.exit(1);
}
console.log("as stated");
JS
node seen.mjs
