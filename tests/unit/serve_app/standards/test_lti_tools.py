from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from serve_app.standards.lti_tools import parse_tools
from serve_app.standards.watched_file import read_file

TOOL: dict[str, Any] = {"client_id": "a", "user_id": "7", "jwks": "keys.json"}


def test_tools_are_found_by_their_client_id() -> None:
    tools = parse_tools(json.dumps({"tools": [TOOL, {**TOOL, "client_id": "b", "tournaments": ["5"]}]}).encode())
    first, second = tools.tool("a"), tools.tool("b")
    assert first is not None
    assert second is not None
    assert (first.algorithm, first.sees("5"), first.sees("6")) == ("RS256", True, True)
    assert (second.sees("5"), second.sees("6")) == (True, False)
    assert tools.keys(first) is not tools.keys(second)
    assert [tools.tool(name) for name in ("c", None, ["a"], 1)] == [None] * 4


@pytest.mark.parametrize(
    ("tools", "message"),
    [
        ([{**TOOL, "user_id": "x"}], "a: expected a decimal id"),
        ([{**TOOL, "tournaments": ["x"]}], "a: expected a decimal id"),
        ([TOOL, TOOL], "'a' twice"),
        ([{**TOOL, "algorithm": "HS256"}], "algorithm"),
        ([{"client_id": "a"}], "user_id"),
        ([{**TOOL, "jwk": "x"}], "unknown field"),
        ({}, "tools"),
    ],
)
def test_a_wrong_file_says_what_is_wrong(tmp_path: Path, tools: Any, message: str) -> None:
    path = tmp_path / "tools.json"
    path.write_text(json.dumps({"tools": tools}))
    with pytest.raises(ValueError, match=message):
        read_file(str(path), parse_tools)
