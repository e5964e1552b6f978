"""Coverage of processes that are ended without warning, as Ray's are. Coverage itself loads this, in each process that it measures.

What such a process has run is written every few seconds, where it measures itself (`make coverage`).
"""

from __future__ import annotations

import os
import threading
import time
from typing import Any

import coverage

INTERVAL_S = 2.0


def coverage_init(_plugins: object, _options: dict[str, Any]) -> None:
    """As coverage calls it."""
    if "COVERAGE_PROCESS_START" in os.environ:
        threading.Thread(target=_save, daemon=True).start()


def _save() -> None:
    while True:
        time.sleep(INTERVAL_S)
        measured = getattr(coverage.process_startup, "coverage", None)  # not there in the process that runs the tests
        if measured is not None:
            measured.save()
