"""Which format a file is, whoever wrote it; and files of other people's software, whole."""

from __future__ import annotations

import io
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from serve_app.formats.read.files import READERS, count_of, format_of
from serve_app.formats.read.mapping import Target
from serve_app.formats.read.plan import Reading, Wishes, plan_of

FILES = Path(__file__).parents[4] / "golden" / "imports"
NOTHING = Wishes()
EXAM = Target("7", "Spring exam", subscored=False)


def taken(
    name: str, target: Target = EXAM, wishes: Wishes = NOTHING
) -> tuple[list[tuple[str, str | None, float | None]], Reading]:
    """(user, name, score) of what would be sent, and the rest."""
    file = io.BytesIO((FILES / name).read_bytes())
    format_name = format_of(file)
    rows = list(READERS[format_name].read(file))
    plan = plan_of(format_name, rows[:100], wishes._replace(joins=True), target)
    reading = Reading(plan)
    return [(item.user_id, item.name, item.score) for _, item in reading.items(rows)], reading


def test_moodles_gradebook_with_decimal_commas() -> None:
    made, reading = taken("moodle.csv")
    assert made == [("42", "Zoë Lind", 8.5), ("43", "Ugo Bo, jr.", 10)]
    assert reading.left_out == {"no score": 1}
    assert [(each.line, each.why) for each in reading.rejected] == [
        (5, "user_id: expected a number from 1 to 2^63-1, got nothing")
    ]
    made, _ = taken("moodle.csv", wishes=Wishes({"score": "Quiz: Spring exam (Percentage)"}))
    assert made[0] == ("42", "Zoë Lind", 85)


def test_which_grade_is_meant_is_asked_where_the_file_does_not_say() -> None:
    with pytest.raises(
        ValueError, match=r"several columns of grades.*Assignment: Essay \(Real\), Course total \(Real\)$"
    ):
        taken("moodle.csv", Target("7", "Another"))


def test_the_gradebook_of_canvas_without_the_rows_that_are_no_students() -> None:
    made, reading = taken("canvas.csv")
    assert made == [("42", "Lind, Zoë", 87.5), ("43", "Bo, Ugo", 100)]
    assert (reading.left_out, reading.rejected) == ({"no score": 2}, [])
    made, _ = taken("canvas.csv", Target("7"), Wishes({"score": "Final Score"}))
    assert [score for _, _, score in made] == [90, 100, 0, 0]


def test_a_result_list_of_ooresults() -> None:
    race = Target("7", unit="time")
    made, reading = taken("ooresults.xml", race)
    assert made == [("7501", "Zoë Lind", 2001), ("7502", "Ugo Bo & Co <1>", 2814), ("7601", "Ada Alone", 2402)]
    assert reading.left_out == {"MissingPunch": 1, "DidNotStart": 1, "NotCompeting": 1}
    assert reading.groups["class"] == {"H21": 2, "D21": 1}
    made, reading = taken("ooresults.xml", race, Wishes(where={"class": "D21"}))
    assert [user for user, _, _ in made] == ["7601"]


def test_attempts_as_scorm_again_commits_them() -> None:
    made, reading = taken("scorm12.ndjson")
    assert made == [
        ("42", "Lind, Zoë", 87.5),
        ("43", "Bo, Ugo", 100),
        ("44", "Ali, Ann", 0),
    ]  # the first is "not attempted"
    assert reading.left_out == {"no score": 1}
    made, reading = taken("scorm2004.ndjson")
    assert made == [("42", "Zoë", 150), ("43", "Ugo", 80.5), ("44", "Ann", -2.5)]
    assert reading.left_out == {"no score": 1}


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"user,score\n1,2\n", "csv"),
        (b"", "csv"),
        (b"\xef\xbb\xbf<?xml version='1.0'?><ResultList/>", "iof"),
        (b'{"user": 1}\n', "ndjson"),
        (b'{"cmi": {}}\n', "scorm"),
        (b'{"cmi.core.score.raw": "1"}\n', "scorm"),
        (b'["cmi.core.score.raw=1"]\n', "scorm"),
        (b'[{"cmi": {}}]', "scorm"),
        (b'{\n "cmi": {\n}}', "scorm"),
        (b'{"runtimeData": {"cmi": {}}}', "scorm"),
        (b"PAR1...", "parquet"),
        (b"ID number;Name;Exam\n", "csv"),  # no row tells more
        (b"ID number;Name;Exam\n1;a;2\n", "moodle"),
        (b"LastName,FirstName,ID,SIS Login ID,Section,Essay (1)\na,b,1,c,d,2\n", "canvas"),
    ],
)
def test_what_a_file_holds_tells_its_format(head: bytes, name: str) -> None:
    assert format_of(io.BytesIO(head)) == name


@pytest.mark.parametrize(
    ("head", "told"), [(b"PK\x03\x04", "save the sheet as CSV"), (b"%PDF-1.7", "a PDF"), (b"\x1f\x8b\x08", "unpack it")]
)
def test_what_is_another_kind_of_file_is_named(head: bytes, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        format_of(io.BytesIO(head))


def test_only_parquet_says_how_many_rows_it_has() -> None:
    sink = io.BytesIO()
    pq.write_table(pa.table({"user": [1, 2, 3]}), sink)
    assert count_of(sink, "parquet") == 3
    assert count_of(io.BytesIO(b"a\n1\n"), "csv") is None
