from __future__ import annotations

from typing import Any

import pytest

from actors.domain.ranking.keys import TIE_BITS, TIE_LIMIT
from actors.domain.read_model_rows import (
    CapturedRows,
    ReadModelParticipant,
    ReadModelRow,
    decode_participant,
    place_of,
    rows_of,
)
from actors.domain.tournament import Tournament
from actors.domain.values import MAX_HUNDREDTHS, MAX_ID
from tests.unit.actors.domain.test_tournament import tournament

MARK_DIGITS = 11  # the first digits of a place: equal for equal scores


def key(mark: int, tie: int) -> int:
    return (mark << TIE_BITS) | tie


def test_places_sort_as_text_as_their_keys_do() -> None:
    marks = (-MAX_HUNDREDTHS, -MAX_HUNDREDTHS + 1, -100, -1, 0, 1, 9, 10, MAX_HUNDREDTHS)
    keys = [key(mark, tie) for mark in marks for tie in (0, 1, 9, 10, TIE_LIMIT - 1)]
    places = [place_of(each) for each in keys]
    assert places == sorted(set(places))
    assert {len(place) for place in places} == {MARK_DIGITS + len(str(TIE_LIMIT - 1))}
    assert len({place_of(key(5, tie))[:MARK_DIGITS] for tie in (0, 1, TIE_LIMIT - 1)}) == 1


def test_a_place_is_what_read_models_hold() -> None:
    assert place_of(key(-150, 7)) == "09999999849000000007"


def played(**spec: Any) -> Tournament:
    """Users MAX_ID, 2, 3, 4: 5.00, 9.00, no score, and 7.00 of one who has left."""
    state = tournament(**spec)
    for user, name, score in ((MAX_ID, "Ann", 500), (2, None, 900), (3, "Cy", None), (4, "Dee", 700)):
        slot = state.members.add(user, name, 0)
        if score is not None:
            state.ranking.place(slot, score)
            state.members.scored_ms[slot] = 1_800_000_000_000
            state.members.attempts[slot] = 2
    state.members.active[3] = 0
    state.ranking.hide(3)
    return state


@pytest.mark.parametrize(("order", "mark"), [("desc", -500), ("asc", 500)])
def test_rows_tell_all_but_ranks(order: str, mark: int) -> None:
    state = played(order=order)
    first, nobody, left = rows_of(state, [0, 2, 3], {0: 7, 2: 5})
    assert first[:3] == (MAX_ID, 500, place_of(key(mark, 0)))
    assert first.participant is not None
    assert decode_participant(first.participant) == ReadModelParticipant(
        first.place, str(MAX_ID), "Ann", 5, 7, 2, "2027-01-15T08:00:00.000Z"
    )
    assert first.participant.startswith(b'{"place":"%b",' % str(first.place).encode())  # found there without decoding
    assert nobody[:3] == (3, None, None)
    assert nobody.participant is not None
    assert decode_participant(nobody.participant) == ReadModelParticipant(None, "3", "Cy", None, 5, 0, None)
    assert left == ReadModelRow(4, None, None, None)
    assert rows_of(state, [], {}) == []


@pytest.mark.parametrize("order", ["desc", "asc"])
def test_captured_rows_are_the_same_rows_of_all_who_take_part(order: str) -> None:
    state = played(order=order)
    captured = CapturedRows(state, {1: 3})
    expected = rows_of(state, [0, 1, 2], {1: 3})
    assert len(captured) == 3
    assert list(captured) == expected
    assert captured[0:2] + captured[2:9] == expected
    assert captured[-1] == expected[2]
    with pytest.raises(IndexError):
        captured[3]


def test_captured_rows_stay_as_of_their_moment() -> None:
    state = played()
    previous = {0: 2}
    captured, before = CapturedRows(state, previous), rows_of(state, [0, 1, 2], previous)
    state.ranking.place(0, 1000)
    state.members.attempts[0] += 1
    state.members.scored_ms[0] += 5
    state.members.names[1] = "Bea"
    state.members.active[2] = 0
    state.members.add(9, "Late", 0)
    previous[0] = 1
    assert list(captured) == before
