from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.support.front import LATER, Front, open_front, problem, wrong_paths


@pytest.fixture
async def front() -> AsyncIterator[Front]:
    async with open_front(view_cache_ms=0) as front:
        yield front


async def ranked(front: Front, scores: dict[int, float]) -> str:
    tournament = await front.create()
    for user, score in scores.items():
        await front.join(tournament, user)
        await front.submit(tournament, user, {"event_id": "a", "score": score})
    return tournament


async def test_the_view_of_a_public_tournament(front: Front) -> None:
    tournament = await ranked(front, {42: 10, 43: 20.5})
    response = await front.call("GET", f"/v1/tournaments/{tournament}")
    assert response.headers["cache-control"] == "public, max-age=1"
    shown = response.json()
    assert [(row["rank"], row["user_id"], row["score"]) for row in shown["top"]] == [(1, "43", 20.5), (2, "42", 10)]
    assert (shown["participants"], shown["status"]) == (2, "running")
    same = await front.call("GET", f"/v1/tournaments/{tournament}", {"if-none-match": response.headers["etag"]})
    assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", response.headers["etag"])
    await front.submit(tournament, 42, {"event_id": "b", "score": 30})
    for old in (response.headers["etag"], '"x", W/"y"'):
        assert (await front.call("GET", f"/v1/tournaments/{tournament}", {"if-none-match": old})).status_code == 200


@pytest.mark.parametrize("tournament", ["1", "0", "x", "9223372036854775808", "-5", "1e3", "00", "%00", "1" * 500])
async def test_unknown_tournaments_are_404(front: Front, tournament: str) -> None:
    for path in ("", "/rankings", "/prizes", "/participants/42"):
        assert problem(await front.call("GET", f"/v1/tournaments/{tournament}{path}")) == (404, "tournament_unknown")


async def test_rankings_by_page(front: Front) -> None:
    tournament = await ranked(front, {user: user for user in range(1, 8)})
    path = f"/v1/tournaments/{tournament}/rankings"
    first = (await front.call("GET", f"{path}?limit=3")).json()
    assert [row["user_id"] for row in first["rows"]] == ["7", "6", "5"]
    assert (first["total"], first["next_cursor"]) == (7, "3")
    last = (await front.call("GET", f"{path}?limit=1000&cursor=3")).json()
    assert [row["rank"] for row in last["rows"]] == [4, 5, 6, 7]
    assert last["next_cursor"] is None
    beyond = (await front.call("GET", f"{path}?cursor=100")).json()
    assert (beyond["rows"], beyond["next_cursor"]) == ([], None)


async def test_rankings_around_a_user_and_of_users(front: Front) -> None:
    tournament = await ranked(front, {user: user for user in range(1, 8)})
    await front.join(tournament, 8)
    path = f"/v1/tournaments/{tournament}/rankings"
    around = (await front.call("GET", f"{path}?around=me&limit=3", front.token("player", 4))).json()
    assert [row["user_id"] for row in around["rows"]] == ["5", "4", "3"]
    named = (await front.call("GET", f"{path}?users=1,99,7,8")).json()
    assert [row["user_id"] for row in named["rows"]] == ["7", "1"]
    for user in ("8", "99"):
        assert problem(await front.call("GET", f"{path}?around={user}")) == (404, "not_ranked")


async def test_rankings_of_names(front: Front) -> None:
    tournament = await front.create()
    names = {1: "Rita Weiß", 2: "RITA  WEISS", 3: "Anna", 4: None, 42: "Marita", 43: "Player 1"}
    for user, name in names.items():
        await front.join(tournament, user, **({} if name is None else {"name": name}))
        if user != 2:
            await front.submit(tournament, user, {"event_id": "a", "score": user})
    path = f"/v1/tournaments/{tournament}/rankings"

    async def found(query: str) -> list[tuple[int, str]]:
        page = (await front.call("GET", f"{path}?{query}")).json()
        assert page["total"] >= len(page["rows"])
        return [(row["rank"], row["user_id"]) for row in page["rows"]]

    assert await found("q=rita") == [(2, "42"), (5, "1")]  # best first, with the ranks of the whole table; 2 has none
    assert await found("q=%20Weiss%20") == [(5, "1")]
    assert await found("q=1") == [(1, "43"), (5, "1")]  # in a name, and as an id
    assert await found("q=4") == [(3, "4")]
    assert await found("q=nobody") == []
    first = (await front.call("GET", f"{path}?q=rita&limit=1")).json()
    assert (first["total"], first["next_cursor"]) == (2, "1")
    assert await found("q=rita&limit=1&cursor=1") == [(5, "1")]


