"""What a run of the demo remembers in the data directory, so that the next start goes on with an unfinished one."""

from __future__ import annotations

import json
import os
import uuid
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

FILE: Final = "demo.json"


@dataclass
class Held:
    """A tournament that this run created at `begin_s` of demo time.

    `ends_ms` is its planned end, ms since 1970; `over`: finished and compared.
    """

    id: str
    begin_s: float
    ends_ms: int
    over: bool = False


@dataclass
class DemoRun:
    """A run: its id goes into the Idempotency-Keys, so each has tournaments of its own. `clock_s` is how far it got, in demo time."""

    run: str = field(default_factory=lambda: uuid.uuid4().hex[:12])
    clock_s: float = 0.0
    tournaments: dict[str, Held] = field(default_factory=dict)
    evening: bool = False
    """Whether the club evening was played to its end; one that was cut off is played anew."""
    resumed: bool = False

    def unfinished(self, contests: int) -> bool:
        """Whether it began and has not brought all `contests` to their end."""
        held = self.tournaments.values()
        return bool(held) and (len(held) < contests or not all(tournament.over for tournament in held))

    def save(self, data_dir: Path | None) -> None:
        """Write it whole or not at all; without a directory it is not kept."""
        if data_dir is None:
            return
        content = asdict(self)
        del content["resumed"]
        data_dir.mkdir(parents=True, exist_ok=True)
        beside = data_dir / f".{FILE}.{os.getpid()}"
        beside.write_text(json.dumps(content) + "\n")
        beside.replace(data_dir / FILE)


def open_run(data_dir: Path | None, contests: int) -> DemoRun:
    """The unfinished run of this data directory, or a new one. Raises ValueError for a file that is not ours."""
    if data_dir is None or not (data_dir / FILE).exists():
        return DemoRun()
    try:
        content = json.loads((data_dir / FILE).read_text())
        held = {key: Held(**fields) for key, fields in content.pop("tournaments").items()}
        found = DemoRun(**content, tournaments=held, resumed=True)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"cannot read {data_dir / FILE} ({error}); remove it to begin a new demo") from error
    return found if found.unfinished(contests) else DemoRun()
