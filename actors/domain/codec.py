"""The snapshot of a tournament as bytes: everything the fold needs to go on, and nothing that depends on how it got there.

A snapshot is `magic (8) | format version (uint16 BE) | BLAKE2b-128 of the rest (16) | payload`. The payload is two Arrow IPC streams, one
after the other: the members (columns below; the scalars and the spec are JSON in the schema's metadata, keys sorted) and the
`seen` digests in ascending order. Members stand in the ranking's total order, hidden ones included, then those without a
score by user id. So slots, tie numbers and the history of memory leave no trace, and

    encode(fold(records)) == encode(fold(later records, from decode(encode(fold(earlier records)))))

A delta has the same form under another magic: the rows of those members alone whose columns changed since the snapshot or the delta
before it, which of them were placed anew, and the digests that came. The scalars and the spec are whole. See `actors.domain.deltas`.
"""

from __future__ import annotations

import hashlib
import itertools
import struct
from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple, Protocol

import msgspec
import numpy as np
import pyarrow as pa
from msgspec import UNSET, UnsetType
from numpy.typing import NDArray

from actors.domain.boards.groups import Groups
from actors.domain.columns import arrow_flags, arrow_numbers, arrow_texts, flags, number_array, numbers
from actors.domain.deltas import MOVED, with_deltas
from actors.domain.errors import SnapshotDamagedError, SnapshotError, SnapshotVersionError
from actors.domain.life.freeze import FROZEN, restored
from actors.domain.life.transitions import Status
from actors.domain.messages import RULES_VERSION, Spec
from actors.domain.ranking.subscore_ranking import SubscoreRanking
from actors.domain.series.family import Family
from actors.domain.tournament import (
    Frozen,
    HistoryEntry,
    Invitation,
    Members,
    Settled,
    Tournament,
    multiplier_of,
    sorted_digests,
)

MAGIC: Final = b"PALIOSNP"
FORMAT_VERSION: Final = 2  # 2: members have `removed`
DELTA_MAGIC: Final = b"PALIODLT"
DELTA_VERSION: Final = 1
_PREFIX: Final = struct.Struct(">8sH16s")
_OPTIONS: Final = pa.ipc.IpcWriteOptions()  # else they are made of the environment for each stream
_METADATA_KEY: Final = b"palio"
_AFTER_KEY: Final = b"after"  # of a delta: the offset of what it follows
_MEMBER_FIELDS: Final = [
    pa.field("user_id", pa.int64(), nullable=False),
    pa.field("score", pa.int64()),  # hundredths
    pa.field("attempts", pa.int32(), nullable=False),
    pa.field("scored_ms", pa.int64(), nullable=False),
    pa.field("joined_ms", pa.int64(), nullable=False),
    pa.field("name", pa.utf8()),
    pa.field("active", pa.bool_(), nullable=False),
    pa.field("removed", pa.bool_(), nullable=False),  # since format 2
]
# What only some members have, by the name of its dict in Members: a column is there only if anybody has it, in this order. Since rules 3.
SPARSE: Final[dict[str, pa.DataType]] = {
    **{name: pa.int64() for name in ("began_ms", "removed_at", "seat", "tier", "placed_ms", "done_ms", "extra_ms")},
    "disqualified": pa.utf8(),
}
_SUBSCORE: Final = pa.field("subscore", pa.int64())  # hundredths; there if the spec has a subscore
_MOVED: Final = pa.field(MOVED, pa.bool_(), nullable=False)  # of deltas
_GROUP: Final = "group:"  # before a board's name: a column for each board of the spec
# The frozen table of one that has it, since rules 3; a place is that in the order of the table.
_FROZEN_FIELDS: Final = [
    pa.field("frozen_score", pa.int64()),
    pa.field("frozen_place", pa.int32()),
    pa.field("frozen_scored_ms", pa.int64(), nullable=False),
    pa.field("frozen_attempts", pa.int32(), nullable=False),
]
_FROZEN_SUBSCORE: Final = pa.field("frozen_subscore", pa.int64())
_SEEN_SCHEMA: Final = pa.schema([pa.field("seen", pa.uint64(), nullable=False)])


