"""Signatures of control records."""

from __future__ import annotations

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.domain.errors import InvalidRecordError
from actors.domain.signing import Signer

KEYS = {"new": b"n" * 32, "old": b"o" * 32}


@given(st.binary(max_size=40), st.binary(max_size=200))
def test_what_is_signed_verifies(key: bytes, value: bytes) -> None:
    signer = Signer(KEYS, "new")
    signer.verify(key, value, signer.sign(key, value))


def test_the_signature_is_an_hmac_over_topic_key_id_key_and_value() -> None:
    parts = [b"tournament-scores", b"new", b"42", b"{}"]
    message = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
    assert Signer(KEYS, "new").sign(b"42", b"{}") == "new:" + hmac.new(b"n" * 32, message, hashlib.sha256).hexdigest()


def test_old_keys_verify_and_do_not_sign() -> None:
    old, signer = Signer(KEYS, "old"), Signer(KEYS, "new")
    signer.verify(b"1", b"v", old.sign(b"1", b"v"))
    assert signer.sign(b"1", b"v").startswith("new:")


@pytest.mark.parametrize("part", ["key", "value", "topic", "key id", "mac"])
def test_a_signature_is_for_one_record_of_one_topic(part: str) -> None:
    signer = Signer(KEYS, "new")
    key, value, signature = b"1", b"v", signer.sign(b"1", b"v")
    match part:
        case "key":
            key = b"2"
        case "value":
            value = b"w"
        case "topic":
            signer = Signer(KEYS, "new", topic="other")
        case "key id":
            signature = "old" + signature.removeprefix("new")
        case _:
            signature = signature[:-1] + ("0" if signature[-1] != "0" else "1")
    with pytest.raises(InvalidRecordError, match="unsigned"):
        signer.verify(key, value, signature)


def test_bytes_do_not_move_between_key_and_value() -> None:
    signer = Signer(KEYS, "new")
    with pytest.raises(InvalidRecordError, match="unsigned"):
        signer.verify(b"12", b"3", signer.sign(b"1", b"23"))


@pytest.mark.parametrize("signature", ["", ":", "new", "new:", "gone:00", "new:zz", "new:\u0660", ":" * 500])
def test_what_is_no_signature(signature: str) -> None:
    with pytest.raises(InvalidRecordError, match="unsigned"):
        Signer(KEYS, "new").verify(b"1", b"v", signature)


def test_the_signing_key_must_be_known() -> None:
    with pytest.raises(ValueError, match="expected the signing key 'gone' among the keys"):
        Signer(KEYS, "gone")