PUBLIC = ("", "/rankings", "/rankings?around=42", "/rankings?users=42", "/participants/42", "/prizes")
PERSONAL = ("/rankings?around=me", "/rankings?users=42,me", "/participants/me")


async def test_what_depends_on_the_caller_is_nobody_elses_to_keep(front: Front) -> None:
    tournament = await ranked(front, {42: 10, 43: 20})
    tags = {}
    for path in PUBLIC:
        shown = await front.call("GET", f"/v1/tournaments/{tournament}{path}", front.token("player", 42))
        assert (shown.status_code, "no-store" in shown.headers["cache-control"]) == (200, False)
        tags[path] = shown.headers.get("etag", "*")
    for path in PERSONAL:
        for seen in ({}, *({"if-none-match": tag} for tag in tags.values())):
            headers = {**front.token("player", 43), **seen}
            mine = await front.call("GET", f"/v1/tournaments/{tournament}{path}", headers)
            assert (mine.status_code, mine.headers["cache-control"]) == (200, "private, no-store")
            assert ("etag" in mine.headers, mine.headers["vary"]) == (False, "authorization")


async def test_lists_and_everything_of_a_private_tournament_are_personal(front: Front) -> None:
    tournament = await front.create(visibility="private")
    for path in (f"/v1/tournaments/{tournament}{path}" for path in ("", "/rankings", "/prizes")):
        shown = await front.call("GET", path, front.token())
        assert (shown.status_code, shown.headers["cache-control"]) == (200, "private, no-store")
        assert "etag" not in shown.headers
    for path in ("/v1/tournaments", "/v1/users/me/tournaments", "/v1/users/me/prizes"):
        assert (await front.call("GET", path, front.token())).headers["cache-control"] == "private, no-store"
    hidden = await front.call("GET", f"/v1/tournaments/{tournament}")
    assert (hidden.status_code, hidden.headers["cache-control"]) == (404, "private, no-store")


@pytest.mark.parametrize(
    ("query", "path"),
    [
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("limit=x", "limit"),
        ("limit=", "limit"),
        ("limit=-1", "limit"),
        ("limit=1e2", "limit"),
        ("limit=" + "9" * 5000, "limit"),
        ("cursor=x", "cursor"),
        ("cursor=-1", "cursor"),
        ("around=x", "around"),
        ("around=me", "around"),
        ("users=1,,2", "users"),
        ("users=" + ",".join(["1"] * 101), "users"),
        ("around=1&users=2", "users"),
        ("around=1&cursor=2", "around"),
        ("q=", "q"),
        ("q=%20", "q"),
        ("q=" + "x" * 65, "q"),
        ("q=x&around=1", "around"),
        ("q=x&users=1", "users"),
        ("q=x&board=a&group=b", "q"),
        ("q=x&cursor=x", "cursor"),
    ],
)
async def test_a_wrong_query_is_422(front: Front, query: str, path: str) -> None:
    tournament = await front.create()
    assert wrong_paths(await front.call("GET", f"/v1/tournaments/{tournament}/rankings?{query}")) == [path]


async def test_reads_without_anyone_to_ask_are_503(front: Front) -> None:
    tournament = await front.create(LATER)
    front.palio.owners.down = True
    front.palio.records.down = True
    for path in ("/v1/tournaments", "/v1/tournaments/5", f"/v1/tournaments/{tournament}/participants/42"):
        response = await front.call("GET", path)
        assert problem(response) == (503, "unavailable")
        assert int(response.headers["retry-after"]) >= 1


async def test_reads_fall_back_to_the_read_model(front: Front) -> None:
    tournament = await ranked(front, {42: 10})
    front.palio.owners.down = True
    front.palio.read_model.holds = True
    assert (await front.call("GET", f"/v1/tournaments/{tournament}")).status_code == 200
    assert (await front.call("GET", f"/v1/tournaments/{tournament}/rankings?around=42")).json()["total"] == 1
    assert (await front.call("GET", f"/v1/tournaments/{tournament}/participants/42")).json()["rank"] == 1
    assert problem(await front.call("GET", "/v1/tournaments/5")) == (503, "unavailable")
