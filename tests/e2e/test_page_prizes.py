"""The page's prize table against a running Palio: what there is to win, who won what, and how far it is."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, expect

from tests.e2e.browser import window
from tests.e2e.visitors import Organiser, send_score, take_part

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

PRIZES = [
    {"ranks": [1, 2], "amount": "100.01", "currency": "EUR"},
    {"top_percent": 50, "item": "medal", "ties": "each"},
    {"min_score": 90, "item": "mug", "count": 2, "claim": True},
]


async def test_from_the_rules_to_the_payment(
    browser: Browser, palio: Any, organiser: Organiser, tmp_path: Path
) -> None:
    tournament = await organiser.tournament("Cup", ties="shared", prizes=PRIZES)
    for name, score in (("Bruno", 80), ("Clara", 80), ("Dario", 10)):
        await organiser.add(tournament, name, score)
    async with window(browser) as page:
        anna = await take_part(page, palio, tournament, "Anna <b>")
        panel = page.locator(".prize-panel")
        await expect(panel.locator("tbody:visible tr")).to_have_text(
            ["1st to 2nd place€100.01 each", "Best 50 %medal each", "90.00 or more2 × mug each, to be claimed"]
        )
        await send_score(page, "95")
        await expect(page.locator(".said")).to_contain_text("You are 1st")
        await organiser.call("POST", f"/v1/tournaments/{tournament}/end")
        won = panel.locator("tbody:visible tr")
        await expect(won).to_have_count(7)
        await expect(won.locator(".prize-state")).to_have_text(["Waits for approval"] * 7)
        await expect(won.locator(".who")).to_have_text(
            ["Anna <b>", "Bruno", "Clara", "Anna <b>", "Bruno", "Clara", "Anna <b>"]
        )
        await expect(won.locator(".what")).to_have_text(
            ["€100.01", "€50.01", "€50.00", "medal", "medal", "medal", "2 × mug"]
        )
        await expect(panel.locator("tr.me")).to_have_count(3)
        await organiser.call("POST", f"/v1/tournaments/{tournament}/prizes/approve")
        await expect(panel.locator(f'tr[data-user="{anna}"] .prize-state').last).to_have_text(
            "Waits for the winner's claim"
        )
        await expect(won.locator('.prize-state[data-state="paid"]')).to_have_count(6)
        await page.set_viewport_size({"width": 1200, "height": 1400})
        await page.screenshot(path=os.environ.get("PALIO_TEST_SCREENSHOT", tmp_path / "prizes.png"))
        await page.get_by_role("button", name="Claim your prize").click()
        await expect(won.locator('.prize-state[data-state="paid"]')).to_have_count(7)
        await expect(page.get_by_role("button", name="Claim your prize")).to_be_hidden()
        await page.set_viewport_size({"width": 360, "height": 800})
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (
            "nothing sticks out on a phone"
        )


async def test_without_prizes_there_is_no_panel(browser: Browser, palio: Any, organiser: Organiser) -> None:
    tournament = await organiser.tournament("For honour")
    async with window(browser) as page:
        await page.goto(f"{palio.url}/#/t/{tournament}")
        await expect(page.get_by_role("heading", name="Live ranking")).to_be_visible()
        await expect(page.locator(".prize-panel")).to_be_hidden()
