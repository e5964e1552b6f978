"""`<palio-board>` on another site's page, and the whole journey once more in Firefox."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Locator, Page, expect

from tests.e2e.browser import window
from tests.e2e.firefox import ENTER, firefox_page
from tests.e2e.static_files import served_files
from tests.e2e.visitors import USERS, Organiser, tab_to

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

CHECKS = (Path(__file__).parent / "page_checks.js").read_text().rstrip(";\n")
SITE = """<!doctype html><html lang="en"><head><title>Another site</title><meta charset="utf-8">
<meta name="viewport" content="width=device-width"><style>:root {{ color-scheme: {scheme} }} * {{ font-size: 40px; color: red }}</style>
<script type="module" src="{url}/palio-board.js"></script></head>
<body><header>Site</header><main><h1>Our race</h1><palio-board tournament="{tournament}" {attributes}></palio-board></main></body></html>"""
expect.set_options(timeout=60_000)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """Another origin: its address, and the folder that it serves."""
    folder = tmp_path_factory.mktemp("site")
    with served_files(folder) as url:
        yield url, folder


async def embedded(
    page: Page, site: tuple[str, Path], palio: Any, tournament: str, attributes: str = "", scheme: str = "light"
) -> Locator:
    """The board on the other site's page."""
    url, folder = site
    name = f"{next(USERS)}.html"
    text = SITE.format(url=palio.url, tournament=tournament, attributes=attributes, scheme=scheme)
    (folder / name).write_text(text)
    await page.goto(f"{url}/{name}")
    return page.locator("palio-board")


async def test_it_is_live_on_another_site_and_marks_a_player(
    browser: Browser, palio: Any, organiser: Organiser, site: tuple[str, Path]
) -> None:
    race = {"order": "asc", "display": {"unit": "time", "decimals": 0}}
    tournament = await organiser.tournament("Embedded <race>", **race)
    users = await organiser.add_many(tournament, {f"Runner {number}": 2000 + number for number in range(30)})
    async with window(browser) as page:
        board = await embedded(page, site, palio, tournament, f'top="5" me="{users[20]}"')
        rows, own = board.locator("tbody").first.locator("tr"), board.locator("tbody.own tr")
        await expect(board.locator(".connection")).to_have_attribute("data-state", "live")
        await expect(rows).to_have_count(5)
        await expect(board.get_by_role("region", name="Ranking of Embedded <race>")).to_be_visible()
        assert await board.locator(".who").all_text_contents() == [*(f"Runner {n}" for n in range(5)), "Runner 20"]
        await expect(rows.first.locator(".score")).to_have_text("33:20")
        await expect(own.locator(".medal")).to_have_text("21")
        await expect(own).to_have_attribute("aria-current", "true")

        await organiser.add(tournament, "Late and quick", 1500)
        await expect(rows.first).to_contain_text("Late and quick")
        await expect(rows.first.locator(".score")).to_have_text("25:00")
        await expect(own.locator(".medal")).to_have_text("22")

        await page.context.set_offline(True)  # it comes back by itself, and goes on where it was
        await expect(board.locator(".connection")).to_have_attribute("data-state", "reconnecting")
        await page.context.set_offline(False)
        await expect(board.locator(".connection")).to_have_attribute("data-state", "live")

        await board.evaluate("(board) => { board.setAttribute('top', '2'); board.removeAttribute('me'); }")
        await expect(rows).to_have_count(2)
        await expect(own).to_have_count(0)
        await organiser.call("POST", f"/v1/tournaments/{tournament}/end")
        await expect(board.locator(".connection-text")).to_have_text("Final")
        await expect(board.locator(".pill")).to_have_text("Finished")

        # taken out and put back, and another tournament on the same element
        other = await organiser.tournament("The next one")
        await page.evaluate("globalThis.kept = document.querySelector('palio-board'); kept.remove()")
        await page.evaluate(
            "(other) => { document.querySelector('main').append(kept); kept.setAttribute('tournament', other); }", other
        )
        await expect(board.get_by_role("link", name="The next one")).to_have_attribute(
            "href", f"{palio.url}/#/t/{other}"
        )
        await expect(board.get_by_text("No scores yet.")).to_be_visible()
        await expect(board.locator(".connection")).to_have_attribute("data-state", "live")


