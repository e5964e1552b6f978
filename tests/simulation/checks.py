"""What must hold of a world that has come to rest."""

from __future__ import annotations

import itertools
from collections import Counter
from typing import Any

import msgspec
from msgspec import UNSET

from actors.domain import views
from actors.domain.codec import decode_snapshot, encode_snapshot
from actors.domain.delivery import scope_name
from actors.domain.life.freeze import shown
from actors.domain.messages.spec import SeriesPlace
from actors.domain.notices.events import NOTICE_KIND
from actors.domain.prizes.allocation import allocate
from actors.domain.prizes.standings import final_table
from actors.domain.read_model_rows import decode_participant, rows_of
from actors.domain.series.children import board_id, occurrence_id
from actors.domain.series.opening import due_occurrences
from actors.domain.tournament import Tournament
from actors.ingest.ingest import Ingest
from actors.owner.entity import Entity
from actors.owner.owner import Owner
from storage.ports import PRIZES_EFFECT
from tests.simulation.truth import Truth, truth_of
from tests.simulation.workload import Workload
from tests.simulation.world import World
from tests.support.memory_prizes import MemoryPrizeLedger
from tests.support.naive_agreement import differences


def owners(world: World) -> list[Owner]:
    parts = (slot.process.part for slot in world.slots.values() if slot.process.alive)
    return [part for part in parts if isinstance(part, Owner)]


def fed(world: World) -> dict[tuple[int, int], Owner]:
    """The owner that ingest feeds, of each scope (partition, tournament or 0). Others may hold scopes too, and do no harm."""
    by_name = {owner.name: owner for owner in owners(world)}
    feeds: dict[tuple[int, int], Owner] = {}
    for slot in world.slots.values():
        if slot.process.alive and isinstance(slot.process.part, Ingest):
            for name, feed in slot.process.part.feeds.items():
                feeds.update((key, by_name[name]) for key in feed.positions if name in by_name)
    return feeds


def at_rest(world: World) -> bool:
    """Whether every record is applied where it belongs, and nothing is due."""
    ends = [records[-1].offset if records else -1 for records in world.log.history]
    feeds = fed(world)
    if any((partition, 0) not in feeds for partition in range(world.plan.partitions)):
        return False
    for key, owner in feeds.items():
        scope = owner.tournaments.scopes.get(key)
        if scope is None or scope.watermark < ends[scope.partition]:
            return False
        entities = [entity for entity in owner.tournaments.active.values() if entity.scope is scope]
        if any(families_busy(entity.state, world.clock_ms()) for entity in entities):
            return False
        if any(due <= world.clock_ms() + 500 for entity in entities if (due := entity.state.due_ms) is not None):
            return False
    ingests = [slot.process.part for slot in world.slots.values() if isinstance(slot.process.part, Ingest)]
    if any(ingest.placement.unplaced for ingest in ingests):  # dedicated tournaments that have no owner yet
        return False
    return not any(owner.checkpointer.urgent for owner in owners(world))


def families_busy(state: Tournament, now_ms: int) -> bool:
    """Whether a parent has still to open or to write something, soon at the latest."""
    if state.family is None or state.over:
        return False
    return bool(state.family.errands or due_occurrences(state, now_ms + 500)[0]) or _undecided(state, now_ms + 500)


def _undecided(parent: Tournament, now_ms: int) -> bool:
    """Whether a league has still to move its players by tables that are over."""
    family, spec = parent.family, parent.spec
    if family is None or spec.league is UNSET or spec.recurrence is UNSET:
        return False
    return any(family.decided_ms < at <= now_ms - spec.recurrence.duration_ms for at in family.occurrences)


def saved(world: World) -> bool:
    """Whether all that is applied is durable: a record that was late may have come behind the last save."""
    return all(scope.durable == scope.watermark for owner in owners(world) for scope in owner.scopes())


def read_model_settled(world: World) -> bool:
    """Whether every read model of what is held stands where its owner does."""
    if world.read_model is None:
        return True
    for key, owner in fed(world).items():
        if owner.read_model is None or owner.read_model.waiting:
            return False
        for entity in owner.tournaments.active.values():
            if entity.scope is not owner.tournaments.scopes.get(key):
                continue
            held = world.read_model.held.get(entity.state.tournament_id)
            if held != (entity.epoch, entity.state.offset):
                return False
    return True


async def prizes_settled(world: World) -> bool:
    """Whether the ledger follows every table that is durable, and nothing is to be paid."""
    if world.ledger is None:
        return True
    return not (await world.ledger.waiting(1000) or await world.ledger.payable(2**62, 1000, 1000))


