from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from actors.domain.messages import Create, decode_value
from serve_app.http import request_schemas
from tests.support.front import INSTANT, LATER, SCHEDULED, Front, open_front, problem, wrong_paths


@pytest.fixture
async def front() -> AsyncIterator[Front]:
    async with open_front(command_wait_s=0.2) as front:
        yield front


async def test_a_create_answers_with_the_tournament(front: Front) -> None:
    response = await front.call("POST", "/v1/tournaments", front.token("operator", 9), json=LATER)
    assert response.status_code == 201
    made = response.json()
    assert response.headers["location"] == f"/v1/tournaments/{made['id']}"
    assert {name: made[name] for name in LATER} == LATER
    assert (made["status"], made["max_attempts"], made["version"], made["created_by"]) == ("scheduled", None, 1, "9")
    record = front.palio.log.calls[0][0]
    front.palio.signer.verify(record.key, record.value, record.signature)
    create = decode_value(record.value)
    assert isinstance(create, Create)
    assert len(create.salt) == 32


async def test_how_scores_are_shown_is_kept_edited_and_taken_away(front: Front) -> None:
    service, display = front.token(), {"unit": "time", "decimals": 0}
    made = (await front.call("POST", "/v1/tournaments", service, json={**SCHEDULED, "display": display})).json()
    assert made["display"] == display
    path = f"/v1/tournaments/{made['id']}"
    for asked, told in (({"unit": "currency"}, {"unit": "currency", "decimals": 2}), (None, None)):
        answer = await front.call("PATCH", path, service, json={"display": asked})
        assert (answer.status_code, answer.json().get("display")) == (200, told)
    for wrong in ({"unit": "miles"}, {"decimals": 3}, {"decimals": 0.5}, {"more": 1}, "time"):
        answer = await front.call("POST", "/v1/tournaments", service, json={**SCHEDULED, "display": wrong})
        assert problem(answer)[:2] == (422, "invalid"), wrong
        assert wrong_paths(answer)[0].startswith("display")


async def test_a_start_in_the_past_starts_at_once_and_all_of_the_spec_is_kept(front: Front) -> None:
    spec = {
        **SCHEDULED,
        "visibility": "private",
        "capacity": 1000,
        "min_participants": 0,
        "join_until": "start",
        "order": "asc",
        "score_policy": "sum",
        "ties": "dense",
        "max_attempts": 3,
        "metadata": {"school": {"id": 7, "tags": ["a", None]}},
    }
    made = (await front.call("POST", "/v1/tournaments", front.token(), json=spec)).json()
    assert made["status"] == "running"
    assert {name: made[name] for name in spec if name != "starts_at"} == {
        name: value for name, value in spec.items() if name != "starts_at"
    }


async def test_placement_is_resolved_once(front: Front) -> None:
    large = await front.call("POST", "/v1/tournaments", front.token(), json={**LATER, "capacity": 10_000})
    assert large.json()["placement"] == "dedicated"
    small = await front.call("POST", "/v1/tournaments", front.token(), json={**LATER, "placement": "shared"})
    assert small.json()["placement"] == "shared"


