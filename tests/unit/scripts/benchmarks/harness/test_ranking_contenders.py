"""That the benchmark compares like with like: Redis takes part in tests/e2e alone, by `scripts/bench ranking`."""

from __future__ import annotations

from random import Random

from actors.owner.applier import RANKS_IN_BULK
from scripts.benchmarks.harness.ranking_contenders import Palio, SortedListAndDict


def test_all_come_to_the_same_table() -> None:
    r = Random(5)
    palio, other = Palio(), SortedListAndDict()
    users = list(range(1, 200))
    for contender in (palio, other):
        contender.write(users, [0] * len(users))
    for size in (1, RANKS_IN_BULK - 1, RANKS_IN_BULK, 3 * RANKS_IN_BULK):
        some, scores = r.sample(users, size), [r.randrange(10**6) for _ in range(size)]
        palio.write_and_rank(some, scores)
        other.write_and_rank(some, scores)
        ranked = [palio.users.user_id(slot) for slot in palio.ranking.slots(0, len(users)).tolist()]
        known = [user for _, _, user in other.order]
        scored = {user: -score for score, _, user in other.order}
        assert [palio.ranking.score(palio.users.slot(user)) for user in known] == [scored[user] for user in known]
        assert [scored[user] for user in ranked] == [scored[user] for user in known]
    assert palio.cpu_s() > 0
    assert other.cpu_s() > 0
