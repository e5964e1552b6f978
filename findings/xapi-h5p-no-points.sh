#!/usr/bin/env bash
# H5P content without points reports a score from 0 to 0, which xAPI forbids: a store that checks refuses the statement.
#
# Expected: content that has no points (a presentation without tasks) completes without a score, or with one that is
#   valid: by xAPI 1.0.3, 2.4.5.1, `min` is less than `max`.
# Seen on 2026-11-29: h5p-standalone 3.8.2 (H5P core's XAPIEvent): setScoredResult(0, 0) makes
#   {"min": 0, "max": 0, "raw": 0}, and leaves out `scaled` alone.
# Whom it touches: the statement is 400 as a whole, with its completion; in a batch, all others with it.
# What to do: take the score out of a statement whose `max` is 0 before sending it on.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-audit --no-fund --ignore-scripts h5p-standalone@3.8.2
cat > seen.mjs <<'JS'
import fs from "node:fs";
import vm from "node:vm";

const folder = "node_modules/h5p-standalone";
console.log("h5p-standalone", JSON.parse(fs.readFileSync(`${folder}/package.json`, "utf8")).version);
const bundle = fs.readFileSync(`${folder}/dist/frame.bundle.js`, "utf8");
const start = bundle.indexOf("e.XAPIEvent=function()");
const code = bundle.slice(start, bundle.indexOf("},69()", start)); // the module that makes statements, without a browser
if (start < 0 || !code.includes("setScoredResult")) throw new Error("changed: the bundle is made otherwise");
const made = vm.runInNewContext(`
  var e = { jQuery: { inArray: (x, all) => all.indexOf(x) }, Event: function (type, data) { this.data = data; } };
  ${code};
  const event = new e.XAPIEvent();
  event.setVerb("completed");
  event.setScoredResult(0, 0, null, true, true);
  JSON.stringify(event.data.statement.result)`);
console.log(made);
const { score } = JSON.parse(made);
if (JSON.stringify(score) !== '{"min":0,"max":0,"raw":0}') {
  console.log("changed:", made);
  process.exit(1);
}
console.log("as stated");
JS
node seen.mjs
