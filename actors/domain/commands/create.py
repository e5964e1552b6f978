"""Create: where a tournament begins."""

from __future__ import annotations

from msgspec import UNSET

from actors.domain.commands.checks import read_user, rules_problem
from actors.domain.delivery import ControlItem
from actors.domain.errors import InvalidRecordError
from actors.domain.events import APPLIED, REFUSED, Event, Outcome
from actors.domain.life.status import pass_time
from actors.domain.messages import Create, needed_rules
from actors.domain.messages.spec_rules import spec_problems
from actors.domain.series.family import Family
from actors.domain.tournament import Members, Tournament, multiplier_of, ranking_of


def create_again(state: Tournament, item: ControlItem, create: Create) -> Outcome:
    """A create of what is there: the same changes nothing, another is refused."""
    same = create.request_digest == state.request_digest
    reason = "" if same else "idempotency_conflict"
    detail = "" if same else "another tournament was created with this Idempotency-Key"
    return Outcome(item.offset, "create", APPLIED if same else REFUSED, reason, detail, event_id=create.command_id)


def create_tournament(
    tournament_id: int, partition: int, item: ControlItem, create: Create
) -> tuple[Tournament, list[Event]]:
    """A tournament as created. Raises InvalidRecordError `malformed`."""
    if too_new := rules_problem(create.rules_version, *needed_rules(create.spec)):
        raise InvalidRecordError("malformed", too_new)
    salt, creator, spec = bytes.fromhex(create.salt), read_user(create.creator), create.spec
    problems = spec_problems(spec) if create.rules_version >= 2 else []
    if problems:
        raise InvalidRecordError("malformed", f"spec.{problems[0]}")
    state = Tournament(
        tournament_id=tournament_id,
        partition=partition,
        rules_version=create.rules_version,
        creator=creator,
        dedicated=create.dedicated,
        salt=salt,
        request_digest=create.request_digest,
        spec=spec,
        created_ms=item.time_ms,
        time_ms=item.time_ms,
        offset=item.offset,
        members=Members(multiplier_of(salt)),
        family=None if spec.recurrence is spec.cohorts is UNSET else Family(),
        ranking=ranking_of(spec),
    )
    events = pass_time(state, item.offset, item.time_ms)
    events.insert(0, Outcome(item.offset, "create", APPLIED, event_id=create.command_id, first=True))
    return state, events
