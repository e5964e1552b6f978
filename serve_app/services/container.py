"""What the handlers work with: the ports and the front's own parts, opened and closed as one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from actors.domain.signing import Signer
from serve_app.config import FrontConfig
from serve_app.http.cors import Cors
from serve_app.metrics import EntrypointPoints, PortMetrics
from serve_app.security.auth import Authenticator
from serve_app.security.client_address import TrustedProxies
from serve_app.security.rate_limits import Limiter
from serve_app.services.analytics import REPORTS_AT_ONCE, Analytics
from serve_app.services.log_clock import LogClock
from serve_app.services.outcome_waiters import Waiters
from serve_app.services.reads import Reads
from serve_app.services.retention import Appends
from storage.ports import (
    ArchiveFiles,
    ArchiveIndex,
    AttemptBlocks,
    MetricsSeries,
    Notices,
    Operations,
    Owners,
    PrizeLedger,
    ReadModel,
    Records,
    ScoreLog,
    Updates,
)

MEASURE_EVERY_S: Final = 1.0
CHECK_EVERY_S: Final = 30.0
POINT_EVERY_S: Final = 60.0


def wall_clock_ms() -> int:
    """Milliseconds since 1970."""
    return time.time_ns() // 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """One process's services. The ports belong to whoever opened them; `close` ends only what `open_services` began."""

    config: FrontConfig
    log: ScoreLog
    signer: Signer
    owners: Owners
    records: Records
    read_model: ReadModel
    updates: Updates
    notices: Notices
    prizes: PrizeLedger
    operations: Operations
    archive: ArchiveFiles | None
    archives: ArchiveIndex
    analytics: Analytics
    authenticator: Authenticator
    limiter: Limiter
    proxies: TrustedProxies
    cors: Cors
    waiters: Waiters
    reads: Reads
    appends: Appends
    log_clock: LogClock
    watching: tuple[asyncio.Task[None], ...]
    clock_ms: Callable[[], int] = wall_clock_ms

    async def close(self) -> None:
        """Stop receiving, refreshing and measuring. A second call does nothing."""
        for task in self.watching:
            task.cancel()
        await self.waiters.close()
        await self.reads.close()


async def open_services(
    config: FrontConfig,
    log: ScoreLog,
    owners: Owners,
    records: Records,
    read_model: ReadModel,
    updates: Updates,
    signer: Signer,
    *,
    notices: Notices,
    prizes: PrizeLedger,
    operations: Operations,
    archive: ArchiveFiles | None,
    archives: ArchiveIndex,
    attempts: AttemptBlocks,
    series: MetricsSeries,
    whole_records: Records | None = None,
    clock_ms: Callable[[], int] = wall_clock_ms,
) -> Services:
    """Make the services of one process and begin to receive replies. `whole_records`: those with the archive behind them, if there is one.

    Raises ValueError for a setting that is wrong, with nothing opened, and what the updates port raises.
    """
    authenticator = Authenticator(config, clock_s=lambda: clock_ms() / 1000)
    proxies = TrustedProxies(config.trusted_proxies)
    cors = Cors(config.listen_host, config.listen_ports, config.cors_origins)
    waiters = Waiters(updates, config.replica_id, config.max_waiters)
    await waiters.open()
    appends = Appends(log)
    log_clock = LogClock(log, clock_ms, round(config.max_clock_ahead_s * 1000))
    return Services(
        config=config,
        log=log,
        signer=signer,
        owners=owners,
        records=records,
        read_model=read_model,
        updates=updates,
        notices=notices,
        prizes=prizes,
        operations=operations,
        archive=archive,
        archives=archives,
        analytics=Analytics(whole_records or records, attempts, series, asyncio.Semaphore(REPORTS_AT_ONCE)),
        authenticator=authenticator,
        limiter=Limiter(config),
        proxies=proxies,
        cors=cors,
        waiters=waiters,
        reads=Reads(config, owners, records, read_model, log.partitions),
        appends=appends,
        log_clock=log_clock,
        watching=(
            asyncio.create_task(_regularly(appends.check), name="log retention"),
            asyncio.create_task(_regularly(log_clock.check), name="log clock"),
            asyncio.create_task(_measure(PortMetrics(log, updates, series)), name="port metrics"),
            asyncio.create_task(_write_points(series, config.replica_id, clock_ms), name="series"),
        ),
        clock_ms=clock_ms,
    )


async def _regularly(check: Callable[[], Awaitable[None]]) -> None:
    while True:
        await check()
        await asyncio.sleep(CHECK_EVERY_S)


async def _measure(metrics: PortMetrics) -> None:
    while True:
        metrics.update()
        await asyncio.sleep(MEASURE_EVERY_S)


async def _write_points(series: MetricsSeries, process: str, clock_ms: Callable[[], int]) -> None:
    points = EntrypointPoints(process, clock_ms())
    while True:
        await asyncio.sleep(POINT_EVERY_S)
        series.write([points.point(clock_ms())])
        await series.flush()
