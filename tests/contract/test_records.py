"""What every Records must keep, as `storage/ports/records.py` states it."""

from __future__ import annotations

import random

import pytest

from actors.domain.values import partition_of
from storage.ports import (
    Checkpoint,
    ListQuery,
    OutboxRow,
    ParticipantRow,
    Records,
    RecordsUnavailableError,
    StoredSnapshot,
    TournamentRow,
)

BIG = 2**63 - 1  # the largest id there is


def partition(number: int) -> int:
    """Of 5, where a tournament's records are."""
    return partition_of(number, 5)


def of_partition(wanted: int, count: int = 1) -> list[int]:
    """The lowest tournament ids of a partition."""
    return [number for number in range(1, 1_000) if partition(number) == wanted][:count]


async def save(records: Records, checkpoint: Checkpoint) -> None:
    """Save tournaments of whatever partitions, those of each by themselves; others' projected offsets, too."""
    partitions = {row.partition for row in checkpoint.tournaments} | {p for _, p, _ in checkpoint.projected}
    numbers = {row.tournament_id: row.partition for row in checkpoint.tournaments}
    for at in sorted(partitions):
        rows = [[row for row in rows if numbers[row.tournament_id] == at] for rows in checkpoint[:4]]
        await records.save(Checkpoint._make([*rows, [each for each in checkpoint.projected if each[1] == at]]))


def tournament(number: int, offset: int = 10, **changes: object) -> TournamentRow:
    row = TournamentRow(
        tournament_id=number,
        partition=partition(number),
        offset=offset,
        epoch=3,
        name=f"Tournament {number}",
        type="scheduled",
        visibility="public",
        status="running",
        dedicated=False,
        creator=7,
        created_ms=1_790_000_000_000 + number % 1000,
        starts_ms=1_790_000_100_000,
        ends_ms=1_790_000_200_000,
        finished_ms=None,
        capacity=None,
        participants=0,
        version=1,
        revision=0,
        spec=b'{"name": "\xc3\xa4", "order":"desc"}',
    )
    return row._replace(**changes)  # type: ignore[arg-type]


def participant(number: int, user: int, **changes: object) -> ParticipantRow:
    row = ParticipantRow(number, user, f"User {user}", True, 91250, 2, 1_790_000_150_000, 1_790_000_110_000, None)
    return row._replace(**changes)  # type: ignore[arg-type]


def checkpoint(
    *tournaments: TournamentRow,
    snapshots: list[StoredSnapshot] | None = None,
    participants: list[ParticipantRow] | None = None,
    outbox: list[OutboxRow] | None = None,
    projected: list[tuple[str, int, int]] | None = None,
) -> Checkpoint:
    return Checkpoint(tournaments, snapshots or [], participants or [], outbox or [], projected or [])


def whole(number: int, offset: int, mark: bytes = b"") -> Checkpoint:
    """A checkpoint with one of everything, all marked."""
    return checkpoint(
        tournament(number, offset, name=f"at {offset} {mark.decode()}"),
        snapshots=[StoredSnapshot(number, partition(number), offset, b"snapshot %d %s" % (offset, mark))],
        participants=[participant(number, 1, score=offset, name=mark.decode())],
        outbox=[OutboxRow(number, offset, 0, "finished", b"effect " + mark)],
        projected=[(f"partition-{partition(number)}", partition(number), offset)],
    )


async def everything(records: Records, number: int) -> list[object]:
    page, _ = await records.user_tournaments(1, None, 100)
    return [
        await records.tournament(number),
        await records.snapshots(number),
        page,
        await records.outbox(100),
        await records.projected(partition(number), [f"partition-{partition(number)}"]),
    ]


async def test_an_empty_store_has_nothing(records: Records) -> None:
    assert await records.tournament(1) is None
    assert await records.snapshots(1) == []
    assert await records.active(0, dedicated=False) == []
    assert await records.projected(0, ["partition-0", "tournament-1"]) == {"partition-0": -1, "tournament-1": -1}
    assert await records.projected(0, []) == {}
    assert await records.outbox(10) == []
    assert await records.list_tournaments(ListQuery()) == ([], None)
    assert await records.user_tournaments(1, None, 10) == ([], None)


