"""What every NoticeChannel must keep, as `storage/ports/notice_channels.py` states it; each with a real receiver on loopback."""

from __future__ import annotations

import base64
import json
import logging
import ssl
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from standardwebhooks import Webhook

from actors.domain.notices.events import notice_body
from actors.domain.notices.secrets import webhook_secret
from actors.domain.notices.settings import NotificationSettings
from actors.domain.publications import NOTICES_CHANNEL, decode_notices
from storage.channels.email import EmailChannel, SmtpConfig
from storage.channels.http import Caller
from storage.channels.live import LiveChannel
from storage.channels.push import MAX_MESSAGE_BYTES, TTL_S, PushChannel, new_private_key, public_key_of
from storage.channels.webhook import WebhookChannel
from storage.ports import SENT, Delivery, NoticeChannel
from storage.updates.broker import Broker
from storage.updates.embedded import BrokerUpdates
from tests.support.calm_clock import calm_s
from tests.support.certificates import Authority
from tests.support.receivers import Browser, HttpReceiver, Mails, http_receiver, letter, smtp_server
from tests.support.running import free_ports

MASTER = b"m" * 32
KEY = new_private_key()


def now_ms() -> int:
    return time.time_ns() // 1_000_000


class Bench:
    """A channel and its receiver. `settings(user)` reach it; `received()` are the keys of what came."""

    def __init__(
        self,
        channel: NoticeChannel,
        settings: Callable[[int], NotificationSettings],
        received: Callable[[], list[str]],
        fail: Callable[[str], None],
    ) -> None:
        self.channel = channel
        self.settings = settings
        self.received = received
        self.fail = fail


@pytest.fixture
async def http() -> AsyncIterator[HttpReceiver]:
    async with http_receiver() as receiver:
        yield receiver


@pytest.fixture
def caller() -> Caller:
    return Caller(private=True, timeout_s=1, connections=8)


def failing(receiver: HttpReceiver) -> Callable[[str], None]:
    answers: dict[str, Any] = {"later": 503, "refused": 410, "hangs": None, "nonsense": b"hello\r\n\r\n", "well": 200}

    def fail(how: str) -> None:
        receiver.answer = lambda call: answers[how] if call.path.startswith("/3") else 200

    return fail


@pytest.fixture(params=["email", "push", "webhook"])
async def bench(request: pytest.FixtureRequest, http: HttpReceiver, caller: Caller) -> AsyncIterator[Bench]:
    if request.param == "email":
        mails = Mails()

        def fail(how: str) -> None:
            answer = {"later": "451 later", "refused": "550 nobody", "well": ""}[how]
            mails.refuse = lambda address: answer if address.startswith("u3@") else ""

        def by_mail(user: int) -> NotificationSettings:
            return NotificationSettings(channels=("email",), email=f"u{user}@example.org")

        async with smtp_server(mails) as port:
            config = SmtpConfig(host="127.0.0.1", port=port, sender="Palio <palio@example.org>", tls="none")
            channel = EmailChannel(config)
            keys = lambda: [str(mail["Message-ID"]).strip("<>").rpartition("@")[0] for _, _, mail in mails.kept]  # noqa: E731
            yield Bench(channel, by_mail, keys, fail)
            await channel.close()
    elif request.param == "push":
        browsers: dict[int, Browser] = {}

        def by_push(user: int) -> NotificationSettings:
            browser = browsers.setdefault(user, Browser(f"{http.url}/{user}"))
            return NotificationSettings(channels=("push",), push_subscriptions=(browser.subscription,))

        def pushed() -> list[str]:
            return [json.loads(browsers[int(call.path[1:])].decrypt(call.body))["key"] for call in http.calls]

        push = PushChannel(caller, KEY, "mailto:ops@example.org", now_ms)
        yield Bench(push, by_push, pushed, failing(http))
        await push.close()
    else:

        def by_webhook(user: int) -> NotificationSettings:
            return NotificationSettings(channels=("webhook",), webhook_url=f"{http.url}/{user}")

        hook = WebhookChannel(caller, MASTER, now_ms)
        yield Bench(hook, by_webhook, lambda: [call.headers["webhook-id"] for call in http.calls], failing(http))
        await hook.close()


