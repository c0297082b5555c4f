"""A real headless Chromium, and a small project that is drawn and shown in it."""

import asyncio
import os
import shutil
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, async_playwright

from tests.cli.conftest import Project, bare_environment
from tests.program.running import Server

# As root it runs without its sandbox; it asks nobody for news of its own.
SWITCHES = (
    "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
HOSTILE = (
    "</script><script>document.title='taken'</script>"
    "<img src=https://evil.example/t.gif onerror=\"document.title='taken'\">"
    "--></style></title><base href=https://evil.example/>"
)


def chromium() -> str:
    """Where Chromium is; without one these tests are skipped."""
    found = os.environ.get("IMAGEBATCH_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        pytest.skip("no Chromium here (Debian: apt-get install chromium); IMAGEBATCH_CHROMIUM names another one")
    return found


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    """One browser for one test."""
    path = chromium()
    async with async_playwright() as playwright:
        running = await playwright.chromium.launch(executable_path=path, args=list(SWITCHES))
        yield running
        await running.close()


@dataclass(slots=True)
class Watched:
    """A page, and all that it asked for and complained of."""

    page: Page
    asked: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    @classmethod
    async def of(cls, page: Page) -> "Watched":
        """Watch a page from its start."""
        made = cls(page=page)
        page.on("request", lambda request: made.asked.append(request.url))
        page.on("console", lambda message: made.said.append(message.text))
        page.on("pageerror", lambda error: made.said.append(str(error)))
        return made

    def check(self) -> None:
        """It asked for nothing but files and complained of nothing."""
        assert self.said == []
        assert [url for url in self.asked if not url.startswith(("file:", "data:", "blob:"))] == []


@pytest.fixture(scope="session")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A project with grids, candidates to pick among, a redraw, a hostile prompt, and its gallery; only looked at."""
    chromium()
    folder = tmp_path_factory.mktemp("shown")
    (folder / "home").mkdir()
    with Server(tmp_path_factory.mktemp("browser-server")) as server:
        made = Project(root=folder / "shop", environ=bare_environment(folder / "home"), server=server)
        made.write(
            "imagebatch.yaml",
            "version: 1\nlineage: 00112233445566778899aabbccddeeff\nproviders:\n  studio:\n    type: all-images\n"
            "    base_url: simulator\n    api_key: ${ALL_IMAGES_API_KEY}\ndefaults: {provider: studio}\n",
        )
        made.write("templates/bad.j2", f"{HOSTILE.replace('{', '')} a fox\n")
        made.write(
            "manifests/catalog.yaml",
            "assets:\n  hero:\n    prompt: A {{ season }} {{ hour }} in a park\n"
            "    matrix: {season: [spring, autumn], hour: [dawn, night]}\n    params: {format: 3:2}\n"
            "    tags: [campaign]\n    alt: Park in {{ season }}\n"
            "  icon:\n    prompt: A small icon of a {{ thing }}\n    matrix: {thing: [axe, crown, sword]}\n"
            "    params: {format: 1:1}\n    pick: review\n  bad:\n    template: bad.j2\n",
        )
        redraw = ("redraw", "hero[hour=dawn]", "--add", "soft fog", "--now", "-y")
        for words in (("apply", "-y"), redraw, ("gallery",)):
            done = made.run(*words)
            assert done.code == 0, done.err
        yield made


@pytest.fixture
def own(shown: Project, tmp_path: Path) -> Project:
    """A copy of it that a test may change."""
    shutil.copytree(shown.root, tmp_path / "shop")
    (tmp_path / "home").mkdir()
    return Project(root=tmp_path / "shop", environ=bare_environment(tmp_path / "home"), server=shown.server)


@pytest.fixture
async def watched(browser: Browser) -> Watched:
    """A fresh page, watched."""
    return await Watched.of(await browser.new_page())


async def until(page: Page, holds: str) -> None:
    """Wait for an expression to be true; asked anew each time, as the page's own policy forbids it to ask itself."""
    deadline = time.monotonic() + 30
    while not await page.evaluate(holds):
        assert time.monotonic() < deadline, f"it never came to {holds}"
        await asyncio.sleep(0.02)