def why_not(world: World) -> str:
    lines = [f"log ends {[records[-1].offset if records else -1 for records in world.log.history]}"]
    lines += [f"{owner.instance}: {owner.scopes()}, urgent {owner.checkpointer.urgent}" for owner in owners(world)]
    for slot in world.slots.values():
        feeds = getattr(slot.process.part, "feeds", {})
        lines += [f"{slot.process.instance}: {owner} {feed.positions} {feed.stopped}" for owner, feed in feeds.items()]
    return "\n".join(lines)


async def check(world: World, workload: Workload, when: str) -> None:
    """All promises at once; what is broken is noted in the world."""
    truth = truth_of(world.log.history, world.signer)
    for tournament, state in truth.states.items():
        await _tournament(world, tournament, state, truth, when)
    for state in truth.states.values():
        _family(world, state, truth, when)
    for partition, offset, value in workload.acknowledged:
        world.expect(world.log.history[partition][offset].value == value, f"{when}: {partition}/{offset} is lost")
    await _letters(world, truth, when)
    _moves(world, truth, when)
    _replies(world, truth, when)
    _claims(world, truth, when)


async def _tournament(world: World, tournament: int, state: Tournament, truth: Truth, when: str) -> None:
    wanted = encode_snapshot(state)
    feeds = fed(world)
    owner = feeds.get((state.partition, tournament)) or feeds.get((state.partition, 0))
    entity = None if owner is None else owner.tournaments.active.get(tournament)
    world.expect(state.over or entity is not None, f"{when}: nobody holds {tournament}")
    if owner is not None and entity is not None:
        same = encode_snapshot(entity.state) == wanted
        told_apart = unlike(entity.state, state)
        world.expect(same, f"{when}: {tournament} at {owner.instance} differs: {told_apart}")
        seen = msgspec.json.decode(entity.view())
        told = msgspec.json.decode(
            views.encode(views.view(shown(state, state.status), entity.epoch, entity.shown_seq, state.status))
        )
        world.expect(seen == told, f"{when}: {tournament} is shown as {seen}, expected {told}")
    stored = await world.records.snapshots(tournament)
    same = bool(stored) and encode_snapshot(decode_snapshot(stored[0].data, stored[0].deltas)) == wanted
    world.expect(same, f"{when}: the stored snapshot of {tournament} differs")
    if entity is not None:
        _same_read_model(world, tournament, entity, when)
    _naive(world, tournament, state, truth, when)
    _rows(world, tournament, state, when)
    effects = await world.records.outbox(10_000, tournament)
    kept = [(row.offset, row.kind) for row in effects if row.kind not in (NOTICE_KIND, PRIZES_EFFECT)]
    ends = truth.ends.get(tournament, [])  # of one that was reopened at once the store may not have seen it
    told = ends + truth.changes.get(tournament, [])  # a change that is saved with the end has no effect of its own
    world.expect(set(kept) <= set(told), f"{when}: {tournament} has {kept}, expected {told}")
    world.expect(not state.over or ends[-1] in kept, f"{when}: {tournament} has {kept}, expected the last of {ends}")
    has_prizes = state.spec.prizes is not UNSET
    settling = [row.offset for row in effects if row.kind == PRIZES_EFFECT]
    world.expect(has_prizes or not settling, f"{when}: {tournament} settles prizes that it does not have")
    if world.ledger is not None:
        await _prizes(world, world.ledger, state, when)
    elif has_prizes and state.status == "finished":  # the ledger is to follow each change of what is final
        world.expect(settling[-1:] == [state.offset], f"{when}: {tournament} at {state.offset} settles {settling}")
    noted = [row for row in effects if row.kind == NOTICE_KIND]
    wanted_notes = truth.effects[tournament]
    world.expect(noted == wanted_notes, f"{when}: {tournament} tells {noted}, expected {wanted_notes}")


async def _prizes(world: World, ledger: MemoryPrizeLedger, state: Tournament, when: str) -> None:
    """The ledger says what the final table gives; what is approved is paid, and told to whoever pays under one key."""
    name, rules = state.tournament_id, () if state.spec.prizes is UNSET else state.spec.prizes
    entries = await ledger.entries(name)
    finished = state.status == "finished"  # in one that was opened again nobody has won anything
    awards = allocate(rules, final_table(state, rules)) if finished else []
    wanted = {(award.rule, award.user_id): award.units for award in awards}
    kept = Counter[tuple[int, int]]()
    for entry in entries:
        units = entry.units if entry.kind == "prize" else -entry.units
        kept[entry.rule, entry.user_id] += 0 if entry.state == "revoked" else units
    world.expect(+kept == Counter(wanted), f"{when}: the ledger of {name} gives {kept}, expected {wanted}")
    if finished:
        open_prizes = [e.key for e in entries if (e.state, e.kind) == ("pending_review", "prize")]
        settled = not (world.approves and wanted) or bool(state.settled)
        world.expect(settled, f"{when}: nobody has approved {name}")
        world.expect(not (open_prizes and state.settled and world.approves), f"{when}: {open_prizes} wait for approval")
    told = {entry.key for entry in entries if entry.state == "paid"}
    paid = {key for key, payout in world.paid.items() if payout.tournament_id == name}
    world.expect(told == paid, f"{when}: of {name} {told} counts as paid, paid is {paid}")


