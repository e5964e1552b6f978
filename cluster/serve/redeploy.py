"""Replaces the entrypoints of a running Palio from outside: new code, or other settings of theirs. Owners and ingest go on.

Serve starts a new replica before an old one leaves (`cluster.serve.deployments.MAX_SURGE_PERCENT`); if new ones do
not come up, the old ones stay.
"""

from __future__ import annotations

import logging
import time
from typing import Final

from cluster.config.settings import PREFIX, Settings
from cluster.errors import StartError
from cluster.running import joined_palio
from serve_app.config import FrontConfig

REPLACED_S: Final = 600.0  # for all replicas of both entrypoints, on a busy machine and with sockets that drain
REPLICAS: Final = {"api_replicas", "gateway_replicas_min", "gateway_replicas_max"}
ENTRYPOINT_SETTINGS: Final = REPLICAS | {
    "demo_players",
    "gateway_public_url",
    "log_level",
    "owner_call_timeout_s",
    "snapshot_cache_entries",
}
WHERE_IT_RUNS: Final = {"data_dir", "ray_address"}  # how it is found, not what it does


def redeploy(given: Settings) -> None:
    """Replace all replicas of both entrypoints; returns once all are new.

    Raises StartError: no Palio runs there, `given` sets what only a restart changes, or the new replicas did not come up.
    """
    with joined_palio(given) as started:
        _replace(entrypoint_settings(started, given))


def entrypoint_settings(started: Settings, given: Settings) -> Settings:
    """What Palio was started with, and over it what is given. Raises StartError for what concerns more than the entrypoints."""
    changed = {
        name: getattr(given, name)
        for name in sorted(given.model_fields_set - WHERE_IT_RUNS)
        if getattr(given, name) != getattr(started, name)
    }
    for name in changed:
        if name not in ENTRYPOINT_SETTINGS and name not in FrontConfig.__dataclass_fields__:
            raise StartError(
                f"{PREFIX}{name.upper()}: expected what Palio was started with; it concerns more than the entrypoints: only a restart changes it"
            )
    return Settings(**({name: getattr(started, name) for name in Settings.model_fields} | changed))


def _replace(settings: Settings) -> None:
    from ray import serve
    from ray.serve.schema import ApplicationStatus

    from cluster.serve.deployments import targets

    logging.getLogger("ray.serve").setLevel(logging.WARNING)
    runs = targets(settings)
    serve.run_many(runs, wait_for_applications_running=False)  # each run is a new version: all replicas are replaced
    deadline_s = time.monotonic() + REPLACED_S
    while True:
        states = {name: app for name, app in serve.status().applications.items() if name in {run.name for run in runs}}
        failed = [app for app in states.values() if app.status == ApplicationStatus.DEPLOY_FAILED]
        if failed:
            reason = _last_line("\n".join(each.message for each in failed[0].deployments.values()) or failed[0].message)
            raise StartError(
                f"the new replicas did not come up, the old ones stay: {reason}; Ray's logs: /tmp/ray/session_latest/logs"
            )
        if len(states) == len(runs) and all(app.status == ApplicationStatus.RUNNING for app in states.values()):
            return
        if time.monotonic() > deadline_s:
            found = ", ".join(f"{name} is {app.status.value}" for name, app in sorted(states.items()))
            raise StartError(f"not all replicas are new after {REPLACED_S:g} s: {found}; Ray goes on with it")
        time.sleep(0.2)


def _last_line(text: str) -> str:
    return (text.strip() or "for no known reason").splitlines()[-1]
