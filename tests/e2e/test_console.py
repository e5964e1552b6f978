"""The console at `/console` against a running Palio, as operators use it: signing in, a tournament's whole life, dead letters, health."""

from __future__ import annotations

import asyncio
import json
import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from playwright.async_api import Browser, Locator, Page, expect

from actors.domain.messages import encode_score
from actors.domain.values import partition_of, tournament_id
from cluster.config.settings import Settings
from cluster.startup.ports import open_log
from storage.ports import NewRecord
from tests.e2e.browser import window
from tests.e2e.visitors import USERS, Organiser, stamp, tab_to

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

CHECKS = (Path(__file__).parent / "page_checks.js").read_text()
GRADEBOOKS = Path(__file__).parents[1] / "golden" / "imports"
SHOTS = os.environ.get("PALIO_TEST_SCREENSHOTS")  # a folder: then the views are kept as pictures
expect.set_options(timeout=60_000)


@asynccontextmanager
async def signed_in(browser: Browser, palio: Any, path: str = "", **options: Any) -> AsyncIterator[Page]:
    """A window with the console open, signed in as an operator."""
    async with window(browser, **options) as page:
        await page.goto(f"{palio.url}/console{path}")
        await sign_in(page, palio.token("operator", 9))
        await expect(page.locator("#sections")).to_be_visible()
        yield page


async def sign_in(page: Page, token: str) -> None:
    await page.get_by_label("Operator's token").fill(token)
    await page.get_by_role("button", name="Sign in").click()


async def picture(page: Page, name: str) -> None:
    if SHOTS:
        await page.evaluate("scrollTo(0, 0)")
        await page.screenshot(path=Path(SHOTS) / f"{name}.png", full_page=True)


async def saved(download: Any) -> bytes:
    """What a window saved."""
    return Path(await (await download.value).path()).read_bytes()


def panel(page: Page, title: str) -> Locator:
    return page.get_by_role("region", name=title, exact=True)


async def confirm(page: Page, action: str, **fields: str) -> None:
    dialog = page.get_by_role("dialog")
    for label, value in fields.items():
        await dialog.get_by_label(label.replace("_", " ")).fill(value)
    await dialog.get_by_role("button", name=action, exact=True).click()
    await expect(dialog).to_have_count(0)


async def test_only_an_operators_token_that_counts_opens_it(browser: Browser, palio: Any) -> None:
    async with window(browser) as page:
        addresses: list[str] = []
        page.on("request", lambda request: addresses.append(request.url))
        await page.goto(f"{palio.url}/console#/health")
        problem = page.get_by_role("alert")
        await picture(page, "sign-in")
        good = palio.token("operator", 9)
        head, claims, _ = good.split(".")
        for token, words in (
            ("hello", "This is not a token"),
            (palio.token("player", 9), "This is a player's token"),
            (palio.token("service", 9), "for the role “service”"),
            (f"{head}.{claims}.{'A' * 43}", "The server does not accept this token"),
        ):
            await sign_in(page, token)
            await expect(problem).to_contain_text(words)
            await expect(page.get_by_label("Operator's token")).to_be_focused()
        await sign_in(page, good)
        await expect(page.get_by_role("heading", level=1)).to_have_text("Health")  # where the address led
        await page.reload()
        await expect(page.get_by_role("heading", level=1)).to_have_text("Health")
        # a token that runs out, or that the server no longer takes, is told and ends the session
        kept = json.loads(await page.evaluate("sessionStorage.getItem('palio.operator')"))
        await page.evaluate(
            "(kept) => sessionStorage.setItem('palio.operator', JSON.stringify({...kept, expires_at: '2020-01-01T00:00:00Z'}))",
            kept,
        )
        await expect(page.get_by_role("status").filter(has_text="Your token has expired")).to_have_count(2)
        await sign_in(page, good)
        await page.get_by_role("button", name="Sign out").click()
        await expect(page.get_by_label("Operator's token")).to_be_visible()
        assert await page.evaluate("sessionStorage.length") == 0
        assert not [url for url in addresses if claims in url or "token=" in url]


