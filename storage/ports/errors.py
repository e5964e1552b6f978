"""Errors that ports raise; implementations translate their libraries' errors into these."""

from __future__ import annotations


class StorageError(Exception):
    """Base of all errors of the ports."""


class StorageVersionError(StorageError):
    """The stored data was written by a newer version of Palio; nothing was touched."""


class LogError(StorageError):
    """Base of the score log's errors."""


class LogUnavailableError(LogError):
    """The log did not take or give records within the deadline; whether an append took place is unknown."""

    def __init__(self, message: str, retry_after_s: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class LogOverloadedError(LogUnavailableError):
    """The bounded queue of appends is full; nothing of this call was appended."""


class LogDiskFullError(LogUnavailableError):
    """The disk under the log is full; nothing of this call was appended."""


class LogBehindError(LogUnavailableError):
    """What is in the log is not applied, and its retention is near; nothing of this call was appended."""


class LogTruncatedError(LogError):
    """Records after the asked-for offset are gone: the log starts later than a watermark."""


class LogConfigurationError(LogError):
    """The log is set up otherwise than is needed here, or is another one; the message says what was expected and what was found."""


class RecordsUnavailableError(StorageError):
    """The durable store, or the part of it that was asked for, did not answer, or its disk is full; the transaction was not made."""


class ArchiveUnavailableError(StorageError):
    """The place of the archive's files did not answer, or refused; a file that was to be written is as it was, or new."""


class ReadModelUnavailableError(StorageError):
    """The read model did not answer. `failed` names the tournaments of a write that may not have been written."""

    def __init__(self, message: str, failed: frozenset[int] = frozenset()) -> None:
        super().__init__(message)
        self.failed = failed


class ReadModelFullError(ReadModelUnavailableError):
    """The read model has no memory left: nothing of `failed` was written, reads go on."""
