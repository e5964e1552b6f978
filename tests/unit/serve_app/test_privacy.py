"""Every route, every role, both entrypoints: to whoever may not see a private tournament it answers as one that is not there.

Not there means: the same status, headers and body as for an id that nobody made, and nothing appended to the log.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import AsyncIterator
from typing import Any, Final

import httpx2
import pytest
from msgspec import UNSET

from actors.domain.messages import Spec
from actors.domain.values import rfc3339
from serve_app.handlers.routes import ROUTES, Route
from storage.ports import ListQuery
from tests.support.entrypoints import Entrypoints, running_entrypoints
from tests.support.gateway import LiveClient

MEMBER, REMOVED, STRANGER, SERVICE, OPERATOR = 1, 2, 3, 4, 5
UNKNOWN: Final = "4611686018427387904"
USERS: Final = {"member": MEMBER, "removed": REMOVED, "stranger": STRANGER, "service": SERVICE, "operator": OPERATOR}
OUTSIDERS: Final = ("nobody", "wrong token", "stranger", "removed")
BODIES: Final[dict[str, tuple[Any, ...]]] = {
    "edit_tournament": ({"name": "New"},),
    "edit_participant": ({"extra_s": 5},),
    "import_file": ({"user": MEMBER, "score": 5},),
    "disqualify": ({"reason": "Two accounts"},),
    "reopen_tournament": ({"ends_at": "2027-05-01T11:00:00.000Z"},),
    "join": ({}, {"name": "Ann"}, {"invite": "anything"}),
    "create_invitation": ({}, {"uses": 2}),
    "submit_score": ({"event_id": "a", "score": 1}, {"event_id": "a", "score": 1, "user_id": str(MEMBER)}),
    "submit_lti_score": (
        {
            "userId": str(MEMBER),
            "scoreGiven": 1,
            "scoreMaximum": 2,
            "activityProgress": "Completed",
            "gradingProgress": "FullyGraded",
            "timestamp": "2027-05-01T09:00:00.000Z",
        },
    ),
}
EXPORTS: Final = ("", *(f"?format={name}" for name in ("parquet", "iof", "ctftime", "clics", "gradebook")))
QUERIES: Final = {
    "rankings": ("", "?limit=5", "?users=1", "?around=1", "?around=me", "?q=a"),
    "view": ("", "?more=1"),
    "export": EXPORTS,
    "import_file": ("?dry_run=false",),
}
# What those who may see it are answered: member, service, operator.
INSIDERS: Final[dict[str, tuple[int, int, int]]] = {
    "view": (200, 200, 200),
    "rankings": (200, 200, 200),
    "export": (200, 200, 200),
    "import_file": (403, 200, 200),
    "archive": (403, 404, 404),  # it has not finished
    "prizes": (200, 200, 200),
    "preview_prizes": (403, 200, 200),
    "approve_prizes": (403, 409, 409),
    "revoke_prizes": (403, 200, 200),
    "claim_prizes": (409, 422, 403),
    "participant": (200, 200, 200),
    "edit_tournament": (403, 200, 200),
    "start_tournament": (403, 409, 409),
    "end_tournament": (403, 200, 200),
    "cancel_tournament": (403, 200, 200),
    "join": (200, 200, 403),
    "leave": (204, 204, 403),
    "begin": (409, 409, 403),
    "cohorts": (200, 200, 200),
    "board_groups": (404, 404, 404),  # it has no boards
    "teams": (404, 404, 404),
    "series": (404, 404, 404),
    "create_invitation": (403, 201, 201),
    "list_invitations": (403, 200, 200),
    "revoke_invitation": (403, 404, 404),
    "done": (200, 200, 403),
    "edit_participant": (403, 200, 200),
    "disqualify": (403, 200, 200),
    "reinstate": (403, 200, 200),
    "reopen_tournament": (403, 409, 409),
    "reveal_table": (403, 409, 409),
    "history": (403, 200, 200),
    "placed_tournament": (403, 403, 200),
    "submit_score": (202, 202, 403),
    "line_item": (403, 200, 200),
    "line_item_results": (403, 200, 200),
    "submit_lti_score": (403, 200, 403),
    "analytics_tournament": (403, 403, 200),
    "analytics_picture": (403, 403, 200),
}
MANAGING: Final = {
    "import_file",
    "archive",
    "edit_tournament",
    "start_tournament",
    "end_tournament",
    "cancel_tournament",
    "create_invitation",
    "list_invitations",
    "revoke_invitation",
    "preview_prizes",
    "approve_prizes",
    "revoke_prizes",
    "reopen_tournament",
    "reveal_table",
    "history",
    "edit_participant",
    "disqualify",
    "reinstate",
    "line_item",
    "line_item_results",
    "submit_lti_score",
    "placed_tournament",
    "analytics_tournament",
    "analytics_picture",
}
# What those who may not see it are answered where it is not 404: the token is no good, or the call is none of theirs.
REFUSED_BEFORE: Final = {
    "nobody": MANAGING | {"join", "leave", "begin", "done", "submit_score", "claim_prizes"},
    "wrong token": set(INSIDERS),
    "stranger": MANAGING,
    "removed": MANAGING,
}
OPERATORS: Final = {
    "placed_tournaments",
    "running_actors",
    "server_health",
    "all_history",
    "all_notices",
    "dead_letters",
    "replay_dead_letters",
    "list_archives",
}
LISTS: Final = {"list_tournaments", "calendar", "user_tournaments", "user_prizes"}
OF_NO_TOURNAMENT: Final = {
    "root",
    "create_tournament",
    "submit_batch",
    "join_batch",
    "submit_events",  # in test_events_and_statements_of_a_hidden_one
    "submit_statements",
    "put_statement",
    "xapi_about",
    "lti_token",
    "line_items",
    "analytics_summary",
    "analytics_series",
    "demo_player",
    "erase_user",
    "notifications",
    "set_notifications",
    "asyncapi",
    "list_schemas",
    "message_schema",
    "healthz",
    "readyz",
}


@pytest.fixture
async def both() -> AsyncIterator[Entrypoints]:
    async with running_entrypoints() as both:
        yield both


async def private(both: Entrypoints, visibility: str = "private") -> str:
    """A running tournament, private unless said otherwise, with a member, and one whom a service removed."""
    tournament = await both.gateway.tournament(visibility=visibility)
    for user in (MEMBER, REMOVED):
        await both.gateway.join(tournament, user)
        await both.gateway.score(tournament, user, 10)
    await both.gateway.leave(tournament, REMOVED)
    return tournament


def headers_of(both: Entrypoints, role: str) -> dict[str, str]:
    if role == "nobody":
        return {}
    if role == "wrong token":
        return {"authorization": both.bearer(MEMBER)["authorization"][:-4] + "AAAA"}
    return both.bearer(USERS[role], role if role in ("service", "operator") else "player")


def offered(name: str, handlers: set[str] | dict[str, Any]) -> list[Route]:
    return [route for route in ROUTES if route.name in handlers and (name == "api" or route.gateway)]


def seen(answer: httpx2.Response, tournament: str) -> tuple[int, dict[str, str], str]:
    """All of an answer that may differ, but for the id that was asked for."""
    headers = {name: value for name, value in answer.headers.items() if name not in ("date", "content-length")}
    return answer.status_code, headers, answer.text.replace(tournament, "ID")


def test_the_table_knows_every_route() -> None:
    assert {route.name for route in ROUTES} == set(INSIDERS) | LISTS | OPERATORS | OF_NO_TOURNAMENT
    assert {route.name for route in ROUTES if "{tournament}" in route.path} == set(INSIDERS)


@pytest.mark.parametrize("role", OUTSIDERS)
async def test_whoever_may_not_see_it_cannot_tell_it_from_none(both: Entrypoints, role: str) -> None:
    tournament = await private(both)
    appended = len(both.palio.log.calls)
    headers = headers_of(both, role)
    for name, client in both.clients.items():
        for route in offered(name, INSIDERS):
            for user in ("me", str(MEMBER), str(USERS.get(role, STRANGER))) if "{user}" in route.path else ("",):
                for query in QUERIES.get(route.name, ("",)):
                    for body in BODIES.get(route.name, (None,)):
                        answers = []
                        for target in (tournament, UNKNOWN):
                            path = route.path.replace("{tournament}", target).replace("{user}", user) + query
                            answer = await client.request(route.method, path, headers=headers, json=body)
                            answers.append(seen(answer, target))
                        case = (name, role, route.name, user, query, body, answers)
                        assert answers[0] == answers[1], case
                        status, _, text = answers[0]
                        code = json.loads(text)["code"]
                        if route.name in REFUSED_BEFORE[role]:
                            assert code in ("token_missing", "token_invalid", "role_forbidden"), case
                        elif status != 404:  # refused for whom it names, before the tournament is looked at
                            assert code in ("token_missing", "not_yours", "invalid"), case
                        else:
                            assert code == "tournament_unknown", case
    assert len(both.palio.log.calls) == appended


async def made(both: Entrypoints, kind: str) -> str:
    """A private tournament of a kind or in a state, and one who was removed from it where there is anything to be removed from."""
    gateway = both.gateway
    hour_ms, later = 3_600_000, rfc3339(both.palio.now_ms + 7_200_000)
    minutely = {"cron": "* * * * *", "time_zone": "UTC", "duration_s": 1800}
    fields: dict[str, Any] = {
        "scheduled": {"starts_at": rfc3339(both.palio.now_ms + hour_ms)},
        "extra time": {"ends_at": rfc3339(both.palio.now_ms + 60_000)},
        "frozen": {"ends_at": later, "freeze_s": 1},
        "boards and teams": {"boards": ["team"], "teams": {"score": "sum"}},
        "series": {"starts_at": None, "ends_at": None, "recurrence": minutely, "capacity": None},
        "league": {
            "starts_at": None,
            "ends_at": None,
            "recurrence": minutely,
            "capacity": None,
            "league": {"tiers": 2, "promote": 1, "demote": 1},
        },
        "cohorts": {"cohorts": {"size": 2}, "capacity": None},
    }
    of = {"board": "cohorts", "tier": "league", "occurrence": "series"}.get(kind, kind)
    tournament = await gateway.tournament(visibility="private", **fields.get(of, {}))
    if of in ("series", "league"):
        await both.palio.pass_time(1000)
    if of != "series":
        for user in (MEMBER, REMOVED):
            await gateway.join(tournament, user)
        await gateway.score(tournament, MEMBER, 10)
        if kind == "extra time":
            await gateway.call("edit_participant", "PATCH", {"extra_s": 3600}, tournament=tournament, user=str(MEMBER))
            await both.palio.pass_time(60_000)
        if kind == "frozen":
            await gateway.call("edit_tournament", "PATCH", {"freeze_s": 9000}, tournament=tournament)
        await gateway.leave(tournament, REMOVED)
    if kind in ("finished", "cancelled", "reopened"):
        await gateway.call("cancel_tournament" if kind == "cancelled" else "end_tournament", tournament=tournament)
    if kind == "reopened":
        await gateway.call("reopen_tournament", body={"ends_at": later}, tournament=tournament)
    if of == kind:
        return tournament
    children = [state for state in both.palio.states.values() if of_parent(state.spec) == tournament]
    assert children, kind
    return str(max(children, key=lambda state: state.members.joined).tournament_id)


def of_parent(spec: Spec) -> str:
    place = spec.cohort if spec.series is UNSET else spec.series
    return "" if place is UNSET else place.of


KINDS: Final = (
    "scheduled", "extra time", "frozen", "finished", "cancelled", "reopened", "boards and teams",
    "series", "occurrence", "league", "tier", "cohorts", "board",
)  # fmt: skip
STATUSES: Final = {
    **dict.fromkeys(("scheduled", "series", "occurrence", "league", "tier"), "scheduled"),
    "finished": "finished",
    "cancelled": "cancelled",
}


@pytest.mark.parametrize("kind", KINDS)
async def test_nor_in_any_other_state_nor_of_any_other_kind(both: Entrypoints, kind: str) -> None:
    """Every route, lists and the socket, for whoever has no wrong token: that one is looked at before all else."""
    tournament = await made(both, kind)
    assert both.palio.states[int(tournament)].status == STATUSES.get(kind, "running")
    appended = len(both.palio.log.calls)
    api = both.clients["api"]
    for role in ("nobody", "stranger", "removed"):
        headers = headers_of(both, role)
        for route in offered("api", INSIDERS):
            answers = []
            for target in (tournament, UNKNOWN):
                path = route.path.replace("{tournament}", target).replace("{user}", str(USERS.get(role, STRANGER)))
                body = BODIES.get(route.name, (None,))[-1]
                answer = await api.request(route.method, path, headers=headers, json=body)
                answers.append(seen(answer, target))
            assert answers[0] == answers[1], (role, route.name)
            assert answers[0][0] in (401, 403, 404), (role, route.name)
        for path in ("/v1/tournaments?limit=100", "/v1/tournaments?limit=100&type=series", "/v1/tournaments.ics"):
            listed = await api.get(path, headers=headers)
            assert listed.status_code == 200
            assert tournament not in listed.text, (role, path)
        async with both.gateway.client() as client:
            await sign_in(both, client, role)
            subscribed = await client.ask(subscribe=tournament)
            assert subscribed["error"]["code"] == "tournament_unknown", role
    assert len(both.palio.log.calls) == appended
    shown = await api.get(f"/v1/tournaments/{tournament}", headers=headers_of(both, "service"))
    assert shown.json()["visibility"] == "private"
    listed = await api.get(f"/v1/users/{REMOVED}/tournaments", headers=headers_of(both, "removed"))
    assert tournament not in listed.text


@pytest.mark.parametrize("role", ["stranger", "removed"])
async def test_an_invite_that_is_no_good_tells_nothing(both: Entrypoints, role: str) -> None:
    """Used up, revoked, expired, for another user, of another tournament; for the removed also one from before."""
    tournament, other = await private(both), await private(both)
    headers, service = headers_of(both, role), headers_of(both, "service")
    api, user = both.clients["api"], str(USERS[role])

    async def invite(target: str, **body: Any) -> dict[str, Any]:
        given = await api.post(f"/v1/tournaments/{target}/invitations", headers=service, json=body)
        assert given.status_code == 201
        answer: dict[str, Any] = given.json()
        return answer

    used, revoked, old = await invite(tournament), await invite(tournament, uses=9), await invite(tournament, uses=9)
    late = await invite(tournament, uses=9, expires_at=rfc3339(both.palio.now_ms + 5_000))
    for_another, of_another = await invite(tournament, user_id="99"), await invite(other, uses=9)
    brought = await api.put(
        f"/v1/tournaments/{tournament}/participants/me", headers=both.bearer(77), json={"invite": used["invite"]}
    )
    assert brought.status_code == 201
    await api.delete(f"/v1/tournaments/{tournament}/invitations/{revoked['id']}", headers=service)
    await both.palio.pass_time(5_000)
    no_good = [used, revoked, late, for_another, of_another]
    if role == "removed":
        await api.put(f"/v1/tournaments/{tournament}/participants/{user}", headers=service)
        await api.delete(f"/v1/tournaments/{tournament}/participants/{user}", headers=service)
        no_good.append(old)
    appended = len(both.palio.log.calls)
    for name, client in both.clients.items():
        for given in no_good:
            for prefer in ({}, {"prefer": "wait=0"}):
                answers = [
                    seen(
                        await client.put(
                            f"/v1/tournaments/{target}/participants/me",
                            headers={**headers, **prefer},
                            json={"invite": given["invite"]},
                        ),
                        target,
                    )
                    for target in (tournament, UNKNOWN)
                ]
                assert answers[0] == answers[1], (name, given)
                assert answers[0][0] == 404
    assert len(both.palio.log.calls) == appended
    new = await invite(tournament, user_id=user)
    joined = await api.put(
        f"/v1/tournaments/{tournament}/participants/me", headers=headers, json={"invite": new["invite"]}
    )
    assert joined.status_code == 201


@pytest.mark.parametrize("holds", [False, True])
@pytest.mark.parametrize("role", ["nobody", "stranger", "removed"])
async def test_nor_while_its_owner_is_away(both: Entrypoints, role: str, holds: bool) -> None:
    """Hidden was 404 by what is kept of it, and unknown 503."""
    tournament = await private(both)
    both.palio.owners.down, both.palio.read_model.holds = True, holds
    for name, client in both.clients.items():
        for route in offered(name, INSIDERS):
            path = route.path.replace("{user}", str(USERS.get(role, STRANGER)))
            body = BODIES.get(route.name, (None,))[0]
            answers = []
            for target in (tournament, UNKNOWN):
                answer = await client.request(
                    route.method, path.replace("{tournament}", target), headers=headers_of(both, role), json=body
                )
                answers.append(seen(answer, target))
            assert answers[0] == answers[1], (name, route.name)
            assert answers[0][0] in (401, 403, 503), (name, route.name)


@pytest.mark.parametrize(("column", "role"), [(0, "member"), (1, "service"), (2, "operator")])
async def test_whoever_may_see_it_is_answered(both: Entrypoints, column: int, role: str) -> None:
    headers = headers_of(both, role)
    for name, client in both.clients.items():
        for route in offered(name, INSIDERS):
            tournament = await private(both)
            path = route.path.replace("{tournament}", tournament).replace("{user}", str(MEMBER))
            body = BODIES.get(route.name, (None,))[-1]
            answer = await client.request(
                route.method, path, headers=headers, json={} if route.name == "join" else body
            )
            assert answer.status_code == INSIDERS[route.name][column], (name, role, route.name, answer.text)
            assert "public" not in answer.headers.get("cache-control", ""), (name, role, route.name)


async def test_lists_show_it_to_those_who_may_see_it_alone(both: Entrypoints) -> None:
    tournament = await private(both)
    client = both.clients["api"]
    for role in ("nobody", "stranger", "removed", "member", "service", "operator"):
        listed = await client.get("/v1/tournaments?limit=100", headers=headers_of(both, role))
        shown = tournament in {item["id"] for item in listed.json()["items"]}
        assert shown is (role in ("member", "service", "operator")), role
        assert listed.headers["cache-control"] == "private, no-store", role
        calendar = await client.get("/v1/tournaments.ics", headers=headers_of(both, role))
        assert (f"tournament-{tournament}@" in calendar.text) is shown, role
        for user in (MEMBER, REMOVED):
            path = f"/v1/users/{user}/tournaments"
            answer = await client.get(path, headers=headers_of(both, role))
            if role == "nobody":
                assert answer.status_code == 401
            elif role in ("service", "operator") or USERS[role] == user:
                shown = tournament in {item["id"] for item in answer.json()["items"]}
                assert shown is (user == MEMBER), (role, user)
            else:
                assert (answer.status_code, answer.json()["code"]) == (403, "not_yours"), (role, user)
    wrong = await client.get("/v1/tournaments", headers=headers_of(both, "wrong token"))
    assert wrong.status_code == 401


async def test_what_is_for_operators_is_for_nobody_else(both: Entrypoints) -> None:
    tournament = await private(both)
    client = both.clients["api"]
    for route in offered("api", OPERATORS):
        body = {"letters": [{"partition": 0, "offset": 0}]} if route.method == "POST" else None
        for role in (*OUTSIDERS, "member", "service"):
            answer = await client.request(route.method, route.path, headers=headers_of(both, role), json=body)
            expected = (401 if role in ("nobody", "wrong token") else 403, answer.json()["code"])
            assert expected[1] in ("token_missing", "token_invalid", "role_forbidden"), (route.name, role)
            assert answer.status_code == expected[0], (route.name, role)
            assert tournament not in answer.text
        answer = await client.request(route.method, route.path, headers=headers_of(both, "operator"), json=body)
        assert answer.status_code == 200, (route.name, answer.text)
        assert "public" not in answer.headers["cache-control"], route.name
    listed = await client.get("/v1/operations/tournaments", headers=headers_of(both, "operator"))
    assert tournament in {item["id"] for item in listed.json()["items"]}


async def test_a_batch_names_what_exists_to_services_alone(both: Entrypoints) -> None:
    tournament = await private(both)
    joins = [{"tournament_id": t, "user_id": str(MEMBER)} for t in (tournament, UNKNOWN)]
    for path, items in {
        "/v1/scores": [{**join, "event_id": "x", "score": 1} for join in joins],
        "/v1/participants": joins,
    }.items():
        for name, client in both.clients.items():
            for role in (*OUTSIDERS, "member", "operator"):
                answer = await client.post(path, headers=headers_of(both, role), json=items)
                assert answer.status_code == (401 if role in ("nobody", "wrong token") else 403), (name, role)
            answer = await client.post(path, headers=headers_of(both, "service"), json=items)
            assert answer.json() == {"accepted": 1, "rejected": [{"index": 1, "code": "tournament_unknown"}]}, name


async def test_events_and_statements_of_a_hidden_one(both: Entrypoints) -> None:
    """They name the tournament in what they say."""
    tournament = await private(both)
    appended = len(both.palio.log.calls)
    for name, client in both.clients.items():
        for role in OUTSIDERS:
            headers = {**headers_of(both, role), "x-experience-api-version": "1.0.3"}
            for kind in ("event", "batch", "statement", "statements", "put"):
                answers = []
                for target in (tournament, UNKNOWN):
                    answer = await say(client, kind, target, USERS.get(role, STRANGER), headers)
                    answers.append(seen(answer, target))
                assert answers[0] == answers[1], (name, role, kind)
                status = 401 if role in ("nobody", "wrong token") else 202 if kind == "batch" else 404
                assert answers[0][0] == status, (name, role, kind, answers)
    assert len(both.palio.log.calls) == appended


async def say(
    client: httpx2.AsyncClient, kind: str, tournament: str, user: int, headers: dict[str, str]
) -> httpx2.Response:
    """A score of a user in one of the field's own formats."""
    event = {
        "specversion": "1.0", "type": "palio.score.submitted", "source": "/a", "id": "1", "subject": tournament,
        "data": {"user_id": str(user), "score": 1},
    }  # fmt: skip
    statement_id = "fd41c918-b88b-4b20-a0a5-a4c32391aaa0"
    statement = {
        "id": statement_id,
        "actor": {"account": {"homePage": "https://a.example", "name": str(user)}},
        "verb": {"id": "http://adlnet.gov/expapi/verbs/scored"},
        "object": {"id": f"https://a.example/{tournament}"},
        "result": {"score": {"raw": 1}},
    }
    if kind == "event":
        return await client.post(
            "/v1/events", headers={**headers, "content-type": "application/cloudevents+json"}, json=event
        )
    if kind == "batch":
        typed = {**headers, "content-type": "application/cloudevents-batch+json"}
        return await client.post("/v1/events", headers=typed, json=[event])
    if kind == "put":
        return await client.put(f"/xapi/statements?statementId={statement_id}", headers=headers, json=statement)
    return await client.post(
        "/xapi/statements", headers=headers, json=statement if kind == "statement" else [statement]
    )


