"""Which parts of a submission a tournament takes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from msgspec import UNSET

from actors.domain.delivery import ScoreItem
from actors.domain.errors import ResultError
from actors.domain.messages import Custom, Penalty, Spec, Subscore, Weighted
from actors.domain.scoring import custom
from actors.domain.scoring.submissions import submission_score
from tests.support.submissions import Sent

WEIGHTED, SECOND = Weighted(fields={"correct": 2}), Subscore(order="asc")
PLAIN = ScoreItem(1, 0, 7, 1, "e", 100)


def spec(**fields: Any) -> Spec:
    return Spec(name="x", type="scheduled", **fields)


def come_to(given: Spec, score: int | None = None, subscore: int | None = None, result: Any = None) -> Any:
    item = Sent(1, "e", score, subscore, result).item(1, 0, 7)
    try:
        return submission_score(given, item)
    except ResultError as error:
        return error.path


@pytest.fixture(autouse=True)
def _functions() -> Iterator[None]:
    custom.register({"one": lambda _r, _o: 1, "two": lambda _r, _o: (1, 2)})
    yield
    custom.register({})


@pytest.mark.parametrize(
    ("given", "sent", "wanted"),
    [
        (spec(), {"score": 5}, (5, None)),
        (spec(), {"score": 5, "subscore": 1}, "subscore"),
        (spec(), {"result": {}}, "result"),
        (spec(subscore=SECOND), {"score": 5, "subscore": -1}, (5, -1)),
        (spec(subscore=SECOND), {"score": 5}, "subscore"),
        (spec(scoring=WEIGHTED), {"score": 5}, "result"),
        (spec(scoring=WEIGHTED), {"result": {"correct": 1}}, (200, None)),
        (spec(scoring=WEIGHTED), {"result": {"corect": 1}}, "result.corect"),
        (spec(scoring=WEIGHTED), {"result": {"correct": 1}, "subscore": 1}, "subscore"),
        (spec(scoring=WEIGHTED, subscore=SECOND), {"result": {"correct": 1}, "subscore": 9}, (200, 9)),
        (spec(scoring=WEIGHTED, subscore=SECOND), {"result": {"correct": 1}}, "subscore"),
        (spec(scoring=Penalty(), subscore=SECOND), {"result": {"problems": {"A": {"minutes": 3}}}}, (100, 300)),
        (spec(scoring=Penalty(), subscore=SECOND), {"result": {"problems": {}}, "subscore": 1}, "subscore"),
        (spec(scoring=Custom(function="two"), subscore=SECOND), {"result": {}}, (100, 200)),
        (spec(scoring=Custom(function="two")), {"result": {}}, (100, None)),
        (spec(scoring=Custom(function="one"), subscore=SECOND), {"result": {}, "subscore": 7}, (100, 7)),
        (spec(scoring=Custom(function="one"), subscore=SECOND), {"result": {}}, "subscore"),
    ],
)
def test_what_fits_comes_to_a_score_and_what_does_not_is_named(given: Spec, sent: dict[str, Any], wanted: Any) -> None:
    assert come_to(given, **sent) == wanted


def test_a_plain_score_where_more_is_wanted() -> None:
    assert submission_score(spec(), PLAIN) == (100, None)
    for given in (spec(scoring=WEIGHTED), spec(subscore=SECOND)):
        with pytest.raises(ResultError):
            submission_score(given, PLAIN)
    assert msgspec.json.decode(msgspec.json.encode(spec(scoring=WEIGHTED)), type=Spec).subscore is UNSET