async def test_a_lost_connection_is_told_and_mended(browser: Browser, palio: Any, organiser: Organiser) -> None:
    await organiser.tournament("Seen offline")
    async with signed_in(browser, palio) as page:
        await expect(page.get_by_role("link", name="Seen offline").first).to_be_visible()
        await page.context.set_offline(True)
        await expect(page.get_by_text("The connection is lost.")).to_be_visible()
        await expect(page.get_by_role("link", name="Seen offline").first).to_be_visible()  # what was there stays
        await page.context.set_offline(False)
        await expect(page.get_by_text("The connection is lost.")).to_be_hidden()


async def test_from_the_form_to_the_prizes(browser: Browser, palio: Any, organiser: Organiser) -> None:
    name = f"Console cup {next(USERS)}"
    async with signed_in(browser, palio, width=1280, height=900) as page:
        await page.get_by_role("link", name="New tournament").first.click()
        await page.get_by_role("button", name="Create it").click()
        await expect(page.get_by_label("Name", exact=True)).to_be_focused()
        await expect(page.locator("[data-name=name] .field-error")).to_have_text("This is needed.")
        await page.get_by_label("Name", exact=True).fill(name)
        await page.get_by_label("Start", exact=True).fill("2030-05-01T10:00:00")
        await page.get_by_label("End", exact=True).fill("2030-05-01T09:00:00")
        await page.get_by_label("Equal scores", exact=True).select_option("shared")
        await page.get_by_label("Attempts (optional)").fill("3")
        await page.get_by_label("Scores are shown as").select_option("points")
        await page.get_by_label("Decimals").fill("1")
        await page.get_by_label("Metadata").fill('{"room": 7')
        await page.get_by_role("button", name="Add a prize").click()
        prize = page.get_by_role("group", name="Prize 1")
        await prize.get_by_label("From rank").fill("1")
        await prize.get_by_label("To rank").fill("2")
        await prize.get_by_label("Amount").fill("100.001")
        await prize.get_by_label("Currency").fill("eur")
        await page.get_by_role("button", name="Create it").click()
        await expect(page.locator("[data-name=ends_at] .field-error")).to_have_text("The end must lie after the start.")
        await expect(page.locator("[data-name=metadata] .field-error")).to_contain_text("This is not JSON")
        await page.get_by_label("End", exact=True).fill("2030-05-01T11:00:00")
        await page.get_by_label("Metadata").fill('{"room": 7}')
        await page.get_by_role(
            "button", name="Create it"
        ).click()  # what only the server knows: cents have two decimals
        await expect(page.locator("[data-name=amount] .field-error")).to_contain_text("decimals")
        await picture(page, "form")
        await prize.get_by_label("Amount").fill("100.01")
        await page.get_by_role("button", name="Create it").dblclick()  # the second click makes no second one
        await expect(page.get_by_role("heading", level=1)).to_have_text(name)
        tournament = page.url.rpartition("/")[2]
        found = await organiser.call("GET", f"/v1/tournaments?q={name}")
        assert [item["id"] for item in found["items"]] == [tournament]
        made = found["items"][0]
        assert (made["max_attempts"], made["ties"], made["metadata"]) == (3, "shared", {"room": 7})
        assert made["prizes"] == [{"ranks": [1, 2], "amount": "100.01", "currency": "EUR", "ties": "split"}]
        assert made["display"] == {"unit": "points", "decimals": 1}

        await page.get_by_role("button", name="Start now").click()
        await confirm(page, "Start now")
        await expect(page.locator(".t-top .pill")).to_have_text("Running")
        users = [
            await organiser.add(tournament, player, score) for player, score in (("Ann", 90), ("Bea", 90), ("Cid", 10))
        ]
        players = panel(page, "Players")
        await expect(players.locator("tbody tr")).to_have_count(3)
        await expect(players.locator("tbody tr").first).to_contain_text("90.0")
        before = datetime.fromisoformat((await organiser.call("GET", f"/v1/tournaments/{tournament}"))["ends_at"])
        await page.get_by_role("button", name="Extend").click()
        await confirm(page, "Extend", Longer_by="1 h 30 min")
        await expect(page.locator(".said", has_text="It ends later.")).to_be_visible()
        after = datetime.fromisoformat((await organiser.call("GET", f"/v1/tournaments/{tournament}"))["ends_at"])
        assert after - before == timedelta(minutes=90)

        await page.get_by_role("link", name="Edit").click()
        await expect(page.get_by_label("Places")).to_be_visible()
        await expect(page.get_by_label("Start", exact=True)).to_be_hidden()  # it runs: the start is past
        await page.get_by_label("Name", exact=True).fill(f"{name}, edited")
        await organiser.call("PATCH", f"/v1/tournaments/{tournament}", {"metadata": {"room": 8}})
        await page.get_by_role("button", name="Save").click()
        await expect(page.get_by_role("alert")).to_contain_text("Somebody else has changed it meanwhile.")
        await page.reload()
        await page.get_by_label("Name", exact=True).fill(f"{name}, edited")
        await page.get_by_role("button", name="Save").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text(f"{name}, edited")
        view = await organiser.call("GET", f"/v1/tournaments/{tournament}")
        assert (view["name"], view["metadata"]) == (f"{name}, edited", {"room": 8})  # what was not touched stays

        await page.get_by_label("Look at a player by user id").fill(users[2])
        await page.get_by_role("button", name="Look", exact=True).first.click()
        await page.get_by_role("button", name="Disqualify").click()
        await confirm(page, "Disqualify", Reason="Two accounts")
        await expect(page.locator(".one .chip")).to_have_text("disqualified")
        await expect(players.locator("tbody tr")).to_have_count(2)
        await page.get_by_role("button", name="Reinstate").click()
        await confirm(page, "Reinstate")
        await expect(players.locator("tbody tr")).to_have_count(3)
        await page.get_by_role("button", name="Who would win now?").click()
        prizes = panel(page, "Prizes")
        await expect(prizes.locator(".grid-place").last.locator("tbody tr")).to_have_count(2)
        await expect(prizes).to_contain_text("If it ended now: 2 prizes.")
        await picture(page, "tournament")

        await page.get_by_role("button", name="End now").click()
        await confirm(page, "End now")
        await expect(page.locator(".t-top .pill")).to_have_text("Finished")
        states = prizes.locator(".grid-place").last.locator(".chip")
        await expect(states).to_have_text(["Waits for approval"] * 2)
        await prizes.get_by_role("button", name="Revoke", exact=False).nth(1).click()
        await confirm(page, "Revoke", Reason="Not eligible")
        await expect(states).to_have_text(["Revoked", "Waits for approval"])
        await prizes.get_by_role("button", name="Approve all").click()
        await confirm(page, "Approve all")
        await expect(states).to_have_text(["Revoked", "Paid"])
        files = panel(page, "Files")
        await files.get_by_label("The table, as it stands, as").select_option("csv")
        async with page.expect_download() as table:
            await files.get_by_role("button", name="Save the table").click()
        assert [line.split(",")[1] for line in (await saved(table)).decode().splitlines()[1:]] == users
        archived = f"/v1/tournaments/{tournament}/archive"
        while (await organiser.client.get(archived)).status_code == 404:
            await asyncio.sleep(0.2)
        async with page.expect_download() as archive:
            await files.get_by_role("button", name="Save the archive's file").click()
        assert (await saved(archive)).startswith(b"PAR1")
        await page.get_by_role("button", name="Reopen").click()
        dialog = page.get_by_role("dialog")
        await dialog.get_by_role("button", name="Reopen", exact=True).click()
        await expect(dialog.get_by_role("alert")).to_contain_text("approved")
        await page.keyboard.press("Escape")
        await expect(page.get_by_role("button", name="Reopen")).to_be_focused()
        audit = panel(page, "Audit")
        for words in ("Started", "Disqualified", "Reinstated", "Ended", "Approved prizes"):
            await expect(audit.get_by_role("rowheader", name=words)).to_have_count(1)
        await page.get_by_role("link", name="Audit", exact=True).click()
        await expect(page.get_by_role("row").filter(has_text=f"{name}, edited").first).to_be_visible()


