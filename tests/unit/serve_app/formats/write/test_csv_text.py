from __future__ import annotations

import csv
import io
from decimal import Decimal

import duckdb
import pandas as pd
import polars as pl
import pytest

from actors.domain.messages import Join
from actors.domain.messages.scoring import Subscore
from actors.domain.messages.spec import Display
from actors.domain.results.table import results_table
from serve_app.formats.write.csv_text import guarded, write_csv
from tests.support.histories import Step
from tests.support.results import BEGIN_MS, table, tournament
from tests.support.submissions import Sent


def test_the_file_is_what_rfc_4180_says() -> None:
    text = b"".join(write_csv(table())).decode()
    assert text == (
        "rank,user_id,name,score,attempts,scored_at\r\n"
        "1,1,Ann,912.50,1,2027-01-15T08:01:00.000Z\r\n"
        "2,4,,70.00,1,2027-01-15T08:04:00.000Z\r\n"
        "3,2,'=1+1,0.50,1,2027-01-15T08:02:00.000Z\r\n"
        '4,3,"Zoë ‘Z’, ""Q""",-12.05,1,2027-01-15T08:03:00.000Z\r\n'
    )
    parsed = list(csv.DictReader(io.StringIO(text, newline="")))
    assert [row["name"] for row in parsed] == ["Ann", "", "'=1+1", 'Zoë ‘Z’, "Q"']


def test_others_read_the_same_numbers(tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("csv") / "table.csv"
    path.write_bytes(b"".join(write_csv(table())))
    expected = [(1, 912.5), (4, 70.0), (2, 0.5), (3, -12.05)]
    frame = pd.read_csv(path)
    assert list(zip(frame["user_id"], frame["score"], strict=True)) == expected
    polar = pl.read_csv(path)
    assert polar.select("user_id", "score").rows() == expected
    found = duckdb.sql(f"SELECT user_id, score::DECIMAL(10, 2) FROM read_csv('{path}')").fetchall()
    assert found == [(user, Decimal(str(score)).quantize(Decimal("0.01"))) for user, score in expected]


def test_subscores_and_boards_are_columns_and_groups_are_guarded() -> None:
    state = tournament(
        [],
        [],
        Step(BEGIN_MS, Join(command_id="j", user_id="1", name="Ann", attributes={"team": "@home"})),
        Step(BEGIN_MS + 60_000, Sent(1, "a", 5, 0, None)),
        boards=["team"],
        subscore=Subscore(order="asc"),
    )
    head, row, _ = b"".join(write_csv(results_table(state, "running"))).decode().split("\r\n")
    assert head == "rank,user_id,name,score,subscore,attempts,scored_at,board_team"
    assert row == "1,1,Ann,0.05,0.00,1,2027-01-15T08:01:00.000Z,'@home"


def test_scores_are_also_as_the_tournament_shows_them() -> None:
    for display, shown in ((Display(unit="time", decimals=0), "46:54"), (Display(decimals=1), "2814.0")):
        written = b"".join(write_csv(results_table(tournament([(1, 281_400)], ["Ann"], display=display), "finished")))
        head, row, _ = written.decode().split("\r\n")
        assert head == "rank,user_id,name,score,shown,attempts,scored_at"
        assert row.startswith(f"1,1,Ann,2814.00,{shown},1,")


@pytest.mark.parametrize("text", ["=1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "＝1", "＠a"])
def test_what_a_spreadsheet_would_compute_is_text(text: str) -> None:
    assert guarded(text) == f"'{text}"


@pytest.mark.parametrize("text", ["", "Ann", "1=1", " -", "'quoted'"])
def test_other_texts_stay(text: str) -> None:
    assert guarded(text) == text
