"""Asks the Ray of a running Palio for its named actors, from a process of its own, as an operator would."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from cluster.config.secrets import RAY_TOKEN
from cluster.startup.ports import NAMESPACE
from tests.support.running import RunningPalio

CODE = """
import json, sys, ray
ray.init(address=sys.argv[1], namespace=sys.argv[2], log_to_driver=False, logging_level="ERROR")
print(json.dumps(ray.util.list_named_actors()))
"""


def actor_names(palio: RunningPalio) -> set[str]:
    """The names of the actors that live now."""
    commands = [Path(f"/proc/{pid}/cmdline").read_bytes().decode() for pid in palio.pids("raylet")]
    port = next(found[1] for command in commands if (found := re.search(r"--gcs-address=[^ \0]+:(\d+)", command)))
    done = subprocess.run(
        [sys.executable, "-c", CODE, f"127.0.0.1:{port}", NAMESPACE],
        env={
            **os.environ,
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN_PATH": str(palio.data / RAY_TOKEN),
            "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # Palio's Ray listens on loopback alone
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))
