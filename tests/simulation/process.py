"""A simulated process: code whose every effect passes through `step`, where it may be slowed, paused or killed.

A killed process does not unwind: the call it was in never returns, and whatever of it still runs gets no further than its next effect. That is
what kill -9 looks like from outside.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.simulation.world import World


class Process:
    """One incarnation of the process called `name`; `instance` is its own name for life."""

    def __init__(self, world: World, name: str, number: int) -> None:
        self.world = world
        self.name = name
        self.instance = f"{name}#{number}"
        self.skew_ms = world.random.choice([0, 0, -80, 120])  # its clock is wrong by this much
        self.died = asyncio.Event()
        self.ready = asyncio.Event()
        self._running = asyncio.Event()
        self._running.set()
        self.part: Any = None  # the Owner, Ingest, Director or Settler in it
        self.reads: Any = None
        self._ids = 0

    @property
    def alive(self) -> bool:
        return not self.died.is_set()

    def clock_ms(self) -> int:
        return self.world.clock_ms() + self.skew_ms

    def new_id(self) -> str:
        """A name that nobody has used."""
        self._ids += 1
        return f"{self.instance}-{self._ids}"

    async def step(self, what: str) -> None:
        """A moment at which things go wrong."""
        world, faults = self.world, self.world.faults
        if self.alive:
            world.trace(self.instance, what)
            if faults.strike("slow"):
                await asyncio.sleep(faults.delay_s(0.02))
            if self.alive and faults.strike("crash"):
                world.trace(self.instance, "crash")
                world.kill(self)
            if self.alive and faults.strike("pause"):
                world.trace(self.instance, "pause")
                self._running.clear()
                asyncio.get_running_loop().call_later(faults.delay_s(1.5), self._running.set)
        await self._running.wait()
        if not self.alive:
            await asyncio.get_running_loop().create_future()  # for ever

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        await self.step("woke")

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """A background task; one that ends takes the process with it, as `cluster.actors.process.Background` does."""
        self.world.spawn(self._guard(work))

    async def _guard(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Exception as error:
            self.world.broke(self, error)
        else:
            self.world.broke(self, RuntimeError("a background task ended"))

    async def call(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Run a call from outside; raises ConnectionError when the process ends first."""
        task = self.world.spawn(work)
        died = self.world.spawn(self.died.wait())
        await asyncio.wait((task, died), return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            task.add_done_callback(_retrieve)
            raise ConnectionError(f"{self.instance} died")
        died.cancel()
        return task.result()


def _retrieve(task: asyncio.Task[Any]) -> None:
    if not task.cancelled():
        task.exception()
