"""The review in a real browser: one person, two at once, keys alone, hostile texts, narrow windows, its end."""

import json
import signal
from collections.abc import Iterator

import pytest
from playwright.async_api import Browser, Locator, Page, expect

from imagebatch.manifest.picks import decode_picks
from imagebatch.model.picks import Picks
from tests.browser.conftest import Watched, until
from tests.cli.conftest import Project
from tests.program.served import Served

pytestmark = pytest.mark.slow
AXE = "icon[thing=axe]"
CROWN = "icon[thing=crown]"
SWORD = "icon[thing=sword]"
NOTE = "more gold & <b>"


@pytest.fixture
def served(own: Project) -> Iterator[Served]:
    """A review of a project that a test may change."""
    with Served(own) as running:
        yield running


@pytest.fixture(scope="module")
def looked_at(shown: Project) -> Iterator[Served]:
    """A review that is only looked at."""
    with Served(shown) as running:
        yield running


def picks_of(project: Project) -> Picks:
    path = project.root / "picks.yaml"
    return decode_picks(path.read_text()) if path.exists() else Picks()


def card(page: Page, address: str) -> Locator:
    return page.locator(f'[data-address="{address}"]')


def picked(page: Page, address: str) -> Locator:
    return card(page, address).locator(".shot.picked .pick")


async def written(page: Page) -> None:
    """Nothing that was decided on the page is under way any more."""
    await expect(page.locator(".card[aria-busy]")).to_have_count(0)


async def opened(browser: Browser, served: Served, name: str = "asset-icon.html") -> Watched:
    """A page of the review in a browser of its own, which knows what stands."""
    watched = await Watched.of(await (await browser.new_context()).new_page())
    async with watched.page.expect_response("**/state?*"):
        await watched.page.goto(served.line + name)
    return watched


def check(watched: Watched, served: Served) -> None:
    assert watched.said == []
    assert [url for url in watched.asked if not url.startswith((served.line, "data:"))] == []


async def test_keys_alone_pick_reject_protect_and_take_back(own: Project, served: Served, browser: Browser) -> None:
    watched = await opened(browser, served)
    page = watched.page
    for key in ("u", "3", "u", "x"):
        await page.keyboard.press(key)
    await page.keyboard.type(NOTE)
    await page.keyboard.press("Control+Enter")
    await expect(card(page, CROWN).locator(".chosen")).to_have_text("rejected: " + NOTE)
    for key in ("u", "2", "0", "p"):
        await page.keyboard.press(key)
    await expect(card(page, SWORD).locator(".state.protected")).to_be_visible()
    await expect(picked(page, AXE)).to_have_text("3")
    await written(page)
    found = picks_of(own)
    assert found.picks.keys() == {AXE, CROWN}
    assert (found.redo[CROWN].attempt, found.redo[CROWN].note) == (2, NOTE)
    assert (len(found.picks[AXE].use), found.picks[CROWN].use) == (1, ())
    assert json.loads((own.root / "imagebatch.lock").read_text())["generations"][SWORD]["held"] is True
    # Two of them still wait: only what was picked or rejected does not.
    await page.keyboard.press("u")
    await expect(page.locator(".card.here")).to_have_attribute("data-address", SWORD)
    check(watched, served)


async def test_the_mouse_does_all_of_it_too(own: Project, served: Served, browser: Browser) -> None:
    watched = await opened(browser, served)
    page = watched.page
    await card(page, AXE).locator(".pick >> nth=1").click()
    await card(page, CROWN).locator(".acts .reject").click()
    await page.click("#reject button[value=yes]")
    await expect(page.locator("#reject")).to_be_visible()  # a rejection says why
    await page.fill("#reject-note", "no")
    await page.click("#reject button[value=yes]")
    await card(page, SWORD).locator(".acts .protect").click()
    await expect(card(page, SWORD).locator(".protect")).to_have_attribute("aria-pressed", "true")
    await card(page, SWORD).locator(".acts .beside").click()
    await page.locator("#compare .choose >> nth=1").click()
    await expect(page.locator("#compare .choose >> nth=1")).to_have_text("picked 2")
    await written(page)
    assert picks_of(own).picks.keys() == {AXE, CROWN, SWORD}
    check(watched, served)


