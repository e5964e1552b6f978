"""A module of the page with its imports as one file. That a browser runs it is tested in tests/e2e/test_embed.py."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from serve_app.api.bundle import bundled


def written(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        path = folder / name.replace("__", ".").replace("_", "/")
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return folder / "main.js"


def test_each_module_is_there_once_before_who_imports_it(tmp_path: Path) -> None:
    entry = written(
        tmp_path,
        main__js='import {\n  twice,\n} from "./parts/twice.js";\nimport { BASE, BASE as base } from "./base.js";\n'
        "const kept = 1; // of its own scope\nconsole.log(twice(base), BASE, kept);\n",
        parts_twice__js='import { BASE } from "../base.js";\nconst kept = 2;\nexport { nothing };\n',
        base__js="const kept = 3;\nexport const BASE = kept;\nexport async function later() {}\nexport class Thing {}\n",
    )
    with pytest.raises(ValueError, match="known form in twice"):
        bundled(entry)
    written(
        tmp_path,
        parts_twice__js='import { BASE } from "../base.js";\nconst kept = 2;\n'
        "export function twice(value) {\n  return [value * kept, BASE];\n}\n",
    )
    text = bundled(entry)
    assert text.count("const kept = 3;") == 1
    assert "return { BASE, later, Thing };" in text
    node = shutil.which("node")
    if node is not None:
        done = subprocess.run([node, "--input-type=module", "-e", text], capture_output=True, text=True, check=True)
        assert done.stdout == "[ 6, 3 ] 3 1\n"


def test_a_style_sheet_is_one(tmp_path: Path) -> None:
    entry = written(
        tmp_path,
        main__js='import sheet from "./look.css" with { type: "css" };\nuse(sheet);\n',
        look__css='a { b: "\\e"; c: -.5rem 1.25rem 2premium }',
    )
    text = bundled(entry)
    assert 'sheet.replaceSync("a { b: \\"\\\\e\\";' in text
    assert 'c: -8px 20px 2premium }");' in text
    assert "const sheet = module0;" in text


def test_a_circle_is_refused(tmp_path: Path) -> None:
    entry = written(
        tmp_path,
        main__js='import { a } from "./a.js";\nexport const b = 1;\n',
        a__js='import { b } from "./main.js";\nexport const a = 1;\n',
    )
    with pytest.raises(ValueError, match="circle of imports, got one through main"):
        bundled(entry)
