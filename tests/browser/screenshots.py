"""Makes the pictures of gallery and review that README and docs show: `.venv/bin/python -m tests.browser.screenshots`.

Draws the worked example by the simulator in a folder of its own, with picks to be made and a redraw.
"""

import shutil
import sys
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image
from playwright.sync_api import sync_playwright

from tests.browser.conftest import SWITCHES, chromium
from tests.cli.conftest import ROOT, Project, bare_environment
from tests.program.served import Served

WANTED = (
    ("gallery-index", "index.html", "light"),
    ("gallery-grid", "asset-scene.html", "light"),
    ("gallery-candidates", "asset-mascot.html", "dark"),
)
MORE = """\
assets:
  scene:
    prompt: "A {{ hour }} view of a mountain lake in {{ season }}"
    matrix: {hour: [dawn, noon, night], season: [spring, autumn, winter]}
    params: {format: 3:2}
    alt: "Mountain lake at {{ hour }}, {{ season }}"
  mascot:
    prompt: "A friendly fox mascot, {{ pose }}, red scarf"
    matrix: {pose: [sitting, waving, running]}
    params: {format: 1:1}
    pick: review
    tags: [brand]
"""


def main() -> None:
    """Draw, show, photograph."""
    with TemporaryDirectory(prefix="imagebatch-pictures-") as place:
        root, home = Path(place) / "shop", Path(place) / "home"
        home.mkdir()
        root.mkdir()
        for name in ("imagebatch.yaml", "manifests", "templates", "data"):
            (shutil.copytree if (ROOT / name).is_dir() else shutil.copy)(ROOT / name, root / name)
        project = Project(root=root, environ=bare_environment(home))
        project.write("manifests/more.yaml", MORE)
        picked = ("pick", "mascot[pose=sitting]", "2")
        redraw = ("redraw", "scene[hour=dawn,season=autumn]", "--add", "low fog over the water", "--now", "-y")
        for words in (("apply", "-y"), picked, redraw, ("apply", "-y"), ("gallery",)):
            done = project.run(*words)
            if done.code:
                sys.exit(done.err)
        _photograph(root / ".imagebatch/gallery")
        with Served(project) as review:
            _photograph_review(review.line)


def _photograph(folder: Path) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=list(SWITCHES))
        for name, file, scheme in WANTED:
            size = {"width": 1280, "height": 800}
            page = browser.new_page(viewport=size, color_scheme=scheme)  # type: ignore[arg-type]  # plain texts
            page.goto((folder / file).as_uri())
            page.wait_for_load_state("networkidle")
            if name == "gallery-candidates":
                for key in ("u", "3"):
                    page.keyboard.press(key)
            page.wait_for_timeout(300)
            with Image.open(BytesIO(page.screenshot())) as shot:
                shot.convert("RGB").save(ROOT / f"docs/images/{name}.jpg", quality=82, optimize=True)
        browser.close()


def _photograph_review(address: str) -> None:
    """A card being decided, and two candidates side by side; both WebP."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=list(SWITCHES))
        for name, scheme, height, keys in (
            ("review-page", "light", 860, ("u", "3", "u", "p")),
            ("review-compare", "dark", 760, ("u", "c", "ArrowRight")),
        ):
            page = browser.new_page(viewport={"width": 1280, "height": height}, color_scheme=scheme)  # type: ignore[arg-type]  # plain texts
            with page.expect_response("**/state?*"):
                page.goto(f"{address}asset-mascot.html")
            page.wait_for_load_state("load")
            for key in keys:
                page.keyboard.press(key)
            page.wait_for_timeout(1500)
            with Image.open(BytesIO(page.screenshot())) as shot:
                shot.convert("RGB").save(ROOT / f"docs/images/{name}.webp", quality=78, method=6)
            page.close()
        browser.close()


if __name__ == "__main__":
    main()
