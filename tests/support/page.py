"""Opens the console in Chromium, and records the violations of the policy, the errors and the dialogs."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support import templates
from tests.support.browser import BROWSER
from tests.support.console import NOW, Server

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

MODULES = templates.CHECKOUT / "infra" / "console" / "node_modules"
AXE = MODULES / "axe-core" / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
_SECONDS = 30
_NOTE_VIOLATIONS = """
window.__violations = [];
document.addEventListener("securitypolicyviolation", (event) => {
  window.__violations.push(`${event.violatedDirective} ${event.blockedURI} ${event.sample}`);
});
"""
_RUN_AXE = """async (rules) => {
  const { violations } = await axe.run({ runOnly: { type: "tag", values: rules }, resultTypes: ["violations"] });
  return violations.flatMap(({ id, nodes }) =>
    nodes.map(({ html, failureSummary }) => `${id}: ${html.slice(0, 200)} ${failureSummary}`));
}"""


@contextmanager
def chromium() -> Iterator["Browser"]:
    """Run Debian's Chromium. Skip the test if Chromium or Playwright is not installed."""
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="Playwright is not installed: uv sync --group browser"
    )
    if BROWSER is None:
        pytest.skip("Chromium is not installed (Debian: apt install chromium)")
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=BROWSER, args=["--no-sandbox", "--disable-gpu"])
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Visit:
    """A browser window on the console, and the reports of the browser."""

    page: "Page"
    context: "BrowserContext"
    server: Server
    reported: list[str] = field(default_factory=list)

    def violations(self) -> list[str]:
        """Return the violations of the policy, and all errors of scripts."""
        noted: list[str] = self.page.evaluate("window.__violations ?? []")
        return noted + [line for line in self.reported if "Failed to load resource" not in line]

    def open(self, hash_: str = "", person: str = "", scope: str = "") -> "Visit":
        """Open the console with a person signed in, as the address that `incidents up` prints does.

        With ``person``, this person signs in, with the scope ``scope`` or with all scopes.
        """
        self.page.goto(self.server.address())
        self.page.wait_for_selector("main")
        if person:
            self.page.get_by_role("button", name="Sign out").click()
            self.page.get_by_label("Person", exact=True).fill(person)
            for box in self.page.get_by_role("checkbox").all():
                box.set_checked(str(box.get_attribute("value")) in (scope or "incidents:read incidents:write"))
            self.page.get_by_role("button", name="Sign in").click()
            self.page.wait_for_selector(".top")
        if hash_:
            self.go(hash_)
        self.settled()
        return self

    def go(self, hash_: str) -> None:
        self.page.evaluate("(hash) => { location.hash = hash; }", hash_)

    def settled(self) -> None:
        """Wait until nothing is loading."""
        self.page.wait_for_selector(".top, .alone")
        self.until("!document.querySelector('.loading, [aria-busy=true]')")

    def until(self, condition: str) -> None:
        """Wait until a JavaScript expression is true. Playwright's own function for this breaks the page's policy."""
        deadline = time.monotonic() + _SECONDS
        while not self.page.evaluate(condition):
            assert time.monotonic() < deadline, f"not within {_SECONDS} s: {condition}"
            self.page.wait_for_timeout(20)

    def titles(self) -> list[str]:
        return self.page.locator(".rows .what a").all_inner_texts()

    def axe(self) -> list[str]:
        """Return the violations of WCAG 2.2 AA that axe-core finds."""
        if not AXE.exists():
            pytest.skip("axe-core is not installed: cd infra/console && npm ci --ignore-scripts")
        if not self.page.evaluate("'axe' in window"):
            self.page.evaluate(AXE.read_text())
        found: list[str] = self.page.evaluate(_RUN_AXE, RULES)
        return found

    def width_beyond(self) -> int:
        """Return the number of pixels by which the page is wider than the window."""
        wide: int = self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        return wide

    def picture(self, file: Path, *, complete: bool = False) -> None:
        self.page.screenshot(path=file, full_page=complete, animations="disabled")


@contextmanager
def visit(
    browser: "Browser", server: Server, *, width: int = 1280, height: int = 900, clock: bool = True, **options: Any
) -> Iterator[Visit]:
    """Open a new browser window, without cookies or storage.

    Its clock shows the made-up API's time, or without ``clock`` the real time.

    At the end, the browser must have reported no violation of the policy, and no error.
    """
    context = browser.new_context(viewport={"width": width, "height": height}, timezone_id="Europe/Berlin", **options)
    context.add_init_script(_NOTE_VIOLATIONS)
    page = context.new_page()
    page.set_default_timeout(1000 * _SECONDS)
    if clock:
        page.clock.set_system_time(NOW)
    here = Visit(page, context, server)
    page.on(
        "console", lambda message: here.reported.append(message.text) if message.type in ("error", "warning") else None
    )
    page.on("pageerror", lambda error: here.reported.append(str(error)))
    page.on("dialog", lambda dialog: here.reported.append(f"dialog {dialog.message}"))
    try:
        yield here
        assert here.violations() == []
    finally:
        context.close()
