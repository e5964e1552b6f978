#!/usr/bin/env bash
# A patch for rows that the client does not have is taken without an error, and a `move` of such a row adds a hole.
#
# Expected: RFC 6902 sections 4.2 to 4.4: the target of `remove` and `replace` and the `from` of `move` MUST exist, and
#   section 5: else the whole patch fails. So a client that missed an update hears of it at the next one.
# Seen on 2026-11-29 with immutable-json-patch 6.0.3: `replace` and `remove` of what is not there do nothing, and
#   `move` of a row beyond the end puts an undefined one (null in JSON) at the new place. `test` does throw.
# Whom it touches: clients that take an error of the patch library as their sign of a gap.
# What to do: find gaps by the sequence numbers of the updates, as Palio's protocol asks for, never by such errors.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-audit --no-fund --cache "$folder/cache" immutable-json-patch@6.0.3 fast-json-patch@3.1.1
cat > seen.mjs <<'JS'
import { readFileSync } from "node:fs";
import fast from "fast-json-patch";
import { immutableJSONPatch } from "immutable-json-patch";

const version = (name) => JSON.parse(readFileSync(`node_modules/${name}/package.json`)).version;
for (const name of ["immutable-json-patch", "fast-json-patch"]) console.log(name, version(name));

const data = { top: ["Rita", "Ugo"] };
const operations = [
  { op: "replace", path: "/top/7", value: "Zoe" },
  { op: "remove", path: "/top/7" },
  { op: "move", from: "/top/7", path: "/top/0" },
  { op: "test", path: "/top/7", value: "Zoe" },
];
function attempt(how, operation) {
  try {
    return JSON.stringify(how(operation).top);
  } catch {
    return "error";
  }
}
const hows = {
  "immutable-json-patch": (operation) => immutableJSONPatch(data, [operation]),
  "fast-json-patch": (operation) => fast.applyPatch(structuredClone(data), [operation], true).newDocument,
};
const seen = {};
for (const [name, how] of Object.entries(hows)) {
  seen[name] = operations.map((operation) => attempt(how, operation));
  operations.forEach(({ op }, index) => console.log(`${name}: ${op} -> ${seen[name][index]}`));
}
const stated = {
  "immutable-json-patch": ['["Rita","Ugo"]', '["Rita","Ugo"]', '[null,"Rita","Ugo"]', "error"],
  "fast-json-patch": ["error", "error", "error", "error"],
};
if (JSON.stringify(seen) !== JSON.stringify(stated)) {
  console.log("changed:", JSON.stringify(seen));
  process.exit(1);
}
console.log("as stated");
JS
node seen.mjs
