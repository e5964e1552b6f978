"""Seeded random JSON documents and JSON Patches, and what python jsonpatch makes of them."""

from __future__ import annotations

import random
from typing import Any

import jsonpatch
from jsonpointer import JsonPointerException

NAMES = ["", "a", "b", "a/b", "m~n", "~1", "~0", "__proto__", "constructor", "length", "0", "1", "-", " ", "é", "👑"]


def scalar(rng: random.Random) -> Any:
    # no 0 and 1: Python holds them equal to False and True, JSON does not
    return rng.choice([None, True, False, "", "x", "é", "12", rng.randint(2, 99), -7, 2.5, -0.25, 99999999.99])


def document(rng: random.Random, depth: int = 3) -> Any:
    kind = rng.random()
    if depth == 0 or kind < 0.25:
        return scalar(rng)
    if kind < 0.6:
        return [document(rng, depth - 1) for _ in range(rng.randint(0, 4))]
    return {name: document(rng, depth - 1) for name in rng.sample(NAMES, rng.randint(0, 4))}


def container(rng: random.Random) -> Any:
    while not isinstance(found := document(rng), dict | list):
        pass
    return found


def escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


def some_pointer(rng: random.Random, where: Any, *, adding: bool = False) -> str:
    """A pointer into the document: mostly to something there, sometimes just beside it."""
    pointer = ""
    while True:
        if isinstance(where, list):
            # of a list only 0 .. length are tried here (python jsonpatch is lax with others, which have tests of their own)
            index = rng.randint(0, len(where))
            if index == len(where):
                return f"{pointer}/{'-' if adding and rng.random() < 0.5 else index}"
            pointer, where = f"{pointer}/{index}", where[index]
        elif isinstance(where, dict):
            if not where or rng.random() < 0.15:
                return f"{pointer}/{escaped(rng.choice(NAMES))}"
            name = rng.choice(list(where))
            pointer, where = f"{pointer}/{escaped(name)}", where[name]
        else:
            return pointer
        if rng.random() < 0.4 or not isinstance(where, dict | list):
            return pointer


def some_operation(rng: random.Random, where: Any) -> dict[str, Any]:
    kind = rng.choice(["add", "remove", "replace", "move", "copy", "test"])
    operation: dict[str, Any] = {"op": kind, "path": some_pointer(rng, where, adding=kind in ("add", "move", "copy"))}
    if kind in ("move", "copy"):
        operation["from"] = some_pointer(rng, where)
    elif kind == "test" and rng.random() < 0.7:
        try:
            operation["value"] = jsonpatch.JsonPointer(operation["path"]).resolve(where)
        except JsonPointerException:
            operation["value"] = scalar(rng)
    elif kind != "remove":
        operation["value"] = document(rng, 2)
    return operation


def expected(before: Any, patch: list[dict[str, Any]]) -> dict[str, Any]:
    try:
        return {"document": jsonpatch.apply_patch(before, patch)}
    except (jsonpatch.JsonPatchException, JsonPointerException):
        return {"refused": True}