async def test_a_note_that_no_picks_file_may_hold_is_told(own: Project, served: Served, browser: Browser) -> None:
    watched = await opened(browser, served)
    page = watched.page
    await card(page, AXE).locator(".acts .reject").click()
    await page.fill("#reject-note", "gold \u202e")
    await page.click("#reject button[value=yes]")
    await expect(page.locator("#told")).to_contain_text("U+202E, an invisible or direction character")
    await written(page)
    assert picks_of(own).picks == {}


async def test_two_candidates_stand_side_by_side(own: Project, served: Served, browser: Browser) -> None:
    watched = await opened(browser, served)
    page = watched.page
    await page.keyboard.press("j")
    await page.keyboard.press("c")
    sides = page.locator("#compare .choose")
    await expect(sides).to_have_text(["pick 1", "pick 2"])
    await until(page, "[...document.querySelectorAll('#compare img')].every(i => i.naturalWidth > 384)")
    left, right = [await page.locator("#compare img").nth(side).bounding_box() for side in (0, 1)]
    assert left is not None
    assert right is not None
    assert left["x"] + left["width"] <= right["x"]
    await page.keyboard.press("ArrowRight")
    await expect(sides).to_have_text(["pick 1", "pick 3"])
    await page.keyboard.press("ArrowDown")
    await expect(sides).to_have_text(["pick 2", "pick 3"])
    await page.keyboard.press("3")
    await expect(sides).to_have_text(["pick 2", "picked 3"])
    await page.keyboard.press("Escape")
    await expect(picked(page, AXE)).to_have_text("3")
    await written(page)
    assert picks_of(own).picks.keys() == {AXE}
    check(watched, served)


async def test_a_hostile_prompt_is_read_and_does_nothing(own: Project, served: Served, browser: Browser) -> None:
    # No manifest takes escape codes; a lock that somebody edited may hold them.
    lock = own.root / "imagebatch.lock"
    lock.write_text(lock.read_text().replace("small icon of a crown", "\\u001b[31mred\\u202e crown"))
    watched = await opened(browser, served, "asset-bad.html")
    page = watched.page
    await expect(page.locator(".prompt")).to_contain_text("<script>document.title='taken'</script>")
    assert await page.locator("script").count() == 1
    await page.goto(served.line + "asset-icon.html")
    await expect(card(page, CROWN).locator(".prompt").first).to_contain_text("\\x1b[31mred\\u202e crown")
    check(watched, served)
    await page.evaluate(
        "() => { const one = document.createElement('script'); one.textContent = 'document.title = \"taken\"';"
        " document.body.append(one); const i = new Image(); i.src = 'https://evil.example/t.gif';"
        " document.body.append(i); fetch('https://evil.example/').catch(() => {}); }"
    )
    await page.wait_for_timeout(100)
    assert await page.title() != "taken"
    assert len([text for text in watched.said if "Content Security Policy" in text]) >= 3


async def test_two_browsers_at_once_lose_nothing(own: Project, served: Served, browser: Browser) -> None:
    one, two = await opened(browser, served), await opened(browser, served)
    await card(one.page, AXE).locator(".pick >> nth=0").click()
    await card(two.page, CROWN).locator(".pick >> nth=1").click()
    # Each sees what the other has decided.
    await expect(picked(two.page, AXE)).to_have_text("1")
    await expect(picked(one.page, CROWN)).to_have_text("2")
    assert picks_of(own).picks.keys() == {AXE, CROWN}
    check(one, served)
    check(two, served)


@pytest.mark.parametrize("mine", [True, False])
async def test_who_comes_late_is_asked(own: Project, served: Served, browser: Browser, mine: bool) -> None:
    one, two = await opened(browser, served), await opened(browser, served)
    await two.page.route("**/state?*", lambda route: route.abort())  # it has not heard of the other yet
    await card(one.page, AXE).locator(".pick >> nth=0").click()
    await written(one.page)
    before = picks_of(own).picks[AXE]
    await card(two.page, AXE).locator(".pick >> nth=2").click()
    dialog = two.page.locator("#conflict")
    await expect(dialog).to_be_visible()
    await expect(dialog.locator("#conflict-theirs")).to_have_text("picked 1")
    await expect(dialog.locator("#conflict-mine")).to_have_text("picked 3")
    await expect(dialog.locator("button[value=theirs]")).to_be_focused()
    assert picks_of(own).picks[AXE] == before
    await dialog.locator(f"button[value={'mine' if mine else 'theirs'}]").click()
    await written(two.page)
    await expect(picked(two.page, AXE)).to_have_text("3" if mine else "1")
    await expect(picked(one.page, AXE)).to_have_text("3" if mine else "1")
    assert (picks_of(own).picks[AXE] == before) is not mine


