"""The AsyncAPI document: valid by its authors' schema, whole, and of what is."""

from __future__ import annotations

import json
from typing import Any

import jsonschema_rs
import pytest

from cluster.config.settings import Settings
from serve_app.documents.asyncapi import VERSION, asyncapi_document
from serve_app.documents.schemas import MESSAGES
from serve_app.live.protocol import SUBPROTOCOL
from storage.score_log.kafka import record_format
from storage.score_log.kafka.config import KafkaLogConfig
from tests.support.node_packages import node_package

DOCUMENT = asyncapi_document("1.2.3", "wss://palio.example:8443/v1/live")


def test_it_is_valid() -> None:
    official = json.loads(node_package(f"@asyncapi/specs/schemas/{VERSION}.json").read_text(encoding="utf-8"))
    checker = jsonschema_rs.Draft7Validator(official)
    checker.validate(DOCUMENT)
    wrongs: list[dict[str, Any]] = [
        {"asyncapi": "2.6.0"},
        {"channels": []},
        {"operations": {"x": {"action": "publish"}}},
    ]
    for wrong in wrongs:
        assert not checker.is_valid(DOCUMENT | wrong)


def references(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
        return own + [each for inner in value.values() for each in references(inner)]
    return [each for inner in value for each in references(inner)] if isinstance(value, list) else []


def resolved(reference: str) -> Any:
    found: Any = DOCUMENT
    for name in reference.removeprefix("#/").split("/"):
        found = found[name]
    return found


def test_references_lead_somewhere() -> None:
    found = references(DOCUMENT)
    assert len(found) > 100
    for reference in found:
        assert resolved(reference), reference


def test_every_message_is_of_an_operation_of_its_channel() -> None:
    told: set[str] = set()
    for operation in DOCUMENT["operations"].values():
        channel = operation["channel"]["$ref"]
        for part in (operation, operation.get("reply", {"messages": []})):
            for message in part["messages"]:
                assert message["$ref"].startswith(f"{channel}/messages/")
                told.add(message["$ref"].rpartition("/")[2])
    assert told == {message.name for message in MESSAGES} | {"dead-letter"}


def test_it_says_where_things_are() -> None:
    live, scores, letters = (DOCUMENT["channels"][name] for name in ("live", "scores", "dead-letters"))
    assert (DOCUMENT["servers"]["gateway"]["host"], live["address"]) == ("palio.example:8443", "/v1/live")
    assert DOCUMENT["servers"]["gateway"]["protocol"] == "wss"
    assert SUBPROTOCOL in DOCUMENT["servers"]["gateway"]["description"]
    defaults = Settings.model_fields
    assert scores["address"] == defaults["kafka_topic"].default == KafkaLogConfig.topic
    assert scores["bindings"]["kafka"]["partitions"] == defaults["partitions"].default
    assert letters["address"] == f"{KafkaLogConfig.topic}-dlq"


@pytest.mark.parametrize(
    ("message", "names"),
    [
        ("join-record", {record_format.SIGNATURE, record_format.REPLY_TO}),
        (
            "dead-letter",
            {
                record_format.REASON,
                record_format.DETAIL,
                record_format.PARTITION,
                record_format.OFFSET,
                record_format.TIME_MS,
            },
        ),
    ],
)
def test_headers_are_those_of_the_records(message: str, names: set[str]) -> None:
    assert set(DOCUMENT["components"]["messages"][message]["headers"]["properties"]) == names
    assert "headers" not in DOCUMENT["components"]["messages"]["score-record"]
