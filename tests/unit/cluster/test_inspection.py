"""What is found out about a Palio that runs, and about what a stopped one stored."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from actors.domain.messages import Cancel, ScoreWire
from actors.domain.values import partition_of
from cluster.config.settings import Settings
from cluster.inspection import Inspection, NotFoundError
from cluster.startup.ports import clock_ms, notices_of, plan_of
from storage.ports import NewRecord, RecordsUnavailableError, TournamentRow
from tests.support.small_palio import SALT, SmallPalio, small_palio

PARTITIONS = 3
MINE, OTHER = 7, 8


@pytest_asyncio.fixture
async def palio(tmp_path: Path) -> AsyncIterator[SmallPalio]:
    settings = Settings(data_dir=tmp_path, partitions=PARTITIONS, shards=1, ingest_actors=1)
    async with small_palio(settings) as palio:
        await palio.create(MINE, users=(41, 42))
        await palio.create(OTHER)
        await palio.append(MINE, ScoreWire(event_id="a", user_id="42", score=9.5))
        await malformed(palio, MINE, b"\xff\x1b[2J")
        await malformed(palio, OTHER, b'{"v":1,"type":"score","salt":"not to be seen"}')
        await palio.applied()
        yield palio


async def malformed(palio: SmallPalio, tournament: int, value: bytes) -> None:
    partition = partition_of(tournament, PARTITIONS)
    await palio.log.append([NewRecord(partition, str(tournament).encode(), value)])


def look(palio: SmallPalio, *, running: bool = True) -> Inspection:
    return Inspection(
        plan=plan_of(palio.settings),
        log=palio.log,
        records=palio.records,
        notices=notices_of(palio.settings, palio.records),
        actors=palio if running else None,  # type: ignore[arg-type]  # it tells what running actors tell
        clock_ms=clock_ms,
    )


def secretless(document: dict[str, Any]) -> dict[str, Any]:
    text = json.dumps(document)
    assert SALT not in text
    assert "not to be seen" not in text
    return document


async def test_a_tournament_as_its_owner_has_it(palio: SmallPalio) -> None:
    found = secretless(await look(palio).tournament(MINE))
    partition = partition_of(MINE, PARTITIONS)
    last = (await palio.log.bounds())[partition].last
    assert found["running"]
    assert (found["as_of"], found["name"], found["status"], found["participants"]) == (
        "its owner",
        "Spring exam",
        "running",
        2,
    )
    assert (found["scope"], found["partition"]) == (f"partition-{partition}", partition)
    assert (found["log_last"], found["scope_applied_offset"], found["scope_stored_offset"]) == (last, last, last)
    assert found["lag_records"] == 0
    assert found["applied_offset"] == found["stored_offset"] <= last
    [holder] = found["held_by"]
    assert (holder["owner"], holder["ready"], holder["applied"]) == ("shard-0", True, last)
    [letter] = found["dead_letters"]
    assert (letter["key"], letter["value"], letter["reason"]) == ("7", "\\xff\x1b[2J", "malformed")
    assert [effect["kind"] for effect in found["outbox"]] == ["notice"]  # of its start
    assert [snapshot["offset"] for snapshot in found["snapshots"]][:1] == [found["stored_offset"]]
    assert found["troubles"] == []


async def test_the_same_tournament_once_palio_is_stopped(palio: SmallPalio) -> None:
    live = await look(palio).tournament(MINE)
    found = secretless(await look(palio, running=False).tournament(MINE))
    assert not found["running"]
    assert (found["as_of"], found["held_by"], found["applied_offset"], found["lag_records"]) == (
        "the records",
        [],
        None,
        None,
    )
    same = live.keys() - {"running", "as_of", "held_by", "applied_offset", "lag_records", "scope_applied_offset"}
    assert {name: found[name] for name in same} == {name: live[name] for name in same}


async def test_a_dedicated_tournament_is_a_scope_of_its_own(palio: SmallPalio) -> None:
    await palio.create(77, users=(5,), dedicated=True)
    await palio.applied()
    for running in (True, False):
        found = await look(palio, running=running).tournament(77)
        assert (found["scope"], found["placement"]) == ("tournament-77", "dedicated")
        assert found["scope_stored_offset"] >= found["stored_offset"] > 0
        scope = await look(palio, running=running).scope("tournament-77")
        assert scope["partition"] == found["partition"] == partition_of(77, PARTITIONS)
        assert [holder["owner"] for holder in scope["held_by"]] == ["shard-0"] * running


async def test_what_an_end_releases_is_of_its_tournament_alone(palio: SmallPalio) -> None:
    for tournament in (MINE, OTHER):
        await palio.append(tournament, Cancel(command_id="x"))
    await palio.applied()
    found = await look(palio).tournament(OTHER)
    assert (found["status"], found["status_stored"]) == ("cancelled", "cancelled")
    [effect] = [each for each in found["outbox"] if each["kind"] != "notice"]
    assert (effect["offset"], effect["kind"], effect["payload"]["participants"]) == (
        found["stored_offset"],
        "cancelled",
        0,
    )


async def test_an_unknown_tournament(palio: SmallPalio, monkeypatch: pytest.MonkeyPatch) -> None:
    for running in (True, False):
        with pytest.raises(NotFoundError, match=r"^tournament 9 is unknown$"):
            await look(palio, running=running).tournament(9)

    async def away(_tournament: int) -> TournamentRow | None:
        raise RecordsUnavailableError("shard 1 does not answer")

    monkeypatch.setattr(palio.records, "tournament", away)
    with pytest.raises(NotFoundError, match=r"not all could be asked \(records: shard 1 does not answer\)"):
        await look(palio, running=False).tournament(9)
    found = await look(palio).tournament(MINE)  # its owner knows
    assert (found["status"], found["status_stored"]) == ("running", None)
    assert found["troubles"] == [{"part": "records", "trouble": "shard 1 does not answer"}]


async def test_a_scope(palio: SmallPalio) -> None:
    partition = partition_of(MINE, PARTITIONS)
    found = await look(palio).scope(f"partition-0{partition}")
    assert (found["scope"], found["lag_records"], found["held_by"][0]["owner"]) == (
        f"partition-{partition}",
        0,
        "shard-0",
    )
    mine = [str(number) for number in (MINE, OTHER) if partition_of(number, PARTITIONS) == partition]
    assert found["tournaments"] == [{"tournament": number} for number in mine]
    assert found["active_tournaments"] == found["held_by"][0]["tournaments"] == len(mine)


@pytest.mark.parametrize(
    ("scope", "told"),
    [
        ("partition-3", "expected a partition from 0 to 2, got 3"),
        ("tournament-9", "tournament 9 is unknown"),
        ("tournament-7", "tournament 7 has no scope of its own, it is in partition-"),
        ("tournament-x", "expected a decimal id"),
        ("7", "expected a scope such as partition-7 or tournament-42, got '7'"),
        ("partition--1", "expected a scope such as"),
    ],
)
async def test_what_is_no_scope(palio: SmallPalio, scope: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        await look(palio).scope(scope)


async def test_the_log_partition_by_partition(palio: SmallPalio) -> None:
    found = await look(palio).log()
    bounds = await palio.log.bounds()
    assert found["log"] == palio.log.identity
    assert [row["partition"] for row in found["partitions"]] == list(range(PARTITIONS))
    for row in found["partitions"]:
        last = bounds[row["partition"]].last
        assert (row["last"], row["stored"], row["applied"], row["lag_records"]) == (last, last, last, 0)
        assert not row["stopped"]
    stopped = await look(palio, running=False).log()
    assert [(row["stored"], row["applied"], row["lag_records"]) for row in stopped["partitions"]] == [
        (bounds[partition].last, None, None) for partition in range(PARTITIONS)
    ]


async def test_records_of_a_partition_the_newest_or_those_after_an_offset(palio: SmallPalio) -> None:
    partition = partition_of(MINE, PARTITIONS)
    everything = secretless(await look(palio).records_of(partition, -1, 1000))["records"]
    mine = [record for record in everything if record["key"] == str(MINE)]
    assert [record["value"]["type"] for record in mine[:-1]] == ["create", "join", "join", "score"]
    assert [record["signed"] for record in mine] == [True, True, True, False, False]
    assert (mine[0]["value"]["spec"]["name"], mine[3]["value"]["score"]) == ("Spring exam", 9.5)
    assert (await look(palio).records_of(partition, None, 2))["records"] == everything[-2:]
    assert (await look(palio).records_of(partition, everything[0]["offset"], 1))["records"] == everything[1:2]
    with pytest.raises(NotFoundError, match="expected a partition from 0 to 2, got 3"):
        await look(palio).records_of(3, None, 1)


async def test_dead_letters_newest_first(palio: SmallPalio) -> None:
    found = secretless(await look(palio).dead_letters(10))["dead_letters"]
    assert sorted(letter["key"] for letter in found) == ["7", "8"]
    assert {letter["reason"] for letter in found} == {"malformed"}
    assert (await look(palio).dead_letters(1))["dead_letters"] == found[:1]


async def test_owners_and_ingest_also_those_that_do_not_answer(palio: SmallPalio) -> None:
    found = await look(palio).owners()
    [owner], [ingest] = found["owners"], found["ingest"]
    assert (owner["owner"], owner["state"], owner["scopes"], owner["catching_up"]) == (
        "shard-0",
        "running",
        PARTITIONS,
        0,
    )
    assert (owner["active_tournaments"], owner["unsaved_tournaments"]) == (2, 0)
    assert (ingest["partitions"], ingest["lag_records"], ingest["dead_letters"]) == (PARTITIONS, 0, 2)
    assert {"owner": "shard-0", "outcome": "applied", "records": 5} in found["outcomes"]
    palio.silent = {"shard-1": "missing: there is no such actor", "ingest-0": "no answer within 2 s"}
    found = await look(palio).owners()
    assert [owner["state"] for owner in found["owners"]] == ["running", "missing: there is no such actor"]
    assert found["troubles"] == [
        {"part": "shard-1", "trouble": "missing: there is no such actor"},
        {"part": "ingest-0", "trouble": "no answer within 2 s"},
    ]


async def test_how_far_participants_are_told(palio: SmallPalio) -> None:
    notices = notices_of(palio.settings, palio.records)
    await notices.begin(MINE, "ended-5-100", b"{}", ["live", "email"], clock_ms())
    found = secretless(await look(palio, running=False).notices(1))
    assert [(row["tournament"], row["event"], row["channel"], row["done"]) for row in found["notices"]] == [
        (str(MINE), "ended-5-100", "email", False)
    ]
