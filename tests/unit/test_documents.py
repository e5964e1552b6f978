"""The documents: links lead somewhere, files that they name exist, lines can be read."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted(
    path
    for path in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "scripts" / "README.md"]
    if path.name != "CHANGELOG.md"  # it names files that were
)
MADE_BY_RUNNING = ("var/", "backup/")
CODE = [ROOT / name for name in ("actors", "storage", "serve_app", "cluster", "scripts", "tests")]


def without_code(text: str) -> str:
    return re.sub(r"(?ms)^\s*```.*?^\s*```", "", text)


def anchors(document: Path) -> set[str]:
    """The anchors of its headings, as GitHub makes them."""
    titles = re.findall(r"(?m)^#+ (.*)$", without_code(document.read_text(encoding="utf-8")))
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_document_is_whole(document: Path) -> None:
    text = without_code(document.read_text(encoding="utf-8"))
    measured = re.compile(r"(?s)<!-- ([\w-]+) -->.*?<!-- /\1 -->")  # written by scripts/bench
    wrong = []
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        file = (document.parent / path).resolve() if path else document
        if not file.exists():
            wrong.append(f"a link to {target}, which is not there")
        elif anchor and anchor not in anchors(file):
            wrong.append(f"a link to {target}, where no heading has that name")
    names = re.findall(r"`((?:[\w.-]+/)+[\w.*-]+\.(?:py|md|yaml|lock|lua|js))`", text)
    wrong += [
        f"{name}, which is no file"
        for name in names
        if not name.startswith(MADE_BY_RUNNING) and not any(ROOT.glob(name))
    ]
    wrong += [
        f"{name}, which is no file of ours"
        for name in re.findall(r"`([\w*-]+\.(?:py|lua|js|css|html))`", text)
        if not any(found for folder in CODE for found in folder.rglob(name))
    ]
    wrong += [
        f"a line of {len(line)} characters: {line[:60]} ..."
        for line in measured.sub("", text).splitlines()
        if len(line) > 120 and not line.startswith(("|", "!"))
    ]
    assert wrong == []


def test_each_decision_is_listed_once() -> None:
    folder = ROOT / "docs" / "decisions"
    listed = re.findall(r"(?m)^\d+\. \[.*\]\((\S+)\)$", (folder / "README.md").read_text(encoding="utf-8"))
    assert sorted(listed) == sorted(path.name for path in folder.glob("0*.md"))
