"""Makes rayjob-v1.5.1.json.gz: the schema that KubeRay's operator has its RayJob checked by, without its prose.

`go mod download -json github.com/ray-project/kuberay/ray-operator@v1.5.1` prints `Dir`; then
`python -m tests.golden.kuberay.make DIR/config/crd/bases/ray.io_rayjobs.yaml`. KubeRay is licensed under the Apache License 2.0.
"""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path
from typing import Any

import yaml

VERSION = "v1.5.1"
FILE = Path(__file__).with_name(f"rayjob-{VERSION}.json.gz")


def _without_prose(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _without_prose(v) for k, v in value.items() if k != "description" or not isinstance(v, str)}
    return [_without_prose(each) for each in value] if isinstance(value, list) else value


def main(crd: Path) -> None:
    """See the module."""
    versions = yaml.safe_load(crd.read_text())["spec"]["versions"]
    (schema,) = [each["schema"]["openAPIV3Schema"] for each in versions if each["name"] == "v1"]
    text = json.dumps(_without_prose(schema), sort_keys=True, separators=(",", ":"))
    FILE.write_bytes(gzip.compress(text.encode(), 9, mtime=0))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
