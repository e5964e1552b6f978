"""`AnalyticsActor`: a Ray actor around `actors.analytics`, one in a Palio. How far it is stands in the records, where a restarted one
goes on. Nobody waits for it: it gives way to all others on its machine, and uses a small share of a core.
"""

from __future__ import annotations

import os
from typing import Final

from actors.analytics.collector import Collector
from cluster.actors.metrics import AnalyticsMetrics
from cluster.actors.worker import Worker
from cluster.startup.ports import attempts_of, open_archive, open_parquet, open_series, with_archive
from storage.ports import MetricsSeries, Records

COMPACT_S: Final = 300.0
MEASURE_S: Final = 1.0
SHARE: Final = 0.03  # of a core; what is made anew takes what it can get
NICENESS: Final = 5  # not 19: it would then hold a database's lock for long once others keep the cores busy


class AnalyticsActor(Worker):
    """See the module."""

    name = "analytics"

    async def begin(self, records: Records) -> None:
        """As Worker.begin."""
        settings = self.settings
        os.nice(NICENESS)
        self._series: MetricsSeries
        if settings.influx_url is None:
            self._series = parquet = open_parquet(settings, keeps=True)
            self.repeat("compaction", COMPACT_S, lambda: parquet.compact(settings.metrics_keep_days))
        else:
            self._series = open_series(settings)
        self._archive = open_archive(settings)
        readable = with_archive(records, self._archive)
        self._collector = Collector(readable, attempts_of(records), self._series, SHARE)
        self._metrics = AnalyticsMetrics(self._collector, self._series)
        self.repeat("collection", settings.analytics_interval_s, self._collector.round)
        self.repeat("metrics", MEASURE_S, self._measure)

    async def end(self) -> None:
        """As Worker.end. What was not collected waits in the records."""
        await self._series.close()
        if self._archive is not None:
            await self._archive.close()

    async def _measure(self) -> None:
        self._metrics.update()
