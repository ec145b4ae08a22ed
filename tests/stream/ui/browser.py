"""Chromium for tests of the pages: a page that remembers whatever went wrong in it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from shutil import which
from typing import Any, Final

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

FLAGS: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
"""It runs as root in CI, and shall reach nothing but the page."""


@dataclass(frozen=True, slots=True)
class Watched:
    """A page, and what its console and scripts complained of."""

    page: Page
    complaints: list[str] = field(default_factory=list)


@contextmanager
def chromium() -> Iterator[Browser]:
    """Provide Debian's Chromium; where there is none the test is skipped, in CI it fails."""
    program = which("chromium")
    if program is None:
        pytest.skip("no Chromium: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(FLAGS))
        yield browser
        browser.close()


def watched(browser: Browser, **context: Any) -> Watched:
    """Return a new page whose console is watched; ``context`` as of Playwright's ``new_context``."""
    page = browser.new_context(**context).new_page()
    page.set_default_timeout(20_000)
    watch = Watched(page)

    def note(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            watch.complaints.append(message.text)

    page.on("console", note)
    page.on("pageerror", lambda error: watch.complaints.append(str(error)))
    return watch