@pytest.mark.parametrize(
    ("spec", "paths"),
    [
        ({**SCHEDULED, "name": ""}, ["name"]),
        ({**SCHEDULED, "name": "x" * 201}, ["name"]),
        ({**SCHEDULED, "type": "weekly"}, ["type"]),
        ({"name": "x", "type": "scheduled"}, ["starts_at", "ends_at"]),
        ({"name": "x", "type": "instant"}, ["capacity", "duration_s"]),
        ({**SCHEDULED, "duration_s": 5}, ["duration_s"]),
        ({**INSTANT, "starts_at": SCHEDULED["starts_at"], "ends_at": SCHEDULED["ends_at"]}, ["starts_at", "ends_at"]),
        ({**SCHEDULED, "ends_at": "2027-01-15T07:00:00Z"}, ["ends_at"]),
        ({**SCHEDULED, "ends_at": SCHEDULED["starts_at"]}, ["ends_at"]),
        ({**SCHEDULED, "starts_at": "2027-01-01T00:00:00Z", "ends_at": "2027-01-15T08:00:00Z"}, ["ends_at"]),
        ({**SCHEDULED, "starts_at": "tomorrow"}, ["starts_at"]),
        ({**SCHEDULED, "starts_at": "2027-01-15T09:00:00"}, ["starts_at"]),
        ({**SCHEDULED, "starts_at": 1_800_000_000}, ["starts_at"]),
        ({**SCHEDULED, "ends_at": "9999-01-01T00:00:00Z"}, ["ends_at"]),
        ({**SCHEDULED, "starts_at": "1970-01-01T00:00:00+05:00"}, ["starts_at"]),
        ({**SCHEDULED, "capacity": 0}, ["capacity"]),
        ({**SCHEDULED, "capacity": 1.5}, ["capacity"]),
        ({**SCHEDULED, "capacity": 10**30}, ["capacity"]),
        ({**SCHEDULED, "capacity": 5, "min_participants": 6}, ["min_participants"]),
        ({**SCHEDULED, "min_participants": -1}, ["min_participants"]),
        ({**SCHEDULED, "max_attempts": 10_001}, ["max_attempts"]),
        ({**SCHEDULED, "max_attempts": True}, ["max_attempts"]),
        ({**SCHEDULED, "order": "up", "ties": "none", "score_policy": "x"}, ["order", "score_policy", "ties"]),
        (
            {**SCHEDULED, "visibility": "hidden", "join_until": "never", "placement": "x"},
            ["visibility", "join_until", "placement"],
        ),
        ({**INSTANT, "duration_s": 0}, ["duration_s"]),
        ({**INSTANT, "duration_s": 0.0001}, ["duration_s"]),
        ({**INSTANT, "duration_s": 1.0005}, ["duration_s"]),
        ({**INSTANT, "duration_s": 1e12}, ["duration_s"]),
        ({**SCHEDULED, "metadata": []}, ["metadata"]),
        ({**SCHEDULED, "metadata": {"a": "x" * 17_000}}, ["metadata"]),
        ({**SCHEDULED, "metadata": {str(n): 0 for n in range(1001)}}, ["metadata"]),
        ({**SCHEDULED, "metadata": {"a": [{str(n): 0 for n in range(500)} for _ in range(2)]}}, ["metadata"]),
        ({**SCHEDULED, "prizes": [{"ranks": [1], "amount": "1.001", "currency": "EUR"}]}, ["prizes[0].amount"]),
        ({**SCHEDULED, "prizes": [{"ranks": [1], "item": "mug"}, {"ranks": [1]}]}, ["prizes[1].amount"]),
        ({**SCHEDULED, "prizes": [{"ranks": [0], "item": "mug"}]}, ["prizes[0].ranks[0]"]),
        ({**SCHEDULED, "prizes": [{"ranks": [1], "item": "mug", "winner": "me"}]}, ["prizes[0]"]),
        ({**SCHEDULED, "prizes": [{"ranks": [1], "item": "mug", "board": "country"}]}, ["prizes[0].board"]),
        ({**SCHEDULED, "prizes": {}}, ["prizes"]),
        ({**SCHEDULED, "min_participants": 1}, ["min_participants"]),  # would be cancelled at once
        ({**SCHEDULED, "name": " \u00a0\u3164"}, ["name"]),
        ({**SCHEDULED, "name": "a\u202eb"}, ["name"]),
    ],
)
async def test_a_wrong_spec_is_422_and_names_the_fields(
    front: Front, spec: dict[str, object], paths: list[str]
) -> None:
    response = await front.call("POST", "/v1/tournaments", front.token(), json=spec)
    assert sorted(wrong_paths(response)) == sorted(paths)
    assert front.palio.log.calls == []


def nested(depth: int) -> bytes:
    return b'{"a":' * (depth - 1) + b"{}" + b"}" * (depth - 1)


async def test_metadata_may_be_32_deep_and_no_deeper(front: Front) -> None:
    tournament = await front.create(INSTANT)
    create = b'{"name":"x","type":"instant","capacity":2,"duration_s":1,"metadata":%b}'
    for depth in (32, 33, 500, *range(940, 1000, 3), 4000):
        answers = [
            await front.call("POST", "/v1/tournaments", front.token(), content=create % nested(depth)),
            await front.call(
                "PATCH",
                f"/v1/tournaments/{tournament}",
                front.token(),
                content=b'{"name":"y","metadata":%b}' % nested(depth),
            ),
        ]
        if depth == 32:
            assert [answer.status_code for answer in answers] == [201, 200]
        else:
            assert [wrong_paths(answer) for answer in answers] == [["metadata"]] * 2, depth
    listed = await front.call("GET", "/v1/tournaments", front.token())
    assert len(listed.json()["items"]) == 2


