"""What pages of other origins may do, by a real browser's judgement: read what is public, and nothing with a token."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import Browser, Page

from tests.e2e.browser import window
from tests.e2e.static_files import served_files
from tests.e2e.visitors import USERS, Organiser

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

FETCH = """async ([url, options]) => {
    try {
        return (await fetch(url, options)).status;
    } catch (error) {
        return error.name;
    }
}"""


async def tried(page: Page, base: str, tournament: str, token: str) -> dict[str, Any]:
    """What a page is answered: a status, or the name of the error in place of an answer that it may not read."""
    path = f"{base}/v1/tournaments/{tournament}"
    bearer = {"Authorization": f"Bearer {token}"}
    score = '{"event_id": "other", "score": 1}'
    calls = {
        "read": (path, {}),
        "read again": (path, {"headers": {"If-None-Match": '"x"'}}),
        "read what is not there": (f"{base}/v1/tournaments/1", {}),
        "read with a token": (path, {"headers": bearer}),
        "write": (
            f"{path}/scores",
            {"method": "POST", "headers": {**bearer, "Content-Type": "application/json"}, "body": score},
        ),
        "write without a token": (f"{path}/scores", {"method": "POST", "body": score}),
    }
    return {name: await page.evaluate(FETCH, call) for name, call in calls.items()}


async def test_palios_own_page_may_call_both_entrypoints(browser: Browser, palio: Any) -> None:
    organiser = Organiser(palio)
    tournament = await organiser.tournament("Own page")
    expected = {
        "read": 200,
        "read again": 200,
        "read what is not there": 404,
        "read with a token": 200,
        "write": 202,
        "write without a token": 401,
    }
    async with window(browser) as page:
        for address in (palio.url, palio.url.replace("127.0.0.1", "localhost")):
            await page.goto(f"{address}/")
            for base in (address, palio.gateway_url):
                user = next(USERS)
                assert await tried(page, base, tournament, palio.token("player", user)) == expected, (address, base)
    await organiser.client.aclose()


async def test_other_pages_read_what_is_public_alone(browser: Browser, palio: Any) -> None:
    organiser = Organiser(palio)
    tournament = await organiser.tournament("Other pages")
    user = next(USERS)
    async with window(browser) as page:
        with served_files() as elsewhere:
            await page.goto(f"{elsewhere}/favicon.svg")
            for base in (palio.url, palio.gateway_url):
                assert await tried(page, base, tournament, palio.token("player", user)) == {
                    "read": 200,
                    "read again": 200,
                    "read what is not there": 404,
                    "read with a token": "TypeError",
                    "write": "TypeError",
                    "write without a token": "TypeError",
                }, base
                assert await page.evaluate(FETCH, [f"{base}/healthz", {}]) == "TypeError"
    await organiser.client.aclose()
