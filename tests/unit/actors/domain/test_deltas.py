"""Deltas of snapshots, told by a ranking that is kept beside them. What owners make of them: `test_snapshot_chain.py`."""

from __future__ import annotations

from itertools import pairwise
from random import Random

import msgspec
import pytest
from msgspec import UNSET

from actors.domain.codec import (
    DELTA_MAGIC,
    DELTA_VERSION,
    SavedPart,
    decode_snapshot,
    encode_delta,
    encode_snapshot,
    saved_part,
)
from actors.domain.errors import SnapshotDamagedError, SnapshotError, SnapshotVersionError
from actors.domain.messages import Join, Spec, Subscore
from actors.domain.tournament import Tournament
from tests.support.histories import BEGIN_MS, Score, Step, create_of, fold, items_of
from tests.support.submissions import Sent

PLAIN = Spec(name="x", type="scheduled", starts_ms=BEGIN_MS - 1, ends_ms=BEGIN_MS + 10**9, score_policy="last")
SPECS = {
    f"{order} {ties} {'with' if subscore else 'without'} subscore": msgspec.structs.replace(
        PLAIN, order=order, ties=ties, subscore=Subscore(order="asc") if subscore else UNSET
    )
    for order in ("desc", "asc")
    for ties in ("first", "shared")
    for subscore in (False, True)
}


class Told:
    """A tournament, and what was encoded of it: a snapshot and deltas."""

    def __init__(self, spec: Spec, members: int, r: Random) -> None:
        self.r, self.spec, self.members, self.count, self.offset = r, spec, members, 0, 100_000
        joins = [Step(BEGIN_MS, Join(command_id=f"j{user}", user_id=str(user))) for user in range(1, members + 1)]
        self.state = fold(items_of([Step(BEGIN_MS, create_of(spec)), *joins]))
        self.whole = encode_snapshot(self.state)
        self.deltas: list[bytes] = []
        self.part: SavedPart = saved_part(self.state)

    def score(self, scores: int) -> set[int]:
        """Few different scores, so that there are many ties; who scored."""
        steps: list[Step] = []
        users = set()
        for _ in range(scores):
            self.count += 1
            user, score, event = self.r.randint(1, self.members), self.r.randint(1, 3), f"e{self.count}"
            plain = self.spec.subscore is UNSET
            what = Score(user, event, score) if plain else Sent(user, event, score, self.r.randint(1, 2), None)
            steps.append(Step(BEGIN_MS + self.count, what))
            users.add(user)
        self.state = fold(items_of(steps, self.offset), self.state)
        self.offset += 1000
        return users

    def delta(self, users: set[int]) -> None:
        slots = [self.state.members.users.slot(user) for user in users]
        delta = encode_delta(self.state, slots, self.part)
        assert delta is not None
        self.deltas.append(delta)
        self.part = saved_part(self.state)

    def decoded(self) -> Tournament:
        return decode_snapshot(self.whole, self.deltas)


@pytest.mark.parametrize("name", SPECS)
def test_ties_stand_as_they_came(name: str) -> None:
    told = Told(SPECS[name], 12, Random(name))
    for _ in range(8):
        told.delta(told.score(told.r.randint(0, 9)))
        assert encode_snapshot(told.decoded()) == encode_snapshot(told.state)


def test_what_scores_anew_stands_behind_its_equals_and_what_does_not_stays() -> None:
    told = Told(PLAIN, 3, Random(1))
    for n, user in enumerate((1, 2, 3)):
        told.state = fold(items_of([Step(BEGIN_MS + n, Score(user, "a", 5))], 1000 + 10 * n), told.state)
    told.whole, told.part = encode_snapshot(told.state), saved_part(told.state)
    told.state = fold(
        items_of([Step(BEGIN_MS + 9, Score(1, "b", 9)), Step(BEGIN_MS + 9, Score(1, "c", 5)),
                  Step(BEGIN_MS + 9, Score(2, "b", 5))], 2000), told.state,
    )  # fmt: skip
    told.delta({1, 2})
    again = told.decoded()
    order = [again.members.users.user_id(slot) for slot in again.ranking.slots(0, 3).tolist()]
    assert order == [2, 3, 1]
    assert encode_snapshot(again) == encode_snapshot(told.state)


def test_a_delta_holds_what_changed_and_not_the_members() -> None:
    told = Told(PLAIN, 2_000, Random(2))
    told.delta(told.score(5))
    assert len(told.deltas[0]) < 4_000 < 80_000 < len(told.whole)
    assert len(told.decoded().seen) == len(told.state.seen) == 2_005


def test_of_no_members_and_no_changes() -> None:
    state = fold(items_of([Step(BEGIN_MS, create_of(PLAIN))]))
    delta = encode_delta(state, [], saved_part(state))
    assert delta is not None
    assert encode_snapshot(decode_snapshot(encode_snapshot(state), [delta])) == encode_snapshot(state)


def test_one_that_was_numbered_again_is_not_told_by_a_delta() -> None:
    told = Told(PLAIN, 3, Random(3))
    told.score(3)
    told.state.ranking._renumber()
    assert encode_delta(told.state, [0], told.part) is None


def test_a_gap_and_damage_are_noticed() -> None:
    told = Told(PLAIN, 5, Random(4))
    for _ in range(3):
        told.delta(told.score(2))
    first, second, third = told.deltas
    for wrong in ([first, third], [second], [first, first], [first, second, third[:-1]], [told.whole]):
        with pytest.raises(SnapshotDamagedError):
            decode_snapshot(told.whole, wrong)
    flipped = bytearray(third)
    flipped[-20] ^= 1
    with pytest.raises(SnapshotError):
        decode_snapshot(told.whole, [first, second, bytes(flipped)])
    newer = bytearray(third)
    newer[8:10] = (DELTA_VERSION + 1).to_bytes(2, "big")
    with pytest.raises(SnapshotVersionError, match=f"format {DELTA_VERSION} or older, got {DELTA_VERSION + 1}"):
        decode_snapshot(told.whole, [first, second, bytes(newer)])
    with pytest.raises(SnapshotDamagedError, match="expected a snapshot that begins"):
        decode_snapshot(first)
    assert first.startswith(DELTA_MAGIC)
    offsets = [decode_snapshot(told.whole, told.deltas[:n]).offset for n in range(4)]
    assert all(before < after for before, after in pairwise(offsets))
