"""The rules of the fold, one example each. The properties are in test_fold_properties.py."""

from __future__ import annotations

from typing import Any

import pytest

from actors.domain import views
from actors.domain.codec import encode_snapshot
from actors.domain.commands.table import HANDLERS
from actors.domain.delivery import ControlItem, Item, ScoreItem
from actors.domain.errors import InvalidRecordError
from actors.domain.events import Event, Outcome, StatusChanged
from actors.domain.fold import apply
from actors.domain.messages import (
    RULES_VERSION,
    ApprovePrizes,
    Begin,
    Cancel,
    Changes,
    Claim,
    Command,
    Disqualify,
    Done,
    Edit,
    End,
    ExtraTime,
    Invite,
    Join,
    Leave,
    Message,
    Open,
    Reinstate,
    Reopen,
    Reveal,
    RevokeInvitation,
    Spec,
    Standings,
    Start,
    Tick,
    Written,
)
from actors.domain.messages.spec import LATER_FIELDS
from actors.domain.tournament import Tournament
from tests.support.histories import PARTITION, TOURNAMENT, create_of

START, END = 1_000, 2_000


class World:
    """One tournament fed by hand; every call returns the events."""

    def __init__(self, time_ms: int = 500, rules_version: int = RULES_VERSION, **fields: Any) -> None:
        self.offset = 0
        self.commands = 0
        self.state: Tournament | None = None
        times = {} if fields.get("type") == "instant" else {"starts_ms": START, "ends_ms": END}
        spec = Spec(**{"name": "x", "type": "scheduled", **times, **fields})
        self.events = self.record(time_ms, create_of(spec, rules_version=rules_version))

    @property
    def now(self) -> Tournament:
        assert self.state is not None
        return self.state

    def record(self, time_ms: int, message: Message) -> list[Event]:
        return self.feed(ControlItem(self.offset + 1, time_ms, TOURNAMENT, message))

    def feed(self, item: Item) -> list[Event]:
        self.offset = item.offset
        self.state, events = apply(self.state, TOURNAMENT, PARTITION, item)
        return events

    def command_id(self) -> str:
        self.commands += 1
        return f"c{self.commands}"

    def join(self, time_ms: int, *users: int, name: str | None = None, **fields: Any) -> str:
        for user in users:
            join = Join(command_id=self.command_id(), user_id=str(user), name=name, **fields)
            events = self.record(time_ms, join)
        return reason(events)

    def leave(self, time_ms: int, user: int, **fields: Any) -> str:
        return reason(self.record(time_ms, Leave(command_id=self.command_id(), user_id=str(user), **fields)))

    def edit(self, time_ms: int, version: int | None = None, **changes: Any) -> str:
        edit = Edit(command_id=self.command_id(), changes=Changes(**changes), if_version=version)
        return reason(self.record(time_ms, edit))

    def score(self, time_ms: int, user: int, score: int, event_id: str = "") -> str:
        event_id = event_id or f"e{self.offset}"
        return reason(self.feed(ScoreItem(self.offset + 1, time_ms, TOURNAMENT, user, event_id, score)))

    def table(self) -> list[tuple[int, int, float]]:
        return [(row["rank"], int(row["user_id"]), row["score"]) for row in views.rows(self.now, 0, 100)]


def reason(events: list[Event]) -> str:
    """The reason of the record's outcome, "" when it was applied."""
    outcomes = [event for event in events if isinstance(event, Outcome)]
    assert len(outcomes) == 1
    assert (outcomes[0].outcome == "applied") == (outcomes[0].reason == "")
    return outcomes[0].reason


def changes(events: list[Event]) -> list[tuple[str, str, int, str]]:
    return [(e.before, e.after, e.time_ms, e.reason) for e in events if isinstance(e, StatusChanged)]


def test_it_starts_and_ends_by_the_time_of_the_log() -> None:
    world = World()
    world.join(600, 1)
    assert world.score(START - 1, 1, 100) == "not_running"
    assert world.score(START, 1, 100) == ""
    assert world.score(END - 1, 1, 300) == ""
    assert world.score(END, 1, 900) == "ended"
    assert world.table() == [(1, 1, 3)]
    assert world.now.finished_ms == END


def test_one_record_can_start_and_end_it() -> None:
    world = World()
    events = world.record(END + 5_000, Tick())
    assert changes(events) == [
        ("scheduled", "running", START, "starts_at"),
        ("running", "finished", END, "ends_at"),
    ]