async def test_all_are_sent_once_under_their_keys(bench: Bench) -> None:
    letters = [letter(user, bench.settings(user)) for user in range(1, 31)]
    assert await bench.channel.send(letters) == [SENT] * 30
    assert sorted(bench.received()) == sorted(each.notice.key for each in letters)
    assert await bench.channel.send([]) == []


@pytest.mark.parametrize("outcome", ["later", "refused"])
async def test_one_that_fails_touches_itself_alone(
    bench: Bench, outcome: str, caplog: pytest.LogCaptureFixture
) -> None:
    bench.fail(outcome)
    caplog.set_level(logging.DEBUG, "storage")
    found = await bench.channel.send([letter(user, bench.settings(user)) for user in range(1, 6)])
    assert [each.outcome for each in found] == ["sent", "sent", outcome, "sent", "sent"]
    assert found[2].reason
    if outcome == "refused" and bench.channel.name != "email":
        settings = bench.settings(3)
        endpoints = [each.endpoint for each in settings.push_subscriptions] or [str(settings.webhook_url)]
        assert list(found[2].gone) == endpoints
    assert not any(secret in caplog.text for secret in ("u3@", "/3", "Spring"))
    bench.fail("well")
    assert await bench.channel.send([letter(3, bench.settings(3))]) == [SENT]


@pytest.mark.parametrize("how", ["hangs", "nonsense"])
async def test_one_that_hangs_or_talks_nonsense_takes_no_longer_than_the_limit(bench: Bench, how: str) -> None:
    if bench.channel.name == "email":
        pytest.skip("a mail server is the channel's own: see below")
    bench.fail(how)
    began = calm_s()
    found = await bench.channel.send([letter(user, bench.settings(user)) for user in range(1, 6)])
    assert [each.outcome for each in found] == ["sent", "sent", "later", "sent", "sent"]
    assert calm_s() - began < 5


async def test_whoever_has_no_address_is_refused(bench: Bench) -> None:
    assert await bench.channel.send([letter(1, NotificationSettings())]) == [Delivery("refused", "no_address")]


async def test_addresses_inside_are_not_called(http: HttpReceiver) -> None:
    caller = Caller(private=False, timeout_s=1, connections=1)
    refused = [Delivery("refused", "internal_address")]
    for host in ("127.0.0.1", "localhost", "[::1]"):
        url = f"http://{host}:{http.port}/1"
        settings = NotificationSettings(webhook_url=url, push_subscriptions=(Browser(url).subscription,))
        assert await WebhookChannel(caller, MASTER, now_ms).send([letter(1, settings)]) == refused
        assert await PushChannel(caller, KEY, "mailto:a@example.org", now_ms).send([letter(1, settings)]) == refused
    assert http.calls == []
    await caller.close()


async def test_nobody_is_followed_along_a_redirect(http: HttpReceiver, caller: Caller) -> None:
    http.answer = lambda call: b"HTTP/1.1 307 X\r\nlocation: /elsewhere\r\ncontent-length: 0\r\n\r\n"
    settings = NotificationSettings(webhook_url=f"{http.url}/1")
    assert await WebhookChannel(caller, MASTER, now_ms).send([letter(1, settings)]) == [Delivery("later", "status_3xx")]
    assert [call.path for call in http.calls] == ["/1"]


async def test_an_endless_answer_is_not_read_to_its_end(http: HttpReceiver, caller: Caller) -> None:
    http.answer = lambda call: b"HTTP/1.1 200 X\r\ncontent-length: 999999999\r\n\r\n" + b"x" * 1_000_000
    settings = NotificationSettings(webhook_url=f"{http.url}/1")
    assert await WebhookChannel(caller, MASTER, now_ms).send([letter(1, settings)]) == [SENT]


