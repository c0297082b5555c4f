"""The gallery in a real browser, opened from `file://` as people open it."""

import json
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser.conftest import Watched, until
from tests.cli.conftest import Project

pytestmark = pytest.mark.slow
AXE = "icon[thing=axe]"
SWORD = "icon[thing=sword]"


def address(project: Project, name: str) -> str:
    return (project.root / ".imagebatch/gallery" / name).as_uri()


async def saved(page: Page, folder: Path) -> Path:
    async with page.expect_download() as waiting:
        await page.click("#save")
    download = await waiting.value
    assert download.suggested_filename.startswith("picks-")
    await download.save_as(folder / "picks.json")
    return folder / "picks.json"


async def test_every_page_runs_by_its_policy_and_asks_nobody(shown: Project, watched: Watched) -> None:
    for path in sorted((shown.root / ".imagebatch/gallery").glob("*.html")):
        await watched.page.goto(path.as_uri())
        if not path.name.startswith("contact"):
            await expect(watched.page.locator("#search")).to_be_visible()
        loaded = await watched.page.evaluate(
            "Promise.all([...document.images].filter(i => i.src).map(async i => {"
            " i.loading = 'eager'; await i.decode(); return i.naturalWidth > 0; }))"
        )
        assert loaded == [True] * len(loaded)
        assert await watched.page.title() != "taken"
        assert (await watched.page.evaluate("document.baseURI")).startswith("file:")
    assert watched.asked
    watched.check()


async def test_a_hostile_prompt_is_read_and_does_nothing(shown: Project, watched: Watched) -> None:
    await watched.page.goto(address(shown, "asset-bad.html"))
    await expect(watched.page.locator(".prompt")).to_contain_text("<script>document.title='taken'</script>")
    assert await watched.page.locator("script").count() == 1
    # What gets past the escaping would still be stopped by the page's policy.
    await watched.page.evaluate(
        "() => { const one = document.createElement('script'); one.textContent = 'document.title = \"taken\"';"
        " document.body.append(one); const i = new Image(); i.src = 'https://evil.example/t.gif';"
        " document.body.append(i); }"
    )
    await watched.page.wait_for_timeout(100)
    assert await watched.page.title() != "taken"
    assert all("Content Security Policy" in text for text in watched.said)
    assert len(watched.said) >= 2


async def test_picking_by_keys_alone_and_back_into_the_project(own: Project, watched: Watched, tmp_path: Path) -> None:
    page = watched.page
    await page.goto(address(own, "asset-icon.html"))
    for key in ("u", "3", "u", "x"):
        await page.keyboard.press(key)
    await page.keyboard.insert_text("more gold\u202e & \u0007<b>")  # what cannot be seen cannot be kept either
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    for key in ("j", "2", "0"):
        await page.keyboard.press(key)
    await expect(page.locator("#save")).to_have_text("Save picks (2)")
    await expect(page.locator(f'[data-address="{AXE}"] .shot.picked .pick')).to_have_text("3")
    await expect(page.locator('[data-address="icon[thing=crown]"] .chosen')).to_have_text("rejected: more gold & <b>")
    path = await saved(page, tmp_path)
    watched.check()
    decisions = json.loads(path.read_text())["decisions"]
    assert [one["address"] for one in decisions] == [AXE, "icon[thing=crown]"]
    done = own.run("pick", "--import", str(path))
    assert (done.code, done.out) == (0, "Picked 1; rejected 1, to be drawn once more. Next: imagebatch plan\n")
    done = own.run("apply", "-y")
    assert done.code == 0, done.err
    entry = json.loads((own.root / "imagebatch.lock").read_text())["generations"]
    assert (entry[AXE]["picked"], entry["icon[thing=crown]"]["attempt"]) == ([3], 2)
    # What was taken is no open decision any more, and what was drawn anew is none either.
    own.run("gallery")
    await page.reload()
    await expect(page.locator("#save")).to_be_hidden()
    await expect(page.locator(f'[data-address="{AXE}"] .shot.picked .pick')).to_have_text("3")


async def test_decisions_outlive_the_page_and_are_counted_on_all_of_them(shown: Project, watched: Watched) -> None:
    page = watched.page
    await page.goto(address(shown, "asset-icon.html"))
    await page.click(f'[data-address="{SWORD}"] .pick >> nth=1')
    await page.goto(address(shown, "index.html"))
    await expect(page.locator("#save")).to_have_text("Save picks (1)")
    await page.goto(address(shown, "asset-icon.html"))
    await expect(page.locator(f'[data-address="{SWORD}"] .shot.picked .pick')).to_have_text("2")
    page.once("dialog", lambda dialog: dialog.accept())
    await page.click("#discard")
    await expect(page.locator("#save")).to_be_hidden()
    assert await page.locator(".shot.picked").count() == 0
    watched.check()


