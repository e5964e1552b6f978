"""Notifications of a whole Palio: to a mail server, to webhooks that fail half the time, to live sockets, through kill -9 of the notifier."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread
from typing import Any

import httpx2
import pytest
from standardwebhooks import Webhook
from websockets.sync.client import connect

from tests.integration.conftest import create, eventually, join, stamp, submit
from tests.support.receivers import Call, HttpReceiver, Mails, http_receiver, smtp_server
from tests.support.running import NO_LIMITS, RunningPalio, free_ports

USERS = range(101, 161)


class Receivers:
    """A mail server and a receiver of webhooks in a thread; each webhook fails half the time, at random but alike in every run."""

    def __init__(self, smtp_port: int) -> None:
        self.mails = Mails()
        self.http = HttpReceiver()
        self.smtp_port = smtp_port
        self._random = random.Random(7)
        self._failed: Counter[str] = Counter()
        self._ready, self._stop = Event(), asyncio.Event()
        self._thread = Thread(target=lambda: asyncio.run(self._run()), daemon=True)

    def answer(self, call: Call) -> int:
        """Half of the calls fail, though no letter more than five times."""
        key = call.headers["webhook-id"]
        fails = self._random.random() < 0.5 and self._failed[key] < 5
        self._failed[key] += fails
        return 500 if fails else 200

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        async with http_receiver(self.answer) as self.http, smtp_server(self.mails, self.smtp_port):
            self._ready.set()
            await self._stop.wait()

    def start(self) -> None:
        self._thread.start()
        assert self._ready.wait(30)

    def stop(self) -> None:
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(30)


@pytest.fixture
def receivers() -> Iterator[Receivers]:
    made = Receivers(free_ports(1)[0])
    made.start()
    yield made
    made.stop()


@pytest.fixture
def palio(tmp_path: Path, receivers: Receivers) -> Iterator[RunningPalio]:
    """With slow channels, so that there is a middle to kill."""
    running = RunningPalio(
        tmp_path / "data",
        **NO_LIMITS,
        PALIO_SMTP_HOST="127.0.0.1",
        PALIO_SMTP_PORT=str(receivers.smtp_port),
        PALIO_SMTP_TLS="none",
        PALIO_SMTP_SENDER="Palio <palio@example.org>",
        PALIO_NOTIFICATION_EMAIL_RATE="10",
        PALIO_NOTIFICATION_WEBHOOK_RATE="10",
        PALIO_NOTIFICATION_RETRY_S="0.2",
        PALIO_NOTIFICATION_PRIVATE_ADDRESSES="true",
    ).start()
    yield running
    assert running.stop() == 0, "".join(running.output)


def test_everyone_is_told_though_the_notifier_is_killed_and_webhooks_fail(
    palio: RunningPalio, receivers: Receivers
) -> None:
    with palio.client() as service:
        tournament = create(service, name="Spring <Cup>", starts_at=stamp(3600), ends_at=stamp(7200))
        secrets: dict[str, str] = {}
        for user in USERS:
            with palio.client("player", user) as player:
                body = {
                    "channels": ["live", "email", "webhook"],
                    "language": "de" if user % 2 else "en",
                    "email": f"u{user}@example.org",
                    "webhook_url": f"{receivers.http.url}/{user}",
                    "opt_out": ["starting_soon"],
                }
                answer = player.put("/v1/users/me/notifications", json=body)
                assert answer.status_code == 200, answer.text
                assert player.get("/v1/users/me/notifications").json()["email"] == body["email"]
                secrets[str(user)] = answer.json()["available"]["webhook_secret"]
        join(service, tournament, *USERS)
        with connect(palio.live_url, subprotocols=["palio.v1"]) as socket:  # type: ignore[list-item]
            socket.send(json.dumps({"id": 1, "auth": palio.token("player", USERS[0])}))
            assert json.loads(socket.recv(30))["ok"]
            assert service.post(f"/v1/tournaments/{tournament}/start").status_code == 200
            for user in USERS:
                submit(service, tournament, user, "e", user)
            assert service.post(f"/v1/tournaments/{tournament}/end").status_code == 200
            live = [_notice(socket), _notice(socket)]
        assert [(each["event"], each["user_id"]) for each in live] == [("started", "101"), ("ended", "101")]
        assert (live[1]["rank"], live[1]["score"]) == (len(USERS), 101)

        eventually(lambda: len(receivers.mails.kept) > 10)
        assert len(receivers.mails.kept) < 2 * len(USERS)
        palio.kill_actors("NotifierActor")
        other = create(service, name="Another one")
        join(service, other, USERS[0])
        eventually(lambda: _told(receivers) and _mailed(receivers), 120)
        assert service.post(f"/v1/tournaments/{other}/cancel").status_code == 200
        eventually(lambda: any("Another one" in str(mail["Subject"]) for _, _, mail in receivers.mails.kept))

    wanted = {f"{event}.{user}" for event in ("started", "ended") for user in USERS}
    mails = {_short(str(mail["Message-ID"])): (to, mail) for _, to, mail in receivers.mails.kept}
    assert wanted <= set(mails)
    to, mail = mails["ended.159"]
    assert to == ["u159@example.org"]
    assert mail["Subject"] == "Spring <Cup> ist zu Ende: Rang 2"
    html = mail.get_body(("html",))
    assert html is not None
    assert "Spring &lt;Cup&gt;" in html.get_content()
    kept: dict[str, set[str]] = {}
    for call in receivers.http.calls:
        body = Webhook(secrets[call.path[1:]]).verify(call.body, call.headers)
        assert body["key"] == call.headers["webhook-id"]
        kept.setdefault(body["key"], set()).add(f"{body['event']}.{body['user_id']}")
    assert {what for whats in kept.values() for what in whats} >= wanted
    assert all(len(whats) == 1 for whats in kept.values())  # a second one has the key of the first
    tries = Counter(call.headers["webhook-id"] for call in receivers.http.calls)
    assert max(tries.values()) > 1
    eventually(lambda: _webhooks_of(palio, tournament) == {(True, 0, 0, len(USERS))}, 120)


def _webhooks_of(palio: RunningPalio, tournament: str) -> set[tuple[bool, int, int, int]]:
    """(done, waiting, failed, sent) of the tournament's events, as an operator sees them."""
    jobs = palio.inspect("notices")["notices"]
    theirs = [job for job in jobs if job["tournament"] == tournament and job["channel"] == "webhook"]
    assert len(theirs) == 2
    return {(job["done"], job["waiting"], job["failed"], job["sent"]) for job in theirs}


