"""The page at `/docs` in a real browser: Swagger UI, whose "Try it out" calls the running Palio."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Browser, Locator, Page, Request, expect

from serve_app.handlers.routes import ROUTES
from serve_app.http.problems import CODES
from tests.e2e.browser import window
from tests.e2e.visitors import Organiser

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

expect.set_options(timeout=60_000)


async def opened(page: Page, palio: Any) -> None:
    await page.goto(f"{palio.url}/docs")
    await expect(page.locator(".opblock")).to_have_count(len(ROUTES))


async def tried(page: Page, operation: str) -> Locator:
    """A call, opened for trying it out."""
    block = page.locator(f"[id$='-{operation}'].opblock")
    await block.locator(".opblock-summary-control").click()
    await block.get_by_role("button", name="Try it out").click()
    return block


async def executed(block: Locator, status: int) -> str:
    """The body of the answer as Swagger UI shows it, with this status."""
    await block.get_by_role("button", name="Execute").click()
    answer = block.locator(".live-responses-table .response")
    await expect(answer.locator(".response-col_status")).to_have_text(re.compile(rf"^\s*{status}"))
    return await answer.locator(".response-col_description .highlight-code").first.inner_text()


async def test_a_visitor_authorizes_and_calls(browser: Browser, palio: Any, organiser: Organiser) -> None:
    tournament = await organiser.tournament("Tried out")
    user = await organiser.add(tournament, "Ann")
    asked: list[Request] = []
    async with window(browser) as page:
        page.on("request", lambda request: asked.append(request))
        await opened(page, palio)

        block = await tried(page, "submit_score")
        await block.get_by_placeholder("tournament").fill(tournament)
        assert "token_missing" in await executed(block, 401)

        await page.get_by_role("button", name="Authorize").first.click()
        dialog = page.locator(".modal-ux")
        await dialog.get_by_role("textbox").fill(palio.token("player", int(user)))
        await dialog.get_by_role("button", name="Apply credentials").click()
        await dialog.get_by_role("button", name="Close").last.click()

        await block.get_by_placeholder("Prefer").fill("wait=10")
        assert '"outcome": "applied"' in await executed(block, 200)

        block = await tried(page, "participant")
        await block.get_by_placeholder("tournament").fill(tournament)
        await block.get_by_placeholder("user").fill("me")
        body = await executed(block, 200)
        assert f'"user_id": "{user}"' in body
        assert '"score": 912.5' in body
    own = urlsplit(palio.url).netloc
    others = [request.url for request in asked if urlsplit(request.url).netloc not in (own, "")]
    assert others == []
    assert any(request.method == "POST" for request in asked)


async def test_each_call_shows_examples(browser: Browser, palio: Any) -> None:
    async with window(browser) as page:
        await opened(page, palio)
        block = page.locator("[id$='-create_tournament'].opblock")
        await block.locator(".opblock-summary-control").click()
        await expect(block.locator(".opblock-section-request-body .highlight-code")).to_contain_text('"name": "Sprint"')
        await expect(block.locator(".response").first.locator(".highlight-code")).to_contain_text('"top": [')


@pytest.mark.parametrize("code", ["tournament_full", "internal"])
async def test_the_type_of_a_problem_leads_to_its_code(browser: Browser, palio: Any, code: str) -> None:
    async with window(browser) as page:
        await page.goto(f"{palio.url}/docs#{code}")
        await expect(page.locator(".opblock")).to_have_count(len(ROUTES))
        await expect(page.locator(f"#{code}")).to_be_in_viewport()
        await expect(page.locator("details tr")).to_have_count(len(CODES) + 1)
        await expect(page.locator(f"#{code}")).to_contain_text(re.compile(r"\d{3}"))