async def test_rows_come_back_as_they_were_saved(records: Records) -> None:
    rows = [
        tournament(BIG, offset=BIG, creator=BIG, capacity=10_000_000, dedicated=True),
        tournament(2, name="Ünïcode 🏇 %_\\'\"", starts_ms=None, ends_ms=None, type="instant", status="finished"),
        tournament(3, finished_ms=1_790_000_300_000, revision=4, version=9, participants=12),
    ]
    scores = [None, 0, -1, 1, 9_999_999_999, -9_999_999_999, 91_250, 1_999, 2_049, 115]
    people = [participant(BIG, BIG - i, score=score, name=None) for i, score in enumerate(scores)]
    people.append(participant(2, 5, rank=1, scored_ms=None, attempts=10_000, name="ß" * 64))
    people += [participant(3, 50 + i, subscore=score) for i, score in enumerate(scores)]
    await save(records, checkpoint(*rows, participants=people))
    for row in rows:
        assert await records.tournament(row.tournament_id) == row
    for person in people:
        assert await records.user_tournaments(person.user_id, None, 10) == (
            [(next(r for r in rows if r.tournament_id == person.tournament_id), person)],
            None,
        )


async def test_saving_the_same_again_changes_nothing(records: Records) -> None:
    await records.save(whole(1, 10, b"first"))
    before = await everything(records, 1)
    await records.save(whole(1, 10, b"first"))
    assert await everything(records, 1) == before


async def test_a_higher_offset_replaces(records: Records) -> None:
    await records.save(whole(1, 10, b"old"))
    await records.save(whole(1, 11, b"new"))
    row, kept, page, effects, projected = await everything(records, 1)
    assert row == whole(1, 11, b"new").tournaments[0]
    assert kept == [*whole(1, 11, b"new").snapshots, *whole(1, 10, b"old").snapshots]
    assert page == [(row, whole(1, 11, b"new").participants[0])]
    assert effects == [*whole(1, 10, b"old").outbox, *whole(1, 11, b"new").outbox]
    assert projected == {f"partition-{partition(1)}": 11}


async def test_an_equal_offset_replaces_rows_and_snapshot(records: Records) -> None:
    await records.save(whole(1, 10, b"old"))
    await records.save(whole(1, 10, b"new"))
    row, kept, page, effects, _ = await everything(records, 1)
    assert row == whole(1, 10, b"new").tournaments[0]
    assert kept == whole(1, 10, b"new").snapshots
    assert page == [(row, whole(1, 10, b"new").participants[0])]
    assert effects == whole(1, 10, b"old").outbox


async def test_a_later_owner_speaks_for_a_tournament_however_far_an_earlier_one_is(records: Records) -> None:
    await records.save(checkpoint(tournament(1, 10, epoch=9)))
    for offset in (10, 12):
        row = tournament(1, offset, epoch=3, participants=offset)
        await records.save(checkpoint(row, participants=[participant(1, offset)]))
        assert await records.tournament(1) == row._replace(epoch=9)
    await records.save(checkpoint(tournament(1, 12, epoch=11)))
    assert (await records.tournament(1)) == tournament(1, 12, epoch=11)


async def test_a_lower_offset_never_replaces_anything(records: Records) -> None:
    await records.save(whole(1, 10, b"before"))
    await records.save(whole(1, 20, b"newest"))
    before = await everything(records, 1)
    await records.save(whole(1, 19, b"stale"))
    await records.save(whole(1, 5, b"staler"))
    assert await everything(records, 1) == before


async def test_fencing_is_by_tournament(records: Records) -> None:
    one, other = of_partition(1, 2)
    await records.save(checkpoint(tournament(one, 10), tournament(other, 10)))
    stale, fresh = tournament(one, 9, name="stale"), tournament(other, 11, name="fresh")
    await records.save(checkpoint(stale, fresh, participants=[participant(one, 5), participant(other, 5)]))
    page, _ = await records.user_tournaments(5, None, 10)
    assert page == [(fresh, participant(other, 5))]
    assert await records.tournament(one) == tournament(one, 10)


