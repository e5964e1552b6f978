"""Pages of groups and teams: what the handlers' tests (test_boards.py) leave out."""

from __future__ import annotations

from actors.domain.boards.views import group_rankings, groups_of, groups_page, teams_of
from actors.domain.messages import Join, Spec, Subscore, Tick
from tests.support.histories import BEGIN_MS, Step, create_of, fold, items_of
from tests.support.submissions import Sent

SPEC = Spec(
    name="x", type="scheduled", starts_ms=BEGIN_MS, ends_ms=BEGIN_MS + 1000, ties="shared", boards=["country"],
    subscore=Subscore(order="asc"),
)  # fmt: skip


def test_equals_within_a_group_share_a_rank_and_all_pages_make_the_whole() -> None:
    steps = [Step(BEGIN_MS, create_of(SPEC))]
    for user in range(1, 8):
        join = Join(command_id=f"j{user}", user_id=str(user), attributes={"country": "ab"[user % 2]})
        sent = Sent(user, "e", 100, 10 * (user // 3), None)
        steps += [Step(BEGIN_MS, join), Step(BEGIN_MS + user, sent)]
    state = fold(items_of([*steps, Step(BEGIN_MS + 9, Tick())]))
    pages = []
    cursor: str | None = "0"
    while cursor is not None:
        page = group_rankings(state, "country", "b", int(cursor), 3, None, 1, 2, "running")
        assert page is not None
        pages += page["rows"]
        cursor = page["next_cursor"]
    assert [(row["user_id"], row["rank"], row["subscore"]) for row in pages] == [
        ("1", 1, 0), ("3", 2, 0.1), ("5", 2, 0.1), ("7", 4, 0.2),
    ]  # fmt: skip
    groups = groups_of(state, "country")
    assert groups is not None
    shown = groups_page(state, groups, 0, 1, 1, 2, "running")
    assert [(item["group"], item["participants"]) for item in shown["groups"]] == [("b", 4)]
    assert shown["position"] == {"epoch": 1, "seq": 2, "offset": state.offset}
    assert groups_of(state, "team") is None
    assert teams_of(state) is None
