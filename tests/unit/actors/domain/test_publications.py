from __future__ import annotations

import json

import msgspec
import pytest

from actors.domain.publications import (
    MAX_CHANGED,
    OutcomeReply,
    ReplaceValue,
    changed_channel,
    decode_changed,
    decode_outcomes,
    encode_changed,
    encode_outcomes,
    encode_patch,
    frame_position,
    replies_channel,
    snapshot_frame,
    tournament_of,
    update_frame,
    updates_channel,
)

LARGEST = 2**63 - 1


def test_channels_of_a_tournament_share_a_slot_of_a_redis_cluster() -> None:
    assert updates_channel(7) == "tournament:{7}:updates"
    assert changed_channel(7) == "tournament:{7}:changed"
    assert replies_channel("gateway-1") == "replies:gateway-1"


def test_the_channel_of_updates_names_its_tournament() -> None:
    assert tournament_of(updates_channel(LARGEST)) == LARGEST
    others = [changed_channel(7), replies_channel("{7}:updates"), "tournament:{x}:updates", "tournament:{}:updates", ""]
    assert [tournament_of(channel) for channel in [*others, "tournament:{" + "9" * 20 + "}:updates"]] == [None] * 6


def test_frames_are_json_with_the_position() -> None:
    patch = encode_patch([ReplaceValue("/status", "finished")])
    update = update_frame(LARGEST, 5, 9, patch)
    assert json.loads(update) == {
        "tournament": str(LARGEST),
        "type": "update",
        "epoch": 5,
        "seq": 9,
        "patch": [{"op": "replace", "path": "/status", "value": "finished"}],
    }
    snapshot = snapshot_frame(7, 0, 0, b'{"top":[]}')
    assert json.loads(snapshot) == {"tournament": "7", "type": "snapshot", "epoch": 0, "seq": 0, "data": {"top": []}}
    assert (frame_position(update), frame_position(snapshot)) == ((5, 9), (0, 0))


@pytest.mark.parametrize("frame", [b"", b"{}", b"[]", b'{"epoch":"1","seq":2}', b'{"epoch":1', b"\xff"])
def test_what_is_no_frame_is_an_error(frame: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        frame_position(frame)


def test_who_changed_is_told_up_to_a_bound() -> None:
    assert encode_changed([1, LARGEST]) == (1).to_bytes(8, "little") + LARGEST.to_bytes(8, "little")
    some = set(range(1, MAX_CHANGED + 1))
    assert decode_changed(encode_changed(some)) == some
    assert decode_changed(encode_changed([*some, LARGEST])) is None
    assert decode_changed(encode_changed(iter((5, 5)))) == {5}


def test_outcomes_come_back() -> None:
    least = OutcomeReply(3, 10, "score", "ignored", "ended")
    whole = OutcomeReply(3, 11, "join", "applied", "", "\u00fc", True, -150, 1, 2, "running", 4)
    assert decode_outcomes(encode_outcomes([least, whole])) == [least, whole]
    assert decode_outcomes(encode_outcomes([])) == []


def test_outcomes_of_an_earlier_version_are_read() -> None:
    """Owners and entrypoints are replaced one after the other; fields are only ever added at the end."""
    assert decode_outcomes(msgspec.msgpack.encode([[3, 10, "score", "applied"]])) == [
        OutcomeReply(3, 10, "score", "applied")
    ]
    reply = OutcomeReply(3, 10, "score", "applied")
    later = [*msgspec.structs.astuple(reply), "of a later version"]
    assert decode_outcomes(msgspec.msgpack.encode([later])) == [reply]


@pytest.mark.parametrize("payload", [b"", b"\xc1", b"\x91", msgspec.msgpack.encode([[1, 2, 3, 4]]), b"{}"])
def test_what_are_no_outcomes_is_an_error(payload: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        decode_outcomes(payload)
