"""Small servers for the tests of what starts servers: two web servers as one, one that cannot be installed, one that ends at once."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import Any

from scripts.local_servers.base import HOST, ServerError, launch, listens, pid_of, wait_until


class HttpServers:
    """Two processes, `web-0` and `web-1`; the first has a child of its own, which outlives it."""

    name = "web"

    def install(self) -> None:
        pass

    def start(self, directory: Path, first_port: int) -> dict[str, Any]:
        ports = [first_port, first_port + 1]
        for number, port in enumerate(ports):
            serve = f"import runpy, sys; sys.argv[1:] = ['{port}', '--bind', '{HOST}']; runpy.run_module('http.server', run_name='__main__')"
            child = "import subprocess; subprocess.Popen(['sleep', '60']); " if number == 0 else ""
            launch(directory, f"{self.name}-{number}", [sys.executable, "-c", child + serve])
        for port in ports:
            wait_until(partial(listens, port), f"port {port} to answer", 10)
        return {
            "urls": [f"http://{HOST}:{port}" for port in ports],
            "parts": [{"port": p} for p in ports],
            "password": "s3cret",
        }


class MissingServer:
    """One whose program is not there."""

    name = "missing"

    def install(self) -> None:
        raise ServerError("expected the program missingd to be installed\n(Debian: apt install missing)")

    def start(self, directory: Path, first_port: int) -> dict[str, Any]:
        raise AssertionError("started without an installation")


class BrokenServer:
    """One that ends at once, with a long log."""

    name = "broken"

    def install(self) -> None:
        pass

    def start(self, directory: Path, first_port: int) -> dict[str, Any]:
        launch(directory, self.name, [sys.executable, "-c", "print('x\\n' * 2_000, 'the reason')"])
        wait_until(lambda: pid_of(directory, self.name) is None, "it to end", 10)
        raise ServerError(f"broken ended at once: {(directory / 'logs' / 'broken.log').read_text()}")
