"""Rule 10: the log and the durable store must belong together. Watermarks outside the log mean another log, or a lost one."""

from __future__ import annotations

from collections.abc import Mapping

from storage.ports import LogBounds


class LogMismatchError(Exception):
    """The log is not the one that the durable state came from, or it lost records that are still needed."""


def check_log(bounds: Mapping[int, LogBounds], projected: Mapping[str, tuple[int, int]]) -> None:
    """`projected` is (partition, durable offset) of each scope, the offset -1 for none. Raises LogMismatchError.

    Needed: log start - 1 <= projected <= log end, so that reading on from there finds every record.
    """
    for scope, (partition, offset) in sorted(projected.items(), key=lambda item: item[1]):
        held = bounds[partition]
        if offset > held.last:
            raise LogMismatchError(
                f"{scope} is durable up to offset {offset}, but the log of partition {partition} ends at {held.last}: "
                "the log was replaced, or restored from an older copy"
            )
        if offset < held.start - 1:
            raise LogMismatchError(
                f"{scope} is durable up to offset {offset}, but the log of partition {partition} starts at {held.start}: "
                "records between are gone"
            )


def identity_scope(identity: str) -> str:
    """The name under which the durable store notes, among the projected offsets, which log it follows."""
    return f"log-{identity}"[:64]


def check_identity(noted: int, projected: Mapping[str, tuple[int, int]]) -> None:
    """`noted`: what is projected for `identity_scope` of the log at hand, -1 for nothing; `projected` as in `check_log`.

    Raises LogMismatchError when the store follows some log, and not this one: its offsets could fit by chance.
    """
    if noted < 0 and any(offset >= 0 for _, offset in projected.values()):
        raise LogMismatchError(
            "the durable state came from another log: this one was made anew, or is of another Palio"
        )
