"""Users' webhook secrets."""

from __future__ import annotations

import base64

from actors.domain.notices.secrets import webhook_secret


def test_a_webhooks_secret_is_the_users_own() -> None:
    one, two = webhook_secret(b"master", 1), webhook_secret(b"master", 2)
    assert one != two
    assert one == webhook_secret(b"master", 1) != webhook_secret(b"other", 1)
    assert len(base64.b64decode(one.removeprefix("whsec_"), validate=True)) == 32
