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


def rules_problem(rules_version: int, needed: int, what: str) -> str:
    """What is wrong where `what` came with later rules than those of the tournament, else empty."""
    return (
        f"{what} came with rules {needed}, the tournament has rules {rules_version}" if needed > rules_version else ""
    )
