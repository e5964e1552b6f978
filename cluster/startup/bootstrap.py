"""The composition root: starts a whole Palio on this machine (Ray, actors, entrypoints) and stops it in order."""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import shutil
import socket
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, Final

from pydantic import SecretStr

from cluster.config.secrets import make_private
from cluster.config.settings import PROJECT_DIR, Settings
from cluster.config.tokens import token
from cluster.errors import StartError
from cluster.startup.data_check import check_data, check_room
from cluster.startup.ports import (
    ANALYTICS,
    ARCHIVER,
    DIRECTOR,
    NAMESPACE,
    NOTIFIER,
    PRIZES,
    UPDATES,
    jwt_secret,
    metrics_dir,
    notification_secret,
    record_secret,
    webhook_secret,
)
from cluster.startup.ray_environment import prepare_ray_environment
from cluster.startup.scoring_functions import check_functions

logger = logging.getLogger(__name__)

START_DEADLINE_S: Final = 120.0
RAY_START_ATTEMPTS: Final = 3
RAY_ADDRESS_FILE: Final = "ray_address"
OPERATOR_TOKEN_TTL_S: Final = 12 * 3600.0
OBJECT_STORE_BYTES: Final = 80 * 1024 * 1024  # Ray's least is 75 MiB; no message of ours goes through it


class Palio:
    """A running Palio. `stop` ends it in order; what was acknowledged is durable whether or not `stop` is ever called."""

    def __init__(self, settings: Settings, lock: IO[str]) -> None:
        self.settings = settings
        self._lock: IO[str] | None = lock
        self.url = f"http://{settings.host}:{settings.port}"
        self.gateway_url = f"http://{settings.host}:{settings.gateway_port}"

    @property
    def operator_token(self) -> str:
        """A fresh operator token."""
        return token(self.settings, role="operator", ttl_s=OPERATOR_TOKEN_TTL_S)

    def stop(self) -> None:
        """Drain the entrypoints, take a last checkpoint, end Ray. A second call does nothing."""
        if self._lock is None:
            return
        import ray

        try:
            _stop_actors(outlive=self.settings.ray_address is not None)
        except Exception:  # the log has everything: a failure to stop nicely loses nothing
            logger.exception("stopping in order failed; the data is safe in the log")
        ray.shutdown()
        shutil.rmtree(metrics_dir(self.settings), ignore_errors=True)
        self._lock.close()
        self._lock = None


def start_palio(settings: Settings, *, progress: Any = None) -> Palio:
    """Start everything and wait until it can serve. `progress(text)` is told what is being done.

    Raises StartError for a port in use, a full disk, a data directory that is in use, not writable, or made by a newer version.
    """
    tell = progress or (lambda _text: None)
    if settings.ray_address is not None and None in (
        settings.kafka_bootstrap_servers,
        settings.mysql_shards,
        settings.redis_urls,
    ):
        raise StartError(
            "PALIO_RAY_ADDRESS: expected Kafka, MySQL and Redis to be configured, which several nodes can share"
        )
    _check_ports(settings)
    os.umask(0o077)  # of Ray's processes, too: the log, the records and the series are for their owner alone
    check_room(settings.data_dir)
    lock = _lock_data_dir(settings.data_dir)
    try:
        tell("checking the data directory")
        check_functions()
        identity = check_data(settings, tell)
        settings = _whole(settings, identity)
        _prepare_environment(settings)
        tell("joining Ray" if settings.ray_address else "starting Ray")
        _start_ray(settings)
        palio = Palio(settings, lock)
        try:
            _note_ray(settings.data_dir)
            tell("starting the tournament actors")
            _start_actors(settings)
            tell("starting the api and the gateway")
            _start_entrypoints(settings)
            _await_ready(palio)
        except BaseException as error:
            palio.stop()
            if isinstance(error, Exception) and not isinstance(error, StartError):
                logger.debug("start failed", exc_info=True)
                reason = (str(error).strip() or type(error).__name__).splitlines()[-1]
                raise StartError(f"a part did not start: {reason}; Ray's logs: /tmp/ray/session_latest/logs") from error
            raise
    except BaseException:
        lock.close()
        raise
    return palio


