from __future__ import annotations

from serve_app.config import FrontConfig
from serve_app.live.limits.bounds import HubLimits


def test_settings_become_limits() -> None:
    limits = HubLimits.of(FrontConfig(max_sockets=7, max_sockets_per_address=3, position_check_s=2.5))
    assert limits == HubLimits(max_sockets=7, max_sockets_per_address=3, check_interval_s=2.5)


def test_defaults_are_the_settings_own() -> None:
    assert HubLimits.of(FrontConfig()) == HubLimits()