async def test_whoever_is_removed_is_out_of_lists_before_the_records_know(
    both: Entrypoints, monkeypatch: pytest.MonkeyPatch
) -> None:
    tournament, other = await private(both), await private(both)
    records, client = both.palio.records, both.clients["api"]
    viewer = ListQuery(viewer=MEMBER)
    before, mine = await records.list_tournaments(viewer), await records.user_tournaments(MEMBER, None, 50)

    async def list_before(query: ListQuery) -> Any:
        return before

    async def mine_before(user_id: int, cursor: str | None, limit: int) -> Any:
        return mine

    monkeypatch.setattr(records, "list_tournaments", list_before)
    monkeypatch.setattr(records, "user_tournaments", mine_before)
    await both.gateway.leave(tournament, MEMBER)
    for path in ("/v1/tournaments", "/v1/users/me/tournaments"):
        for down, expected in ((False, {other}), (True, {tournament, other})):  # nobody can tell: the records' word
            both.palio.owners.down = down
            listed = await client.get(path, headers=both.bearer(MEMBER))
            assert {item["id"] for item in listed.json()["items"]} == expected, path
        both.palio.owners.down = False


# Live sockets: what a subscription is answered, by role, visibility and call.

LIVE_ROLES: Final = (*OUTSIDERS, "member", "service", "operator")
SUBSCRIPTIONS: Final[tuple[dict[str, Any], ...]] = ({}, {"me": True}, {"since": True}, {"since": True, "me": True})


