"""Which channels there are, and settings that are half of what is needed."""

from __future__ import annotations

from typing import Any

import pytest

from cluster.config.settings import load_settings
from cluster.errors import SettingsError
from storage.channels.push import new_private_key

SMTP = {"smtp_host": "mail.example.org", "smtp_sender": "Palio <palio@example.org>"}


def test_channels_are_there_where_they_are_configured() -> None:
    assert load_settings().notice_channels() == ("live", "webhook")
    push = {"push_private_key": new_private_key(), "push_contact": "mailto:ops@example.org"}
    whole = load_settings(**SMTP, **push)
    assert whole.notice_channels() == ("live", "email", "push", "webhook")
    assert load_settings(**SMTP, notification_webhooks=False).notice_channels() == ("live", "email")


@pytest.mark.parametrize(
    ("given", "variable"),
    [
        ({"smtp_host": "mail.example.org"}, "PALIO_SMTP_SENDER"),
        ({"smtp_host": "mail.example.org", "smtp_sender": "Palio"}, "PALIO_SMTP_SENDER"),
        ({"push_private_key": "x"}, "PALIO_PUSH_CONTACT"),
        ({"push_contact": "mailto:a@example.org"}, "PALIO_PUSH_CONTACT"),
        ({"push_private_key": "x", "push_contact": "ops"}, "PALIO_PUSH_CONTACT"),
        ({"notification_page_url": "palio.example"}, "PALIO_NOTIFICATION_PAGE_URL"),
        ({"notification_secret": "short"}, "PALIO_NOTIFICATION_SECRET"),
    ],
)
def test_half_of_what_is_needed(given: dict[str, Any], variable: str) -> None:
    with pytest.raises(SettingsError, match=variable):
        load_settings(**given)
