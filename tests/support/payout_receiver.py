"""A receiver of payouts in a process of its own: it checks the signature, carries each key out once, and fails half the time.

It fails before it has done anything as often as after it has carried a payout out and before it says so. What it carried out are the lines of
a file: a key, a space, the payout's JSON.
"""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock
from typing import Any

from standardwebhooks import Webhook

SECRET = "whsec_" + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def serve(path: Path, port_path: Path, *, failing: int) -> None:
    verifier, turn, number, known = Webhook(SECRET), Lock(), itertools.count(), set[str]()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            try:
                told = verifier.verify(body, dict(self.headers.items()))
            except Exception as error:
                self.answer(401, {"error": repr(error)})
                return
            key = self.headers["webhook-id"]
            assert key == self.headers["idempotency-key"] == told["data"]["key"]
            turn_number = next(number) % 4
            if turn_number == 1 and failing:
                self.answer(503, {})
                return
            with turn:
                if key not in known:
                    known.add(key)
                    with path.open("a", encoding="utf-8") as file:
                        file.write(f"{key} {json.dumps(told['data'], sort_keys=True)}\n")
            if turn_number == 3 and failing:
                self.close_connection = True
                self.connection.close()  # carried out, and never said
                return
            self.answer(200, {"reference": f"ref-{key}"})

        def answer(self, status: int, body: dict[str, Any]) -> None:
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    port_path.write_text(str(server.server_port), encoding="ascii")
    server.serve_forever()


class Receiver:
    """A running one: its `url`, and what it `carried_out`, in order."""

    def __init__(self, path: Path, port: int) -> None:
        self._path = path
        self.url = f"http://127.0.0.1:{port}/payouts"

    def carried_out(self) -> list[dict[str, Any]]:
        if not self._path.exists():
            return []
        lines = self._path.read_text(encoding="utf-8").splitlines()
        return [json.loads(line.partition(" ")[2]) for line in lines]


@contextmanager
def running_receiver(folder: Path, *, failing: bool = True) -> Iterator[Receiver]:
    """In a process of its own, until the body ends."""
    path, port_path = folder / "carried-out.txt", folder / "port.txt"
    arguments = [str(path), str(port_path), str(int(failing))]
    process = subprocess.Popen([sys.executable, "-m", "tests.support.payout_receiver", *arguments])
    try:
        deadline_s = time.monotonic() + 30
        while not (port_path.exists() and port_path.read_text(encoding="ascii")):
            assert process.poll() is None, "the receiver ended"
            assert time.monotonic() < deadline_s
            time.sleep(0.02)
        yield Receiver(path, int(port_path.read_text(encoding="ascii")))
    finally:
        process.kill()
        process.wait()


if __name__ == "__main__":
    serve(Path(sys.argv[1]), Path(sys.argv[2]), failing=int(sys.argv[3]))
