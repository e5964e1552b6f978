"""A whole Palio in one process: director, owners and ingest over shared ports in memory, on virtual time; killed and restarted as on Ray."""

from __future__ import annotations

import asyncio
import hashlib
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from random import Random
from typing import Any

from actors.director.director import Plan
from actors.domain.signing import Signer
from storage.ports import LogTruncatedError, ParticipantRow, Payout, StoredSnapshot, TournamentRow
from tests.simulation.faults import Faults
from tests.simulation.gateway import Gateway
from tests.simulation.parts import director_main, prizes_main
from tests.simulation.ports import KeptLog
from tests.simulation.process import Process
from tests.support.histories import BEGIN_MS
from tests.support.memory_prizes import MemoryPrizeLedger
from tests.support.memory_read_model import MemoryReadModel
from tests.support.memory_records import MemoryRecords

Main = Callable[[Process], Coroutine[Any, Any, None]]
TRACE_KEPT = 400
MINUTE_MS = 60_000


class ReadableRecords(MemoryRecords):
    """The shared store; the checks look into it without awaiting."""

    def row(self, tournament: int) -> TournamentRow | None:
        return self._tournaments.get(tournament)

    def all_snapshots(self) -> dict[int, list[StoredSnapshot]]:
        return {number: list(kept) for number, kept in self._snapshots.items()}

    def participant(self, tournament: int, user: int) -> ParticipantRow | None:
        return self._participants.get((tournament, user))


@dataclass
class Slot:
    """A named actor: its code, its present incarnation, and older ones that may still be alive."""

    name: str
    main: Main
    process: Process
    older: list[Process] = field(default_factory=list)
    stopped: bool = False


