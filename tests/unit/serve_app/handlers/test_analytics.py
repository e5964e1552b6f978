"""Analytics as operators see them: exact numbers, as JSON and CSV; for nobody else."""

from __future__ import annotations

import csv
import io
import statistics
from collections.abc import AsyncIterator
from fractions import Fraction
from math import isqrt
from typing import Any, Final
from xml.etree import ElementTree as ET

import pytest

from actors.analytics.collector import Collector
from scripts.demo.data import schools, table
from storage.ports import Point, SeriesUnavailableError
from tests.support.front import SCHEDULED, Front, open_front, problem, wrong_paths
from tests.support.memory_ports import MemoryMetrics

SVG: Final = "{http://www.w3.org/2000/svg}"
SUMMARY, SERIES, ONE = "/v1/analytics/summary", "/v1/analytics/series", "/v1/analytics/tournaments"
HOUR = {"from": "2027-01-15T08:00:00.000Z", "to": "2027-01-15T09:00:00.000Z"}
NOTHING = dict.fromkeys(("average", "stddev", "min", "q1", "median", "q3", "max")) | {"count": 0}


@pytest.fixture
async def front() -> AsyncIterator[Front]:
    async with open_front() as opened:
        yield opened


async def played(front: Front, scores: dict[int, list[float]], **spec: Any) -> str:
    """A tournament with these scores by user, those of one 10 s apart, which has ended; who has no scores joined."""
    tournament = await front.create({**SCHEDULED, "max_attempts": 2, **spec})
    for user in scores:
        assert (await front.join(tournament, user, name=f"P{user}")).status_code == 201
    for n in range(2):
        for user, sent in scores.items():
            if n < len(sent):
                body = {"event_id": f"{user}-{n}", "score": sent[n]}
                assert (await front.submit(tournament, user, body)).status_code == 202
        front.palio.now_ms += 10_000
    assert (await front.call("POST", f"/v1/tournaments/{tournament}/end", front.token())).status_code == 200
    await collected(front)
    return tournament


async def collected(front: Front) -> None:
    await Collector(front.palio.records, front.palio.attempts, front.palio.series).round()


async def asked(front: Front, path: str, **query: Any) -> Any:
    response = await front.call("GET", path, front.token("operator"), params=query)
    assert response.status_code == 200, response.text
    assert response.headers["cache-control"] == "private, no-store"
    return response.json()


async def as_csv(front: Front, path: str, **query: Any) -> list[dict[str, str]]:
    response = await front.client.get(path, headers=front.token("operator"), params={**query, "format": "csv"})
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "text/csv; charset=utf-8"
    return list(csv.DictReader(io.StringIO(response.text)))


async def test_all_there_is_to_tell_of_one(front: Front) -> None:
    tournament = await played(front, {1: [10], 2: [20.01, 5], 3: [30, 40.02], 4: []})
    body = await asked(front, f"{ONE}/{tournament}")
    assert (body["tournament_id"], body["status"], body["name"]) == (tournament, "finished", "Spring exam")
    assert (body["participants"], body["scored"], body["completed"], body["submissions"]) == (4, 3, 2, 5)
    assert (body["participation_rate"], body["completion_rate"]) == (0.75, 0.5)
    # 10, 20.01, 40.02: the mean is 23.3433, the variance 156.2... of the population
    assert body["scores"] == {
        "count": 3, "average": 23.34, "stddev": 12.48, "min": 10, "q1": 15.01, "median": 20.01, "q3": 30.02, "max": 40.02,
    }  # fmt: skip
    assert sum(each["count"] for each in body["histogram"]) == 3
    assert body["attempts"] == [{"time": "2027-01-15T08:00:00.000Z", "submissions": 5, "joins": 4}]
    (standing,) = body["standings"]
    assert standing["scores"] == body["scores"]
    players = body["curves"]["players"]
    assert [(each["user_id"], each["name"], each["ranks"], each["scores"]) for each in players] == [
        ("3", "P3", [1], [40.02]), ("2", "P2", [2], [20.01]), ("1", "P1", [3], [10]),
    ]  # fmt: skip


