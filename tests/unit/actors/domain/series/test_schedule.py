"""Schedules: cronsim's times, in the package's zones, also where clocks change."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.domain.series.schedule import cron_problem, next_times
from actors.domain.series.zones import zone


def ms(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def texts(cron: str, time_zone: str, after: str, count: int) -> list[str]:
    times = next_times(cron, time_zone, ms(after), count)
    return [datetime.fromtimestamp(time / 1000, UTC).strftime("%m-%dT%H:%MZ") for time in times]


def test_what_falls_into_the_gap_of_spring_is_due_once_at_its_end() -> None:
    found = texts("30 2 * * *", "Europe/Berlin", "2026-03-28T00:00:00Z", 3)
    assert found == ["03-28T01:30Z", "03-29T01:00Z", "03-30T00:30Z"]
    assert texts("0,15,30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", 2) == ["03-29T01:00Z", "03-30T00:00Z"]


def test_what_falls_into_the_doubled_hour_of_autumn_is_due_once() -> None:
    found = texts("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", 2)
    assert found == ["10-25T00:30Z", "10-26T01:30Z"]
    # asked from between the two half past twos, and from within the second
    assert texts("30 2 * * *", "Europe/Berlin", "2026-10-25T00:45:00Z", 1) == ["10-26T01:30Z"]
    assert texts("30 2 * * *", "Europe/Berlin", "2026-10-25T01:10:00Z", 1) == ["10-26T01:30Z"]


def test_what_goes_by_the_clock_that_passes_is_due_in_both_hours() -> None:
    found = texts("*/30 * * * *", "Europe/Berlin", "2026-10-25T00:15:00Z", 4)
    assert found == ["10-25T00:30Z", "10-25T01:00Z", "10-25T01:30Z", "10-25T02:00Z"]


def test_a_zone_whose_rules_changed_moves_the_time() -> None:
    assert texts("0 20 1 12 *", "America/Vancouver", "2026-11-29T00:00:00Z", 1) == ["12-02T03:00Z"]


def test_the_moment_itself_is_not_after_it() -> None:
    assert texts("0 9 * * MON", "UTC", "2026-11-30T09:00:00Z", 1) == ["12-07T09:00Z"]
    assert texts("0 9 * * MON", "UTC", "2026-11-30T08:59:59.999Z", 1) == ["11-30T09:00Z"]


@pytest.mark.parametrize(
    ("cron", "said"),
    [
        ("", "five fields"),
        ("* * * *", "five fields"),
        ("0 0 0 * * *", "five fields"),
        ("60 * * * *", "minute"),
        ("0 0 30 2 *", "day-of-month"),
        ("@daily", "five fields"),
        ("0 0 * * ²", "day-of-week"),
        ("1," * 60 + "1 * * * *", "characters"),
    ],
)
def test_what_is_no_expression_is_told(cron: str, said: str) -> None:
    assert said in cron_problem(cron)


@pytest.mark.parametrize("cron", ["0 9 * * MON-FRI", "0 18 L * *", "*/5 * * * *", "0 0 29 2 *", "0 12 * * 5#2"])
def test_what_is_an_expression_is_not_complained_of(cron: str) -> None:
    assert cron_problem(cron) == ""


_crons = st.builds(
    "{} {} {} * {}".format,
    st.sampled_from(["0", "30", "*/15", "5,35", "59"]),
    st.sampled_from(["0", "2", "1-3", "*", "*/6", "23"]),
    st.sampled_from(["*", "1", "L", "28-31"]),
    st.sampled_from(["*", "SUN", "1-5", "0L"]),
)
_zones = st.sampled_from(
    ["UTC", "Europe/Berlin", "America/Vancouver", "Australia/Lord_Howe", "Africa/Casablanca", "Asia/Kathmandu"]
)


@given(_crons, _zones, st.integers(ms("2026-01-01T00:00:00Z"), ms("2028-12-31T00:00:00Z")))
def test_asked_one_by_one_the_times_are_those_asked_for_at_once(cron: str, time_zone: str, after_ms: int) -> None:
    at_once = next_times(cron, time_zone, after_ms, 6)
    assert at_once == sorted(set(at_once))
    assert at_once[0] > after_ms
    found, at = [], after_ms
    for _ in at_once:
        at = next_times(cron, time_zone, at, 1)[0]
        found.append(at)
    assert found == at_once


@given(_zones, st.integers(0, 23), st.integers(0, 59), st.integers(0, 1000))
def test_a_daily_time_is_due_once_on_every_local_day(time_zone: str, hour: int, minute: int, days: int) -> None:
    there = zone(time_zone)
    begin = datetime(2026, 1, 1, tzinfo=there) + timedelta(days=days)
    times = next_times(f"{minute} {hour} * * *", time_zone, round(begin.timestamp() * 1000) - 1, 10)
    dates = [datetime.fromtimestamp(time / 1000, there).date() for time in times]
    assert dates == [begin.date() + timedelta(days=n) for n in range(10)]
