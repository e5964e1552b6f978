"""Points as lines of InfluxDB's line protocol: `measurement,tag=value field=1.5 1790000000000`, times in ms.

Sources: InfluxData's "Line protocol syntax reference" (1.x), and how the server's own parser reads what the reference leaves open.

What the protocol cannot carry is changed or left out here, so that no name or value can spoil its line or those after it:
- control characters (a newline ends the line, whatever stands before it) become spaces;
- a backslash that would be read as an escape (at the end, or before a comma, an equals sign, a quote, a space, a backslash) becomes
  a slash; any other stays;
- `#` at the start of a measurement (the line would be a comment) becomes `_`, and a tag or field named `time` becomes `time_`;
- tags without a value (to InfluxDB the same as absent ones), tags and fields without a name, and fields that are not finite
  numbers are left out, and so are integers of more than 64 bits and texts of more than MAX_TEXT_BYTES.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from storage.ports.metrics import Point, Value

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_ESCAPING: Final = re.compile(r'\\(?=[\\,=" ]|\Z)')
_SPECIAL: Final = re.compile(r"([,= ])")
_SPECIAL_IN_MEASUREMENT: Final = re.compile(r"([, ])")  # an equals sign is nothing special there
_RESERVED: Final = "time"
MAX_TEXT_BYTES: Final = 65_535  # of a field; the server refuses more
_INTEGERS: Final = range(-(1 << 63), 1 << 63)


class Lines(NamedTuple):
    """The first `taken` of the points given, as text; `unwritable` of them have no line."""

    text: bytes
    taken: int
    unwritable: int


def carried(text: str) -> str:
    """A name or tag value as the protocol can carry it; see the module."""
    return _ESCAPING.sub("/", _CONTROL.sub(" ", text))


def carried_key(text: str) -> str:
    """A tag's or field's name as the protocol can carry it."""
    key = carried(text)
    return f"{key}_" if key == _RESERVED else key


def carried_measurement(text: str) -> str:
    """A measurement's name as the protocol can carry it."""
    measurement = carried(text)
    return f"_{measurement[1:]}" if measurement.startswith("#") else measurement


def line(point: Point) -> str | None:
    """A point's line, without its end; None for one without a measurement or without a field that can be written."""
    measurement = _SPECIAL_IN_MEASUREMENT.sub(r"\\\1", carried_measurement(point.measurement))
    fields = {
        _escaped(carried_key(name)): text
        for name, value in point.fields.items()
        if name and (text := _value(value)) is not None
    }
    if not measurement or not fields:
        return None
    tags = {
        _escaped(carried_key(name)): _escaped(carried(value)) for name, value in point.tags.items() if name and value
    }
    # Sorted, as the server wants them: it need not sort them itself.
    series = ",".join([measurement, *(f"{name}={tags[name]}" for name in sorted(tags))])
    return f"{series} {','.join(f'{name}={value}' for name, value in fields.items())} {int(point.time_ms)}"


def _value(value: Value) -> str | None:
    """A field's value; None where it cannot be written."""
    if isinstance(value, str):
        carried_text = _CONTROL.sub(" ", value)
        quoted = carried_text.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{quoted}"' if len(carried_text.encode("utf-8", errors="replace")) <= MAX_TEXT_BYTES else None
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value}i" if value in _INTEGERS else None
    return repr(float(value)) if math.isfinite(value) else None


def lines(points: Sequence[Point], max_bytes: int) -> Lines:
    """As many of the first points as go into `max_bytes`, and at least one. Never raises: what cannot be written is counted."""
    encoded: list[bytes] = []
    size = 0
    unwritable = 0
    for taken, point in enumerate(points):
        try:
            text = line(point)
        except Exception:  # whatever a caller put in: it must not hold up what comes behind it
            text = None
        if text is None:
            unwritable += 1
            continue
        data = text.encode("utf-8", errors="replace")  # lone surrogates become question marks
        if encoded and size + len(data) + 1 > max_bytes:
            return Lines(b"\n".join(encoded), taken, unwritable)
        encoded.append(data)
        size += len(data) + 1
    return Lines(b"\n".join(encoded), len(points), unwritable)


def _escaped(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", text)
