"""What errors tell: the place, and what was expected there."""

from __future__ import annotations

import pytest

from actors.domain.errors import ResultError


@pytest.mark.parametrize(
    ("error", "path"),
    [
        (ResultError("correct", "expected 0 or more"), "result.correct"),
        (ResultError("", "expected 0 or more"), "result"),
        (ResultError("subscore", "expected 0 or more", whole=True), "subscore"),
    ],
)
def test_a_result_error_has_the_path_within_the_submission(error: ResultError, path: str) -> None:
    assert error.path == path
    assert str(error) == f"{path}: expected 0 or more"
