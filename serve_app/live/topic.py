"""A watched tournament as a gateway knows it: position, newest snapshot, ring of recent updates, who watches. No I/O.

Invariant: `ring` holds the frames of consecutive updates of one epoch, the last of them at `seq`. So whoever is at a position
the ring covers is brought up to date with its tail.
"""

from __future__ import annotations

from asyncio import Task
from collections import deque
from collections.abc import Callable
from enum import Enum
from itertools import islice
from typing import Any, Final, Protocol

from actors.domain.publications import snapshot_frame, update_frame
from serve_app.live.protocol import Position, ok_frame, text_frame
from storage.ports import LiveSnapshot, Standing

RING_FRAMES: Final = 64  # 3 s at 20 updates a second
CATCH_UP_FRAMES: Final = 16  # updates sent after a kept snapshot; beyond, a newer snapshot is cheaper for everyone

Write = Callable[[bytes], Any]


class Socket(Protocol):
    """What the hub needs of a live socket. `write` is the transport's own, for the fan-out: it takes whole WebSocket frames and may raise
    RuntimeError on a closed socket; `send` does the same and drops what can no longer be sent.

    `address`: whose it is, for the count. `paused`: more is unsent than a socket may have. `user`: who authenticated; `sees_all`: a service
    or an operator.
    """

    address: str
    write: Write
    paused: bool
    user: int | None
    sees_all: bool
    subscriptions: dict[int, Subscription]

    def send(self, frame: bytes) -> None:
        """Write a frame; nothing happens on a closed socket, which leaves the hub in a moment."""
        ...

    def close(self, code: int, reason: str) -> None:
        """Start the closing handshake; bounded in time."""
        ...


class Subscription:
    """One socket's interest in one tournament. Compared by identity."""

    __slots__ = (
        "admitted",
        "answered",
        "me",
        "me_sent",
        "me_user",
        "previous_rank",
        "request_id",
        "seen",
        "shown",
        "since",
        "socket",
        "topic",
    )

    def __init__(
        self, socket: Socket, topic: Topic, request_id: int | str | None, since: Position | None, me: bool
    ) -> None:
        self.socket = socket
        self.topic = topic
        self.request_id = request_id
        self.since = since
        self.me = me
        self.me_user: int | None = None  # whose standing is sent, while it is
        self.admitted = False  # the owner lets this user see a private tournament
        self.answered = False
        self.seen = False  # anything of the tournament was sent
        self.shown = False  # the read model's view was sent while the owner did not answer
        self.me_sent: Standing | bool | None = False  # False: nothing yet
        self.previous_rank: int | None = None

    @property
    def permitted(self) -> bool:
        """Whether it is known that this subscriber may see the tournament."""
        public = self.topic.public
        return public is True or (public is False and (self.socket.sees_all or self.admitted))

    def answer(self) -> None:
        """Tell the client that its subscription stands, once."""
        if not self.answered:
            self.answered = True
            self.socket.send(ok_frame(self.request_id))


class Taken(Enum):
    """What became of an offered update."""

    NEXT = "next"  # it follows: send it
    OLD = "old"  # not newer than what is known
    GAP = "gap"  # something before it is missing: a snapshot is needed


