"""The contract of payouts, for every implementation; and what is each one's own."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx2
import pytest
from standardwebhooks import Webhook

from storage.payouts.ledger_file import LedgerFile
from storage.payouts.webhook import MAX_ANSWER_BYTES, WebhookConfig, WebhookPayouts
from storage.ports import Payout, PayoutRefusedError, Payouts, PayoutUnavailableError
from tests.support.payout_receiver import SECRET, Receiver, running_receiver

NOW_MS = 1_790_000_000_123
PRIZE = Payout("7-0-42-0", "prize", 7, 42, 1, "100.01", "EUR", "", 0, NOW_MS - 5)
MUGS = Payout("7-1-43-0", "prize", 7, 43, 2, "", "", "mug \u2615", 3, NOW_MS - 5)
TAKEN_BACK = Payout("7-0-42-1", "claw_back", 7, 42, 1, "100.01", "EUR", "", 0, NOW_MS)


def clock() -> int:
    return NOW_MS


def wall_clock() -> int:
    return time.time_ns() // 1_000_000


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Receiver]:
    with running_receiver(tmp_path, failing=False) as running:
        yield running


@pytest.fixture
def failing_receiver(tmp_path: Path) -> Iterator[Receiver]:
    with running_receiver(tmp_path) as running:
        yield running


@pytest.fixture(params=["file", "webhook"])
async def bench(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[tuple[Payouts, Callable[[], list[Any]]]]:
    """Payouts, and what was carried out."""
    payouts: Payouts
    if request.param == "file":
        path = tmp_path / "payouts.jsonl"
        payouts = LedgerFile(path, clock)
        yield payouts, lambda: lines_of(path)
    else:
        receiver: Receiver = request.getfixturevalue("receiver")
        payouts = WebhookPayouts(WebhookConfig(receiver.url, SECRET), wall_clock)
        yield payouts, receiver.carried_out
    await payouts.close()


def lines_of(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


async def test_a_payout_is_told_once_however_often_it_is_sent(bench: tuple[Payouts, Callable[[], list[Any]]]) -> None:
    payouts, carried_out = bench
    first = await payouts.pay(PRIZE)
    assert first
    await asyncio.gather(*(payouts.pay(each) for each in (PRIZE, MUGS, TAKEN_BACK, PRIZE, MUGS)))
    assert await payouts.pay(PRIZE) == first
    told = sorted(carried_out(), key=lambda line: str(line["key"]))
    for line in told:
        line.pop("at", None)
    ids = {"tournament_id": "7"}
    assert told == [
        {**ids, "key": "7-0-42-0", "kind": "prize", "user_id": "42", "rank": 1, "amount": "100.01", "currency": "EUR"},
        {
            **ids,
            "key": "7-0-42-1",
            "kind": "claw_back",
            "user_id": "42",
            "rank": 1,
            "amount": "100.01",
            "currency": "EUR",
        },
        {**ids, "key": "7-1-43-0", "kind": "prize", "user_id": "43", "rank": 2, "item": "mug \u2615", "count": 3},
    ]


async def test_close_twice(bench: tuple[Payouts, Callable[[], list[Any]]]) -> None:
    payouts, _ = bench
    await payouts.pay(PRIZE)
    await payouts.close()
    await payouts.close()


# -- the file -----------------------------------------------------------------------------------------------------------


async def test_the_file_knows_its_keys_after_a_restart_and_drops_a_torn_line(tmp_path: Path) -> None:
    path = tmp_path / "payouts.jsonl"
    first = LedgerFile(path, clock)
    assert await first.pay(PRIZE) == "1"
    await first.close()
    whole = path.read_bytes()
    for torn in (b"{", b'{"key": "7-1-43-0"}', whole[: len(whole) // 2]):
        path.write_bytes(whole + torn)
        again = LedgerFile(path, clock)
        assert await again.pay(PRIZE) == "1"
        assert path.read_bytes() == whole
        await again.close()
    last = LedgerFile(path, clock)
    assert await last.pay(MUGS) == "2"
    await last.close()
    assert [line["key"] for line in lines_of(path)] == ["7-0-42-0", "7-1-43-0"]
    assert path.stat().st_mode & 0o077 == 0


async def test_one_process_at_a_time_writes_the_file(tmp_path: Path) -> None:
    path = tmp_path / "payouts.jsonl"
    first, second = LedgerFile(path, clock), LedgerFile(path, clock)
    await first.pay(PRIZE)
    with pytest.raises(PayoutUnavailableError):
        await second.pay(MUGS)
    await first.close()
    assert await second.pay(MUGS) == "2"
    await second.close()


async def test_a_disk_that_is_full_is_told_and_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "payouts.jsonl"
    payouts = LedgerFile(path, clock)
    await payouts.pay(PRIZE)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("os.fsync", full)
        with pytest.raises(PayoutUnavailableError, match="No space left"):
            await payouts.pay(MUGS)
    assert await payouts.pay(MUGS) == "2"
    assert len(lines_of(path)) == 2
    await payouts.close()


# -- the webhook --------------------------------------------------------------------------------------------------------


def answering(handler: Callable[[httpx2.Request], httpx2.Response]) -> WebhookPayouts:
    client = httpx2.AsyncClient(transport=httpx2.MockTransport(handler))
    return WebhookPayouts(WebhookConfig("https://pay.example/hook", SECRET, timeout_s=0.2), wall_clock, client)


async def test_it_is_signed_anew_with_the_same_key_and_body() -> None:
    seen: list[httpx2.Request] = []

    def handler(request: httpx2.Request) -> httpx2.Response:
        seen.append(request)
        Webhook(SECRET).verify(request.content, dict(request.headers))
        return httpx2.Response(204)

    payouts = answering(handler)
    assert await payouts.pay(PRIZE) == ""
    await payouts.pay(PRIZE)
    assert seen[0].content == seen[1].content
    assert {request.headers["webhook-id"] for request in seen} == {PRIZE.key}
    assert json.loads(seen[0].content)["timestamp"] == "2026-09-21T14:13:20.118Z"


@pytest.mark.parametrize("status", [400, 402, 409, 410, 422])
async def test_a_no_is_final(status: int) -> None:
    payouts = answering(lambda _: httpx2.Response(status, text="no such account"))
    with pytest.raises(PayoutRefusedError, match=f"{status}: no such account"):
        await payouts.pay(PRIZE)


@pytest.mark.parametrize("status", [301, 303, 307, 401, 403, 404, 408, 429, 500, 503])
async def test_everything_else_may_pass(status: int) -> None:
    """A redirect is not followed: a GET in place of the POST would look like a yes."""
    headers = {"retry-after": "17", "location": "https://pay.example/elsewhere"}
    payouts = answering(lambda _: httpx2.Response(status, headers=headers))
    with pytest.raises(PayoutUnavailableError, match=str(status)) as caught:
        await payouts.pay(PRIZE)
    assert caught.value.after_s == 17


@pytest.mark.parametrize("pause", ["-5", "nan", "Wed, 21 Oct 2026 07:28:00 GMT", "\u0663", "1e9", ""])
async def test_a_pause_that_is_none_is_left_alone(pause: str) -> None:
    payouts = answering(lambda _: httpx2.Response(503, headers=[(b"retry-after", pause.encode())]))
    with pytest.raises(PayoutUnavailableError) as caught:
        await payouts.pay(PRIZE)
    assert caught.value.after_s == 0


@pytest.mark.parametrize(
    "answer", [b"", b"ok", b"[1]", b'{"reference": 7}', b"\xff", b"[" * 100_000, b'"' + b"x" * 2 * MAX_ANSWER_BYTES]
)
async def test_a_yes_is_a_yes_whatever_it_says(answer: bytes) -> None:
    assert await answering(lambda _: httpx2.Response(HTTPStatus.OK, content=answer)).pay(PRIZE) == ""


async def test_nobody_is_waited_for_without_end(tmp_path: Path) -> None:
    async def silent(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n")
        await writer.drain()
        await asyncio.sleep(30)

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    payouts = WebhookPayouts(WebhookConfig(f"http://127.0.0.1:{port}/", SECRET, timeout_s=0.2), wall_clock)
    with pytest.raises(PayoutUnavailableError, match=r"0\.2 s"):
        await payouts.pay(PRIZE)
    await payouts.close()
    server.close()
    nobody = WebhookPayouts(WebhookConfig(f"http://127.0.0.1:{port}/", SECRET, timeout_s=5), wall_clock)
    with pytest.raises(PayoutUnavailableError):
        await nobody.pay(PRIZE)
    await nobody.close()


async def test_a_receiver_that_fails_half_the_time_carries_each_out_once(failing_receiver: Receiver) -> None:
    payouts = WebhookPayouts(WebhookConfig(failing_receiver.url, SECRET), wall_clock)
    tries = 0
    for number in range(20):
        while True:
            tries += 1
            try:
                assert await payouts.pay(PRIZE._replace(key=f"k{number}")) == f"ref-k{number}"
                break
            except PayoutUnavailableError:
                assert tries < 200
    assert [told["key"] for told in failing_receiver.carried_out()] == [f"k{number}" for number in range(20)]
    assert tries > 30
    await payouts.close()


async def test_another_secret_is_refused_by_the_receiver(receiver: Receiver) -> None:
    payouts = WebhookPayouts(WebhookConfig(receiver.url, "whsec_" + "A" * 32), wall_clock)
    with pytest.raises(PayoutUnavailableError, match="401"):
        await payouts.pay(PRIZE)
    assert receiver.carried_out() == []
    await payouts.close()
