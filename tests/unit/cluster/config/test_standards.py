"""The files of tools and foreign ids are read at the start: what is wrong with one is told by the setting's name."""

from __future__ import annotations

from pathlib import Path

import pytest

from cluster.config.settings import load_settings
from cluster.errors import SettingsError


def test_good_files_are_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tools, ids = tmp_path / "tools.json", tmp_path / "ids.json"
    tools.write_text('{"tools": [{"client_id": "a", "user_id": "7", "jwks": "https://a.example/jwks"}]}')
    ids.write_text('{"users": {"mailto:ann@example.org": "42"}}')
    for name, value in (("LTI_TOOLS", tools), ("FOREIGN_IDS", ids), ("LTI_URL", "https://palio.example/")):
        monkeypatch.setenv(f"PALIO_{name}", str(value))
    settings = load_settings()
    assert (settings.lti_tools, settings.foreign_ids) == (str(tools), str(ids))
    assert settings.lti_url == "https://palio.example"


@pytest.mark.parametrize(
    ("variable", "content", "message"),
    [
        ("PALIO_LTI_TOOLS", None, "PALIO_LTI_TOOLS: expected a file that can be read: No such file"),
        ("PALIO_LTI_TOOLS", "{", "PALIO_LTI_TOOLS: .*truncated"),
        ("PALIO_LTI_TOOLS", '{"tools": [{"client_id": "a"}]}', "PALIO_LTI_TOOLS: .*user_id"),
        ("PALIO_FOREIGN_IDS", '{"users": {"a": "x"}}', "PALIO_FOREIGN_IDS: users: 'a': expected a decimal id"),
    ],
)
def test_a_wrong_file_is_told_at_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, content: str | None, message: str
) -> None:
    path = tmp_path / "file.json"
    if content is not None:
        path.write_text(content)
    monkeypatch.setenv(variable, str(path))
    with pytest.raises(SettingsError, match=message):
        load_settings()


def test_an_url_must_be_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PALIO_LTI_URL", "palio.example")
    with pytest.raises(SettingsError, match="PALIO_LTI_URL: expected http"):
        load_settings()
