"""A secret that was replaced: after `reseal` the old one is not needed any more, and what no secret opens stays."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from actors.domain.notices.settings import DEFAULTS, NotificationSettings
from cluster.config.settings import load_settings
from cluster.startup.ports import notices_of, open_log, open_records
from scripts.cli.palio import main
from storage.channels.push import public_key_of

OLD, NEW = "o" * 40, "n" * 40
ANN = NotificationSettings(email="ann@example.org")


async def stored(data: Path, put: dict[int, NotificationSettings]) -> dict[int, NotificationSettings]:
    """The settings of users 1 to 999, after some were put."""
    settings = load_settings(data_dir=data)
    log = open_log(settings)
    await log.bounds()
    await log.close()
    records = await open_records(settings)
    notices = notices_of(settings, records)
    for user, wanted in put.items():
        assert await notices.put_settings(user, wanted, 0)
    found = {user: each.settings for user, each in (await notices.settings_of(range(1, 1000))).items()}
    await records.close()
    return found


def test_the_old_secret_is_not_needed_any_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PALIO_NOTIFICATION_SECRET", "x" * 40)
    asyncio.run(stored(tmp_path, {3: ANN}))  # a secret that is lost
    monkeypatch.setenv("PALIO_NOTIFICATION_SECRET", OLD)
    asyncio.run(stored(tmp_path, dict.fromkeys(range(4, 700), ANN)))
    monkeypatch.setenv("PALIO_NOTIFICATION_SECRET", NEW)
    monkeypatch.setenv("PALIO_NOTIFICATION_OLD_SECRETS", f"{'y' * 40},{OLD}")
    assert main(["reseal", "--data", str(tmp_path)]) == 0
    assert "of 696 users" in capsys.readouterr().out
    monkeypatch.delenv("PALIO_NOTIFICATION_OLD_SECRETS")
    assert asyncio.run(stored(tmp_path, {})) == {3: DEFAULTS} | dict.fromkeys(range(4, 700), ANN)
    monkeypatch.setenv("PALIO_NOTIFICATION_SECRET", "x" * 40)
    assert asyncio.run(stored(tmp_path, {}))[3] == ANN


def test_a_key_for_web_push(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["push-key"]) == 0
    key = capsys.readouterr().out.strip()
    assert len(public_key_of(key)) == 87
