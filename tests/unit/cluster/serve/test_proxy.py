"""What Serve's proxy is told; in a process of its own, since it changes uvicorn for all of a process."""

import subprocess
import sys

_SCRIPT = """
import logging
from cluster.serve.proxy import callback
callback()
for name in ("uvicorn.error", "websockets.server"):
    logger = logging.getLogger(name)
    assert [type(each).__name__ for each in logger.filters] == ["LogLimit"], name
    assert not logger.isEnabledFor(logging.INFO), name
"""


def test_log_lines_that_clients_can_cause_are_limited() -> None:
    done = subprocess.run([sys.executable, "-c", _SCRIPT], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
