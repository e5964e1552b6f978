"""IOF XML 3.0: results of persons, of teams and of several races; and what is refused."""

from __future__ import annotations

import io

import pytest

from serve_app.formats.read import iof
from serve_app.formats.read.iof import NAMESPACE, read_iof
from serve_app.formats.read.rows import FileRow

HEAD = f'<ResultList xmlns="{NAMESPACE}" iofVersion="3.0"><Event><Name>E</Name></Event><ClassResult><Class><Name>H21</Name></Class>'
END = "</ClassResult></ResultList>"
ANN = '<Person><Id type="A">7</Id><Id type="B">8</Id><Name><Family>Ali</Family><Given>Ann</Given></Name></Person>'


def read(body: str, encoding: str = "utf-8") -> list[FileRow]:
    return list(read_iof(io.BytesIO((HEAD + body + END).encode(encoding))))


def person(results: str, who: str = ANN) -> str:
    return f"<PersonResult>{who}{results}</PersonResult>"


def test_a_result_has_what_stands_beneath_it_and_nothing_of_what_stands_deeper() -> None:
    (row,) = read(
        person(
            "<Organisation><Name>OC</Name></Organisation><Result><BibNumber>101</BibNumber><Time>62.5</Time><TimeBehind>9</TimeBehind>"
            '<Position>1</Position><Status>OK</Status><Score type="WRE">80</Score><Score type="Club">3</Score>'
            "<OverallResult><Time>5001</Time><Status>DidNotFinish</Status></OverallResult>"
            "<SplitTime><ControlCode>31</ControlCode><Time>5</Time></SplitTime><ControlCard>9</ControlCard></Result>"
        )
    )
    assert row == FileRow(
        1,
        {
            "name": "Ann Ali",
            "person_id": "7",
            "person_id A": "7",
            "person_id B": "8",
            "organisation": "OC",
            "class": "H21",
            "bib": "101",
            "time": "62.5",
            "position": "1",
            "status": "OK",
            "score": "80",
            "score WRE": "80",
            "score Club": "3",
            "control_card": "9",
        },
    )


def test_each_race_and_each_leg_is_a_row() -> None:
    races = read(
        person(
            '<Result raceNumber="1"><Time>1</Time><Status>OK</Status></Result>'
            '<Result raceNumber="2"><Status>DidNotStart</Status></Result>'
        )
    )
    assert [(row.fields["race"], row.left_out) for row in races] == [("1", ""), ("2", "DidNotStart")]
    (leg,) = read(
        "<TeamResult><Name>Reds</Name><BibNumber>5</BibNumber><TeamMemberResult>"
        f"{ANN}<Result><Leg>2</Leg><Time>1</Time><Status>OK</Status></Result></TeamMemberResult></TeamResult>"
    )
    assert (leg.fields["team"], leg.fields["team_bib"], leg.fields["leg"], leg.fields["class"]) == (
        "Reds",
        "5",
        "2",
        "H21",
    )


def test_what_others_have_put_in_is_not_looked_at() -> None:
    (row,) = read(
        person('<Result><Status>OK</Status><Extensions><x:Time xmlns:x="urn:x">5</x:Time></Extensions></Result>')
    )
    assert "time" not in row.fields
    (row,) = read(person(f"<Result><Status>OK</Status><Route>{'A' * 20_000}</Route></Result>"))
    assert row.fields["status"] == "OK"


def test_other_encodings_are_read_as_they_say() -> None:
    text = (
        f'<?xml version="1.0" encoding="iso-8859-1"?>{HEAD}'
        + person("<Result><Status>OK</Status></Result>").replace("Ann", "Zoë")
        + END
    )
    (row,) = read_iof(io.BytesIO(text.encode("latin-1")))
    assert row.fields["name"] == "Zoë Ali"


def test_a_result_without_a_status_is_told() -> None:
    (row,) = read(person("<Result><Time>1</Time></Result>"))
    assert row.problem == "expected a Status"


@pytest.mark.parametrize(
    ("document", "told"),
    [
        ("", "no XML: no element found"),
        ("<ResultList", "line 1: no XML: unclosed token"),
        (HEAD + "\n<PersonResult>", "line 2: no XML: no element found"),
        (HEAD + "</Wrong>", "no XML: mismatched tag"),
        (
            f'<StartList xmlns="{NAMESPACE}" iofVersion="3.0"/>',
            "expected a ResultList of IOF XML 3.0, got StartList 3.0",
        ),
        ("<ResultList><IOFVersion version='2.0.3'/></ResultList>", "got ResultList$"),
        ('<html xmlns="http://www.w3.org/1999/xhtml"/>', "got html of http://www.w3.org/1999/xhtml"),
        (f"{HEAD}{'<Extensions>' * 60}", "at most 50 elements within each other"),
        (f"{HEAD}<Name>{'x' * 20_000}</Name>{END}", "texts of at most 10000 characters"),
    ],
)
def test_what_is_no_result_list_is_an_error_with_its_line(document: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        list(read_iof(io.BytesIO(document.encode())))


def test_entities_cannot_grow() -> None:
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
    for doctype in (bomb, '<!DOCTYPE x SYSTEM "file:///etc/passwd">', "<!DOCTYPE ResultList>"):
        with pytest.raises(ValueError, match="line 1: expected no DOCTYPE"):
            list(read_iof(io.BytesIO(f"{doctype}{HEAD}<Name>&b;</Name>{END}".encode())))
    with pytest.raises(ValueError, match="undefined entity"):
        read(person("<Result><Status>&b;</Status></Result>"))


def test_results_of_one_person_have_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(iof, "MAX_RESULTS", 2)
    with pytest.raises(ValueError, match="at most 2 results"):
        read(person("<Result><Status>OK</Status></Result>" * 3))
