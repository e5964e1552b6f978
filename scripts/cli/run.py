"""scripts/run: start Palio on this machine, show its addresses, play the demo, stop on a signal."""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from cluster.config.settings import API_URL, PROJECT_DIR, Settings, load_settings
from cluster.errors import StartError

if TYPE_CHECKING:
    from cluster.startup.bootstrap import Palio

SAME_REQUEST_S = 1.0  # a second signal this soon is the first one's echo (a terminal and a supervisor both send it)


class Stop:
    """Asked for by SIGINT or SIGTERM: the first asks to stop, another one to do it at once."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self._asked_at = 0.0

    def install(self) -> None:
        """Take both signals; again after Ray's start, which takes SIGTERM for itself."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._take)

    def _take(self, _number: int, _frame: FrameType | None) -> None:
        now = time.monotonic()
        if not self.asked.is_set():
            self._asked_at = now
            self.asked.set()
        elif now - self._asked_at > SAME_REQUEST_S:
            # Every acknowledged record is in the log, so nothing is lost; Ray's processes end with this one.
            os.write(2, b"palio: stopping at once\n")
            os._exit(0)


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status: 0 after a signal, 1 when Palio cannot start (one line says why), 2 when misused."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.servers is not None and not options.cluster:
        parser.error("--servers goes with --cluster")
    stop = Stop()
    stop.install()
    with contextlib.ExitStack() as servers:
        return _run(options, stop, servers)


def _run(options: argparse.Namespace, stop: Stop, servers: contextlib.ExitStack) -> int:
    try:
        given = servers.enter_context(_servers(options.servers)) if options.cluster else {}
        settings = load_settings(
            port=options.port,
            gateway_port=options.gateway_port,
            data_dir=options.data,
            demo=False if options.no_demo else None,
            **given,
        )
        if stop.asked.is_set():
            _say("stopped before it had started")
            return 0
        palio = _start(settings)
    except StartError as error:
        print(f"palio: {error}", file=sys.stderr, flush=True)
        return 1
    except (SystemExit, KeyboardInterrupt):  # Ray's own handler of SIGTERM, while it starts
        _say("stopped before it had started")
        return 0
    stop.install()
    try:
        if not stop.asked.is_set():
            _announce(palio, settings)
            (settings.data_dir / API_URL).write_text(palio.url)
            with _demo(palio, settings):
                stop.asked.wait()
    finally:
        _say("stopping ...")
        (settings.data_dir / API_URL).unlink(missing_ok=True)
        palio.stop()
    _say("stopped; the same data goes on with the next start")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scripts/run",
        description="Start Palio on this machine. Ctrl-C stops it; nothing is lost. Settings: scripts/palio settings.",
        allow_abbrev=False,
    )
    parser.add_argument("--no-demo", action="store_true", help="leave out the demo")
    parser.add_argument(
        "--port", type=int, default=None, metavar="N", help="port of the api and the page (default: 8000)"
    )
    parser.add_argument(
        "--gateway-port", type=int, default=None, metavar="N", help="port of the gateway (default: 8001)"
    )
    parser.add_argument(
        "--cluster",
        action="store_true",
        help="run on real Kafka, Redis Cluster, MySQL shards and InfluxDB, started on this machine as by scripts/servers",
    )
    parser.add_argument(
        "--servers", type=Path, default=None, metavar="DIR", help="directory of those servers (default: var/servers)"
    )
    parser.add_argument("--data", type=Path, default=None, metavar="DIR", help="data directory (default: var/data)")
    return parser


@contextlib.contextmanager
def _servers(directory: Path | None) -> Iterator[dict[str, Any]]:
    """The settings for real servers, which are started if they do not run; those started here are stopped in the end."""
    from scripts.local_servers.base import ServerError
    from scripts.local_servers.fleet import MEMBERS, Fleet
    from scripts.local_servers.settings import settings_of

    fleet = Fleet(directory or PROJECT_DIR / "var" / "servers", [m for m in MEMBERS if m.name != "smtp"])
    try:
        ran = any(state.word != "stopped" and state.pids for state in fleet.states())  # then somebody else started them
        troubles = fleet.up(None, _say)
        if troubles:
            fleet.down(_say, others=False)
            raise StartError(f"the servers did not start: {'; '.join(troubles)}")
        given = settings_of({state.name: state.facts or {} for state in fleet.states()})
    except ServerError as error:
        raise StartError(str(error)) from error
    try:
        yield given
    finally:
        if not ran:
            fleet.down(_say, others=False)


def _start(settings: Settings) -> Palio:
    from cluster.startup.bootstrap import start_palio  # Ray takes a second to import: bad settings are told before

    return start_palio(settings, progress=_say)


def _announce(palio: Palio, settings: Settings) -> None:
    _say("ready")
    print(f"  page and api    {palio.url}")
    print(f"  gateway         {palio.gateway_url}")
    print(f"  data            {settings.data_dir}")
    print(f"  operator token  {palio.operator_token}")
    print("  Ctrl-C stops it.", flush=True)


@contextlib.contextmanager
def _demo(palio: Palio, settings: Settings) -> Iterator[None]:
    """The demo runs as a process of its own beside the body, and is ended with it."""
    if not settings.demo:
        yield
        return
    if settings.jwt_algorithm != "HS256":
        _say(f"no demo: it needs a service's token, and with {settings.jwt_algorithm} somebody else signs them")
        yield
        return
    command = [sys.executable, "-P", "-m", "scripts.cli.palio", "demo"]
    command += ["--url", palio.url, "--data", str(settings.data_dir.absolute())]
    # A process group of its own: Ctrl-C reaches this process alone, which then ends the demo before Palio.
    child = subprocess.Popen(command, process_group=0, env=os.environ | {"PYTHONPATH": str(PROJECT_DIR)})
    try:
        yield
    finally:
        if child.poll() is None:
            child.terminate()
            try:
                child.wait(timeout=3)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()


def _say(text: str) -> None:
    print(f"palio: {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