def test_a_record_of_an_earlier_time_has_the_time_of_the_one_before() -> None:
    world = World()
    world.join(600, 1)
    assert world.score(1_500, 1, 100) == ""
    assert world.score(1_400, 1, 200) == ""
    assert world.now.members.scored_ms[0] == 1_500
    world.record(END, Tick())
    assert world.score(END - 500, 1, 900) == "ended"


def test_a_tick_has_no_authority_but_its_time() -> None:
    world = World()
    assert world.record(START - 1, Tick()) == []
    assert world.now.status == "scheduled"
    assert changes(world.record(START, Tick())) == [("scheduled", "running", START, "starts_at")]
    assert world.record(START + 1, Tick()) == []


def test_a_start_in_the_past_starts_at_once() -> None:
    world = World(time_ms=1_500)
    assert [type(event).__name__ for event in world.events] == ["Outcome", "StatusChanged"]
    assert world.now.status == "running"
    assert world.now.spec.starts_ms == START


def test_too_few_at_the_start_cancel_it() -> None:
    world = World(min_participants=2)
    world.join(600, 1, 2)
    world.leave(700, 2)
    assert changes(world.record(START, Tick())) == [("scheduled", "cancelled", START, "too_few_participants")]
    assert world.now.finished_ms == START


def test_enough_at_the_start_start_it() -> None:
    world = World(min_participants=2)
    world.join(600, 1, 2)
    assert changes(world.record(START, Tick())) == [("scheduled", "running", START, "starts_at")]


def test_an_operator_cannot_start_with_too_few() -> None:
    world = World(min_participants=1)
    assert reason(world.record(600, Start(command_id="s"))) == "too_few_participants"
    world.join(600, 1)
    events = world.record(700, Start(command_id="s"))  # a refused command has not consumed its id
    assert changes(events) == [("scheduled", "running", 700, "command")]
    assert (world.now.spec.starts_ms, world.now.spec.ends_ms) == (700, END)


def test_the_join_that_fills_an_instant_tournament_starts_it() -> None:
    world = World(type="instant", capacity=2, duration_ms=300)
    assert world.record(10_000, Tick()) == []
    world.join(600, 1)
    assert world.now.time_ms == 10_000
    events = world.record(10_500, Join(command_id="j", user_id="2"))
    assert changes(events) == [("scheduled", "running", 10_500, "full")]
    assert (world.now.spec.starts_ms, world.now.spec.ends_ms) == (10_500, 10_800)
    assert world.join(10_600, 3) == "tournament_full"
    assert world.score(10_799, 1, 100) == ""
    assert world.score(10_800, 2, 100) == "ended"


def test_an_instant_tournament_starts_by_command_too() -> None:
    world = World(type="instant", capacity=9, duration_ms=300)
    world.join(600, 1)
    world.record(700, Start(command_id="s"))
    assert world.now.due_ms == 1_000


def test_places_that_become_free_can_be_taken() -> None:
    world = World(capacity=2)
    world.join(600, 1, 2)
    assert world.join(600, 3) == "tournament_full"
    world.leave(610, 1)
    assert world.join(620, 3) == ""
    assert world.join(630, 1) == "tournament_full"


def test_join_until_start() -> None:
    world = World(join_until="start")
    assert world.join(START - 1, 1) == ""
    assert world.join(START, 2) == "registration_closed"
    assert world.join(START, 1) == ""  # again


def test_join_until_end() -> None:
    world = World()
    assert world.join(END - 1, 1) == ""
    assert world.join(END, 2) == "registration_closed"


def test_a_private_tournament_wants_an_invitation_each_time() -> None:
    world = World(visibility="private")
    assert world.join(600, 1) == "invite_invalid"
    assert world.join(600, 1, invited=True) == ""
    world.leave(600, 1)
    assert world.join(600, 1) == "invite_invalid"
    assert world.join(600, 1, invited=True) == ""


def test_under_rules_1_who_had_left_a_private_tournament_came_back_without() -> None:
    world = World(visibility="private", rules_version=1)
    assert world.join(600, 1) == "invite_invalid"
    world.join(600, 1, invited=True)
    world.leave(600, 1)
    assert world.join(600, 1) == ""


