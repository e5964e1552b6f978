"""What a gateway and a waiting entrypoint would see, judged as it is published."""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import jsonpatch
import msgspec

from actors.domain.publications import OutcomeReply, decode_outcomes, updates_channel

if TYPE_CHECKING:
    from tests.simulation.process import Process
    from tests.simulation.world import World


class Gateway:
    """Follows tournaments as the hub does: lower epochs are dropped, a higher one starts from a snapshot, patches are without gaps.

    It listens to two of three that there are.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        # tournament -> epoch, seq, live data, and how often clocks had leapt
        self._seen: dict[int, tuple[int, int, Any, int]] = {}
        self.replies: dict[tuple[int, int], list[OutcomeReply]] = defaultdict(list)
        self.updates = 0

    def channels(self) -> list[str]:
        """What it listens to."""
        keys = {record.key for records in self._world.log.history for record in records if record.key.isdigit()}
        return [updates_channel(tournament) for tournament in sorted(map(int, keys)) if tournament % 3]

    def take(self, process: Process, messages: Sequence[tuple[str, bytes]]) -> None:
        for channel, payload in messages:
            self._world.trace(process.instance, channel)
            if channel.endswith(":updates"):
                self._update(process, msgspec.json.decode(payload))
            elif channel.startswith("replies:"):
                for reply in decode_outcomes(payload):
                    self._reply(reply)

    def _update(self, process: Process, frame: dict[str, Any]) -> None:
        self.updates += 1
        tournament, epoch, seq = int(frame["tournament"]), frame["epoch"], frame["seq"]
        self._world.expect(tournament % 3 != 0, f"{tournament}: an update that nobody listens to")
        last_epoch, last_seq, data, leaps = self._seen.get(tournament, (-1, 0, None, 0))
        if epoch < last_epoch:
            return
        entity = process.part.tournaments.at_hand(tournament)
        shown = None if entity is None or entity.live.seq != seq else copy.deepcopy(entity.live.data)
        # One that was loaded when it was over begins beyond all positions that it had before: a gap, so subscribe again.
        # After a leap nobody has been heard of for a while, so what changed then was not published.
        unheard = (entity is not None and entity.least_epoch >= 0) or leaps < self._world.leaps
        again = unheard and seq > last_seq + 1
        if epoch > last_epoch or again:
            data = shown
        else:
            self._world.expect(seq == last_seq + 1, f"{tournament}: update {epoch}/{seq} after {last_epoch}/{last_seq}")
            data = None if data is None else jsonpatch.apply_patch(data, frame["patch"])
            same = data is None or shown is None or data == shown
            self._world.expect(same, f"{tournament}: update {epoch}/{seq} gives {data}, the owner shows {shown}")
        self._seen[tournament] = (epoch, seq, data, self._world.leaps)
        if any(operation.get("value") == "finished" for operation in frame["patch"]):
            self._durably(tournament, "finished", "an update")

    def _reply(self, reply: OutcomeReply) -> None:
        self.replies[reply.partition, reply.offset].append(reply)
        tournament = int(self._world.log.history[reply.partition][reply.offset].key)
        if reply.status == "finished":
            self._durably(tournament, "finished", "a reply", reply.offset)
        if reply.kind == "create" and reply.outcome == "applied" and tournament not in self._world.refused:
            self._durably(tournament, "", "the reply to a create")

    def _durably(self, tournament: int, status: str, what: str, offset: int | None = None) -> None:
        """Rule 8: effects are released only once the state that they tell of, as of the record at `offset`, is durable; it may have moved on
        since, by a reopen."""
        row = self._world.records.row(tournament)
        stored = "nothing" if row is None else row.status
        moved_on = row is not None and offset is not None and row.offset > offset
        ok = row is not None and (status in ("", stored) or moved_on)
        self._world.expect(ok, f"{tournament}: {what} tells of {status or 'it'}, the store has {stored}")
