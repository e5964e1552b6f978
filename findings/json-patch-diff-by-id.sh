#!/usr/bin/env bash
# A diff of two tables by row id makes a patch that leads to another order than asked for.
#
# Expected: generate-json-patch takes `objectHash` "to detect moves and edits for arrays of objects", and RFC 6902
#   section 3 has operations applied one after the other, so diff and apply give the table that was diffed against.
# Seen on 2026-11-29 with generate-json-patch 1.2.9: where two rows come in while others change places, moves and
#   additions disturb each other, and rows end up in other places. No error anywhere. Without `objectHash` it is right.
# Whom it touches: who makes live updates of a ranking with it: watchers see a wrong order until the next snapshot.
# What to do: apply each patch that you send to a copy first and compare, or diff by place; rfc6902 and
#   fast-json-patch pass the same check.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-audit --no-fund --cache "$folder/cache" \
  generate-json-patch@1.2.9 fast-json-patch@3.1.1 rfc6902@5.4.0
cat > seen.mjs <<'JS'
import { readFileSync } from "node:fs";
import { isDeepStrictEqual } from "node:util";
import fast from "fast-json-patch";
import { generateJSONPatch } from "generate-json-patch";
import * as rfc6902 from "rfc6902";

const version = (name) => JSON.parse(readFileSync(`node_modules/${name}/package.json`)).version;
for (const name of ["generate-json-patch", "fast-json-patch", "rfc6902"]) console.log(name, version(name));

const table = (users) => ({ top: [...users].map((user) => ({ user, score: 1 })) });
const order = (data) => data.top.map((row) => row.user).join("");
const apply = (data, patch) => fast.applyPatch(structuredClone(data), structuredClone(patch), true).newDocument;
const diffs = {
  "generate-json-patch by user": (a, b) => generateJSONPatch(a, b, { objectHash: (row) => row.user }),
  "generate-json-patch by place": (a, b) => generateJSONPatch(a, b),
  "fast-json-patch": (a, b) => fast.compare(a, b),
  rfc6902: (a, b) => rfc6902.createPatch(a, b),
};
const before = table("ab");
const after = table("cdba");
const right = {};
for (const [name, diff] of Object.entries(diffs)) {
  const patch = diff(structuredClone(before), structuredClone(after));
  const got = apply(before, patch);
  right[name] = isDeepStrictEqual(got, after);
  console.log(`${name}: ${order(before)} -> ${order(after)} asked for, ${order(got)} got`);
}
const { "generate-json-patch by user": byUser, ...others } = right;
if (byUser || Object.values(others).includes(false)) {
  console.log("changed:", JSON.stringify(right));
  process.exit(1);
}
console.log("as stated");
JS
node seen.mjs