def kind(message: dict[str, Any]) -> str:
    return str(message.get("type") or ("ok" if message.get("ok") else message["error"]["code"]))


async def sign_in(both: Entrypoints, client: LiveClient, role: str) -> None:
    if role != "nobody":
        answer = await client.ask(auth=headers_of(both, role)["authorization"].removeprefix("Bearer "))
        assert kind(answer) == ("unauthorized" if role == "wrong token" else "ok"), role


async def heard(client: LiveClient, count: int) -> list[dict[str, Any]]:
    """So many messages beside the updates behind a snapshot, and that none but those comes before the answer to one more question."""
    messages: list[dict[str, Any]] = []
    while len(messages) < count:
        message = await client.receive()
        if kind(message) != "update":
            messages.append(message)
    before = len(client.seen)
    assert kind(await client.ask(unsubscribe="5")) == "ok"
    assert {kind(message) for message in client.seen[before:-1]} <= {"update"}, client.seen
    return messages


def expected_of(role: str, visibility: str, call: dict[str, Any]) -> list[str]:
    if call.get("me") and role in ("nobody", "wrong token"):
        return ["unauthorized"]
    if visibility == "unknown" or (visibility == "private" and role in OUTSIDERS):
        return ["tournament_unknown"]
    start = [] if call.get("since") else ["snapshot"]
    return ["ok", *start, *(["me"] if call.get("me") else [])]