def _whole(settings: Settings, log_identity: str) -> Settings:
    """What every process is given: the log must stay the one that was checked, and secrets made here are the same on every node."""
    known: dict[str, Any] = {
        "jwt_secret": SecretStr(jwt_secret(settings).decode("utf-8", "surrogateescape"))
        if settings.jwt_algorithm == "HS256"
        else settings.jwt_secret,
        "record_secret": SecretStr(record_secret(settings).decode("utf-8", "surrogateescape")),
        "notification_secret": SecretStr(notification_secret(settings).decode("utf-8", "surrogateescape")),
        "notification_webhook_secret": SecretStr(webhook_secret(settings).decode("utf-8", "surrogateescape")),
    }
    if settings.kafka_bootstrap_servers is not None:
        known["kafka_topic_id"] = log_identity
    return settings.model_copy(update=known)


def _check_ports(settings: Settings) -> None:
    for port in (settings.port, settings.gateway_port):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port in TIME_WAIT is free
            try:
                probe.bind((settings.host, port))
                probe.listen(1)
            except OSError as error:
                raise StartError(f"cannot listen on {settings.host}:{port}: {error.strerror or error}") from error


def _lock_data_dir(data_dir: Path) -> IO[str]:
    """Hold the directory for this process; the lock goes with the process, however it ends."""
    try:
        make_private(data_dir)
        lock = (data_dir / "lock").open("a+", encoding="ascii")
    except OSError as error:
        raise StartError(f"cannot write to the data directory {data_dir}: {error.strerror or error}") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.seek(0)
        holder = lock.read().strip()
        lock.close()
        raise StartError(f"the data directory {data_dir} is in use by another Palio (process {holder})") from error
    lock.seek(0)
    lock.truncate()
    lock.write(f"{os.getpid()}\n")
    lock.flush()
    return lock


def _prepare_environment(settings: Settings) -> None:
    """The environment that Ray's processes inherit."""
    metrics = metrics_dir(settings)
    if settings.ray_address is None:  # of a Ray that we join, the processes whose files they are may live
        shutil.rmtree(metrics, ignore_errors=True)
    try:
        metrics.mkdir(mode=0o700, exist_ok=settings.ray_address is not None)
    except OSError as error:
        raise StartError(f"cannot make {metrics} for metrics: {error.strerror or error}") from error
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(metrics)
    paths = [str(PROJECT_DIR), *filter(None, [os.environ.get("PYTHONPATH")])]
    os.environ["PYTHONPATH"] = os.pathsep.join(dict.fromkeys(paths))
    prepare_ray_environment(settings)


def _start_ray(settings: Settings) -> None:
    """Ray gives its node 30 s to come up, whatever the machine is busy with: so a few attempts."""
    import ray

    address = settings.ray_address
    common: dict[str, Any] = {"namespace": NAMESPACE, "log_to_driver": False, "logging_level": logging.ERROR}
    if address is None:
        common |= {"address": "local", "include_dashboard": False, "object_store_memory": OBJECT_STORE_BYTES}
    else:
        # its nodes were started by others, without what our processes need in their environment
        names = ("PROMETHEUS_MULTIPROC_DIR", "PYTHONPATH")
        common |= {"address": address, "runtime_env": {"env_vars": {name: os.environ[name] for name in names}}}
    for attempts_left in reversed(range(RAY_START_ATTEMPTS)):
        try:
            ray.init(**common)
        except Exception as error:  # Ray raises bare exceptions here
            ray.shutdown()
            if not attempts_left:
                raise StartError(f"Ray did not start: {error}") from error
            logger.warning("Ray did not start, once more: %s", error)
        else:
            return


def _note_ray(data_dir: Path) -> None:
    """Where `cluster.running` finds the Ray of the Palio on this directory."""
    import ray

    (data_dir / RAY_ADDRESS_FILE).write_text(f"{ray.get_runtime_context().gcs_address}\n", encoding="ascii")