@pytest.mark.parametrize("rules_version", [1, 2])
@pytest.mark.parametrize("visibility", ["public", "private"])
def test_removed_is_removed_until_a_service_brings_them_back(visibility: str, rules_version: int) -> None:
    world = World(visibility=visibility, rules_version=rules_version)
    world.join(600, 1, 2, 3, invited=True)
    world.leave(610, 1, removed=True)
    world.leave(610, 2)
    world.leave(620, 2, removed=True)  # had left before
    world.leave(630, 1)  # changes nothing
    world.leave(630, 9, removed=True)  # never took part
    assert [world.join(640, user) for user in (1, 2)] == ["removed", "removed"]
    assert [world.join(650, user, invited=True) for user in (1, 2)] == ["", ""]
    world.leave(660, 1)
    assert world.join(670, 1) == ("" if visibility == "public" or rules_version == 1 else "invite_invalid")


def test_leaving_hides_and_joining_again_restores() -> None:
    world = World(max_attempts=2)
    world.join(600, 1, 2, name="Ann")
    world.score(START, 1, 100, "a")
    world.score(START, 2, 100)
    world.leave(1_100, 1)
    assert world.table() == [(1, 2, 1)]
    assert world.score(1_110, 1, 900) == "not_joined"
    world.join(1_200, 1)
    assert world.table() == [(1, 1, 1), (2, 2, 1)]
    assert world.now.members.names[0] == "Ann"
    assert world.score(1_300, 1, 200, "a") == "duplicate"
    assert world.score(1_300, 1, 200, "b") == ""
    assert world.score(1_300, 1, 300, "c") == "attempts_used"
    assert world.leave(END, 1) == "already_over"


@pytest.mark.parametrize(
    ("policy", "order", "wanted"),
    [
        ("best", "desc", 9), ("best", "asc", 2), ("last", "desc", 5), ("last", "asc", 5),
        ("sum", "desc", 16), ("sum", "asc", 16), ("first", "desc", 2), ("first", "asc", 2),
    ],
)  # fmt: skip
def test_score_policies(policy: str, order: str, wanted: int) -> None:
    world = World(score_policy=policy, order=order)
    world.join(600, 1)
    for score in (2, 9, 5):
        assert world.score(START, 1, score * 100) == ""
    assert world.table() == [(1, 1, wanted)]
    assert world.now.members.attempts[0] == 3


@pytest.mark.parametrize(
    ("ties", "ranks"), [("first", [1, 2, 3, 4]), ("shared", [1, 1, 3, 4]), ("dense", [1, 1, 2, 3])]
)
def test_tie_rules(ties: str, ranks: list[int]) -> None:
    world = World(ties=ties)
    world.join(600, 1, 2, 3, 4)
    for user, score in ((4, 10), (3, 30), (1, 30), (2, 20)):
        world.score(START, user, score)
    assert [(rank, user) for rank, user, _ in world.table()] == list(zip(ranks, [3, 1, 2, 4], strict=True))


def test_a_score_that_stays_as_it_was_keeps_its_place() -> None:
    world = World(score_policy="last")
    world.join(600, 1, 2)
    for user, score in ((1, 10), (2, 10), (1, 10)):
        world.score(START, user, score)
    assert [user for _, user, _ in world.table()] == [1, 2]
    world.score(START, 1, 20)
    world.score(START, 1, 10)
    assert [user for _, user, _ in world.table()] == [2, 1]


def test_only_an_applied_score_consumes_its_event_id() -> None:
    world = World(score_policy="sum")
    assert world.score(600, 1, 100, "a") == "not_running"
    assert world.score(START, 1, 100, "a") == "not_joined"
    world.join(START, 1, 2)
    assert world.score(START, 1, 9_999_999_999, "b") == ""
    assert world.score(START, 1, 100, "a") == "out_of_range"
    assert world.score(START, 1, -100, "c") == ""
    assert world.score(START, 1, 100, "a") == ""
    assert world.score(START, 1, -100, "a") == "duplicate"
    assert world.score(START, 2, 100, "a") == ""  # unique per user


def test_the_largest_sums_are_scores() -> None:
    world = World(score_policy="sum")
    world.join(600, 1, 2)
    world.score(START, 1, 9_999_999_999)
    world.score(START, 2, -9_999_999_999)
    assert world.score(START, 1, 1) == "out_of_range"
    assert world.score(START, 2, -1) == "out_of_range"
    assert world.table() == [(1, 1, 99_999_999.99), (2, 2, -99_999_999.99)]


def test_after_the_end_only_the_end_counts() -> None:
    world = World()
    world.join(600, 1)
    world.score(START, 1, 100, "a")
    world.record(1_500, End(command_id="e"))
    assert world.now.spec.ends_ms == 1_500
    for user, event_id in ((1, "a"), (1, "b"), (7, "c")):
        assert world.score(1_500, user, 100, event_id) == "ended"


