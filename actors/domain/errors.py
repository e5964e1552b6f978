"""Errors of the domain: each names what was expected and what it got."""

from __future__ import annotations


class DomainError(Exception):
    """Base of all errors raised by `actors.domain`."""


class InvalidRecordError(DomainError):
    """A log record that cannot be read: it becomes a dead letter.

    `reason` is one of the dead-letter reasons: `malformed`, `unsigned`, `wrong_partition`, `too_big`, `unknown_tournament`.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class ScoreValueError(DomainError, ValueError):
    """A score that is not a DECIMAL(10,2): more than 2 decimals, not a number, or beyond +-99,999,999.99."""


class IllegalTransitionError(DomainError):
    """A command that the status forbids; the message names both."""

    def __init__(self, status: str, command: str) -> None:
        super().__init__(f"cannot {command} a tournament that is {status}")
        self.status = status
        self.command = command


class SnapshotError(DomainError):
    """A snapshot that cannot be read."""


class SnapshotDamagedError(SnapshotError):
    """The checksum does not match the bytes, or the bytes end early."""


class SnapshotVersionError(SnapshotError):
    """The snapshot was written by a newer version of Palio."""


class ResultError(DomainError, ValueError):
    """A submission that does not fit the tournament's scoring. `field` is its path within the result, empty for all of it.

    `whole`: `field` is one of the submission itself.
    """

    def __init__(self, field: str, message: str, *, whole: bool = False) -> None:
        self.field = field
        self.message = message
        self.path = field if whole else ".".join(filter(None, ("result", field)))
        super().__init__(f"{self.path}: {message}")