async def test_a_private_frozen_one_is_seen_as_it_is_and_invites(
    browser: Browser, palio: Any, organiser: Organiser
) -> None:
    now = datetime.now(UTC)
    times = {"starts_at": stamp(now - timedelta(minutes=1)), "ends_at": stamp(now + timedelta(minutes=5))}
    tournament = await organiser.tournament("Quiet cup", visibility="private", freeze_s=3600, **times)
    await organiser.add(tournament, "Dora", 5)
    async with signed_in(browser, palio, f"#/t/{tournament}") as page:
        await expect(page.locator(".t-top .chip")).to_have_text(["Table stands still", "Private"])
        await expect(panel(page, "Players").locator("tbody tr")).to_have_count(1)
        await page.get_by_role("button", name="Invite", exact=True).click()
        await confirm(page, "Make it", **{"How many may come by it": "2"})
        invite = await page.get_by_role("textbox", name="The invite alone, for a program of yours").input_value()
        link = await page.get_by_role("textbox", name="The link for the player, told this once").input_value()
        assert quote(invite, safe="") in link
        async with window(browser) as other:  # the invited player's
            await other.goto(link)
            await expect(other.get_by_role("heading", level=1)).to_have_text("You are invited")
            await picture(other, "invited")
            await other.get_by_text("I have a token").click()
            await other.get_by_label("Player token").fill(palio.token("player", next(USERS)))
            await other.get_by_role("button", name="Use it").click()
            await other.get_by_label("Your name in the table").fill("Ida")
            await other.get_by_role("button", name="Join", exact=True).click()
            await expect(other.get_by_role("heading", level=1)).to_have_text("Quiet cup")
            assert "invite" not in other.url
        async with window(browser) as third:
            await third.goto(f"{palio.url}/#/t/{tournament}?invite={invite}x")
            await third.get_by_text("I have a token").click()
            await third.get_by_label("Player token").fill(palio.token("player", next(USERS)))
            await third.get_by_role("button", name="Use it").click()
            await third.get_by_role("button", name="Join", exact=True).click()
            await expect(third.get_by_role("alert").last).to_contain_text("Ask for another one")
        await page.reload()
        given = panel(page, "Invitations")
        await expect(given.locator("tbody tr")).to_contain_text("1 of 2")
        await given.get_by_role("button", name="Revoke").click()
        await confirm(page, "Revoke")
        await expect(given).to_contain_text("None were given.")
        await page.get_by_role("button", name="Reveal").click()
        await confirm(page, "Reveal")
        await expect(page.locator(".t-top .chip")).to_have_text(["Private"])
        await page.get_by_role("button", name="Cancel", exact=True).click()
        await confirm(page, "Cancel it")
        await expect(page.locator(".t-top .pill")).to_have_text("Cancelled")
        await page.get_by_role("button", name="Reopen").click()
        await confirm(page, "Reopen", New_end="2031-01-01T00:00:00")
        await expect(page.locator(".t-top .pill")).to_have_text("Running")


