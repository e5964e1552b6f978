"""Control records: signed, appended, waited for; and what a refusal is to the client."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from actors.domain.messages import MAX_VALUE_BYTES, Control, encode_message
from actors.domain.publications import OutcomeReply
from actors.domain.signing import Signer
from serve_app.config import FrontConfig
from serve_app.http.headers import preferred_wait_s
from serve_app.http.problems import CODES, Problem, invalid
from serve_app.metrics import ACCEPTED
from serve_app.services.known import Known
from serve_app.services.outcome_waiters import Waiters
from serve_app.services.reads import Reads
from serve_app.services.retention import Appends
from storage.ports import NewRecord

AT_ONCE: Final = 500  # records of one append


class Issued(NamedTuple):
    """A command in the log; `outcome` None: not decided within the wait."""

    command_id: str
    partition: int
    offset: int
    outcome: OutcomeReply | None


@dataclass(frozen=True, slots=True)
class Commands:
    """Appends control records for one entrypoint, `api` or `gateway`."""

    appends: Appends
    waiters: Waiters
    signer: Signer
    reads: Reads
    config: FrontConfig
    entrypoint: str

    async def issue(self, known: Known, message: Control, headers: Mapping[str, str]) -> Issued:
        """Append a command and wait for its outcome, as long as the headers prefer. Raises Problem for a refused one, the log's errors."""
        (issued,) = await self.issue_each([(known, message)], headers)
        if isinstance(issued, Problem):
            raise issued
        return issued

    async def issue_each(
        self, commands: Sequence[tuple[Known, Control]], headers: Mapping[str, str]
    ) -> list[Issued | Problem]:
        """As `issue` of many: one append, one wait for them all; a Problem in the place of each that was refused. Raises the log's errors."""
        wait_s = preferred_wait_s(headers, self.config.command_wait_s, self.config.max_wait_s)
        answers: list[Issued | Problem | None] = [None] * len(commands)
        records: dict[int, NewRecord] = {}
        for index, (known, message) in enumerate(commands):
            value = encode_message(message)
            if len(value) > MAX_VALUE_BYTES:
                detail = f"expected a record of at most {MAX_VALUE_BYTES} bytes, got {len(value)}"
                answers[index] = Problem(413, "too_large", detail)
                continue
            signature = self.signer.sign(known.key, value)
            records[index] = NewRecord(known.partition, known.key, value, signature, self.waiters.reply_to(wait_s))
        offsets = await self.appends.submit(list(records.values()), self.config.append_timeout_s) if records else []

        async def decided(index: int, record: NewRecord, offset: int) -> None:
            known, message = commands[index]
            ACCEPTED.labels(entrypoint=self.entrypoint, kind=str(message.__struct_config__.tag)).inc()
            outcome = await self.waiters.wait(known.partition, offset, wait_s) if record.reply_to else None
            self.reads.invalidate(known.text)
            if outcome is not None and outcome.outcome == "refused":
                answers[index] = refused(outcome)
            else:
                answers[index] = Issued(message.command_id, known.partition, offset, outcome)

        await asyncio.gather(
            *(decided(index, record, offset) for (index, record), offset in zip(records.items(), offsets, strict=True))
        )
        return [answer for answer in answers if answer is not None]

    async def issue_to(self, tournament_ids: Sequence[int], make: Callable[[], Control]) -> None:
        """Append a command for each of several tournaments and wait for no outcome. Raises the log's errors; to repeat does no harm."""
        for first in range(0, len(tournament_ids), AT_ONCE):
            records = []
            for tournament_id in tournament_ids[first : first + AT_ONCE]:
                known, value = self.reads.fresh(tournament_id, public=None), encode_message(make())
                records.append(NewRecord(known.partition, known.key, value, self.signer.sign(known.key, value)))
                self.reads.invalidate(known.text)
            await self.appends.submit(records, self.config.append_timeout_s)


def refused(outcome: OutcomeReply) -> Problem:
    """The problem of a refused command: the fold's reason is the code. What makes a field wrong comes as `field: what was expected`."""
    code = outcome.reason if outcome.reason in CODES else "refused"
    if code == "invalid":
        return invalid(*outcome.detail.split(": ", 1))
    return Problem(0, code, outcome.detail or f"the {outcome.kind} was refused: {outcome.reason}")


def new_command_id() -> str:
    """A command id: 128 random bits in hex."""
    return uuid.uuid4().hex
