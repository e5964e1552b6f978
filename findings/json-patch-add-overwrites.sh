#!/usr/bin/env bash
# An `add` into an array overwrites the row that is there, and a `move` within an array fails.
#
# Expected: just-diff-apply says that its converter lets it "apply a jsonpatch.com standard patch". RFC 6902 section
#   4.1: an index names the place before which the value is inserted, and what is at or behind it moves up.
# Seen on 2026-11-29 with just-diff-apply 5.5.0: the value at the index is replaced, so each newcomer wipes out a row
#   and the list stays as long as it was. `move` between two places of an array throws a TypeError. What just-diff
#   itself makes is applied rightly, since it never adds but at an array's end.
# Whom it touches: clients that follow a ranking (Palio's patches insert and move rows).
# What to do: apply the patches of others with fast-json-patch or rfc6902.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-audit --no-fund --cache "$folder/cache" just-diff-apply@5.5.0 fast-json-patch@3.1.1
cat > seen.mjs <<'JS'
import { readFileSync } from "node:fs";
import fast from "fast-json-patch";
import { diffApply, jsonPatchPathConverter } from "just-diff-apply";

const version = (name) => JSON.parse(readFileSync(`node_modules/${name}/package.json`)).version;
for (const name of ["just-diff-apply", "fast-json-patch"]) console.log(name, version(name));

function attempt(how, operation) {
  const data = { top: ["Rita", "Ugo", "Zoe"] };
  try {
    how(data, [operation]);
    return data.top.join(" ");
  } catch (error) {
    return error.name;
  }
}
const just = (data, patch) => diffApply(data, patch, jsonPatchPathConverter);
const add = { op: "add", path: "/top/0", value: "Ida" };
const move = { op: "move", from: "/top/2", path: "/top/0" };
const seen = {};
for (const [name, how] of Object.entries({ just, fast: fast.applyPatch })) {
  seen[name] = [attempt(how, add), attempt(how, move)];
  console.log(`${name}: add -> ${seen[name][0]}; move -> ${seen[name][1]}`);
}
const stated = { just: ["Ida Ugo Zoe", "TypeError"], fast: ["Ida Rita Ugo Zoe", "Zoe Rita Ugo"] };
if (JSON.stringify(seen) !== JSON.stringify(stated)) {
  console.log("changed:", JSON.stringify(seen));
  process.exit(1);
}
console.log("as stated");
JS
node seen.mjs