class World:
    """See the module. Everything random comes from `random`; `problems` are broken promises."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.random = r = Random(seed)
        self._loop = asyncio.get_running_loop()
        partitions = r.randint(1, 3)
        shards = r.randint(1, partitions)
        self.plan = Plan(partitions, shards, r.randint(1, partitions), r.choice([0, 1, 2]), dedicated_capacity=1000)
        self.faults = Faults(r, Random(f"shards {seed}"))
        self.log = KeptLog(partitions, self.clock_ms)
        self.records = ReadableRecords()
        self.refused: set[int] = set()  # tournaments that some save did not take, as far as its caller was told
        # drawn apart, so that worlds without a read model take the course they always took
        self.read_model = MemoryReadModel() if Random(f"copies {seed}").random() < 0.3 else None
        prizes = Random(f"prizes {seed}")
        self.ledger = MemoryPrizeLedger(self.records) if prizes.random() < 0.3 else None
        self.approves = prizes.random() < 0.6  # whether prizes need nobody's review
        self.paid: dict[str, Payout] = {}  # by key, what whoever pays was told
        self._leapt_ms = self.leaps = 0
        self.signer = Signer({"k": b"secret"}, "k")
        self.gateway = Gateway(self)
        self.slots: dict[str, Slot] = {}
        self.problems: list[str] = []
        self.recent: deque[str] = deque(maxlen=TRACE_KEPT)
        self._hash = hashlib.blake2b(digest_size=16)
        self._tasks: set[asyncio.Task[Any]] = set()
        self._processes = 0

    # -- time, trace, promises ----------------------------------------------------------------------------------------

    def clock_ms(self) -> int:
        return BEGIN_MS + int(self._loop.time() * 1000) + self._leapt_ms

    def leap_before_minute(self, by_ms: int) -> int:
        """All clocks leap on, to shortly before the next whole minute that is so far away at least; returns that (ms since 1970)."""
        now = self.clock_ms()
        minute = (now + by_ms) // MINUTE_MS * MINUTE_MS + MINUTE_MS
        self._leapt_ms += minute - by_ms - now
        self.leaps += 1
        self.trace("world", "leaps")
        return minute

    def trace(self, who: str, what: str) -> None:
        line = f"{self.clock_ms()} {who} {what}"
        self.recent.append(line)
        self._hash.update(line.encode())

    def fingerprint(self) -> str:
        """Names the course that this world took."""
        return self._hash.hexdigest()

    def expect(self, ok: object, promise: str) -> None:
        if not ok:
            self.trace("PROBLEM", promise)
            self.problems.append(promise)

    def spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        task = self._loop.create_task(work)
        self._tasks.add(task)  # the loop itself keeps only weak references
        task.add_done_callback(self._tasks.discard)
        return task

    def begin(self) -> None:
        """Launch what launches the rest."""
        self.launch("director", director_main)
        if self.ledger is not None:
            self.launch("prizes", prizes_main)

    # -- processes ----------------------------------------------------------------------------------------------------

    def process(self, name: str) -> Process:
        """A new process outside the slots: an entrypoint."""
        self._processes += 1
        return Process(self, name, self._processes)

    def launch(self, name: str, main: Main) -> Slot:
        """Start a named actor, unless there is one."""
        if name not in self.slots:
            self.slots[name] = Slot(name, main, self._run(name, main))
        return self.slots[name]

    def _run(self, name: str, main: Main) -> Process:
        process = self.process(name)
        self.trace(process.instance, "starts")
        self.spawn(self._main(process, main))
        return process

    async def _main(self, process: Process, main: Main) -> None:
        try:
            await process.step("begin")
            await main(process)
        except Exception as error:
            self.broke(process, error)

    def kill(self, process: Process) -> None:
        """kill -9; whoever had a slot is restarted with the arguments of its first start, as Ray does."""
        if not process.alive:
            return
        process.died.set()
        slot = self.slots.get(process.name)
        if slot is not None and slot.process is process and not slot.stopped:
            self._loop.call_later(0.01 + self.faults.delay_s(0.4), self._restart, slot, process)

    def _restart(self, slot: Slot, dead: Process) -> None:
        if slot.process is dead and not slot.stopped and self.slots.get(slot.name) is slot:
            slot.process = self._run(slot.name, slot.main)

    def twin(self, slot: Slot) -> None:
        """The cluster takes a live process for dead and starts another."""
        slot.older.append(slot.process)
        slot.process = self._run(slot.name, slot.main)

    def kill_twins(self) -> None:
        """The older incarnations end: while they live they append ticks, which nothing comes to rest under. Who settles prizes is started
        anew, too: what could not be read a moment ago is left alone for a while."""
        for slot in self.slots.values():
            for process in slot.older:
                self.kill(process)
            if slot.name == "prizes":
                self.kill(slot.process)

    def stop(self, name: str) -> None:
        """End an actor for good."""
        slot = self.slots.pop(name, None)
        if slot is not None:
            slot.stopped = True
            self.kill(slot.process)

    def kill_all(self) -> None:
        """Everything ends at once; the director starts it all anew."""
        self.trace("world", "kills all")
        for slot in list(self.slots.values()):
            for process in (slot.process, *slot.older):
                self.kill(process)
            self.stop(slot.name)
        self.begin()

    def broke(self, process: Process, error: Exception) -> None:
        """A process ended by an error of its own."""
        if process.alive:
            self.trace(process.instance, f"broke: {error!r}")
            # one that its twin has left behind, with the log pruned meanwhile, starts anew at the commit
            left_behind = process.name in self.slots and self.slots[process.name].older and _truncated(error)
            self.expect(not self.faults.over or left_behind, f"{process.instance} broke without a fault: {error!r}")
            self.kill(process)

    async def call(self, caller: Process, name: str, method: str, *args: Any) -> Any:
        """A call from one process to another by name; raises ConnectionError when no answer comes."""
        faults = self.faults
        await caller.step(f"calls {name}.{method}")
        slot = self.slots.get(name)
        if slot is None or faults.strike("delivery_lost"):
            await caller.sleep(0.005)
            raise ConnectionError(f"{name} does not answer")
        target = slot.process
        older = [process for process in slot.older if process.alive]
        if older and faults.strike("wrong_incarnation"):
            target = self.random.choice(older)
        if method == "deliver" and faults.strike("delivered_twice"):
            self.spawn(self._again(slot, args))
        if not target.alive:
            await caller.sleep(0.005)
            raise ConnectionError(f"{target.instance} is dead")
        result = await target.call(self._serve(target, method, args))
        await caller.step(f"answered by {name}.{method}")
        if faults.strike("answer_lost"):
            raise ConnectionError(f"the answer of {name} is lost")
        return result

    async def _again(self, slot: Slot, args: tuple[Any, ...]) -> None:
        """The same delivery once more: at once, or late and out of order."""
        await asyncio.sleep(self.faults.delay_s(self.random.choice([0.0, 0.02, 1.0])))
        if slot.process.alive:
            self.trace(slot.name, "gets a delivery again")
            await slot.process.call(_quietly(self._serve(slot.process, "deliver", args)))

    async def _serve(self, target: Process, method: str, args: tuple[Any, ...]) -> Any:
        await target.ready.wait()
        return await getattr(target.part, method)(*args)


def _truncated(error: BaseException) -> bool:
    if isinstance(error, BaseExceptionGroup):
        return all(_truncated(inner) for inner in error.exceptions)
    return isinstance(error, LogTruncatedError)


async def _quietly(work: Coroutine[Any, Any, Any]) -> None:
    await asyncio.gather(work, return_exceptions=True)
