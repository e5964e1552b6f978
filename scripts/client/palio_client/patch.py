"""JSON Patch (RFC 6902) as far as Palio sends it: `add`, `remove` and `move` of rows, `replace` of anything."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


def apply_patch(data: Any, patch: Iterable[Mapping[str, Any]]) -> None:
    """Change `data` in place. Raises ValueError for what does not fit it."""
    for operation in patch:
        try:
            _apply(data, operation)
        except (LookupError, TypeError, ValueError) as error:
            raise ValueError(f"expected a patch of the data at hand, got {dict(operation)}") from error


def _apply(data: Any, operation: Mapping[str, Any]) -> None:
    parent, key = _place(data, operation["path"])
    match operation["op"]:
        case "replace":
            if isinstance(parent, dict) and key not in parent:
                raise KeyError(key)
            parent[key] = operation["value"]
        case "add":
            _insert(parent, key, operation["value"])
        case "remove":
            del parent[key]
        case "move":
            source, source_key = _place(data, operation["from"])
            value = source[source_key]
            del source[source_key]
            _insert(parent, key, value)
        case other:
            raise ValueError(f"expected add, remove, replace or move, got {other}")


def _insert(parent: Any, key: Any, value: Any) -> None:
    if isinstance(parent, list):
        if not 0 <= key <= len(parent):
            raise IndexError(key)
        parent.insert(key, value)
    else:
        parent[key] = value


def _place(data: Any, pointer: str) -> tuple[Any, Any]:
    """What a pointer points into, and the key or index there."""
    *path, last = (part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:])
    for part in path:
        data = data[_key(data, part)]
    return data, _key(data, last)


def _key(parent: Any, part: str) -> Any:
    if not isinstance(parent, list):
        return part
    if part == "-":
        return len(parent)
    if not part.isdecimal():
        raise IndexError(part)
    return int(part)