async def test_a_name_is_kept_composed_and_counted_so(front: Front) -> None:
    tournament = await front.create(LATER, name="Zoe\u0308" * 66 + "xy")
    path = f"/v1/tournaments/{tournament}"
    assert (await front.call("GET", path)).json()["name"] == "Zo\u00eb" * 66 + "xy"
    edited = await front.call("PATCH", path, front.token(), json={"name": "e\u0301"})
    assert edited.json()["name"] == "\u00e9"


async def test_an_idempotency_key_finds_the_first_answer(front: Front) -> None:
    keyed = {**front.token(), "idempotency-key": "Spring 2027"}
    first = await front.call("POST", "/v1/tournaments", keyed, json=LATER)
    again = await front.call("POST", "/v1/tournaments", keyed, json=dict(reversed(LATER.items())))
    position = {**first.json()["position"], "offset": again.json()["position"]["offset"]}  # the repeat is a record, too
    assert (again.status_code, again.json()) == (201, {**first.json(), "position": position})
    assert again.headers["location"] == first.headers["location"]
    other = await front.call("POST", "/v1/tournaments", keyed, json={**LATER, "name": "Another"})
    assert problem(other) == (409, "idempotency_conflict")
    somebody_else = await front.call(
        "POST", "/v1/tournaments", {**front.token(user=2), "idempotency-key": "Spring 2027"}, json=LATER
    )
    assert somebody_else.json()["id"] != first.json()["id"]
    without = await front.call("POST", "/v1/tournaments", front.token(), json=LATER)
    assert without.json()["id"] != first.json()["id"]
    assert len(front.palio.states) == 3


@pytest.mark.parametrize(
    "body",
    [
        {**SCHEDULED, "name": ""},
        {**SCHEDULED, "name": "x" * 300},
        {**SCHEDULED, "name": "Another", "ends_at": "2027-01-15T07:00:00Z"},
        {**SCHEDULED, "capacity": 2, "min_participants": 3},
        {**SCHEDULED, "starts_at": "soon"},
        {**SCHEDULED, "more": 1},
        {},
        [],
        b'{"name"',
        b'{"metadata":' + b"[" * 4000,
    ],
)
async def test_a_used_key_with_another_invalid_body_is_409(front: Front, body: object) -> None:
    keyed = {**front.token(), "idempotency-key": "k"}
    more = {"content": body} if isinstance(body, bytes) else {"json": body}
    unused = await front.call("POST", "/v1/tournaments", keyed, **more)
    assert unused.status_code in (400, 422)
    await front.call("POST", "/v1/tournaments", keyed, json=SCHEDULED)
    again = await front.call("POST", "/v1/tournaments", keyed, **more)
    assert problem(again) == (409, "idempotency_conflict")
    assert len(front.palio.states) == 1