class SnapshotHeader(msgspec.Struct, frozen=True, kw_only=True):
    """A tournament's scalars and spec, as in the snapshot's metadata; `salt` in hex, the rest as in `Tournament`.

    A field that came later defaults to UNSET and is absent while `Tournament` has its own default there.
    """

    tournament_id: int
    partition: int
    rules_version: int
    creator: int
    dedicated: bool
    salt: str
    request_digest: str
    spec: Spec
    created_ms: int
    time_ms: int
    offset: int
    status: Status
    version: int
    revision: int
    finished_ms: int | None
    history: list[HistoryEntry] | UnsetType = UNSET
    invitations: dict[str, Invitation] | UnsetType = UNSET
    family: Family | UnsetType = UNSET
    late_ms: int | UnsetType = UNSET
    revealed: bool | UnsetType = UNSET
    settled: Settled | UnsetType = UNSET
    cut_short: bool | UnsetType = UNSET


# The scalars that came later, with the value that Tournament begins with: while it has that they are absent.
LATER_SCALARS: Final[dict[str, Any]] = {
    "history": [],
    "invitations": {},
    "family": None,
    "late_ms": 0,
    "revealed": False,
    "settled": "",
    "cut_short": False,
}


class SavedPart(NamedTuple):
    """How a tournament stood when a snapshot or a delta of it was made: what the next delta is told by."""

    offset: int
    digests: int
    placed: tuple[int, int]  # of its ranking


class _Payload(NamedTuple):
    header: SnapshotHeader
    after: int
    rows: pa.RecordBatch
    seen: NDArray[np.uint64]


_header_decoder = msgspec.json.Decoder(SnapshotHeader)


def encode_snapshot(state: Tournament) -> bytes:
    """A tournament as bytes: about 48 bytes a member and 8 a digest, and the names. Pure."""
    order, scored = _in_order(state, None)
    fields, columns = _member_columns(state, order, scored)
    if state.frozen is not None and state.status != "finished":  # then nobody is shown it any more
        for frozen_field, column in _frozen_columns(state.frozen, order):
            fields.append(frozen_field)
            columns.append(column)
    seen = np.frombuffer(state.ended or sorted_digests(state.seen), np.uint64)
    metadata = {_METADATA_KEY: msgspec.json.encode(_header(state), order="sorted")}
    return _packed(MAGIC, FORMAT_VERSION, pa.schema(fields, metadata), columns, seen)


def saved_part(state: Tournament) -> SavedPart:
    """How it stands, to be kept with what is encoded of it now."""
    return SavedPart(state.offset, len(state.seen), state.ranking.placed)


def encode_delta(state: Tournament, slots: Iterable[int], after: SavedPart) -> bytes | None:
    """What changed since `after`, if that was the columns of these slots, the digests, the scalars and the spec alone. Pure.

    None where a delta does not tell it: of one that is over or frozen, or whose ranking was numbered again.
    """
    if state.over or state.frozen is not None or state.ranking.placed[0] != after.placed[0]:
        return None
    order, scored = _in_order(state, np.fromiter(slots, np.int32))
    fields, columns = _member_columns(state, order, scored)
    moved = np.zeros(len(order), np.bool_)
    moved[:scored] = state.ranking.placed_since(order[:scored], after.placed)
    fields.append(_MOVED)
    columns.append(arrow_flags(moved))
    seen = np.fromiter(itertools.islice(reversed(state.seen), len(state.seen) - after.digests), np.uint64)
    header = msgspec.json.encode(_header(state), order="sorted")
    metadata = {_METADATA_KEY: header, _AFTER_KEY: str(after.offset).encode()}
    return _packed(DELTA_MAGIC, DELTA_VERSION, pa.schema(fields, metadata), columns, np.sort(seen))


