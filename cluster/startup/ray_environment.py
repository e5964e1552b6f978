"""The environment that Ray must find before it is imported, and that its processes inherit; and that Ray asks who calls."""

from __future__ import annotations

import os
from typing import Final

from cluster.config.secrets import RAY_TOKEN, load_or_create_secret
from cluster.config.settings import Settings
from cluster.errors import StartError

RAY_ENVIRONMENT: Final = {
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # keeps Ray's own ports on loopback
    "RAY_AUTH_MODE": "token",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_worker_niceness": "0",  # by default workers give way to everything else on the machine
    "RAY_timeout_ms_task_wait_for_death_info": "100",  # callers of a restarted actor are answered a second sooner
    "RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S": "0",
    "RAY_DEDUP_LOGS": "0",
}


def prepare_ray_environment(settings: Settings) -> None:
    """What Ray must find in the environment before it is imported; what is set already stands, but for authentication.

    A Ray of Palio's own knows a token of its own; of one that is joined, whoever starts Palio has the token. Raises StartError when
    authentication is switched off: whoever reaches Ray's ports could run any code here.
    """
    for name, value in RAY_ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    require_ray_authentication()
    if settings.ray_address is None:
        load_or_create_secret(settings.data_dir, RAY_TOKEN)
        os.environ["RAY_AUTH_TOKEN_PATH"] = str((settings.data_dir / RAY_TOKEN).absolute())
        os.environ.pop("RAY_AUTH_TOKEN", None)  # Ray would take it first


def require_ray_authentication() -> None:
    """Raises StartError where this process's Ray asks nobody for a token."""
    mode = os.environ.get("RAY_AUTH_MODE", "disabled")
    if mode.lower() != "token":
        raise StartError(
            f"RAY_AUTH_MODE: expected `token` on every node, got {mode!r}: Ray would take calls from anyone"
        )
