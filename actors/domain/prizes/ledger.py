"""The ledger of a tournament's prizes: what is owed, approved, paid and taken back, and how it follows the final table.

An entry is one prize of one winner by one rule, or a claw-back of one that was paid; `n` numbers the entries of a winner and rule. Its key
never means another amount once it was sent to whoever pays: so a payment that is sent twice is one payment.

For each winner and rule, what is paid and what is open add up to what the final table gives (`reconcile`), but for what an operator revoked.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, Literal, NamedTuple

from actors.domain.prizes.allocation import Award
from actors.domain.prizes.money import amount_text
from actors.domain.prizes.rules import PrizeRule

State = Literal["pending_review", "approved", "paying", "paid", "failed", "revoked"]
Event = Literal["approve", "change", "pay", "settle", "fail", "revoke", "restore"]
STATES: Final[tuple[State, ...]] = ("pending_review", "approved", "paying", "paid", "failed", "revoked")
TRANSITIONS: Final[dict[tuple[State, Event], State]] = {
    ("pending_review", "approve"): "approved",
    ("pending_review", "change"): "pending_review",  # the final table gives another amount
    ("pending_review", "revoke"): "revoked",
    ("approved", "change"): "pending_review",
    ("approved", "pay"): "paying",
    ("approved", "revoke"): "revoked",
    ("paying", "pay"): "paying",  # once more, with the same key
    ("paying", "settle"): "paid",
    ("paying", "fail"): "failed",
    ("failed", "approve"): "approved",
    ("failed", "revoke"): "revoked",
    ("revoked", "approve"): "approved",  # an operator thinks better of it
    ("revoked", "restore"): "pending_review",  # the final table gives it again
}
OPEN: Final = ("pending_review", "approved", "failed")
TABLE: Final = 0  # `changed_by` of what followed the final table, instead of a user's id


class PrizeTransitionError(Exception):
    """An event that the state of an entry forbids; the message names both."""


class Entry(NamedTuple):
    """See the module. `units` of `currency`, or of `item`; times in ms since 1970.

    `claimed_ms` None: the winner has not asked for it; that matters where `claim` is set. `due_ms`: paid, or tried again, not before.
    `attempts`: how often it was sent. `version` grows with each change. `changed_by`: the user id of who did, or TABLE.
    """

    tournament_id: int
    rule: int
    user_id: int
    n: int
    kind: Literal["prize", "claw_back"]
    rank: int
    units: int
    currency: str
    item: str
    group: str | None
    state: State
    claim: bool
    claimed_ms: int | None
    attempts: int
    due_ms: int
    created_ms: int
    changed_ms: int
    changed_by: int
    reason: str
    reference: str
    version: int

    @property
    def key(self) -> str:
        """Names this payment for ever, also to whoever pays it."""
        return f"{self.tournament_id}-{self.rule}-{self.user_id}-{self.n}"

    @property
    def payable(self) -> bool:
        """Whether it may be sent to whoever pays (again)."""
        waits = self.claim and self.claimed_ms is None and self.kind == "prize"
        return self.state == "paying" or (self.state == "approved" and not waits)


def what_is_won(entry: Entry) -> str:
    """What an entry is of, in a few characters: `100.01 EUR`, `2 x mug`."""
    if entry.currency:
        return f"{amount_text(entry.units, entry.currency)} {entry.currency}"
    return entry.item if entry.units == 1 else f"{entry.units} x {entry.item}"


def moved(
    entry: Entry, event: Event, now_ms: int, by: int = TABLE, reason: str = "", **more: int | str | None
) -> Entry:
    """The entry after an event. Raises PrizeTransitionError."""
    after = TRANSITIONS.get((entry.state, event))
    if after is None:
        raise PrizeTransitionError(f"cannot {event} a prize that is {entry.state}")
    changes = {"state": after, "changed_ms": now_ms, "changed_by": by, "reason": reason, **more}
    return entry._replace(version=entry.version + 1, **changes)  # type: ignore[arg-type]  # names and types are Entry's


class Reconciled(NamedTuple):
    """The entries to write, new (version 1) or changed; `deferred`: something is just being paid, so look again."""

    entries: list[Entry]
    deferred: bool


def reconcile(
    tournament_id: int,
    rules: Sequence[PrizeRule],
    entries: Iterable[Entry],
    awards: Iterable[Award],
    now_ms: int,
    *,
    approve: bool = False,
    reopened: bool = False,
) -> Reconciled:
    """What makes the ledger follow the final table; nothing where it does. `approve`: prizes need nobody's review (claw-backs do).

    `reopened`: there is no final table any more, so there are no awards.
    """
    lost = "reopened" if reopened else "standings_changed"
    wanted = {(award.rule, award.user_id): award for award in awards}
    known: dict[tuple[int, int], list[Entry]] = {key: [] for key in wanted}
    for entry in entries:
        known.setdefault((entry.rule, entry.user_id), []).append(entry)
    changed: list[Entry] = []
    deferred = False
    for key, history in known.items():
        history.sort(key=lambda entry: entry.n)
        award = wanted.get(key)
        owed = (0 if award is None else award.units) - sum(map(_signed, history))
        if owed and any(entry.state == "paying" for entry in history):
            deferred = True
            continue
        followed = {entry.n: entry for entry in _follow(tournament_id, rules, history, award, owed, now_ms, lost)}
        if approve:
            now = {entry.n: entry for entry in history} | followed
            reviewed = [entry for entry in now.values() if entry.state == "pending_review" and entry.kind == "prize"]
            followed |= {
                entry.n: entry._replace(state="approved") if entry.n in followed else moved(entry, "approve", now_ms)
                for entry in reviewed
            }
        changed.extend(followed.values())
    return Reconciled(changed, deferred)


def _signed(entry: Entry) -> int:
    """What the winner has by an entry, or is about to have."""
    if entry.state not in ("paying", "paid"):
        return 0
    return entry.units if entry.kind == "prize" else -entry.units


def _follow(
    tournament_id: int,
    rules: Sequence[PrizeRule],
    history: list[Entry],
    award: Award | None,
    owed: int,
    now_ms: int,
    lost: str,
) -> list[Entry]:
    """The changes of one winner's entries by one rule, of which the newest alone can be open; `lost`: why what is open is revoked."""
    last = history[-1] if history else None
    if last is not None and last.state == "revoked" and last.changed_by != TABLE:
        return []  # an operator's word stands
    kind: Literal["prize", "claw_back"] = "prize" if owed > 0 else "claw_back"
    changes: list[Entry] = []
    if last is not None and last.state in (*OPEN, "revoked"):
        same = (last.kind, last.units) == (kind, abs(owed))
        rank = last.rank if award is None else award.rank
        if not owed:
            return [] if last.state == "revoked" else [moved(last, "revoke", now_ms, reason=lost)]
        if same and last.state != "revoked":
            return [] if rank == last.rank else [last._replace(rank=rank, version=last.version + 1)]
        if same or not last.attempts:  # its key was never sent with another amount
            event: Event = "restore" if last.state == "revoked" else "change"
            return [moved(last, event, now_ms, kind=kind, units=abs(owed), rank=rank)]
        if last.state != "revoked":
            changes.append(moved(last, "revoke", now_ms, reason=lost))
    if not owed:
        return changes
    changes.append(_entry(tournament_id, rules, history, award, owed, now_ms))
    return changes


def _entry(
    tournament_id: int,
    rules: Sequence[PrizeRule],
    history: Sequence[Entry],
    award: Award | None,
    owed: int,
    now_ms: int,
) -> Entry:
    """A new one. Without an award there is a history; what it is of stays the same, since rules do not change after the start."""
    first = history[0] if history else None
    if award is None:
        assert first is not None
        award = Award(first.rule, first.user_id, first.rank, 0, first.group)
    rule = rules[award.rule]
    currency, item = rule.what
    return Entry(
        tournament_id=tournament_id,
        rule=award.rule,
        user_id=award.user_id,
        n=len(history),
        kind="prize" if owed > 0 else "claw_back",
        rank=award.rank,
        units=abs(owed),
        currency=currency,
        item=item,
        group=award.group,
        state="pending_review",
        claim=rule.claim is True,
        claimed_ms=None,
        attempts=0,
        due_ms=now_ms,
        created_ms=now_ms,
        changed_ms=now_ms,
        changed_by=TABLE,
        reason="",
        reference="",
        version=1,
    )
