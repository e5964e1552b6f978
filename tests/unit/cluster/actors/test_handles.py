from __future__ import annotations

import asyncio
import threading
from types import SimpleNamespace
from typing import Any

import pytest
from ray.exceptions import RayActorError

from cluster.actors.handles import Handles
from cluster.startup.ports import NAMESPACE


class Ray:
    """Named actors, each the number of its incarnation; `asked` are the look-ups."""

    def __init__(self) -> None:
        self.incarnation = {"shard-0": 1}
        self.asked: list[tuple[str, str]] = []
        self.dead: set[int] = set()

    def get_actor(self, name: str, namespace: str) -> Any:
        self.asked.append((name, namespace))
        if name not in self.incarnation:
            raise ValueError(f"no actor named {name}")
        mine = self.incarnation[name]

        async def echo(*arguments: Any) -> Any:
            if mine in self.dead:
                raise RayActorError
            return mine, *arguments

        async def fail() -> None:
            raise KeyError("its own error")

        return SimpleNamespace(echo=SimpleNamespace(remote=echo), fail=SimpleNamespace(remote=fail))


@pytest.fixture
def ray(monkeypatch: pytest.MonkeyPatch) -> Ray:
    made = Ray()
    monkeypatch.setattr("ray.get_actor", made.get_actor)
    return made


async def test_a_handle_is_looked_up_once(ray: Ray) -> None:
    handles = Handles()
    assert [await handles.call("shard-0", "echo", n, "x") for n in range(3)] == [(1, n, "x") for n in range(3)]
    assert ray.asked == [("shard-0", NAMESPACE)]


async def test_one_that_died_for_good_is_looked_up_again(ray: Ray) -> None:
    handles = Handles()
    await handles.call("shard-0", "echo")
    ray.dead.add(1)
    ray.incarnation["shard-0"] = 2
    with pytest.raises(RayActorError):
        await handles.call("shard-0", "echo")
    assert await handles.call("shard-0", "echo") == (2,)
    assert len(ray.asked) == 2


async def test_what_the_method_raises_is_raised_and_the_handle_kept(ray: Ray) -> None:
    handles = Handles()
    with pytest.raises(KeyError, match="its own error"):
        await handles.call("shard-0", "fail")
    assert await handles.call("shard-0", "echo") == (1,)
    assert len(ray.asked) == 1


async def test_a_name_of_nobody_is_an_error_each_time(ray: Ray) -> None:
    handles = Handles()
    for _ in range(2):
        with pytest.raises(ValueError, match="no actor named shard-9"):
            await handles.call("shard-9", "echo")
    assert len(ray.asked) == 2


async def test_a_look_up_that_hangs_holds_nobody_else_up(ray: Ray, monkeypatch: pytest.MonkeyPatch) -> None:
    let = threading.Event()
    look_up = ray.get_actor

    def slow(name: str, namespace: str) -> Any:
        let.wait(5)
        return look_up(name, namespace)

    monkeypatch.setattr("ray.get_actor", slow)
    asking = asyncio.create_task(Handles().call("shard-0", "echo"))
    await asyncio.sleep(0.01)  # the loop runs
    assert not asking.done()
    let.set()
    assert await asking == (1,)
