from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from actors.domain.messages import MAX_VALUE_BYTES, Cancel, Join, decode_value
from actors.domain.publications import OutcomeReply
from serve_app.config import FrontConfig
from serve_app.http.problems import Problem
from serve_app.services.commands import Commands, Issued, refused
from serve_app.services.known import Known
from serve_app.services.outcome_waiters import Waiters
from serve_app.services.reads import Reads
from serve_app.services.retention import Appends
from storage.ports import Query, Reply
from tests.support.inprocess import InProcessPalio

COMMAND_WAIT_S = 0.05


@pytest.fixture
def palio() -> InProcessPalio:
    palio = InProcessPalio()
    palio.applying = False
    return palio


@pytest.fixture
async def commands(palio: InProcessPalio) -> AsyncIterator[Commands]:
    config = FrontConfig(command_wait_s=COMMAND_WAIT_S)
    waiters = Waiters(palio.updates, "me", 4)
    await waiters.open()
    reads = Reads(config, palio.owners, palio.records, palio.read_model, palio.partitions)
    yield Commands(Appends(palio.log), waiters, palio.signer, reads, config, "api")
    await reads.close()
    await waiters.close()


@pytest.fixture
def known(commands: Commands) -> Known:
    return commands.reads.fresh(7, public=True)


def reply(known: Known, outcome: str, reason: str = "", detail: str = "") -> OutcomeReply:
    return OutcomeReply(known.partition, 0, "cancel", outcome, reason=reason, detail=detail)


async def test_a_command_is_signed_appended_and_waited_for(
    commands: Commands, palio: InProcessPalio, known: Known
) -> None:
    commands.waiters.settle([reply(known, "applied")])  # may come before its offset
    issued = await commands.issue(known, Cancel(command_id="c"), {})
    assert issued == Issued("c", known.partition, 0, reply(known, "applied"))
    record = palio.log.calls[0][0]
    palio.signer.verify(record.key, record.value, record.signature)
    assert (record.partition, record.key, record.reply_to) == (known.partition, b"7", "replies:me")
    assert decode_value(record.value) == Cancel(command_id="c")


@pytest.mark.parametrize(("headers", "reply_to"), [({}, "replies:me"), ({"prefer": "wait=0"}, "")])
async def test_it_is_undecided_once_the_wait_is_over(
    commands: Commands, palio: InProcessPalio, known: Known, headers: dict[str, str], reply_to: str
) -> None:
    issued = await commands.issue(known, Cancel(command_id="c"), headers)
    assert issued == Issued("c", known.partition, 0, None)
    assert palio.log.calls[0][0].reply_to == reply_to


async def test_a_refused_one_is_a_problem_with_the_folds_reason(commands: Commands, known: Known) -> None:
    commands.waiters.settle([reply(known, "refused", "already_over", "it has ended")])
    with pytest.raises(Problem) as raised:
        await commands.issue(known, Cancel(command_id="c"), {})
    assert (raised.value.status, raised.value.code, raised.value.detail) == (409, "already_over", "it has ended")


def test_what_a_refusal_is_to_clients(known: Known) -> None:
    wrong = refused(reply(known, "refused", "invalid", "ends_at: expected a time after the start"))
    assert (wrong.status, [error.path for error in wrong.errors]) == (422, ["ends_at"])
    unheard = refused(reply(known, "refused", "of a later version"))
    assert (unheard.status, unheard.code) == (409, "refused")


async def test_what_was_kept_of_the_tournament_is_forgotten(
    commands: Commands, palio: InProcessPalio, known: Known
) -> None:
    asked: list[int] = []

    async def read(tournament_id: int, query: Query[Reply]) -> Reply:
        asked.append(tournament_id)
        return Reply(found=True, body=b"{}", public=True)

    palio.owners.read = read  # type: ignore[method-assign]
    for _ in range(2):
        await commands.reads.view(known)
    assert asked == [7]
    await commands.issue(known, Cancel(command_id="c"), {"prefer": "wait=0"})
    await commands.reads.view(known)
    assert asked == [7, 7]


async def test_a_record_that_is_too_large_is_413(commands: Commands, palio: InProcessPalio, known: Known) -> None:
    with pytest.raises(Problem) as raised:
        await commands.issue(known, Join(command_id="c", user_id="1", name="x" * MAX_VALUE_BYTES), {})
    assert raised.value.status == 413
    assert palio.log.calls == []