async def test_a_gradebook_is_looked_at_and_brought_in(browser: Browser, palio: Any, organiser: Organiser) -> None:
    tournament = await organiser.tournament("Spring exam", visibility="private", score_policy="last")
    later = await organiser.tournament("Later", starts_at="2031-01-01T00:00:00Z", ends_at="2031-01-02T00:00:00Z")
    async with signed_in(browser, palio, f"#/t/{tournament}", width=1280, height=900) as page:
        section = panel(page, "Results from a file")
        given, problem = section.get_by_label("File", exact=True), section.get_by_role("alert")
        await given.set_input_files(GRADEBOOKS / "canvas.csv")
        await expect(section).to_contain_text("canvas.csv is a gradebook of Canvas: 4 rows")
        await expect(section.get_by_label("User id")).to_have_value("SIS User ID")
        await expect(section.get_by_label("Score")).to_have_value("Spring exam (123)")
        await expect(section.get_by_role("status")).to_have_text("2 scores would be sent, left out: 2 (no score).")
        await expect(panel(page, "Players").locator("tbody tr")).to_have_count(0)
        await picture(page, "import")
        await section.get_by_label("Score").focus()
        await section.get_by_label("Score").select_option("Final Score")
        await expect(section.get_by_role("status")).to_have_text("4 scores would be sent.")
        await expect(section.get_by_label("Score")).to_be_focused()
        await section.get_by_role("button", name="Import the scores").click()
        await expect(section.get_by_role("status")).to_have_text("4 scores are in.")
        await expect(panel(page, "Players").locator("tbody tr")).to_have_count(4)
        await expect(panel(page, "Players").locator("tbody")).to_contain_text("Lind, Zo\u00eb")
        await given.set_input_files(GRADEBOOKS / "ooresults.xml")
        await section.get_by_label("Only class").select_option("D21")
        await expect(section.get_by_role("status")).to_contain_text("1 scores would be sent, left out:")
        await given.set_input_files({"name": "a.csv", "mimeType": "text/csv", "buffer": b"user,points\n1,2\nx,3\n"})
        await expect(section.get_by_role("row").filter(has_text="line 3")).to_contain_text("user_id: expected a number")
        await given.set_input_files({"name": "a.xlsx", "mimeType": "", "buffer": b"PK\x03\x04"})
        await expect(problem).to_contain_text("save the sheet as CSV")
        await expect(section.get_by_role("button", name="Import")).to_be_disabled()
        assert await page.evaluate(CHECKS) == []
        await page.goto(f"{palio.url}/console#/t/{later}")
        await given.set_input_files(GRADEBOOKS / "canvas.csv")
        await section.get_by_label("Score").select_option("Final Score")
        await expect(problem).to_contain_text("Scores count while a tournament runs")


