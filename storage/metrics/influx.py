"""MetricsSeries in InfluxDB: line protocol over HTTP, in batches, oldest first; read back by InfluxQL.

With a user, or nothing, by the API of InfluxDB 1 (`/write`). With a token by that of InfluxDB 2 (`/api/v2/write`), which InfluxDB 1.8 and 3
take, too. All of them answer InfluxQL at `/query`.

No duplicates, although a batch without an answer is sent again: InfluxDB keeps one point for a measurement, its tags and a time, so
the same again changes nothing. For the same reason the later of two points that agree in all three replaces the fields of the
earlier: processes must differ in a tag. What a point loses on the way into the protocol stands in `storage.metrics.line_protocol`.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import httpx2

from storage.metrics.buffer import PointBuffer
from storage.metrics.line_protocol import Lines, carried, carried_key, carried_measurement, lines
from storage.ports.metrics import MAX_READ_POINTS, Point, SeriesTooLargeError, SeriesUnavailableError, Tags

logger = logging.getLogger(__name__)

MAX_BATCH_BYTES: Final = (
    1 << 20
)  # before compression; the server's own limit is 25 MB, that of proxies before it often 1 MiB
MAX_ANSWER_BYTES: Final = 1 << 20  # what is read of an answer to a write: an error names each line it refused
MAX_READ_BYTES: Final = 256 << 20  # of an answer to a query
MAX_ANSWER_CHARS: Final = 200  # of an answer, in log lines
GZIP_FROM_BYTES: Final = 1_024
REFUSED_A_FLUSH: Final = 100  # points, after which the next flush goes on: each takes some requests
# Sending the same again would not help: some of the lines, or all of them, are not taken as they are.
_REFUSING: Final = (httpx2.codes.BAD_REQUEST, httpx2.codes.CONTENT_TOO_LARGE, httpx2.codes.UNPROCESSABLE_CONTENT)


@dataclass(frozen=True, slots=True, kw_only=True)
class InfluxConfig:
    """Where and as whom to write and read. The database must exist; the user or token needs no more than to write to it and to read it.

    `url`: `http://host:port` or `https://...`, without credentials. `ca_file`: PEM file of the authorities to trust instead of the
    system's. `retention_policy`: empty for the database's default. `token`: instead of a user; then `database` is a bucket of the
    organisation `org`, which InfluxDB 3 does not have. `timeout_s`: for one batch or query, connecting included.
    """

    url: str
    database: str
    user: str = ""
    password: str = field(default="", repr=False)
    token: str = field(default="", repr=False)
    org: str = ""
    retention_policy: str = ""
    ca_file: str = ""
    timeout_s: float = 5.0


class InfluxMetrics:
    """See `storage.ports.metrics.MetricsSeries`. Connects when first flushed; belongs to one event loop.

    At most `max_points` are buffered, beyond that the oldest are dropped and counted. A flush sends batches of at most `batch_points`
    and MAX_BATCH_BYTES one after the other, and ends at the first that is not taken: away, forbidden or overloaded, the server gets it
    again with the next flush. A batch that it refuses it may have stored in part: it is never sent again as it was, but in halves, so
    that a bad point is dropped and counted alone; what is stored twice is one point. Raises ValueError for a configuration that cannot
    work.
    """

    def __init__(self, config: InfluxConfig, *, max_points: int = 100_000, batch_points: int = 5_000) -> None:
        self._config = config
        self._url = _write_url(config)
        self._tls = _tls(config)
        self._batch_points = batch_points
        self._next_points = batch_points  # of the next batch: less after one that was refused
        self._buffer = PointBuffer(max_points)
        self._trouble = self._refusal = ""
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

    @property
    def waiting(self) -> int:
        """See `MetricsSeries.waiting`."""
        return len(self._buffer)

    async def flush(self) -> None:
        """See `MetricsSeries.flush`. Sends what was written before the call. Trouble is logged when it begins, changes and ends."""
        async with self._flushing:
            left = len(self._buffer)
            refused = 0
            while left > 0 and len(self._buffer) and refused < REFUSED_A_FLUSH:
                with self._buffer.taken(min(self._next_points, left)) as points:
                    batch = await asyncio.to_thread(lines, points, MAX_BATCH_BYTES)
                    taken = await self._send(batch)
                    if taken is None:
                        break
                    if not taken and batch.taken > 1:
                        self._next_points = batch.taken // 2
                        continue
                    refused += not taken
                    self._next_points = min(self._batch_points, 2 * self._next_points)
                    self._buffer.dropped += batch.unwritable if taken else 1
                    left -= batch.taken
                    del points[: batch.taken]
            if refused:
                logger.warning("%d metric points were refused and are dropped: %s", refused, self._refusal)

    async def read(self, measurement: str, from_ms: int, until_ms: int, tags: Tags | None = None) -> list[Point]:
        """See `MetricsSeries.read`."""
        query = f"SELECT * {self._from(measurement)} {_where(from_ms, until_ms, tags)} GROUP BY *"
        points: list[Point] = []
        for series in await self._query(query):
            its_tags = {name: value for name, value in series.get("tags", {}).items() if value}
            for time_ms, *values in series["values"]:
                fields = zip(series["columns"][1:], values, strict=True)
                points.append(Point(measurement, its_tags, {n: v for n, v in fields if v is not None}, time_ms))
            if len(points) > MAX_READ_POINTS:
                raise SeriesTooLargeError(f"more than {MAX_READ_POINTS} points of {measurement}")
        return sorted(points, key=lambda point: point.time_ms)

    async def sums(
        self,
        measurement: str,
        fields: Sequence[str],
        from_ms: int,
        until_ms: int,
        step_ms: int,
        tags: Tags | None = None,
    ) -> dict[int, dict[str, int]]:
        """See `MetricsSeries.sums`. Of integers InfluxDB's own sum is exact."""
        wanted = ", ".join(f"sum({_identifier(carried_key(name))})" for name in fields)
        query = f"SELECT {wanted} {self._from(measurement)} {_where(from_ms, until_ms, tags)}"
        query += f" GROUP BY time({step_ms}ms) fill(none)"
        found: dict[int, dict[str, int]] = {}
        for series in await self._query(query):
            for time_ms, *values in series["values"]:
                found[time_ms] = {name: value or 0 for name, value in zip(fields, values, strict=True)}
        return found

    async def ping(self) -> str:
        """The server's version. Raises OSError where it does not answer."""
        try:
            answer = await self._connected().get(self._url_of("/ping"))
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

    async def _send(self, batch: Lines) -> bool | None:
        """Whether a batch was stored, False where it was refused; None when it was not taken, and is to be sent again."""
        if not batch.text:
            return True
        if self._closed:  # meanwhile
            return None
        try:
            async with asyncio.timeout(self._config.timeout_s):
                status, answer = await self._post(batch.text)
        except (TimeoutError, httpx2.HTTPError, OSError) as error:
            self._tell(f"{type(error).__name__}: {error}" if str(error) else type(error).__name__)
            return None
        reason = f"status {status}, {' '.join(answer[:MAX_ANSWER_CHARS].split())}"
        if status == httpx2.codes.NO_CONTENT:
            self._tell("")
            return True
        if status in _REFUSING:
            self._refusal = reason
            return False
        self._tell(reason)
        return None

    async def _query(self, query: str) -> list[dict[str, Any]]:
        """The series that a query answers. Raises SeriesUnavailableError, SeriesTooLargeError."""
        url = self._url_of("/query").copy_with(params={"db": self._config.database, "epoch": "ms"})
        body = b""
        try:
            async with (
                asyncio.timeout(self._config.timeout_s),
                self._connected().stream("POST", url, data={"q": query}) as response,
            ):
                async for chunk in response.aiter_bytes():
                    body += chunk
                    if len(body) > MAX_READ_BYTES:
                        raise SeriesTooLargeError(f"an answer of more than {MAX_READ_BYTES} bytes")
                status = response.status_code
            if status != httpx2.codes.OK:
                raise SeriesUnavailableError(f"{self._config.url}: status {status}, {_reason(body)}")
            result: dict[str, Any] = (await asyncio.to_thread(json.loads, body))["results"][0]
            if "error" in result:
                raise SeriesUnavailableError(f"{self._config.url}: {result['error'][:MAX_ANSWER_CHARS]}")
        except (TimeoutError, httpx2.HTTPError, OSError, ValueError, LookupError) as error:
            raise SeriesUnavailableError(f"{self._config.url}: {error or type(error).__name__}") from error
        series: list[dict[str, Any]] = result.get("series", [])
        return series

    def _from(self, measurement: str) -> str:
        policy = f"{_identifier(self._config.retention_policy)}." if self._config.retention_policy else ""
        return f"FROM {policy}{_identifier(carried_measurement(measurement))}"

    def _url_of(self, path: str) -> httpx2.URL:
        url = httpx2.URL(self._config.url)
        return url.copy_with(path=url.path.rstrip("/") + path)

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
                headers={"authorization": f"Token {config.token}"} if config.token else None,
                auth=httpx2.BasicAuth(config.user, config.password) if config.user else None,
                verify=self._tls or False,
                timeout=config.timeout_s,
                limits=httpx2.Limits(max_connections=2),  # a read waits for no flush
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
    if config.token and config.user:
        raise ValueError("expected a user or a token for the metric series, got both")
    names = {"bucket": config.database} if config.token else {"db": config.database}
    if config.token and config.retention_policy:
        names["bucket"] += f"/{config.retention_policy}"
    elif config.retention_policy:
        names["rp"] = config.retention_policy
    if config.org:
        names["org"] = config.org
    path = "/api/v2/write" if config.token else "/write"
    return url.copy_with(path=url.path.rstrip("/") + path, params={**names, "precision": "ms"})


def _where(from_ms: int, until_ms: int, tags: Tags | None) -> str:
    """A condition of InfluxQL; `time_ms` of 64 bits of ns at most, which is the year 2262."""
    most = (1 << 63) // 1_000_000 - 1
    times = f"WHERE time >= {max(from_ms, -most)}ms AND time < {min(until_ms, most)}ms"
    return " AND ".join([times, *(_is(name, value) for name, value in (tags or {}).items())])


def _is(name: str, value: str | Sequence[str]) -> str:
    values = [value] if isinstance(value, str) else value
    return f"({' OR '.join(f'{_identifier(carried_key(name))} = {_text(carried(each))}' for each in values)})"


def _identifier(name: str) -> str:
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _text(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _reason(body: bytes) -> str:
    return " ".join(body[:MAX_ANSWER_CHARS].decode("utf-8", errors="replace").split())


def _tls(config: InfluxConfig) -> ssl.SSLContext | None:
    if not config.url.startswith("https:"):
        return None
    try:
        return ssl.create_default_context(cafile=config.ca_file or None)
    except OSError as error:
        raise ValueError(f"expected a file of PEM certificates at {config.ca_file}: {error}") from error