async def test_a_projected_offset_only_grows(records: Records) -> None:
    await records.save(checkpoint(projected=[("partition-4", 4, 5), ("tournament-9", 4, 100)]))
    await records.save(checkpoint(projected=[("partition-4", 4, 4), ("tournament-9", 4, 101)]))
    assert await records.projected(4, ["partition-4", "tournament-9", "x"]) == {
        "partition-4": 5,
        "tournament-9": 101,
        "x": -1,
    }


async def test_effects_of_one_tournament_or_of_all(records: Records) -> None:
    for number, offset in ((3, 10), (1, 10), (3, 11), (2, 10)):
        await records.save(whole(number, offset))
    numbers = [(effect.tournament_id, effect.offset) for effect in await records.outbox(3)]
    assert numbers == [(1, 10), (2, 10), (3, 10)]
    assert [effect.offset for effect in await records.outbox(10, 3)] == [10, 11]
    assert [effect.offset for effect in await records.outbox(1, 3)] == [10]
    assert await records.outbox(10, 4) == []


async def test_participants_and_effects_need_their_tournament(records: Records) -> None:
    for strangers in (
        checkpoint(tournament(1), participants=[participant(2, 1)]),
        checkpoint(tournament(1), outbox=[OutboxRow(2, 10, 0, "finished", b"")]),
    ):
        with pytest.raises(ValueError, match="not in the checkpoint"):
            await records.save(strangers)
    assert await records.tournament(1) is None


async def test_a_checkpoint_is_of_one_partition(records: Records) -> None:
    """So that it lies on one server; nothing of another one is written."""
    one, other = of_partition(1)[0], of_partition(2)[0]
    for wrong in (
        checkpoint(tournament(one), tournament(other)),
        checkpoint(tournament(one), snapshots=[StoredSnapshot(other, 2, 10, b"")]),
        checkpoint(tournament(one), projected=[("partition-2", 2, 10)]),
        checkpoint(),
    ):
        with pytest.raises(ValueError, match="one partition"):
            await records.save(wrong)
    assert await records.tournament(one) is None


async def test_snapshots_of_any_size_and_the_newest_two_are_kept(records: Records) -> None:
    rng = random.Random(3)
    part = 4 << 20
    sizes = [0, 1, part, part + 1, 2 * part + 12_345]
    saved = [StoredSnapshot(1, partition(1), 10 + i, rng.randbytes(size)) for i, size in enumerate(sizes)]
    for i, snapshot in enumerate(saved):
        await records.save(checkpoint(tournament(1, snapshot.offset), snapshots=[snapshot]))
        assert await records.snapshots(1) == saved[max(0, i - 1) : i + 1][::-1]
    shorter = saved[-1]._replace(data=b"short")
    await records.save(checkpoint(tournament(1, shorter.offset), snapshots=[shorter]))
    assert await records.snapshots(1) == [shorter, saved[-2]]


