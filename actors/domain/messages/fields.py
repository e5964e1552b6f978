"""What fields of records hold: the types that messages and specs share, and their limits."""

from __future__ import annotations

from typing import Annotated, ClassVar, Final, Literal

import msgspec

from actors.domain.values import LATEST_MS, MAX_HUNDREDTHS, decimal_score

RULES_VERSION: Final = 3  # of the fold, fixed for life by the create; `actors.domain.fold` says what differs
MAX_USES: Final = 1_000_000  # of one invitation
LONGEST_MS: Final = 3_155_760_000_000  # 100 years

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
Token = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
Millis = Annotated[int, msgspec.Meta(ge=0, le=LATEST_MS)]
Duration = Annotated[int, msgspec.Meta(ge=1, le=LONGEST_MS)]
# Judged by `parse_id`, `hundredths` and the tournament's scoring, whose errors say more; here they are told.
DecimalId = Annotated[str, msgspec.Meta(extra_json_schema={"pattern": "^[1-9][0-9]{0,18}$"})]
ScoreNumber = Annotated[
    float,
    msgspec.Meta(
        description="With at most 2 decimals.",
        extra_json_schema={"minimum": decimal_score(-MAX_HUNDREDTHS), "maximum": decimal_score(MAX_HUNDREDTHS)},
    ),
]
ResultObject = Annotated[msgspec.Raw, msgspec.Meta(extra_json_schema={"type": "object"})]


class Record(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type"):
    """Base of all that records say."""

    v: Literal[1] = 1


class Command(Record, frozen=True, kw_only=True):
    """Base of what a caller orders. `by`: the caller's user id, where the tournament's history is to tell it.

    `rules`: those that brought it; under older ones it is refused. `after_end`: it may change a tournament that is over.
    """

    rules: ClassVar[int] = 1
    after_end: ClassVar[bool] = False

    command_id: Token
    by: str | msgspec.UnsetType = msgspec.UNSET

    @property
    def needed_rules(self) -> tuple[int, str]:
        """The oldest rules that know all that it says, and what needs them, by the name that clients know."""
        return self.rules, self.kind

    @property
    def kind(self) -> str:
        """What is ordered: the record's type."""
        return str(self.__struct_config__.tag)


class UserCommand(Command, frozen=True, kw_only=True):
    """Base of commands about one user, whose id is decimal."""

    user_id: DecimalId
