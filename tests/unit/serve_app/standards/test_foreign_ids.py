from __future__ import annotations

from pathlib import Path

import pytest

from serve_app.standards.foreign_ids import NONE, ForeignIdsFile, parse_foreign_ids
from serve_app.standards.watched_file import read_file

FILE = b"""{"users": {"mailto:ann@example.org": "42", "https://lms.example|ann": "43", "7": "8"},
            "activities": {"https://lms.example/quiz?id=5": "99"}}"""


def test_the_file_goes_before_what_a_name_says_by_itself() -> None:
    ids = parse_foreign_ids(FILE)
    assert ids.user("mailto:ann@example.org") == 42
    assert ids.user("https://lms.example|ann", "ann") == 43
    assert ids.user("https://other.example|ann", "ann") is None
    assert ids.user("https://other.example|5", "5") == 5
    assert ids.user("7") == 8
    assert NONE.user("7") == 7
    assert [NONE.user(name) for name in ("", "07", "-7", "mailto:7@example.org", str(2**63))] == [None] * 5


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b'{"users": {"ann": "x"}}', "users: 'ann': expected a decimal id, got 'x'"),
        (b'{"users": {"ann": 42}}', "Expected `str`"),
        (b'{"activities": {"a": ""}}', "activities: 'a'"),
        (b'{"actors": {}}', "unknown field"),
        (b"{", "truncated"),
    ],
)
def test_a_wrong_file_says_what_is_wrong(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "ids.json"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=message):
        read_file(str(path), parse_foreign_ids)


async def test_without_a_file_ids_stand_for_themselves(tmp_path: Path) -> None:
    assert await ForeignIdsFile(None).current() is NONE
    path = tmp_path / "ids.json"
    path.write_bytes(FILE)
    assert (await ForeignIdsFile(str(path)).current()).user("7") == 8