async def test_every_kind_can_be_made_in_the_form(browser: Browser, palio: Any, organiser: Organiser) -> None:
    name = f"Kinds {next(USERS)}"
    async with signed_in(browser, palio, "#/new") as page:
        field = page.get_by_label
        await field("Name", exact=True).fill(name)
        await field("How often").select_option("yes")
        await field("Schedule").fill("every day")
        await field("Time zone").fill("Europe/Nowhere")
        await field("Each one takes").fill("1:30:00")
        await field("Open ahead of time").fill("2")
        await field("League", exact=True).select_option("yes")
        for label, value in (("Tiers", "3"), ("Rise by one", "2"), ("Fall by one", "2")):
            await field(label, exact=True).fill(value)
        await field("Ranked also among their own by").fill("country, team")
        await field("Table of teams").select_option("best_mean")
        await field("Best members that count").fill("3")
        await field("A submission brings").select_option("weighted")
        await field("Weights").fill("correct = 2\nwrong = -0.5")
        await field("Not below").fill("0")
        await field("Second number that tells").select_option("asc")
        await field("Joining is possible until").select_option(
            "start"
        )  # as a league's boards that end before their time want
        await field("Ends before its time").select_option("target")
        await field("Score to reach").fill("500")
        await field("By so many players").fill("3")
        await field("Window of one's own").fill("20 min")
        await field("The table stands still").fill("5 min")
        await page.get_by_role("button", name="Create it").click()
        await expect(page.locator("[data-name='recurrence.cron'] .field-error")).not_to_be_empty()
        await expect(page.locator("[data-name='recurrence.time_zone'] .field-error")).to_contain_text("Nowhere")
        await field("Schedule").fill("0 20 * * FRI")
        await field("Time zone").fill("Europe/Rome")
        await page.get_by_role("button", name="Create it").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text(name)
        await expect(page.locator("dt", has_text="Series")).to_be_visible()
        await expect(page.get_by_text("Start", exact=True)).to_have_count(0)  # only what it opens has one
        view = await organiser.call("GET", f"/v1/tournaments/{page.url.rpartition('/')[2]}")
        assert view["recurrence"] == {
            "cron": "0 20 * * FRI",
            "time_zone": "Europe/Rome",
            "duration_s": 5400,
            "ahead": 2,
        }
        assert view["league"] == {"tiers": 3, "promote": 2, "demote": 2}
        assert (view["boards"], view["teams"]) == (["country", "team"], {"score": "best_mean", "best": 3})
        assert view["scoring"] == {"kind": "weighted", "fields": {"correct": 2, "wrong": -0.5}, "floor": 0}
        assert view["ends_when"] == {"target_score": 500, "count": 3}
        assert (view["window_s"], view["freeze_s"], view["subscore"]) == (1200, 300, {"order": "asc"})
        await page.get_by_role("button", name="Stop the series").click()
        await confirm(page, "Stop it")
        await expect(page.locator(".t-top .pill")).to_have_text("Cancelled")


