"""Zones: the pinned package's rules, whatever the machine has."""

from __future__ import annotations

import importlib.metadata
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
import tzdata

from actors.domain.series import zones


def test_a_zone_that_changed_goes_by_the_package_whatever_the_machine_has() -> None:
    """British Columbia stays on summer time from November 2026 on: files of 2025 say -8 hours."""
    evening = datetime(2026, 12, 1, 20, tzinfo=zones.zone("America/Vancouver"))
    assert evening.utcoffset() == timedelta(hours=-7)
    assert evening.astimezone(UTC).hour == 3


@pytest.mark.parametrize("path", ["", "/usr/share/zoneinfo"])
def test_the_search_path_of_zoneinfo_plays_no_part(path: str) -> None:
    code = (
        "from datetime import datetime; from actors.domain.series.zones import zone\n"
        "print(zone('America/Vancouver').utcoffset(datetime(2026, 12, 1)))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONTZPATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout.strip() == "-1 day, 17:00:00"


def test_the_version_that_is_told_is_the_installed_ones() -> None:
    assert importlib.metadata.version("tzdata") in zones.ZONE_RULES
    assert tzdata.IANA_VERSION in zones.ZONE_RULES


@pytest.mark.parametrize(
    "name", ["Europe/Atlantis", "", "../../etc/passwd", "europe/paris", "zones", "Europe", "UTC\0"]
)
def test_an_unknown_zone_is_an_error_that_names_it(name: str) -> None:
    with pytest.raises(ValueError, match="IANA time zone"):
        zones.zone(name)


def test_every_name_has_rules() -> None:
    for name in zones.zone_names():
        assert zones.zone(name).key == name
