from __future__ import annotations

import xml.etree.ElementTree as ET

from actors.domain.messages.spec import Display
from actors.domain.results.table import results_table
from serve_app.formats.write.iof import NAMESPACE, write_iof
from tests.support.results import BEGIN_MS, table, tournament

IN = {"iof": NAMESPACE}
SCORES = [(1, 281_400), (2, 281_450), (3, 281_450)]


def race(status: str = "finished") -> ET.Element:
    state = tournament(
        SCORES, ["Ann <&>", "Bo", None], order="asc", ties="shared", display=Display(unit="time", decimals=1)
    )
    return ET.fromstring(b"".join(write_iof(results_table(state, status), BEGIN_MS)))


def told(element: ET.Element, path: str) -> list[str | None]:
    return [found.text for found in element.findall(path, IN)]


def test_a_race_has_times_in_seconds() -> None:
    root = race()
    assert root.tag == f"{{{NAMESPACE}}}ResultList"
    assert root.attrib == {
        "iofVersion": "3.0",
        "createTime": "2027-01-15T08:00:00.000Z",
        "creator": "Palio",
        "status": "Complete",
    }
    assert told(root, "iof:Event/iof:Name") == ["Spring exam"]
    assert told(root, "iof:Event/iof:StartTime/iof:Date") == ["2027-01-15"]
    assert told(root, "iof:Event/iof:StartTime/iof:Time") == ["08:00:00.000Z"]
    results = "iof:ClassResult/iof:PersonResult"
    assert told(root, f"{results}/iof:Person/iof:Name/iof:Family") == ["Ann <&>", "Bo", "3"]
    assert told(root, f"{results}/iof:Result/iof:Time") == ["2814", "2814.5", "2814.5"]
    assert told(root, f"{results}/iof:Result/iof:TimeBehind") == ["0", "0.5", "0.5"]
    assert told(root, f"{results}/iof:Result/iof:Position") == ["1", "2", "2"]
    assert set(told(root, f"{results}/iof:Result/iof:Status")) == {"OK"}
    assert root.find("iof:ClassResult", IN).attrib == {"timeResolution": "0.1"}  # type: ignore[union-attr]


def test_points_are_a_score_and_a_running_one_is_a_snapshot() -> None:
    root = ET.fromstring(b"".join(write_iof(table(), BEGIN_MS)))
    assert root.attrib["status"] == "Snapshot"
    result = "iof:ClassResult/iof:PersonResult/iof:Result"
    assert told(root, f"{result}/iof:Score") == ["912.5", "70", "0.5", "-12.05"]
    assert told(root, f"{result}/iof:Time") == []


def test_without_rows_it_is_whole_too() -> None:
    root = ET.fromstring(b"".join(write_iof(results_table(tournament([]), "finished"), BEGIN_MS)))
    assert root.findall("iof:ClassResult/iof:PersonResult", IN) == []
