"""Control records: signed, appended, waited for; and what a refusal is to the client."""

from __future__ import annotations

import uuid
from typing import NamedTuple

from actors.domain.messages import MAX_VALUE_BYTES, Control, encode_message
from actors.domain.publications import OutcomeReply
from serve_app.http.problems import CODES, Problem, invalid
from serve_app.metrics import ACCEPTED
from serve_app.services.container import Services
from serve_app.services.known import Known
from storage.ports import NewRecord


class Issued(NamedTuple):
    """A command in the log; `outcome` None: not decided within the wait."""

    command_id: str
    partition: int
    offset: int
    outcome: OutcomeReply | None


class Commands:
    """Appends control records for one entrypoint."""

    def __init__(self, services: Services, entrypoint: str) -> None:
        self._services = services
        self._entrypoint = entrypoint

    async def issue(self, known: Known, command_id: str, message: Control, wait_s: float) -> Issued:
        """Append a command and wait for its outcome. Raises Problem for a refused one, and the log's errors."""
        services = self._services
        value = encode_message(message)
        if len(value) > MAX_VALUE_BYTES:
            raise Problem(413, "too_large", f"expected a record of at most {MAX_VALUE_BYTES} bytes, got {len(value)}")
        reply_to = services.waiters.reply_to(wait_s)
        signature = services.signer.sign(known.key, value)
        record = NewRecord(known.partition, known.key, value, signature, reply_to)
        offset = (await services.appends.submit([record], services.config.append_timeout_s))[0]
        ACCEPTED.labels(entrypoint=self._entrypoint, kind=str(message.__struct_config__.tag)).inc()
        outcome = await services.waiters.wait(known.partition, offset, wait_s) if reply_to else None
        services.reads.invalidate(known.text)
        if outcome is not None and outcome.outcome == "refused":
            raise refused(outcome)
        return Issued(command_id, known.partition, offset, outcome)


def refused(outcome: OutcomeReply) -> Problem:
    """The problem of a refused command: the fold's reason is the code. What makes a field wrong comes as `field: what was expected`."""
    code = outcome.reason if outcome.reason in CODES else "refused"
    if code == "invalid":
        return invalid(*outcome.detail.split(": ", 1))
    return Problem(0, code, outcome.detail or f"the {outcome.kind} was refused: {outcome.reason}")


def new_command_id() -> str:
    """A command id: 128 random bits in hex."""
    return uuid.uuid4().hex
