"""What share of each folder's lines the tests ran: `coverage json -q -o - | coverage_by_folder.py`."""

import json
import sys
from collections import Counter
from pathlib import PurePath

ran: Counter[str] = Counter()
lines: Counter[str] = Counter()
for name, file in json.load(sys.stdin)["files"].items():
    for folder in ("/".join(PurePath(name).parent.parts[:2]), "all"):
        ran[folder] += file["summary"]["covered_lines"]
        lines[folder] += file["summary"]["num_statements"]
for folder in [*sorted(lines.keys() - {"all"}), "all"]:
    if lines[folder]:
        print(f"{folder:24} {100 * ran[folder] // lines[folder]:3} % of {lines[folder]:6,} lines")
