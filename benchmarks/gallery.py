"""How quickly a gallery of 10,000 pictures is made, opens in a real browser, how smoothly it scrolls there, and what a
review of as many takes.

    .venv/bin/python benchmarks/gallery.py [--count 10000] [--rounds 3] [--keep DIR]

The project's pictures are real JPEG files; the pages are opened from `file://` in headless Chromium, which draws
without a graphics card here. Exit code 1 where a target is missed.
"""

import argparse
import hashlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

from measuring import BenchmarkError, Verdicts, environment, machine_line, timed
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright
from projects import write_done_project

SIZE = (672, 448)
DECISIONS = 5
WINDOW = {"width": 1440, "height": 900}
SWITCHES = (
    "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
# Watches from the start of the navigation: when are all pictures of the first screen drawn, and what is read by then.
_WATCH = """
const inside = (one) => { const box = one.getBoundingClientRect(); return box.top < innerHeight && box.bottom > 0; };
const look = () => {
  const seen = [...document.querySelectorAll('.shot img, .mosaic img, .sheet img')].slice(0, 80).filter(inside);
  if (seen.length >= 4 && seen.every((one) => one.complete && one.naturalWidth)) {
    requestAnimationFrame(() => { window.drawn = performance.now(); });
  } else setTimeout(look, 10);
};
look();
"""
_READY = """() => new Promise((done) => {
  const wait = () => window.drawn ? done(window.drawn) : setTimeout(wait, 5);
  wait();
})"""
_TIMES = """() => {
  const one = performance.getEntriesByType('navigation')[0];
  const read = [...document.images].filter((each) => each.complete && each.src);
  return { dom: one.domContentLoadedEventEnd, loaded: read.length };
}"""
# A screen of 900 px each second, by small steps, as a wheel does it: the time between frames is what a person feels.
_SCROLL = """(seconds) => new Promise((done) => {
  const frames = [];
  const began = performance.now();
  let last = began;
  const step = (now) => {
    frames.push(now - last);
    last = now;
    scrollBy(0, 30);
    if (now - began < seconds * 1000) requestAnimationFrame(step); else done(frames.slice(2));
  };
  requestAnimationFrame(step);
})"""
_JUMP = """() => new Promise((done) => {
  const began = performance.now();
  scrollTo(0, document.documentElement.scrollHeight);
  const look = () => {
    const last = [...document.querySelectorAll('.shot img')].at(-1);
    scrollTo(0, document.documentElement.scrollHeight);
    if (last.complete && last.naturalWidth) requestAnimationFrame(() => done(performance.now() - began));
    else setTimeout(look, 10);
  };
  look();
})"""
_SEARCH = """(text) => new Promise((done) => {
  const began = performance.now();
  const field = document.querySelector('#search');
  field.value = text;
  field.dispatchEvent(new Event('input'));
  requestAnimationFrame(() => setTimeout(() => done(performance.now() - began)));
})"""


def main() -> int:
    """Measure, print, judge."""
    options = _options()
    print(machine_line())
    with _workplace(options.keep) as place:
        root = place / f"pictures-{options.count}"
        if not (root / "imagebatch.lock").exists():
            print("making the project …", flush=True)
            write_done_project(root, options.count, picture=_picture, size=SIZE)
        program = [str(Path(sys.executable).with_name("imagebatch")), "-C", str(root), "gallery"]
        for folder in ("thumbs", "gallery"):
            shutil.rmtree(root / ".imagebatch" / folder, ignore_errors=True)
        for what in ("first time", "again"):
            run = timed(program, cwd=root, env=environment())
            print(f"imagebatch gallery, {what:<10}: {run.wall_s:7.2f} s wall, {run.cpu_s:7.2f} s CPU")
        pages = sorted((root / ".imagebatch/gallery").glob("*.html"), key=lambda one: one.name)
        verdicts = Verdicts()
        _in_browser(pages, options.rounds, verdicts)
        _reviewed(root, verdicts)
        return verdicts.show()


def _in_browser(pages: Sequence[Path], rounds: int, verdicts: Verdicts) -> None:
    with sync_playwright() as playwright:
        path = os.environ.get("IMAGEBATCH_CHROMIUM") or shutil.which("chromium")
        if path is None:
            raise BenchmarkError("there is no Chromium here (Debian: apt-get install chromium)")
        browser = playwright.chromium.launch(executable_path=path, args=list(SWITCHES))
        print(f"Chromium {browser.version}, {WINDOW['width']}x{WINDOW['height']}, best of {rounds}\n")
        total = 0
        for one in pages:
            found = min((_opened(browser, one) for _ in range(rounds)), key=lambda times: times["open"])
            print(
                f"{one.name:<22} {one.stat().st_size / 1e6:5.1f} MB, {found['figures']:5.0f} figures: "
                f"DOM ready {found['dom']:6.0f} ms, first screen drawn {found['drawn']:6.0f} ms, "
                f"{found['loaded']:.0f} pictures read"
            )
            if one.name.startswith("asset-"):
                total += int(found["figures"])
                verdicts.judge(f"{one.name}: open", found["open"], 2000, " ms")
        big = next(one for one in pages if one.name.startswith("asset-"))
        _scrolled(browser, big, rounds, verdicts)
        browser.close()
    print(f"\n{total} figures on {sum(1 for one in pages if one.name.startswith('asset-'))} pages")


def _reviewed(root: Path, verdicts: Verdicts) -> None:
    """Serve the same pictures, and reject one again and again with other words: each is written to picks.yaml."""
    words = [str(Path(sys.executable).with_name("imagebatch")), "-C", str(root), "review"]
    began = time.monotonic()
    with subprocess.Popen(words, stdout=subprocess.PIPE, env=environment(), text=True) as server:
        try:
            base = server.stdout.readline().strip() if server.stdout is not None else ""
            ready = time.monotonic() - began
            page, opened = _asked(base + "asset-product.html")
            state, _ = _asked(base + "state?page=asset-product.html&since=0")
            address, standing = next(iter(json.loads(state)["standings"].items()))
            decided, seen = [], standing["use"]
            for number in range(DECISIONS):
                rejected = {"address": address, "for": standing["draw"], "seen": seen, "reject": f"not yet {number}"}
                answer, took = _asked(base + "decide", {"version": standing["version"], "decision": rejected})
                standing = json.loads(answer)["standing"]
                decided.append(took)
            _, anew = _asked(base + "asset-product.html")
        finally:
            server.terminate()
    (root / "picks.yaml").unlink(missing_ok=True)
    middle = statistics.median(decided)
    print(
        f"\nimagebatch review: ready after {ready:.1f} s; a page of {len(page) / 1e6:.1f} MB in {opened:.2f} s, after "
        f"a decision in {anew:.2f} s; a decision written in {middle:.2f} s (median of {DECISIONS})\n"
    )
    verdicts.judge("review: a decision is written", middle, 1, " s")


def _asked(address: str, wish: Mapping[str, object] | None = None) -> tuple[bytes, float]:
    """What the server answers, and after how many seconds."""
    origin = "/".join(address.split("/")[:3])
    data = None if wish is None else json.dumps(wish).encode()
    headers = {"content-type": "application/json", "origin": origin}
    request = urllib.request.Request(address, data, headers)  # noqa: S310 - our own server, on loopback
    began = time.monotonic()
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - as above
        return answer.read(), time.monotonic() - began


def _opened(browser: Browser, path: Path) -> Mapping[str, float]:
    page = _page(browser)
    page.goto(path.as_uri(), wait_until="domcontentloaded")
    drawn = float(page.evaluate(_READY))
    found: dict[str, float] = page.evaluate(_TIMES)
    figures = page.locator("figure, .asset").count()
    page.context.close()
    return {**found, "drawn": drawn, "open": max(drawn, found["dom"]), "figures": figures}


def _scrolled(browser: Browser, path: Path, rounds: int, verdicts: Verdicts) -> None:
    found: list[list[float]] = []
    for _ in range(rounds):
        page = _page(browser)
        page.goto(path.as_uri())
        page.evaluate(_READY)
        found.append(sorted(page.evaluate(_SCROLL, 10)))
    frames = max(found, key=len)
    middle, late = statistics.median(frames), frames[int(len(frames) * 0.95)]
    slow = sum(1 for one in frames if one > 50) / len(frames) * 100
    print(
        f"\nscrolling 10 s, best of {rounds}: {len(frames)} frames, {middle:.1f} ms between two (95 of 100 within "
        f"{late:.1f} ms, longest {frames[-1]:.0f} ms, {slow:.1f} % above 50 ms)"
    )
    print(f"jump to the end: last picture drawn after {page.evaluate(_JUMP):.0f} ms")
    print(
        f"search, first time: {page.evaluate(_SEARCH, 'walnut'):.0f} ms, then {page.evaluate(_SEARCH, 'linen'):.0f} ms"
    )
    verdicts.judge("scrolling: 95 of 100 frames within", late, 34, " ms")
    verdicts.judge("scrolling: frames above 50 ms", slow, 2, " %")
    page.context.close()


def _page(browser: Browser) -> Page:
    page = browser.new_context(viewport=WINDOW).new_page()  # type: ignore[arg-type]  # a plain mapping of its two sizes
    page.add_init_script(_WATCH)
    return page


def _picture(address: str) -> bytes:
    """A picture that no other address has: soft shapes in colours of its own."""
    seed = hashlib.sha256(address.encode()).digest()
    small = Image.frombytes("RGB", (3, 3), (seed * 2)[:27])
    out = BytesIO()
    small.resize(SIZE, Image.Resampling.BICUBIC).save(out, "JPEG", quality=85)
    return out.getvalue()


@contextmanager
def _workplace(keep: Path | None) -> Iterator[Path]:
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        yield keep.resolve()
        return
    with TemporaryDirectory(prefix="imagebatch-gallery-", ignore_cleanup_errors=True) as place:
        yield Path(place)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--count", type=int, default=10_000, help="pictures (default 10,000)")
    parser.add_argument("--rounds", type=int, default=3, help="how often each page is opened (default 3)")
    parser.add_argument("--keep", type=Path, help="work in this folder and leave the project there for the next run")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
