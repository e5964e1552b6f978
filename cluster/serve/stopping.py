"""Stopping Serve without the error line that its own `serve.shutdown` leaves on the terminal.

`serve.shutdown` waits in a call that ends by the controller's death, which Ray reports as a failed task. Here the
controller is asked not to keep us waiting, and we check until it is gone. That call and the controller's name are
private to Ray 2.60's Serve: where they are missing, `serve.shutdown` does the whole.
"""

from __future__ import annotations

import contextlib
import time
from typing import Final

import ray
from ray import serve
from ray.exceptions import RayError

CONTROLLER: Final = ("SERVE_CONTROLLER_ACTOR", "serve")  # name, namespace
CHECK_EVERY_S: Final = 0.05


def stop_serve(timeout_s: float = 30.0) -> None:
    """End Serve's applications and actors, each replica in order. Raises nothing for what is gone already."""
    with contextlib.suppress(ValueError, AttributeError, TypeError, RayError):
        ray.get(ray.get_actor(*CONTROLLER).graceful_shutdown.remote(wait=False), timeout=timeout_s)
        deadline = time.monotonic() + timeout_s
        while _controller_lives() and time.monotonic() < deadline:
            time.sleep(CHECK_EVERY_S)
    serve.shutdown()


def _controller_lives() -> bool:
    try:
        ray.get_actor(*CONTROLLER)
    except ValueError:
        return False
    return True