def decode_snapshot(data: bytes, deltas: Sequence[bytes] = ()) -> Tournament:
    """The inverse of `encode_snapshot`, with the deltas that followed it, in their order; slots are the rows' numbers.

    Raises SnapshotDamagedError (not a snapshot, cut off, changed, or a delta is missing between) and SnapshotVersionError (written by a
    newer Palio).
    """
    whole = _open(data, MAGIC, FORMAT_VERSION)
    following = _following(whole, deltas)
    header = following[-1].header if following else whole.header
    try:
        rows = with_deltas(header.spec, whole.rows, [part.rows for part in following]) if following else whole.rows
        salt = bytes.fromhex(header.salt)
        members = Members(multiplier_of(salt))
        _fill(members, rows)
        scored = len(rows) - rows.column("score").null_count
        slots, hidden = np.arange(scored, dtype=np.int32), _hidden(members)[:scored]
        subscores = None if header.spec.subscore is UNSET else numbers(rows.column(_SUBSCORE.name))[:scored]
        ranking = restored(header.spec, slots, numbers(rows.column("score"))[:scored], subscores, hidden)
        groups = {board: _groups(rows.column(_GROUP + board)) for board in _boards(header.spec)}
        frozen = _frozen_of(rows, header.spec, members)
    except (pa.ArrowException, KeyError, ValueError) as error:
        raise SnapshotDamagedError(f"expected the columns of a snapshot, got {error}") from error
    scalars = {name: value for name in header.__struct_fields__ if (value := getattr(header, name)) is not UNSET}
    scalars["salt"] = salt
    state = Tournament(**scalars, members=members, ranking=ranking, groups=groups)
    if state.over:
        state.ended = whole.seen.tobytes()
    else:
        state.seen = dict.fromkeys(itertools.chain(*(part.seen.tolist() for part in (whole, *following))))
    state.frozen = frozen
    return state


class Stored(Protocol):
    """A snapshot as a store gives it: a whole one, the deltas that followed it, and the offset that they reach."""

    @property
    def offset(self) -> int:
        """As of which it is with its deltas."""

    @property
    def data(self) -> bytes:
        """What `encode_snapshot` gave."""

    @property
    def deltas(self) -> Sequence[bytes]:
        """What `encode_delta` gave since, in order."""


def newest_state(snapshots: Iterable[Stored], upto: int) -> Tournament:
    """The newest state that can be read of snapshots, which come newest first, and is not older than an offset. Raises SnapshotError."""
    damage: SnapshotError | None = None
    for stored in snapshots:
        if stored.offset < upto:
            break
        try:
            return decode_snapshot(stored.data, stored.deltas)
        except SnapshotError as error:
            damage = damage or error
    raise damage or SnapshotError(f"expected a snapshot of offset {upto} or later, got none")


def _following(whole: _Payload, deltas: Sequence[bytes]) -> list[_Payload]:
    """Deltas, each of which follows the one before. Raises SnapshotError."""
    parts: list[_Payload] = []
    last = whole.header.offset
    for data in deltas:
        part = _open(data, DELTA_MAGIC, DELTA_VERSION)
        if part.after != last:
            raise SnapshotDamagedError(
                f"expected a delta that follows offset {last}, got one that follows {part.after}"
            )
        parts.append(part)
        last = part.header.offset
    return parts


def _in_order(state: Tournament, slots: NDArray[np.int32] | None) -> tuple[NDArray[np.int32], int]:
    """Slots (None: all) as their rows stand, and how many of them, the first ones, have a score."""
    members, ranking = state.members, state.ranking
    if slots is None:
        scored = ranking.ordered()
        unscored = np.ones(len(members), np.bool_)
        unscored[scored] = False
        rest = np.flatnonzero(unscored).astype(np.int32)
    else:
        scored = ranking.ordered_of(slots)
        rest = np.setdiff1d(slots, scored)
    rest = rest[members.users.user_ids(rest).argsort()]
    return np.concatenate((scored, rest)), len(scored)


