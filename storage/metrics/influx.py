"""MetricsSeries in InfluxDB 1.x (and what speaks its `/write`): line protocol over HTTP, in batches, oldest first.

No duplicates, although a batch without an answer is sent again: InfluxDB keeps one point for a measurement, its tags and a time, so
the same again changes nothing. For the same reason the later of two points that agree in all three replaces the fields of the
earlier: processes must differ in a tag. What a point loses on the way into the protocol stands in `storage.metrics.line_protocol`.
"""

from __future__ import annotations

import asyncio
import gzip
import logging
import re
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import httpx2

from storage.metrics.buffer import PointBuffer
from storage.metrics.line_protocol import Lines, lines
from storage.ports.metrics import Point

logger = logging.getLogger(__name__)

MAX_BATCH_BYTES: Final = (
    1 << 20
)  # before compression; the server's own limit is 25 MB, that of proxies before it often 1 MiB
MAX_ANSWER_BYTES: Final = 1 << 20  # what is read of an answer: an error names each line it refused
MAX_ANSWER_CHARS: Final = 200  # of an answer, in log lines
GZIP_FROM_BYTES: Final = 1_024
_REFUSED: Final = re.compile(r"dropped=(\d+)|unable to parse '")
# Sending the same again would not help: some of the lines, or all of them, are not taken as they are.
_REFUSING: Final = (httpx2.codes.BAD_REQUEST, httpx2.codes.CONTENT_TOO_LARGE)


@dataclass(frozen=True, slots=True, kw_only=True)
class InfluxConfig:
    """Where and as whom to write. The database must exist; the user needs no more than to write to it.

    `url`: `http://host:port` or `https://...`, without credentials. `ca_file`: PEM file of the authorities to trust instead of the
    system's. `retention_policy`: empty for the database's default. `timeout_s`: for one batch, connecting included.
    """

    url: str
    database: str
    user: str = ""
    password: str = field(default="", repr=False)
    retention_policy: str = ""
    ca_file: str = ""
    timeout_s: float = 5.0