async def test_snapshots_of_many_are_those_of_each(records: Records) -> None:
    mine = [number for number in range(1, 400) if partition(number) == 3]
    for offset in (10, 20):
        some = [StoredSnapshot(n, 3, offset, b"%d at %d" % (n, offset)) for n in mine[: offset // 3]]
        await records.save(checkpoint(*(tournament(n, offset) for n in mine[: offset // 3]), snapshots=some))
    found = await records.snapshots_of(3, mine)
    assert found == {number: await records.snapshots(number) for number in mine[:6]}
    assert [len(found[number]) for number in mine[:6]] == [2, 2, 2, 1, 1, 1]


async def test_many_tournaments_in_one_checkpoint(records: Records) -> None:
    numbers = range(1, 1_301)
    rows = [tournament(number) for number in numbers]
    snapshots = [StoredSnapshot(number, partition(number), 10, b"s%d" % number) for number in numbers]
    scopes = [(f"tournament-{number}", partition(number), number) for number in numbers]
    for _ in range(2):
        await save(records, checkpoint(*rows, snapshots=snapshots, projected=scopes))
    assert await records.active(3, dedicated=False) == [number for number in numbers if partition(number) == 3]
    wanted = {scope: offset for scope, at, offset in scopes if at == 3}
    assert await records.projected(3, [*wanted]) == wanted
    assert (await records.snapshots(777)) == [snapshots[776]]


async def test_active_are_those_not_over_of_their_kind(records: Records) -> None:
    states = ["scheduled", "running", "finished", "cancelled"]
    numbers = of_partition(0, 8)
    kinds = [(status, dedicated) for status in states for dedicated in (False, True)]
    rows = [tournament(n, status=s, dedicated=d) for n, (s, d) in zip(numbers, kinds, strict=True)]
    await save(records, checkpoint(*rows, tournament(of_partition(1)[0])))
    assert await records.active(0, dedicated=False) == [numbers[0], numbers[2]]
    assert await records.active(0, dedicated=True) == [numbers[1], numbers[3]]


async def listed(records: Records, query: ListQuery) -> list[int]:
    """All pages of a query; none may be empty but the only one, none longer than the limit."""
    found: list[int] = []
    while True:
        page = await records.list_tournaments(query)
        assert len(page.rows) <= query.limit
        found += [row.tournament_id for row in page.rows]
        if page.next_cursor is None:
            return found
        assert len(page.rows) == query.limit
        query = query._replace(cursor=page.next_cursor)


@pytest.mark.parametrize("limit", [1, 3, 4, 100])
async def test_tournaments_are_listed_newest_first_across_pages(records: Records, limit: int) -> None:
    created = [5, 3, 3, 3, 9, 1, 1, 3]
    rows = [tournament(i + 1, created_ms=1_790_000_000_000 + c) for i, c in enumerate(created)]
    await save(records, checkpoint(*rows))
    expected = [r.tournament_id for r in sorted(rows, key=lambda r: (r.created_ms, r.tournament_id), reverse=True)]
    assert await listed(records, ListQuery(limit=limit)) == expected


async def test_series_and_cohorts_are_listed_only_when_asked_for(records: Records) -> None:
    rows = [tournament(1), tournament(2, type="series"), tournament(3, type="cohort"), tournament(4, type="instant")]
    await save(records, checkpoint(*rows))
    assert await listed(records, ListQuery()) == [4, 1]
    assert await listed(records, ListQuery(type="series")) == [2]
    assert await listed(records, ListQuery(type="instant")) == [4]


async def test_a_page_stays_where_it_was_when_newer_ones_come(records: Records) -> None:
    await save(records, checkpoint(*(tournament(i) for i in range(1, 7))))
    page = await records.list_tournaments(ListQuery(limit=3))
    await save(records, checkpoint(tournament(7), tournament(8)))
    rest = await records.list_tournaments(ListQuery(limit=3, cursor=page.next_cursor))
    assert [r.tournament_id for r in [*page.rows, *rest.rows]] == [6, 5, 4, 3, 2, 1]
    assert rest.next_cursor is None


@pytest.mark.parametrize("cursor", ["", "x", "!!!!", "MTIz", "é", "MS4yLjM", "LjE", "1790000000000.", "A" * 5000])
async def test_a_foreign_cursor_is_refused(records: Records, cursor: str) -> None:
    with pytest.raises(ValueError, match="not a cursor"):
        await records.list_tournaments(ListQuery(cursor=cursor))
    with pytest.raises(ValueError, match="not a cursor"):
        await records.user_tournaments(1, cursor, 10)


async def test_filters(records: Records) -> None:
    await save(
        records,
        checkpoint(
            tournament(1, name="Spring Exam 100%", status="finished"),
            tournament(2, name="spring_race", type="instant"),
            tournament(3, name="ÜBUNG Straße"),
            tournament(4, name="back\\slash /x"),
            tournament(5, name="Zoe\u0308's \u00a0 cup"),
            tournament(6, name="an \x00 of old", status="cancelled"),
        ),
    )
    for query, expected in (
        (ListQuery(status="running"), [5, 4, 3, 2]),
        (ListQuery(type="instant"), [2]),
        (ListQuery(status="finished", type="instant"), []),
        (ListQuery(q="SPRING"), [2, 1]),
        (ListQuery(q="100%"), [1]),
        (ListQuery(q="%"), [1]),
        (ListQuery(q="_"), [2]),
        (ListQuery(q="g_r"), [2]),
        (ListQuery(q="übung STRASSE"), [3]),
        (ListQuery(q="\\"), [4]),
        (ListQuery(q="/"), [4]),
        (ListQuery(q="' OR 1=1 --"), []),
        (ListQuery(q=""), [6, 5, 4, 3, 2, 1]),
        (ListQuery(q="ZO\u00cb"), [5]),
        (ListQuery(q="zoe\u0308's  CUP "), [5]),
        (ListQuery(q=" spring\texam"), [1]),
        (ListQuery(q="\x00"), []),
        (ListQuery(q="spring\x00"), []),
        (ListQuery(q="an \x00"), []),
    ):
        assert await listed(records, query) == expected, query


async def test_private_tournaments_are_seen_by_those_who_take_part(records: Records) -> None:
    hidden = tournament(2, visibility="private")
    people = [participant(2, 5), participant(2, 6, active=False), participant(1, 7)]
    await save(records, checkpoint(tournament(1), hidden, participants=people))
    assert await listed(records, ListQuery()) == [1]
    assert await listed(records, ListQuery(viewer=5)) == [2, 1]
    assert await listed(records, ListQuery(viewer=6)) == [1]
    assert await listed(records, ListQuery(viewer=7)) == [1]
    assert await listed(records, ListQuery(see_all=True)) == [2, 1]


@pytest.mark.parametrize("limit", [1, 2, 10])
async def test_a_users_tournaments_newest_joined_first(records: Records, limit: int) -> None:
    joined = {1: 50, 2: 40, 3: 60, 4: 50, 5: 99}
    people = [participant(n, 1, joined_ms=ms, active=n != 5) for n, ms in joined.items()]
    await save(records, checkpoint(*(tournament(n) for n in joined), participants=[*people, participant(1, 2)]))
    found: list[int] = []
    cursor = None
    while True:
        page, cursor = await records.user_tournaments(1, cursor, limit)
        assert all(p in people and t.tournament_id == p.tournament_id for t, p in page)
        found += [t.tournament_id for t, _ in page]
        if cursor is None:
            break
    assert found == [3, 4, 1, 2]


async def test_ten_thousand_participants(records: Records) -> None:
    people = [participant(1, user, score=user) for user in range(1, 10_001)]
    await records.save(checkpoint(tournament(1), participants=people))
    ranked = [person._replace(rank=10_001 - person.user_id) for person in people]
    await records.save(checkpoint(tournament(1, 11, status="finished"), participants=ranked))
    for user in (1, 5_000, 10_000):
        assert [p for _, p in (await records.user_tournaments(user, None, 10))[0]] == [ranked[user - 1]]


async def test_where_a_user_takes_or_took_part(records: Records) -> None:
    numbers = sorted(of_partition(0, 2) + of_partition(1, 2) + of_partition(4, 1))
    people = [participant(number, 7, active=number != numbers[1]) for number in numbers[:4]]
    people += [participant(number, 8) for number in numbers]
    await save(records, checkpoint(*map(tournament, numbers), participants=people))
    assert await records.took_part(7, 0, 10) == numbers[:4]
    assert await records.took_part(7, numbers[0], 2) == numbers[1:3]
    assert await records.took_part(9, 0, 10) == []


async def test_a_snapshot_that_is_to_be_alone_takes_those_before_it_along(records: Records) -> None:
    for offset in (10, 11):
        await records.save(whole(1, offset))
    alone = whole(1, 12)
    await records.save(alone._replace(snapshots=[alone.snapshots[0]._replace(alone=True)]))
    assert [each.offset for each in await records.snapshots(1)] == [12]
    await records.save(whole(1, 13))
    assert [each.offset for each in await records.snapshots(1)] == [13, 12]


def delta(number: int, after: int, offset: int, data: bytes) -> Checkpoint:
    made = StoredSnapshot(number, partition(number), offset, data, after=after)
    return checkpoint(tournament(number, offset), snapshots=[made])


async def test_deltas_follow_a_snapshot_and_go_with_it(records: Records) -> None:
    def data(offset: int) -> bytes:
        return whole(1, offset).snapshots[0].data

    async def kept() -> list[tuple[int, bytes, tuple[bytes, ...]]]:
        return [(each.offset, each.data, each.deltas) for each in await records.snapshots(1)]

    for offset in (10, 11):
        await records.save(whole(1, offset))
    await records.save(delta(1, 11, 12, b"to 12"))
    long = random.Random(5).randbytes((9 << 20) + 1)  # more than one row takes
    await records.save(delta(1, 12, 15, long))
    assert await kept() == [
        (15, data(11), (b"to 12", long)),
        (12, data(11), (b"to 12",)),
        (11, data(11), ()),
        (10, data(10), ()),
    ]
    assert (await records.snapshots_of(partition(1), [1]))[1] == await records.snapshots(1)
    await records.save(whole(1, 20))
    assert [each.offset for each in await records.snapshots(1)] == [20, 15, 12, 11]
    await records.save(delta(1, 20, 21, b"to 21"))
    await records.save(whole(1, 21))
    assert await kept() == [(21, data(21), ()), (20, data(20), ())], "whole at the offset of a delta takes its place"
    await records.save(delta(1, 21, 22, b"a name"))
    alone = whole(1, 23)
    await records.save(alone._replace(snapshots=[alone.snapshots[0]._replace(alone=True)]))
    assert await kept() == [(23, data(23), ())]


async def test_a_delta_that_does_not_follow_is_not_written_and_nothing_of_its_checkpoint(records: Records) -> None:
    for after in (9, -1):
        with pytest.raises(RecordsUnavailableError, match="delta"):
            await records.save(delta(1, after, 10, b"of nothing"))
        assert await records.tournament(1) is None
    await records.save(whole(1, 11, b"whole"))
    await records.save(delta(1, 11, 13, b"to 13"))
    before = await everything(records, 1)
    for refused in (delta(1, 11, 14, b"past one"), delta(1, 12, 14, b"of another"), delta(1, 14, 15, b"ahead")):
        with pytest.raises(RecordsUnavailableError, match="delta"):
            await records.save(refused)
        assert await everything(records, 1) == before
    await records.save(delta(1, 11, 13, b"again"))
    await records.save(delta(1, 9, 12, b"older"))
    assert (await records.snapshots(1)) == before[1]
    await records.save(whole(1, 12, b"a stale owner's"))
    assert (await records.snapshots(1)) == before[1]


async def test_checkpoints_of_several_partitions_saved_together(records: Records) -> None:
    numbers = [of_partition(each)[0] for each in range(5)]
    several = [
        whole(number, 11)._replace(projected=[(f"partition-{n}", n, 11 + n)]) for n, number in enumerate(numbers)
    ]
    assert await records.save_each(several) == [None] * 5
    for n, number in enumerate(numbers):
        assert await records.snapshots(number) == whole(number, 11).snapshots
        assert await records.projected(n, [f"partition-{n}"]) == {f"partition-{n}": 11 + n}
    assert await records.save_each([]) == []
    refused = [whole(numbers[0], 12, b"newer"), delta(numbers[1], 3, 14, b"of another")]
    first, second = await records.save_each(refused)
    assert isinstance(second, RecordsUnavailableError)
    kept = [(await records.snapshots(number))[0].offset for number in numbers[:2]]
    assert kept == [11 if first else 12, 11], "each is written whole, or not at all and says so"
    with pytest.raises(ValueError, match="one partition"):
        await records.save_each([checkpoint()])
