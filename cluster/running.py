"""A Palio that runs, from outside: where its Ray is, joining it, and the settings that it was started with."""

from __future__ import annotations

import contextlib
import fcntl
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from cluster.config.settings import Settings
from cluster.errors import StartError
from cluster.startup.bootstrap import RAY_ADDRESS_FILE
from cluster.startup.ports import DIRECTOR, NAMESPACE
from cluster.startup.ray_environment import prepare_ray_environment

ANSWER_S: Final = 30.0


def running_ray(given: Settings) -> str | None:
    """The address of the Ray that `given` names, or else of the one that the Palio on its data directory started; None when none runs there.

    Raises StartError when the directory cannot be read.
    """
    return given.ray_address or _embedded_ray(given.data_dir)


def _embedded_ray(data_dir: Path) -> str | None:
    try:
        with (data_dir / "lock").open(encoding="ascii") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return (data_dir / RAY_ADDRESS_FILE).read_text(encoding="ascii").strip()
    except FileNotFoundError:
        pass
    except OSError as error:
        raise StartError(f"cannot read the data directory {data_dir}: {error.strerror or error}") from error
    return None


@contextlib.contextmanager
def joined_palio(given: Settings) -> Iterator[Settings]:
    """Be in the Ray of the running Palio; gives what it was started with. Raises StartError when there is none, or it does not answer."""
    address = running_ray(given)
    if address is None:
        raise StartError(f"expected a running Palio on the data directory {given.data_dir}, found none")
    prepare_ray_environment(given)
    import ray

    try:
        ray.init(address=address, namespace=NAMESPACE, log_to_driver=False, logging_level=logging.ERROR)
    except Exception as error:  # Ray raises bare exceptions here
        raise StartError(f"cannot join the Ray at {address}: {error}") from error
    try:
        yield _started_with()
    finally:
        ray.shutdown()


def _started_with() -> Settings:
    import ray

    try:
        director = ray.get_actor(DIRECTOR, NAMESPACE)
        settings: Settings = ray.get(director.settings.remote(), timeout=ANSWER_S)
    except ValueError as error:
        raise StartError(f"expected a running Palio on this Ray, found none: {error}") from error
    except ray.exceptions.RayError as error:
        raise StartError(f"the director of the Palio on this Ray does not answer: {type(error).__name__}") from error
    return settings