async def test_a_host_that_nobody_knows(caller: Caller) -> None:
    settings = NotificationSettings(webhook_url="http://nobody.invalid/")
    found = await WebhookChannel(caller, MASTER, now_ms).send([letter(1, settings)])
    assert found == [Delivery("later", "no_connection")]


async def test_a_webhook_is_signed_with_the_users_secret(http: HttpReceiver, caller: Caller) -> None:
    sent = letter(7, NotificationSettings(webhook_url=f"{http.url}/7"))
    assert await WebhookChannel(caller, MASTER, now_ms).send([sent]) == [SENT]
    call = http.calls[0]
    body = Webhook(webhook_secret(MASTER, 7)).verify(call.body, call.headers)
    assert body == notice_body(sent.notice, sent.title, sent.text)
    assert call.headers["content-type"] == "application/json"
    with pytest.raises(Exception, match="No matching signature"):
        Webhook(webhook_secret(MASTER, 8)).verify(call.body, call.headers)


async def test_a_push_names_its_push_service_and_is_for_its_browser(caller: Caller) -> None:
    async with http_receiver() as one, http_receiver() as other:
        push = PushChannel(caller, KEY, "mailto:ops@example.org", now_ms)
        for receiver in (one, other, one):
            browser = Browser(f"{receiver.url}/x")
            sent = letter(7, NotificationSettings(push_subscriptions=(browser.subscription,)))
            assert await push.send([sent]) == [SENT]
            call = receiver.calls[-1]
            assert json.loads(browser.decrypt(call.body)) == notice_body(sent.notice, sent.title, sent.text)
            assert (call.headers["ttl"], call.headers["content-encoding"]) == (str(TTL_S), "aes128gcm")
            token, key = call.headers["authorization"].removeprefix("vapid t=").split(", k=")
            assert key == public_key_of(KEY)
            raw = base64.urlsafe_b64decode(key + "=")
            public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), raw)
            claims = jwt.decode(token, public, algorithms=["ES256"], audience=receiver.url)
            assert claims["sub"] == "mailto:ops@example.org"
            assert 0 < claims["exp"] - time.time() <= 24 * 3600


async def test_a_push_message_is_no_larger_than_push_services_take(http: HttpReceiver, caller: Caller) -> None:
    browser = Browser(f"{http.url}/x")
    settings = NotificationSettings(push_subscriptions=(browser.subscription,))
    push = PushChannel(caller, KEY, "mailto:a@example.org", now_ms)
    assert await push.send([letter(7, settings, name="ä" * 200, details="x" * 5000)]) == [SENT]
    assert len(http.calls[0].body) <= 4096
    assert len(browser.decrypt(http.calls[0].body)) <= MAX_MESSAGE_BYTES


async def test_a_browser_that_is_gone_is_named_while_another_has_the_message(
    http: HttpReceiver, caller: Caller
) -> None:
    http.answer = lambda call: 404 if call.path == "/gone" else 201
    gone, there = Browser(f"{http.url}/gone"), Browser(f"{http.url}/there")
    settings = NotificationSettings(push_subscriptions=(gone.subscription, there.subscription))
    push = PushChannel(caller, KEY, "mailto:a@example.org", now_ms)
    assert await push.send([letter(7, settings)]) == [Delivery("sent", "", (f"{http.url}/gone",))]