@pytest.mark.parametrize("role", LIVE_ROLES)
async def test_a_live_subscription_shows_what_the_caller_may_see_and_no_more(both: Entrypoints, role: str) -> None:
    gateway = both.gateway
    tournaments = {name: await private(both, name) for name in ("public", "private")} | {"unknown": UNKNOWN}
    newcomers = itertools.count(100)
    for (visibility, tournament), call in itertools.product(tournaments.items(), SUBSCRIPTIONS):
        case = (role, visibility, call)
        request: dict[str, Any] = {"id": "x", "subscribe": tournament, **call}
        async with gateway.client() as client:
            await sign_in(both, client, role)
            if call.get("since"):  # as one who read it a moment ago
                like = tournaments["private"] if visibility == "unknown" else tournament
                epoch, seq = both.palio.position(int(like))
                request["since"] = {"epoch": epoch, "seq": seq}
                client.positions[tournament], client.data[tournament] = (epoch, seq), gateway.data(like)
            await client.send(**request)
            expected = expected_of(role, visibility, call)
            messages = await heard(client, len(expected))
            assert [kind(message) for message in messages] == expected, case
            if expected[0] == "tournament_unknown":
                text = f"there is no tournament {tournament}"
                assert messages == [{"id": "x", "error": {"code": "tournament_unknown", "message": text}}], case
            if "me" in expected:
                told = {"rank": 1, "score": 10, "percentile": 100.0} if role == "member" else {"rank": None}
                assert told.items() <= messages[-1].items(), case
            # What happens next comes to those who watch it alone.
            for opened in (tournaments["public"], tournaments["private"]):
                await gateway.join(opened, next(newcomers))
            watching = expected[0] == "ok"
            if watching:
                await client.until_data(tournament, gateway.data(tournament))
            elsewhere = {m["tournament"] for m in client.seen if "tournament" in m} - {tournament}
            assert not elsewhere, case
            await client.ask(unsubscribe="5")
            assert watching or not [m for m in client.seen if "type" in m], case


