from __future__ import annotations

import csv
import io

from serve_app.formats.write.gradebook import write_canvas, write_moodle
from tests.support.results import table


def test_moodle_finds_users_by_their_id_number() -> None:
    text = b"".join(write_moodle(table(name="=Exam"))).decode()
    head, *rows = csv.reader(io.StringIO(text, newline=""))
    assert head == ["ID number", "Name", "'=Exam"]
    assert rows[:3] == [["1", "Ann", "912.50"], ["4", "4", "70.00"], ["2", "'=1+1", "0.50"]]
    assert text.endswith("-12.05\r\n")


def test_canvas_has_its_columns_and_the_row_of_points() -> None:
    text = b"".join(write_canvas(table())).decode()
    head, points, *rows = csv.reader(io.StringIO(text, newline=""))
    assert head == ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", "Spring exam"]
    assert points[0].strip() == "Points Possible"
    assert points[1:] == [""] * 5
    assert rows[0] == ["Ann", "", "1", "", "", "912.50"]
    assert rows[2] == ["'=1+1", "", "2", "", "", "0.50"]