def test_an_applied_command_is_applied_once() -> None:
    world = World()
    join, leave = Join(command_id="j", user_id="1"), Leave(command_id="l", user_id="1")
    assert [reason(world.record(600, message)) for message in (join, leave, join, leave)] == [
        "",
        "",
        *["duplicate"] * 2,
    ]
    assert world.now.members.joined == 0


def test_illegal_commands_name_state_and_command() -> None:
    world = World()
    outcome = world.record(600, End(command_id="e"))[0]
    assert isinstance(outcome, Outcome)
    assert (outcome.outcome, outcome.reason) == ("refused", "not_running")
    assert outcome.detail == "cannot end a tournament that is scheduled"
    world.record(600, Cancel(command_id="c"))
    assert reason(world.record(600, Cancel(command_id="c2"))) == "already_over"
    assert reason(world.record(600, Start(command_id="s"))) == "not_scheduled"


def test_the_same_create_again_changes_nothing_and_another_conflicts() -> None:
    world = World()
    before = encode_snapshot(world.now)
    spec = world.now.spec
    events = world.record(500, create_of(spec))
    assert (reason(events), events[0].first) == ("", False)  # type: ignore[union-attr]
    assert reason(world.record(500, create_of(spec, digest="other"))) == "idempotency_conflict"
    world.now.offset = 1
    assert encode_snapshot(world.now) == before


def test_edits() -> None:
    world = World(capacity=5)
    assert world.edit(600, name="new", capacity=6, ends_ms=3_000, version=1) == ""
    assert (world.now.spec.name, world.now.spec.capacity, world.now.version) == ("new", 6, 2)
    assert world.edit(600, name="newer", version=1) == "version_mismatch"
    assert world.edit(600, capacity=5) == "edit_not_allowed"
    assert world.edit(600, duration_ms=5) == "edit_not_allowed"
    assert world.edit(600, ends_ms=START) == "invalid"
    assert world.edit(600, starts_ms=3_000) == "invalid"
    assert world.edit(START, starts_ms=1_100) == "not_scheduled"
    assert world.edit(START + 1, ends_ms=START + 1) == "edit_not_allowed"
    assert world.edit(START + 1, ends_ms=START + 2) == ""
    assert world.score(START + 2, 1, 1) == "ended"
    assert world.edit(START + 2, name="late") == "already_over"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"min_participants": 3}, "invalid"),
        ({"min_participants": 3, "capacity": 3}, ""),
        ({"ends_ms": START}, "invalid"),
        ({"starts_ms": END}, "invalid"),
        ({"starts_ms": END, "ends_ms": END + 1}, ""),
        ({"starts_ms": 550}, "too_few_participants"),  # would be cancelled at once
        ({"starts_ms": 550, "min_participants": 0}, ""),
    ],
)
def test_an_edit_is_judged_by_the_whole_spec_that_it_makes(changes: dict[str, Any], reason: str) -> None:
    world = World(capacity=2, min_participants=1)
    before = world.now.spec
    assert world.edit(600, **changes) == reason
    assert (world.now.spec == before) == (reason != "")


def test_under_rules_1_an_edit_was_not_judged_by_the_whole_spec() -> None:
    world = World(capacity=2, rules_version=1)
    assert world.edit(600, min_participants=3) == ""
    assert world.edit(600, ends_ms=START) == "edit_not_allowed"
    assert world.edit(600, starts_ms=550) == ""
    assert world.now.status == "cancelled"


def every_later_command(rules: int) -> list[Any]:
    """One of each kind that came with rules 3, each under an id of its own."""
    user: dict[str, Any] = {"user_id": "1"}
    given: dict[type[Command], dict[str, Any]] = {
        Begin: user,
        Done: user,
        ExtraTime: {**user, "extra_ms": 5},
        Disqualify: {**user, "reason": "why"},
        Reinstate: user,
        Reopen: {"ends_ms": 5_000},
        Reveal: {},
        Invite: {"invitation": "i", "creator": "9"},
        RevokeInvitation: {"invitation": "i"},
        Open: {"after_ms": 0, "starts_ms": 5_000},
        Standings: {"starts_ms": 5_000, "moves": []},
        Written: {"upto": 1},
        ApprovePrizes: {},
    }
    assert set(given) == {kind for kind in HANDLERS if kind.rules > rules}
    made: list[Any] = [kind(command_id=kind.__name__, **fields) for kind, fields in given.items()]
    made += [Join(command_id=name, user_id="2", **{name: value}) for name, value in LATER_OF_JOIN.items()]
    return made + [Edit(command_id=name, changes=Changes(**{name: None})) for name in LATER_OF_CHANGES]