async def test_filters_and_search_leave_what_fits(shown: Project, watched: Watched) -> None:
    page = watched.page
    await page.goto(address(shown, "asset-hero.html"))
    assert await page.locator(".card:visible").count() == 4
    await page.keyboard.press("/")
    await page.keyboard.type("AUTUMN dawn")
    await expect(page.locator("#left")).to_have_text("1 of 4")
    await expect(page.locator(".row:visible")).to_have_count(1)
    await page.fill("#search", "")
    await page.select_option("#by-tag", "campaign")
    assert await page.locator(".card:visible").count() == 4
    await page.goto(address(shown, "index.html"))
    await page.select_option("#by-state", "unpicked")
    await expect(page.locator(".asset:visible h3")).to_have_text(["icon"])
    watched.check()


async def test_a_picture_is_seen_large_and_a_redraw_beside_what_was_before(shown: Project, watched: Watched) -> None:
    page = watched.page
    await page.goto(address(shown, "asset-hero.html"))
    await page.click(".shot a >> nth=0")
    await expect(page.locator("#viewer")).to_be_visible()
    await until(page, "document.querySelector('#viewer img').naturalWidth > 384")
    await page.keyboard.press("Escape")
    card = page.locator(".card", has_text="soft fog").first
    await expect(card.locator("ins")).to_contain_text("soft fog")
    await card.locator("summary", has_text="Before and after").click()
    slider = card.locator("input[type=range]")
    await slider.fill("20")
    assert await card.locator(".compare").evaluate("one => getComputedStyle(one).getPropertyValue('--at')") == "20%"
    await page.keyboard.press("Tab")
    watched.check()


async def test_without_script_everything_is_there_to_be_read(shown: Project, browser: Browser) -> None:
    page = await browser.new_page(java_script_enabled=False)
    await page.goto(address(shown, "asset-icon.html"))
    assert await page.locator(".card").count() == 3
    assert await page.locator(".shot img:visible").count() == 12
    assert await page.locator(".tools").is_hidden()
    await expect(page.locator(".prompt").first).to_be_visible()
    await page.goto(address(shown, "index.html"))
    assert await page.locator(".todo li").count() == 3


async def test_the_contact_sheet_prints_all_its_pictures(shown: Project, watched: Watched, tmp_path: Path) -> None:
    page = watched.page
    await page.goto(address(shown, "contact.html"))
    pictures = await page.locator("img").count()
    assert pictures == 4 + 12 + 1
    await page.pdf(path=tmp_path / "sheet.pdf", format="A4")
    assert (tmp_path / "sheet.pdf").read_bytes().count(b"/Subtype /Image") >= pictures
    watched.check()


@pytest.mark.parametrize("width", [390, 1440])
async def test_no_page_is_wider_than_the_window(shown: Project, watched: Watched, width: int) -> None:
    await watched.page.set_viewport_size({"width": width, "height": 900})
    for name in ("index", "asset-icon", "asset-hero", "asset-bad", "contact"):
        await watched.page.goto(address(shown, f"{name}.html"))
        assert await watched.page.evaluate("document.documentElement.scrollWidth") <= width


async def test_css_of_an_index_is_read_by_a_browser(own: Project, watched: Watched) -> None:
    assert own.run("export", "hero", "--format", "css", "--out", "pictures.css").code == 0
    own.write(
        "page.html",
        '<!doctype html><link rel=stylesheet href=pictures.css><p style="'
        "background: var(--image-hero-hour-dawn-season-spring) var(--image-hero-hour-dawn-season-spring-placeholder);"
        ' aspect-ratio: var(--image-hero-hour-dawn-season-spring-ratio); width: 300px"></p>'
        '<div style="background: var(--image-hero-hour-dawn-season-spring)"></div>',
    )
    await watched.page.goto((own.root / "page.html").as_uri())
    found = await watched.page.evaluate("getComputedStyle(document.querySelector('div')).backgroundImage")
    assert found.startswith(f'url("{own.root.as_uri()}/outputs/hero/')
    box = await watched.page.locator("p").bounding_box()
    assert box is not None
    assert abs(box["width"] / box["height"] - 1.5) < 0.1
