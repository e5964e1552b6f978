"""A submission that is more than a plain score, as producers send it."""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

from actors.domain.delivery import ResultItem, ScoreItem
from actors.domain.messages import encode_submission


class Sent(NamedTuple):
    """Numbers in hundredths; a score or a result."""

    user: int
    event_id: str
    score: int | None
    subscore: int | None
    result: dict[str, Any] | None

    def value(self) -> bytes:
        """The record's value."""
        return encode_submission(self.event_id, self.user, self.score, self.subscore, self._encoded())

    def item(self, offset: int, time_ms: int, tournament: int) -> ResultItem:
        """What its owner is given."""
        return ResultItem(
            offset,
            time_ms,
            tournament,
            self.user,
            self.event_id,
            self.score or 0,
            "",
            self.subscore,
            self._encoded() or b"",
        )

    def _encoded(self) -> bytes | None:
        return None if self.result is None else msgspec.json.encode(self.result)


def sent_in(item: ScoreItem) -> Sent:
    """What was sent, by what its owner is given."""
    if not isinstance(item, ResultItem):
        return Sent(item.user_id, item.event_id, item.score, None, None)
    result = msgspec.json.decode(item.result) if item.result else None
    return Sent(item.user_id, item.event_id, None if item.result else item.score, item.subscore, result)
