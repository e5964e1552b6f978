"""Deployers' scoring functions: found by entry point, and refused with their name when they are not fit."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from actors.domain.messages import Custom
from actors.domain.scoring import custom
from cluster.errors import StartError
from cluster.startup import scoring_functions
from cluster.startup.scoring_functions import check_functions, load_functions, register_functions

GOOD = """
from decimal import Decimal
def reps(result, options):
    if "reps" not in result:
        raise ValueError("expected reps")
    return Decimal(result["reps"]) * options["each"], result.get("rest_s", 0)
reps.samples = [{"result": {"reps": 7}, "options": {"each": 3}}, {"result": {"reps": 1, "rest_s": 2}, "options": {"each": 1}}]
"""


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder on the path, in which `install` puts a package."""
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    custom.register({})


def install(folder: Path, code: str, module: str, points: str = "acme-reps = {}:reps") -> None:
    (folder / f"{module}.py").write_text(code)
    about = folder / f"{module}-1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1\n")
    (about / "entry_points.txt").write_text(f"[palio.scoring]\n{points.format(module)}\n")


def test_a_good_function_is_tested_elsewhere_and_registered(installed: Path) -> None:
    install(installed, GOOD, "acme_good")
    check_functions()
    register_functions()
    assert custom.score_custom(Custom(function="acme-reps", options={"each": 2}), {"reps": 3}) == (600, 0)


def test_without_any_nothing_is_tested(installed: Path) -> None:
    assert load_functions() == {}
    check_functions()


@pytest.mark.parametrize(
    ("module", "code", "told"),
    [
        ("acme_none", "def reps(r, o): return 1", "expected `samples`"),
        ("acme_float", "def reps(r, o): return 1.5\nreps.samples = [{'result': {}}]", "got float"),
        ("acme_fails", "def reps(r, o): return 1 // 0\nreps.samples = [{'result': {}}]", "failed: ZeroDivisionError"),
        ("acme_gone", "", "cannot be loaded"),
        ("acme_value", "reps = 3", "expected a function, got int"),
        (
            "acme_turns",
            "import itertools\ncount = itertools.count()\ndef reps(r, o): return next(count)\nreps.samples = [{'result': {}}]",
            "in turn",
        ),
        (
            "acme_hash",
            "def reps(r, o): return hash('a') % 1000\nreps.samples = [{'result': {}}]",
            "in another process",
        ),
        (
            "acme_zone",
            "import time\ndef reps(r, o): return int(time.timezone)\nreps.samples = [{'result': {}}]",
            "in another process",
        ),
        (
            "acme_loops",
            "def reps(r, o):\n while True: r['a'] = 1\nreps.samples = [{'result': {}}]",
            "took more than 1000000 steps",
        ),
        (
            "acme_exits",
            "import sys\ndef reps(r, o): sys.exit(1)\nreps.samples = [{'result': {}}]",
            "failed: SystemExit",
        ),
        (
            "acme_slow",
            "import time\ndef reps(r, o): time.sleep(0.2); return 1\nreps.samples = [{'result': {}}]",
            "sample 0 took 0.2 s, at most 0.1 s",
        ),
    ],
)
def test_what_is_not_fit_is_named_with_the_reason(
    installed: Path, monkeypatch: pytest.MonkeyPatch, module: str, code: str, told: str
) -> None:
    monkeypatch.setattr(scoring_functions, "SLOWEST_S", 0.1)
    install(installed, code, module)
    with pytest.raises(StartError, match="scoring function acme-reps: ") as caught:
        check_functions()
    assert told in str(caught.value)


def test_two_of_one_name_are_refused(installed: Path) -> None:
    install(installed, GOOD, "acme_one")
    install(installed, GOOD, "acme_two")
    with pytest.raises(StartError, match="two packages"):
        load_functions()


HANGS = """
import sys
sys.path.insert(0, {folder!r})
from cluster.startup import scoring_functions
from actors.domain.messages import Custom
from actors.domain.scoring import custom
scoring_functions.LONGEST_S = 0.5
scoring_functions.register_functions()
print(custom.score_custom(Custom(function="acme-reps"), {{"text": "x"}}), flush=True)
custom.score_custom(Custom(function="acme-reps"), {{"text": "a" * 60}})
print("not here", flush=True)
"""


def test_one_that_does_not_return_ends_its_process_which_says_where_it_was(installed: Path) -> None:
    """Also where it never lets Python do anything else: here in a pattern that takes years."""
    code = "import re\ndef reps(r, o):\n  return len(re.findall('(a+)+$', r['text'] + 'b'))\nreps.samples = [{'result': {'text': 'aa'}}]"
    install(installed, code, "acme_hangs")
    done = subprocess.run(
        [sys.executable, "-c", HANGS.format(folder=str(installed))],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == -signal.SIGALRM, done.stderr
    assert done.stdout == "(0, None)\n"
    assert f'"{installed}/acme_hangs.py", line 3 in reps' in done.stderr