async def test_a_dead_letter_is_sent_again_and_counts_once(browser: Browser, palio: Any, organiser: Organiser) -> None:
    """A score that came ahead of its tournament's create, as a producer may write it into the log."""
    key, user = f"late {next(USERS)}", next(USERS)
    tournament = tournament_id(1, f"key:{key}")
    settings = Settings(data_dir=palio.data)
    log = open_log(settings)
    partition = partition_of(tournament, settings.partitions)
    await log.append([NewRecord(partition, str(tournament).encode(), encode_score("early", user, 4200))])
    async with asyncio.timeout(60):
        while not [each for each in await log.dead_letters(20) if each.record.key == str(tournament).encode()]:
            await asyncio.sleep(0.1)
    await log.close()
    async with signed_in(browser, palio, "#/letters") as page:
        row = page.get_by_role("row").filter(has_text=str(tournament))
        await expect(row).to_contain_text("Its tournament was not made yet")
        await row.get_by_role("checkbox").check()
        await page.get_by_role("button", name="Send 1 again").click()
        await confirm(page, "Send again")
        await expect(row.locator(".chip")).to_contain_text("there is no tournament")
        now = datetime.now(UTC)
        body = {
            "name": "Made late", "type": "scheduled",
            "starts_at": stamp(now - timedelta(minutes=1)), "ends_at": stamp(now + timedelta(hours=1)),
        }  # fmt: skip
        made = await organiser.client.post("/v1/tournaments", json=body, headers={"Idempotency-Key": key})
        assert made.json()["id"] == str(tournament)
        await organiser.call("PUT", f"/v1/tournaments/{tournament}/participants/{user}", {"name": "Early"})
        for outcome in ("counted", "counted before"):
            await row.get_by_role("checkbox").check()
            await page.get_by_role("button", name="Send 1 again").click()
            await confirm(page, "Send again")
            await expect(row.locator(".chip")).to_have_text(outcome)
            await expect(page.get_by_role("button", name="Send again")).to_be_disabled()
        await picture(page, "letters")
    participant = await organiser.call("GET", f"/v1/tournaments/{tournament}/participants/{user}")
    assert (participant["score"], participant["attempts"]) == (42, 1)