async def test_what_it_cannot_show_it_says(
    browser: Browser, palio: Any, organiser: Organiser, site: tuple[str, Path]
) -> None:
    private = await organiser.tournament("Not for all", visibility="private")
    user = await organiser.add(private, "Member", 3)
    async with window(browser) as page:
        board = await embedded(page, site, palio, "")
        await expect(board.get_by_text("Say which tournament")).to_be_visible()
        for tournament in (private, "1"):  # the same words for what is hidden and what is not there
            await board.evaluate("(board, id) => board.setAttribute('tournament', id)", tournament)
            await expect(board.get_by_text("There is no such tournament, or it is private.")).to_be_visible()
        await board.evaluate("(board) => board.setAttribute('palio', 'http://127.0.0.1:9')")
        await expect(board.get_by_text("The server could not be reached.")).to_be_visible()
        await board.evaluate("(board) => board.setAttribute('palio', 'javascript:alert(1)')")
        await expect(board.get_by_text("is no address of a Palio")).to_be_visible()
        # with its member's token, where the site is trusted as Palio's own page is
        await page.goto(f"{palio.url}/embed")
        await page.evaluate(
            "([id, token]) => { const board = document.createElement('palio-board'); board.token = token;"
            " board.setAttribute('tournament', id); board.id = 'mine'; document.querySelector('main').append(board); }",
            [private, palio.token("player", int(user))],
        )
        mine = page.locator("palio-board#mine")
        await expect(mine.locator(".who")).to_have_text(["Member"])
        await expect(mine.locator(".connection")).to_have_attribute("data-state", "live")


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (320, True)])
async def test_it_is_accessible_and_fits_whatever_the_site_looks_like(
    browser: Browser, palio: Any, organiser: Organiser, site: tuple[str, Path], width: int, dark: bool
) -> None:
    tournament = await organiser.tournament("A name that is long enough to wrap " * 2)
    for number in range(3):
        await organiser.add(tournament, f"A participant whose name is as long as can be {number}", -99_999_999 + number)
    async with window(browser, width=width, height=800, dark=dark) as page:
        board = await embedded(page, site, palio, tournament, 'theme="auto"', "light dark")
        await expect(board.locator(".who")).to_have_count(3)
        await expect(board.locator(".connection")).to_have_attribute("data-state", "live")
        assert await page.evaluate(CHECKS) == []
        inner = await board.evaluate(f"(board) => ({CHECKS})(board.shadowRoot)")
        assert inner == []
        assert await page.evaluate("document.scrollingElement.scrollWidth - innerWidth") <= 0
        card = await board.evaluate("(b) => getComputedStyle(b.shadowRoot.querySelector('.board')).backgroundColor")
        assert (sum(map(int, card[4:-1].split(","))) < 300) is dark
        assert await board.evaluate("(b) => getComputedStyle(b.shadowRoot.querySelector('.who')).fontSize") != "40px"


async def test_the_example_page_gives_the_lines_to_copy(browser: Browser, palio: Any, organiser: Organiser) -> None:
    tournament = await organiser.tournament("To be embedded")
    await organiser.add(tournament, "Anna", 5)
    async with window(browser) as page:
        await page.goto(f"{palio.url}/#/t/{tournament}")
        await page.get_by_role("link", name="Embed this table").click()
        await expect(page.get_by_label("Tournament", exact=True)).to_have_value(tournament)
        await expect(page.locator("palio-board .who")).to_have_text(["Anna"])
        await page.get_by_label("Rows, 1 to 20").fill("3")
        await page.get_by_label("Colours", exact=True).select_option("dark")
        lines = (
            f'<script type="module" src="{palio.url}/palio-board.js"></script>\n'
            f'<palio-board tournament="{tournament}" top="3" theme="dark"></palio-board>'
        )
        await expect(page.locator("#code")).to_have_text(lines)
        assert await page.evaluate(CHECKS) == []
        await tab_to(page, "#copy")
        await page.keyboard.press("Enter")
        await expect(page.locator("#copied")).not_to_be_empty()


async def test_a_journey_in_firefox(palio: Any, organiser: Organiser, site: tuple[str, Path], tmp_path: Path) -> None:
    """The console is signed in to, a visitor takes part and sees others' scores, the board on another site follows."""
    tournament = await organiser.tournament("Fox race")
    token = palio.token("player", next(USERS))
    async with firefox_page(tmp_path) as page:
        await page.goto(f"{palio.url}/console")
        await page.click("#token")
        await page.type(palio.token("operator", 9) + ENTER)
        await page.until(f"document.querySelector('tr[data-id=\"{tournament}\"] a')?.textContent", "Fox race")

        await page.goto(f"{palio.url}/#/t/{tournament}")
        await page.until("document.querySelector('.connection')?.dataset.state", "live")
        await page.click("summary")
        await page.click("#token")
        await page.type(token + ENTER)
        await page.click("#join-name")
        await page.evaluate("document.querySelector('#join-name').select()")
        await page.type("Fox" + ENTER)
        await page.click("#score")
        await page.type("12,5" + ENTER)
        await page.until("document.querySelector('.said')?.textContent", "Counted. You are 1st with 12.50.")
        await organiser.add(tournament, "Hound", 20)
        names = "[...document.querySelectorAll('.board .who')].map((name) => name.textContent).join()"
        await page.until(names, "Hound,Fox")

        url, folder = site
        text = SITE.format(url=palio.url, tournament=tournament, attributes="", scheme="light")
        (folder / "fox.html").write_text(text)
        await page.goto(f"{url}/fox.html")
        inside = names.replace("document.", "document.querySelector('palio-board').shadowRoot.")
        await page.until(inside, "Hound,Fox")
        await organiser.add(tournament, "Hare", 30)
        await page.until(inside, "Hare,Hound,Fox")
