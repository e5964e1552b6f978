"""What Palio's OpenAPI document cannot say, told to schemathesis, whose command line loads this: which valid tournaments can be."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import schemathesis
from schemathesis import Case, GenerationMode, HookContext, SerializationContext


@schemathesis.hook
def before_call(context: HookContext, case: Case[Any], kwargs: dict[str, Any]) -> None:
    """Give valid creates times that go together: hardly any tournament would be made by chance, and nothing be found behind the other calls."""
    valid = case.meta is None or case.meta.generation.mode is GenerationMode.POSITIVE
    if not valid or (case.method, case.path) != ("POST", "/v1/tournaments") or not isinstance(case.body, dict):
        return
    body = case.body | {"min_participants": 0}
    if body["type"] == "scheduled":
        now = datetime.now(UTC)
        starts = now + timedelta(hours=1 if body.get("join_until") == "start" else -1)
        body |= {"starts_at": starts.isoformat(), "ends_at": (now + timedelta(hours=2)).isoformat(), "duration_s": None}
    else:
        body |= {"starts_at": None, "ends_at": None, "duration_s": 60, "capacity": body.get("capacity") or 1}
    case.body = body


@schemathesis.serializer("application/x-ndjson")
def one_line(context: SerializationContext, score: Any) -> bytes:
    """A batch of one score: that is what the document has the schema of."""
    return json.dumps(score).encode() + b"\n"