def _told(receivers: Receivers) -> bool:
    return len({call.headers["webhook-id"] for call in receivers.http.calls}) >= 2 * len(USERS)


def _mailed(receivers: Receivers) -> bool:
    return len({str(mail["Message-ID"]) for _, _, mail in receivers.mails.kept}) >= 2 * len(USERS)


def _short(message_id: str) -> str:
    """`<tournament.event-offset-n.user@example.org>` as event and user."""
    _, event, user = message_id.strip("<>").partition("@")[0].split(".")
    return f"{event.partition('-')[0]}.{user}"


def _notice(socket: Any) -> dict[str, Any]:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        message: dict[str, Any] = json.loads(socket.recv(60))
        if message.get("type") == "notice":
            return message
    raise AssertionError("no notice came")


def test_a_dead_mail_server_loses_nothing(palio: RunningPalio, receivers: Receivers) -> None:
    receivers.stop()
    with palio.client() as service, palio.client("player", 7) as player:
        body = {"channels": ["email"], "email": "u7@example.org"}
        assert player.put("/v1/users/me/notifications", json=body).status_code == 200
        tournament = create(service)
        join(service, tournament, 7)
        assert service.post(f"/v1/tournaments/{tournament}/end").status_code == 200
        eventually(lambda: _metric(palio, 'palio_notice_channel_failures{channel="email"') > 1)
    again = Receivers(receivers.smtp_port)
    again.start()
    try:
        eventually(lambda: [str(mail["To"]) for _, _, mail in again.mails.kept] == ["u7@example.org"] * 1, 90)
        eventually(lambda: _metric(palio, 'palio_notice_channel_failures{channel="email"') == 0)
    finally:
        again.stop()


def _metric(palio: RunningPalio, name: str) -> float:
    text = httpx2.get(f"{palio.url}/metrics", timeout=30).text
    return sum(float(line.rpartition(" ")[2]) for line in text.splitlines() if line.startswith(name))
