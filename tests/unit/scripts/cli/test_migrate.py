from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from scripts.cli.migrate import BEYOND_END, SHOWN, differences, opened, spec_of
from serve_app.http.request_schemas import read_new_tournament

NOW = datetime.fromisoformat("2026-11-30T12:00")
HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("starts", "ends"),
    [
        (None, None),
        (NOW - HOUR, NOW + HOUR),
        (NOW - 900 * HOUR, NOW - 800 * HOUR),
        (NOW + HOUR, NOW + 2 * HOUR),
        (NOW - HOUR, None),
        (datetime.fromisoformat("2015-01-01"), datetime.fromisoformat("2015-01-02")),
        (datetime.fromisoformat("2040-01-01"), datetime.fromisoformat("2040-01-02")),
        (NOW + 2 * HOUR, NOW + HOUR),
    ],
)
def test_palio_takes_what_is_asked_for_whatever_the_old_times_are(
    starts: datetime | None, ends: datetime | None
) -> None:
    spec = spec_of("  " + "x" * 300, starts, ends, NOW)
    now_ms = int(NOW.replace(tzinfo=UTC).timestamp() * 1000)
    asked = read_new_tournament(json.dumps(spec).encode(), now_ms)
    assert asked.problem is None
    assert asked.spec is not None
    assert asked.spec.ends_ms is not None
    assert asked.spec.ends_ms >= now_ms + BEYOND_END.total_seconds() * 1000
    assert asked.spec.score_policy == "last"


def test_a_tournament_without_a_name_has_one() -> None:
    assert [spec_of(name, None, None, NOW)["name"] for name in (None, " ", "Cup")] == [
        "Tournament",
        "Tournament",
        "Cup",
    ]


def test_differences_are_told_by_user_and_both_sides() -> None:
    old = {"10": Decimal("1.00"), "9": Decimal("2.50"), "3": Decimal("7.00")}
    new = {"10": Decimal("1.00"), "9": Decimal("2.49"), "11": Decimal("4.00")}
    assert differences(old, new).lines() == [
        "user 3: old 7.00, Palio none",
        "user 9: old 2.50, Palio 2.49",
        "user 11: old none, Palio 4.00",
    ]
    assert differences(old, dict(old)).found == []
    many = differences({str(user): Decimal(1) for user in range(SHOWN + 5)}, {})
    assert many.lines()[-1] == "and 5 more"


@pytest.mark.parametrize("text", ["", "[]", '{"host": "h"}'])
def test_a_file_that_names_no_database_is_one_line(tmp_path: Path, text: str) -> None:
    file = tmp_path / "old.json"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match="expected JSON with host"), opened(file):
        pass
