"""Settings, the Ray wraps, the directory over named actors, and the composition root."""

from __future__ import annotations

import os
from pathlib import Path

from prometheus_client import values

# Prometheus' client maps files of this directory when a metric is made; on a node of a cluster that somebody else started, nobody made it.
if _metrics := os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
    Path(_metrics).mkdir(mode=0o700, parents=True, exist_ok=True)
    # The client asks the system for this process's id with each count, 1 us and more; it changes in a forked process alone.
    _process_id = os.getpid()

    def _identify() -> None:
        global _process_id  # noqa: PLW0603
        _process_id = os.getpid()

    os.register_at_fork(after_in_child=_identify)
    values.ValueClass = values.MultiProcessValue(process_identifier=lambda: _process_id)  # type: ignore[no-untyped-call]
