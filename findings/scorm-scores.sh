#!/usr/bin/env bash
# A SCORM run-time commits a score as "not attempted", keeps 150 of 100 in SCORM 2004, and writes "[object Object]".
#
# Expected: contents that set a score and finish were attempted; SCORM 2004 (RTE 4.2.20) has the raw score from min to
#   max; what is committed as name=value holds values.
# Seen on 2026-11-30: scorm-again 3.4.3 leaves lesson_status at "not attempted" beside a score of 80 after LMSFinish. In
#   SCORM 2004 it takes raw 150 with max 100 without an error, while in 1.2 it refuses a max of 200, as 1.2 has it. Its
#   commit format "params" has cmi.interactions=[object Object].
# Whom it touches: imports that take a status for the truth lose scores; those that trust a maximum get 150 %.
# What to do: let a score count whatever the status, check it against min and max, and do not use "params".
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
printf '{"private": true, "type": "module"}\n' > package.json
npm install --silent --no-audit --no-fund scorm-again@3.4.3
cat > seen.mjs <<'JS'
import { readFileSync } from "node:fs";

globalThis.window = globalThis;
globalThis.document = { addEventListener() {}, removeEventListener() {} };
globalThis.addEventListener = () => {};
const { Scorm12API } = await import("scorm-again/scorm12");
const { Scorm2004API } = await import("scorm-again/scorm2004");
console.log("scorm-again", JSON.parse(readFileSync("node_modules/scorm-again/package.json", "utf8")).version);

const quiet = { autocommit: false, logLevel: 5 };
const first = new Scorm12API(quiet);
first.LMSInitialize("");
const seen = {
  max200: String(first.LMSSetValue("cmi.core.score.max", "200")),
  raw80: String(first.LMSSetValue("cmi.core.score.raw", "80")),
};
first.LMSFinish("");
seen.status = first.renderCommitCMI(true).cmi.core.lesson_status;
const second = new Scorm2004API(quiet);
second.Initialize("");
second.SetValue("cmi.score.max", "100");
seen.raw150 = String(second.SetValue("cmi.score.raw", "150"));
seen.kept = second.renderCommitCMI(true).cmi.score.raw;
const third = new Scorm12API({ ...quiet, dataCommitFormat: "params" });
third.LMSInitialize("");
seen.params = third.renderCommitCMI(true).find((each) => each.startsWith("cmi.interactions"));
console.log(seen);
const stated = {
  max200: "false", raw80: "true", status: "not attempted", raw150: "true", kept: "150",
  params: "cmi.interactions=[object Object]",
};
if (JSON.stringify(seen) !== JSON.stringify(stated)) {
  console.log("changed:", JSON.stringify(seen));
  process.exit(1);
}
console.log("as stated");
JS
node seen.mjs
