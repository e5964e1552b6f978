"""Every route, role, entrypoint and the socket: while the table stands still nobody is shown what has happened since but who may.

Since the freeze a rival has scored 888.88 and so overtaken the member, who has scored 777.77: these are looked for in all that is answered.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any, Final

import httpx2
import pytest

from actors.domain.values import rfc3339
from serve_app.handlers.routes import ROUTES
from tests.support.entrypoints import Entrypoints, running_entrypoints
from tests.unit.serve_app.test_privacy import (
    BODIES,
    EXPORTS,
    INSIDERS,
    LISTS,
    MEMBER,
    OF_NO_TOURNAMENT,
    headers_of,
    kind,
    sign_in,
)

RIVAL, BYSTANDER = 11, 12
RIVALS, MINE = "888.88", "777.77"
READS: Final = ("view", "rankings", "export", "participant", "prizes")
QUERIES: Final = {
    "rankings": (
        "",
        "?limit=2",
        "?cursor=1",
        f"?users={MEMBER},{RIVAL}",
        f"?around={RIVAL}",
        "?around=me",
        f"?q={RIVAL}",
    ),
    "view": ("",),
    "export": EXPORTS,
}
TABLE: Final[list[tuple[str, float]]] = [(str(MEMBER), 50), (str(RIVAL), 40), (str(BYSTANDER), 30)]  # as it stands
ROLES: Final = ("nobody", "stranger", "rival", "member")


@pytest.fixture
async def both() -> AsyncIterator[Entrypoints]:
    async with running_entrypoints() as both:
        yield both


def headers(both: Entrypoints, role: str) -> dict[str, str]:
    return both.bearer(RIVAL) if role == "rival" else headers_of(both, role)


async def frozen(both: Entrypoints, visibility: str) -> str:
    """A tournament whose table stands still, with scores that came since."""
    gateway, ends_ms = both.gateway, both.palio.now_ms + 3_600_000
    tournament = await gateway.tournament(visibility=visibility, ends_at=rfc3339(ends_ms), freeze_s=1)
    for user, score in ((MEMBER, 50), (RIVAL, 40), (BYSTANDER, 30)):
        await gateway.join(tournament, user)
        await gateway.score(tournament, user, score)
    await gateway.call("edit_tournament", "PATCH", {"freeze_s": 3601}, tournament=tournament)  # from now on
    await gateway.scores(tournament, {RIVAL: float(RIVALS), MEMBER: float(MINE)})
    return tournament


def table(rows: list[dict[str, Any]]) -> list[tuple[str, float]]:
    return [(row["user_id"], row["score"]) for row in rows]


@pytest.mark.parametrize("visibility", ["public", "private"])
@pytest.mark.parametrize("role", ROLES)
async def test_nobody_is_told_what_happened_since(both: Entrypoints, role: str, visibility: str) -> None:
    tournament = await frozen(both, visibility)
    own = {"member": MEMBER, "rival": RIVAL}.get(role)
    for name, client in both.clients.items():
        for route in ROUTES:
            if route.name in OF_NO_TOURNAMENT or not (name == "api" or route.gateway):
                continue
            if route.name not in (*READS, *LISTS) and route.name in ("leave", "done"):
                continue  # these change who takes part
            for user in ("me", str(MEMBER), str(RIVAL)) if "{user}" in route.path else ("",):
                for query in QUERIES.get(route.name, ("",)):
                    path = route.path.replace("{tournament}", tournament).replace("{user}", user) + query
                    body = BODIES.get(route.name, (None,))[-1]
                    if route.name == "submit_score":
                        body = {"event_id": f"{name}-{role}", "score": 1}
                    answer = await client.request(
                        route.method, path, headers={**headers(both, role), "prefer": "wait=5"}, json=body
                    )
                    check(answer, own, (name, role, route.name, user, query))


def check(answer: httpx2.Response, own: int | None, case: Any) -> None:
    """Nothing of the others since the freeze; of oneself the score alone."""
    assert answer.status_code != 500, case
    text = answer.text
    assert RIVALS not in text or own == RIVAL, (case, text)
    assert MINE not in text or own == MEMBER, (case, text)
    if answer.status_code != 200 or not text.startswith("{"):
        return
    told = json.loads(text)
    if "contest_time" in told:  # rows of another form
        return
    for rows in (told.get("top"), told.get("rows")):
        if rows is not None:
            assert {*table(rows)} <= {*TABLE}, (case, text)
            assert [row["rank"] for row in rows] == [TABLE.index(row) + 1 for row in table(rows)], (case, text)
            assert "no-store" not in answer.headers["cache-control"] or own or "?around=me" in str(case), case
    for standing in [told, *(item["participation"] for item in told.get("items", []) if "participation" in item)]:
        if "rank" not in standing:
            continue
        mine = standing["score"] in (float(RIVALS), float(MINE), 1)  # 1: of a newcomer, who asks
        assert standing["rank"] is None if mine else standing["score"] in (None, 50, 40, 30), (case, text)
        assert standing.get("previous_rank") is None, (case, text)
        assert standing.get("percentile") is None or not mine, (case, text)


@pytest.mark.parametrize("then", ["cancelled", "extra time", "cancelled and reopened"])
async def test_nor_in_any_other_state_of_a_frozen_one(both: Entrypoints, then: str) -> None:
    """A cancelled one stays as it is until it is revealed; one that is past its end, with extra time for somebody, until it is finished."""
    tournament = await frozen(both, "public")
    path, operator, api = f"/v1/tournaments/{tournament}", headers(both, "operator"), both.clients["api"]
    if then == "extra time":
        given = await api.patch(f"{path}/participants/{MEMBER}", headers=operator, json={"extra_s": 9000})
        assert given.status_code == 200
        await both.palio.pass_time(3_601_000)
    else:
        assert (await api.post(f"{path}/cancel", headers=operator)).status_code == 200
    if then == "cancelled and reopened":
        ends_at = rfc3339(both.palio.now_ms + 9_000_000)
        assert (await api.post(f"{path}/reopen", headers=operator, json={"ends_at": ends_at})).status_code == 200
    for role in ROLES:
        own = {"member": MEMBER, "rival": RIVAL}.get(role)
        for name, client in both.clients.items():
            for route in ROUTES:
                if route.name not in (*READS, *LISTS) or not (name == "api" or route.gateway):
                    continue
                for user in ("me", str(RIVAL)) if "{user}" in route.path else ("",):
                    for query in QUERIES.get(route.name, ("",)):
                        asked = route.path.replace("{tournament}", tournament).replace("{user}", user) + query
                        answer = await client.get(asked, headers=headers(both, role))
                        check(answer, own, (then, name, role, route.name, user, query))
        async with both.gateway.client() as socket:
            await sign_in(both, socket, "nobody" if role == "rival" else role)
            await socket.watch(tournament)
            assert table(socket.data[tournament]["top"]) == TABLE
    assert (await api.get(path, headers=headers(both, "member"))).json()["frozen"] is True


@pytest.mark.parametrize("visibility", ["public", "private"])
async def test_a_player_sees_their_own_score_and_no_rank(both: Entrypoints, visibility: str) -> None:
    tournament = await frozen(both, visibility)
    for client in both.clients.values():
        for who in ("me", str(MEMBER)):
            answer = await client.get(f"/v1/tournaments/{tournament}/participants/{who}", headers=both.bearer(MEMBER))
            told = answer.json()
            assert (told["score"], told["rank"], told["percentile"]) == (float(MINE), None, None)
            assert "no-store" in answer.headers["cache-control"]
        other = await client.get(f"/v1/tournaments/{tournament}/participants/{MEMBER}", headers=both.bearer(RIVAL))
        assert (other.json()["score"], other.json()["rank"]) == (50, 1)


@pytest.mark.parametrize("visibility", ["public", "private"])
@pytest.mark.parametrize("role", ["service", "operator"])
async def test_services_and_operators_see_the_real_table(both: Entrypoints, role: str, visibility: str) -> None:
    tournament = await frozen(both, visibility)
    real = [(str(RIVAL), float(RIVALS)), (str(MEMBER), float(MINE)), (str(BYSTANDER), 30)]
    for client in both.clients.values():
        for _ in range(2):  # also when the public one is cached
            await client.get(f"/v1/tournaments/{tournament}", headers=both.bearer(MEMBER))
            view = await client.get(f"/v1/tournaments/{tournament}", headers=headers(both, role))
            page = await client.get(f"/v1/tournaments/{tournament}/rankings", headers=headers(both, role))
            assert table(view.json()["top"]) == table(page.json()["rows"]) == real
            assert view.json()["frozen"] is True
            for answer in (view, page):
                assert "no-store" in answer.headers["cache-control"]
                assert "etag" not in answer.headers
        one = await client.get(f"/v1/tournaments/{tournament}/participants/{RIVAL}", headers=headers(both, role))
        if client is both.clients["api"]:
            file = await client.get(f"/v1/tournaments/{tournament}/export", headers=headers(both, role))
            assert file.text.splitlines()[1].startswith(f"1,{RIVAL},")
            assert file.headers["cache-control"] == "private, no-store"
        assert (one.json()["score"], one.json()["rank"]) == (float(RIVALS), 1)


@pytest.mark.parametrize("name", ["api", "gateway"])
async def test_a_service_that_waits_is_told_the_real_rank(both: Entrypoints, name: str) -> None:
    path, wait = f"/v1/tournaments/{await frozen(both, 'public')}", {"prefer": "wait=5"}

    async def told(headers: dict[str, str], score: float, **more: str) -> tuple[str, int | None, int | None]:
        body = {"event_id": f"e{score}", "score": score, **more}
        answer = (await both.clients[name].post(f"{path}/scores", headers=headers | wait, json=body)).json()
        return answer["outcome"], answer["rank"], answer["previous_rank"]

    for user, score, rank in ((BYSTANDER, 1, 3), (BYSTANDER, 800, 2), (MEMBER, 999, 1)):
        assert await told(headers(both, "service"), score, user_id=str(user)) == ("applied", rank, None)
    assert await told(both.bearer(MEMBER), 998) == ("applied", None, None)


@pytest.mark.parametrize("role", ROLES)
async def test_nor_while_the_owner_is_away(both: Entrypoints, role: str) -> None:
    tournament = await frozen(both, "public")
    both.palio.owners.down = both.palio.read_model.holds = True
    own = {"member": MEMBER, "rival": RIVAL}.get(role)
    for name, client in both.clients.items():
        for path in ("", "/rankings", f"/participants/{RIVAL}", f"/participants/{MEMBER}"):
            answer = await client.get(f"/v1/tournaments/{tournament}{path}", headers=headers(both, role))
            assert answer.status_code == 200
            check(answer, own, (name, role, path))


@pytest.mark.parametrize("visibility", ["public", "private"])
@pytest.mark.parametrize("role", ROLES)
async def test_nor_on_the_socket(both: Entrypoints, role: str, visibility: str) -> None:
    tournament = await frozen(both, visibility)
    if visibility == "private" and role in ("nobody", "stranger"):
        return  # who is told nothing at all: tests/unit/serve_app/test_privacy.py
    async with both.gateway.client() as client:
        if role == "rival":
            token = both.bearer(RIVAL)["authorization"].removeprefix("Bearer ")
            assert kind(await client.ask(auth=token)) == "ok"
        else:
            await sign_in(both, client, role)
        me = {"me": True} if role in ("member", "rival") else {}
        await client.watch(tournament, **me)
        await both.gateway.scores(tournament, {RIVAL: float(RIVALS) + 1, MEMBER: float(MINE) + 1})
        await both.gateway.join(tournament, 99)
        await client.until_data(tournament, both.gateway.data(tournament))
        assert table(client.data[tournament]["top"]) == TABLE
        if me:
            own = float(MINE if role == "member" else RIVALS)
            told = await client.until(lambda m: m.get("type") == "me") if not _me(client.seen) else _me(client.seen)[-1]
            assert told["score"] in (own, own + 1)
            assert [(m["rank"], m["previous_rank"], m["percentile"]) for m in _me(client.seen)] == [
                (None, None, None) for _ in _me(client.seen)
            ]
        others = {"member": "889.88", "rival": "778.77"}.get(role, "88.8")
        assert others not in json.dumps([m for m in client.seen if m.get("type") != "me"])
        await both.gateway.call("reveal_table", tournament=tournament)
        await client.until_data(tournament, both.gateway.data(tournament))
        assert table(client.data[tournament]["top"])[0] == (str(RIVAL), float(RIVALS) + 1)


def _me(seen: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [message for message in seen if message.get("type") == "me"]


@pytest.mark.parametrize("how", ["reveal_table", "end_tournament"])
async def test_then_it_is_shown_to_all(both: Entrypoints, how: str) -> None:
    tournament = await frozen(both, "public")
    await both.gateway.call(how, tournament=tournament)
    for client in both.clients.values():
        view = (await client.get(f"/v1/tournaments/{tournament}")).json()
        assert table(view["top"])[0] == (str(RIVAL), float(RIVALS))
        assert "frozen" not in view
    assert set(READS) <= set(INSIDERS)


@pytest.mark.parametrize("visibility", ["public", "private"])
async def test_groups_and_teams_stand_still_for_all_but_services_and_operators(
    both: Entrypoints, visibility: str
) -> None:
    gateway, ends_ms = both.gateway, both.palio.now_ms + 3_600_000
    tournament = await gateway.tournament(
        visibility=visibility, ends_at=rfc3339(ends_ms), freeze_s=1, boards=["team"], teams={"score": "sum"}
    )
    for user, team, score in ((MEMBER, "red", 50), (RIVAL, "blue", 40)):
        body = {"name": f"n{user}", "attributes": {"team": team}}
        await gateway.call("join", "PUT", body, tournament=tournament, user=str(user))
        await gateway.score(tournament, user, score)
    await gateway.call("edit_tournament", "PATCH", {"freeze_s": 3601}, tournament=tournament)
    await gateway.scores(tournament, {RIVAL: float(RIVALS)})
    path, api = f"/v1/tournaments/{tournament}", both.clients["api"]
    for role, real in (("member", False), ("service", True), ("operator", True), ("member", False)):
        teams = await api.get(f"{path}/teams", headers=headers(both, role))
        assert [row["team"] for row in teams.json()["rows"]] == (["blue", "red"] if real else ["red", "blue"]), role
        groups = await api.get(f"{path}/boards/team", headers=headers(both, role))
        page = await api.get(f"{path}/rankings?board=team&group=blue", headers=headers(both, role))
        assert page.json()["rows"][0]["score"] == (float(RIVALS) if real else 40), role
        for answer in (teams, groups, page):
            assert answer.status_code == 200
            assert (RIVALS in answer.text) <= real, role
            assert ("no-store" in answer.headers["cache-control"]) == (real or visibility == "private"), role
