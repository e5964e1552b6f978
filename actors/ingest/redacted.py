"""Dead letters without answers: the key of `keyed` scoring stays out of where records go that cannot be applied."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from storage.ports import DeadLetter

LEFT_OUT: Final = "the record's value is left out: it may hold a key"


def without_key(letter: DeadLetter) -> DeadLetter:
    """The same letter, with no key in its record's value; where that cannot be read, without the value."""
    value = letter.record.value
    if b"keyed" not in value:
        return letter
    try:
        content = msgspec.json.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return DeadLetter(letter.record._replace(value=b""), letter.reason, f"{letter.detail}; {LEFT_OUT}")
    if not _strip(content):
        return letter
    return letter._replace(record=letter.record._replace(value=msgspec.json.encode(content)))


def _strip(content: Any) -> bool:
    """Take the keys out of all scorings within; whether there were any."""
    found = False
    if isinstance(content, dict):
        found = content.get("kind") == "keyed" and content.pop("key", None) is not None
        content = list(content.values())
    if isinstance(content, list):
        for inner in content:
            found |= _strip(inner)
    return found