async def test_a_mail_has_two_parts_and_a_name_is_no_markup() -> None:
    mails = Mails()
    async with smtp_server(mails) as port:
        channel = EmailChannel(SmtpConfig(host="127.0.0.1", port=port, sender="Palio <p@example.org>", tls="none"))
        settings = NotificationSettings(channels=("email",), email="ann@example.org", language="de")
        assert await channel.send([letter(7, settings, name="Grüße <i>")]) == [SENT]
    [(sender, recipients, mail)] = mails.kept
    assert (sender, recipients) == ("p@example.org", ["ann@example.org"])
    assert (mail["From"], mail["To"]) == ("Palio <p@example.org>", "ann@example.org")
    assert mail["Subject"] == "Grüße <i> ist zu Ende: Rang 7"
    assert mail["Auto-Submitted"] == "auto-generated"
    plain, html = mail.get_body(("plain",)), mail.get_body(("html",))
    assert plain is not None
    assert html is not None
    assert "Dein Rang ist 7" in plain.get_content()
    assert "Grüße &lt;i&gt;" in html.get_content()


async def test_a_mail_server_that_is_away_takes_all_letters_back() -> None:
    settings = NotificationSettings(channels=("email",), email="ann@example.org")
    letters = [letter(user, settings) for user in range(1, 20)]
    config = SmtpConfig(host="127.0.0.1", port=free_ports(1)[0], sender="p@example.org", tls="none", timeout_s=1)
    assert await EmailChannel(config).send(letters) == [Delivery("unavailable", "no_connection")] * 19
    async with http_receiver(lambda call: None) as silent:
        config = SmtpConfig(host="127.0.0.1", port=silent.port, sender="p@example.org", tls="none", timeout_s=1)
        began = calm_s()
        found = await EmailChannel(config).send(letters)
        assert {each.outcome for each in found} == {"unavailable"}
        assert calm_s() - began < 5


async def test_a_mail_server_without_tls_or_with_anothers_certificate_gets_nothing(tmp_path: Path) -> None:
    settings = NotificationSettings(channels=("email",), email="ann@example.org")
    mails = Mails()
    async with smtp_server(mails) as port:
        config = SmtpConfig(host="127.0.0.1", port=port, sender="p@example.org")
        assert (await EmailChannel(config).send([letter(1, settings)]))[0].outcome == "unavailable"
    made = Authority(tmp_path).own
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made.certificate, made.key)
    async with smtp_server(mails, tls_context=context) as port:
        config = SmtpConfig(host="127.0.0.1", port=port, sender="p@example.org")
        assert await EmailChannel(config).send([letter(1, settings)]) == [Delivery("unavailable", "tls")]
        assert mails.kept == []
        trusting = SmtpConfig(host="127.0.0.1", port=port, sender="p@example.org", ca_file=str(made.certificate))
        assert await EmailChannel(trusting).send([letter(1, settings)]) == [SENT]


async def test_a_letter_that_the_server_refuses() -> None:
    settings = NotificationSettings(channels=("email",), email="ann@example.org")
    mails = Mails()
    async with smtp_server(mails) as port:
        channel = EmailChannel(SmtpConfig(host="127.0.0.1", port=port, sender="p@example.org", tls="none"))
        for answer, wanted in (
            ("554 spam", Delivery("refused", "message_refused")),
            ("452 full", Delivery("later", "message_deferred")),
            ("421 bye", Delivery("later", "disconnected")),
            ("", SENT),
        ):
            mails.refuse_data = answer
            assert await channel.send([letter(1, settings)]) == [wanted]


async def test_live_notices_go_to_the_broker_in_one_publication() -> None:
    updates = BrokerUpdates(Broker(max_buffered=10).call)
    subscription = await updates.subscribe()
    await subscription.add([NOTICES_CHANNEL])
    letters = [letter(user, NotificationSettings()) for user in (1, 2)]
    assert await LiveChannel(updates).send(letters) == [SENT, SENT]
    [publication] = await subscription.receive(1000)
    got = [(user, json.loads(body)) for user, body in decode_notices(publication.payload)]
    assert got == [(each.notice.user_id, notice_body(each.notice, each.title, each.text)) for each in letters]
    await subscription.close()
    await updates.close()
