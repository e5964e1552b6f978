"""`DirectorActor`: a Ray actor around `actors.director.director.Director`, and the launcher that starts Ray actors for it."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Final

import ray
from ray.exceptions import RayActorError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from actors.director.director import Director
from cluster.actors.handles import Handles
from cluster.actors.ingest import IngestActor
from cluster.actors.metrics import RedisMemory
from cluster.actors.process import Background, regularly
from cluster.actors.tournament import TournamentActor
from cluster.config.settings import Settings
from cluster.startup.ports import NAMESPACE, open_records, plan_of, set_up_logging

logger = logging.getLogger(__name__)

START_AGAIN_S: Final = 1
REDIS_MEMORY_S: Final = 10  # from one look at the memory of Redis to the next
CONCURRENCY: Final = 10_000  # calls at once; reads never wait for each other


def options(name: str, **more: Any) -> dict[str, Any]:
    """The options of every named actor: detached, restarted for ever, no CPU reserved (they share the machine's cores)."""
    return {
        "name": name,
        "namespace": NAMESPACE,
        "lifetime": "detached",
        "get_if_exists": True,
        "max_restarts": -1,
        "max_task_retries": 0,  # a delivery or a read that failed is asked anew by its caller, who knows better
        "num_cpus": 0,
        "max_concurrency": CONCURRENCY,
        **more,
    }


class RayLauncher:
    """Implements Launcher with detached named actors."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._handles = Handles()

    async def start_owner(self, name: str, scopes: list[tuple[int, int, int]]) -> None:
        """As Launcher.start_owner."""
        await self._start(TournamentActor, name, scopes)

    async def start_ingest(self, name: str, partitions: dict[int, str]) -> None:
        """As Launcher.start_ingest."""
        await self._start(IngestActor, name, partitions)

    async def _start(self, kind: type, name: str, what: Any) -> None:
        remote = ray.remote(kind).options(**options(name, **await self._placed(name)))
        await remote.remote(self._settings, name, what).ready.remote()

    async def _placed(self, name: str) -> dict[str, Any]:
        """Options that spread actors over the nodes by the number in their name; another node will do where that one is gone.

        Ray's own SPREAD leaves actors that reserve nothing together on one node (seen with three).
        """
        nodes = sorted(
            node["NodeID"]
            for node in await asyncio.to_thread(ray.nodes)
            if node["Alive"] and node["Resources"].get("CPU", 0) > 0
        )
        if len(nodes) < 2:
            return {}
        chosen = nodes[int(name.rpartition("-")[2]) % len(nodes)]
        return {"scheduling_strategy": NodeAffinitySchedulingStrategy(chosen, soft=True)}

    async def adopt(self, owner: str, partition: int, tournament: int, after: int) -> None:
        """As Launcher.adopt."""
        await self._handles.call(owner, "adopt", partition, tournament, after)

    async def release(self, owner: str, partition: int, tournament: int) -> None:
        """As Launcher.release."""
        await self._handles.call(owner, "release", partition, tournament)

    async def dedicated(self) -> list[int]:
        """As Launcher.dedicated."""
        named = await asyncio.to_thread(ray.util.list_named_actors, all_namespaces=True)
        names = [entry["name"] for entry in named if entry["namespace"] == NAMESPACE]
        return [int(name.removeprefix("tournament-")) for name in names if name.startswith("tournament-")]

    async def stop(self, name: str) -> None:
        """As Launcher.stop."""
        try:
            handle = await self._handles.get(name)
            await handle.stop.remote()
        except (ValueError, RayActorError) as error:
            logger.info("%s was gone already: %r", name, error)
            return
        except Exception as error:  # what it could not write in order, the log has
            logger.warning("%s did not stop in order: %r", name, error)
        ray.kill(handle)


class DirectorActor:
    """The director; a restarted one finds everything running and goes on."""

    def __init__(self, settings: Settings) -> None:
        set_up_logging(settings)
        self._settings = settings
        self._made = asyncio.Event()
        loop = asyncio.get_running_loop()
        self._tried: asyncio.Future[None] = loop.create_future()  # how the first try to start all ended
        self._started = asyncio.Event()
        self._starting = loop.create_task(self._start(settings))
        self._background = Background()
        redis = settings.redis()
        if redis is not None:
            from storage.redis_client.cluster import RedisNodes

            self._background.start("redis memory", regularly(REDIS_MEMORY_S, RedisMemory(RedisNodes(redis)).update))

    async def _start(self, settings: Settings) -> None:
        """Start everything; what fails is tried again: after a restart of this actor nobody else would."""
        while not self._started.is_set():
            try:
                if not self._made.is_set():
                    self._director = Director(plan_of(settings), RayLauncher(settings), await open_records(settings))
                    self._made.set()
                await self._director.start()
                self._started.set()
            except Exception as error:
                logger.exception("not all actors are up, they are started again in %d s", START_AGAIN_S)
                if not self._tried.done():
                    self._tried.set_exception(error)
                    self._tried.exception()  # seen: only the first start of all asks for it
                await asyncio.sleep(START_AGAIN_S)
        if not self._tried.done():
            self._tried.set_result(None)

    async def ready(self) -> bool:
        """True once all actors answer. Until then raises what kept them from starting at the first try."""
        if not self._started.is_set():
            await asyncio.shield(self._tried)
        return True

    async def settings(self) -> Settings:
        """What this Palio was started with."""
        return self._settings

    async def host(self, partition: int, tournament: int, after: int) -> str:
        """See Director.host. Does not wait for the start: the start itself makes ingest ask."""
        await self._made.wait()
        return await self._director.host(partition, tournament, after)

    async def placements(self, partition: int) -> dict[int, str]:
        """See Director.placements. As `host`."""
        await self._made.wait()
        return await self._director.placements(partition)

    async def closed(self, partition: int, tournament: int) -> None:
        """See Director.closed."""
        await self._started.wait()
        await self._director.closed(partition, tournament)

    async def routes(self) -> dict[int, str]:
        """The dedicated tournaments' owners."""
        await self._started.wait()
        return {tournament: hosted.owner for tournament, hosted in self._director.hosted.items()}
