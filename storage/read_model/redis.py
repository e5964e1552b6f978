"""The read model in Redis: `tournament:{<id>}:state`, `:rankings` and `:participants`, readable by hand, on a single Redis or a cluster.

The keys of a tournament share a slot (the braces are the cluster's hash tag), so each change and each read is one script, one moment. A large
whole is put beside the current one in pieces and then takes its place. `redis_scripts.py` tells what the keys hold.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, TypeVar
from uuid import uuid4

import msgspec

from actors.domain.read_model_rows import ReadModelRow
from storage.ports import (
    Access,
    AccessQuery,
    GroupRankingsQuery,
    GroupsQuery,
    ParticipantQuery,
    Query,
    RankingsQuery,
    ReadModelDelta,
    ReadModelFullError,
    ReadModelPosition,
    ReadModelUnavailableError,
    ResultsQuery,
    SearchQuery,
    TeamsQuery,
    ViewQuery,
)
from storage.read_model import redis_scripts as scripts
from storage.read_model.redis_replies import is_public, participant_reply, rankings_reply, reply, users_reply
from storage.redis_client.cluster import RedisNodes
from storage.redis_client.connection import RedisConfig
from storage.redis_client.errors import is_out_of_memory, is_unknown_script

A = TypeVar("A")
PARTS: Final = ("state", "rankings", "participants", "order", "marks")


@dataclass(frozen=True, slots=True)
class RedisReadModelConfig:
    """`expire_after_end_s`: how long that of a tournament that is over stays; `abandoned_expire_s`: of one that nobody keeps up any more.

    `script_rows`: rows that one script writes at most (measured: 13 us a row, 27 with `dense` ranks); a larger change is wanted whole. Wholes
    of more come in pieces of `piece_rows`; `staged_expire_s`: how long the pieces of one that was given up stay.
    """

    expire_after_end_s: float = 3600.0
    abandoned_expire_s: float = 120.0
    script_rows: int = 2000
    piece_rows: int = 500
    staged_expire_s: float = 60.0


@dataclass(frozen=True, slots=True)
class _Call:
    """A script to run on one tournament's keys."""

    script: scripts.Script
    keys: Sequence[str]
    arguments: Sequence[str | bytes | int]

    def pair(self, *, whole: bool = False) -> tuple[str, list[str | bytes | int]]:
        """The key that places it, and the command: by the script's name, or `whole`, for a Redis that has not seen it yet."""
        begin = ("EVAL", self.script.text) if whole else ("EVALSHA", self.script.sha)
        return self.keys[0], [*begin, len(self.keys), *self.keys, *self.arguments]