async def test_a_repeat_of_what_an_earlier_version_took_finds_the_first_answer(
    front: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    keyed = {**front.token(), "idempotency-key": "k"}
    body = {**LATER, "name": "a\u200bb", "metadata": {"a": [[]] * 20}}
    with monkeypatch.context() as earlier:
        earlier.setattr(request_schemas._new_tournament, "check", lambda _: None)
        first = await front.call("POST", "/v1/tournaments", keyed, json=body)
    assert first.status_code == 201
    again = await front.call("POST", "/v1/tournaments", keyed, json=body)
    assert (again.status_code, again.json()["id"]) == (201, first.json()["id"])
    assert wrong_paths(await front.call("POST", "/v1/tournaments", front.token(), json=body)) == ["name"]


def test_the_digest_of_a_body_is_what_it_was() -> None:
    """It stands in the log's creates: another one would make every repeat a conflict."""
    body = b'{"name":"e\xcc\x81", "type":"instant","duration_s":60,"capacity":2,"metadata":{"b":1,"a":[1.0]}}'
    assert request_schemas.read_new_tournament(body, 0).digest == "441cffa15aa384bd6cb49d052e9a13be"


async def test_a_repeat_after_the_end_still_finds_the_first_answer(front: Front) -> None:
    keyed = {**front.token(ttl_s=1e6), "idempotency-key": "k"}
    first = await front.call("POST", "/v1/tournaments", keyed, json=SCHEDULED)
    await front.palio.pass_time(3 * 3600 * 1000)
    again = await front.call("POST", "/v1/tournaments", keyed, json=SCHEDULED)
    assert (again.status_code, again.json()["id"]) == (201, first.json()["id"])
    fresh = await front.call("POST", "/v1/tournaments", {**keyed, "idempotency-key": "l"}, json=SCHEDULED)
    assert wrong_paths(fresh) == ["ends_at"]


@pytest.mark.parametrize("key", ["", "x" * 256, "a\tb", "caf\u00e9\u0080"])
async def test_a_key_is_printable_and_not_too_long(front: Front, key: str) -> None:
    headers: dict[str, Any] = {**front.token(), "idempotency-key": key.encode("latin-1")}
    response = await front.call("POST", "/v1/tournaments", headers, json=LATER)
    assert wrong_paths(response) == ["Idempotency-Key"]


async def test_an_undecided_create_is_202_and_repeating_it_does_no_harm(front: Front) -> None:
    front.palio.applying = False
    keyed = {**front.token(), "idempotency-key": "k"}
    waiting = await front.call("POST", "/v1/tournaments", keyed, json=LATER)
    assert waiting.status_code == 202
    front.palio.applying = True
    again = await front.call("POST", "/v1/tournaments", keyed, json=LATER)
    assert again.status_code == 201
    assert again.json()["id"] == waiting.json()["id"]
    assert waiting.headers["location"] == again.headers["location"]


async def test_only_services_and_operators_manage(front: Front) -> None:
    tournament = await front.create()
    player = front.token("player", 42)
    calls = [("POST", "/v1/tournaments"), ("PATCH", f"/v1/tournaments/{tournament}")]
    calls += [("POST", f"/v1/tournaments/{tournament}/{command}") for command in ("start", "end", "cancel")]
    for method, path in calls:
        assert problem(await front.call(method, path, player, json=LATER)) == (403, "role_forbidden")
        assert problem(await front.call(method, path, json=LATER)) == (401, "token_missing")


async def test_start_end_and_cancel_answer_with_the_new_status(front: Front) -> None:
    tournament = await front.create(LATER)
    path = f"/v1/tournaments/{tournament}"
    started = await front.call("POST", f"{path}/start", front.token())
    assert (started.status_code, started.json()) == (200, {"id": tournament, "status": "running", "version": 1})
    refused = await front.call("POST", f"{path}/start", front.token())
    assert problem(refused) == (409, "not_scheduled")
    assert refused.json()["detail"] == "cannot start a tournament that is running"
    assert (await front.call("GET", path)).json()["status"] == "running"
    assert (await front.call("POST", f"{path}/end", front.token())).json()["status"] == "finished"
    assert problem(await front.call("POST", f"{path}/end", front.token())) == (409, "not_running")
    assert problem(await front.call("POST", f"{path}/cancel", front.token())) == (409, "already_over")
    cancelled = await front.create(LATER)
    response = await front.call("POST", f"/v1/tournaments/{cancelled}/cancel", front.token("operator", 9))
    assert response.json()["status"] == "cancelled"


async def test_a_start_waits_for_enough_participants(front: Front) -> None:
    tournament = await front.create(LATER, min_participants=1)
    path = f"/v1/tournaments/{tournament}/start"
    assert problem(await front.call("POST", path, front.token())) == (409, "too_few_participants")
    await front.join(tournament, 42)
    assert (await front.call("POST", path, front.token())).status_code == 200


async def test_an_undecided_command_is_202(front: Front) -> None:
    tournament = await front.create(LATER)
    front.palio.applying = False
    started = await front.call("POST", f"/v1/tournaments/{tournament}/start", front.token())
    assert started.status_code == 202
    asked = asyncio.get_running_loop().time()
    at_once = await front.call("POST", f"/v1/tournaments/{tournament}/end", {**front.token(), "prefer": "wait=0"})
    assert at_once.status_code == 202
    assert asyncio.get_running_loop().time() - asked < 0.2
    await front.palio.catch_up()
    assert front.palio.states[int(tournament)].status == "finished"


async def test_commands_of_an_unknown_tournament_are_404(front: Front) -> None:
    for command in ("start", "end", "cancel"):
        response = await front.call("POST", f"/v1/tournaments/7/{command}", front.token())
        assert problem(response) == (404, "tournament_unknown")
    edit = await front.call("PATCH", "/v1/tournaments/7", front.token(), json={"name": "x"})
    assert problem(edit) == (404, "tournament_unknown")
    assert front.palio.log.calls == []


async def test_an_edit_changes_what_the_state_allows(front: Front) -> None:
    tournament = await front.create(LATER, capacity=5)
    path = f"/v1/tournaments/{tournament}"
    changes = {"name": "New", "capacity": 6, "starts_at": "2027-01-15T09:30:00.000Z", "metadata": {"a": 1}}
    edited = await front.call("PATCH", path, front.token(), json=changes)
    assert edited.status_code == 200
    assert {name: edited.json()[name] for name in changes} == changes
    assert edited.json()["version"] == 2
    assert problem(await front.call("PATCH", path, front.token(), json={"capacity": 4})) == (409, "edit_not_allowed")
    assert problem(await front.call("PATCH", path, front.token(), json={"duration_s": 4})) == (409, "edit_not_allowed")
    await front.call("POST", f"{path}/start", front.token())
    late = await front.call("PATCH", path, front.token(), json={"starts_at": "2027-01-15T09:40:00.000Z"})
    assert problem(late) == (409, "not_scheduled")


async def test_if_match_compares_the_version(front: Front) -> None:
    tournament = await front.create(LATER)
    path = f"/v1/tournaments/{tournament}"
    for match, status in (('"1"', 200), ("2", 200), ("*", 200), ('"3"', 412), ("x", 412), ('W/"4"', 412)):
        response = await front.call("PATCH", path, {**front.token(), "if-match": match}, json={"name": "x"})
        assert response.status_code == status, match
        assert status == 200 or problem(response) == (412, "version_mismatch")


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({}, ""),
        ({"order": "asc"}, "order"),
        ({"name": None}, "name"),
        ({"capacity": 0}, "capacity"),
        ({"ends_at": "2027-01-15T07:00:00Z"}, "ends_at"),
        ({"starts_at": "2027-01-15T09:30:00Z", "ends_at": "2027-01-15T09:20:00Z"}, "ends_at"),
        ({"starts_at": "soon"}, "starts_at"),
        ({"ends_at": "2027-01-15T08:30:00Z"}, "ends_at"),
        ({"starts_at": "2027-01-15T11:00:00Z"}, "ends_at"),
        ({"min_participants": 6}, "min_participants"),
        ({"name": "\u200b"}, "name"),
        ({"name": "x\u0000"}, "name"),
    ],
)
async def test_a_wrong_edit_is_422(front: Front, changes: dict[str, object], path: str) -> None:
    tournament = await front.create(LATER, capacity=5)
    response = await front.call("PATCH", f"/v1/tournaments/{tournament}", front.token(), json=changes)
    assert wrong_paths(response) == [path]


