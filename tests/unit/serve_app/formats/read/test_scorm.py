"""Attempts of SCORM, and what the standard does not allow. Whole files are read in test_files.py."""

from __future__ import annotations

import io
import json
from decimal import Decimal
from typing import Any

import pytest

from serve_app.formats.read import scorm
from serve_app.formats.read.rows import FileRow
from serve_app.formats.read.scorm import read_scorm


def read(*attempts: Any) -> list[FileRow]:
    return list(read_scorm(io.BytesIO("\n".join(json.dumps(each) for each in attempts).encode())))


def of_12(**score: str) -> dict[str, Any]:
    return {"cmi": {"core": {"student_id": "42", "lesson_status": "not attempted", "score": score}}}


def of_2004(**score: str) -> dict[str, Any]:
    return {"cmi": {"learner_id": "42", "score": score}}


def test_a_score_counts_whatever_the_status() -> None:
    (row,) = read(of_12(raw="87.5"))
    assert (row.fields["score"], row.fields["status"], row.fields["version"], row.left_out) == (
        Decimal("87.5"),
        "not attempted",
        "1.2",
        "",
    )
    (row,) = read(of_12(raw=""))
    assert row.left_out == "no score"


def test_without_raw_scaled_is_in_per_cent() -> None:
    assert [row.fields["score"] for row in read(of_2004(scaled="0.805"), of_2004(scaled="-1", raw="3"))] == [
        Decimal("80.50"),
        Decimal(3),
    ]


@pytest.mark.parametrize(
    ("attempt", "told"),
    [
        (of_12(raw="100.5"), "score_raw: expected a number from 0 to 100 in SCORM 1.2, got 100.5"),
        (of_12(raw="50", max="200"), "score_max: expected a number from 0 to 100 in SCORM 1.2, got 200"),
        (of_12(raw="-1"), "score_raw: expected a number from 0"),
        (of_12(raw="many"), "score_raw: expected a number, got many"),
        (of_12(raw="NaN"), "score_raw: expected a number, got NaN"),
        (of_2004(scaled="7"), "score_scaled: expected a number from -1 to 1, got 7"),
        (of_2004(raw="5", min="6"), "score_raw: expected at least score_min, 6, got 5"),
        (of_2004(raw="150", max="100"), "score_raw: expected at most score_max, 100, got 150"),
        ({"cmi": {"suspend_data": "x"}}, "expected cmi.core of SCORM 1.2, or cmi.score of SCORM 2004"),
        ({"user": 1}, "expected cmi.core"),
        (5, "expected cmi.core"),
    ],
)
def test_what_the_standard_does_not_allow_is_told(attempt: Any, told: str) -> None:
    (row,) = read(attempt)
    assert row.problem.startswith(told)


def test_above_a_hundred_is_well_in_2004() -> None:
    (row,) = read(of_2004(raw="150", max="200", min="-10"))
    assert (row.fields["score"], row.problem) == (150, "")


def test_what_stands_beside_is_a_column_and_a_run_time_may_wrap_it() -> None:
    (row,) = read({"user_id": 7, "runtimeData": of_12(raw="1"), "score": {"raw": 1}})
    assert (row.fields["user_id"], row.fields["learner_id"], row.fields["score"]) == (7, "42", 1)


def test_an_array_and_one_document_are_read_too() -> None:
    attempts = [of_12(raw="1"), ["cmi.core.score.raw=2", "cmi.core.student_id=5", "cmi.interactions=[object Object]"]]
    rows = list(read_scorm(io.BytesIO(json.dumps(attempts, indent=1).encode())))
    assert [(row.line, row.fields["score"]) for row in rows] == [(1, 1), (2, 2)]
    (row,) = read_scorm(io.BytesIO(json.dumps(of_12(raw="3"), indent=1).encode()))
    assert row.fields["score"] == 3


@pytest.mark.parametrize(
    ("content", "told"), [(b"", "file is empty"), (b'[{"cmi": {}', "no JSON"), (b"[\n\xff]", "UTF-8")]
)
def test_what_is_no_json_is_an_error(content: bytes, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        list(read_scorm(io.BytesIO(content)))


def test_a_whole_document_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scorm, "MAX_DOCUMENT_BYTES", 20)
    with pytest.raises(ValueError, match="expected an attempt a line"):
        list(read_scorm(io.BytesIO(json.dumps([of_12(raw="1")]).encode())))
