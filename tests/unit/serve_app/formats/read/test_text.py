"""Files as rows, with the lines where they begin."""

from __future__ import annotations

import io

import pytest

from serve_app.formats.read import text
from serve_app.formats.read.rows import FileRow
from serve_app.formats.read.text import read_csv, read_ndjson


def rows(content: str | bytes, format_name: str = "csv") -> list[FileRow]:
    file = io.BytesIO(content.encode() if isinstance(content, str) else content)
    return list(read_csv(file) if format_name == "csv" else read_ndjson(file))


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_columns_are_told_apart_by_what_the_first_line_has(delimiter: str) -> None:
    content = f"\ufeffUser{delimiter} Score\r\n1{delimiter}5.5\r\n\r\n2{delimiter} 7 \r\n"
    assert rows(content) == [
        FileRow(2, {"User": "1", "Score": "5.5"}),
        FileRow(4, {"User": "2", "Score": "7"}),
    ]


def test_a_row_over_several_lines_has_its_first_one() -> None:
    found = rows('user,name\n1,"a\nb"\n2,c\n')
    assert found == [FileRow(2, {"user": "1", "name": "a\nb"}), FileRow(4, {"user": "2", "name": "c"})]


def test_rows_that_cannot_be_read_are_told_and_the_others_come() -> None:
    found = rows('user,score\n1\n2,3,4\n"x"y,1\n5,6\n')
    assert [(row.line, row.problem) for row in found[:2]] == [
        (2, "expected 2 columns, got 1"),
        (3, "expected 2 columns, got 3"),
    ]
    assert (found[2].line, found[2].problem.startswith("no CSV: ")) == (4, True)
    assert found[3] == FileRow(5, {"user": "5", "score": "6"})
    found = rows('{"user": 1}\n\n[1]\n{"user"\n{"user": {"deep": 2}}\n', "ndjson")
    assert [row.line for row in found] == [1, 3, 4, 5]
    assert found[0].fields == {"user": 1}
    assert found[1].problem == "expected a JSON object, got [1]"
    assert found[2].problem.startswith("no JSON: ")
    assert found[3].fields == {"user": {"deep": 2}}


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "the file is empty"),
        ("user,user\n1,2\n", "a different name for each column"),
        ("user,\n1,2\n", "a different name for each column"),
        ("user,name\n1,\0\n", "line 2: expected text, got a NUL"),
        ("user,name\n".encode("utf-16"), "got UTF-16"),
        (b"user,n\xe4me\n1,2\n", "expected UTF-8"),
        ('"user\n', "no CSV"),
    ],
)
def test_what_is_no_such_file_is_an_error(content: str | bytes, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        rows(content)


def test_a_line_without_an_end_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text, "MAX_LINE_CHARS", 50)
    for format_name, content in (("csv", "user,name\n1," + "x" * 60), ("ndjson", '{"name": "' + "x" * 60)):
        with pytest.raises(ValueError, match="expected lines of less than 50 characters"):
            rows(content, format_name)
