"""The ledger follows the final table; nothing is paid twice, and what was paid too much is taken back."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from fractions import Fraction
from math import ceil
from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import UNSET

from actors.domain.fold import apply
from actors.domain.messages import Create
from actors.domain.prizes.allocation import Award, allocate
from actors.domain.prizes.ledger import (
    OPEN,
    STATES,
    TABLE,
    TRANSITIONS,
    Entry,
    Event,
    PrizeTransitionError,
    Reconciled,
    moved,
    reconcile,
)
from actors.domain.prizes.rules import PrizeRule
from actors.domain.prizes.standings import final_table
from tests.support.histories import (
    PARTITION,
    TOURNAMENT,
    items_of,
    random_history,
    random_prizes,
    told_naively,
)
from tests.support.naive_tournament import NaiveTournament

OPERATOR = 7
RULES = [
    msgspec.convert({"ranks": [place], "amount": "100", "currency": "JPY", "claim": place == 3}, PrizeRule)
    for place in (1, 2, 3)
]


class Ledger:
    """Entries by key, as a store keeps them: a change must be of the version that is there."""

    def __init__(self) -> None:
        self.entries: dict[tuple[int, int, int], Entry] = {}
        self.now_ms = 1_000
        self.sent: dict[str, int] = {}  # by key, what was ever sent to whoever pays

    def write(self, entry: Entry) -> None:
        key = (entry.rule, entry.user_id, entry.n)
        before = self.entries.get(key)
        assert entry.version == (1 if before is None else before.version + 1)
        self.entries[key] = entry

    def follow(self, awards: list[Award], *, approve: bool = False, rules: Sequence[PrizeRule] = RULES) -> Reconciled:
        self.now_ms += 1
        made = reconcile(9, rules, self.entries.values(), awards, self.now_ms, approve=approve)
        for entry in made.entries:
            self.write(entry)
        return made

    def move(self, entry: Entry, event: Event, by: int = OPERATOR, **more: Any) -> Entry:
        after = moved(entry, event, self.now_ms, by, **more)
        self.write(after)
        if event == "pay":
            assert self.sent.setdefault(after.key, after.units) == after.units, "a key means one amount for ever"
        return after

    def of(self, rule: int, user: int) -> list[tuple[str, int, str]]:
        history = sorted((e for e in self.entries.values() if (e.rule, e.user_id) == (rule, user)), key=lambda e: e.n)
        return [(entry.kind, entry.units, entry.state) for entry in history]

    def pay(self, rule: int, user: int) -> None:
        for entry in list(self.entries.values()):
            if (entry.rule, entry.user_id) == (rule, user) and entry.state in OPEN:
                approved = entry if entry.state == "approved" else self.move(entry, "approve")
                self.move(self.move(approved, "pay", TABLE, attempts=1), "settle", TABLE)


def award(rule: int, user: int, units: int = 100) -> Award:
    return Award(rule, user, rule + 1, units)


def test_a_winner_and_rule_have_one_entry() -> None:
    ledger = Ledger()
    ledger.follow([award(0, 1), award(1, 1, 50), award(1, 2, 50)])
    assert [(e.rule, e.user_id, e.units, e.state) for e in ledger.entries.values()] == [
        (0, 1, 100, "pending_review"),
        (1, 1, 50, "pending_review"),
        (1, 2, 50, "pending_review"),
    ]
    assert len({entry.key for entry in ledger.entries.values()}) == 3
    assert ledger.follow([award(0, 1), award(1, 1, 50), award(1, 2, 50)]) == ([], False)


def test_until_it_is_paid_a_prize_follows_the_table() -> None:
    ledger = Ledger()
    ledger.follow([award(0, 1), award(1, 2)])
    ledger.move(ledger.entries[1, 2, 0], "approve")
    ledger.follow([award(0, 2)])  # the first is out, the second moves up
    assert ledger.of(0, 1) == [("prize", 100, "revoked")]
    assert ledger.of(1, 2) == [("prize", 100, "revoked")]
    assert ledger.of(0, 2) == [("prize", 100, "pending_review")]
    ledger.follow([award(0, 1), award(1, 2)])  # and back
    assert ledger.of(0, 1) == [("prize", 100, "pending_review")]
    assert ledger.of(0, 2) == [("prize", 100, "revoked")]


def test_another_amount_is_reviewed_again() -> None:
    ledger = Ledger()
    ledger.follow([award(0, 1, 50)])
    ledger.move(ledger.entries[0, 1, 0], "approve")
    ledger.follow([award(0, 1, 100)])
    assert ledger.of(0, 1) == [("prize", 100, "pending_review")]


def test_another_rank_of_the_same_amount_is_not() -> None:
    ledger = Ledger()
    ledger.follow([Award(0, 1, 2, 50)])
    ledger.move(ledger.entries[0, 1, 0], "approve")
    ledger.follow([Award(0, 1, 1, 50)])
    assert (ledger.entries[0, 1, 0].rank, ledger.entries[0, 1, 0].state) == (1, "approved")


def test_what_was_paid_is_taken_back_and_given_again() -> None:
    ledger = Ledger()
    ledger.follow([award(0, 1)])
    ledger.pay(0, 1)
    ledger.follow([])
    assert ledger.of(0, 1) == [("prize", 100, "paid"), ("claw_back", 100, "pending_review")]
    ledger.follow([award(0, 1)])
    assert ledger.of(0, 1) == [("prize", 100, "paid"), ("claw_back", 100, "revoked")]
    ledger.follow([])
    ledger.pay(0, 1)
    assert ledger.of(0, 1) == [("prize", 100, "paid"), ("claw_back", 100, "paid")]
    ledger.follow([award(0, 1)])
    assert ledger.of(0, 1)[2:] == [("prize", 100, "pending_review")]


def test_of_what_was_paid_only_the_difference_is_owed() -> None:
    ledger = Ledger()
    ledger.follow([award(0, 1, 50)])
    ledger.pay(0, 1)
    ledger.follow([award(0, 1, 80)])
    assert ledger.of(0, 1)[1:] == [("prize", 30, "pending_review")]
    ledger.follow([award(0, 1, 20)])
    assert ledger.of(0, 1)[1:] == [("claw_back", 30, "pending_review")]


def test_what_is_just_being_paid_waits() -> None:
    ledger = Ledger()
    ledger.follow([award(0, 1)])
    paying = ledger.move(ledger.move(ledger.entries[0, 1, 0], "approve"), "pay", attempts=1)
    assert ledger.follow([award(0, 1)]) == ([], False)
    assert ledger.follow([]) == ([], True)
    ledger.move(paying, "fail")
    assert not ledger.follow([]).deferred
    assert ledger.of(0, 1) == [("prize", 100, "revoked")]


def test_an_amount_that_was_sent_once_keeps_its_key() -> None:
    ledger = Ledger()
    ledger.follow([award(0, 1)])
    ledger.move(ledger.move(ledger.move(ledger.entries[0, 1, 0], "approve"), "pay", attempts=1), "fail")
    ledger.follow([award(0, 1, 60)])
    assert ledger.of(0, 1) == [("prize", 100, "revoked"), ("prize", 60, "pending_review")]


def test_what_an_operator_revoked_stays_so() -> None:
    ledger = Ledger()
    ledger.follow([award(0, 1)])
    ledger.move(ledger.entries[0, 1, 0], "revoke")
    assert ledger.follow([award(0, 1)], approve=True) == ([], False)
    assert ledger.follow([]) == ([], False)


def test_prizes_may_need_no_review_but_claw_backs_do() -> None:
    ledger = Ledger()
    ledger.follow([award(0, 1)])
    ledger.follow([award(0, 1), award(1, 2)], approve=True)
    assert ledger.of(0, 1) == [("prize", 100, "approved")]
    assert ledger.of(1, 2) == [("prize", 100, "approved")]
    ledger.pay(0, 1)
    ledger.follow([award(1, 2)], approve=True)
    assert ledger.of(0, 1) == [("prize", 100, "paid"), ("claw_back", 100, "pending_review")]


def test_a_claim_is_waited_for_but_not_to_take_something_back() -> None:
    ledger = Ledger()
    ledger.follow([award(2, 1), award(0, 1)], approve=True)
    assert [entry.payable for entry in ledger.entries.values()] == [False, True]
    claimed = ledger.entries[2, 1, 0]._replace(claimed_ms=5)
    assert claimed.payable
    assert claimed._replace(claimed_ms=None, kind="claw_back").payable


def test_transitions_that_are_not_listed_are_refused() -> None:
    ledger = Ledger()
    ledger.follow([award(0, 1)])
    entry = ledger.entries[0, 1, 0]
    events: set[Event] = {event for _, event in TRANSITIONS}
    for state in STATES:
        for event in events - {event for before, event in TRANSITIONS if before == state}:
            with pytest.raises(PrizeTransitionError, match=f"cannot {event} a prize that is {state}"):
                moved(entry._replace(state=state), event, 5)
    assert {after for (before, _), after in TRANSITIONS.items() if before == "paid"} == set()


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_paid_and_owed_are_what_the_table_gives_whatever_happened(data: st.DataObject) -> None:
    ledger = Ledger()
    for _ in range(data.draw(st.integers(1, 10))):
        users = st.integers(1, 3)
        wanted = data.draw(st.dictionaries(st.tuples(st.integers(0, 2), users), st.integers(1, 4), max_size=5))
        awards = [Award(rule, user, rule + 1, 10 * units) for (rule, user), units in wanted.items()]
        made = ledger.follow(awards, approve=data.draw(st.booleans()))
        follows(ledger, awards, made)
        assert ledger.follow(awards).entries == []  # the same table again changes nothing
        something_happens(ledger, lambda events: data.draw(st.sampled_from(events)))


def follows(ledger: Ledger, awards: list[Award], made: Reconciled) -> None:
    """What is paid and what is open is what the awards give, but for what an operator revoked and what is just being paid."""
    sums: defaultdict[tuple[int, int], int] = defaultdict(int)
    for entry in ledger.entries.values():
        if entry.state != "revoked":
            sums[entry.rule, entry.user_id] += entry.units if entry.kind == "prize" else -entry.units
    refused = {(e.rule, e.user_id) for e in ledger.entries.values() if e.state == "revoked" and e.changed_by != TABLE}
    paying = {(e.rule, e.user_id) for e in ledger.entries.values() if e.state == "paying"}
    given = {(award.rule, award.user_id): award.units for award in awards}
    for key in sums.keys() | given.keys():
        if key not in refused and not (made.deferred and key in paying):
            assert sums[key] == given.get(key, 0)


def something_happens(ledger: Ledger, draw: Callable[[list[Event | None]], Event | None]) -> None:
    """Entries are approved, paid and revoked, as drawn."""
    for entry in list(ledger.entries.values()):
        possible = sorted(
            event for state, event in TRANSITIONS if state == entry.state and event not in ("change", "restore")
        )
        event = draw([None, *possible])
        if event == "approve" and entry.state == "revoked":
            continue
        if event is not None:
            attempts = entry.attempts + (event == "pay")
            ledger.move(entry, event, OPERATOR if event == "revoke" else TABLE, attempts=attempts)


def shares(naive: NaiveTournament, rule: PrizeRule) -> dict[int, Fraction]:
    """What a rule gives to each by the naive model's table, place by place, in fractions."""
    table, dense = naive.table(), naive.spec["ties"] == "dense"
    if rule.ranks is not UNSET:
        first, last = rule.ranks[0], rule.ranks[-1]
    elif rule.top_percent is not UNSET:
        first, last = 1, ceil(Fraction(str(rule.top_percent)) * len(table) / 100)
    else:
        least = naive.worth_of(round(float(rule.min_score or 0) * 100), None)[0]
        first, last = 1, sum(naive.worth(user)[0] >= least for user in table)
    ranks = {user: naive.rank(user) for user in table}
    given: dict[int, Fraction] = defaultdict(Fraction)
    for position, user in enumerate(table, start=1):
        tied = [other for other in table if ranks[other] == ranks[user]]
        by_rank = dense and rule.ranks is not UNSET
        begins = ranks[user] if by_rank else table.index(tied[0]) + 1
        if rule.ties == "next":
            given[user] += rule.units * (first <= position <= last)
        elif rule.ties == "each":
            given[user] += rule.units * (first <= begins <= last)
        else:
            places = [begins] if by_rank else range(begins, begins + len(tied))
            given[user] += Fraction(rule.units * sum(first <= place <= last for place in places), len(tied))
    return given


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32))
def test_it_follows_the_tables_of_random_histories(seed: int) -> None:
    """Whoever is disqualified, reinstated or erased after the end, and whatever is opened again: the awards are those of the naive model's
    table, to the last unit in all, and the ledger follows them while prizes are approved, paid and revoked."""
    r = Random(seed)
    steps = random_history(seed, 60)
    create = steps[0].what
    assert isinstance(create, Create)
    if create.rules_version < 3:
        return
    rules = random_prizes(r)
    steps[0] = steps[0]._replace(
        what=msgspec.structs.replace(create, spec=msgspec.structs.replace(create.spec, prizes=rules))
    )
    ledger, state, naive = Ledger(), None, None
    for step, item in zip(steps, items_of(steps), strict=True):
        state, _ = apply(state, TOURNAMENT, PARTITION, item)
        naive = told_naively(naive, step)
        table = state if state.status == "finished" else None
        awards = [] if table is None else allocate(rules, final_table(table, rules))
        for number, rule in enumerate(rules):
            wanted = shares(naive, rule) if table is not None else {}
            got = {award.user_id: award.units for award in awards if award.rule == number}
            assert sum(got.values()) == sum(wanted.values())
            assert all(abs(got.get(user, 0) - share) < 1 for user, share in wanted.items())
        made = ledger.follow(awards, approve=r.random() < 0.5, rules=rules)
        follows(ledger, awards, made)
        if r.random() < 0.3:
            something_happens(ledger, r.choice)