async def test_one_that_has_not_begun_and_one_without_anybody(front: Front) -> None:
    tournament = await front.create()
    body = await asked(front, f"{ONE}/{tournament}")
    assert (body["participants"], body["participation_rate"], body["scores"]) == (0, None, NOTHING)
    assert (body["histogram"], body["attempts"], body["standings"]) == ([], [], [])
    for unknown in ("5", "x"):
        answer = await front.call("GET", f"{ONE}/{unknown}", front.token("operator"))
        assert problem(answer) == (404, "tournament_unknown")


async def test_a_running_one_is_shown_as_it_is_though_its_table_is_frozen_and_private(front: Front) -> None:
    tournament = await front.create(freeze_s=7_200, visibility="private")
    await front.call("PUT", f"/v1/tournaments/{tournament}/participants/7", front.token("service"), json={"name": "P7"})
    await front.submit(tournament, 7, {"event_id": "a", "score": 5})
    table = (await front.call("GET", f"/v1/tournaments/{tournament}/rankings", front.token("player", 7))).json()
    assert table["total"] == 0, "frozen from its begin"
    body = await asked(front, f"{ONE}/{tournament}")
    assert (body["status"], body["scored"], body["scores"]["median"]) == ("running", 1, 5)


async def test_the_summary_puts_all_scores_of_a_range_together(front: Front) -> None:
    await played(front, {1: [10], 2: [20]})
    await played(front, {1: [1.01], 5: []})
    body = await asked(front, SUMMARY, **HOUR)
    assert (body["created"], body["finished"], body["cancelled"], body["joins"], body["submissions"]) == (2, 2, 0, 4, 3)
    assert (body["participants"], body["scored"], body["participation_rate"]) == (4, 3, 0.75)
    assert (body["scores"]["average"], body["scores"]["median"], body["scores"]["count"]) == (10.34, 10, 3)
    assert [each["type"] for each in body["types"]] == ["scheduled", "instant"]
    assert body["types"][0]["scores"] == body["scores"]
    assert body["types"][1]["scores"] == NOTHING
    only = await asked(front, SUMMARY, **HOUR, type="instant")
    assert (only["type"], only["finished"], len(only["types"])) == ("instant", 0, 1)
    before = await asked(front, SUMMARY, **{"from": "2027-01-15T06:00:00Z", "to": "2027-01-15T07:00:00Z"})
    assert (before["created"], before["participation_rate"], before["scores"]) == (0, None, NOTHING)
    rows = await as_csv(front, SUMMARY, **HOUR)
    assert [row["type"] for row in rows] == ["all", "scheduled", "instant"]
    assert (rows[0]["median"], rows[0]["participants"], rows[2]["median"]) == ("10", "4", "")


async def test_series_by_steps(front: Front) -> None:
    await played(front, {1: [10], 2: [20]})
    front.palio.now_ms += 600_000
    await played(front, {1: [1.01], 5: []})

    async def values(metric: str, **query: Any) -> list[Any]:
        body = await asked(front, SERIES, metric=metric, step="600", **{**HOUR, **query})
        assert (body["metric"], body["step_s"], body["from"], body["to"]) == (metric, 600, HOUR["from"], HOUR["to"])
        assert [point["time"][14:16] for point in body["points"]] == ["00", "10", "20", "30", "40", "50"]
        return [point["value"] for point in body["points"]]

    assert await values("submissions") == [2, 1, 0, 0, 0, 0]
    assert await values("joins") == [2, 2, 0, 0, 0, 0]
    assert await values("created") == [1, 1, 0, 0, 0, 0]
    assert await values("finished", type="scheduled") == [1, 1, 0, 0, 0, 0]
    assert await values("finished", type="instant") == [0] * 6
    assert await values("participation_rate") == [1, 0.5, None, None, None, None]
    assert await values("completion_rate") == [0, 0, None, None, None, None]
    assert await values("average_score") == [15, 1.01, None, None, None, None]
    assert await values("median_score") == [15, 1.01, None, None, None, None]
    assert await values("stddev_score") == [5, 0, None, None, None, None]
    assert await values("q1_score") == [12.5, 1.01, None, None, None, None]
    assert await values("q3_score") == [17.5, 1.01, None, None, None, None]