async def test_the_charts_show_what_analytics_say(browser: Browser, palio: Any, organiser: Organiser) -> None:
    tournament = await organiser.tournament("Charted", order="asc")
    for score in (3, 5):
        await organiser.add(tournament, "Somebody", score)
    await organiser.call("POST", f"/v1/tournaments/{tournament}/end")
    with palio.client("operator", 9) as client:

        def summary() -> Any:
            return client.get("/v1/analytics/summary").json()

        async with asyncio.timeout(90):  # attempts are told with checkpoints
            while summary()["submissions"] < 2 or summary()["finished"] < 1:
                await asyncio.sleep(0.5)
        async with signed_in(browser, palio, "#/charts") as page:
            charts = page.locator(".chart")
            await expect(page.locator(".uplot canvas")).to_have_count(7)
            inflow = charts.filter(has_text="Submissions and joins")
            await inflow.locator("summary").click()

            async def shown() -> tuple[int, int]:
                sent = await inflow.locator("tbody tr td:nth-child(2)").all_inner_texts()
                return int(await page.locator(".totals dd").first.inner_text()), sum(map(int, sent))

            async with asyncio.timeout(60):  # other tests' tournaments still come in
                while await shown() != (summary()["created"], summary()["submissions"]):
                    await asyncio.sleep(0.5)
            await expect(inflow.get_by_role("img")).to_have_attribute(
                "aria-label", re.compile(r"Newest: Submissions: \d")
            )
            await picture(page, "charts")
            await page.get_by_label("Range").select_option("hour")
            await page.get_by_label("Type").select_option("instant")
            await expect(page).to_have_url(re.compile("range=hour&type=instant"))
            await expect(inflow.locator("tbody tr")).to_have_count(0)
            await page.get_by_label("Type").select_option("scheduled")
            await expect(inflow.locator("tbody tr")).not_to_have_count(0)
            await page.get_by_role("button", name="Colours: as the system. Change").click()
            await page.get_by_role("button", name="Colours: light. Change").click()
            await picture(page, "charts-dark")


async def test_the_report_shows_and_gives_pictures_and_numbers(
    browser: Browser, palio: Any, organiser: Organiser
) -> None:
    tournament = await organiser.tournament("Reported")
    for score in (3, 5):
        await organiser.add(tournament, "Somebody", score)
    async with signed_in(browser, palio, f"#/t/{tournament}") as page:
        await page.get_by_role("link", name="Report").click()
        await expect(page.locator(".picture img[src]")).to_have_count(3)
        totals = page.locator(".totals dd")
        await expect(totals.nth(3)).to_have_text("2", timeout=60_000)  # with the next checkpoint
        await expect(totals.nth(4)).to_have_text("4.00")
        assert await page.locator(".picture img").evaluate_all("(all) => all.every((each) => each.naturalWidth > 0)")
        curves = page.locator("figure").nth(2)
        await curves.locator("summary").click()
        await expect(curves.locator("tbody tr")).to_have_count(2)
        for name, begin in (("As PNG", b"\x89PNG"), ("As SVG", b"<?xml"), ("Ranks, CSV", b"time,user_id")):
            async with page.expect_download() as saving:
                await page.get_by_role("button", name=name).click()
            saved = await saving.value
            assert (await saved.path()).read_bytes().startswith(begin)
            assert saved.suggested_filename.startswith(f"tournament-{tournament}-")
        await picture(page, "report")


