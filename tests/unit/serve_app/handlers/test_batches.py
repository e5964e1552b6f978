from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.support.front import INSTANT, Front, open_front, problem, wrong_paths


@pytest.fixture
async def front() -> AsyncIterator[Front]:
    async with open_front() as front:
        yield front


async def joined(front: Front, *users: int, **spec: Any) -> str:
    tournament = await front.create(**spec)
    for user in users:
        assert (await front.join(tournament, user)).status_code == 201
    return tournament


async def test_a_batch_is_one_append_and_names_what_is_wrong(front: Front) -> None:
    one, two = await joined(front, 42), await joined(front, 43)
    calls = len(front.palio.log.calls)
    good = [
        {"tournament_id": one, "event_id": "a", "user_id": "42", "score": 1.5},
        {"tournament_id": two, "event_id": "a", "user_id": "43", "score": -2},
    ]
    bad = [
        {"tournament_id": "5", "event_id": "a", "user_id": "42", "score": 1},
        {"tournament_id": one, "event_id": "a", "user_id": "42", "score": 1.001},
        {"tournament_id": one, "event_id": "a", "user_id": "x", "score": 1},
        {"tournament_id": one, "event_id": "a", "user_id": "42", "score": "1"},
        {"tournament_id": one, "event_id": "a", "user_id": "42", "score": 1, "more": 1},
        {"tournament_id": "nonsense", "event_id": "a", "user_id": "42", "score": 1},
        7,
    ]
    response = await front.call("POST", "/v1/scores", front.token(), json=[*good, *bad])
    assert response.status_code == 202
    codes = ["tournament_unknown", "invalid", "invalid", "invalid", "invalid", "tournament_unknown", "invalid"]
    expected = [{"index": index, "code": code} for index, code in enumerate(codes, start=2)]
    assert response.json() == {"accepted": 2, "rejected": expected}
    assert [len(call) for call in front.palio.log.calls[calls:]] == [2]
    assert front.palio.states[int(one)].ranking.score(0) == 150
    assert front.palio.states[int(two)].ranking.score(0) == -200


async def test_a_batch_may_be_lines(front: Front) -> None:
    tournament = await joined(front, 42)
    line = json.dumps({"tournament_id": tournament, "event_id": "a", "user_id": "42", "score": 1}).encode()
    lines = {**front.token(), "content-type": "application/x-ndjson"}
    good = await front.call("POST", "/v1/scores", lines, content=line + b"\n" + line + b"\n")
    assert good.json() == {"accepted": 2, "rejected": []}
    mixed = await front.call("POST", "/v1/scores", lines, content=line + b"\n{oops\n\n" + line)
    assert mixed.json() == {"accepted": 2, "rejected": [{"index": 1, "line": 2, "code": "malformed"}]}


async def test_a_batch_has_its_limits(front: Front) -> None:
    tournament = await joined(front, 42)
    item = {"tournament_id": tournament, "event_id": "a", "user_id": "42", "score": 1}
    assert (await front.call("POST", "/v1/scores", front.token(), json=[item] * 1000)).json()["accepted"] == 1000
    assert wrong_paths(await front.call("POST", "/v1/scores", front.token(), json=[item] * 1001)) == [""]
    assert problem(await front.call("POST", "/v1/scores", front.token(), content=b"[{]")) == (400, "malformed")
    assert problem(await front.call("POST", "/v1/scores", front.token(), json={"a": 1})) == (422, "invalid")
    for role in ("player", "operator"):
        response = await front.call("POST", "/v1/scores", front.token(role, 42), json=[item])
        assert problem(response) == (403, "role_forbidden")
    assert (await front.call("POST", "/v1/scores", front.token(), json=[])).json() == {"accepted": 0, "rejected": []}


async def test_a_batch_of_which_nobody_can_tell_is_503_whole(front: Front) -> None:
    tournament = await joined(front, 42)
    front.palio.owners.down = True
    front.palio.records.down = True
    calls = len(front.palio.log.calls)
    items = [{"tournament_id": t, "event_id": "a", "user_id": "42", "score": 1} for t in (tournament, "77")]
    assert problem(await front.call("POST", "/v1/scores", front.token(), json=items)) == (503, "unavailable")
    assert len(front.palio.log.calls) == calls


async def test_joins_are_one_append_and_what_is_wrong_is_named(front: Front) -> None:
    public, private = await front.create(), await front.create(visibility="private")
    calls = len(front.palio.log.calls)
    good = [
        {"tournament_id": public, "user_id": "42", "name": "Zoe\u0308"},
        {"tournament_id": public, "user_id": "43"},
        {"tournament_id": private, "user_id": "42"},
    ]
    bad = [
        {"tournament_id": "5", "user_id": "42"},
        {"tournament_id": public, "user_id": "0"},
        {"tournament_id": public, "user_id": "44", "name": "  "},
        {"tournament_id": public, "user_id": "44", "name": "x" * 65},
        {"tournament_id": public, "user_id": "44", "invite": "x"},
        {"tournament_id": public},
        7,
    ]
    response = await front.call("POST", "/v1/participants", front.token(), json=[*good, *bad])
    codes = ["tournament_unknown"] + ["invalid"] * 6
    expected = [{"index": index, "code": code} for index, code in enumerate(codes, start=3)]
    assert (response.status_code, response.json()) == (202, {"accepted": 3, "rejected": expected})
    assert [len(call) for call in front.palio.log.calls[calls:]] == [3]
    for item in good:
        path = f"/v1/tournaments/{item['tournament_id']}/participants/{item['user_id']}"
        shown = (await front.call("GET", path, front.token())).json()
        assert shown["name"] == ("Zo\u00eb" if "name" in item else None)


