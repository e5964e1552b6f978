"""Events and notices: what they are and say."""

from __future__ import annotations

from actors.domain.notices.events import Notice, NoticeEvent, decode_event, encode_event, notice_body, notice_key

EVENT = NoticeEvent(event="ended", tournament_id=5, name="Spring", at_ms=1_790_000_000_000, details={"a": "b"})
STARTED = NoticeEvent(event="started", tournament_id=5, name="Spring", at_ms=1)


def test_an_event_comes_back() -> None:
    assert decode_event(encode_event(EVENT)) == EVENT


def test_what_programs_get() -> None:
    notice = Notice(key=notice_key(5, "ended-12-0", 7), event=EVENT, user_id=7, rank=2, score=9.5)
    assert notice_body(notice, "Title", "Text") == {
        "type": "notice", "key": "5.ended-12-0.7", "event": "ended", "tournament": "5", "name": "Spring", "user_id": "7",
        "at": "2026-09-21T14:13:20.000Z", "starts_at": None, "ends_at": None, "rank": 2, "score": 9.5,
        "details": {"a": "b"}, "title": "Title", "text": "Text",
    }  # fmt: skip
    assert "rank" not in notice_body(Notice(key="k", event=STARTED, user_id=7), "", "")
