"""Handles of named actors, kept; and calls through them that tell apart what went wrong."""

from __future__ import annotations

import asyncio
from typing import Any

import ray
from ray.exceptions import RayActorError

from cluster.startup.ports import NAMESPACE


class Handles:
    """Looks names up in a thread (a look-up blocks while Ray's head is away) and forgets a handle whose actor died for good."""

    def __init__(self) -> None:
        self._handles: dict[str, Any] = {}

    async def get(self, name: str) -> Any:
        """The actor's handle. Raises ValueError when there is no such actor."""
        handle = self._handles.get(name)
        if handle is None:
            handle = self._handles[name] = await asyncio.to_thread(ray.get_actor, name, NAMESPACE)
        return handle

    async def call(self, name: str, method: str, *args: Any) -> Any:
        """Call a method. Raises what the method raised, RayActorError when the actor is away, ValueError when there is none."""
        handle = await self.get(name)
        try:
            return await getattr(handle, method).remote(*args)
        except RayActorError:
            self._handles.pop(name, None)  # another incarnation may have taken the name
            raise