async def test_joins_may_be_lines_and_sent_again(front: Front) -> None:
    tournament = await front.create()
    line = b'{"tournament_id":"%b","user_id":"%d"}'
    lines = b"\n".join(line % (tournament.encode(), user) for user in (1, 2)) + b"\n{"
    headers = {**front.token(), "content-type": "application/x-ndjson"}
    for _ in range(2):
        answer = await front.call("POST", "/v1/participants", headers, content=lines)
        assert answer.json() == {"accepted": 2, "rejected": [{"index": 2, "line": 3, "code": "malformed"}]}
    assert (await front.call("GET", f"/v1/tournaments/{tournament}")).json()["participants"] == 2


async def test_only_the_fold_says_who_gets_in(front: Front) -> None:
    """As of scores: the tournament takes two, and starts with the second."""
    tournament = await front.create(INSTANT)
    items = [{"tournament_id": tournament, "user_id": str(user)} for user in (1, 2, 3)]
    answer = await front.call("POST", "/v1/participants", front.token(), json=items)
    assert answer.json() == {"accepted": 3, "rejected": []}
    view = (await front.call("GET", f"/v1/tournaments/{tournament}")).json()
    assert (view["participants"], view["status"]) == (2, "running")


async def test_whoever_waits_is_told_which_joins_were_refused(front: Front) -> None:
    full, over = await front.create(INSTANT), await front.create()
    board = await front.create(boards=["team"])
    await front.call("POST", f"/v1/tournaments/{over}/end", front.token())
    items: list[Any] = [{"tournament_id": full, "user_id": str(user)} for user in (1, 2, 3)]
    items += [{"tournament_id": over, "user_id": "1"}, {"tournament_id": "5", "user_id": "1"}, 7]
    items += [{"tournament_id": board, "user_id": "1", "attributes": {each: "red"}} for each in ("team", "town")]
    codes = {
        2: "tournament_full", 3: "registration_closed", 4: "tournament_unknown", 5: "invalid", 7: "invalid",
    }  # fmt: skip
    rejected = [{"index": index, "code": code} for index, code in codes.items()]
    wait = {**front.token(), "prefer": "wait=5"}
    for _ in range(2):  # the same again
        answer = await front.call("POST", "/v1/participants", wait, json=items)
        assert (answer.status_code, answer.json()) == (200, {"accepted": 3, "rejected": rejected})
    lines = b"\n\n".join(json.dumps(item).encode() for item in items)
    answer = await front.call(
        "POST", "/v1/participants", {**wait, "content-type": "application/x-ndjson"}, content=lines
    )
    told = [{"index": index, "line": 2 * index + 1, "code": code} for index, code in codes.items()]
    assert (answer.status_code, answer.json()) == (200, {"accepted": 3, "rejected": told})


async def test_what_takes_longer_than_one_waits_is_undecided(front: Front) -> None:
    tournament = await front.create(INSTANT)
    items = [{"tournament_id": tournament, "user_id": str(user)} for user in (1, 2, 3)]
    front.palio.replies_held = True
    answer = await front.call("POST", "/v1/participants", {**front.token(), "prefer": "wait=0.05"}, json=items)
    assert (answer.status_code, answer.json()) == (202, {"accepted": 3, "rejected": []})
    front.palio.replies_held = False
    answer = await front.call("POST", "/v1/participants", {**front.token(), "prefer": "wait=5"}, json=items)
    rejected = [{"index": 2, "code": "tournament_full"}]
    assert (answer.status_code, answer.json()) == (200, {"accepted": 2, "rejected": rejected})


async def test_a_view_that_was_read_before_shows_them(front: Front) -> None:
    tournament = await front.create()
    path = f"/v1/tournaments/{tournament}"
    assert (await front.call("GET", path)).json()["participants"] == 0
    await front.call("POST", "/v1/participants", front.token(), json=[{"tournament_id": tournament, "user_id": "1"}])
    assert (await front.call("GET", path)).json()["participants"] == 1


async def test_joins_have_their_limits(front: Front) -> None:
    item = {"tournament_id": await front.create(), "user_id": "42"}
    assert wrong_paths(await front.call("POST", "/v1/participants", front.token(), json=[item] * 1001)) == [""]
    for role in ("player", "operator"):
        answer = await front.call("POST", "/v1/participants", front.token(role, 42), json=[item])
        assert problem(answer) == (403, "role_forbidden")
