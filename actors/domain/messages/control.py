"""The records: scores, and what Palio itself writes."""

from __future__ import annotations

from typing import Annotated

import msgspec

from actors.domain.messages.fields import (
    MAX_USES,
    RULES_VERSION,
    Command,
    DecimalId,
    Millis,
    Name,
    Record,
    ResultObject,
    ScoreNumber,
    Token,
    UserCommand,
)
from actors.domain.messages.scoring import Attributes
from actors.domain.messages.spec import Changes, Spec, needed_rules


class ScoreWire(Record, frozen=True, kw_only=True, tag="score"):
    """A score as produced: ids are decimal strings, the score a JSON number, with a `subscore` beside it where the tournament has one.

    Or a `result`, a JSON object from which the tournament's scoring computes them.
    """

    event_id: Token
    user_id: DecimalId
    score: ScoreNumber | msgspec.UnsetType = msgspec.UNSET
    subscore: ScoreNumber | msgspec.UnsetType = msgspec.UNSET
    result: ResultObject | msgspec.UnsetType = msgspec.UNSET


class Create(Record, frozen=True, kw_only=True, tag="create"):
    """Begins a tournament. `request_digest` tells a repeat from another create under the same id."""

    command_id: Token
    creator: str
    created_ms: Millis
    spec: Spec
    dedicated: bool
    salt: Annotated[str, msgspec.Meta(pattern="^([0-9a-f]{2}){1,64}$")]  # hex; the key of the digests
    request_digest: str
    rules_version: Annotated[int, msgspec.Meta(ge=1)] = RULES_VERSION


class Join(UserCommand, frozen=True, kw_only=True, tag="join", omit_defaults=True):
    """A user takes part. `invited`: a service vouches for the user, who may join a private tournament, or again after being removed.
    `invitation`: the id of one that the user brings instead. `placed`: by the tournament that opened this one, which alone fills it.
    `attributes`: the user's groups by board.
    """

    name: Name | None = None
    invited: bool = False
    invitation: Token | msgspec.UnsetType = msgspec.UNSET
    placed: bool | msgspec.UnsetType = msgspec.UNSET
    attributes: Attributes | msgspec.UnsetType = msgspec.UNSET

    @property
    def needed_rules(self) -> tuple[int, str]:
        """As Command.needed_rules: what is UNSET by itself came with rules 3."""
        later = (("invite", self.invitation), ("attributes", self.attributes), ("placed", self.placed))
        return next(((3, name) for name, given in later if given is not msgspec.UNSET), (self.rules, self.kind))


class Leave(UserCommand, frozen=True, kw_only=True, tag="leave"):
    """A user leaves. `removed`: by a service's doing, so that only a service brings the user back; absent in records of earlier versions."""

    removed: bool | msgspec.UnsetType = msgspec.UNSET


class Start(Command, frozen=True, kw_only=True, tag="start"):
    """An operator starts it now."""


class End(Command, frozen=True, kw_only=True, tag="end"):
    """An operator ends it now."""


class Cancel(Command, frozen=True, kw_only=True, tag="cancel"):
    """An operator cancels it."""


class Erase(UserCommand, frozen=True, kw_only=True, tag="erase"):
    """A user's name and groups are forgotten, in a tournament of whatever rules and status."""

    after_end = True


class Invite(Command, frozen=True, kw_only=True, tag="invite", omit_defaults=True):
    """An invitation is given by `creator`: for one user, or for whoever brings it, `uses` times in all. The same id again changes nothing."""

    rules = 3

    invitation: Token
    creator: str
    user_id: str | None = None
    uses: Annotated[int, msgspec.Meta(ge=1, le=MAX_USES)] = 1
    expires_ms: Millis | None = None


class RevokeInvitation(Command, frozen=True, kw_only=True, tag="revoke_invitation"):
    """An invitation counts no more; who came by it stays."""

    rules = 3

    invitation: Token


class Open(Command, frozen=True, kw_only=True, tag="open", omit_defaults=True):
    """The next tournament of a series, after the one that starts at `after_ms` (0: the first); `missed` before it were over already."""

    rules = 3

    after_ms: Millis
    starts_ms: Millis
    missed: int = 0


class Standings(Command, frozen=True, kw_only=True, tag="standings"):
    """What a league's final tables of one occurrence mean: the new tiers of those who move, by user id."""

    rules = 3

    starts_ms: Millis
    moves: list[tuple[str, int]]


class Written(Command, frozen=True, kw_only=True, tag="written"):
    """A parent's errands up to this number are in the log."""

    rules = 3

    upto: Annotated[int, msgspec.Meta(ge=0)]


class Edit(Command, frozen=True, kw_only=True, tag="edit", omit_defaults=True):
    """An edit; `if_version` None means whatever the version."""

    changes: Changes
    if_version: int | None = None

    @property
    def needed_rules(self) -> tuple[int, str]:
        """As Command.needed_rules: those of its changes."""
        return needed_rules(self.changes)


class Tick(Record, frozen=True, kw_only=True, tag="tick"):
    """Only its append time matters."""


class Claim(Record, frozen=True, kw_only=True, tag="claim"):
    """An owner takes a scope (`partition-<p>` or `tournament-<id>`); the record's offset is the epoch."""

    command_id: Token
    scope: str
    owner: str
    instance: str