def _member_columns(state: Tournament, order: NDArray[np.int32], scored: int) -> tuple[list[pa.Field], list[pa.Array]]:
    """The columns of members in this order; the first `scored` of them have a score."""
    members, ranking = state.members, state.ranking
    has_score = np.arange(len(order)) < scored
    scores = np.zeros(len(order), np.int64)
    scores[:scored] = ranking.scores_of(order[:scored])
    names = members.names
    removed = np.zeros(len(members), np.bool_)
    removed[list(members.removed)] = True
    columns = [
        arrow_numbers(members.users.user_ids(order)),
        arrow_numbers(scores, has_score),
        arrow_numbers(np.frombuffer(members.attempts, np.int32)[order]),
        arrow_numbers(np.frombuffer(members.scored_ms, np.int64)[order]),
        arrow_numbers(np.frombuffer(members.joined_ms, np.int64)[order]),
        arrow_texts([names[slot] for slot in order.tolist()]),
        arrow_flags(np.frombuffer(members.active, np.bool_)[order]),
        arrow_flags(removed[order]),
    ]
    sparse = [name for name in SPARSE if getattr(members, name)]
    fields = _MEMBER_FIELDS + [pa.field(name, SPARSE[name]) for name in sparse]
    columns += [_sparse_column(getattr(members, name), SPARSE[name], order, len(members)) for name in sparse]
    if isinstance(ranking, SubscoreRanking):
        subscores = np.zeros(len(order), np.int64)
        subscores[:scored] = ranking.subscores_of(order[:scored])
        fields.append(_SUBSCORE)
        columns.append(arrow_numbers(subscores, has_score))
    for board, groups in state.groups.items():
        fields.append(pa.field(_GROUP + board, pa.utf8()))
        columns.append(arrow_texts(groups.texts(order.tolist())))
    return fields, columns


def _packed(magic: bytes, version: int, schema: pa.Schema, columns: list[pa.Array], seen: NDArray[np.uint64]) -> bytes:
    sink = pa.BufferOutputStream()
    for each, arrays in ((schema, columns), (_SEEN_SCHEMA, [arrow_numbers(seen)])):
        with pa.ipc.new_stream(sink, each, options=_OPTIONS) as writer:
            writer.write_batch(pa.record_batch(arrays, schema=each))
    payload = sink.getvalue()
    return b"".join((_PREFIX.pack(magic, version, _checksum(payload)), payload))


def _header(state: Tournament) -> SnapshotHeader:
    scalars = {name: getattr(state, name) for name in SnapshotHeader.__struct_fields__}
    scalars["salt"] = state.salt.hex()
    unused = [name for name, default in LATER_SCALARS.items() if scalars[name] == default]
    for name in unused:
        del scalars[name]
    return SnapshotHeader(**scalars)


def _sparse_column(values: dict[int, Any], kind: pa.DataType, order: NDArray[np.int32], members: int) -> pa.Array:
    """The values of some slots of all members' in the order of the rows, null for the others."""
    if kind == pa.utf8():
        return arrow_texts([values.get(slot) for slot in order.tolist()])
    slots = list(values)
    column, valid = np.zeros(members, np.int64), np.zeros(members, np.bool_)
    column[slots], valid[slots] = list(values.values()), True
    return arrow_numbers(column[order], valid[order])


def _boards(spec: Spec) -> list[str]:
    return [] if spec.boards is UNSET else spec.boards


def _groups(column: pa.Array) -> Groups:
    groups = Groups()
    for slot, group in enumerate(column.to_pylist()):
        if group is not None:
            groups.put(slot, group)
    return groups


def _fill(members: Members, rows: pa.RecordBatch) -> None:
    """Put rows into empty columns, slot = row."""
    members.users.add_many(numbers(rows.column("user_id")))
    members.names = rows.column("name").to_pylist()
    members.attempts = number_array(rows.column("attempts"), "i")
    members.scored_ms = number_array(rows.column("scored_ms"), "q")
    members.joined_ms = number_array(rows.column("joined_ms"), "q")
    members.active = bytearray(flags(rows.column("active")).tobytes())
    members.joined = members.undone = sum(members.active)
    if "removed" in rows.schema.names:
        members.removed = set(np.flatnonzero(flags(rows.column("removed"))).tolist())
    for name in SPARSE:
        if name in rows.schema.names:
            values = enumerate(rows.column(name).to_pylist())
            setattr(members, name, {slot: value for slot, value in values if value is not None})
    members.undone -= sum(members.active[slot] for slot in members.done_ms.keys() | members.disqualified.keys())