LATER_OF_JOIN: dict[str, Any] = {"invitation": "i", "placed": True, "attributes": {"country": "FI"}}
LATER_OF_CHANGES = [name for name in Changes.__struct_fields__ if name in LATER_FIELDS]


@pytest.mark.parametrize("over", [False, True], ids=["running", "over"])
@pytest.mark.parametrize("rules", range(1, RULES_VERSION))
def test_what_came_with_later_rules_is_refused_and_changes_nothing(rules: int, over: bool) -> None:
    world = World(rules_version=rules)
    world.join(START, 1)
    if over:
        world.record(END, Tick())
    before = encode_snapshot(world.now)
    for n, command in enumerate(every_later_command(rules)):
        events = world.record(END + n, command)  # nor does the time pass by it
        assert [(event.outcome, event.reason) for event in events if isinstance(event, Outcome)] == [
            ("refused", "older_rules")
        ], command
        assert len(events) == 1
        assert encode_snapshot(world.now) == before
    assert world.edit(END - 1, name="other") == ("already_over" if over else "")


def test_a_create_that_breaks_a_rule_is_a_dead_letter_but_for_those_of_rules_1() -> None:
    with pytest.raises(InvalidRecordError, match=r"spec\.min_participants: expected at most the capacity of 2"):
        World(capacity=2, min_participants=3)
    assert World(capacity=2, min_participants=3, rules_version=1).now.status == "scheduled"


def test_a_name_stays_as_it_is_once_it_is_over() -> None:
    world = World()
    world.join(600, 1, name="Ann")
    world.record(END, Tick())
    assert world.join(END, 1, name="Bo") == "already_over"
    assert world.join(END, 1, name="Ann") == ""  # again
    assert world.join(END, 1) == ""
    assert world.now.members.names == ["Ann"]


def test_an_edit_to_a_start_in_the_past_starts_at_once() -> None:
    world = World()
    edit = Edit(command_id="e", changes=Changes(starts_ms=550))
    assert changes(world.record(600, edit)) == [("scheduled", "running", 550, "starts_at")]


def test_what_meets_a_tournament_that_is_over_leaves_it_untouched() -> None:
    world = World()
    world.join(600, 1)
    world.score(START, 1, 100)
    world.record(END, Tick())
    before = encode_snapshot(world.now)
    world.score(END + 1, 1, 500)
    world.record(END + 2, Tick())
    world.record(END + 3, Join(command_id="n", user_id="1", name="late"))
    world.join(END + 3, 5)
    world.leave(END + 4, 1)
    world.edit(END + 5, name="no")
    world.record(END + 6, Cancel(command_id="x"))
    assert encode_snapshot(world.now) == before
    assert world.now.seen == {}


def test_a_claim_is_nothing_to_a_tournament() -> None:
    world = World()
    before = encode_snapshot(world.now)
    assert world.record(END, Claim(command_id="c", scope=f"tournament-{TOURNAMENT}", owner="a", instance="b")) == []
    assert encode_snapshot(world.now) == before


def test_a_record_applied_before_changes_nothing() -> None:
    world = World(score_policy="sum")
    world.join(600, 1)
    item = ScoreItem(world.offset + 1, START, TOURNAMENT, 1, "a", 100)
    world.feed(item)
    assert world.feed(item) == []
    assert world.table() == [(1, 1, 1)]


@pytest.mark.parametrize(
    "item",
    [
        ScoreItem(5, 1_000, TOURNAMENT, 1, "a", 100),
        ControlItem(5, 1_000, TOURNAMENT, Tick()),
        ControlItem(5, 1_000, TOURNAMENT, Join(command_id="j", user_id="1")),
    ],
)
def test_records_ahead_of_the_create_are_dead_letters(item: Item) -> None:
    with pytest.raises(InvalidRecordError, match="unknown_tournament"):
        apply(None, TOURNAMENT, PARTITION, item)


@pytest.mark.parametrize("user_id", ["0", "", "-1", "9223372036854775808", "1e3", "٣"])
def test_a_record_that_cannot_be_read_is_a_dead_letter_and_changes_nothing(user_id: str) -> None:
    world = World()
    before = encode_snapshot(world.now)
    with pytest.raises(InvalidRecordError, match="malformed"):
        world.record(END, Join(command_id="j", user_id=user_id))
    assert encode_snapshot(world.now) == before