def _start_actors(settings: Settings) -> None:
    import ray

    from cluster.actors.analytics import AnalyticsActor
    from cluster.actors.archiver import ArchiverActor
    from cluster.actors.director import DirectorActor, options
    from cluster.actors.notifier import NotifierActor
    from cluster.actors.prizes import PrizesActor
    from cluster.actors.updates import UpdatesActor

    updates = ray.remote(UpdatesActor).options(**options(UPDATES)).remote()
    director = ray.remote(DirectorActor).options(**options(DIRECTOR)).remote(settings)
    notifier = ray.remote(NotifierActor).options(**options(NOTIFIER)).remote(settings)
    prizes = ray.remote(PrizesActor).options(**options(PRIZES)).remote(settings)
    archiver = ray.remote(ArchiverActor).options(**options(ARCHIVER)).remote(settings)
    actors = [director, updates, notifier, prizes, archiver]
    if settings.analytics:
        actors.append(ray.remote(AnalyticsActor).options(**options(ANALYTICS)).remote(settings))
    # the handles are held until all answer; detached, they then live without us
    ray.get([actor.ready.remote() for actor in actors], timeout=START_DEADLINE_S)


def _start_entrypoints(settings: Settings) -> None:
    from ray import serve

    from cluster.serve.deployments import SERVE_LOGGING, targets

    logging.getLogger("ray.serve").setLevel(logging.WARNING)
    serve.start(proxy_location="Disabled", logging_config=SERVE_LOGGING)  # both entrypoints listen by themselves
    serve.run_many(targets(settings))


def _await_ready(palio: Palio) -> None:
    if palio.settings.ray_address is None:
        _await(lambda: _answers(f"{palio.url}/readyz") and _answers(f"{palio.gateway_url}/healthz"))
    else:  # the replicas, which Serve has found well, may all be on other machines
        from ray import serve

        api = serve.get_app_handle("api")
        _await(lambda: bool(api.ready.remote().result(timeout_s=5)))


def _await(ready: Callable[[], bool]) -> None:
    deadline = time.monotonic() + START_DEADLINE_S
    error: Exception | None = None
    while True:
        try:
            if ready():
                return
        except Exception as problem:  # whatever it is, the next try may find another
            error = problem
        if time.monotonic() > deadline:
            raise StartError(f"not ready within {START_DEADLINE_S:.0f} s: {error}")
        time.sleep(0.1)


def _answers(url: str) -> bool:
    with urllib.request.urlopen(url, timeout=5):  # noqa: S310 - our own address
        return True


def _stop_actors(*, outlive: bool) -> None:
    """Entrypoints first, so that nothing new is acknowledged; then ingest, then the owners with a last checkpoint. A Ray that we joined would
    `outlive` us with our detached actors in it, so these are ended one by one.
    """
    import ray
    from ray.util import list_named_actors

    from cluster.serve.stopping import stop_serve

    stop_serve()
    names = [entry["name"] for entry in list_named_actors(all_namespaces=True) if entry["namespace"] == NAMESPACE]
    for prefix in (NOTIFIER, PRIZES, ARCHIVER, ANALYTICS, "ingest-", "tournament-", "shard-"):
        stopping = []
        for name in names:
            if name.startswith(prefix):
                with contextlib.suppress(ValueError):  # it ended meanwhile
                    stopping.append((name, ray.get_actor(name, NAMESPACE).stop.remote()))
        if stopping:
            ray.wait([reference for _, reference in stopping], num_returns=len(stopping), timeout=30)
        for name, reference in stopping:
            try:
                ray.get(reference, timeout=0.1)
            except Exception as error:  # the others' last checkpoints are not to be missed for it
                logger.warning("%s did not stop in order: %r", name, error)
    if outlive:
        for name in names:
            with contextlib.suppress(ValueError):
                ray.kill(ray.get_actor(name, NAMESPACE))
