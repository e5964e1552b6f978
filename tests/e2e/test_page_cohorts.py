"""Whoever joins a tournament of cohorts on the page comes to their board, where they can play."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.async_api import Browser, expect

from tests.e2e.browser import window
from tests.e2e.visitors import Organiser, send_score, take_part

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


async def test_joining_leads_to_the_board(browser: Browser, palio: Any, organiser: Organiser) -> None:
    parent = await organiser.tournament("Cohorts", capacity=None, cohorts={"size": 2})
    async with window(browser) as page:
        await take_part(page, palio, parent, "Anna")
        await expect(page).not_to_have_url(re.compile(parent))
        await send_score(page, "7")
        await expect(page.locator(".said")).to_contain_text("You are 1st")
        await page.goto(f"{palio.url}/#/t/{parent}")
        link = page.get_by_role("link", name="Go to your board")
        await expect(page.get_by_text("You are on board 1")).to_be_visible()
        await link.click()
        await expect(page.get_by_label("Your score")).to_be_visible()
