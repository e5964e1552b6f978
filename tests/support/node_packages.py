"""What `.ci/package.json` pins: checkers and readers from npm, installed by `npm --prefix .ci ci`."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from cluster.config.settings import PROJECT_DIR

CI = PROJECT_DIR / ".ci"
NODE = shutil.which("node")
needs_node = pytest.mark.skipif(NODE is None and not os.environ.get("CI"), reason="needs Node.js")


def node_package(path: str) -> Path:
    """A file or folder of a package. Without the packages the test is skipped, but on CI, where they must be."""
    found = CI / "node_modules" / path
    if not found.exists():
        missing = f"{path} is not there: npm --prefix .ci ci"
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    return found
