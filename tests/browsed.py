"""Pages in a real headless Chromium: what it complains of, what it asks for, pictures of it."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Page

SHOTS = os.environ.get("SRBENCH_TEST_SCREENSHOTS")
"""The folder that screenshots are kept in."""


@dataclass
class Browsed:
    """A page that is open.

    Args:
        page: of Playwright.
        complaints: what stands on its console, and errors of its scripts.
        requests: addresses it asked for, but for itself and what it carries.
    """

    page: "Page"
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def shot(self, name: str) -> None:
        """Keep a picture of what is in sight, where somebody wants it."""
        if SHOTS:
            Path(SHOTS).mkdir(parents=True, exist_ok=True)
            self.page.screenshot(path=Path(SHOTS) / f"{name}.png")

    def go(self, section: str) -> None:
        """Move to a section, and wait until what is to be drawn there is drawn."""
        self.page.evaluate(f"document.getElementById('{section}').scrollIntoView({{behavior: 'instant'}})")
        self.page.wait_for_timeout(300)
        self.page.wait_for_load_state("load")

    def faults(self) -> list[str]:
        """What axe-core finds that is serious or critical."""
        from axe_playwright_python.sync_playwright import Axe

        found = Axe().run(self.page).response["violations"]
        return [
            f"{one['id']}: {one['help']}: {[node['html'][:200] for node in one['nodes'][:3]]}"
            for one in found
            if one["impact"] in ("serious", "critical")
        ]


@contextmanager
def opened(
    file: Path, *, width: int = 1280, height: int = 900, scheme: str = "light", by_touch: bool = False
) -> Iterator[Browsed]:
    """A page from disk; skips where there is no Chromium or no Playwright."""
    playwright = pytest.importorskip("playwright.sync_api", reason="the extra browser is not installed")
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("there is no Chromium on this machine")
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=program, args=["--no-sandbox"])
        try:
            context = browser.new_context(
                viewport={"width": width, "height": height}, color_scheme=scheme, reduced_motion="reduce",
                has_touch=by_touch, is_mobile=by_touch,
            )  # fmt: skip
            browsed = Browsed(context.new_page())
            address = file.absolute().as_uri()

            def asked(route) -> None:
                if route.request.url.partition("#")[0] == address:
                    route.continue_()
                else:
                    browsed.requests.append(route.request.url)
                    route.abort()

            context.route(lambda url: not url.startswith(("data:", "blob:")), asked)
            browsed.page.on("console", lambda one: browsed.complaints.append(f"{one.type}: {one.text}"))
            browsed.page.on("pageerror", lambda error: browsed.complaints.append(str(error)))
            browsed.page.goto(address)
            yield browsed
        finally:
            browser.close()
