from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from actors.domain.messages import MAX_VALUE_BYTES, Changes, Edit, Join, Spec, Start, decode_value
from actors.domain.publications import OutcomeReply
from actors.domain.values import partition_of
from serve_app.config import FrontConfig
from serve_app.http.problems import CODES, Problem
from serve_app.metrics import ACCEPTED
from serve_app.services.appends import Commands, new_command_id, refused
from serve_app.services.container import Services, open_services
from serve_app.services.known import Known
from storage.ports import LogUnavailableError
from tests.support.histories import create_of
from tests.support.inprocess import START_MS, InProcessPalio

KNOWN = Known(7, partition_of(7, 8), True)
SPEC = Spec(name="Exam", type="scheduled", starts_ms=START_MS + 1000, ends_ms=START_MS + 2000)


@pytest.fixture
def palio() -> InProcessPalio:
    return InProcessPalio()


@pytest.fixture
async def services(palio: InProcessPalio) -> AsyncIterator[Services]:
    config = FrontConfig(jwt_secret=b"a secret of thirty-two bytes, now", replica_id="me")
    ports = (palio.log, palio.owners, palio.records, palio.read_model, palio.updates, palio.signer)
    opened = await open_services(config, *ports, clock_ms=palio.clock_ms)
    yield opened
    await opened.close()


def join(user: int = 1) -> Join:
    return Join(command_id=f"c{user}", user_id=str(user))


async def test_a_command_is_signed_and_its_outcome_waited_for(palio: InProcessPalio, services: Services) -> None:
    """Without the tournament the fold has nothing to say: the outcome is not known in time."""
    counted = ACCEPTED.labels(entrypoint="api", kind="join")
    before = counted._value.get()
    issued = await Commands(services, "api").issue(KNOWN, "c1", join(), 0.01)
    assert (issued.command_id, issued.partition, issued.offset, issued.outcome) == ("c1", KNOWN.partition, 0, None)
    ((record,),) = palio.log.calls
    assert decode_value(record.value) == join()
    assert (record.partition, record.key, record.reply_to) == (KNOWN.partition, b"7", "replies:me")
    palio.signer.verify(record.key, record.value, record.signature)
    assert counted._value.get() == before + 1


async def test_without_a_wait_nobody_is_to_answer(palio: InProcessPalio, services: Services) -> None:
    assert (await Commands(services, "api").issue(KNOWN, "c1", join(), 0)).outcome is None
    assert palio.log.calls[0][0].reply_to == ""


async def test_what_is_read_next_is_not_of_before(
    palio: InProcessPalio, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    forgotten: list[str] = []
    monkeypatch.setattr(services.reads, "invalidate", forgotten.append)
    palio.log.error = LogUnavailableError("away")
    with pytest.raises(LogUnavailableError):
        await Commands(services, "api").issue(KNOWN, "c1", join(), 0)
    palio.log.error = None
    await Commands(services, "api").issue(KNOWN, "c1", join(), 0)
    assert forgotten == ["7"]


async def test_a_command_too_large_for_the_log_is_413(palio: InProcessPalio, services: Services) -> None:
    large = Edit(command_id="c", changes=Changes(metadata={"a": "x" * MAX_VALUE_BYTES}))
    with pytest.raises(Problem) as caught:
        await Commands(services, "api").issue(KNOWN, "c", large, 0)
    assert (caught.value.status, caught.value.code) == (413, "too_large")
    assert not palio.log.calls


def reply(reason: str, detail: str = "") -> OutcomeReply:
    return OutcomeReply(0, 0, "edit", "refused", reason, detail)


@pytest.mark.parametrize(
    ("given", "status", "code", "detail"),
    [
        (reply("tournament_full", "full"), 409, "tournament_full", "full"),
        (reply("version_mismatch"), 412, "version_mismatch", "the edit was refused: version_mismatch"),
        (reply("of_a_later_version", "x"), 409, "refused", "x"),
        (reply(""), 409, "refused", "the edit was refused: "),
        (reply("invalid", "ends_at: expected an end: later"), 422, "invalid", "ends_at: expected an end: later"),
    ],
)
def test_a_refusal_is_a_problem_by_its_reason(given: OutcomeReply, status: int, code: str, detail: str) -> None:
    problem = refused(given)
    assert (problem.status, problem.code, problem.detail) == (status, code, detail)
    assert code in CODES


def test_a_wrong_field_is_named() -> None:
    assert [(e.path, e.message) for e in refused(reply("invalid", "ends_at: later")).errors] == [("ends_at", "later")]


async def test_a_refused_command_raises(palio: InProcessPalio, services: Services) -> None:
    commands = Commands(services, "api")
    await commands.issue(KNOWN, "c", create_of(SPEC), 1)
    await commands.issue(KNOWN, "c1", join(), 1)
    issued = await commands.issue(KNOWN, "s", Start(command_id="s"), 1)
    assert issued.outcome is not None
    assert (issued.outcome.outcome, issued.outcome.status) == ("applied", "running")
    with pytest.raises(Problem) as caught:
        await commands.issue(KNOWN, "s", Start(command_id="t"), 1)
    assert (caught.value.status, caught.value.code) == (409, "not_scheduled")


def test_command_ids_differ_and_fit_a_record() -> None:
    ids = {new_command_id() for _ in range(100)}
    assert len(ids) == 100
    assert {len(each) for each in ids} == {32}
