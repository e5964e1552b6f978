"""The bodies of requests about prizes. All may be left out, with all of their fields."""

from __future__ import annotations

from typing import Annotated, Final

import msgspec
from msgspec import Meta

from actors.domain.prizes.rules import MAX_RULES, PrizeRules
from actors.domain.values import parse_id
from serve_app.http.bodies import BodyReader
from serve_app.http.request_schemas import Id

RuleNumber = Annotated[int, Meta(ge=0, lt=MAX_RULES)]


class PrizePreview(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, frozen=True):
    """`POST .../prizes/preview`: other rules to try; without them the tournament's own."""

    prizes: PrizeRules | None = None


class PrizeChoice(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """`POST .../prizes/approve`: the prizes of this user, and by this rule (its number, from 0); without them all."""

    user_id: Id | None = None
    rule: RuleNumber | None = None


class PrizeRevocation(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, frozen=True):
    """`POST .../prizes/revoke`: as to approve, with a reason."""

    user_id: Id | None = None
    rule: RuleNumber | None = None
    reason: Annotated[str, Meta(min_length=1, max_length=200)] | None = None


class PrizeClaim(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, frozen=True):
    """`POST .../prizes/claim`: by one rule, without it by all. `user_id`: for whom a service claims; a player is meant themselves."""

    user_id: Id | None = None
    rule: RuleNumber | None = None


_USER: Final = {"user_id": parse_id}
read_preview: Final = BodyReader(PrizePreview).read
read_choice: Final = BodyReader(PrizeChoice, _USER).read
read_revocation: Final = BodyReader(PrizeRevocation, _USER).read
read_claim: Final = BodyReader(PrizeClaim, _USER).read