async def test_every_message_is_answered_also_one_that_the_next_makes_needless(both: Entrypoints) -> None:
    """A subscription was never answered if another one, or its end, came first."""
    seen = {}
    for name, tournament in (
        ("public", await private(both, "public")),
        ("hidden", await private(both)),
        ("unknown", UNKNOWN),
    ):
        async with both.gateway.client() as client:
            for number, command in enumerate(("subscribe", "subscribe", "unsubscribe", "subscribe")):
                await client.send(**{"id": number, command: tournament})
            answers: dict[int, str] = {}
            while len(answers) < 4:
                message = await client.receive()
                if "id" in message:
                    answers[message["id"]] = kind(message)
            seen[name] = answers
    assert seen["public"] == dict.fromkeys(range(4), "ok")
    assert seen["hidden"] == seen["unknown"] == {0: "ok", 1: "ok", 2: "ok", 3: "tournament_unknown"}


@pytest.mark.parametrize("watched_as", ["member", "service", "operator"])
@pytest.mark.parametrize("then", ["stranger", "removed", "member", "service", "operator", "wrong token"])
async def test_a_socket_that_signs_in_anew_keeps_what_it_may_see_alone(
    both: Entrypoints, watched_as: str, then: str
) -> None:
    """With fewer rights it kept the private subscriptions of the former role."""
    gateway = both.gateway
    public, hidden = await private(both, "public"), await private(both)
    async with gateway.client() as client:
        await sign_in(both, client, watched_as)
        await client.watch(public, me=True)
        await client.watch(hidden, me=True)
        began = len(client.seen)
        await sign_in(both, client, then)
        for tournament in (public, hidden):
            await gateway.join(tournament, 77)
        await client.until_data(public, gateway.data(public))
        await client.ask(unsubscribe="5")
        since = client.seen[began:]
        ended = [m["reason"] for m in since if m.get("type") == "unsubscribed"]
        updates = {m["tournament"] for m in since if m.get("type") == "update"}
        if then in (watched_as, "wrong token"):  # nothing changed
            assert (ended, updates) == ([], {public, hidden})
        else:  # another user: also one who could see it asks anew
            assert (ended, updates) == (["other_user"], {public})
        answer = await client.ask(subscribe=hidden)
        sees = then not in ("stranger", "removed")
        assert kind(answer) == ("ok" if sees else "tournament_unknown")
