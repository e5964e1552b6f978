"""The calls: what is sent where, and what is made of answers. Against a whole Palio they are judged in tests/integration."""

import io
import json
from decimal import Decimal
from typing import Any

import httpx2
import msgspec
import pytest

from scripts.client.palio_client import ConflictError, Join, NotPalioError, PalioClient, Score, client, transport
from serve_app.api import answers as models
from tests.support.scripted_http import Answers, Given, refusal

VIEW = models.Tournament.example
OUTCOME = {"event_id": "c", "outcome": "applied", "score": None, "rank": None, "previous_rank": None}
SCORES = [Score(tournament_id="7", user_id=str(user), event_id=f"e{user}", score=user) for user in range(1, 6)]


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "FIRST_PAUSE_S", 0.001)
    monkeypatch.setattr(transport, "LONGEST_PAUSE_S", 0.002)


def palio(answers: Answers, **more: Any) -> PalioClient:
    return PalioClient("http://api/", "t", transport=answers.transport, **more)


async def test_a_create_keeps_its_key_however_often_it_is_sent() -> None:
    answers = Answers(httpx2.ReadError("cut"), Given(202, {"event_id": "c"}), Given(201, VIEW))
    made = await palio(answers).create({"name": "Sprint"})
    assert (made.id, made.top[0].name) == (VIEW["id"], "Ann")
    assert answers.sent() == ["POST http://api/v1/tournaments"] * 3
    assert len({request.headers["idempotency-key"] for request in answers.requests}) == 1
    answers = Answers(Given(201, VIEW))
    await palio(answers).create({"name": "Sprint"}, key="mine")
    assert answers.requests[0].headers["idempotency-key"] == "mine"


async def test_creates_keep_their_keys_and_their_places_in_calls_of_1000(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "MAX_BATCH", 2)

    def took(*status: str | None, rejected: int = 0) -> Given:
        made = [{"index": at, "line": at + 1, "id": str(at), "status": each} for at, each in enumerate(status)]
        wrong = {"index": len(made), "line": len(made) + 1, "code": "invalid", "detail": "name: x"}
        return Given(202, {"accepted": len(made), "tournaments": made, "rejected": [wrong] * rejected})

    answers = Answers(took("running", None), took("running", "scheduled"), took("scheduled", rejected=1))
    specs = [{"name": "A"}, {"name": "B", "idempotency_key": "b"}, {"name": "C"}, {"name": "D"}]
    told = await palio(answers).create_all(specs)
    assert answers.sent() == ["POST http://api/v1/tournaments"] * 3
    assert {request.headers["content-type"] for request in answers.requests} == {"application/x-ndjson"}
    first, again, last = (request.content.split(b"\n") for request in answers.requests)
    assert first == again  # undecided: sent again, with the same keys
    assert [json.loads(line)["name"] for line in [*first, *last]] == ["A", "B", "C", "D"]
    keys = [json.loads(line)["idempotency_key"] for line in [*first, *last]]
    assert (keys[1], len(set(keys))) == ("b", 4)
    assert [(made.index, made.status) for made in told.tournaments] == [
        (0, "running"),
        (1, "scheduled"),
        (2, "scheduled"),
    ]
    assert [(wrong.index, wrong.detail) for wrong in told.rejected] == [(3, "name: x")]


async def test_a_score_keeps_its_event_id_and_goes_to_the_gateway() -> None:
    answers = Answers(Given(503), Given(202, {"event_id": "x", "partition": 1, "offset": 2}))
    told = await palio(answers).submit("7", Decimal("12.50"))  # type: ignore[arg-type]
    assert (told.outcome, told.offset) == (None, 2)
    assert set(answers.sent()) == {"POST http://gate/v1/tournaments/7/scores"}
    first, second = answers.bodies()
    assert first == second
    assert (first["score"], len(first["event_id"])) == (12.5, 32)
    assert "prefer" not in answers.requests[0].headers
    answers = Answers(Given(200, {"event_id": "x", "outcome": "applied", "score": 5, "rank": 1, "previous_rank": None}))
    told = await palio(answers).submit("7", 5, event_id="x", user_id="4", wait_s=2.5)
    assert (told.outcome, told.rank, answers.requests[0].headers["prefer"]) == ("applied", 1, "wait=2.5")


async def test_a_join_is_repeated_until_it_is_decided_or_in_the_log() -> None:
    answers = Answers(Given(202, {"event_id": "c", "partition": 1, "offset": 4}), Given(201, OUTCOME))
    assert (await palio(answers).join("7", name="Ann")).outcome == "applied"
    assert answers.sent() == ["PUT http://gate/v1/tournaments/7/participants/me"] * 2
    answers = Answers(
        Given(202, {"event_id": "c", "partition": 1, "offset": None}),
        Given(202, {"event_id": "c", "partition": 1, "offset": 4}),
    )
    assert (await palio(answers).join("7", "5", wait_s=0)).offset == 4
    assert [request.headers["prefer"] for request in answers.requests] == ["wait=0"] * 2


