"""Dead letters: what could not be applied, with the reasons, and sending scores again."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from actors.domain.errors import InvalidRecordError
from actors.domain.messages import ScoreWire, decode_value
from actors.domain.values import parse_id, rfc3339
from serve_app.config import FrontConfig
from serve_app.handlers.callers import Callers
from serve_app.http.bodies import BodyReader, require_json
from serve_app.http.caching import NO_STORE, PERSONAL
from serve_app.http.headers import preferred_wait_s
from serve_app.http.messages import Principal, Request, Response
from serve_app.http.operator_bodies import LetterPlace, Replay
from serve_app.http.problems import Problem
from serve_app.http.query import query_int
from serve_app.services.known import Known
from serve_app.services.outcome_waiters import Waiters
from serve_app.services.reads import Reads
from serve_app.services.retention import Appends
from storage.ports import DeadLetter, NewRecord, ScoreLog

MOST_SHOWN: Final = 1000  # of the newest; what is beyond them is told by `scripts/palio inspect dead-letters`
MAX_TEXT: Final = 2000  # characters of a value that is shown
_encode = msgspec.json.Encoder().encode
_read_replay: Final = BodyReader(Replay).read


@dataclass(frozen=True, slots=True)
class DeadLetterHandlers:
    """See the module. `entrypoint` is the metrics' label."""

    callers: Callers
    reads: Reads
    log: ScoreLog
    appends: Appends
    waiters: Waiters
    config: FrontConfig
    entrypoint: str

    async def dead_letters(self, request: Request) -> Response:
        """`GET /v1/dead-letters`: the newest first."""
        await self.callers.operator(request)
        limit = query_int(request.query, "limit", 100, 1, MOST_SHOWN)
        letters = await self.log.dead_letters(limit + 1)
        body = {"items": [_shown(letter) for letter in letters[:limit]], "more": len(letters) > limit}
        return Response(200, _encode(body), dict(PERSONAL))

    async def replay_dead_letters(self, request: Request) -> Response:
        """`POST /v1/dead-letters/replay`: append scores anew, where they belong. Their event ids see to it that none counts twice."""
        principal = await self.callers.operator(request)
        body = _read_replay(require_json(request, self.config.max_body_bytes))
        kept = {(each.record.partition, each.record.offset): each for each in await self.log.dead_letters(MOST_SHOWN)}
        wait_s = preferred_wait_s(request.headers, self.config.command_wait_s, self.config.max_wait_s)
        places: list[LetterPlace] = []
        records: list[NewRecord] = []
        rejected: list[dict[str, Any]] = []
        for place in dict.fromkeys(body.letters):  # the same twice is once
            try:
                letter = kept.get((place.partition, place.offset))
                known = await self._target(letter, principal)
            except Problem as problem:
                if problem.status == 503:
                    raise
                rejected.append(
                    {
                        "partition": place.partition,
                        "offset": place.offset,
                        "code": problem.code,
                        "detail": problem.detail,
                    }
                )
                continue
            assert letter is not None
            reply_to = self.waiters.reply_to(wait_s)
            record = letter.record
            records.append(NewRecord(known.partition, str(known.tournament_id).encode(), record.value, "", reply_to))
            places.append(place)
        replayed = await self._append(places, records, wait_s) if records else []
        return Response(200, _encode({"replayed": replayed, "rejected": rejected}), dict(NO_STORE))

    async def _append(
        self, places: Sequence[LetterPlace], records: Sequence[NewRecord], wait_s: float
    ) -> list[dict[str, Any]]:
        offsets = await self.appends.accept(records, "replay", self.entrypoint, self.config.append_timeout_s)
        outcomes = await asyncio.gather(
            *(
                self.waiters.wait(record.partition, offset, wait_s if record.reply_to else 0.0)
                for record, offset in zip(records, offsets, strict=True)
            )
        )
        answers = []
        for place, record, offset, outcome in zip(places, records, offsets, outcomes, strict=True):
            answer: dict[str, Any] = {
                "partition": place.partition,
                "offset": place.offset,
                "to": {"partition": record.partition, "offset": offset},
            }
            if outcome is not None:
                answer["outcome"] = outcome.outcome
                if outcome.reason:
                    answer["reason"] = outcome.reason
                if outcome.detail:
                    answer["detail"] = outcome.detail
            answers.append(answer)
        return answers

    async def _target(self, letter: DeadLetter | None, principal: Principal) -> Known:
        """The tournament that a letter is for. Raises Problem 404, 422 for one that cannot be sent again, 503."""
        if letter is None:
            raise Problem(404, "letter_unknown", f"it is not among the newest {MOST_SHOWN} letters")
        if _score_of(letter) is None:
            raise Problem(422, "not_replayable", "only scores that can be read are sent again")
        try:
            tournament = str(parse_id(letter.record.key.decode()))
        except ValueError:
            raise Problem(422, "not_replayable", "its key names no tournament") from None
        return await self.reads.visible(tournament, principal)


def _score_of(letter: DeadLetter) -> ScoreWire | None:
    """The score that a letter holds, None if it holds anything else."""
    try:
        message = decode_value(letter.record.value)
    except InvalidRecordError:
        return None
    return message if isinstance(message, ScoreWire) else None


def _kind(letter: DeadLetter) -> str:
    """`score`, `control` for what calls itself something else, `unreadable` for the rest."""
    if _score_of(letter) is not None:
        return "score"
    try:
        content = msgspec.json.decode(letter.record.value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return "unreadable"
    control = isinstance(content, dict) and content.get("type", "score") != "score"
    return "control" if control else "unreadable"


def _shown(letter: DeadLetter) -> dict[str, Any]:
    """A letter as operators see it. What control records say is not shown: some of it is nobody's to know."""
    record, kind = letter.record, _kind(letter)
    value = "" if kind == "control" else record.value.decode(errors="backslashreplace")
    return {
        "partition": record.partition,
        "offset": record.offset,
        "at": rfc3339(record.time_ms),
        "key": record.key[:64].decode(errors="backslashreplace"),
        "reason": letter.reason,
        "detail": letter.detail[:MAX_TEXT],
        "kind": kind,
        "value": value[:MAX_TEXT],
        "replayable": kind == "score",
    }
