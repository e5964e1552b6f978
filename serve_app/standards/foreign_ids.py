"""Who and what the ids of other systems are here: the file that PALIO_FOREIGN_IDS names.

    {"users": {"mailto:ann@example.org": "42", "https://lms.example|ann": "42"},
     "activities": {"https://lms.example/mod/quiz/view.php?id=5": "8127364512893471"}}

A user is named as the standard names them: an xAPI actor by `mbox`, `mbox_sha1sum`, `openid`, or `homePage|name` of an account; a user of a
tool of LTI by `userId`. A decimal id that the file does not name stands for itself.
"""

from __future__ import annotations

from typing import Final

import msgspec

from actors.domain.values import parse_id
from serve_app.standards.watched_file import WatchedFile


class ForeignIds(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """See the module; Palio's ids are decimal strings."""

    users: dict[str, str] = {}
    activities: dict[str, str] = {}

    def user(self, *names: str) -> int | None:
        """The user whom one of these names means; None if nobody. The file goes before what a name says by itself."""
        for name in names:
            if (mapped := self.users.get(name)) is not None:
                return parse_id(mapped)
        try:
            return parse_id(names[-1])
        except ValueError:
            return None


NONE: Final = ForeignIds()
_decoder: Final = msgspec.json.Decoder(ForeignIds)


def parse_foreign_ids(data: bytes) -> ForeignIds:
    """The file's content. Raises ValueError, and msgspec's errors."""
    ids = _decoder.decode(data)
    for field, entries in (("users", ids.users), ("activities", ids.activities)):
        for name, value in entries.items():
            try:
                parse_id(value)
            except ValueError:
                raise ValueError(f"{field}: {name[:100]!r}: expected a decimal id, got {value[:40]!r}") from None
    return ids


class ForeignIdsFile:
    """The file, or none at all."""

    def __init__(self, path: str | None) -> None:
        self._file = None if path is None else WatchedFile(path, parse_foreign_ids)

    async def current(self) -> ForeignIds:
        """As the file is now. Raises Problem 503 if it could never be read."""
        return NONE if self._file is None else await self._file.current()
