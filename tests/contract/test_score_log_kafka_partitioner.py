"""A producer in C that hashes keys by its own default (kcat, librdkafka) beside a running ingest: its scores lie anywhere, and all count."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

from actors.domain.values import partition_of
from cluster.config.settings import Settings
from storage.ports import LogRecord, ScoreLog
from storage.score_log.kafka.log import KafkaScoreLog
from tests.contract.conftest import kafka_config
from tests.support.servers_kafka import KafkaForTests
from tests.support.small_palio import small_palio

PARTITIONS = 50
TOURNAMENTS = range(1, 41)
SCORES = 5  # of each


def produce(kafka: KafkaForTests, topic: str, *options: str) -> None:
    """Scores as a plain program pipes them into kcat: `key:value` lines, nothing said of partitions unless by `options`."""
    lines = [
        f"{tournament}:" + json.dumps({"v": 1, "type": "score", "event_id": f"e{n}", "user_id": "5", "score": n + 0.25})
        for n in range(SCORES)
        for tournament in TOURNAMENTS
    ]
    kcat(kafka, topic, "\n".join(lines), "-K", ":", *options)


def kcat(kafka: KafkaForTests, topic: str, lines: str, *options: str) -> None:
    """A record for each line."""
    program = shutil.which("kcat")
    assert program is not None, "expected kcat to be installed (Debian: apt install kcat)"
    command = [program, "-q", "-P", "-b", kafka.bootstrap_servers, "-t", topic, *options]
    subprocess.run(command, input=lines, text=True, timeout=60, check=True)


async def scores(log: ScoreLog) -> list[LogRecord]:
    """Every score in the log."""
    found: list[LogRecord] = []
    for partition in range(PARTITIONS):
        found += [r for r in (await log.read(partition, -1, 10_000)).records if b'"score"' in r.value]
    return found


async def test_what_kcat_writes_by_its_default_is_moved_and_counts_once(kafka: KafkaForTests, tmp_path: Path) -> None:
    config = replace(kafka_config(kafka), partitions=PARTITIONS)
    log = KafkaScoreLog(config)
    async with small_palio(Settings(data_dir=tmp_path, partitions=PARTITIONS), log) as palio:
        for tournament in TOURNAMENTS:
            await palio.create(tournament, users=(5,))
        await palio.applied()
        await asyncio.to_thread(produce, kafka, config.topic)
        written = [r for r in await scores(log) if not r.moved_from]
        astray = {f"{r.partition}/{r.offset}" for r in written if r.partition != partition_of(int(r.key), PARTITIONS)}
        total = len(TOURNAMENTS) * SCORES
        assert len(written) == total
        assert len(astray) > 0.9 * total, "kcat hashes as Palio does by now: the case is gone"
        async with asyncio.timeout(60):
            while palio.owner.outcomes["applied", ""] < 2 * len(TOURNAMENTS) + total:
                await asyncio.sleep(0.05)
        await palio.applied()

        moved = [r for r in await scores(log) if r.moved_from]
        assert {r.moved_from for r in moved} == astray
        assert all(r.partition == partition_of(int(r.key), PARTITIONS) for r in moved)
        assert palio.ingest.moves.total == len(moved) == len(astray)
        assert (palio.ingest.letters.total, await log.dead_letters()) == (0, [])
        for tournament in TOURNAMENTS:
            state = palio.owner.tournaments.active[tournament].state
            assert (state.members.attempts[0], state.ranking.score(0)) == (SCORES, 100 * (SCORES - 1) + 25)

        # as docs/operations.md advises: then nothing is to be moved. The same events count no second time.
        await asyncio.to_thread(produce, kafka, config.topic, "-X", "topic.partitioner=murmur2_random")
        async with asyncio.timeout(60):
            while palio.owner.outcomes["ignored", "duplicate"] < total:
                await asyncio.sleep(0.05)
        assert palio.ingest.moves.total == len(astray)


async def test_cloud_events_of_either_mode_count_once_whatever_their_key(kafka: KafkaForTests, tmp_path: Path) -> None:
    """As kcat writes them: binary with headers, structured as one JSON; with a key of their own, or none."""
    config = replace(kafka_config(kafka), partitions=PARTITIONS)
    log = KafkaScoreLog(config)
    tournament = 7
    attributes = {
        "specversion": "1.0", "type": "palio.score.submitted", "source": "/matches", "id": "1", "subject": str(tournament),
    }  # fmt: skip
    data = {"user_id": "5", "score": 12.5}
    async with small_palio(Settings(data_dir=tmp_path, partitions=PARTITIONS), log) as palio:
        await palio.create(tournament, users=(5,))
        await palio.applied()
        for key in ([], ["-k", "user-5"], ["-k", str(tournament)]):
            headers = [word for name, value in attributes.items() for word in ("-H", f"ce_{name}={value}")]
            for more, body in (
                (headers, data),
                (["-H", "content-type=application/cloudevents+json"], {**attributes, "data": data}),
            ):
                await asyncio.to_thread(kcat, kafka, config.topic, json.dumps(body), *key, *more)
        without_id = [f"ce_{name}={value}" for name, value in attributes.items() if name != "id"]
        await asyncio.to_thread(
            kcat, kafka, config.topic, json.dumps(data), *(w for h in without_id for w in ("-H", h))
        )
        async with asyncio.timeout(60):
            while palio.owner.outcomes["ignored", "duplicate"] < 5 or not palio.ingest.letters.total:
                await asyncio.sleep(0.05)
        await palio.applied()
        state = palio.owner.tournaments.active[tournament].state
        assert (state.members.attempts[0], state.ranking.score(0)) == (1, 1250)
        (letter,) = await log.dead_letters()
        assert (letter.reason, "`id`" in letter.detail) == ("malformed", True)
