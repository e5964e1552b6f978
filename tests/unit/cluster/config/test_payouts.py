"""The settings of prizes."""

from __future__ import annotations

from pathlib import Path

import pytest

from actors.prizes.payer import PayerConfig
from cluster.config.settings import load_settings
from cluster.errors import SettingsError
from cluster.startup.ports import clock_ms, open_payouts
from storage.payouts.ledger_file import LedgerFile
from storage.payouts.webhook import WebhookConfig, WebhookPayouts

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
URL = "https://pay.example/hook"


async def test_who_pays(tmp_path: Path) -> None:
    """Embedded a file, a receiver where one is named, on servers nobody else."""
    assert isinstance(open_payouts(load_settings(data_dir=tmp_path)), LedgerFile)
    named = load_settings(data_dir=tmp_path, payout_url=URL, payout_secret=SECRET, payout_timeout_s=3)
    assert named.payout_webhook() == WebhookConfig(URL, SECRET, 3, 8)
    receiver = open_payouts(named)
    assert isinstance(receiver, WebhookPayouts)
    await receiver.close()
    assert open_payouts(load_settings(data_dir=tmp_path, mysql_shards="db:3306")) is None
    assert clock_ms() > 0


def test_a_payout_that_is_marked_is_sent_again_only_once_the_first_cannot_be_under_way() -> None:
    payer = load_settings(payout_timeout_s=3, payout_retry_s=0.5, payout_retry_max_s=60, payout_max_attempts=5).payer()
    assert payer == PayerConfig(at_once=8, lease_ms=8_000, retry_ms=500, retry_max_ms=60_000, max_attempts=5)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"payout_url": "pay.example"}, "PALIO_PAYOUT_URL"),
        ({"payout_url": URL}, "PALIO_PAYOUT_SECRET"),
        ({"payout_url": URL, "payout_secret": ""}, "PALIO_PAYOUT_SECRET"),
        ({"payout_url": URL, "payout_secret": "whsec_%"}, "PALIO_PAYOUT_SECRET"),
        ({"payout_approval": "never"}, "PALIO_PAYOUT_APPROVAL"),
        ({"payout_concurrency": 0}, "PALIO_PAYOUT_CONCURRENCY"),
    ],
)
def test_what_cannot_work_is_told_at_the_start_and_shows_no_secret(given: dict[str, object], told: str) -> None:
    with pytest.raises(SettingsError, match=told) as caught:
        load_settings(**given)
    assert "whsec_%" not in str(caught.value)
