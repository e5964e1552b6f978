"""Which field of a value is wrong: msgspec tells its path, but not the name where fields are named freely (`answers[...]`)."""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec

MAX_NAME_CHARS: Final = 64
_AT: Final = re.compile(r"(.*) - at (`key` in )?`\$\.?(.*)`", re.DOTALL)
_STEPS: Final = re.compile(r"\[\.\.\.\]|\[(\d+)\]|([^.\[\]]+)")
_ANY: Final = "[...]"


def wrong_field(error: msgspec.ValidationError, value: Any = None, kind: Any = None) -> tuple[str, str]:
    """(path, message) of msgspec's error; `value`, as read from JSON, is what is no `kind`: with it names are told, too."""
    matched = _AT.fullmatch(str(error))
    if matched is None:
        return "", str(error)
    message, of_key, path = matched.groups()
    if not of_key and _ANY not in path:
        return path, message
    before, _, behind = (path, "", "") if of_key else path.partition(_ANY)
    name = None if kind is None else _culprit(str(error), value, kind, before)
    if name is None:
        return path, message
    return f"{before}{'.' if before else ''}{name[:MAX_NAME_CHARS]}{behind}", message


def _culprit(told: str, value: Any, kind: Any, path: str) -> str | None:
    """The name, within the object at a path, that makes msgspec tell this: looked for by halves, since that alone tells it."""
    trail: list[int | str] = [int(number) if number else name for number, name in _STEPS.findall(path)]
    try:
        names = list(_at(value, trail))
    except (KeyError, IndexError, TypeError):
        return None
    while len(names) > 1:
        half = names[: len(names) // 2]
        names = half if _tells(told, _with_only(value, trail, half), kind) else names[len(half) :]
    return names[0] if names else None


def _at(value: Any, trail: list[int | str]) -> dict[str, Any]:
    for step in trail:
        value = value[step]
    if not isinstance(value, dict):
        raise TypeError
    return value


def _with_only(value: Any, trail: list[int | str], names: list[str]) -> Any:
    """A copy in which the object at a path has these names alone."""
    if not trail:
        return {name: value[name] for name in names}
    copy = value.copy()
    copy[trail[0]] = _with_only(value[trail[0]], trail[1:], names)
    return copy


def _tells(told: str, value: Any, kind: Any) -> bool:
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        return str(error) == told
    return False
