#!/usr/bin/env bash
# `test` takes 871 and 871.0 for different in Go and for equal in Python.
#
# Expected: RFC 6902 section 4.6: numbers are equal if their values are numerically equal. So a patch that Python
#   makes, which writes a whole float as 871.0, passes anywhere.
# Seen on 2026-11-29: evanphx/json-patch 5.9.11 (the one of Kubernetes' tools) compares the text of numbers, and the
#   patch fails; 8.71e2 fails too. python jsonpatch 1.48 holds them equal.
# Whom it touches: scores guarded by `test` that are written by one language and read by another: JavaScript and Go
#   write 871 where Python's json writes 871.0, and each guarded patch is refused for ever.
# What to do: send whole scores as integers on both sides, or guard by a version number instead of the score.
set -euo pipefail
folder=$(mktemp -d)
trap 'chmod -R u+w "$folder"; rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check --no-cache-dir jsonpatch==1.48
cat > main.go <<'GO'
package main

import (
	"fmt"
	"os"

	jsonpatch "github.com/evanphx/json-patch/v5"
)

func main() {
	patch, err := jsonpatch.DecodePatch([]byte(os.Args[2]))
	if err == nil {
		_, err = patch.Apply([]byte(os.Args[1]))
	}
	fmt.Println(err == nil)
}
GO
export GOPATH="$folder/go" GOCACHE="$folder/build" GOFLAGS=-mod=mod
go mod init seen 2> /dev/null
go get github.com/evanphx/json-patch/v5@v5.9.11 2> /dev/null
go build -o seen .
cat > seen.py <<'PY'
import json
import subprocess
import sys
from importlib.metadata import version

import jsonpatch

print("evanphx/json-patch v5.9.11, jsonpatch", version("jsonpatch"))
seen = {}
for value in ("871", "871.0", "8.71e2", "872"):
    document, patch = '{"score": 871}', f'[{{"op": "test", "path": "/score", "value": {value}}}]'
    go = subprocess.run(["./seen", document, patch], check=True, capture_output=True).stdout == b"true\n"
    try:
        python = jsonpatch.apply_patch(json.loads(document), json.loads(patch)) is not None
    except jsonpatch.JsonPatchTestFailed:
        python = False
    seen[value] = go, python
    print(f"test 871 against {value}: passes in Go: {go}, in Python: {python}")
if seen != {"871": (True, True), "871.0": (False, True), "8.71e2": (False, True), "872": (False, False)}:
    sys.exit(f"changed: {seen}")
print("as stated")
PY
venv/bin/python seen.py
