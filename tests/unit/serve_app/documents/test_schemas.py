"""The JSON Schemas: of all messages that there are, and real messages are as they say."""

from __future__ import annotations

import functools
import json
from typing import Any, get_args

import jsonschema_rs
import pytest

from actors.domain.messages import Message, encode_message, encode_score
from actors.domain.messages.wire import Control
from actors.domain.notices.events import Notice, NoticeEvent, notice_body
from serve_app.documents.schemas import DIALECT, MESSAGES, index, schema
from tests.golden.make import RECORD_VALUES
from tests.support.gateway import LiveClient, running_gateway
from tests.support.histories import Score, random_history
from tests.support.submissions import Sent
from tests.unit.actors.domain.messages.test_cloud_events import EVENT

BY_NAME = {message.name: message for message in MESSAGES}


def closed(schema: Any) -> Any:
    """The same, where no object has anything that is not told; clients are to ignore that, and Palio sends nothing of the kind."""
    if isinstance(schema, dict):
        inner = {name: closed(value) for name, value in schema.items()}
        return {"additionalProperties": False, **inner} if isinstance(schema.get("properties"), dict) else inner
    return [closed(each) for each in schema] if isinstance(schema, list) else schema


@functools.cache
def validator(name: str) -> Any:
    return jsonschema_rs.Draft202012Validator(closed(schema(BY_NAME[name])))


def name_of_record(value: dict[str, Any]) -> str:
    return f"{value['type'].replace('_', '-')}-record"


def name_of_live(message: dict[str, Any]) -> str:
    kinds = (message.get("type", "").replace("_", "-"), *message)
    return str(next(kind for kind in kinds if kind in BY_NAME))


@pytest.mark.parametrize("name", BY_NAME)
def test_it_is_a_schema_that_stands_by_itself(name: str) -> None:
    told = schema(BY_NAME[name])
    assert told["$schema"] == DIALECT
    jsonschema_rs.meta.validate(told)
    assert told["description"]
    text = json.dumps(told)
    assert "discriminator" not in text
    for reference in text.split('"$ref": "')[1:]:
        assert reference.partition('"')[0].removeprefix("#/$defs/") in told["$defs"]


def test_all_records_are_told() -> None:
    names = {name for name, message in BY_NAME.items() if message.of == "topic"}
    tags = {record.__struct_config__.tag.replace("_", "-") for record in get_args(Message)}
    assert names == {f"{tag}-record" for tag in tags} | {"score-record", "score-event"}
    assert [item["url"] for item in index()["schemas"]] == [f"{name}.json" for name in BY_NAME]
    assert {item["sent_by"] for item in index()["schemas"] if item["name"] == "claim-record"} == {"palio"}
    assert len(get_args(Control)) > 20


@pytest.mark.parametrize("value", RECORD_VALUES.values(), ids=list(RECORD_VALUES))
def test_golden_records_are_as_told(value: bytes) -> None:
    told = json.loads(value)
    validator(name_of_record(told)).validate(told)


def test_records_of_histories_are_as_told() -> None:
    seen = set()
    for seed in range(60):
        for step in random_history(seed, 40):
            what = step.what
            if isinstance(what, Score):
                value = encode_score(what.event_id, what.user, what.score)
            elif isinstance(what, Sent):
                value = what.value()
            else:
                value = encode_message(what)
            told = json.loads(value)
            validator(name_of_record(told)).validate(told)
            seen.add(told["type"])
    assert {"create", "score", "join", "edit", "invite", "disqualify", "reopen", "tick"} <= seen


@pytest.mark.parametrize(
    "wrong",
    [
        {"user_id": "042"},
        {"user_id": 42},
        {"score": "912.5"},
        {"score": 100_000_000},
        {"event_id": ""},
        {"result": [1]},
        {"more": 1},
        {"v": 2},
    ],
)
def test_a_wrong_score_is_refused(wrong: dict[str, Any]) -> None:
    right = {"v": 1, "type": "score", "event_id": "e", "user_id": "42", "score": 912.5}
    checker = jsonschema_rs.Draft202012Validator(schema(BY_NAME["score-record"]))
    checker.validate(right)
    assert not checker.is_valid(right | wrong)


def test_a_cloud_event_is_as_told() -> None:
    checker = jsonschema_rs.Draft202012Validator(schema(BY_NAME["score-event"]))  # it may have more attributes
    checker.validate(EVENT)
    assert not checker.is_valid(EVENT | {"specversion": "0.3"})


async def test_what_a_gateway_and_a_client_say_is_as_told() -> None:
    """A conversation with every kind of message; each is checked strictly."""
    sent: list[dict[str, Any]] = []

    class Recording(LiveClient):
        async def send(self, **message: Any) -> None:
            sent.append(message)
            await super().send(**message)

    async with running_gateway() as gateway, gateway.client() as plain:
        client = Recording(plain.socket)
        board = await gateway.tournament(players=3, ties="shared", subscore={"order": "asc"})
        hidden = await gateway.tournament(visibility="private")
        await gateway.join(hidden, 1)
        await client.ask(auth=gateway.token(1))
        await client.watch(board, me=True)
        await client.watch(hidden, since={"epoch": 1, "seq": -1})
        for event_id, score, subscore in (("a", 5, 1), ("b", 7.25, 2.5)):
            submission = {"tournament": board, "event_id": event_id, "score": score, "subscore": subscore}
            await client.ask(submit=submission)
        await client.ask(submit={"tournament": board, "event_id": "c", "score": 5.255})
        await client.until_data(board, gateway.data(board))
        await client.ask(auth=gateway.token(1, ttl_s=1))
        await client.until(lambda message: message.get("type") == "signed_out")
        await client.ask(unsubscribe=board)
        seen = client.seen
    for message in [*sent, *seen]:
        validator(name_of_live(message)).validate(message)
    told = {message.name for message in MESSAGES if message.of == "live"}
    assert {name_of_live(message) for message in [*sent, *seen]} == told - {"notice"}


@pytest.mark.parametrize("details", [{}, {"amount": "100.01"}])
@pytest.mark.parametrize("name", ["ended", "started"])
def test_notices_are_as_told(name: Any, details: dict[str, str]) -> None:
    event = NoticeEvent(event=name, tournament_id=7, name="Exam", at_ms=0, ends_ms=1, details=details)
    validator("notice").validate(notice_body(Notice(key="k", event=event, user_id=42), "Title", "Text"))
