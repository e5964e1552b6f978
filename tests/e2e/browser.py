"""Chromium for tests: launched headless, with every page's uncaught errors collected."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, async_playwright

WEB = Path(__file__).resolve().parents[2] / "serve_app" / "web"

# --no-sandbox: containers run as root, where Chromium's sandbox cannot start. The others keep it from calling home.
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@asynccontextmanager
async def launched() -> AsyncIterator[Browser]:
    """A running browser: the system's Chromium, else the one Playwright has installed; a skip where there is none."""
    async with async_playwright() as playwright:
        found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
        if found is None and not os.access(playwright.chromium.executable_path, os.X_OK):
            pytest.skip("no Chromium on this machine (apt install chromium, or playwright install chromium)")
        browser = await playwright.chromium.launch(executable_path=found, args=ARGUMENTS)
        try:
            yield browser
        finally:
            await browser.close()


@asynccontextmanager
async def window(browser: Browser, *, width: int = 1280, height: int = 800, dark: bool = False) -> AsyncIterator[Page]:
    """A window of its own (its own sessionStorage). Fails on leaving if a script threw or the CSP refused something."""
    context = await browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if dark else "light",
        reduced_motion="no-preference",
    )
    context.set_default_timeout(60_000)
    page = await context.new_page()
    broken: list[str] = []
    page.on("pageerror", lambda error: broken.append(str(error)))
    page.on(
        "console", lambda message: broken.append(message.text) if "Content Security Policy" in message.text else None
    )
    try:
        yield page
    finally:
        await context.close()
    assert broken == [], broken
