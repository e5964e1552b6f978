"""What the scripts answer as the owner's replies. That the scripts answer so is tests/contract/test_read_model.py's, on real servers."""

from __future__ import annotations

from typing import Any

import pytest

from actors.domain import views
from actors.domain.read_model_rows import rows_of
from actors.domain.tournament import Tournament
from storage.ports import RankingsQuery, Reply
from storage.read_model.redis_replies import NOT_FOUND, participant_reply, rankings_reply, reply, users_reply
from tests.unit.actors.domain.test_tournament import tournament

EPOCH, OFFSET, SEQ = 5, 50, 9
SCORES = [900, 500, 900, 700, 500, 500, 100]  # of users 1, 2, ...; 8 has none
TIES = ["first", "shared", "dense"]


@pytest.fixture(params=TIES)
def state(request: pytest.FixtureRequest) -> Tournament:
    state = tournament(ties=request.param)
    state.status, state.offset = "running", OFFSET
    for user in range(1, len(SCORES) + 2):
        slot = state.members.add(user, f"U{user}", 0)
        if user <= len(SCORES):
            state.ranking.place(slot, SCORES[slot])
            state.members.scored_ms[slot] = 1_800_000_000_000 + user
    return state


def head(state: Tournament) -> list[bytes]:
    public = b"1" if state.spec.visibility == "public" else b"0"
    return [b"%d" % EPOCH, b"%d" % OFFSET, b"%d" % SEQ, state.status.encode(), public, state.spec.ties.encode()]


def stored(state: Tournament, *slots: int) -> list[bytes]:
    rows = rows_of(state, list(slots), {0: 4})
    return [row.participant for row in rows if row.participant is not None]


def better(state: Tournament, slot: int) -> tuple[int, int]:
    """(members with a better score, better ranks)."""
    own = SCORES[slot]
    above = [score for score in SCORES if score > own]
    return len(above), len(set(above)) if state.spec.ties == "dense" else len(above)


def page(state: Tournament, query: RankingsQuery) -> bytes:
    at = EPOCH, SEQ, state.status
    return views.encode(views.rankings(state, query.start, query.limit, query.around, query.users, *at))


@pytest.mark.parametrize(("start", "limit"), [(0, 3), (0, 7), (1, 2), (2, 5), (3, 1), (6, 9), (7, 5), (20, 5)])
def test_a_page_is_the_owners_to_the_byte(state: Tournament, start: int, limit: int) -> None:
    slots = state.ranking.slots(start, limit).tolist()
    first_better = better(state, slots[0])[1] if slots else 0
    answer = [head(state), len(SCORES), start, first_better, stored(state, *slots)]
    found = rankings_reply(answer, RankingsQuery(start, limit))
    assert found is not None
    assert found.body == page(state, RankingsQuery(start, limit))


def test_a_page_around_a_user_has_no_next_one(state: Tournament) -> None:
    query = RankingsQuery(0, 3, around=4)
    first = 1  # user 4 stands third
    slots = state.ranking.slots(first, 3).tolist()
    answer = [head(state), len(SCORES), first, better(state, slots[0])[1], stored(state, *slots)]
    found = rankings_reply(answer, query)
    assert found is not None
    assert found.body == page(state, query)


def test_named_users_are_listed_best_first(state: Tournament) -> None:
    query = RankingsQuery(0, 50, users=(5, 1, 7))
    answers = [
        [state.ranking.position(slot), better(state, slot)[1], stored(state, slot)[0]]
        for slot in (4, 0, 6)  # as the script finds them
    ]
    assert users_reply([head(state), len(SCORES), answers]).body == page(state, query)


@pytest.mark.parametrize("user", range(1, len(SCORES) + 2))
def test_a_participant_is_the_owners_to_the_byte(state: Tournament, user: int) -> None:
    slot = user - 1
    answer: list[Any] = [head(state), stored(state, slot)[0]]
    if slot < len(SCORES):
        answer += [state.ranking.position(slot), *better(state, slot), len(SCORES)]
    found = participant_reply(answer)
    assert found is not None
    assert found.body == views.encode(views.participant(state, user, 4 if user == 1 else None))


def test_what_is_not_there_and_what_is_missing_a_part_are_told_apart(state: Tournament) -> None:
    assert participant_reply([head(state), None]) == NOT_FOUND
    assert participant_reply([head(state), stored(state, 0)[0], None, 0, 0, 7]) is None
    assert rankings_reply([head(state), None], RankingsQuery(0, 3, around=99)) == NOT_FOUND
    assert rankings_reply([head(state), 7, 0, 0, [stored(state, 0)[0], None]], RankingsQuery(0, 2)) is None


@pytest.mark.parametrize(("visibility", "public"), [("public", True), ("private", False)])
def test_the_heads_fields_are_those_of_an_owners_reply(visibility: str, public: bool) -> None:
    state = tournament(visibility=visibility)
    state.status = "running"
    assert reply(head(state), b"{}") == Reply(
        found=True, public=public, body=b"{}", etag='"5-32-9-r"', status="running", epoch=EPOCH, seq=SEQ, offset=OFFSET
    )
