"""Who uses the page in its tests: an organiser through the API, visitors through the browser."""

from __future__ import annotations

import asyncio
import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
from playwright.async_api import Page, expect

USERS = itertools.count(7_000_001)  # each test's players are its own


class Organiser:
    """Makes tournaments and scores through the public API, as a service."""

    def __init__(self, palio: Any) -> None:
        self.palio = palio
        headers = {"Authorization": f"Bearer {palio.token('service', 1)}"}
        self.client = httpx2.AsyncClient(base_url=palio.url, headers=headers, timeout=60)

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

    async def add_many(self, tournament: str, scores: dict[str, float]) -> list[str]:
        """Up to 1,000 players by name with their scores, applied; returns their ids."""
        users = [str(next(USERS)) for _ in scores]
        joins = [
            {"tournament_id": tournament, "user_id": user, "name": name}
            for user, name in zip(users, scores, strict=True)
        ]
        answer = await self.call("POST", "/v1/participants", joins)
        assert answer["rejected"] == [], answer
        sent = [
            {"tournament_id": tournament, "user_id": user, "event_id": "1", "score": score}
            for user, score in zip(users, scores.values(), strict=True)
        ]
        answer = await self.call("POST", "/v1/scores", sent)
        assert answer["rejected"] == [], answer
        while (await self.call("GET", f"/v1/tournaments/{tournament}/rankings?limit=1"))["total"] < len(users):
            await asyncio.sleep(0.1)
        return users


def stamp(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


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


async def tab_to(page: Page, selector: str) -> None:
    for _ in range(60):
        await page.keyboard.press("Tab")
        if await page.evaluate("(selector) => document.activeElement.matches(selector)", selector):
            outline = await page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
            assert outline == "solid"  # and it can be seen where one is
            return
    raise AssertionError(f"Tab does not reach {selector}")