async def test_an_edit_to_a_start_that_would_cancel_it_at_once_is_409(front: Front) -> None:
    tournament = await front.create(LATER, min_participants=1)
    path = f"/v1/tournaments/{tournament}"
    edit = {"starts_at": SCHEDULED["starts_at"]}
    refused = await front.call("PATCH", path, front.token(), json=edit)
    assert problem(refused) == (409, "too_few_participants")
    assert (await front.call("GET", path)).json()["status"] == "scheduled"
    await front.join(tournament, 42)
    assert (await front.call("PATCH", path, front.token(), json=edit)).json()["status"] == "running"


PRIZES = [
    {"ranks": [1, 2], "amount": "100.01", "currency": "EUR", "ties": "split"},
    {"top_percent": 10, "item": "mug", "ties": "each"},
]


async def test_prizes_are_shown_as_they_were_given_and_may_change_before_the_start(front: Front) -> None:
    tournament = await front.create(LATER, prizes=PRIZES)
    path = f"/v1/tournaments/{tournament}"
    assert (await front.call("GET", path)).json()["prizes"] == PRIZES
    edited = await front.call("PATCH", path, front.token(), json={"prizes": PRIZES[:1]})
    assert edited.json()["prizes"] == PRIZES[:1]
    wrong = await front.call("PATCH", path, front.token(), json={"prizes": [{"ranks": [2, 1], "item": "mug"}]})
    assert wrong_paths(wrong) == ["prizes[0].ranks"]
    no_prizes: tuple[list[object] | None, ...] = ([], None)
    for none in no_prizes:
        assert "prizes" not in (await front.call("PATCH", path, front.token(), json={"prizes": none})).json()
        await front.call("PATCH", path, front.token(), json={"prizes": PRIZES})
    await front.call("POST", f"{path}/start", front.token())
    late = await front.call("PATCH", path, front.token(), json={"prizes": []})
    assert problem(late) == (409, "not_scheduled")
    assert (await front.call("GET", path)).json()["prizes"] == PRIZES


async def test_without_prizes_nothing_is_said_of_them(front: Front) -> None:
    bodies: tuple[dict[str, object], ...] = ({}, {"prizes": []})
    for more in bodies:
        tournament = await front.create(LATER, **more)
        assert "prizes" not in (await front.call("GET", f"/v1/tournaments/{tournament}")).json()
