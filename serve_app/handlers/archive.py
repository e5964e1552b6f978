"""The archive: a tournament's file, and the list of files."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from actors.domain.values import rfc3339
from serve_app.handlers.callers import Callers
from serve_app.handlers.exports import PARQUET, Place, Places
from serve_app.http.caching import PERSONAL, etag_matches
from serve_app.http.headers import attachment
from serve_app.http.messages import Request, Response
from serve_app.http.problems import Problem, invalid, unavailable
from serve_app.http.query import query_int
from serve_app.services.reads import Reads
from storage.ports import Archived, ArchiveFiles, ArchiveIndex, digest_of, table_name

TRIES: Final = 3  # of a file that is written anew while it is read
AGAIN_S: Final = 0.2
PIECE_BYTES: Final = 256 * 1024
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class ArchiveHandlers:
    """See the module. `files` None: there is no archive."""

    callers: Callers
    reads: Reads
    index: ArchiveIndex
    files: ArchiveFiles | None
    places: Places

    async def archive(self, request: Request) -> Response:
        """`GET /v1/tournaments/{id}/archive`: the Parquet file, 404 `not_archived` until it is written."""
        principal = await self.callers.privileged(request)
        known = await self.reads.visible(request.path["tournament"], principal)
        place = self.places.take()
        for _ in range(TRIES):
            entry = await self.index.archived(known.tournament_id)
            if entry is None or self.files is None:
                raise Problem(
                    404, "not_archived", "it has not finished, or its file is still to be written, or deleted"
                )
            etag = f'"{entry.digest}"'
            headers = {**PERSONAL, "etag": etag}
            wanted = request.headers.get("if-none-match")
            if wanted is not None and etag_matches(wanted, etag):
                return Response(304, headers=headers)
            data = await self.files.get(table_name(known.tournament_id))
            if data is not None and digest_of(data) == entry.digest:
                headers |= {
                    "content-length": str(len(data)),
                    "content-disposition": attachment(f"tournament-{known.text}-r{entry.revision}.parquet"),
                }
                return Response(200, headers=headers, content_type=PARQUET, stream=_pieces(place, data))
            await asyncio.sleep(AGAIN_S)
        raise unavailable("unavailable", "the file is being written anew, or is damaged; try again", 5.0)

    async def list_archives(self, request: Request) -> Response:
        """`GET /v1/archives`: the files, of those that finished last first."""
        principal = await self.callers.caller(request)
        if principal.role != "operator":
            raise Problem(403, "role_forbidden", "expected the role operator")
        limit = query_int(request.query, "limit", 50, 1, 100)
        try:
            found, cursor = await self.index.page(request.query.get("cursor"), limit)
        except ValueError as error:
            raise invalid("cursor", "expected a cursor that an earlier page gave") from error
        body = {"items": [_item(entry, name) for entry, name in found], "next_cursor": cursor}
        return Response(200, _encode(body), dict(PERSONAL))


def _item(entry: Archived, name: str) -> dict[str, Any]:
    return {
        "tournament_id": str(entry.tournament_id),
        "name": name,
        "revision": entry.revision,
        "finished_at": rfc3339(entry.finished_ms),
        "participants": entry.participants,
        "size_bytes": entry.size_bytes,
        "archived_at": rfc3339(entry.archived_ms),
        "in_records": entry.place == "kept",
    }


async def _pieces(place: Place, data: bytes) -> AsyncGenerator[bytes, None]:
    for start in range(0, len(data), PIECE_BYTES):
        yield data[start : start + PIECE_BYTES]
    del place
