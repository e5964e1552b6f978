from __future__ import annotations

from typing import Any

import pytest
from redis.crc import key_slot
from redis.exceptions import ResponseError

from storage.redis_client.topology import SLOTS, UNKNOWN, slot_map

ASKED = ("10.0.0.1", 7000)
INFO = b"cluster_state:ok\r\ncluster_current_epoch:6\r\ncluster_my_epoch:2\r\n"


def node(host: str | None, port: int) -> list[Any]:
    return [None if host is None else host.encode(), port, b"id", []]


def test_each_slot_is_its_primarys_and_replicas_are_known() -> None:
    ranges = [[0, 5460, node("a", 1), node("d", 4)], [5461, SLOTS - 1, node("b", 2), node("e", 5), node("d", 4)]]
    found = slot_map([INFO, ranges], ASKED)
    assert (found.epoch, len(found.slots)) == (6, SLOTS)
    assert [found.slots[slot] for slot in (0, 5460, 5461, SLOTS - 1)] == [("a", 1), ("a", 1), ("b", 2), ("b", 2)]
    assert found.primaries == {("a", 1), ("b", 2)}
    assert found.nodes == {("a", 1), ("b", 2), ("d", 4), ("e", 5)}
    assert found.address_of("tournament:{7}:updates") == found.slots[key_slot(b"7")]


def test_slots_that_nobody_serves_have_no_address() -> None:
    found = slot_map([INFO, [[1, 1, node("a", 1)]]], ASKED)
    assert [found.slots[slot] for slot in (0, 1, 2)] == [None, ("a", 1), None]
    assert slot_map([INFO, []], ASKED).address_of("x") is None
    assert UNKNOWN.address_of("x") is None


@pytest.mark.parametrize("host", [None, ""])
def test_a_node_that_does_not_know_its_name_is_as_we_reached_it(host: str | None) -> None:
    assert slot_map([INFO, [[0, 1, node(host, 7005)]]], ASKED).primaries == {("10.0.0.1", 7005)}


@pytest.mark.parametrize("info", [ResponseError("NOPERM"), b"", b"cluster_state:ok\r\n"])
def test_who_hides_the_epoch_counts_as_the_oldest(info: Any) -> None:
    found = slot_map([info, [[0, 1, node("a", 1)]]], ASKED)
    assert found.epoch == 0
    assert found.epoch > UNKNOWN.epoch


def test_who_does_not_tell_the_slots_is_an_error() -> None:
    with pytest.raises(ResponseError, match="cluster support disabled"):
        slot_map([INFO, ResponseError("ERR This instance has cluster support disabled")], ASKED)