async def test_batches_go_in_order_and_name_rejected_items_by_their_place_among_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(client, "MAX_BATCH", 2)
    answers = Answers(
        Given(202, {"accepted": 2, "rejected": []}),
        Given(202, {"accepted": 1, "rejected": [{"index": 1, "code": "invalid", "line": 2}]}),
        Given(202, {"accepted": 1, "rejected": []}),
    )
    told = await palio(answers).submit_all(SCORES)
    assert (told.accepted, [(item.index, item.code) for item in told.rejected]) == (4, [(3, "invalid")])
    lines = [[json.loads(line)["user_id"] for line in request.content.splitlines()] for request in answers.requests]
    assert lines == [["1", "2"], ["3", "4"], ["5"]]
    assert {request.headers["content-type"] for request in answers.requests} == {"application/x-ndjson"}


async def test_joins_may_be_waited_for() -> None:
    answers = Answers(Given(200, {"accepted": 1, "rejected": [{"index": 1, "code": "tournament_full"}]}))
    joins = [Join(tournament_id="7", user_id=str(user)) for user in (1, 2)]
    told = await palio(answers).join_all(joins, wait_s=5)
    assert [(item.index, item.code) for item in told.rejected] == [(1, "tournament_full")]
    await palio(answers).join_all(joins)
    assert [request.headers.get("prefer") for request in answers.requests if request.method == "POST"] == [
        "wait=5",
        None,
    ]


async def test_a_batch_is_no_larger_than_a_body_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "MAX_BATCH_BYTES", 150)
    answers = Answers(Given(202, {"accepted": 1, "rejected": []}))
    await palio(answers).join_all(Join(tournament_id="7", user_id=str(user), name="x" * 20) for user in range(1, 6))
    sizes = [len(request.content) for request in answers.requests]
    assert max(sizes) <= 150
    assert sum(request.content.count(b"user_id") for request in answers.requests) == 5
    await palio(answers).join_all([])  # asks nobody
    assert len(answers.requests) == len(sizes)


async def test_lists_and_tables_are_read_to_their_last_page() -> None:
    rows = [models.Row.example | {"user_id": str(user)} for user in (1, 2)]
    rest = {"total": 2, "status": "running", "position": models.Position.example}
    answers = Answers(
        Given(200, {"rows": rows[:1], "next_cursor": "a", **rest}),
        Given(200, {"rows": rows[1:], "next_cursor": None, **rest}),
    )
    assert [row.user_id async for row in palio(answers).rows("7")] == ["1", "2"]
    assert [request.url.params.get("cursor") for request in answers.requests] == [None, "a"]
    item = models.TournamentItem.example
    answers = Answers(
        Given(200, {"items": [item], "next_cursor": "b"}), Given(200, {"items": [item, item], "next_cursor": None})
    )
    assert len([found async for found in palio(answers).tournaments(status="finished", q="Sp rint")]) == 3
    assert answers.requests[1].url.params == httpx2.QueryParams(
        {"status": "finished", "q": "Sp rint", "limit": "100", "cursor": "b"}
    )


async def test_an_end_that_was_carried_out_though_its_answer_was_lost_is_one() -> None:
    finished = VIEW | {"status": "finished"}
    answers = Answers(httpx2.ReadError("cut"), refusal(409, "not_running"), Given(200, finished))
    assert (await palio(answers).end("7")).status == "finished"
    for given in (
        [refusal(409, "already_over")],  # it was over before
        [httpx2.ReadError("cut"), refusal(409, "already_over"), Given(200, VIEW | {"status": "cancelled"})],
    ):
        with pytest.raises(ConflictError, match="already_over"):
            await palio(Answers(*given)).end("7")


async def test_what_is_no_id_stays_one_part_of_the_path() -> None:
    answers = Answers(refusal(404, "tournament_unknown"))
    with pytest.raises(Exception, match="tournament_unknown"):
        await palio(answers).tournament("../7?x")
    assert answers.sent() == ["GET http://gate/v1/tournaments/..%2F7%3Fx"]


async def test_another_servers_answers_are_told() -> None:
    with pytest.raises(NotPalioError, match="expected Palio's answer"):
        await palio(Answers(Given(200, {"hello": "world"}))).tournament("7")


async def test_a_file_that_may_not_be_had_is_not_written() -> None:
    file = io.BytesIO()
    with pytest.raises(Exception, match="tournament_unknown"):
        await palio(Answers(Given(503), refusal(404, "tournament_unknown"))).download("/v1/x", file)
    assert file.getvalue() == b""


async def test_other_calls_and_files_can_be_asked_for() -> None:
    answers = Answers(Given(200, {"items": []}))
    assert await palio(answers).call("GET", "/v1/dead-letters", params={"limit": "5"}) == {"items": []}
    file, told = io.BytesIO(b"what a try before left, which is longer"), list[tuple[int, int | None]]()
    await palio(answers).download("/v1/x", file, told=lambda *far: told.append(far))
    assert msgspec.json.decode(file.getvalue()) == {"items": []}
    assert told[-1] == (len(file.getvalue()), len(file.getvalue()))
    assert answers.sent() == ["GET http://api/v1/dead-letters?limit=5", "GET http://api/v1/x"]
