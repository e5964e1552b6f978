"""Our packed requests and responses against those that aiokafka encodes field by field."""

from __future__ import annotations

import uuid
from io import BytesIO
from typing import Any

import pytest
from aiokafka.protocol.fetch import FetchRequest_v11, FetchResponse_v11
from aiokafka.protocol.produce import ProduceRequest_v7, ProduceResponse_v7

from storage.score_log.kafka import protocol
from storage.score_log.kafka.protocol import (
    NO_ID,
    Fetched,
    FetchRequest,
    Produced,
    ProduceRequest,
    TopicRequest,
    TopicState,
    topic_states,
)

TOPIC = "sc\u00f6res"


def encoded(request: Any, structure: Any) -> bytes:
    raw: bytes = request.build(structure).encode()
    return raw


@pytest.mark.parametrize(
    "batches",
    [{}, {TOPIC: [(0, b"abc")]}, {TOPIC: [(7, b"abc"), (2**31 - 1, b"")], "dlq": [(0, b"x" * 300)]}],
)
def test_a_produce_request_is_encoded_as_aiokafka_does(batches: dict[str, list[tuple[int, bytes]]]) -> None:
    theirs = ProduceRequest_v7(None, -1, 1500, list(batches.items())).encode()
    assert encoded(ProduceRequest(batches, 1500), protocol._Produce) == theirs


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (protocol._Produce, ProduceRequest_v7),
        (protocol._ProduceResponse, ProduceResponse_v7),
        (protocol._Fetch, FetchRequest_v11),
        (protocol._FetchResponse, FetchResponse_v11),
    ],
)
def test_brokers_are_told_the_version_in_which_it_is_encoded(ours: Any, theirs: Any) -> None:
    assert (ours.API_KEY, ours.API_VERSION) == (theirs.API_KEY, theirs.API_VERSION)


def test_ids_of_topics_are_told_from_version_12_of_metadata_on() -> None:
    for ours in (protocol._TopicRequest, protocol._TopicResponse):
        assert (ours.API_KEY, ours.API_VERSION) == (3, 12)
    assert protocol._TopicRequest.FLEXIBLE_VERSION


def test_a_fetch_request_is_encoded_as_aiokafka_does() -> None:
    parts = [(3, -1, 2**40, -1, 4096), (4, -1, 0, -1, 4096)]
    theirs = FetchRequest_v11(-1, 250, 1, 2**20, 0, 0, -1, [(TOPIC, parts)], [], "").encode()
    assert encoded(FetchRequest(TOPIC, {3: 2**40, 4: 0}, 250, 2**20, 4096), protocol._Fetch) == theirs


def test_a_produce_response_is_read() -> None:
    topics = [(TOPIC, [(3, 0, 2**40, -1, 5), (4, 6, -1, -1, -1)]), ("dlq", [(0, 0, 9, 1, 0)]), ("empty", [])]
    response = protocol._ProduceResponse.decode(BytesIO(ProduceResponse_v7(topics, 100).encode()))
    assert response.parts == [Produced(TOPIC, 3, 0, 2**40), Produced(TOPIC, 4, 6, -1), Produced("dlq", 0, 0, 9)]


@pytest.mark.parametrize("aborted", [[], None, [(1, 2), (3, 4)]])
def test_a_fetch_response_is_read(aborted: list[tuple[int, int]] | None) -> None:
    parts = [
        (3, 0, 100, 100, 0, aborted, -1, b"records"),
        (4, 1, -1, -1, -1, aborted, -1, None),
        (5, 0, 7, 7, 0, aborted, 2, b""),
        (6, 0, 7, 7, 0, aborted, 2, b"more"),
    ]
    theirs = FetchResponse_v11(0, 74, 0, [(TOPIC, parts)]).encode()
    response = protocol._FetchResponse.decode(BytesIO(theirs))
    assert response.error_code == 74
    assert response.parts == [Fetched(3, 0, b"records"), Fetched(4, 1, b""), Fetched(5, 0, b""), Fetched(6, 0, b"more")]


def test_topics_are_asked_for_by_name_and_not_made() -> None:
    raw = encoded(TopicRequest(["a", TOPIC]), protocol._TopicRequest)
    name = TOPIC.encode()
    topics = b"".join(NO_ID.bytes + bytes([len(each) + 1]) + each + b"\x00" for each in (b"a", name))
    assert raw == b"\x03" + topics + b"\x00" + b"\x00" + b"\x00"  # compact: lengths and counts are one more


def test_what_is_said_of_topics_is_read() -> None:
    topic_id = uuid.UUID("5a" * 16)
    parts: list[Any] = [
        (0, 0, 1, 7, [1, 2, 3], [1, 2], [3], {}),
        (0, 1, 2, 7, [2, 3, 1], [2, 3, 1], [], {}),
    ]
    topics: list[Any] = [
        (0, TOPIC, topic_id, False, parts, -(2**31), {}),
        (3, "missing", NO_ID, False, [], -(2**31), {}),
    ]
    brokers: list[Any] = [(1, "a.example", 9092, None, {})]
    raw = protocol._TopicResponse(0, brokers, "cluster", 1, topics, {}).encode()
    states = topic_states(protocol._TopicResponse.decode(BytesIO(raw)))
    assert states == {
        TOPIC: TopicState(0, topic_id, 2, [3, 3], [2, 3]),
        "missing": TopicState(3, NO_ID, 0, [], []),
    }
