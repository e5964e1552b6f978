"""How a participant is kept in a read model, and where it stands there: what `actors.domain.views` shows, without ranks.

Ranks and percentiles depend on everybody, so they are counted when somebody reads.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple, overload

import msgspec
import numpy as np
from msgspec import UNSET, UnsetType
from numpy.typing import NDArray

from actors.domain.ranking.keys import NO_KEY, TIE_BITS
from actors.domain.ranking.subscore_ranking import SubscoreRanking
from actors.domain.series.children import cohort_of
from actors.domain.tournament import Tournament
from actors.domain.values import MAX_HUNDREDTHS, decimal_score, rfc3339

_TIE_MASK: Final = (1 << TIE_BITS) - 1


class ReadModelParticipant(msgspec.Struct, gc=False):
    """A participant as kept there; `place` comes first, so that it is found there without decoding. Ids and times as in the contract.

    `more`: what few have, as it is shown.
    """

    place: str | None
    user_id: str
    name: str | None
    score: int | float | None
    previous_rank: int | None
    attempts: int
    scored_at: str | None
    subscore: int | float | UnsetType | None = UNSET
    boards: dict[str, str] | UnsetType = UNSET  # the group in each; ranks within groups are not counted here
    more: dict[str, Any] | UnsetType = UNSET


class ReadModelRow(NamedTuple):
    """A member's row. `score` in hundredths, None without one; `participant` is an encoded ReadModelParticipant, None for one who left.

    `place` orders the ranked members as listed (see `place_of`), None for one without a rank: equal scores are listed by who was first, which
    a score alone does not tell.
    """

    user_id: int
    score: int | None
    place: str | None
    participant: bytes | None


_encode = msgspec.json.Encoder().encode
decode_participant = msgspec.json.Decoder(ReadModelParticipant).decode


def place_of(key: int, submark: int | None = None) -> str:
    """A ranking's key as decimal digits that sort, as text, in listing order: those of the score first, then, where the tournament has
    a subscore, those of that, then the 9 of the tie. All but the last 9 are equal for equals.
    """
    second = "" if submark is None else f"{submark + MAX_HUNDREDTHS:011d}"
    return f"{(key >> TIE_BITS) + MAX_HUNDREDTHS:011d}{second}{key & _TIE_MASK:09d}"


def rows_of(state: Tournament, slots: Sequence[int], previous_ranks: Mapping[int, int]) -> list[ReadModelRow]:
    """The rows of some members as they are now; those who left have no participant."""
    if not slots:
        return []
    members = state.members
    columns = _Columns(state, np.array(slots, np.int32), members.names, members.attempts, members.scored_ms)
    return [
        row if members.active[slot] else ReadModelRow(row.user_id, None, None, None)
        for slot, row in zip(slots, columns.rows(slice(None), previous_ranks), strict=True)
    ]


class _Columns:
    """The columns of some members, from which their rows are made; `names`, `attempts` and `scored_ms` are those of all, by slot."""

    def __init__(
        self,
        state: Tournament,
        slots: NDArray[np.int32],
        names: Sequence[str | None],
        attempts: Sequence[int],
        scored_ms: Sequence[int],
    ) -> None:
        ranking = state.ranking
        self.slots = slots
        self._sign = -1 if state.spec.order == "desc" else 1
        self._users = state.members.users.user_ids(slots)
        self._keys = ranking.keys_of(slots)
        self._names, self._attempts, self._scored_ms = names, attempts, scored_ms
        self._subscores = _Subscores(ranking, slots) if isinstance(ranking, SubscoreRanking) else None
        self._groups = {board: groups.texts(slots.tolist()) for board, groups in state.groups.items()}
        self._disqualified = frozenset(state.members.disqualified)
        self._state = state

    def rows(self, which: slice, previous: Mapping[int, int]) -> list[ReadModelRow]:
        """The rows of some of them."""
        slots = self.slots[which].tolist()
        rows = zip(slots, self._users[which].tolist(), self._keys[which].tolist(), strict=True)
        if self._subscores is None and not self._groups:
            return [self._row(slot, user, key, previous.get(slot), None, None, UNSET) for slot, user, key in rows]
        seconds = [(None, None)] * len(slots) if self._subscores is None else self._subscores.pairs(which)
        groups = list(zip(*(texts[which] for texts in self._groups.values()), strict=True)) or [()] * len(slots)
        return [
            self._row(slot, user, key, previous.get(slot), *second, self._boards(inside))
            for (slot, user, key), second, inside in zip(rows, seconds, groups, strict=True)
        ]

    def _boards(self, inside: Sequence[str | None]) -> dict[str, str] | UnsetType:
        if not self._groups:
            return UNSET
        return {board: group for board, group in zip(self._groups, inside, strict=True) if group is not None}

    def _more(self, slot: int) -> dict[str, Any] | UnsetType:
        more: dict[str, Any] = {"disqualified": True} if slot in self._disqualified else {}
        if (cohort := cohort_of(self._state, slot)) is not None:  # which it stays for ever
            more["cohort"] = cohort
        return more or UNSET

    def _row(
        self,
        slot: int,
        user: int,
        key: int,
        previous: int | None,
        submark: int | None,
        subscore: int | None,
        boards: dict[str, str] | UnsetType,
    ) -> ReadModelRow:
        name, attempts, more = self._names[slot], self._attempts[slot], self._more(slot)
        if key == NO_KEY:
            nothing = UNSET if submark is None else None
            participant = ReadModelParticipant(
                None, str(user), name, None, previous, attempts, None, nothing, boards, more
            )
            return ReadModelRow(user, None, None, _encode(participant))
        score, place = self._sign * (key >> TIE_BITS), place_of(key, submark)
        second = UNSET if subscore is None else decimal_score(subscore)
        scored_at = rfc3339(self._scored_ms[slot])
        participant = ReadModelParticipant(
            place, str(user), name, decimal_score(score), previous, attempts, scored_at, second, boards, more
        )
        return ReadModelRow(user, score, place, _encode(participant))


class _Subscores:
    """The subscores of some members, and the marks by which they stand in order."""

    def __init__(self, ranking: SubscoreRanking, slots: NDArray[np.int32]) -> None:
        self._marks = ranking.submarks_of(slots)
        self._sign = ranking.subscore_sign

    def pairs(self, which: slice) -> list[tuple[int, int]]:
        """(mark, subscore in hundredths) of some of them."""
        return [(mark, self._sign * mark) for mark in self._marks[which].tolist()]


class CapturedRows(Sequence[ReadModelRow]):
    """All who take part, as of the moment this is made: columns are copied at once, rows encoded when they are asked for.

    To encode 100,000 rows takes some 300 ms, to copy their columns 2 ms (measured): so nobody waits for a large tournament.
    """

    def __init__(self, state: Tournament, previous_ranks: Mapping[int, int]) -> None:
        members = state.members
        slots = np.flatnonzero(np.frombuffer(bytes(members.active), np.uint8)).astype(np.int32)
        self._columns = _Columns(state, slots, list(members.names), members.attempts[:], members.scored_ms[:])
        self._previous = dict(previous_ranks)

    def __len__(self) -> int:
        return len(self._columns.slots)

    @overload
    def __getitem__(self, index: int) -> ReadModelRow: ...

    @overload
    def __getitem__(self, index: slice) -> list[ReadModelRow]: ...

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return self._columns.rows(index, self._previous)
        at = range(len(self))[index]
        return self._columns.rows(slice(at, at + 1), self._previous)[0]