def _same_read_model(world: World, tournament: int, entity: Entity, when: str) -> None:
    """The read model has each participant's row to the byte, and no other, and lists them in the owner's order."""
    if world.read_model is None:
        return
    state = entity.shown
    kept_rows = {user: row for user, row in world.read_model.rows.get(tournament, {}).items() if row is not None}
    every = rows_of(state, range(len(state.members)), entity.shown_previous_ranks)
    wanted = {row.user_id: row.participant for row in every if row.participant is not None}
    world.expect(kept_rows == wanted, f"{when}: the read model of {tournament} says {kept_rows}, expected {wanted}")
    kept = [decode_participant(row) for row in kept_rows.values()]
    listed = [row.user_id for row in sorted((row for row in kept if row.place), key=lambda row: row.place or "")]
    table = [row["user_id"] for row in views.rows(state, 0, 1000)]
    world.expect(listed == table, f"{when}: the read model of {tournament} lists {listed}, expected {table}")


def unlike(got: Tournament, wanted: Tournament) -> dict[str, Any]:
    names = ("offset", "time_ms", "status", "version", "spec", "finished_ms", "seen")
    fields = {name: (getattr(got, name), getattr(wanted, name)) for name in names}
    fields["rows"] = (views.rows(got, 0, 50), views.rows(wanted, 0, 50))
    fields["members"] = (len(got.members), len(wanted.members))
    return {name: pair for name, pair in fields.items() if pair[0] != pair[1]}


def _naive(world: World, tournament: int, state: Tournament, truth: Truth, when: str) -> None:
    """The fold itself may be wrong; the naive model is another opinion."""
    found = differences(state, truth.naive[tournament])
    world.expect(not found, f"{when}: {tournament} by the fold and naively: {found}")


