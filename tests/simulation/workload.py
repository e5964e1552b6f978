"""What clients and producers do to a simulated world, and what befalls its processes."""

from __future__ import annotations

import asyncio
import contextlib
from random import Random
from typing import Any

import msgspec
from msgspec import UNSET

from actors.domain.messages import (
    RULES_VERSION,
    Command,
    Create,
    Join,
    Leave,
    Message,
    Reopen,
    Spec,
    Tick,
    encode_message,
    encode_score,
)
from actors.domain.messages.spec import League, Recurrence
from actors.domain.publications import replies_channel
from actors.domain.values import partition_of, tournament_id
from storage.ports import LogUnavailableError, NewRecord
from tests.simulation.world import World
from tests.support.histories import (
    KINDS,
    LATER_KINDS,
    SALT,
    Score,
    fitted,
    random_parent,
    random_record,
    random_spec,
    with_scores,
)
from tests.support.submissions import Sent

LEAGUES = 0.15  # of all worlds: they take several times as long

Acknowledged = tuple[int, int, bytes]  # partition, offset, value


class Workload:
    """Some tournaments and what happens in them; `acknowledged` is what producers were told is in the log."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._random = world.random
        self._scores = Random(f"scores {world.random.getstate()[1][0]}")  # drawn apart, as the histories do
        self._specs: dict[int, Spec] = {}
        self.tournaments: list[int] = []
        self._children: set[int] = set()  # the tables of the league's tiers
        # drawn apart, so that worlds without a league take the course they always took
        league = Random(f"league {world.seed}")
        self._league = league if league.random() < LEAGUES else None
        self._late: set[int] = set()  # those that may be changed after their end
        self.acknowledged: list[Acknowledged] = []

    async def run(self) -> None:
        season = None if self._league is None else self._world.spawn(self._season(self._league))
        await self._mixture()
        if season is not None:
            await season

    async def _mixture(self) -> None:
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

    async def _season(self, r: Random) -> None:
        """A league: joins before each of its times, scores in its tables while they run, and some time for them to be decided."""
        await asyncio.sleep(r.random())
        rule = League(tiers=r.randint(2, 3), promote=r.randint(0, 2), demote=r.randint(0, 2))
        every_ms = r.choice([400, 900])
        recurrence = Recurrence(cron="* * * * *", time_zone="UTC", duration_ms=every_ms, ahead=r.randint(1, 2))
        ends: dict[str, Any] = {
            "join_until": r.choice(["start", "end", "end"]),
            "ties": r.choice(["first", "shared", "dense"]),
        }
        spec = Spec(name="league", type="scheduled", recurrence=recurrence, league=rule, **ends)
        league = r.getrandbits(62) + 1
        self.tournaments.append(league)
        with contextlib.suppress(TimeoutError):  # of an entrypoint that was killed nothing comes back
            async with asyncio.timeout(5):
                await self._send([self._create_of(league, spec, RULES_VERSION, dedicated=r.random() < 0.3)])
        for n in range(r.randint(2, 3)):
            before_ms = r.randint(300, 900)
            at_ms = self._world.leap_before_minute(before_ms)
            for user in r.sample(range(1, 7), r.randint(3, 6)):
                join = Join(command_id=f"season-{n}-{user}", user_id=str(user))
                self._world.spawn(self._send([self._control(league, join)]))
                await asyncio.sleep(r.random() * before_ms / 6000)
            await asyncio.sleep(max(0, at_ms - self._world.clock_ms()) / 1000)
            tables = [tournament_id(99, f"occurrence:{league}:{at_ms}:{tier}") for tier in range(1, rule.tiers + 1)]
            for table in tables:
                self.tournaments.append(table)
                self._children.add(table)
                self._specs[table] = msgspec.structs.replace(spec, recurrence=UNSET, league=UNSET)
            for event in range(r.randint(4, 12)):
                user, score = (
                    r.randint(1, 6),
                    r.randint(1, 4) * 50,
                )  # to each table: whoever is not in it scores nothing
                scores = [self._new(table, encode_score(f"season-{event}", user, score)) for table in tables]
                self._world.spawn(self._send(scores))
                await asyncio.sleep(r.random() * every_ms / 12_000)
            await asyncio.sleep(every_ms / 1000 + r.random())

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
                spec = random_parent(r, spec, (1, 50_000))
        return self._create_of(tournament, spec, rules, dedicated=r.random() < 0.35)

    def _create_of(self, tournament: int, spec: Spec, rules: int, *, dedicated: bool) -> NewRecord:
        self._specs[tournament] = spec
        create = Create(
            command_id=f"create-{tournament}"[:64],
            creator="99",
            created_ms=self._world.clock_ms(),
            spec=spec,
            dedicated=dedicated,
            salt=SALT,
            request_digest="digest",
            rules_version=rules,
        )
        if not dedicated:
            self._late.add(tournament)
        return self._control(tournament, create)

    def _record(self, tournament: int) -> NewRecord:
        r = self._random
        what = random_record(r, "join" if r.random() < 0.2 else r.choice(KINDS + LATER_KINDS), range(1, 5))
        if isinstance(what, Reopen) and what.ends_ms is not UNSET:
            what = msgspec.structs.replace(what, ends_ms=self._world.clock_ms() + r.randint(-100, 2000))
        if isinstance(what, Leave) and tournament in self._children:
            what = Tick()  # who is in a league's table is its parent's to say
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