async def test_what_a_terminal_decides_is_seen_and_what_it_draws_is_not_picked(
    own: Project, served: Served, browser: Browser
) -> None:
    watched = await opened(browser, served)
    page = watched.page
    assert own.run("pick", AXE, "4").code == 0
    await expect(picked(page, AXE)).to_have_text("4")
    assert own.run("redraw", CROWN, "--now", "-y").code == 0
    await expect(card(page, CROWN).locator(".chosen")).to_have_text("changed since: reload the page")
    await expect(card(page, CROWN).locator(".pick").first).to_be_disabled()
    for key in ("j", "j", "1"):
        await page.keyboard.press(key)
    await expect(page.locator("#told")).to_contain_text("has other pictures by now")
    assert CROWN not in picks_of(own).picks
    await page.reload()
    await expect(card(page, CROWN).locator(".pick").first).to_be_enabled()
    await card(page, CROWN).locator(".pick").first.click()
    await expect(picked(page, CROWN)).to_have_text("1")
    check(watched, served)


async def test_an_ended_review_says_so_and_shows_what_stands(own: Project, served: Served, browser: Browser) -> None:
    watched = await opened(browser, served)
    page = watched.page
    served.process.send_signal(signal.SIGINT)
    assert served.ends()[0] == 0
    await expect(page.locator("#trouble")).to_contain_text("has ended")
    await card(page, AXE).locator(".pick >> nth=0").click()
    await expect(page.locator("#told")).to_contain_text("nothing was written")
    await expect(picked(page, AXE)).to_have_count(0)
    assert picks_of(own).picks == {}


async def test_every_page_and_every_picture_is_served(looked_at: Served, browser: Browser) -> None:
    for name in ("", "asset-hero.html", "asset-icon.html", "asset-bad.html", "contact.html"):
        watched = await Watched.of(await browser.new_page())
        await watched.page.goto(looked_at.line + name)
        loaded = await watched.page.evaluate(
            "Promise.all([...document.images].filter(i => i.src).map(async i => {"
            " i.loading = 'eager'; await i.decode(); return i.naturalWidth > 0; }))"
        )
        assert loaded == [True] * len(loaded)
        assert watched.page.url.startswith(looked_at.line)
        check(watched, looked_at)
        await watched.page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_it_fits_a_narrow_window_and_focus_is_seen(looked_at: Served, browser: Browser, scheme: str) -> None:
    context = await browser.new_context(
        viewport={"width": 320, "height": 640},
        color_scheme=scheme,  # type: ignore[arg-type]  # a plain text
    )
    page = await context.new_page()
    for name in ("", "asset-icon.html", "asset-hero.html"):
        await page.goto(looked_at.line + name)
        assert await page.evaluate("document.documentElement.scrollWidth") <= 320
    await page.goto(looked_at.line + "asset-icon.html")
    await page.keyboard.press("j")
    await expect(page.locator(".card.here")).to_be_focused()
    shadow = "one => getComputedStyle(one).boxShadow"
    assert await page.locator(".card.here").evaluate(shadow) != await page.locator(".card >> nth=1").evaluate(shadow)
    await page.keyboard.press("Tab")
    await expect(page.locator(".card .pick >> nth=0")).to_be_focused()
    outline = await page.locator(".card .pick >> nth=0").evaluate("one => getComputedStyle(one).outlineStyle")
    assert outline == "solid"
    await page.keyboard.press("c")
    box = await page.locator("#compare").bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 320


async def test_all_that_can_be_pressed_has_a_name(looked_at: Served, browser: Browser) -> None:
    watched = await opened(browser, looked_at)
    nameless = await watched.page.evaluate(
        "[...document.querySelectorAll('button, input, select, textarea, dialog, figure')].filter(one =>"
        " !one.textContent.trim() && !one.getAttribute('aria-label') && !one.labels?.length"
        " && !one.hasAttribute('aria-labelledby')).map(one => one.outerHTML)"
    )
    assert [one for one in nameless if "choose" not in one] == []  # these get theirs as soon as they are shown
    assert await watched.page.locator("img:not([alt])").count() == 0