async def test_a_series_of_one_tournament_is_of_its_tables(front: Front) -> None:
    tournament = await played(front, {1: [10, 12], 2: [20]})
    front.palio.now_ms += 60_000

    async def values(metric: str) -> list[Any]:
        query = {**HOUR, "to": "2027-01-15T08:02:00Z", "step": "60", "metric": metric, "tournament": tournament}
        body = await asked(front, SERIES, **query)
        assert body["tournament"] == tournament
        return [point["value"] for point in body["points"]]

    assert await values("median_score") == [16, None]
    assert await values("participation_rate") == [1, None]
    assert await values("completion_rate") == [0.5, None]
    assert await values("submissions") == [3, 0]


async def test_what_entrypoints_did(front: Front) -> None:
    def point(process: str, minute: int, **fields: int) -> Point:
        fields = {f"le{n}": 0 for n in range(14)} | {"socket_ms": 0} | fields
        return Point("entrypoint", {"process": process}, fields, 1_800_000_000_000 + minute * 60_000)

    front.palio.series.points += [
        point("a", 0, le3=9, le5=1, socket_ms=300_000), point("b", 0, le0=10, socket_ms=60_000), point("a", 2, socket_ms=1),
    ]  # fmt: skip

    async def values(metric: str) -> list[Any]:
        body = await asked(front, SERIES, metric=metric, step="60", **{**HOUR, "to": "2027-01-15T08:03:00Z"})
        return [point["value"] for point in body["points"]]

    assert await values("sockets") == [6, 0, 0]
    assert await values("latency_p50") == [1, None, None]
    assert await values("latency_p95") == [10, None, None]
    for name, value in (("type", "instant"), ("tournament", "5")):
        answer = await front.call("GET", SERIES, front.token("operator"), params={"metric": "sockets", name: value})
        assert wrong_paths(answer) == [name]


async def test_csv_by_format_or_accept(front: Front) -> None:
    tournament = await played(front, {1: [10, 12], 2: [20]})
    rows = await as_csv(front, SERIES, metric="median_score", step="1800", **HOUR)
    assert rows == [
        {"time": "2027-01-15T08:00:00.000Z", "median_score": "16"}, {"time": "2027-01-15T08:30:00.000Z", "median_score": ""},
    ]  # fmt: skip
    rows = await as_csv(front, f"{ONE}/{tournament}")
    assert [row["median"] for row in rows] == ["16", "16"]
    rows = await as_csv(front, f"{ONE}/{tournament}", table="curves")
    assert [(row["user_id"], row["rank"], row["score"]) for row in rows] == [("2", "1", "20"), ("1", "2", "12")]
    assert (await as_csv(front, f"{ONE}/{tournament}", table="attempts"))[0]["submissions"] == "3"
    assert len(await as_csv(front, f"{ONE}/{tournament}", table="histogram")) <= 20
    headers = front.token("operator")
    for accept, expected in (("text/csv", "text/csv"), ("text/csv, application/json", "application/json")):
        response = await front.client.get(SUMMARY, headers={**headers, "accept": accept})
        assert response.headers["content-type"].startswith(expected)
        assert response.headers["vary"] == "authorization, accept"
    response = await front.client.get(SUMMARY, headers={**headers, "accept": "text/csv"}, params={"format": "json"})
    assert response.headers["content-type"] == "application/json"


async def test_a_name_is_no_formula_for_a_spreadsheet(front: Front) -> None:
    tournament = await front.create()
    await front.join(tournament, 1, name="=cmd|' /C calc'!A0")
    await front.submit(tournament, 1, {"event_id": "a", "score": -5})
    (row,) = await as_csv(front, f"{ONE}/{tournament}", table="curves")
    assert row["name"] == "'=cmd|' /C calc'!A0"
    assert row["score"] == "-5", "a number is one"


