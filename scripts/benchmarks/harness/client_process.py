"""A client in a process of its own, so that what it costs is not counted as the server's."""

from __future__ import annotations

import asyncio
import multiprocessing
from collections.abc import Callable, Coroutine
from multiprocessing.connection import Connection
from typing import Any

import uvloop

Work = Callable[..., Coroutine[Any, Any, Any]]
_pipe: Connection | None = None


class LoadProcess:
    """Runs `work(*args)`, a coroutine, in a process of its own. Both methods raise RuntimeError when it failed or takes too long."""

    def __init__(self, work: Work, *args: Any) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_run, args=(theirs, work, args), daemon=True)
        self._process.start()
        theirs.close()  # so that its end is noticed

    def wait_for(self, word: str, timeout_s: float) -> None:
        """Wait until the work has called `tell(word)`."""
        answer = self._receive(timeout_s)
        if answer != word:
            raise RuntimeError(f"expected {word!r} from the load's process, got {answer!r}")

    def say(self, word: str) -> None:
        """Tell the work, which waits for it with `heard`."""
        self._pipe.send(word)

    def result(self, timeout_s: float) -> Any:
        """What `work` returned."""
        try:
            return self._receive(timeout_s)
        finally:
            self.kill()

    def kill(self) -> None:
        """End it, whatever it does."""
        self._process.kill()
        self._process.join()

    def _receive(self, timeout_s: float) -> Any:
        try:
            if not self._pipe.poll(timeout_s):
                raise RuntimeError(f"the load's process did not end within {timeout_s:g} s")
            return self._pipe.recv()
        except EOFError:
            raise RuntimeError("the load's process failed; its error is above") from None


def tell(word: str) -> None:
    """Tell the process that waits for this one how far the work is."""
    assert _pipe is not None, "this is no load's process"
    _pipe.send(word)


async def heard(word: str) -> None:
    """Wait until the process that waits for this one has said `word`. Raises RuntimeError for another one."""
    assert _pipe is not None, "this is no load's process"
    said = await asyncio.to_thread(_pipe.recv)
    if said != word:
        raise RuntimeError(f"expected {word!r}, got {said!r}")


def _run(pipe: Connection, work: Work, args: tuple[Any, ...]) -> None:
    global _pipe  # noqa: PLW0603 - one piece of work a process, and `tell` belongs to it
    _pipe = pipe
    pipe.send(uvloop.run(work(*args)))
