"""Readers of a path without pause, in a process of their own: `python -m tests.support.http_readers PORT PATH [PATH ...]`.

For each path six that keep their connection as long as the server does, and one with a connection for each request. Reads until
its standard input ends, then prints how often which status or error came, and how often an answer ended its connection, as JSON.
"""

from __future__ import annotations

import http.client
import json
import sys
import threading
import time
from collections import Counter
from typing import Final

WAIT_S: Final = 10.0
KEEPING: Final = 6


class Reader(threading.Thread):
    """Reads a path; `keeps`: a connection for all requests, else one for each."""

    def __init__(self, port: int, path: str, *, keeps: bool) -> None:
        super().__init__()
        self.port, self.path, self.keeps = port, path, keeps
        self.seen: Counter[str] = Counter()
        self.told_to_leave = 0
        self.stopping = False

    def run(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=WAIT_S)
        while not self.stopping:
            try:
                connection.request("GET", self.path)
                answer = connection.getresponse()
                answer.read()
                self.seen[str(answer.status)] += 1
                self.told_to_leave += answer.will_close
            except (OSError, http.client.HTTPException) as error:
                self.seen[repr(error)] += 1
            if not self.keeps:
                connection.close()
            time.sleep(0.002)
        connection.close()


def main(port: int, paths: list[str]) -> None:
    readers = [Reader(port, path, keeps=keeps) for path in paths for keeps in [True] * KEEPING + [False]]
    for reader in readers:
        reader.start()
    sys.stdin.read()
    for reader in readers:
        reader.stopping = True
    for reader in readers:
        reader.join()
    seen = sum((reader.seen for reader in readers), Counter[str]())
    print(json.dumps({"seen": seen, "told_to_leave": sum(reader.told_to_leave for reader in readers)}))


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
