"""Records about the life of a tournament and of those who take part. All since rules 3."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import UNSET, UnsetType

from actors.domain.messages.fields import LONGEST_MS, Command, Millis, UserCommand

Reason = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]


class Begin(UserCommand, frozen=True, kw_only=True, tag="begin"):
    """A user's own window begins."""

    rules = 3


class Done(UserCommand, frozen=True, kw_only=True, tag="done"):
    """A user will send no more scores."""

    rules = 3


class ExtraTime(UserCommand, frozen=True, kw_only=True, tag="extra_time"):
    """A user has more time than others, also beyond the end; 0 takes it away."""

    rules = 3

    extra_ms: Annotated[int, msgspec.Meta(ge=0, le=LONGEST_MS)]


class Disqualify(UserCommand, frozen=True, kw_only=True, tag="disqualify"):
    """A user's score no longer counts, also after the end."""

    rules = 3
    after_end = True

    reason: Reason


class Reinstate(UserCommand, frozen=True, kw_only=True, tag="reinstate"):
    """A user is disqualified no more."""

    rules = 3
    after_end = True


class Reopen(Command, frozen=True, kw_only=True, tag="reopen"):
    """A mistaken end or cancel is undone. `ends_ms` UNSET: of one that was cancelled before its start, whose times stay."""

    rules = 3
    after_end = True

    ends_ms: Millis | UnsetType = UNSET


class Reveal(Command, frozen=True, kw_only=True, tag="reveal"):
    """The table that stands still is shown as it is."""

    rules = 3
    after_end = True
