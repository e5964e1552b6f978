"""`AnalyticsActor`: a Ray actor around `actors.analytics`, one in a Palio. How far it is stands in the records, where a restarted one
goes on."""

from __future__ import annotations

from typing import Final

from actors.analytics.collector import Collector
from cluster.actors.metrics import AnalyticsMetrics
from cluster.actors.worker import Worker
from cluster.startup.ports import attempts_of, open_archive, open_parquet, open_series, with_archive
from storage.ports import MetricsSeries, Records

COMPACT_S: Final = 300.0
MEASURE_S: Final = 1.0


class AnalyticsActor(Worker):
    """See the module."""

    name = "analytics"

    async def begin(self, records: Records) -> None:
        """As Worker.begin."""
        settings = self.settings
        self._series: MetricsSeries
        if settings.influx_url is None:
            self._series = parquet = open_parquet(settings, keeps=True)
            self.repeat("compaction", COMPACT_S, lambda: parquet.compact(settings.metrics_keep_days))
        else:
            self._series = open_series(settings)
        self._archive = open_archive(settings)
        self._collector = Collector(with_archive(records, self._archive), attempts_of(records), self._series)
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
