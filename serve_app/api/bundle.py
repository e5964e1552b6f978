"""A module of the page with all that it imports, as one file: so that other sites need one address, or a copy of one file.

Each module becomes a function's scope that gives what it exports. The page itself needs no such thing, and so has no build.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Final

_IMPORT: Final = re.compile(
    r'^import (?:(?P<default>\w+)|\{(?P<names>[^}]*)\}) from "(?P<path>\.[^"]+)"(?: with \{ type: "css" \})?;$', re.M
)
_EXPORT: Final = re.compile(r"^export (?P<what>(?:async )?(?:function|class|const) (?P<name>\w+))", re.M)
_REM: Final = re.compile(r"(?<![\w.#])(\d*\.?\d+)rem\b")
_LEFT: Final = re.compile(r"^(?:import|export)\b.*", re.M)


def bundled(entry: Path) -> str:
    """The module with its imports before it, those of style sheets as `CSSStyleSheet`, with `rem` in pixels: on other sites that unit is
    whatever the site says.

    Understands what the page's modules use: named imports of relative paths, a style sheet's default one, and exports of declarations.
    Raises ValueError for other forms, and for modules that import each other in a circle.
    """
    names: dict[Path, str] = {}
    return "\n".join(_pieces(entry.resolve(), names, ()))


def _pieces(path: Path, names: dict[Path, str], within: tuple[Path, ...]) -> list[str]:
    if path in within:
        raise ValueError(f"expected no circle of imports, got one through {path.name}")
    pieces: list[str] = []
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".css":
        style = _REM.sub(lambda found: f"{float(found[1]) * 16:g}px", text)
        body = f"const sheet = new CSSStyleSheet();\nsheet.replaceSync({json.dumps(style)});\nreturn sheet;"
    else:
        for found in _IMPORT.finditer(text):
            imported = (path.parent / found["path"]).resolve()
            if imported not in names:
                pieces += _pieces(imported, names, (*within, path))
        exported = [found["name"] for found in _EXPORT.finditer(text)]
        body = _EXPORT.sub(
            lambda found: found["what"], _IMPORT.sub(lambda found: _assigned(found, path.parent, names), text)
        )
        if left := _LEFT.search(body):
            raise ValueError(f"expected an import or export of a known form in {path.name}, got {left[0][:80]!r}")
        body += f"return {{ {', '.join(exported)} }};"
    names[path] = f"module{len(names)}"
    return [*pieces, f"// {path.name}\nconst {names[path]} = (() => {{\n{body}\n}})();"]


def _assigned(found: re.Match[str], folder: Path, names: dict[Path, str]) -> str:
    module = names[(folder / found["path"]).resolve()]
    if found["default"] is not None:
        return f"const {found['default']} = {module};"
    return f"const {{{found['names'].replace(' as ', ': ')}}} = {module};"
