"""What makes a control record malformed beyond its form: judged before it changes anything."""

from __future__ import annotations

from actors.domain.errors import InvalidRecordError
from actors.domain.values import parse_id


def read_user(text: str) -> int:
    """The id of a user. Raises InvalidRecordError `malformed`."""
    try:
        return parse_id(text)
    except ValueError as error:
        raise InvalidRecordError("malformed", str(error)) from error


def check_rules(rules_version: int, needed: int, what: str) -> None:
    """Raises InvalidRecordError `malformed` where `what` came with later rules than those of the tournament."""
    if needed > rules_version:
        raise InvalidRecordError(
            "malformed", f"{what} came with rules {needed}, the tournament has rules {rules_version}"
        )
