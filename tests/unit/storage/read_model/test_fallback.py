from __future__ import annotations

from typing import Any

import pytest

from storage.ports import (
    Query,
    ReadModelUnavailableError,
    RecordsUnavailableError,
    Reply,
    ViewQuery,
)
from storage.read_model.fallback import FallbackReadModel


class Model:
    """Answers `answer`, or raises it."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.asked: list[str] = []

    def _say(self, call: str) -> Any:
        self.asked.append(call)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    async def read(self, tournament_id: int, query: Query[Any]) -> Any:
        return self._say("read")

    async def close(self) -> None:
        self.asked.append("close")


ONE, OTHER = Reply(found=True, body=b"one"), Reply(found=True, body=b"other")
AWAY = ReadModelUnavailableError("away")


@pytest.mark.parametrize(
    ("first", "answer", "asked"),
    [(ONE, ONE, []), (Reply(found=False), Reply(found=False), []), (None, OTHER, ["read"]), (AWAY, OTHER, ["read"])],
)
async def test_the_second_is_asked_where_the_first_has_no_answer(first: Any, answer: Reply, asked: list[str]) -> None:
    second = Model(OTHER)
    model = FallbackReadModel(Model(first), second)
    assert await model.read(7, ViewQuery()) == answer
    assert second.asked == asked


async def test_an_error_of_the_second_is_the_answer() -> None:
    model = FallbackReadModel(Model(AWAY), Model(RecordsUnavailableError("gone")))
    with pytest.raises(RecordsUnavailableError, match="gone"):
        await model.read(7, ViewQuery())
    assert await FallbackReadModel(Model(None), Model(None)).read(7, ViewQuery()) is None


async def test_both_are_closed() -> None:
    first, second = Model(None), Model(None)
    await FallbackReadModel(first, second).close()
    assert (first.asked, second.asked) == (["close"], ["close"])
