from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator

import pytest

from scripts.cli.run import SAME_REQUEST_S, Stop, main


@pytest.fixture
def ended(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Exit statuses with which the process would have ended at once; the handlers are put back."""
    statuses: list[int] = []
    monkeypatch.setattr(os, "_exit", statuses.append)
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield statuses
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_asks_to_stop_and_a_later_one_stops(
    ended: list[int], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], number: signal.Signals
) -> None:
    now_s = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now_s)
    stop = Stop()
    stop.install()
    assert not stop.asked.is_set()
    signal.raise_signal(number)
    assert stop.asked.is_set()
    now_s += SAME_REQUEST_S  # the echo of a supervisor or a terminal
    signal.raise_signal(signal.SIGTERM)
    assert ended == []
    now_s += 0.1
    signal.raise_signal(number)
    assert ended == [0]
    assert "stopping at once" in capfd.readouterr().err


@pytest.mark.parametrize("arguments", [["--port", "http"], ["--servers", "x"], ["--no-dem"], ["more"], ["--data"]])
def test_what_is_misused_is_told_and_is_2(
    ended: list[int], capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "usage: scripts/run" in capsys.readouterr().err


def test_settings_that_cannot_be_are_one_line_and_1(
    ended: list[int], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PALIO_PLAYER_RATE", "none")
    assert main(["--no-demo"]) == 1
    told = capsys.readouterr().err
    assert told.startswith("palio: PALIO_PLAYER_RATE: expected number")
    assert told.count("\n") == 1
