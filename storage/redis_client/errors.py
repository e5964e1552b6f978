"""What an error of Redis means: here a new one of them is told from the others."""

from __future__ import annotations

from typing import Any, Final

from redis.exceptions import (
    AskError,
    ClusterDownError,
    NoScriptError,
    OutOfMemoryError,
    ReadOnlyError,
    ResponseError,
    TryAgainError,
)

ELSEWHERE: Final = (AskError, ClusterDownError, ReadOnlyError, TryAgainError)  # a MovedError is an AskError
ELSEWHERE_CODES: Final = ("MOVED ", "ASK ", "CLUSTERDOWN ", "TRYAGAIN ", "READONLY ", "MASTERDOWN ")


class RedisAwayError(Exception):
    """A node did not answer in time, refused us, or cannot be reached. The message names it and never holds a password."""


def is_elsewhere(answer: Any) -> bool:
    """Whether a node did nothing because the slot is another's."""
    if isinstance(answer, ELSEWHERE):
        return True
    return isinstance(answer, ResponseError) and str(answer).startswith(ELSEWHERE_CODES)


def is_out_of_memory(answer: Any) -> bool:
    """Whether a node did nothing because it may use no more memory."""
    return isinstance(answer, OutOfMemoryError)


def is_unknown_script(answer: Any) -> bool:
    """Whether a node does not know the script that was named by its hash."""
    return isinstance(answer, NoScriptError)


def describe_error(error: BaseException) -> str:
    """In a few words, also where the error says nothing itself."""
    return "no answer in time" if isinstance(error, TimeoutError) and not str(error) else str(error) or repr(error)
