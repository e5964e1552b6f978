"""The page against a running Palio, in a real browser."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.async_api import Browser, expect

from tests.e2e.browser import window
from tests.e2e.visitors import USERS, Organiser, rows, send_score, stamp, take_part

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

expect.set_options(timeout=60_000)


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


async def test_a_large_table_is_searched_and_ones_own_row_is_found(
    browser: Browser, palio: Any, organiser: Organiser
) -> None:
    race = {"order": "asc", "display": {"unit": "time", "decimals": 0}}
    tournament = await organiser.tournament("A race of many", **race, visibility="private")
    names = {f"Runner {number}": 2000 + number for number in range(400)} | {"Zoë Weiß": 2814, "Zoe Weiss": 2815.4}
    users = await organiser.add_many(tournament, names)
    async with window(browser) as page:
        await page.goto(f"{palio.url}/#/t/{tournament}")
        await expect(page.get_by_role("heading", level=1)).to_have_text("There is no such tournament")
        await page.evaluate(
            "([user, token]) => sessionStorage.setItem('palio.player', JSON.stringify({user_id: user, name: 'me', token}))",
            [users[300], palio.token("player", int(users[300]))],
        )
        await page.reload()
        own = page.locator(".ranks .own tr")
        await expect(own).to_contain_text("Runner 300")
        await expect(own.locator(".medal")).to_have_text("301")
        await expect(own.locator(".score")).to_have_text("38:20")
        await page.get_by_role("button", name="Go to your row").click()
        mine = page.locator(f'.excerpt tr[data-user="{users[300]}"]')
        await expect(mine).to_be_focused()
        await expect(mine).to_be_in_viewport()
        await expect(page.locator(".excerpt tbody tr")).to_have_count(50)
        await expect(page.get_by_text("Around you, of 402")).to_be_visible()
        await page.get_by_role("button", name="Back to the top").click()
        await expect(own).to_be_visible()

        search = page.get_by_label("Search this table by name or number")
        await search.fill("weiß")
        found = page.locator(".excerpt tbody tr")
        await expect(found).to_have_count(2)
        await expect(page.get_by_role("status").filter(has_text="2 names with “weiß”")).to_be_visible()
        assert await page.locator(".excerpt .who").all_text_contents() == ["Zoë Weiß", "Zoe Weiss"]
        assert await page.locator(".excerpt .score-text").all_text_contents() == ["46:54", "46:55"]
        await search.fill(users[7])
        await expect(found).to_have_count(1)
        await expect(found).to_contain_text("Runner 7")
        await search.fill("nobody at all")
        await expect(page.get_by_text("Nobody in this table is called “nobody at all”.")).to_be_visible()
        await search.press("Escape")
        await expect(rows(page).first).to_contain_text("Runner 0")

        await organiser.call("POST", f"/v1/tournaments/{tournament}/end")
        async with page.expect_download() as saving:
            await page.get_by_role("link", name="Download CSV").click()
        lines = (await (await saving.value).path()).read_text().splitlines()
        assert len(lines) == 403
        assert lines[0].startswith("rank,user_id,name,score,shown,")
        assert lines[301].startswith(f"301,{users[300]},Runner 300,2300.00,38:20,")


async def test_a_table_that_stands_still_says_so_and_hides_the_rank(
    browser: Browser, palio: Any, organiser: Organiser
) -> None:
    tournament = await organiser.tournament("Frozen", freeze_s=3600 * 2)
    async with window(browser) as page:
        await take_part(page, palio, tournament, "Anna")
        await expect(page.get_by_text("The table stands still until the end")).to_be_visible()
        await send_score(page, "7")
        await expect(page.locator(".place-rank")).to_have_text("Rank not shown yet")
        await expect(page.locator(".place dd").first).to_have_text("7.00")
        await expect(rows(page)).to_have_count(0)


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
