"""How a participant is kept in a read model, and where it stands there: what `actors.domain.views` shows, without ranks.

Ranks and percentiles depend on everybody, so they are counted when somebody reads.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple, overload

import msgspec
import numpy as np

from actors.domain.ranking.keys import NO_KEY, TIE_BITS
from actors.domain.tournament import Tournament
from actors.domain.values import MAX_HUNDREDTHS, decimal_score, rfc3339

_TIE_MASK: Final = (1 << TIE_BITS) - 1


class ReadModelParticipant(msgspec.Struct, gc=False):
    """A participant as kept there; `place` comes first, so that it is found there without decoding. Ids and times as in the contract."""

    place: str | None
    user_id: str
    name: str | None
    score: int | float | None
    previous_rank: int | None
    attempts: int
    scored_at: str | None


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


def place_of(key: int) -> str:
    """A ranking's key as decimal digits that sort, as text, in listing order: those of the score first, then those of the tie."""
    return f"{(key >> TIE_BITS) + MAX_HUNDREDTHS:011d}{key & _TIE_MASK:09d}"


def rows_of(state: Tournament, slots: Sequence[int], previous_ranks: Mapping[int, int]) -> list[ReadModelRow]:
    """The rows of some members as they are now; those who left have no participant."""
    if not slots:
        return []
    members = state.members
    asked = np.array(slots, np.int32)
    users = members.users.user_ids(asked).tolist()
    keys = state.ranking.keys_of(asked).tolist()
    sign = -1 if state.spec.order == "desc" else 1
    return [
        _row(
            user,
            key,
            sign,
            members.names[slot],
            previous_ranks.get(slot),
            members.attempts[slot],
            members.scored_ms[slot],
        )
        if members.active[slot]
        else ReadModelRow(user, None, None, None)
        for slot, user, key in zip(slots, users, keys, strict=True)
    ]


def _row(
    user: int, key: int, sign: int, name: str | None, previous: int | None, attempts: int, scored_ms: int
) -> ReadModelRow:
    if key == NO_KEY:
        participant = ReadModelParticipant(None, str(user), name, None, previous, attempts, None)
        return ReadModelRow(user, None, None, _encode(participant))
    score, place = sign * (key >> TIE_BITS), place_of(key)
    participant = ReadModelParticipant(
        place, str(user), name, decimal_score(score), previous, attempts, rfc3339(scored_ms)
    )
    return ReadModelRow(user, score, place, _encode(participant))


class CapturedRows(Sequence[ReadModelRow]):
    """All who take part, as of the moment this is made: columns are copied at once, rows encoded when they are asked for.

    To encode 100,000 rows takes some 300 ms, to copy their columns 2 ms (measured): so nobody waits for a large tournament.
    """

    def __init__(self, state: Tournament, previous_ranks: Mapping[int, int]) -> None:
        members = state.members
        slots = np.flatnonzero(np.frombuffer(bytes(members.active), np.uint8)).astype(np.int32)
        self._sign = -1 if state.spec.order == "desc" else 1
        self._slots = slots
        self._users = members.users.user_ids(slots)
        self._keys = state.ranking.keys_of(slots)
        self._names = list(members.names)
        self._attempts = members.attempts[:]
        self._scored_ms = members.scored_ms[:]
        self._previous = dict(previous_ranks)

    def __len__(self) -> int:
        return len(self._slots)

    @overload
    def __getitem__(self, index: int) -> ReadModelRow: ...

    @overload
    def __getitem__(self, index: slice) -> list[ReadModelRow]: ...

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            columns = (self._slots[index].tolist(), self._users[index].tolist(), self._keys[index].tolist())
            return [self._at(*row) for row in zip(*columns, strict=True)]
        return self._at(int(self._slots[index]), int(self._users[index]), int(self._keys[index]))

    def _at(self, slot: int, user: int, key: int) -> ReadModelRow:
        previous = self._previous.get(slot)
        return _row(user, key, self._sign, self._names[slot], previous, self._attempts[slot], self._scored_ms[slot])