class RedisReadModel:
    """Implements KeptReadModel. `refused_for_memory` counts the writes that a full Redis refused."""

    def __init__(self, redis: RedisConfig, config: RedisReadModelConfig | None = None) -> None:
        self._nodes = RedisNodes(redis)
        self._config = config or RedisReadModelConfig()
        self.refused_for_memory = 0

    # -- the owner's side -----------------------------------------------------------------------------------------

    async def write(self, deltas: Sequence[ReadModelDelta]) -> list[int]:
        """See `KeptReadModel.write`. Deltas that fit into a script go in one pipeline a node, larger wholes piece by piece."""
        small = [delta for delta in deltas if len(delta.rows) <= self._config.script_rows]
        answers = dict(
            zip((d.tournament_id for d in small), await self._run([self._apply(d) for d in small]), strict=True)
        )
        for delta in deltas:
            if len(delta.rows) > self._config.script_rows:
                # a change that is too large for one script is as well sent whole
                answers[delta.tournament_id] = b"refused" if delta.after is not None else await self._write_whole(delta)
        failed = {tid: answer for tid, answer in answers.items() if isinstance(answer, Exception)}
        if failed:
            self._raise_failed(failed, len(deltas))
        return [tid for tid, answer in answers.items() if answer == b"refused"]

    def _raise_failed(self, failed: dict[int, Exception], count: int) -> None:
        full = sum(is_out_of_memory(error) for error in failed.values())
        self.refused_for_memory += full
        first = next(iter(failed.values()))
        if full == len(failed):
            message = f"Redis has no memory left: {full} of {count} read models not written"
            raise ReadModelFullError(message, frozenset(failed))
        raise ReadModelUnavailableError(f"{len(failed)} of {count} read models not written: {first}", frozenset(failed))

    def _apply(self, delta: ReadModelDelta) -> _Call:
        return _Call(scripts.APPLY, _keys(delta.tournament_id), [*self._head(delta), _pack(delta.rows)])

    def _head(self, delta: ReadModelDelta) -> list[str | bytes | int]:
        config = self._config
        live_s = config.expire_after_end_s if delta.finished else config.abandoned_expire_s
        return [
            delta.epoch,
            "" if delta.after is None else delta.after,
            delta.offset,
            delta.seq,
            delta.status,
            int(delta.public),
            delta.ties,
            int(delta.finished),
            max(1, round(live_s * 1000)),
            delta.view,
        ]

    async def _write_whole(self, delta: ReadModelDelta) -> Any:
        """Stage all rows, then swap; the answer of the last script, or the error of the first that failed."""
        keys = _keys(delta.tournament_id)
        token = f"staged:{uuid4().hex}:"
        staged = [keys[0], *(_key(delta.tournament_id, token + part) for part in PARTS[1:])]
        live_ms = round(self._config.staged_expire_s * 1000)
        count, piece = len(delta.rows), min(self._config.piece_rows, self._config.script_rows)
        for first in range(0, count, piece):
            rows = _pack(delta.rows[first : first + piece])
            (answer,) = await self._run([_Call(scripts.STAGE, staged, [delta.ties, rows, live_ms])])
            if isinstance(answer, Exception):
                return answer
        (answer,) = await self._run([_Call(scripts.SWAP, [*keys, *staged[1:]], [*self._head(delta), count])])
        return answer

    async def positions(self, epochs: Mapping[int, int]) -> dict[int, ReadModelPosition | None]:
        """See `KeptReadModel.positions`."""
        live_ms = round(self._config.abandoned_expire_s * 1000)
        answers = await self._run([_Call(scripts.POSITION, _keys(i), [epoch, live_ms]) for i, epoch in epochs.items()])
        found: dict[int, ReadModelPosition | None] = {}
        for tournament_id, answer in zip(epochs, answers, strict=True):
            if answer is None:
                found[tournament_id] = None
            elif not isinstance(answer, Exception):
                found[tournament_id] = ReadModelPosition(int(answer[0]), int(answer[1]))
        return found

    # -- the readers' side ----------------------------------------------------------------------------------------

    async def read(self, tournament_id: int, query: Query[A]) -> A | None:
        """See `ReadModel.read`. Boards are counted from a whole table, and names are looked for in one: not here."""
        if isinstance(query, GroupRankingsQuery | GroupsQuery | ResultsQuery | SearchQuery | TeamsQuery):
            return None
        script, arguments, answer_of = _reading(query)
        (answer,) = await self._run([_Call(script, _keys(tournament_id), arguments)])
        if isinstance(answer, Exception):
            raise ReadModelUnavailableError(f"the read model of tournament {tournament_id} was not read: {answer}")
        read: A | None = None if answer is None else answer_of(answer)
        return read

    async def close(self) -> None:
        """See `ReadModel.close`."""
        await self._nodes.close()

    async def _run(self, calls: Sequence[_Call]) -> list[Any]:
        """The scripts' answers; errors stand in their places. A script that a Redis has not seen yet is sent in full."""
        if not calls:
            return []
        answers = await self._nodes.call([call.pair() for call in calls])
        unknown = [i for i, answer in enumerate(answers) if is_unknown_script(answer)]
        if unknown:
            again = await self._nodes.call([calls[i].pair(whole=True) for i in unknown])
            for i, answer in zip(unknown, again, strict=True):
                answers[i] = answer
        return answers


def _key(tournament_id: int, part: str) -> str:
    return f"tournament:{{{tournament_id}}}:{part}"


def _keys(tournament_id: int) -> list[str]:
    return [_key(tournament_id, part) for part in PARTS]


def _reading(query: Query[Any]) -> tuple[scripts.Script, Sequence[str | int], Callable[[Any], Any]]:
    """The script that answers a query, its arguments, and what its answer says."""
    match query:
        case AccessQuery():
            return scripts.ACCESS, [_text(query.user_id)], lambda got: Access(True, is_public(got[0]), got[1] == 1)
        case ViewQuery():
            return scripts.VIEW, [], lambda got: reply(got[0], got[1])
        case ParticipantQuery():
            return scripts.PARTICIPANT, [query.user_id], participant_reply
        case RankingsQuery() if query.users:
            return scripts.USERS, list(dict.fromkeys(query.users)), users_reply
        case RankingsQuery():
            asked: list[str | int] = [query.start, query.limit, _text(query.around)]
            return scripts.RANKINGS, asked, partial(rankings_reply, query=query)
    raise TypeError(f"expected what a read model holds, got {query!r}")


def _text(user: int | None) -> str:
    return "" if user is None else str(user)


def _pack(rows: Sequence[ReadModelRow]) -> bytes:
    """Rows as the scripts read them: one argument, so that Redis's protocol costs nothing for each value.

    All of it is text: Redis's MessagePack does not know byte strings.
    """
    flat: list[str] = []
    for user_id, score, place, participant in rows:
        # hundredths as a decimal: shortest digits that give the same double, so that they look right by hand
        shown = "" if score is None else repr(score / 100)
        flat += (str(user_id), shown, place or "", "" if participant is None else participant.decode())
    return msgspec.msgpack.encode(flat)
