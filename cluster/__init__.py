"""Settings, the Ray wraps, the directory over named actors, and the composition root."""

from __future__ import annotations

import os
from pathlib import Path

# Prometheus' client maps files of this directory when a metric is made; on a node of a cluster that somebody else started, nobody made it.
if _metrics := os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
    Path(_metrics).mkdir(mode=0o700, parents=True, exist_ok=True)
