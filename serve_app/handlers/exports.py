"""Results as files, in the formats of `serve_app.formats.write`; and the calendar of tournaments is in `listing`."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import pyarrow as pa
from starlette.concurrency import iterate_in_threadpool

from actors.domain.results.table import decode_results, told_of
from actors.domain.texts import folded
from serve_app.formats.write.csv_text import write_csv
from serve_app.formats.write.gradebook import SYSTEMS, write_canvas, write_moodle
from serve_app.formats.write.iof import write_iof
from serve_app.formats.write.parquet import write_parquet
from serve_app.formats.write.scoreboards import write_clics, write_ctftime
from serve_app.handlers.callers import Callers
from serve_app.http.caching import file_headers
from serve_app.http.headers import attachment
from serve_app.http.messages import Request, Response
from serve_app.http.problems import invalid, unavailable
from serve_app.metrics import EXPORTS
from serve_app.services.reads import Reads, unknown_tournament

MAX_EXPORTS: Final = 4  # of a process at once: each holds its table, some 60 bytes a row, until it is read
CSV: Final = "text/csv; charset=utf-8; header=present"
JSON: Final = "application/json"
PARQUET: Final = "application/vnd.apache.parquet"
IOF: Final = "application/xml"


class Format(NamedTuple):
    """A format of exports: its media type, how its files end, and what writes it, given the table and the time in ms."""

    media_type: str
    extension: str
    write: Callable[[pa.Table, int], Iterator[bytes]]


def _timeless(write: Callable[[pa.Table], Iterator[bytes]]) -> Callable[[pa.Table, int], Iterator[bytes]]:
    return lambda table, _now_ms: write(table)


FORMATS: Final = {
    "csv": Format(CSV, "csv", _timeless(write_csv)),
    "parquet": Format(PARQUET, "parquet", _timeless(write_parquet)),
    "iof": Format(IOF, "iof.xml", write_iof),
    "ctftime": Format(JSON, "ctftime.json", _timeless(write_ctftime)),
    "clics": Format(JSON, "clics.json", write_clics),
    "gradebook": Format(CSV, "gradebook.csv", _timeless(write_moodle)),
}
_CANVAS: Final = Format(CSV, "canvas.csv", _timeless(write_canvas))


class Place:
    """One of MAX_EXPORTS; given back when nobody holds it any more, however the answer ended."""

    def __init__(self, places: Places) -> None:
        self._places = places
        places.taken += 1

    def __del__(self) -> None:
        self._places.taken -= 1


@dataclass(slots=True)
class Places:
    """How many exports are under way."""

    taken: int = 0

    def take(self) -> Place:
        """A place, to be held until the answer is read. Raises Problem 503."""
        if self.taken >= MAX_EXPORTS:
            raise unavailable("unavailable", f"{MAX_EXPORTS} exports are under way; try again", 1.0)
        return Place(self)


@dataclass(frozen=True, slots=True)
class ExportHandlers:
    """See the module."""

    callers: Callers
    reads: Reads
    clock_ms: Callable[[], int]
    places: Places = field(default_factory=Places)

    async def export(self, request: Request) -> Response:
        """`GET /v1/tournaments/{id}/export`: the table, of one moment, in a format."""
        principal = await self.callers.principal(request)
        name, format_ = _format(request)
        known = await self.reads.visible(request.path["tournament"], principal)
        place = self.places.take()
        reply = await self.reads.results(known, full=principal is not None and principal.privileged)
        if not reply.found:
            raise unknown_tournament(known.text)
        table = decode_results(reply.body)
        file_name = f"{_stem(told_of(table)['name'])}-{known.text}.{format_.extension}"
        headers = file_headers(request, reply) | {"content-disposition": attachment(file_name)}
        EXPORTS.labels(name).inc()
        stream = _held(place, format_.write(table, self.clock_ms()))
        return Response(200, headers=headers, content_type=format_.media_type, stream=stream)


async def _held(place: Place, pieces: Iterator[bytes]) -> AsyncGenerator[bytes, None]:
    """The pieces, made in a thread as they are read; the place is held as long as this is."""
    async for piece in iterate_in_threadpool(pieces):
        yield piece
    del place


def _format(request: Request) -> tuple[str, Format]:
    name = request.query.get("format", "csv")
    if name not in FORMATS:
        raise invalid("format", f"expected one of {', '.join(FORMATS)}, got {name[:40]!r}")
    system = request.query.get("system")
    if system is None:
        return name, FORMATS[name]
    if name != "gradebook":
        raise invalid("system", "expected this parameter with format=gradebook alone")
    if system not in SYSTEMS:
        raise invalid("system", f"expected one of {', '.join(SYSTEMS)}, got {system[:40]!r}")
    return name, _CANVAS if system == "canvas" else FORMATS[name]


def _stem(name: str) -> str:
    """A tournament's name as the beginning of a file's, without what file systems keep for themselves."""
    text = "".join(char if char.isalnum() else "-" for char in folded(name))
    return "-".join(filter(None, text.split("-")))[:60] or "tournament"
