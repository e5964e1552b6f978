"""No module of ours imports, by whatever way, one that imports it: imports for type checkers alone and inside functions count, too."""

from __future__ import annotations

import graphlib
from pathlib import Path

import grimp
import pytest

PACKAGES = ("actors", "storage", "serve_app", "cluster", "scripts")


def circle(imports: dict[str, set[str]]) -> list[str]:
    """A circle of imports, its first module again at the end; empty where there is none."""
    try:
        graphlib.TopologicalSorter(imports).prepare()
    except graphlib.CycleError as error:
        found: list[str] = error.args[1]
        return found[::-1]
    return []


def imports_of(*packages: str) -> dict[str, set[str]]:
    graph = grimp.build_graph(
        *packages, include_external_packages=False, exclude_type_checking_imports=False, cache_dir=None
    )
    return {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}


def test_there_is_no_circle() -> None:
    found = circle(imports_of(*PACKAGES))
    assert not found, " imports ".join(found)


@pytest.mark.parametrize(
    "back",
    [
        "from circling import a",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from circling.a import A",
        "def late():\n    import circling.a",
    ],
    ids=["plain", "for type checkers", "inside a function"],
)
def test_a_circle_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, back: str) -> None:
    package = tmp_path / "circling"
    package.mkdir()
    for name, text in {"__init__": "", "a": "from circling import b", "b": "import circling.c", "c": back}.items():
        (package / f"{name}.py").write_text(text, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    assert set(circle(imports_of("circling"))) == {"circling.a", "circling.b", "circling.c"}
