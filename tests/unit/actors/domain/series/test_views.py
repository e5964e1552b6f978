"""How series and boards are shown."""

from __future__ import annotations

from actors.domain.series import views
from actors.domain.series.children import board_id, occurrence_id
from tests.unit.actors.domain.commands.test_family import LEAGUE, Parent
from tests.unit.actors.domain.series.test_placing import cohorts, landed
from tests.unit.actors.domain.test_fold import World


def test_what_is_not_written_yet_is_not_listed() -> None:
    parent = Parent()
    parent.open(600, 0, 1000)
    parent.open(600, 1000, 2000)
    parent.written(1)
    shown = views.series(parent.now, "scheduled")
    assert shown is not None
    assert [item["id"] for item in shown["tournaments"]] == [str(occurrence_id(parent.now, 1000))]
    parent.written(2)
    shown = views.series(parent.now, "scheduled")
    assert shown is not None
    assert [item["at"] for item in shown["tournaments"]] == ["1970-01-01T00:00:02.000Z", "1970-01-01T00:00:01.000Z"]


def test_a_league_lists_its_tiers() -> None:
    parent = Parent(league=LEAGUE)
    parent.open(600, 0, 1000)
    parent.written(3)
    parent.standings(1000)
    shown = views.series(parent.now, "scheduled")
    assert shown is not None
    assert [(item["tier"], item["decided"]) for item in shown["tournaments"]] == [(1, True), (2, True), (3, True)]
    assert shown["league"] == {"tiers": 3, "promote": 1, "demote": 1}


def test_boards_come_in_pages() -> None:
    parent = cohorts(2)
    for user in range(1, 6):
        landed(parent, 600, user)
    page = views.cohorts(parent.now, 1, 1)
    assert page == {
        "items": [{"number": 2, "tournament_id": str(board_id(parent.now, 2)), "seats": 2}],
        "next_cursor": "2",
    }
    assert views.cohorts(parent.now, 2, 9)["items"][0]["seats"] == 1
    assert views.cohorts(parent.now, 3, 9) == {"items": [], "next_cursor": None}


def test_others_are_no_series_and_have_no_boards() -> None:
    assert views.series(World().now, "scheduled") is None
    assert views.cohorts(World().now, 0, 9) == {"items": [], "next_cursor": None}
