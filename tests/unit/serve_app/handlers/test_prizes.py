"""Prizes by the api: the table before and after the end, preview, approval, revocation, claims, a user's list."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from actors.prizes.payer import Payer, PayerConfig
from actors.prizes.settler import Settler
from storage.ports import LedgerChangedError
from tests.support.front import SCHEDULED, Front, open_front, problem, wrong_paths
from tests.support.prize_bench import Payee

RULES = [
    {"ranks": [1, 2], "amount": "100.01", "currency": "EUR", "ties": "split"},
    {"ranks": [1, 1], "item": "mug", "count": 3, "ties": "each", "claim": True},
]


@pytest.fixture
async def front() -> AsyncIterator[Front]:
    async with open_front(command_wait_s=0.3) as opened:
        yield opened


async def played(front: Front, *scores: float, **more: Any) -> str:
    """A running tournament of users 1, 2, ... with these scores."""
    tournament = await front.create(SCHEDULED, **{"prizes": RULES, "ties": "shared", **more})
    for user, score in enumerate(scores, start=1):
        await front.join(tournament, user)
        await front.submit(tournament, user, {"event_id": "e", "score": score})
    return tournament


async def ended(front: Front, *scores: float, **more: Any) -> str:
    tournament = await played(front, *scores, **more)
    await front.call("POST", f"/v1/tournaments/{tournament}/end", front.token())
    await settle(front)
    return tournament


async def settle(front: Front) -> None:
    palio = front.palio
    await Settler(palio.records, palio.prizes, palio.clock_ms).round()


async def pay(front: Front) -> Payee:
    payee = Payee(failing=False)
    await Payer(front.palio.prizes, payee, front.palio.clock_ms, PayerConfig()).round()
    return payee


async def post(front: Front, tournament: str, what: str, token: dict[str, str] | None = None, **body: Any) -> Any:
    path = f"/v1/tournaments/{tournament}/prizes/{what}"
    return await front.call("POST", path, token or front.token(), json=body)


async def states(front: Front, tournament: str) -> dict[tuple[str, int], str]:
    table = (await front.call("GET", f"/v1/tournaments/{tournament}/prizes")).json()
    return {(winner["user_id"], winner["rule"]): winner["state"] for winner in table["winners"]}


async def test_before_the_end_there_are_rules_and_no_winners(front: Front) -> None:
    tournament = await played(front, 5, 4)
    table = await front.call("GET", f"/v1/tournaments/{tournament}/prizes")
    assert table.json() == {"rules": RULES, "winners": [], "next_cursor": None}
    assert table.headers["cache-control"] == "no-cache"
    without = await front.create(SCHEDULED)
    assert (await front.call("GET", f"/v1/tournaments/{without}/prizes")).json()["rules"] == []
    assert problem(await front.call("GET", "/v1/tournaments/7/prizes")) == (404, "tournament_unknown")
    front.palio.owners.down = True
    assert problem(await front.call("GET", f"/v1/tournaments/{tournament}/prizes")) == (503, "unavailable")


async def test_once_finished_the_winners_are_told_at_once_and_as_the_ledger_has_them(front: Front) -> None:
    tournament = await played(front, 9, 9, 9, 1)
    await front.call("POST", f"/v1/tournaments/{tournament}/end", front.token())
    money = {"rank": 1, "rule": 0, "currency": "EUR", "state": "pending_review", "kind": "prize"}
    things = {"rank": 1, "rule": 1, "item": "mug", "count": 3, "state": "pending_review", "kind": "prize"}
    expected = [
        {"user_id": str(user), "amount": amount, **money} for user, amount in ((1, "66.68"), (2, "66.67"), (3, "66.67"))
    ]
    expected += [{"user_id": str(user), **things} for user in (1, 2, 3)]
    before = (await front.call("GET", f"/v1/tournaments/{tournament}/prizes")).json()
    assert before["winners"] == expected
    await settle(front)
    after = (await front.call("GET", f"/v1/tournaments/{tournament}/prizes")).json()
    assert after["winners"] == expected[:3] + [{**winner, "claimed_at": None} for winner in expected[3:]]


async def test_winners_page_by_page(front: Front) -> None:
    tournament = await ended(front, 5, 4, 3, prizes=[{"top_percent": 100, "item": "badge"}])
    path = f"/v1/tournaments/{tournament}/prizes"
    first = (await front.call("GET", f"{path}?limit=2")).json()
    assert ([winner["user_id"] for winner in first["winners"]], first["next_cursor"]) == (["1", "2"], "2")
    last = (await front.call("GET", f"{path}?limit=2&cursor=2")).json()
    assert ([winner["user_id"] for winner in last["winners"]], last["next_cursor"]) == (["3"], None)
    assert wrong_paths(await front.call("GET", f"{path}?limit=1001")) == ["limit"]


async def test_preview_writes_nothing(front: Front) -> None:
    tournament = await played(front, 9, 4)
    appended = len(front.palio.log.calls)
    shown = (await post(front, tournament, "preview")).json()
    assert (shown["rules"], shown["total"]) == (RULES, 3)
    assert [(w["user_id"], w.get("amount"), w["rank"]) for w in shown["winners"]] == [
        ("1", "100.01", 1),
        ("2", "100.01", 2),
        ("1", None, 1),
    ]
    other = [{"top_percent": 50, "amount": "7", "currency": "JPY", "ties": "next"}]
    tried = (await post(front, tournament, "preview", prizes=other)).json()
    assert tried["rules"] == other
    assert [(w["user_id"], w["amount"]) for w in tried["winners"]] == [("1", "7")]
    assert len(front.palio.log.calls) == appended
    assert await front.palio.prizes.entries(int(tournament)) == []
    wrong = await post(front, tournament, "preview", prizes=[{"ranks": [1], "amount": "1.5", "currency": "JPY"}])
    assert wrong_paths(wrong) == ["prizes[0].amount"]
    assert problem(await post(front, tournament, "preview", front.token("player", 1))) == (403, "role_forbidden")


async def test_approval_is_of_a_finished_tournament_and_ends_its_being_opened_again(front: Front) -> None:
    tournament = await played(front, 9, 4)
    assert problem(await post(front, tournament, "approve")) == (409, "not_finished")
    await front.call("POST", f"/v1/tournaments/{tournament}/end", front.token())
    assert problem(await post(front, tournament, "approve")) == (503, "unavailable"), "the ledger does not follow yet"
    assert front.palio.states[int(tournament)].settled == "approved", "the result stands all the same"
    assert problem(await post(front, tournament, "revoke")) == (503, "unavailable"), "else it would revoke nothing"
    await settle(front)
    table = await post(front, tournament, "approve", front.token("operator", 9))
    assert table.status_code == 200
    assert {winner["state"] for winner in table.json()["winners"]} == {"approved"}
    assert {entry.changed_by for entry in await front.palio.prizes.entries(int(tournament))} == {9}
    again = await post(front, tournament, "approve")
    assert again.json() == table.json()
    paid = await pay(front)
    assert set(paid.carried_out) == {f"{tournament}-0-1-0", f"{tournament}-0-2-0"}, "what is to be claimed waits"
    assert problem(await post(front, tournament, "approve", front.token("player", 1))) == (403, "role_forbidden")


async def approved(front: Front, *scores: float, **more: Any) -> str:
    tournament = await ended(front, *scores, **more)
    await post(front, tournament, "approve", user_id="1", rule=0)
    await settle(front)
    return tournament


async def test_one_users_prizes_are_approved_alone(front: Front) -> None:
    tournament = await approved(front, 9, 4)
    await post(front, tournament, "approve", user_id="1", rule=0)
    assert await states(front, tournament) == {
        ("1", 0): "approved",
        ("2", 0): "pending_review",
        ("1", 1): "pending_review",
    }
    assert problem(await post(front, tournament, "approve", user_id="5")) == (404, "prize_unknown")
    assert problem(await post(front, tournament, "approve", user_id="2", rule=1)) == (404, "prize_unknown")
    assert sorted(wrong_paths(await post(front, tournament, "approve", user_id="me", rule=-1))) == ["rule", "user_id"]
    assert problem(await post(front, await front.create(SCHEDULED), "approve")) == (409, "not_finished")


async def test_what_is_revoked_is_not_paid_until_an_operator_thinks_better_of_it(front: Front) -> None:
    tournament = await approved(front, 9, 4)
    await post(front, tournament, "approve")
    shown = (await post(front, tournament, "revoke", user_id="2", reason="a second account")).json()
    assert next(w for w in shown["winners"] if w["user_id"] == "2")["reason"] == "a second account"
    assert set((await pay(front)).carried_out) == {f"{tournament}-0-1-0"}
    await post(front, tournament, "approve")
    assert (await states(front, tournament))["2", 0] == "revoked", "approving all does not bring it back"
    await post(front, tournament, "approve", user_id="2")
    assert set((await pay(front)).carried_out) == {f"{tournament}-0-2-0"}
    assert problem(await post(front, tournament, "revoke", user_id="1", rule=0)) == (409, "prize_paid")
    left = (await post(front, tournament, "revoke")).json()
    assert sorted(winner["state"] for winner in left["winners"]) == ["paid", "paid", "revoked"]


async def test_the_winner_claims(front: Front) -> None:
    tournament = await approved(front, 9, 4)
    await post(front, tournament, "approve")
    assert problem(await post(front, tournament, "claim", front.token("player", 2), rule=1)) == (
        409,
        "nothing_to_claim",
    )
    assert problem(await post(front, tournament, "claim", front.token("player", 2))) == (409, "nothing_to_claim")
    assert problem(await post(front, tournament, "claim", front.token("player", 2), user_id="1")) == (403, "not_yours")
    assert problem(await post(front, tournament, "claim", front.token("operator", 9))) == (403, "not_yours")
    assert wrong_paths(await post(front, tournament, "claim")) == ["user_id"]
    claimed = (await post(front, tournament, "claim", front.token("player", 1))).json()
    assert [(winner["rule"], winner.get("claimed_at")) for winner in claimed["winners"]] == [
        (0, None), (1, "2027-01-15T08:00:00.000Z"),
    ]  # fmt: skip
    front.palio.now_ms += 1000
    again = (await post(front, tournament, "claim", front.token("service", 5), user_id="1", rule=1)).json()
    assert again["winners"] == claimed["winners"][1:]
    assert f"{tournament}-1-1-0" in (await pay(front)).carried_out


async def test_a_users_prizes_tell_their_states(front: Front) -> None:
    first = await approved(front, 9, 4)
    await post(front, first, "approve")
    await pay(front)
    front.palio.now_ms += 1000
    second = await ended(front, 1, 5)
    mine = (await front.call("GET", "/v1/users/me/prizes", front.token("player", 1))).json()
    assert [(item["tournament_id"], item["rule"], item["state"]) for item in mine["items"]] == [
        (second, 0, "pending_review"), (first, 1, "approved"), (first, 0, "paid"),
    ]  # fmt: skip
    assert mine["items"][0]["tournament"] == SCHEDULED["name"]
    page = (await front.call("GET", "/v1/users/1/prizes?limit=2", front.token())).json()
    rest = (await front.call("GET", f"/v1/users/1/prizes?limit=2&cursor={page['next_cursor']}", front.token())).json()
    assert page["items"] + rest["items"] == mine["items"]
    assert rest["next_cursor"] is None
    other = await front.call("GET", "/v1/users/1/prizes", front.token("player", 2))
    assert problem(other) == (403, "not_yours")
    assert wrong_paths(await front.call("GET", "/v1/users/me/prizes?cursor=x", front.token("player", 1))) == ["cursor"]


async def test_a_change_that_others_come_before_is_made_on_what_they_made(
    front: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    tournament = await approved(front, 9, 4)
    ledger, tries = front.palio.prizes, 0
    write = ledger.write

    async def busy(*arguments: Any) -> None:
        nonlocal tries
        tries += 1
        if tries < 3:
            raise LedgerChangedError("somebody else was first")
        await write(*arguments)

    monkeypatch.setattr(ledger, "write", busy)
    assert (await post(front, tournament, "revoke")).status_code == 200
    assert tries == 3
    monkeypatch.setattr(ledger, "write", lambda *_: _refused())
    assert problem(await post(front, tournament, "approve", user_id="1")) == (503, "unavailable")


async def _refused() -> None:
    raise LedgerChangedError("always")


async def test_places_within_the_groups_of_a_board(front: Front) -> None:
    rules = [{"ranks": [1], "amount": "10", "currency": "EUR", "ties": "split", "board": "country"}]
    tournament = await front.create(SCHEDULED, prizes=rules, boards=["country"])
    for user, country in ((1, "fr"), (2, "fr"), (3, "it"), (4, None)):
        attributes = {} if country is None else {"attributes": {"country": country}}
        assert (await front.join(tournament, user, **attributes)).status_code == 201
        await front.submit(tournament, user, {"event_id": "e", "score": 10 - user})
    shown = (await post(front, tournament, "preview")).json()["winners"]
    assert [(winner["user_id"], winner["rank"], winner["group"]) for winner in shown] == [
        ("1", 1, "fr"),
        ("3", 1, "it"),
    ]
    tried = [{"ranks": [1], "item": "mug", "board": "team"}]
    assert wrong_paths(await post(front, tournament, "preview", prizes=tried)) == ["prizes[0].board"]
    await front.call("POST", f"/v1/tournaments/{tournament}/end", front.token())
    await settle(front)
    assert await states(front, tournament) == {("1", 0): "pending_review", ("3", 0): "pending_review"}
