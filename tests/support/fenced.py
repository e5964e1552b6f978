"""The fenced blocks of a document."""

from __future__ import annotations

import re
from pathlib import Path


def fenced(document: Path, language: str) -> list[str]:
    """The code of each block of a language, in their order. There are some."""
    found = re.findall(rf"(?ms)^```{language}\n(.*?)^```", document.read_text(encoding="utf-8"))
    assert found, f"{document} has no block of {language}"
    return found
