"""Invites: read back as made, and nothing else passes for one."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.domain.messages import MAX_USES
from actors.domain.notices.events import Notice, NoticeEvent
from actors.domain.signing import Signer
from actors.domain.values import LATEST_MS, MAX_ID
from serve_app.security.invites import MAX_INVITE_CHARS, Invite, make_invite, read_invite, with_invite

SIGNER = Signer({"k1": b"records" * 6}, "k1")
INVITE = make_invite(SIGNER, Invite(7, "abc", 0, 5000))


def test_it_is_read_back_until_its_end() -> None:
    assert read_invite(SIGNER, INVITE, "7", 42, 4999) == "abc"
    assert read_invite(SIGNER, INVITE, "7", 42, 5000) is None
    assert read_invite(SIGNER, INVITE, "8", 42, 0) is None


def test_one_for_a_user_is_for_nobody_else() -> None:
    text = make_invite(SIGNER, Invite(7, "abc", 42, None))
    assert read_invite(SIGNER, text, "7", 42, LATEST_MS) == "abc"
    assert read_invite(SIGNER, text, "7", 43, 0) is None


def test_the_notice_of_an_invitation_has_an_invite_for_its_user() -> None:
    event = NoticeEvent(
        event="invited", tournament_id=7, name="Cup", at_ms=1, user_id=42, details={"invitation": "abc"}
    )
    told = with_invite(SIGNER, Notice(key="k", event=event, user_id=42)).event.details
    assert list(told) == ["invite"]
    assert read_invite(SIGNER, told["invite"], "7", 42, LATEST_MS) == "abc"
    assert read_invite(SIGNER, told["invite"], "7", 43, 0) is None
    ended = Notice(key="k", event=NoticeEvent(event="ended", tournament_id=7, name="Cup", at_ms=1), user_id=42)
    assert with_invite(SIGNER, ended) is ended


def test_an_older_key_verifies_on() -> None:
    both = Signer({"k1": b"records" * 6, "k2": b"anew" * 9}, "k2")
    assert read_invite(both, INVITE, "7", 42, 0) == "abc"
    assert read_invite(Signer({"k2": b"anew" * 9}, "k2"), INVITE, "7", 42, 0) is None


def test_a_records_signature_makes_no_invite() -> None:
    payload = base64.urlsafe_b64decode(INVITE.partition(".")[0] + "==")
    forged = f"{INVITE.partition('.')[0]}.{SIGNER.sign(b'7', payload)}"
    assert read_invite(SIGNER, forged, "7", 42, 0) is None


def test_the_longest_is_within_the_limit() -> None:
    longest = Invite(MAX_ID, "f" * 64, MAX_ID, LATEST_MS)
    assert len(make_invite(SIGNER, longest)) < MAX_INVITE_CHARS
    assert MAX_USES < MAX_ID


@pytest.mark.parametrize("text", ["", ".", "x", "W10.k1:00", INVITE[:-1], INVITE + "0", INVITE.replace(".", "")])
def test_what_is_no_invite_is_none(text: str) -> None:
    assert read_invite(SIGNER, text, "7", 42, 0) is None


@given(st.text(max_size=200) | st.integers(0, len(INVITE) - 1).map(lambda at: INVITE[:at] + "A" + INVITE[at + 1 :]))
def test_nothing_else_passes(text: str) -> None:
    assert text == INVITE or read_invite(SIGNER, text, "7", 42, 0) is None
