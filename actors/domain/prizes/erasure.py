"""Prizes by the rank within a group, once a winner was erased (`actors.domain.commands.erasure`), whose group nobody knows any more.

What was won stays, and nobody moves up to it: by a rule one of whose winners was erased the ledger stands as it is, but for winners who are
in the table no more. Where nothing of a rule is won any more, since the tournament was reopened, the next final table gives it anew.
What the ledger has of the group of one who was erased goes, too.
"""

from __future__ import annotations

from collections.abc import Sequence, Set

from msgspec import UNSET

from actors.domain.prizes.allocation import Award
from actors.domain.prizes.ledger import Entry, Reconciled
from actors.domain.prizes.rules import PrizeRule
from actors.domain.tournament import Tournament

Winner = tuple[int, int]  # the number of a rule, a user id


def erased_winners(state: Tournament, rules: Sequence[PrizeRule], entries: Sequence[Entry]) -> set[Winner]:
    """Who won within a group, and is in none now."""
    erased: set[Winner] = set()
    for entry in entries:
        board = rules[entry.rule].board if entry.rule < len(rules) else UNSET
        if board is UNSET or board not in state.groups:
            continue
        slot = state.members.users.slot(entry.user_id)
        if slot < 0 or state.groups[board].of(slot) is None:
            erased.add((entry.rule, entry.user_id))
    return erased


def standing_awards(
    state: Tournament, entries: Sequence[Entry], awards: Sequence[Award], erased: Set[Winner]
) -> list[Award]:
    """The awards of a final table, of the rules by which somebody was erased those of the ledger."""
    standing = {rule for rule, _ in erased} & {entry.rule for entry in entries if entry.state != "revoked"}
    given: dict[Winner, Award] = {}
    for entry in sorted(entries, key=lambda entry: entry.n):
        if entry.rule not in standing or entry.state == "revoked":
            continue
        key = entry.rule, entry.user_id
        units = entry.units if entry.kind == "prize" else -entry.units
        before = given[key].units if key in given else 0
        given[key] = Award(*key, entry.rank, before + units, None if key in erased else entry.group)
    kept = [award for award in given.values() if award.units > 0 and _has_rank(state, award.user_id)]
    return [award for award in awards if award.rule not in standing] + kept


def without_groups(made: Reconciled, entries: Sequence[Entry], erased: Set[Winner]) -> Reconciled:
    """The same, and no entry of one who was erased names their group; one that is just being paid is to be looked at again."""
    changed = {entry.key: entry for entry in made.entries}
    deferred = made.deferred
    for entry in entries:
        if entry.group is None or (entry.rule, entry.user_id) not in erased:
            continue
        if entry.state == "paying":
            deferred = True
        elif entry.key in changed:
            changed[entry.key] = changed[entry.key]._replace(group=None)
        else:
            changed[entry.key] = entry._replace(group=None, version=entry.version + 1)
    return Reconciled(list(changed.values()), deferred)


def _has_rank(state: Tournament, user_id: int) -> bool:
    slot = state.members.users.slot(user_id)
    return state.status == "finished" and slot >= 0 and state.ranking.rank(slot) is not None
