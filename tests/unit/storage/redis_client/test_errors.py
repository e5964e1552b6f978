"""What Redis' errors mean, as the client parses what a node wrote."""

from __future__ import annotations

from typing import Any

import pytest
from redis.exceptions import (
    AskError,
    ClusterDownError,
    MovedError,
    NoScriptError,
    OutOfMemoryError,
    ReadOnlyError,
    ResponseError,
    TryAgainError,
)

from storage.redis_client.errors import describe_error, is_elsewhere, is_out_of_memory, is_unknown_script


@pytest.mark.parametrize(
    ("answer", "elsewhere"),
    [
        (MovedError("3999 127.0.0.1:6381"), True),
        (AskError("3999 127.0.0.1:6381"), True),
        (ClusterDownError("The cluster is down"), True),
        (TryAgainError("Multiple keys"), True),
        (ReadOnlyError("You can't write"), True),
        (ResponseError("MOVED 3999 127.0.0.1:6381"), True),
        (ResponseError("MASTERDOWN Link with MASTER is down"), True),
        (ResponseError("READONLY"), False),
        (ResponseError("ERR MOVED on"), False),
        (ResponseError("MOVEDx"), False),
        (OutOfMemoryError("OOM"), False),
        (b"MOVED 3999 127.0.0.1:6381", False),
        (None, False),
        (OSError("MOVED "), False),
    ],
)
def test_the_slot_is_anothers(answer: Any, elsewhere: bool) -> None:
    assert is_elsewhere(answer) is elsewhere


def test_other_reasons_to_do_nothing() -> None:
    assert is_out_of_memory(OutOfMemoryError("command not allowed"))
    assert not is_out_of_memory(ResponseError("x"))
    assert is_unknown_script(NoScriptError("No matching script"))
    assert not is_unknown_script(ResponseError("NOSCRIPT"))


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (TimeoutError(), "no answer in time"),
        (TimeoutError("after 3 s"), "after 3 s"),
        (ConnectionResetError(104, "reset"), "[Errno 104] reset"),
        (IndexError(), "IndexError()"),
    ],
)
def test_an_error_is_told_in_a_few_words(error: BaseException, told: str) -> None:
    assert describe_error(error) == told