@pytest.mark.parametrize(
    ("path", "query", "field"),
    [
        (SUMMARY, {"from": "yesterday"}, "from"),
        (SUMMARY, {"to": "2027-13-01T00:00:00Z"}, "to"),
        (SUMMARY, {"from": "2027-01-02T00:00:00Z", "to": "2027-01-02T00:00:00Z"}, "from"),
        (SUMMARY, {"type": "series"}, "type"),
        (SUMMARY, {"format": "xml"}, "format"),
        (SERIES, {}, "metric"),
        (SERIES, {"metric": "scores"}, "metric"),
        (SERIES, {"metric": "submissions", "step": "59"}, "step"),
        (SERIES, {"metric": "submissions", "step": "90"}, "step"),
        (SERIES, {"metric": "submissions", "step": "60", "from": "2026-01-02T00:00:00Z"}, "step"),
        (SERIES, {"metric": "submissions", "tournament": "0"}, "tournament"),
    ],
)
async def test_a_wrong_parameter_is_named(front: Front, path: str, query: dict[str, str], field: str) -> None:
    assert wrong_paths(await front.call("GET", path, front.token("operator"), params=query)) == [field]


async def test_a_table_that_there_is_not_is_named(front: Front) -> None:
    tournament = await front.create()
    query = {"format": "csv", "table": "x"}
    answer = await front.call("GET", f"{ONE}/{tournament}", front.token("operator"), params=query)
    assert wrong_paths(answer) == ["table"]


async def test_it_is_for_operators_alone(front: Front) -> None:
    tournament = await front.create()
    for path in (SUMMARY, f"{SERIES}?metric=submissions", f"{ONE}/{tournament}", f"{ONE}/5"):
        assert problem(await front.call("GET", path)) == (401, "token_missing")
        for role in ("player", "service"):
            assert problem(await front.call("GET", path, front.token(role, 7))) == (403, "role_forbidden")


