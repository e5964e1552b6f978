"""`RunningActors`: the actors of a running Palio, asked one by one for what they tell about themselves."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import ray
from ray.exceptions import RayError

from actors.director.director import Plan
from cluster.actors.directory import RayOwners
from cluster.actors.handles import Handles
from cluster.startup.ports import NAMESPACE
from storage.ports import IngestReport, OwnerReport, Query

A = TypeVar("A")


class RunningActors:
    """In a process that has joined their Ray; `timeout_s` bounds each call."""

    def __init__(self, plan: Plan, timeout_s: float) -> None:
        self._plan = plan
        self._timeout_s = timeout_s
        self._handles = Handles()
        self._owners = RayOwners(plan, timeout_s)

    async def owners(self) -> list[OwnerReport]:
        """Every owner that there should be or is, whether it answers or not."""
        named = await asyncio.to_thread(ray.util.list_named_actors, all_namespaces=True)
        here = {entry["name"] for entry in named if entry["namespace"] == NAMESPACE}
        dedicated = sorted(name for name in here if name.startswith("tournament-"))
        names = [f"shard-{number}" for number in range(self._plan.shards)] + dedicated
        return [
            OwnerReport(name=name, state=answer) if isinstance(answer, str) else answer
            for name, answer in zip(names, await self._ask(names), strict=True)
        ]

    async def ingests(self, ends: Mapping[int, int]) -> list[IngestReport]:
        """The same for ingest; `ends` are the log's last offsets."""
        names = [f"ingest-{number}" for number in range(self._plan.ingests)]
        return [
            IngestReport(name=name, state=answer) if isinstance(answer, str) else answer
            for name, answer in zip(names, await self._ask(names, dict(ends)), strict=True)
        ]

    async def read(self, tournament_id: int, query: Query[A]) -> A:
        """See `Owners.read`."""
        return await self._owners.read(tournament_id, query)

    async def _ask(self, names: Sequence[str], *arguments: Any) -> list[Any]:
        """Each one's report, or why there is none."""
        return await asyncio.gather(*(self._report(name, arguments) for name in names))

    async def _report(self, name: str, arguments: Sequence[Any]) -> Any:
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._handles.call(name, "report", *arguments)
        except TimeoutError:
            return f"no answer within {self._timeout_s:g} s"
        except AttributeError:
            return "no report: it is of another version of Palio"
        except ValueError:
            return "missing: there is no such actor"
        except RayError as error:
            return f"no answer: {type(error).__name__}"
