"""The page against a running Palio, in a real browser."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from tests.e2e.browser import launched, window

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

CHECKS = (Path(__file__).parent / "page_checks.js").read_text()
USERS = itertools.count(7_000_001)  # each test's players are its own
expect.set_options(timeout=15_000)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with launched() as browser:
        yield browser


class Organiser:
    """Makes tournaments and scores through the public API, as a service."""

    def __init__(self, palio: Any) -> None:
        self.palio = palio
        headers = {"Authorization": f"Bearer {palio.token('service', 1)}"}
        self.client = httpx.AsyncClient(base_url=palio.url, headers=headers, timeout=20)

    async def call(self, method: str, path: str, body: Any = None) -> Any:
        answer = await self.client.request(method, path, json=body)
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None

    async def tournament(self, name: str, **fields: Any) -> str:
        now = datetime.now(UTC)
        spec = {
            "name": name,
            "type": "scheduled",
            "starts_at": stamp(now - timedelta(minutes=1)),
            "ends_at": stamp(now + timedelta(hours=1)),
            "capacity": 1000,
        }
        return str((await self.call("POST", "/v1/tournaments", {**spec, **fields}))["id"])

    async def add(self, tournament: str, name: str, score: float | None = None) -> str:
        user = str(next(USERS))
        await self.call("PUT", f"/v1/tournaments/{tournament}/participants/{user}", {"name": name})
        if score is not None:
            body = {"event_id": "1", "user_id": user, "score": score}
            answer = await self.client.post(
                f"/v1/tournaments/{tournament}/scores", json=body, headers={"Prefer": "wait=10"}
            )
            assert answer.is_success, answer.text
        return user


def stamp(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


@pytest_asyncio.fixture(loop_scope="module")
async def organiser(palio: Any) -> AsyncIterator[Organiser]:
    organiser = Organiser(palio)
    yield organiser
    await organiser.client.aclose()


async def take_part(page: Page, palio: Any, tournament: str, name: str) -> str:
    """Become a player with a token and join, as a visitor would."""
    user = next(USERS)
    await page.goto(f"{palio.url}/#/t/{tournament}")
    await page.get_by_text("I have a token").click()
    await page.get_by_label("Player token").fill(palio.token("player", user))
    await page.get_by_role("button", name="Use it").click()
    await page.get_by_label("Your name in the table").fill(name)
    await page.get_by_role("button", name="Join", exact=True).click()
    await expect(page.get_by_label("Your score")).to_be_visible()
    return str(user)


async def send_score(page: Page, typed: str) -> None:
    await page.get_by_label("Your score").fill(typed)
    await page.get_by_role("button", name="Send").click()


def rows(page: Page) -> Any:
    return page.locator(".board tbody tr")


async def test_what_one_submits_the_other_sees_without_reloading(
    browser: Browser, palio: Any, organiser: Organiser
) -> None:
    tournament = await organiser.tournament("Two windows")
    async with window(browser) as first, window(browser) as second:
        anna = await take_part(first, palio, tournament, "Anna")
        bruno = await take_part(second, palio, tournament, "Bruno")
        for page in (first, second):
            await expect(page.locator(".connection")).to_have_attribute("data-state", "live")
            await page.evaluate("globalThis.neverReloaded = true")

        await send_score(first, "90.5")
        await expect(first.locator(".said")).to_have_text("Counted. You are 1st with 90.50.")
        await expect(rows(second)).to_have_count(1)
        await expect(rows(second).first).to_contain_text("Anna")
        await expect(rows(second).first).to_contain_text("90.50")

        await send_score(second, "95")
        await expect(second.locator(".said")).to_have_text("Counted. You are 1st with 95.00.")
        await expect(rows(first).first).to_contain_text("Bruno")
        mine = first.locator(f'.board tr[data-user="{anna}"]')
        await expect(mine).to_have_attribute("aria-current", "true")
        await expect(mine.locator(".medal")).to_have_text("2")
        await expect(mine.locator(".move")).to_contain_text("down 1")
        await expect(mine.locator(".gap")).to_have_text("+4.50")
        await expect(first.locator(".place-rank")).to_have_text("2nd")
        await expect(first.locator(f'.board tr[data-user="{bruno}"]')).not_to_have_attribute("aria-current", "true")

        await expect(first.locator(".fact-number")).to_have_text("2")
        for page in (first, second):
            assert await page.evaluate("globalThis.neverReloaded")


async def test_rows_glide_and_keep_still_for_who_wants_less_motion(
    browser: Browser, palio: Any, organiser: Organiser
) -> None:
    tournament = await organiser.tournament("Moving rows")
    await organiser.add(tournament, "Slow", 1)
    await organiser.add(tournament, "Quick", 2)
    for motion, moves in (("no-preference", True), ("reduce", False)):
        async with window(browser) as page:
            await page.emulate_media(reduced_motion=motion)  # type: ignore[arg-type]
            await page.add_init_script(
                "globalThis.glides = 0; const animate = Element.prototype.animate;"
                "Element.prototype.animate = function (...given) { globalThis.glides += 1; return animate.apply(this, given); };"
            )
            await page.goto(f"{palio.url}/#/t/{tournament}")
            await expect(page.locator(".connection")).to_have_attribute("data-state", "live")
            before = await rows(page).count()
            name = f"Quicker {before}"
            await organiser.add(tournament, name, 10 + before)
            await expect(rows(page).first).to_contain_text(name)
            assert (await page.evaluate("globalThis.glides") > 0) is moves


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


async def tab_to(page: Page, selector: str) -> None:
    for _ in range(60):
        await page.keyboard.press("Tab")
        if await page.evaluate("(selector) => document.activeElement.matches(selector)", selector):
            outline = await page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
            assert outline == "solid"  # and it can be seen where one is
            return
    raise AssertionError(f"Tab does not reach {selector}")


async def test_the_end_shows_the_final_table(browser: Browser, palio: Any, organiser: Organiser) -> None:
    tournament = await organiser.tournament("To the end", ties="shared")
    names = [f"Runner {index}" for index in range(60)]
    for index, name in enumerate(names):
        await organiser.add(tournament, name, 100 - index // 2)
    async with window(browser) as page:
        await page.goto(f"{palio.url}/#/t/{tournament}")
        await expect(page.get_by_role("heading", name="Live ranking")).to_be_visible()
        await expect(rows(page)).to_have_count(20)
        await organiser.call("POST", f"/v1/tournaments/{tournament}/end")
        await expect(page.get_by_role("heading", name="Final table")).to_be_visible()
        await expect(page.locator(".connection-text")).to_have_text("Final")
        await expect(page.locator(".podium-name")).to_have_text(names[:3])
        await expect(rows(page)).to_have_count(50)
        await page.get_by_role("button", name="Show more of the ranking").click()
        await expect(rows(page)).to_have_count(60)
        assert await page.locator(".board .who").all_text_contents() == names
        assert await page.locator(".board .medal").all_text_contents() == [
            str(index // 2 * 2 + 1) for index in range(60)
        ]
        await expect(page.get_by_role("button", name="Show more of the ranking")).to_be_hidden()


async def test_more_of_the_ranking_and_the_rows_around_oneself(
    browser: Browser, palio: Any, organiser: Organiser
) -> None:
    tournament = await organiser.tournament("Many", order="asc")
    for index in range(40):
        await organiser.add(tournament, f"Runner {index}", 100 + index)
    async with window(browser) as page:
        user = await take_part(page, palio, tournament, "Late")
        await send_score(page, "129.5")
        await expect(page.locator(".said")).to_have_text("Counted. You are 31st with 129.50.")
        around = page.get_by_role("region", name="Around you")
        await expect(around.locator(f'tr[data-user="{user}"] .medal')).to_have_text("31")
        await expect(around.locator(f'tr[data-user="{user}"]')).to_have_attribute("aria-current", "true")
        await page.get_by_role("button", name="Show more of the ranking").click()
        await expect(rows(page)).to_have_count(41)
        assert await page.locator(".board .medal").all_text_contents() == [str(rank) for rank in range(1, 42)]
        await expect(page.locator(f'.board tr[data-user="{user}"]')).to_have_attribute("aria-current", "true")


async def test_the_list_filters_searches_and_refreshes_by_itself(
    browser: Browser, palio: Any, organiser: Organiser
) -> None:
    mark = f"lot{next(USERS)}"
    now = datetime.now(UTC)
    await organiser.tournament(f"{mark} running")
    later = {"starts_at": stamp(now + timedelta(hours=2)), "ends_at": stamp(now + timedelta(hours=3))}
    await organiser.tournament(f"{mark} planned", **later)
    async with window(browser) as page:
        await page.goto(f"{palio.url}/")
        await page.get_by_label("Search tournaments by name").fill(mark)
        titles = page.locator(".card-title")
        await expect(titles).to_have_count(2)
        await page.get_by_role("link", name="Scheduled", exact=True).click()
        await expect(titles).to_have_text([f"{mark} planned"])
        await expect(page.locator(".card .clock-label")).to_have_text("Starts in")
        await page.get_by_role("link", name="Running", exact=True).click()
        await expect(titles).to_have_text([f"{mark} running"])
        another = await organiser.tournament(f"{mark} another")
        await expect(titles).to_have_count(2)  # without being asked
        await organiser.call("POST", f"/v1/tournaments/{another}/cancel")
        await expect(titles).to_have_count(1)
        await page.get_by_role("link", name="Finished", exact=True).click()
        await expect(page.get_by_role("heading", name=f"Nothing is called “{mark}”")).to_be_visible()
        await page.go_back()
        await expect(titles).to_have_text([f"{mark} running"])


async def test_names_are_text_whatever_they_say(browser: Browser, palio: Any, organiser: Organiser) -> None:
    evil = "<img src=x onerror='globalThis.owned=1'>"
    tournament = await organiser.tournament(f"{evil} cup")
    await organiser.add(tournament, evil, 5)
    async with window(browser) as page:
        await page.goto(f"{palio.url}/#/t/{tournament}")
        await expect(page.get_by_role("heading", level=1)).to_have_text(f"{evil} cup")
        await expect(rows(page).first).to_contain_text(evil)
        assert await page.locator("main img").count() == 0
        assert await page.evaluate("globalThis.owned") is None


async def test_errors_are_told_in_words(browser: Browser, palio: Any, organiser: Organiser) -> None:
    tournament = await organiser.tournament("One place", capacity=1)
    await organiser.add(tournament, "First")
    async with window(browser) as page:
        await page.goto(f"{palio.url}/#/t/123456789")
        await expect(page.get_by_role("heading", level=1)).to_have_text("There is no such tournament")
        await page.goto(f"{palio.url}/#/t/{tournament}")
        await page.get_by_text("I have a token").click()
        await page.get_by_label("Player token").fill("nonsense")
        await page.get_by_role("button", name="Use it").click()
        await expect(page.locator("#token-problem")).to_contain_text("This is not a token")
        await page.get_by_label("Player token").fill(palio.token("player", next(USERS)))
        await page.get_by_role("button", name="Use it").click()
        await page.get_by_role("button", name="Join", exact=True).click()
        await expect(page.locator(".play > .form-error")).to_contain_text("tournament_full")

        other = await organiser.tournament("Scores")
        await page.goto(f"{palio.url}/#/t/{other}")
        await page.get_by_role("button", name="Join", exact=True).click()
        await send_score(page, "1.234")
        await expect(page.locator("#score-problem")).to_contain_text("2 decimals")
        await expect(page.get_by_label("Your score")).to_have_attribute("aria-invalid", "true")


async def test_a_token_that_is_not_accepted_ends_the_play(browser: Browser, palio: Any, organiser: Organiser) -> None:
    tournament = await organiser.tournament("Forged")
    header, claims, _signature = palio.token("player", next(USERS)).split(".")
    async with window(browser) as page:
        await page.goto(f"{palio.url}/#/t/{tournament}")
        await page.get_by_text("I have a token").click()
        await page.get_by_label("Player token").fill(f"{header}.{claims}.{'A' * 43}")
        await page.get_by_role("button", name="Use it").click()
        await expect(page.locator(".play > .form-error")).not_to_be_empty()
        await expect(page.get_by_text("I have a token")).to_be_visible()  # nobody again
        await expect(page.locator(".connection")).to_have_attribute("data-state", "live")


async def test_the_connection_is_told_and_comes_back(browser: Browser, palio: Any, organiser: Organiser) -> None:
    tournament = await organiser.tournament("Tunnel")
    async with window(browser) as page:
        await page.goto(f"{palio.url}/#/t/{tournament}")
        chip = page.locator(".connection")
        await expect(chip).to_have_attribute("data-state", "live")
        await page.context.set_offline(True)
        await expect(chip).to_have_attribute("data-state", "reconnecting")
        await expect(chip).to_contain_text("last heard")
        await expect(chip).to_have_attribute("data-state", "stale")
        await organiser.add(tournament, "In the tunnel", 3)
        await page.context.set_offline(False)
        await expect(chip).to_have_attribute("data-state", "live")
        await expect(rows(page).first).to_contain_text("In the tunnel")


async def test_the_demo_player_button_makes_a_player_or_says_why_not(
    browser: Browser, palio: Any, organiser: Organiser
) -> None:
    tournament = await organiser.tournament("Demo")
    offered = (await organiser.client.post("/v1/demo/player", json={})).status_code
    assert offered in (201, 404)
    async with window(browser) as page:
        await page.goto(f"{palio.url}/#/t/{tournament}")
        await page.get_by_role("button", name="Play as a demo player").click()
        if offered == 201:
            await page.get_by_role("button", name="Join", exact=True).click()
            await send_score(page, "1")
            await expect(page.locator(".said")).to_have_text("Counted. You are 1st with 1.00.")
        else:
            await expect(page.locator(".play > .form-error")).to_contain_text("no demo players")


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
            ("/#/t/1", ".notice.error"),
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


async def check(page: Page, where: str) -> None:
    assert await page.evaluate(CHECKS) == [], where
    beyond = await page.evaluate("document.scrollingElement.scrollWidth - innerWidth")
    assert beyond <= 0, f"{where}: {beyond} px wider than the window"


async def test_the_policy_forbids_inline_scripts_and_the_page_is_whole_under_it(palio: Any) -> None:
    answer = httpx.get(f"{palio.url}/")
    policy = answer.headers["content-security-policy"]
    assert "default-src" in policy
    assert "unsafe" not in policy
    assert answer.headers["content-type"].startswith("text/html")
    script = httpx.get(f"{palio.url}/web/app.js")
    assert script.headers["content-type"].startswith("text/javascript")
    assert httpx.get(f"{palio.url}/web/style.css").headers["content-type"].startswith("text/css")


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