class Topic:
    """See the module. `seq` < 0: position not known yet. `synced`: nothing is known to be missing."""

    __slots__ = (
        "epoch",
        "flight",
        "idle_since",
        "live",
        "me",
        "pending",
        "public",
        "ring",
        "seq",
        "snapshot",
        "snapshot_seq",
        "synced",
        "tournament_id",
        "waiting",
    )

    def __init__(self, tournament_id: int) -> None:
        self.tournament_id = tournament_id
        self.epoch = -1
        self.seq = -1
        self.synced = False
        self.public: bool | None = None
        self.snapshot = b""
        self.snapshot_seq = -1
        self.ring: deque[tuple[int, bytes]] = deque(maxlen=RING_FRAMES)
        self.pending: deque[tuple[int, int, bytes]] = deque(maxlen=RING_FRAMES)  # came while a snapshot is on its way
        self.live: dict[Subscription, Write] = {}
        self.waiting: dict[Subscription, None] = {}  # for a snapshot, in the order they came
        self.me: dict[int, set[Subscription]] = {}
        self.idle_since: float | None = None
        self.flight: Task[None] | None = None  # brings it in step

    @property
    def position(self) -> Position:
        """The newest update known."""
        return Position(self.epoch, self.seq)

    @property
    def watched(self) -> bool:
        """Whether anybody is subscribed."""
        return bool(self.live or self.waiting)

    def offer(self, epoch: int, seq: int, payload: bytes) -> tuple[Taken, bytes]:
        """Take an update from the channel; with NEXT comes the frame for everyone. What follows a gap is kept for after the snapshot."""
        if self.seq >= 0 and (epoch, seq) <= (self.epoch, self.seq):
            return Taken.OLD, b""
        if not self.synced or epoch != self.epoch or seq != self.seq + 1:
            self.pending.append((epoch, seq, payload))
            return Taken.GAP, b""
        frame = text_frame(payload)
        self.ring.append((seq, frame))
        self.seq = seq
        return Taken.NEXT, frame

    def adopt(self, snapshot: LiveSnapshot) -> list[bytes] | None:
        """Take an owner's snapshot. Returns the frames that bring live subscribers up to it, or None: too old to be of use."""
        if snapshot.epoch < self.epoch:
            return None
        same_epoch = snapshot.epoch == self.epoch
        if same_epoch and snapshot.seq < self.seq and self.tail(snapshot.seq) is None:
            return None
        kept = text_frame(snapshot_frame(self.tournament_id, snapshot.epoch, snapshot.seq, snapshot.data))
        frames: list[bytes] = []
        if not same_epoch or snapshot.seq > self.seq:
            after = self.seq if same_epoch else -1
            recent = self._consecutive(snapshot, after)
            if same_epoch and len(recent) == snapshot.seq - self.seq:
                frames = [frame for _, frame in recent]
            else:
                self.ring.clear()
                frames = [kept]
            self.ring.extend(recent)
            self.epoch, self.seq = snapshot.epoch, snapshot.seq
        if not same_epoch or snapshot.seq >= self.snapshot_seq:
            self.snapshot, self.snapshot_seq = kept, snapshot.seq
        self.public = snapshot.public
        self.synced = True
        return frames

    def take_pending(self) -> list[tuple[int, int, bytes]]:
        """The updates that came while a snapshot was on its way; they are to be offered again."""
        pending = list(self.pending)
        self.pending.clear()
        return pending

    def tail(self, after: int) -> list[bytes] | None:
        """The frames of the updates after `after`, or None when the ring does not reach back that far."""
        missing = self.seq - after
        if missing < 0 or missing > len(self.ring):
            return None
        return [frame for _, frame in islice(self.ring, len(self.ring) - missing, None)]

    def start(self, since: Position | None, longest: int = CATCH_UP_FRAMES) -> list[bytes] | None:
        """What a new subscriber is sent: what it missed since `since`, else the kept snapshot and at most `longest` updates after it.

        None: a newer snapshot is needed.
        """
        if since is not None and since.epoch == self.epoch:
            missed = self.tail(since.seq)
            if missed is not None:
                return missed
        if self.snapshot_seq < 0:
            return None
        tail = self.tail(self.snapshot_seq)
        return None if tail is None or len(tail) > longest else [self.snapshot, *tail]

    def forget_position(self) -> None:
        """Nothing kept may be relied on until the next snapshot; what is already sent stands."""
        self.synced = False

    def _consecutive(self, snapshot: LiveSnapshot, after: int) -> list[tuple[int, bytes]]:
        """The newest updates beyond `after` that lead to the snapshot without a gap, as frames."""
        chosen: list[tuple[int, bytes]] = []
        expected = snapshot.seq
        for seq, patch in reversed(snapshot.recent):
            if seq != expected or seq <= after:
                break
            chosen.append((seq, text_frame(update_frame(self.tournament_id, snapshot.epoch, seq, patch))))
            expected -= 1
        chosen.reverse()
        return chosen
