"""What each error of Redis is taken for."""

from __future__ import annotations

import pytest
from redis.exceptions import (
    AskError,
    BusyLoadingError,
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
    ("answer", "meaning"),
    [
        (MovedError("5460 127.0.0.1:1"), "elsewhere"),
        (AskError("5460 127.0.0.1:1"), "elsewhere"),
        (ClusterDownError("The cluster is down"), "elsewhere"),
        (TryAgainError("Multiple keys request during rehashing of slot"), "elsewhere"),
        (ReadOnlyError("You can't write against a read only replica."), "elsewhere"),
        (ResponseError("MOVED 5460 127.0.0.1:1"), "elsewhere"),  # as it comes from within a script
        (ResponseError("MASTERDOWN Link with MASTER is down"), "elsewhere"),
        (OutOfMemoryError("command not allowed when used memory > 'maxmemory'."), "out of memory"),
        (NoScriptError("No matching script."), "unknown script"),
        (BusyLoadingError("Redis is loading the dataset in memory"), "another"),
        (ResponseError("ERR unknown command"), "another"),
        (b"OK", "another"),
    ],
)
def test_each_has_one_meaning(answer: object, meaning: str) -> None:
    found = {
        "elsewhere": is_elsewhere(answer),
        "out of memory": is_out_of_memory(answer),
        "unknown script": is_unknown_script(answer),
    }
    assert [name for name, holds in found.items() if holds] == ([] if meaning == "another" else [meaning])


def test_an_error_that_says_nothing_is_described() -> None:
    assert describe_error(TimeoutError()) == "no answer in time"
    assert describe_error(OSError("refused")) == "refused"
    assert describe_error(ConnectionResetError()) == "ConnectionResetError()"
