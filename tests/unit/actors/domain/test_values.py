"""Ids, scores, times, partitions."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.domain.errors import ScoreValueError
from actors.domain.values import (
    MAX_HUNDREDTHS,
    MAX_ID,
    decimal_score,
    hundredths,
    murmur2,
    parse_id,
    parse_time,
    partition_of,
    rfc3339,
    tournament_id,
)


@given(st.integers(1, MAX_ID))
def test_ids_are_read_as_written(value: int) -> None:
    assert parse_id(str(value)) == value


@pytest.mark.parametrize(
    "text", ["", "0", "01", "-1", "+1", " 1", "1 ", "1.0", "1e3", "٣", "²", "x", str(MAX_ID + 1), "9" * 40]
)
def test_what_is_no_id(text: str) -> None:
    with pytest.raises(ValueError, match="expected a decimal id"):
        parse_id(text)


@given(st.integers(-MAX_HUNDREDTHS, MAX_HUNDREDTHS))
def test_every_decimal_10_2_survives_json(scaled: int) -> None:
    text = json.dumps(decimal_score(scaled))
    assert Decimal(text) == Decimal(scaled) / 100
    assert hundredths(json.loads(text)) == scaled
    assert hundredths(float(text)) == scaled


@given(st.integers(-MAX_HUNDREDTHS, MAX_HUNDREDTHS), st.integers(1, 9))
def test_a_third_decimal_is_an_error(scaled: int, third: int) -> None:
    number = float(Decimal(scaled) / 100 + Decimal(third) / 1000)
    with pytest.raises(ScoreValueError, match=r"decimals|expected a score"):
        hundredths(number)


@pytest.mark.parametrize(
    "value",
    [
        float("nan"),
        float("inf"),
        -float("inf"),
        True,
        "12",
        None,
        1e9,
        100_000_000,
        -1e8,
        99_999_999.991,
        0.001,
        10**30,
    ],
)
def test_what_is_no_score(value: Any) -> None:
    with pytest.raises(ScoreValueError, match="expected"):
        hundredths(value)


@pytest.mark.parametrize(
    ("value", "scaled"), [(0, 0), (-0.0, 0), (0.1, 10), (1.15, 115), (-99_999_999.99, -MAX_HUNDREDTHS)]
)
def test_scores(value: float, scaled: int) -> None:
    assert hundredths(value) == scaled


def test_whole_scores_are_shown_as_integers() -> None:
    assert [json.dumps(decimal_score(n)) for n in (0, 500, -500, 512, -5)] == ["0", "5", "-5", "5.12", "-0.05"]


@given(st.integers(0, 221_845_392_000_000))
def test_times_are_read_as_written(time_ms: int) -> None:
    assert parse_time(rfc3339(time_ms)) == time_ms


def test_times() -> None:
    assert rfc3339(1_777_626_000_005) == "2026-05-01T09:00:00.005Z"
    assert parse_time("2026-05-01T11:00:00.005999+02:00") == 1_777_626_000_005
    assert parse_time("2026-05-01t09:00:00z") == 1_777_626_000_000


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00Z"),
        ("2016-12-31T23:59:60.25Z", "2017-01-01T00:00:00.25Z"),
        ("1990-12-31T15:59:60-08:00", "1991-01-01T00:00:00Z"),
        ("2026-05-01T09:00:00.12345678901234567890Z", "2026-05-01T09:00:00.123Z"),
        ("2026-05-01T09:00:00-00:00", "2026-05-01T09:00:00Z"),
        ("9000-01-01T23:59:00+23:59", "9000-01-01T00:00:00Z"),
    ],
)
def test_times_that_are_written_otherwise(text: str, same: str) -> None:
    assert parse_time(text) == parse_time(same)


@pytest.mark.parametrize(
    "text",
    [
        "1969-12-31T23:59:59Z", "1970-01-01T00:00:00+00:01", "9000-01-01T00:00:00.001Z", "9999-12-31T23:59:60Z",
        "0000-02-29T00:00:00Z", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59Z",
    ],
)  # fmt: skip
def test_a_time_out_of_range_is_told_as_such(text: str) -> None:
    with pytest.raises(ValueError, match="from 1970 to 9000"):
        parse_time(text)


@pytest.mark.parametrize(
    "text",
    [
        "", "now", "2026-05-01", "2026-05-01T09:00:00", "2026-05-01 09:00:00Z", "20260501T090000Z", "2026-W18-5T09:00:00Z",
        "2026-05-01T09:00Z", "2026-05-01T09:00:00,5Z", "2026-13-01T09:00:00Z", "2026-05-01T24:00:01Z", "٢٠٢٦-05-01T09:00:00Z",
        "2026-05-01T09:00:00Z\n", "2026-05-01T09:00:60Z", "2016-12-31T23:59:61Z", "2016-12-31T23:59:60+01:00", "2026-02-30T09:00:00Z",
        "0000-02-30T00:00:00Z", "2026-05-01T09:00:00+24:00", "2026-05-01T09:00:00+05:60", "2026-05-01T09:00:00.Z",
    ],
)  # fmt: skip
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(ValueError, match="expected an RFC 3339 time"):
        parse_time(text)


@pytest.mark.parametrize(
    ("data", "wanted"),
    [
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
    ],
)
def test_murmur2_is_kafkas(data: bytes, wanted: int) -> None:
    """Values from Kafka's own UtilsTest.testMurmur2."""
    assert murmur2(data) == wanted % 2**32


def test_partitions_are_within_bounds_and_fixed() -> None:
    assert [partition_of(n, 50) for n in (1, 2, 42, MAX_ID)] == [partition_of(n, 50) for n in (1, 2, 42, MAX_ID)]
    assert {partition_of(n, 3) for n in range(1, 100)} == {0, 1, 2}
    assert partition_of(21, 50) == (-973932308 & 0x7FFFFFFF) % 50


@given(st.integers(1, MAX_ID), st.text(min_size=1, max_size=64))
def test_tournament_ids_are_ids_and_repeat(caller: int, token: str) -> None:
    first = tournament_id(caller, token)
    assert 1 <= first <= MAX_ID
    assert tournament_id(caller, token) == first
    assert tournament_id(caller % MAX_ID + 1, token) != first