async def test_health_tells_of_every_server_and_process(browser: Browser, palio: Any, organiser: Organiser) -> None:
    await organiser.tournament("Healthy")
    async with signed_in(browser, palio, "#/health") as page:
        await expect(page.locator(".lede")).to_have_text("Everything answers, and all partitions are read.")
        servers = panel(page, "Servers").locator("tbody tr")
        await expect(servers).to_have_count(6)
        await expect(servers.locator(".chip")).to_have_text(["well"] * 6)
        settings = Settings(data_dir=palio.data)
        grids = panel(page, "Processes").locator("tbody")
        for grid, rows in zip(range(3), (settings.shards, settings.ingest_actors, settings.partitions), strict=True):
            await expect(grids.nth(grid).locator("tr")).to_have_count(rows)
        await picture(page, "health")


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (360, False), (1280, True), (360, True)])
async def test_accessible_and_within_the_window(
    browser: Browser, palio: Any, organiser: Organiser, width: int, dark: bool
) -> None:
    long = f"Checks {'of a name that is long enough to wrap ' * 2}"
    prizes = [{"ranks": [1, 1], "amount": "100.00", "currency": "EUR"}, {"top_percent": 50, "item": "medal"}]
    tournament = await organiser.tournament(long, prizes=prizes, ties="shared")
    for index in range(3):
        await organiser.add(tournament, f"A participant whose name is long {index}", -99_999_999.99 + index)
    async with signed_in(browser, palio, width=width, height=800, dark=dark) as page:
        await page.emulate_media(color_scheme="dark" if dark else "light", reduced_motion="reduce")
        places = [
            ("#/", "tbody tr"),
            ("#/?q=nothing-is-called-this", ".notice"),
            ("#/new", ".tournament-form"),
            (f"#/t/{tournament}", ".console-columns tbody tr"),
            (f"#/t/{tournament}/edit", ".tournament-form"),
            (f"#/t/{tournament}/report", ".picture img[src]"),
            ("#/t/1", ".notice.error"),
            ("#/charts", ".uplot canvas"),
            ("#/health", "tbody tr"),
            ("#/letters", ".notice, tbody tr"),
            ("#/audit", "tbody tr"),
            ("#/nowhere", ".notice"),
        ]
        for path, sign in places:
            await page.evaluate("(path) => { location.hash = path }", path)
            await expect(page.locator(sign).first).to_be_visible()
            if path == "#/new":
                await page.get_by_role("button", name="Add a prize").click()
                await page.get_by_role("button", name="Create it").click()
            name = re.sub(r"\W+", "-", path.strip("#/").replace(tournament, "t")) or "list"
            await picture(page, f"{width}{'-dark' if dark else ''}-{name}")
            await check(page, path)
        await page.evaluate("(path) => { location.hash = path }", f"#/t/{tournament}")
        await page.get_by_role("button", name="End now").click()
        await expect(page.get_by_role("dialog")).to_be_visible()
        await check(page, "dialog")
        await page.keyboard.press("Escape")
        await page.get_by_role("button", name="Sign out").click()
        await check(page, "sign in")


async def check(page: Page, where: str) -> None:
    assert await page.evaluate(CHECKS) == [], where
    beyond = await page.evaluate("document.scrollingElement.scrollWidth - innerWidth")
    assert beyond <= 0, f"{where}: {beyond} px wider than the window"


async def test_it_can_be_used_with_the_keyboard(browser: Browser, palio: Any, organiser: Organiser) -> None:
    name = f"Keys {next(USERS)}"
    await organiser.tournament(name)
    async with window(browser) as page:
        await page.goto(f"{palio.url}/console")
        await expect(page.get_by_label("Operator's token")).to_be_focused()
        await page.keyboard.type(palio.token("operator", 9))
        await page.keyboard.press("Enter")
        await expect(page.locator("main")).to_be_focused()
        await tab_to(page, "#search")
        await page.keyboard.type(name)
        await expect(page.locator("tbody tr")).to_have_count(1)
        await tab_to(page, "tbody a")
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("heading", level=1)).to_have_text(name)
        await expect(page.locator("main")).to_be_focused()
        await tab_to(page, ".actions button[data-name=extend]")
        await page.keyboard.press("Enter")
        await expect(page.get_by_label("Longer by")).to_be_focused()
        await page.keyboard.press("Control+A")
        await page.keyboard.type("soon")
        await page.keyboard.press("Enter")
        await expect(page.locator("dialog .field-error")).to_contain_text("Expected a time such as")
        await expect(page.get_by_label("Longer by")).to_be_focused()
        await page.keyboard.press("Escape")
        await expect(page.get_by_role("button", name="Extend")).to_be_focused()
