"""The last file here: Palio goes on alone with what several nodes left, and all of it is held against an independent replay of the topic."""

from __future__ import annotations

import asyncio
import json
import re

import httpx2
import psutil

from actors.domain.codec import encode_snapshot
from cluster.config.settings import PROJECT_DIR, Settings
from scripts.local_servers.settings import settings_of
from tests.integration.conftest import create, eventually, join, shown, submit
from tests.support.real_servers import RealServers
from tests.support.running import NO_LIMITS, WHOLE_LOG, RunningPalio
from tests.support.stored import replayed, stored_of


def as_printed(alone: RunningPalio) -> tuple[str, str, httpx2.Client]:
    """Where `scripts/run` said that the entrypoints are, and a client of the api with the token that it printed."""
    line = re.compile(r"  (page and api|gateway|operator token) +(\S+)\n")
    eventually(lambda: "  Ctrl-C stops it.\n" in alone.output, 10)
    told = {match[1]: match[2] for match in map(line.fullmatch, alone.output) if match}
    api, headers = told["page and api"], {"Authorization": f"Bearer {told['operator token']}"}
    return api, told["gateway"], httpx2.Client(base_url=api, headers=headers, timeout=30)


def listed(api: httpx2.Client) -> list[str]:
    """The tournaments, newest first."""
    return [each["id"] for each in api.get("/v1/tournaments", params={"limit": 100}).json()["items"]]


def lives(process: psutil.Process) -> bool:
    """Whether it still does something: one whose parent does not fetch its exit status is over all the same."""
    return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)


def test_scripts_run_goes_on_with_it_on_one_machine(cluster_session: RunningPalio, real_servers: RealServers) -> None:
    """`scripts/run --cluster` as a user starts it, twice: it serves what was there, ends in order, and leaves the servers as they were."""
    with cluster_session.client() as api, cluster_session.client(gateway=True) as gateway:
        before = create(api)
        join(api, before, 1, 2)
        submit(gateway, before, 1, "a", 5)
        tournaments = listed(api)
    assert cluster_session.stop() == 0
    servers = real_servers.pids_by_name
    run = [str(PROJECT_DIR / "scripts" / "run"), "--cluster", "--servers", str(real_servers.directory)]
    alone = RunningPalio(cluster_session.data, run=run, **NO_LIMITS, **WHOLE_LOG)

    alone.start()
    try:
        api_url, gateway_url, operator = as_printed(alone)
        assert (api_url, gateway_url) == (alone.url, alone.gateway_url)
        with operator, alone.client() as api, alone.client(gateway=True) as gateway:
            assert listed(operator) == tournaments
            during = create(operator)
            assert shown(gateway, before) == [("1", 5)]
            assert submit(gateway, before, 2, "a", 7)["outcome"] == "applied"
            join(api, during, 3)
        print(f"\nscripts/run --cluster: ready in {alone.started_in_s:.1f} s")
        assert alone.process is not None
        started = psutil.Process(alone.process.pid).children(recursive=True)
        assert len(started) > 3
        assert alone.stop() == 0, "".join(alone.output)
        assert alone.said("palio: stopped; the same data goes on with the next start")
        assert not [process for process in started if lives(process)]
        assert alone.pids("") == []

        alone.start()
        with alone.client(gateway=True) as gateway:
            assert shown(gateway, before) == [("2", 7), ("1", 5)]
            assert submit(gateway, during, 3, "a", 9)["outcome"] == "applied"
        assert alone.stop() == 0, "".join(alone.output)
    finally:
        if alone.process is not None:
            alone.kill()
    assert real_servers.pids_by_name == servers, "it was not the one who started them"


def test_every_table_is_what_the_topic_says(cluster_session: RunningPalio, real_servers: RealServers) -> None:
    """After all that was done to it: stopped in order, each snapshot is to the byte what an independent replay gives."""
    assert cluster_session.stop() == 0
    settings = Settings(data_dir=cluster_session.data, **settings_of(real_servers.facts))
    states = asyncio.run(replayed(settings))
    assert states
    stored = asyncio.run(stored_of(settings, states))
    differing = [number for number, state in states.items() if stored[number] != encode_snapshot(state)]
    assert differing == []


def test_servers_down_leaves_nothing(real_servers: RealServers) -> None:
    told = json.loads(real_servers.command("status", "--json").stdout)["servers"]
    started = [psutil.Process(pid) for server in told.values() for pid in server["pids"].values()]
    started += [child for process in started for child in process.children(recursive=True)]
    down = real_servers.command("down")
    assert down.returncode == 0, down.stderr
    assert not [process for process in started if lives(process)]
    again = real_servers.command("down")
    assert (again.returncode, again.stdout) == (0, "")
    assert again.stderr == f"nothing runs in {real_servers.directory}\n"
    states = json.loads(real_servers.command("status", "--json").stdout)["servers"]
    assert {server["state"] for server in states.values()} == {"stopped"}
