"""The page for everybody: keyboard, screen readers, contrast, narrow windows, colours; against a running Palio."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx2
import pytest
from playwright.async_api import Browser, Page, expect

from tests.e2e.browser import window
from tests.e2e.visitors import USERS, Organiser, send_score, tab_to, take_part

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

CHECKS = (Path(__file__).parent / "page_checks.js").read_text()
expect.set_options(timeout=60_000)


async def test_everything_can_be_done_with_the_keyboard(browser: Browser, palio: Any, organiser: Organiser) -> None:
    name = f"Keyboard cup {next(USERS)}"
    await organiser.tournament(name)
    async with window(browser) as page:
        await page.goto(f"{palio.url}/")
        await page.keyboard.press("Tab")
        await expect(page.get_by_text("Skip to the content")).to_be_focused()
        await page.keyboard.press("Enter")
        await expect(page.locator("main")).to_be_focused()
        await tab_to(page, "#search")
        await page.keyboard.type(name)
        await expect(page.locator(".card")).to_have_count(1)
        await tab_to(page, ".card a")
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("heading", level=1)).to_have_text(name)
        await expect(page.locator("main")).to_be_focused()
        await tab_to(page, "summary")
        await page.keyboard.press("Enter")
        await page.keyboard.press("Tab")
        await page.keyboard.type(palio.token("player", next(USERS)))
        await page.keyboard.press("Enter")
        await expect(page.get_by_label("Your name in the table")).to_be_focused()
        await page.keyboard.press("Control+A")
        await page.keyboard.type("Keys only")
        await page.keyboard.press("Enter")
        await expect(page.get_by_label("Your score")).to_be_focused()
        await page.keyboard.type("12,5")
        await page.keyboard.press("Enter")
        await expect(page.locator(".said")).to_have_text("Counted. You are 1st with 12.50.")
        await expect(page.get_by_label("Your score")).to_be_focused()


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [1280, 390, 320])
async def test_accessible_and_within_the_window(
    browser: Browser, palio: Any, organiser: Organiser, width: int, dark: bool
) -> None:
    tournament = await organiser.tournament(f"Checks {'of a name that is long enough to wrap ' * 2}")
    ended = await organiser.tournament("Checked end")
    for index in range(3):
        await organiser.add(
            tournament, f"A participant whose name is as long as names can be {index}", -99_999_999.99 + index
        )
        await organiser.add(ended, f"Participant {index}", index)
    await organiser.call("POST", f"/v1/tournaments/{ended}/end")
    async with window(browser, width=width, height=800, dark=dark) as page:
        await page.emulate_media(color_scheme="dark" if dark else "light", reduced_motion="reduce")
        places = [
            ("/", ".card"),
            ("/#/?q=nothing-is-called-this", ".notice"),
            ("/#/t/1", ".notice.invited"),
            (f"/#/t/{ended}", ".podium"),
            (f"/#/t/{tournament}", ".ranks tbody tr"),
        ]
        for path, sign in places:
            await page.goto(f"{palio.url}{path}")
            await expect(page.locator(sign).first).to_be_visible()
            await check(page, path)
        await take_part(page, palio, tournament, "Checker")
        await send_score(page, "-3")
        await expect(page.get_by_role("region", name="Around you")).to_be_visible()
        await check(page, "playing")
        await page.get_by_label("Search this table by name or number").fill("participant")
        await expect(page.locator(".excerpt tbody tr")).to_have_count(3)
        await check(page, "searching")


async def check(page: Page, where: str) -> None:
    assert await page.evaluate(CHECKS) == [], where
    beyond = await page.evaluate("document.scrollingElement.scrollWidth - innerWidth")
    assert beyond <= 0, f"{where}: {beyond} px wider than the window"


async def test_the_policy_forbids_inline_scripts_and_the_page_is_whole_under_it(palio: Any) -> None:
    answer = httpx2.get(f"{palio.url}/")
    policy = answer.headers["content-security-policy"]
    assert "default-src" in policy
    assert "unsafe" not in policy
    assert answer.headers["content-type"].startswith("text/html")
    script = httpx2.get(f"{palio.url}/web/app.js")
    assert script.headers["content-type"].startswith("text/javascript")
    assert httpx2.get(f"{palio.url}/web/style.css").headers["content-type"].startswith("text/css")


async def test_colours_can_be_chosen_and_are_remembered(browser: Browser, palio: Any) -> None:
    async with window(browser) as page:
        await page.goto(f"{palio.url}/")
        button = page.get_by_role("button", name="Colours")
        paper = "getComputedStyle(document.body).backgroundColor"
        light = await page.evaluate(paper)
        await button.click()
        await button.click()
        await expect(button).to_have_accessible_name("Colours: dark. Change")
        dark = await page.evaluate(paper)
        assert dark != light
        await page.reload()
        assert await page.evaluate(paper) == dark