def _family(world: World, parent: Tournament, truth: Truth, when: str) -> None:
    """Each child that a parent decided is there once, as decided; a board has those who have seats there, and no more than fit."""
    family, spec = parent.family, parent.spec
    if family is None or parent.over:
        return
    name = parent.tournament_id
    if spec.recurrence is not UNSET:
        starts = family.occurrences
        world.expect(starts == sorted(set(starts)), f"{when}: series {name} has {starts}")
        coming = sum(starts_ms > parent.time_ms for starts_ms in starts)
        world.expect(coming <= spec.recurrence.ahead, f"{when}: series {name} has {coming} open ahead")
        tiers = [0] if spec.league is UNSET else range(1, spec.league.tiers + 1)
        for starts_ms, tier in itertools.product(starts, tiers):
            child = truth.states.get(occurrence_id(parent, starts_ms, tier))
            at = None if child is None else child.spec.series
            wanted_place = SeriesPlace(of=str(name), at_ms=starts_ms, tier=tier or UNSET)
            world.expect(at == wanted_place, f"{when}: of series {name} the tournament of {starts_ms} is {at}")
        _league(world, parent, truth, when)
        return
    assert spec.cohorts is not UNSET
    members, seated = parent.members, dict[int, set[int]]()
    for slot, seat in members.seat.items():
        seated.setdefault(seat // spec.cohorts.size + 1, set()).add(slot)
    world.expect(sorted(members.seat.values()) == list(range(family.seats)), f"{when}: the seats of {name}")
    for number, slots in seated.items():
        board = truth.states.get(board_id(parent, number))
        world.expect(board is not None, f"{when}: {name} lacks board {number}")
        if board is None:
            continue
        world.expect(len(board.members) <= spec.cohorts.size, f"{when}: board {number} of {name} is too full")
        if not board.over:
            wanted = {members.users.user_id(slot) for slot in slots if members.active[slot]}
            found = {
                board.members.users.user_id(slot) for slot in range(len(board.members)) if board.members.active[slot]
            }
            world.expect(found == wanted, f"{when}: board {number} of {name} has {found}, expected {wanted}")


def _league(world: World, parent: Tournament, truth: Truth, when: str) -> None:
    """Each player is in the table of the tier that the final tables before give, counted here anew; and each table has its players."""
    family, spec, name = parent.family, parent.spec, parent.tournament_id
    if family is None or spec.league is UNSET:
        return
    world.expect(not _undecided(parent, world.clock_ms() - 500), f"{when}: league {name} is not decided: {family}")
    lowest, tiers, members = spec.league.tiers, dict[int, int](), parent.members
    for starts_ms in family.occurrences:
        tables = [truth.naive[occurrence_id(parent, starts_ms, tier)] for tier in range(1, lowest + 1)]
        placed = {members.users.user_id(slot): at == starts_ms for slot, at in members.placed_ms.items()}
        for tier, table in enumerate(tables, start=1):
            strangers = [user for user in table.people if tiers.get(user, lowest) != tier]
            world.expect(not strangers, f"{when}: in tier {tier} of league {name} at {starts_ms} are {strangers}")
            if not table.over:
                here = {u for u in placed if placed[u] and members.slot(u) >= 0 and tiers.get(u, lowest) == tier}
                world.expect(set(table.active()) == here, f"{when}: tier {tier} of {name} has {table.active()}, {here}")
        if starts_ms > family.decided_ms:
            continue
        if any(table.revision for table in tables):
            return  # a table was changed after its end: nobody can tell what it was
        order = [table.table() if table.status == "finished" else [] for table in tables]
        for tier, users in enumerate(order, start=1):
            for place, user in enumerate(users):
                rises = tier > 1 and place < spec.league.promote
                falls = tier < lowest and len(users) - place <= spec.league.demote
                if rises or falls:
                    tiers[user] = tier - 1 if rises else tier + 1
    kept = {members.users.user_id(slot): tier for slot, tier in members.tier.items()}
    world.expect(kept == tiers, f"{when}: the tiers of league {name} are {kept}, expected {tiers}")


def _rows(world: World, tournament: int, state: Tournament, when: str) -> None:
    row = world.records.row(tournament)
    told = row and (row.offset, row.status, row.participants, row.version, row.finished_ms)
    wanted = (state.offset, state.status, state.members.joined, state.version, state.finished_ms)
    world.expect(told == wanted, f"{when}: the row of {tournament} says {told}, expected {wanted}")
    members, ranking = state.members, state.ranking
    for slot in range(len(members)):
        user = members.users.user_id(slot)
        rank = ranking.rank(slot) if state.status == "finished" else None
        expected = (bool(members.active[slot]), ranking.score(slot), members.attempts[slot], members.names[slot], rank)
        part = world.records.participant(tournament, user)
        got = part and (part.active, part.score, part.attempts, part.name, part.rank)
        world.expect(got == expected, f"{when}: the row of {user} in {tournament} says {got}, expected {expected}")


def _moves(world: World, truth: Truth, when: str) -> None:
    """Each score that lay in the wrong partition has a copy in its own, and no other record has."""
    world.expect(truth.moved == truth.misplaced, f"{when}: moved {truth.moved}, expected {truth.misplaced}")


async def _letters(world: World, truth: Truth, when: str) -> None:
    """What nobody can read is put aside, always; what the fold rejects, unless an answer was lost; and nothing else."""
    letters = {(letter.record.partition, letter.record.offset) for letter in await world.log.dead_letters(100_000)}
    world.expect(letters >= truth.unreadable, f"{when}: not put aside: {truth.unreadable - letters}")
    wrong = letters - truth.unreadable - truth.rejected
    world.expect(not wrong, f"{when}: put aside without reason: {wrong}")
    if not world.faults.count:
        world.expect(letters >= truth.rejected, f"{when}: not put aside: {truth.rejected - letters}")


def _replies(world: World, truth: Truth, when: str) -> None:
    """Whoever got an answer got the right one; without faults everybody got one."""
    for at, replies in world.gateway.replies.items():
        outcome = truth.outcomes.get(at)
        for reply in replies:
            right = outcome is not None and _answer(reply) == _answer(outcome)
            world.expect(right, f"{when}: {at} was answered {reply}, the fold says {outcome}")
    if not world.faults.count and not world.faults.events:
        for at in truth.outcomes:
            record = world.log.history[at[0]][at[1]]
            answered = not record.reply_to or len(world.gateway.replies[at]) == 1
            world.expect(answered, f"{when}: {at} was answered {len(world.gateway.replies[at])} times")


def _claims(world: World, truth: Truth, when: str) -> None:
    """Whoever has read a later claim holds the scope no more."""
    processes = [process for slot in world.slots.values() for process in (slot.process, *slot.older) if process.alive]
    for owner in (process.part for process in processes if isinstance(process.part, Owner)):
        for scope in owner.scopes():
            claims = truth.claims.get((scope.partition, scope_name(scope.partition, scope.tournament)), [])
            read = [at for at, instance in claims if scope.epoch < at <= scope.watermark and instance != owner.instance]
            world.expect(not read, f"{when}: {owner.instance} holds {scope} and has read the claims at {read}")


def _answer(told: Any) -> tuple[Any, ...]:
    return (told.offset, told.kind, told.outcome, told.reason, told.first)