def _hidden(members: Members) -> NDArray[np.bool_]:
    """Who is in no table: those who left, and the disqualified."""
    hidden = ~np.frombuffer(bytes(members.active), np.bool_)
    hidden[list(members.disqualified)] = True
    return hidden


def _frozen_columns(frozen: Frozen, order: NDArray[np.int32]) -> list[tuple[pa.Field, pa.Array]]:
    ranking = frozen.ranking
    listed = ranking.ordered()
    valid = np.zeros(len(order), np.bool_)
    valid[listed] = True

    def by_slot(values: NDArray[np.generic], kind: type[np.generic]) -> pa.Array:
        column = np.zeros(len(order), kind)
        column[listed] = values
        return arrow_numbers(column[order], valid[order])

    columns = [
        by_slot(ranking.scores_of(listed), np.int64),
        by_slot(np.arange(len(listed)), np.int32),
        arrow_numbers(np.frombuffer(frozen.scored_ms, np.int64)[order]),
        arrow_numbers(np.frombuffer(frozen.attempts, np.int32)[order]),
    ]
    named = list(zip(_FROZEN_FIELDS, columns, strict=True))
    if isinstance(ranking, SubscoreRanking):
        named.append((_FROZEN_SUBSCORE, by_slot(ranking.subscores_of(listed), np.int64)))
    return named


def _frozen_of(rows: pa.RecordBatch, spec: Spec, members: Members) -> Frozen | None:
    if "frozen_score" not in rows.schema.names:
        return None
    scores = rows.column("frozen_score")
    slots = np.flatnonzero(flags(scores.is_valid())).astype(np.int32)
    slots = slots[numbers(rows.column("frozen_place"))[slots].argsort()]
    subscores = None if spec.subscore is UNSET else numbers(rows.column(_FROZEN_SUBSCORE.name))[slots]
    ranking = restored(spec, slots, numbers(scores)[slots], subscores, _hidden(members)[slots], FROZEN)
    scored_ms = number_array(rows.column("frozen_scored_ms"), "q")
    return Frozen(ranking, scored_ms, number_array(rows.column("frozen_attempts"), "i"))


def _checksum(payload: memoryview | pa.Buffer) -> bytes:
    return hashlib.blake2b(payload, digest_size=16).digest()


def _open(data: bytes, magic: bytes, newest: int) -> _Payload:
    """Verify the container and read it."""
    if len(data) < _PREFIX.size or not data.startswith(magic):
        raise SnapshotDamagedError(f"expected a snapshot that begins with {magic!r}, got {data[:8]!r}")
    _, version, checksum = _PREFIX.unpack_from(data)
    if version > newest:
        raise SnapshotVersionError(f"expected a snapshot of format {newest} or older, got {version}")
    payload = memoryview(data)[_PREFIX.size :]
    if _checksum(payload) != checksum:
        raise SnapshotDamagedError(f"the checksum does not match the {len(payload)} bytes of the snapshot")
    source = pa.BufferReader(pa.py_buffer(payload))
    try:
        stream = pa.ipc.open_stream(source)
        metadata = stream.schema.metadata
        header = _header_decoder.decode(metadata[_METADATA_KEY])
        after = int(metadata.get(_AFTER_KEY, b"-1"))
    except (pa.ArrowException, KeyError, TypeError, ValueError, msgspec.DecodeError) as error:
        raise SnapshotDamagedError(f"expected the header of a snapshot, got {error}") from error
    if header.rules_version > RULES_VERSION:
        raise SnapshotVersionError(f"expected rules {RULES_VERSION} or older, got {header.rules_version}")
    try:
        rows = stream.read_next_batch()
        stream.read_all()  # to its end mark, behind which the next stream begins
        seen = numbers(pa.ipc.open_stream(source).read_next_batch().column("seen")).astype(np.uint64, copy=False)
    except (pa.ArrowException, KeyError, StopIteration) as error:
        raise SnapshotDamagedError(f"expected the columns of a snapshot, got {error}") from error
    return _Payload(header, after, rows, seen)
