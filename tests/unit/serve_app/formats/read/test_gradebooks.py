"""Gradebooks: which columns hold grades, and which rows are students. Whole files are read in test_files.py."""

from __future__ import annotations

import io

import pytest

from serve_app.formats.read.gradebooks import grade_columns, gradebook_of, names_same, read_canvas, read_moodle


@pytest.mark.parametrize(
    ("columns", "system"),
    [
        ("Student,ID,SIS Login ID,Section", "canvas"),
        ("LastName,FirstName,ID,SIS Login ID,Section", "canvas"),
        ("First name,Surname,ID number,Course total", "moodle"),
        ("Vorname,Nachname,Last downloaded from this course", "moodle"),
        ("id,student,score", None),
        ("user,score", None),
    ],
)
def test_a_gradebook_is_known_by_its_columns(columns: str, system: str | None) -> None:
    assert gradebook_of(columns.split(",")) == system


def test_grades_come_before_totals() -> None:
    canvas = [
        "Student",
        "ID",
        "Section",
        "Group 1 Final Score",
        "Essay (7)",
        "Final Score (Fall 2026)",
        "Override Grade",
    ]
    assert grade_columns("canvas", canvas)[0] == "Essay (7)"
    moodle = ["ID number", "Course total (Real)", "Quiz: A (Real)", "Quiz: A (Letter)", "Quiz: A (Feedback)"]
    assert grade_columns("moodle", moodle) == ["Quiz: A (Real)", "Course total (Real)"]


def test_a_column_is_named_after_a_tournament() -> None:
    for column in ("Spring exam", "Quiz: Spring exam (Real)", "Spring exam (123)", "spring-exam"):
        assert names_same(column, "Spring exam")
    for column in ("Spring exam 2", "Quiz: Spring", ""):
        assert not names_same(column, "Spring exam")
    assert not names_same("(Real)", "")


def test_a_broken_row_is_told_in_gradebooks_too() -> None:
    (row,) = read_moodle(io.BytesIO(b"ID number,Exam\n1\n"))
    assert row.problem == "expected 2 columns, got 1"
    (row,) = read_canvas(io.BytesIO(b"Student,ID,Section,E (1)\na,1\n"))
    assert row.problem == "expected 4 columns, got 2"


def test_the_test_student_is_one_only_without_an_id_of_the_school() -> None:
    head = b"Student,ID,SIS User ID,SIS Login ID,Section,E (1)\n"
    rows = list(read_canvas(io.BytesIO(head + b'"Student, Test",5,,x,A,1\n"Student, Test",6,77,y,A,2\n')))
    assert [row.fields["ID"] for row in rows] == ["6"]
