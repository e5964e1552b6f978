"""Writes the golden files with today's code: `python -m tests.golden.make`. Only for a new format version, beside the old files."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec

from actors.domain.codec import FORMAT_VERSION, encode_snapshot
from actors.domain.messages import (
    Cancel,
    Changes,
    Claim,
    Create,
    Edit,
    End,
    Join,
    Leave,
    Spec,
    Start,
    Tick,
    encode_message,
    encode_score,
)
from actors.domain.tournament import Tournament
from tests.support.histories import Score, Step, fold, items_of

HERE = Path(__file__).parent
RECORDS = HERE / "records.json"
SPEC = Spec(
    name="Spring exam",
    type="scheduled",
    visibility="private",
    starts_ms=1_777_626_000_000,
    ends_ms=1_777_629_600_000,
    capacity=1000,
    min_participants=1,
    join_until="end",
    order="desc",
    score_policy="sum",
    ties="shared",
    max_attempts=3,
    placement="auto",
    metadata={"school": "Zoë's", "rooms": [1, 2.5, None, True]},
)
CREATE = Create(
    command_id="create-1",
    creator="99",
    created_ms=1_777_600_000_000,
    spec=SPEC,
    dedicated=True,
    salt="5a" * 16,
    request_digest="0123abcd",
    rules_version=1,
)
RECORD_VALUES = {
    "create": encode_message(CREATE),
    "join": encode_message(Join(command_id="j1", user_id="42", name="Zoë", invited=True)),
    "join_bare": encode_message(Join(command_id="j2", user_id="9223372036854775807")),
    "leave": encode_message(Leave(command_id="l1", user_id="42")),
    "score": encode_score("e1", 42, 91_250),
    "score_negative": encode_score("e2", 42, -9_999_999_999),
    "start": encode_message(Start(command_id="s1")),
    "end": encode_message(End(command_id="n1")),
    "cancel": encode_message(Cancel(command_id="c1")),
    "edit": encode_message(Edit(command_id="d1", changes=Changes(name="Later", capacity=2000), if_version=1)),
    "tick": encode_message(Tick()),
    "claim": encode_message(Claim(command_id="k1", scope="partition-3", owner="shard-0", instance="abc")),
}


def golden_states(version: int = 1) -> dict[str, Tournament]:
    """A tournament in mid-life with all that its format has in it, one that is over, and one that nobody joined.

    Format 1 came with rules 1; format 2 with rules 2, and knows who was removed.
    """
    begin = SPEC.starts_ms or 0
    create = msgspec.structs.replace(CREATE, rules_version=version)
    joins = [Join(command_id=f"j{n}", user_id=str(10 * n), name=name, invited=True) for n, name in _NAMES]
    scores = [Score(10, "a", 500), Score(20, "a", 700), Score(30, "a", 500), Score(20, "b", -200), Score(10, "a", 900)]
    steps = [Step(begin - 1000, create)]
    steps += [Step(begin - 900 + n, join) for n, join in enumerate(joins)]
    steps += [Step(begin + n, score) for n, score in enumerate(scores)]
    steps.append(Step(begin + 100, Leave(command_id="l", user_id="20")))
    if version >= 2:
        steps.append(Step(begin + 101, Leave(command_id="l2", user_id="50", removed=True)))
    over = [*steps, Step((SPEC.ends_ms or 0) + 5, Tick())]
    return {"running": fold(items_of(steps)), "finished": fold(items_of(over)), "empty": fold(items_of(steps[:1]))}


_NAMES = [(1, "Ann"), (2, None), (3, "Zoë"), (5, None), (4, "無名")]


def snapshot_path(name: str, version: int = FORMAT_VERSION) -> Path:
    return HERE / f"snapshot-v{version}-{name}.bin"


def main() -> None:
    RECORDS.write_text(
        json.dumps({k: v.decode() for k, v in RECORD_VALUES.items()}, indent=1, ensure_ascii=False) + "\n"
    )
    for name, state in golden_states(FORMAT_VERSION).items():
        snapshot_path(name).write_bytes(encode_snapshot(state))


if __name__ == "__main__":
    main()
