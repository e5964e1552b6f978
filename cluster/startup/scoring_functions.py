"""Scoring functions of whoever runs this Palio: entry points of the group `palio.scoring`, found by name and tested for determinism.

A function (docs/scoring.md) brings `samples`: results with options to try it with. Each is called several times, on copies, then in two fresh
interpreters whose hash seed, time zone and locale differ; all answers must be the same, and none may take long.

One that does not return within a time, and takes no further steps either (`actors.domain.scoring.custom`), ends its process, which says
where it was.
"""

from __future__ import annotations

import copy
import faulthandler
import functools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Final

from actors.domain.errors import ResultError
from actors.domain.scoring.custom import Function, Number, call, register
from cluster.errors import StartError

GROUP: Final = "palio.scoring"
TIMES: Final = 3
MAX_SAMPLES: Final = 1000  # of one function
CHECK_TIMEOUT_S: Final = 60.0  # of a fresh interpreter: its imports, and all samples of all functions
SLOWEST_S: Final = 1.0  # that a sample may take: while it is scored its owner does nothing else
LONGEST_S: Final = 30.0  # that a result may take; then the process ends
SURROUNDINGS: Final = (
    {"PYTHONHASHSEED": "1", "TZ": "Pacific/Kiritimati", "LC_ALL": "C"},
    {"PYTHONHASHSEED": "2", "TZ": "America/St_Johns", "LC_ALL": "C.UTF-8"},
)
Answers = dict[str, list[Any]]


def load_functions() -> dict[str, Function]:
    """All that are installed, by name. Raises StartError for one that cannot be loaded, or whose name there is twice."""
    found: dict[str, Function] = {}
    for point in entry_points(group=GROUP):
        if point.name in found:
            raise StartError(f"scoring function {point.name}: two packages have one of this name")
        found[point.name] = _watched(_load(point))
    if found:
        faulthandler.register(
            signal.SIGALRM, all_threads=True, chain=True
        )  # needs no Python, which the function may hold
    return found


def register_functions() -> None:
    """Have those that are installed in this process; what they answer was tested when Palio started.

    Each is called once with each of its samples: what it does the first time alone, such as importing, must not count as steps of a result.
    """
    functions = load_functions()
    for name, function in functions.items():
        _answers_of(name, function, times=1)
    register(functions)


def _watched(function: Function) -> Function:
    """The function; where it does not return within LONGEST_S the process writes where it is to its log, and is ended by the signal."""

    @functools.wraps(function)  # and its samples
    def watched(result: dict[str, Any], options: dict[str, Any]) -> Number | tuple[Number, Number]:
        signal.setitimer(signal.ITIMER_REAL, LONGEST_S)
        try:
            return function(result, options)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)

    return watched


def check_functions() -> None:
    """Test all that are installed. Raises StartError with the name of the first that is not fit, and why."""
    functions = load_functions()
    if not functions:
        return
    wanted = json.loads(json.dumps(_answers(functions)))
    for surroundings in SURROUNDINGS:
        for name, answers in _answers_elsewhere(surroundings).items():
            for number, (here, there) in enumerate(zip(wanted.get(name, []), answers, strict=True)):
                if here != there:
                    raise StartError(
                        f"scoring function {name}: sample {number} came to {here}, and in another process to {there}"
                    )


def _load(point: EntryPoint) -> Function:
    try:
        function: Function = point.load()
    except Exception as error:
        raise StartError(f"scoring function {point.name}: {point.value} cannot be loaded: {error!r}") from error
    if not callable(function):
        raise StartError(f"scoring function {point.name}: expected a function, got {type(function).__name__}")
    return function


def _answers(functions: Mapping[str, Function]) -> Answers:
    return {name: _answers_of(name, function) for name, function in functions.items()}


def _answers_of(name: str, function: Function, *, times: int = TIMES) -> list[Any]:
    """The answers to a function's samples, each the same every time."""
    samples = getattr(function, "samples", None)
    if not isinstance(samples, list) or not 1 <= len(samples) <= MAX_SAMPLES:
        raise StartError(f"scoring function {name}: expected `samples`, a list of 1 to {MAX_SAMPLES}")
    answers = []
    for number, sample in enumerate(samples):
        if not isinstance(sample, dict) or not isinstance(sample.get("result"), dict):
            raise StartError(f'scoring function {name}: expected sample {number} as {{"result": ..., "options": ...}}')
        began_s = time.perf_counter()
        tried = [_call(name, number, function, copy.deepcopy(sample)) for _ in range(times)]
        if times > 1 and (took_s := (time.perf_counter() - began_s) / times) > SLOWEST_S:
            raise StartError(
                f"scoring function {name}: sample {number} took {took_s:.1f} s, at most {SLOWEST_S:g} s are right"
            )
        if any(answer != tried[0] for answer in tried):
            raise StartError(f"scoring function {name}: sample {number} came to {tried} in turn")
        answers.append(tried[0])
    return answers


def _call(name: str, number: int, function: Function, sample: dict[str, Any]) -> list[int | None]:
    try:
        return list(call(function, sample["result"], sample.get("options", {})))
    except ResultError as error:
        raise StartError(f"scoring function {name}: sample {number} does not fit: {error.message}") from error


def _answers_elsewhere(surroundings: Mapping[str, str]) -> Answers:
    command = [sys.executable, "-m", "cluster.startup.scoring_functions"]
    environment = {**os.environ, **surroundings, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    try:
        done = subprocess.run(  # noqa: S603 - this interpreter and a module of ours
            command, env=environment, capture_output=True, timeout=CHECK_TIMEOUT_S, check=True
        )
    except (subprocess.SubprocessError, OSError) as error:
        told = getattr(error, "stderr", b"") or b""
        raise StartError(
            f"the scoring functions cannot be tested: {told.decode(errors='replace')[-500:] or error}"
        ) from error
    answers: Answers = json.loads(done.stdout.splitlines()[-1])
    return answers


if __name__ == "__main__":
    print(json.dumps(_answers(load_functions())))
