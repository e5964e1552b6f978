"""What clients and producers do to a simulated world, and what befalls its processes."""

from __future__ import annotations

import asyncio
from random import Random
from typing import Any, cast

import msgspec
from msgspec import UNSET, UnsetType

from actors.domain.messages import (
    RULES_VERSION,
    Command,
    Create,
    Message,
    Reopen,
    Spec,
    Tick,
    encode_message,
    encode_score,
)
from actors.domain.messages.spec import Cohorts, Recurrence
from actors.domain.publications import replies_channel
from actors.domain.values import partition_of
from storage.ports import LogUnavailableError, NewRecord
from tests.simulation.world import World
from tests.support.histories import KINDS, LATER_KINDS, SALT, Score, fitted, random_record, random_spec, with_scores
from tests.support.submissions import Sent

Acknowledged = tuple[int, int, bytes]  # partition, offset, value


class Workload:
    """Some tournaments and what happens in them; `acknowledged` is what producers were told is in the log."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._random = world.random
        self._scores = Random(f"scores {world.random.getstate()[1][0]}")  # drawn apart, as the histories do
        self._specs: dict[int, Spec] = {}
        self.tournaments: list[int] = []
        self._late: set[int] = set()  # those that may be changed after their end
        self.acknowledged: list[Acknowledged] = []

    async def run(self) -> None:
        r = self._random
        for n in range(r.randint(15, 70)):
            await asyncio.sleep(r.random() * 0.04)
            if not self.tournaments or (n % 8 == 0 and len(self.tournaments) < 5):
                records = [self._create()]
            elif r.random() < 0.03:
                records = [self._junk()]
            else:
                records = [self._record(r.choice(self.tournaments)) for _ in range(r.choice([1, 1, 1, 2, 5]))]
            sent = self._world.spawn(self._send(records))
            if r.random() < 0.7:
                await asyncio.wait([sent], timeout=0.2)

    async def _send(self, records: list[NewRecord]) -> None:
        """An entrypoint: appends, and repeats what was not acknowledged. A killed entrypoint repeats nothing."""
        from tests.simulation.ports import ProcessLog

        entrypoint = self._world.process("entrypoint")
        log = ProcessLog(entrypoint, self._world.log)
        for _ in range(4):
            try:
                offsets = await log.append(records)
            except LogUnavailableError as error:
                await entrypoint.sleep(error.retry_after_s)
                continue
            for record, offset in zip(records, offsets, strict=True):
                self.acknowledged.append((record.partition, offset, record.value))
            return

    def _create(self) -> NewRecord:
        r, now = self._random, self._world.clock_ms()
        tournament = r.getrandbits(62) + 1
        self.tournaments.append(tournament)
        rules = r.choice([1, 2, RULES_VERSION, RULES_VERSION, RULES_VERSION])
        spec = random_spec(r, rules)
        if spec.type == "scheduled":
            starts = now + r.randint(-100, 500)
            ends = max(starts, now) + r.choice([1, 100, 500, 1000, 3000])
            spec = msgspec.structs.replace(spec, starts_ms=starts, ends_ms=ends)
        rules = r.choice([1, 2, RULES_VERSION, RULES_VERSION])
        if rules >= 3:
            spec = with_scores(spec, self._scores)
            if r.random() < 0.3:
                spec = self._parent(spec)
        self._specs[tournament] = spec
        create = Create(
            command_id=f"create-{tournament}"[:64],
            creator="99",
            created_ms=now,
            spec=spec,
            dedicated=(dedicated := r.random() < 0.35),
            salt=SALT,
            request_digest="digest",
            rules_version=rules,
        )
        if not dedicated:
            self._late.add(tournament)
        return self._control(tournament, create)

    def _parent(self, spec: Spec) -> Spec:
        """A tournament that opens others: a series, cohorts, or a series of cohorts."""
        r = self._random
        cohorts, recurrence = Cohorts(size=r.randint(1, 3)), cast("Recurrence | UnsetType", UNSET)
        if r.random() < 0.4:
            ahead = r.randint(1, 3) if spec.type == "scheduled" else 1
            recurrence = Recurrence(cron="* * * * *", time_zone="UTC", duration_ms=r.choice([1, 50_000]), ahead=ahead)
            spec = msgspec.structs.replace(spec, starts_ms=None, ends_ms=None, duration_ms=None)
            if r.random() < 0.5:
                return msgspec.structs.replace(spec, recurrence=recurrence)
        return msgspec.structs.replace(spec, recurrence=recurrence, cohorts=cohorts, capacity=None, min_participants=0)

    def _record(self, tournament: int) -> NewRecord:
        r = self._random
        what = random_record(r, "join" if r.random() < 0.2 else r.choice(KINDS + LATER_KINDS), range(1, 5))
        if isinstance(what, Reopen) and what.ends_ms is not UNSET:
            what = msgspec.structs.replace(what, ends_ms=self._world.clock_ms() + r.randint(-100, 2000))
        if isinstance(what, Command) and what.after_end and tournament not in self._late:
            what = Tick()  # of a dedicated one, a command that comes as it ends may have to be repeated
        sent = fitted(what, self._specs[tournament], self._scores)
        if isinstance(sent, Sent):
            return self._new(tournament, sent.value())
        if isinstance(sent, Score):
            return self._new(tournament, encode_score(sent.event_id, sent.user, sent.score))
        if isinstance(sent, Tick):
            return self._new(tournament, encode_message(sent))
        return self._control(tournament, sent)

    def _control(self, tournament: int, message: Message) -> NewRecord:
        value = encode_message(message)
        return self._new(tournament, value, self._world.signer.sign(str(tournament).encode(), value))

    def _new(self, tournament: int, value: bytes, signature: str = "", **other: Any) -> NewRecord:
        partition = partition_of(tournament, self._world.plan.partitions)
        reply_to = replies_channel("entrypoint") if self._random.random() < 0.3 else ""
        return NewRecord(partition, str(tournament).encode(), value, signature, reply_to)

    def _junk(self) -> NewRecord:
        r, tournament = self._random, self._random.choice(self.tournaments)
        good = self._record(tournament)
        match r.randrange(5):
            case 0:
                return good._replace(value=b'{"v":1,"type":"score"')
            case 1:
                return self._control(tournament, random_record(r, "join"))._replace(signature="k:00")  # type: ignore[arg-type]
            case 2:
                return good._replace(key=b"no id")
            case 3:
                return good._replace(partition=(good.partition + 1) % self._world.plan.partitions)
            case _:
                return self._new(r.getrandbits(62) + 1, encode_score("a", 1, 100))  # no such tournament


async def chaos(world: World) -> None:
    """Processes end, double, or all end at once, at random moments."""
    r = world.random
    while not world.faults.over and world.faults.events:
        await asyncio.sleep(r.expovariate(2.0))
        if world.faults.over:
            return
        slots = list(world.slots.values())
        match r.choice(world.faults.events):
            case "kill_all" if r.random() < 0.3:
                world.kill_all()
            case "twin" if slots and (slot := r.choice(slots)).name != "director":
                world.trace(slot.name, "gets a twin")
                world.twin(slot)
            case "kill" if slots:
                slot = r.choice(slots)
                world.trace(slot.process.instance, "is killed")
                world.kill(slot.process)