async def test_while_a_store_is_away(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    tournament = await front.create()

    async def away(*_: Any, **__: Any) -> Any:
        raise SeriesUnavailableError("away")

    for name in ("read", "sums"):
        monkeypatch.setattr(MemoryMetrics, name, away)
    for query in ({"metric": "submissions"}, {"metric": "median_score"}):
        answer = await front.call("GET", SERIES, front.token("operator"), params=query)
        assert problem(answer) == (503, "unavailable")
        assert int(answer.headers["retry-after"]) >= 1
    assert (await front.call("GET", f"{ONE}/{tournament}", front.token("operator"))).status_code == 200
    front.palio.records.down = True
    assert problem(await front.call("GET", f"{ONE}/{tournament}", front.token("operator")))[0] == 503


async def test_too_many_scores_for_one_answer(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    await played(front, {1: [10], 2: [20]})
    monkeypatch.setattr("serve_app.services.analytics.MAX_SCORES", 1)
    answer = await front.call("GET", SUMMARY, front.token("operator"), params=HOUR)
    assert wrong_paths(answer) == ["from"]


async def picture(front: Front, tournament: str, **query: str) -> bytes:
    response = await front.client.get(f"{ONE}/{tournament}/picture", headers=front.token("operator"), params=query)
    assert response.status_code == 200, response.text
    form = query.get("format", "svg")
    assert response.headers["content-type"] == {"svg": "image/svg+xml", "png": "image/png"}[form]
    assert f".{form}" in response.headers["content-disposition"]
    return bytes(response.content)


async def test_a_report_is_drawn_as_svg_and_png(front: Front) -> None:
    name = "Exam $x^2$ <b> & more"
    tournament = await played(front, {1: [50.0, 60.0], 2: [70.0], 3: []}, name=name)
    whole = (await picture(front, tournament)).decode()
    texts = ["".join(each.itertext()).strip() for each in ET.fromstring(whole).iter(f"{SVG}text")]
    assert f"{name} (final)" in texts
    assert "participants 3, with a score 2, done 1; scores counted 3" in texts
    assert {"1. P2", "2. P1"} <= set(texts)
    assert (await picture(front, tournament)).decode() == whole
    assert (await picture(front, tournament, format="png", theme="dark")).startswith(b"\x89PNG")
    curves = (await picture(front, tournament, part="curves")).decode()
    assert "1. P2" in curves
    assert "participants" not in curves
    for wrong in ({"format": "gif"}, {"part": "x"}, {"theme": "x"}):
        response = await front.client.get(f"{ONE}/{tournament}/picture", headers=front.token("operator"), params=wrong)
        assert wrong_paths(response) == list(wrong)


async def test_of_nobody_the_pictures_say_so(front: Front) -> None:
    tournament = await front.create(SCHEDULED)
    drawn = (await picture(front, tournament)).decode()
    assert drawn.count("Nobody has a score.") == 2
    assert "Nobody has joined." in drawn


async def test_times_are_drawn_as_times(front: Front) -> None:
    tournament = await played(front, {1: [2814.0], 2: [3700.5]}, display={"unit": "time", "decimals": 0}, order="asc")
    drawn = (await picture(front, tournament)).decode()
    assert "lower quartile 50:35" in drawn


def rounded(exact: Fraction) -> float:
    """Hundredths, half away from zero, as shown."""
    whole = int(abs(exact) + Fraction(1, 2))
    return (-whole if exact < 0 else whole) / 100


def computed(scores: list[int]) -> dict[str, Any]:
    """Statistics of hundredths, by Python's own module."""
    exact = [Fraction(score) for score in sorted(scores)]
    q1, q2, q3 = statistics.quantiles(exact, n=4, method="inclusive")
    variance = statistics.pvariance(exact)
    root = Fraction(isqrt(int(4 * variance)) + 1, 2)  # half hundredths, cut: enough for rounding
    return {
        "count": len(exact),
        "average": rounded(statistics.mean(exact)),
        "stddev": int(root) / 100,
        "min": rounded(exact[0]),
        "q1": rounded(q1),
        "median": rounded(q2),
        "q3": rounded(q3),
        "max": rounded(exact[-1]),
    }


async def test_each_number_is_what_the_demos_data_gives(front: Front) -> None:
    contests = sorted(schools(), key=lambda contest: len(contest.entries))[8:12]
    finals: list[int] = []
    for contest in contests:
        spec = {"score_policy": "best", "max_attempts": 2, "order": contest.order, "ties": contest.ties}
        sent = {entry.user_id: [each.score / 100 for each in contest.results if each.user_id == entry.user_id]
                for entry in contest.entries}  # fmt: skip
        tournament = await played(front, sent, **spec)
        rows = table(contest.results, contest.order, contest.ties)
        scores = [row.score for row in rows]
        finals += scores
        found = await asked(front, f"{ONE}/{tournament}")
        assert found["scores"] == computed(scores)
        assert (found["participants"], found["scored"], found["completed"]) == (len(sent), len(rows), len(sent))
        assert found["submissions"] == sum(each["submissions"] for each in found["attempts"]) == len(contest.results)
        assert sum(each["joins"] for each in found["attempts"]) == len(sent)
        for each in found["histogram"]:
            assert each["count"] == sum(each["from"] * 100 <= score < each["to"] * 100 for score in scores)
        assert sum(each["count"] for each in found["histogram"]) == len(scores)
        tops = found["curves"]["players"]
        assert sorted((each["ranks"][-1], each["scores"][-1]) for each in tops) == [
            (row.rank, row.score / 100) for row in rows[:10]
        ]
        assert {int(each["user_id"]) for each in tops} <= {row.user_id for row in rows if row.score >= rows[9].score}
        point = next(
            each["value"]
            for each in (await asked(front, SERIES, metric="median_score", tournament=tournament, **HOUR))["points"][
                ::-1
            ]
            if each["value"] is not None
        )
        assert point == computed(scores)["median"]
    summary = await asked(front, SUMMARY, **HOUR)
    assert summary["scores"] == computed(finals)
    count = sum(len(contest.results) for contest in contests)
    assert (summary["created"], summary["finished"], summary["submissions"]) == (4, 4, count)
    for metric in ("submissions", "joins", "finished"):
        points = (await asked(front, SERIES, metric=metric, **HOUR))["points"]
        assert sum(each["value"] for each in points) == summary[metric]