class InfluxMetrics:
    """See `storage.ports.metrics.MetricsSeries`. Connects when first flushed; belongs to one event loop.

    At most `max_points` are buffered, beyond that the oldest are dropped and counted. A flush sends batches of at most `batch_points`
    and MAX_BATCH_BYTES one after the other, and ends at the first that is not taken: away, forbidden or overloaded, the server gets it
    again with the next flush; lines that it refuses as they are, are dropped and counted. Raises ValueError for a configuration
    that cannot work.
    """

    def __init__(self, config: InfluxConfig, *, max_points: int = 100_000, batch_points: int = 5_000) -> None:
        self._config = config
        self._url = _write_url(config)
        self._tls = _tls(config)
        self._batch_points = batch_points
        self._buffer = PointBuffer(max_points)
        self._trouble = ""
        self._flushing = asyncio.Lock()
        self._client: httpx2.AsyncClient | None = None
        self._closed = False

    @property
    def dropped(self) -> int:
        """See `MetricsSeries.dropped`."""
        return self._buffer.dropped

    def write(self, points: Sequence[Point]) -> None:
        """See `MetricsSeries.write`. Belongs to the event loop's thread, as `flush` does. After `close` points are dropped."""
        self._buffer.add(points)
        if self._closed:
            self._buffer.drop_all()

    async def flush(self) -> None:
        """See `MetricsSeries.flush`. Sends what was written before the call. Trouble is logged when it begins, changes and ends."""
        async with self._flushing:
            left = len(self._buffer)
            while left > 0 and len(self._buffer):
                with self._buffer.taken(min(self._batch_points, left)) as points:
                    batch = await asyncio.to_thread(lines, points, MAX_BATCH_BYTES)
                    lost = await self._lost(batch)
                    if lost is None:
                        return
                    self._buffer.dropped += lost
                    left -= batch.taken
                    del points[: batch.taken]

    async def ping(self) -> str:
        """The server's version. Raises OSError where it does not answer."""
        url = httpx2.URL(self._config.url)
        try:
            answer = await self._connected().get(url.copy_with(path=url.path.rstrip("/") + "/ping"))
        except httpx2.HTTPError as error:
            raise OSError(f"{self._config.url}: {error or type(error).__name__}") from error
        if answer.status_code >= 300:
            raise OSError(f"{self._config.url}: expected InfluxDB, got status {answer.status_code}")
        return answer.headers.get("x-influxdb-version", "of an unknown version")

    async def close(self) -> None:
        """See `MetricsSeries.close`. Takes `timeout_s` at most; what is left then is dropped and counted. A second call does nothing."""
        if self._closed:
            return
        try:
            async with asyncio.timeout(self._config.timeout_s):
                await self.flush()
        except TimeoutError:
            logger.warning("%d metric points could not be written in time before the end", len(self._buffer))
        self._closed = True
        self._buffer.drop_all()
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def _lost(self, batch: Lines) -> int | None:
        """How many of a batch are lost once it has been sent; None when it was not taken."""
        if not batch.text:
            return batch.unwritable
        if self._closed:  # meanwhile
            return None
        try:
            async with asyncio.timeout(self._config.timeout_s):
                status, answer = await self._post(batch.text)
        except (TimeoutError, httpx2.HTTPError, OSError) as error:
            self._tell(f"{type(error).__name__}: {error}" if str(error) else type(error).__name__)
            return None
        if status == httpx2.codes.NO_CONTENT:
            self._tell("")
            return batch.unwritable
        reason = " ".join(answer[:MAX_ANSWER_CHARS].split())
        if status not in _REFUSING:
            self._tell(f"status {status}, {reason}")
            return None
        count = batch.text.count(b"\n") + 1
        refused = sum(int(number or 1) for number in _REFUSED.findall(answer))
        refused = min(refused or count, count)  # an answer that does not tell how many: all
        logger.warning(
            "%d of %d metric points were refused and are dropped: status %d, %s", refused, count, status, reason
        )
        return batch.unwritable + refused

    async def _post(self, text: bytes) -> tuple[int, str]:
        """The status and the beginning of the answer. Raises httpx2.HTTPError, OSError."""
        client = self._connected()
        headers = {"content-type": "text/plain; charset=utf-8"}
        if len(text) >= GZIP_FROM_BYTES:
            text = await asyncio.to_thread(gzip.compress, text, 1)
            headers["content-encoding"] = "gzip"
        async with client.stream("POST", self._url, content=text, headers=headers) as response:
            answer = b""
            async for chunk in response.aiter_bytes():
                answer += chunk
                if len(answer) > MAX_ANSWER_BYTES:
                    break
            return response.status_code, answer[:MAX_ANSWER_BYTES].decode("utf-8", errors="replace")

    def _connected(self) -> httpx2.AsyncClient:
        if self._client is None:
            config = self._config
            self._client = httpx2.AsyncClient(
                # In a header, never in the address: addresses end up in logs.
                auth=httpx2.BasicAuth(config.user, config.password) if config.user else None,
                verify=self._tls or False,
                timeout=config.timeout_s,
                limits=httpx2.Limits(max_connections=1),
                follow_redirects=False,  # credentials go nowhere else
                trust_env=False,  # nor through a proxy that is meant for other things
            )
        return self._client

    def _tell(self, trouble: str) -> None:
        if trouble and trouble != self._trouble:
            logger.warning("metric points wait, the series at %s did not take them: %s", self._config.url, trouble)
        elif self._trouble and not trouble:
            logger.info("the series at %s takes metric points again", self._config.url)
        self._trouble = trouble


def _write_url(config: InfluxConfig) -> httpx2.URL:
    try:
        url = httpx2.URL(config.url)
    except (httpx2.InvalidURL, TypeError):
        raise ValueError("expected the address of the metric series as http://host:port") from None
    if url.userinfo or url.query:  # not repeated: it may hold a password
        raise ValueError("expected the address of the metric series without user, password or query")
    if url.scheme not in {"http", "https"} or not url.host:
        raise ValueError(f"expected the address of the metric series as http://host:port, got {config.url!r}")
    if not config.database:
        raise ValueError("expected the name of the metric series' database")
    names = {"db": config.database, "precision": "ms"}
    if config.retention_policy:
        names["rp"] = config.retention_policy
    return url.copy_with(path=url.path.rstrip("/") + "/write", params=names)


def _tls(config: InfluxConfig) -> ssl.SSLContext | None:
    if not config.url.startswith("https:"):
        return None
    try:
        return ssl.create_default_context(cafile=config.ca_file or None)
    except OSError as error:
        raise ValueError(f"expected a file of PEM certificates at {config.ca_file}: {error}") from error
