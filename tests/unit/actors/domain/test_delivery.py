"""What ingest hands to owners: it arrives as it was sent, control records decoded."""

from __future__ import annotations

from typing import Any

import pytest

from actors.domain.delivery import ControlItem, Item, Range, ScoreItem, decode_ranges, encode_ranges, is_claim
from actors.domain.messages import Changes, Claim, Edit, Join, Leave, Message, Spec, Start, Tick
from tests.support.histories import create_of

CLAIM = Claim(command_id="c", scope="partition-3", owner="shard-0", instance="i")
SPEC = Spec(name="x", type="instant", duration_ms=5, capacity=2)


def sent(*items: Item) -> list[Item]:
    (arrived,) = decode_ranges(encode_ranges([Range(3, 0, -1, 9, list(items))]))
    return arrived.items


@pytest.mark.parametrize(
    "message",
    [
        create_of(SPEC),
        Join(command_id="j", user_id="5", name="Zoë", invited=True),
        Leave(command_id="l", user_id="5"),
        Start(command_id="s"),
        Edit(command_id="e", changes=Changes(capacity=7), if_version=2),
        Tick(),
        CLAIM,
    ],
)
def test_a_control_record_arrives_decoded(message: Message) -> None:
    item = ControlItem(4, 1000, 42, message, "replies:x")
    assert sent(item) == [item]


def test_scores_and_control_records_keep_their_order() -> None:
    items: list[Item] = [
        ScoreItem(1, 10, 42, 5, "e", -1250),
        ControlItem(2, 11, 0, CLAIM),
        ScoreItem(3, 12, 7, 6, "f", 1),
    ]
    assert sent(*items) == items
    assert [is_claim(item) for item in items] == [False, True, False]


@pytest.mark.parametrize("number", [2**64, -(2**63) - 1, 10**40, -(10**40), 2**64 - 1, -(2**63)])
def test_integers_of_any_size_in_metadata_arrive(number: int) -> None:
    """JSON has them, MessagePack does not: a record that cannot be sent would hold up its owner for good."""
    metadata: dict[str, Any] = {"a": [1, {"b": number}], "c": None, "d": 1.5, "e": True}
    create = create_of(Spec(name="x", type="instant", duration_ms=5, capacity=2, metadata=metadata))
    items: list[Item] = [ScoreItem(3, 10, 42, 5, "e", 100), ControlItem(4, 1000, 42, create)]
    assert sent(*items) == items
