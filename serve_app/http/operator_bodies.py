"""The bodies of operators' requests."""

from __future__ import annotations

from typing import Annotated, Final

import msgspec
from msgspec import Meta

MAX_REPLAYED: Final = 100  # letters a call


class LetterPlace(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, frozen=True):
    """Where the record of a dead letter lay in the log."""

    partition: Annotated[int, Meta(ge=0)]
    offset: Annotated[int, Meta(ge=0)]


class Replay(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, frozen=True):
    """`POST /v1/dead-letters/replay`."""

    letters: Annotated[list[LetterPlace], Meta(min_length=1, max_length=MAX_REPLAYED)]
