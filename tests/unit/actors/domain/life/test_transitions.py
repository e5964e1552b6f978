"""The life of a tournament, whole."""

from __future__ import annotations

from itertools import product

import pytest

from actors.domain.errors import IllegalTransitionError
from actors.domain.life.transitions import REFUSAL, TRANSITIONS, next_status

STATUSES = ("scheduled", "running", "finished", "cancelled")
COMMANDS = ("start", "end", "cancel", "abandon", "reopen", "restore")
LEGAL = {
    "scheduled": {"start": "running", "cancel": "cancelled", "abandon": "cancelled"},
    "running": {"end": "finished", "cancel": "cancelled"},
    "finished": {"reopen": "running"},
    "cancelled": {"reopen": "running", "restore": "scheduled"},
}


@pytest.mark.parametrize(("status", "command"), list(product(STATUSES, COMMANDS)))
def test_every_pair(status: str, command: str) -> None:
    wanted = LEGAL[status].get(command)
    if wanted is not None:
        assert next_status(status, command) == wanted  # type: ignore[arg-type]
        return
    with pytest.raises(IllegalTransitionError, match=f"cannot {command} a tournament that is {status}"):
        next_status(status, command)  # type: ignore[arg-type]


def test_nothing_leads_out_of_the_end_and_everything_is_reached() -> None:
    undo = {"reopen", "restore"}
    assert {status for status, command in TRANSITIONS if command not in undo} == {"scheduled", "running"}
    assert {status for status, command in TRANSITIONS if command in undo} == {"finished", "cancelled"}
    assert set(TRANSITIONS.values()) == {"scheduled", "running", "finished", "cancelled"}


def test_every_command_has_its_refusal() -> None:
    assert REFUSAL.keys() == set(COMMANDS)
