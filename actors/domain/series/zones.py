"""Time zones by the rules of the pinned `tzdata` package, never by the machine's files: zoneinfo alone would prefer those, and they may be
years older. Reads nothing but that package."""

from __future__ import annotations

import functools
import importlib.resources
from typing import Final
from zoneinfo import ZoneInfo

import tzdata

ZONE_RULES: Final = f"tzdata {tzdata.__version__} (IANA {tzdata.IANA_VERSION})"  # for people
_PACKAGE: Final = importlib.resources.files(tzdata)


@functools.cache
def zone_names() -> frozenset[str]:
    """Every name that the package has rules for, such as `Europe/Paris` and `UTC`."""
    return frozenset(_PACKAGE.joinpath("zones").read_text(encoding="utf-8").split())


@functools.lru_cache(maxsize=1024)  # more than there are
def zone(name: str) -> ZoneInfo:
    """A zone by its IANA name, in its exact spelling. Raises ValueError."""
    if name not in zone_names():
        raise ValueError(f"expected an IANA time zone such as Europe/Paris, got {name[:64]!r}")
    with _PACKAGE.joinpath("zoneinfo", *name.split("/")).open("rb") as file:
        return ZoneInfo.from_file(file, key=name)
