"""`gallery`, `pick --import` and `export` on real projects: what they write, refuse and say."""

import json
import re
import runpy
import shutil

import pytest

from tests.cli.conftest import Project
from tests.program.html import Page, check_harmless

AXE = "icon[thing=axe]"
INDEX = ".imagebatch/gallery/index.html"
HOSTILE = '"><script>fetch(1)</script><img src=x onerror=alert(1)>--></style></title>'


@pytest.fixture
def drawn(project: Project) -> Project:
    """The small project, drawn; two pictures of it wait for a pick."""
    assert project.run("apply", "-y").code == 0
    return project


def entry_of(project: Project, address: str) -> dict[str, object]:
    found: dict[str, object] = json.loads((project.root / "imagebatch.lock").read_text())["generations"][address]
    return found


def saved_picks(project: Project, *decisions: object, name: str = "picks.json") -> str:
    lineage = json.loads((project.root / "imagebatch.lock").read_text())["lineage"]
    head = {"format": "imagebatch-picks", "format_version": "1.0", "lineage": lineage}
    project.write(name, json.dumps({**head, "decisions": decisions}))
    return name


def choice(project: Project, address: str, number: int) -> dict[str, object]:
    entry = entry_of(project, address)
    candidates = entry["candidates"]
    assert isinstance(candidates, list)
    return {"address": address, "for": entry["draw"], "use": [f"sha256:{candidates[number - 1]['sha256']}"]}


def rejection(project: Project, address: str, note: str) -> dict[str, object]:
    made = choice(project, address, 1)
    return {"address": address, "for": made["for"], "seen": made["use"], "reject": note}


def test_a_gallery_shows_every_picture_and_prints_where_it_is(drawn: Project) -> None:
    lock = (drawn.root / "imagebatch.lock").read_bytes()
    done = drawn.run("gallery")
    assert (done.code, done.out) == (0, f"{INDEX}\n")
    assert "6 variants, 12 pictures; 2 of them need a person" in done.err
    assert (drawn.root / "imagebatch.lock").read_bytes() == lock
    folder = drawn.root / ".imagebatch/gallery"
    first = Page(folder / "index.html")
    assert {"asset-hero.html", "asset-icon.html"} <= {one.get("href") for one in first.all("a")}
    icons = Page(folder / "asset-icon.html")
    assert len(icons.all("figure")) == 2
    assert len([one for one in icons.all("img") if one.get("src")]) == 8
    for name in ("index", "asset-hero", "asset-icon", "contact"):
        for one in Page(folder / f"{name}.html").all("img"):
            if "src" in one:
                assert (folder / one["src"]).is_file()
                assert int(one["width"]) > 0 < int(one["height"])
    for link in icons.all("a"):
        assert (folder / link["href"]).exists(), link


def test_a_page_shows_axes_as_rows_and_columns(drawn: Project) -> None:
    drawn.write(
        "manifests/more.yaml",
        "assets:\n  shot:\n    prompt: '{{ view }} {{ size }} {{ light }}'\n"
        "    matrix: {view: [front, back], size: [2, 10], light: [day, night, dusk]}\n",
    )
    assert drawn.run("gallery").code == 0
    text = (drawn.root / ".imagebatch/gallery/asset-shot.html").read_text()
    assert re.findall(r'class="part text">([^<]*)<', text) == ["light: day", "light: dusk", "light: night"]
    assert "size ↓ · view →" in text
    assert re.findall(r'<div class="row n2"><h3 class="text">([^<]*)<', text) == ["2", "10"] * 3


def test_hostile_prompts_stay_text(drawn: Project) -> None:
    drawn.write("manifests/bad.yaml", "assets:\n  bad:\n" + f"    prompt: {json.dumps(HOSTILE)}\n")
    assert drawn.run("apply", "-y").code == 0
    assert drawn.run("gallery").code == 0
    assert HOSTILE in check_harmless(drawn.root / ".imagebatch/gallery")


def test_two_galleries_of_one_world_are_the_same_bytes_and_what_is_gone_leaves(drawn: Project) -> None:
    folder = drawn.root / ".imagebatch/gallery"
    drawn.run("gallery")
    before = {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    drawn.run("gallery")
    assert {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    assert drawn.run("gallery", "icon").code == 0
    assert not (folder / "asset-hero.html").exists()
    assert len(list((folder / "thumbs").iterdir())) == 8


def test_a_folder_that_holds_something_else_is_left_alone(drawn: Project) -> None:
    drawn.write("site/index.html", "mine")
    done = drawn.run("gallery", "--out", "site")
    assert done.code == 4
    assert "gallery.not_ours" in done.err
    assert (drawn.root / "site/index.html").read_text() == "mine"
    assert drawn.run("gallery", "--out", "site/pictures", "--originals").out == "site/pictures/index.html\n"
    sent = drawn.root.parent / "sent"
    shutil.move(drawn.root / "site/pictures", sent)
    page = Page(sent / "asset-hero.html")
    assert all((sent / one["href"]).is_file() for one in page.all("a") if not one["href"].endswith(".html"))


def test_a_clone_without_a_store_shows_its_outputs(drawn: Project) -> None:
    shutil.rmtree(drawn.root / ".imagebatch")
    done = drawn.run("gallery")
    assert done.code == 0
    assert "8 pictures that the lock names are not on this machine" in done.err
    page = Page(drawn.root / ".imagebatch/gallery/asset-hero.html")
    assert len([one for one in page.all("img") if one.get("src")]) == 4


def test_a_gallery_before_the_first_apply_shows_what_will_be_drawn(project: Project) -> None:
    done = project.run("gallery", "--json")
    assert done.code == 0
    assert json.loads(done.out)["variants"] == 6
    page = Page(project.root / ".imagebatch/gallery/asset-hero.html")
    assert "A spring morning in a park" in page.text
    assert "not drawn yet" in page.text


def test_a_redraw_shows_the_words_that_are_new_and_the_picture_before(drawn: Project) -> None:
    manifest = (drawn.root / "manifests/catalog.yaml").read_text()
    drawn.write("manifests/catalog.yaml", manifest.replace("morning in a park", "evening in a park"))
    assert drawn.run("gallery").code == 0
    text = (drawn.root / ".imagebatch/gallery/asset-hero.html").read_text()
    assert "The manifest now asks for" in text
    assert "<del>morning</del><ins>evening</ins>" in text
    assert drawn.run("apply", "-y", "--force", "redraws").code == 0
    drawn.run("gallery")
    text = (drawn.root / ".imagebatch/gallery/asset-hero.html").read_text()
    assert "<del>morning</del><ins>evening</ins>" in text
    assert text.count("<summary>Before and after<") == 4


def test_picks_of_a_page_are_taken_and_applied(drawn: Project) -> None:
    name = saved_picks(
        drawn, choice(drawn, AXE, 3), {**choice(drawn, "icon[thing=crown]", 1), "reject": "more gold"}, name="p.json"
    )
    # both at once is no decision
    done = drawn.run("pick", "--import", name)
    assert (done.code, "either use or reject" in done.err) == (1, True)
    name = saved_picks(drawn, choice(drawn, AXE, 3), rejection(drawn, "icon[thing=crown]", "more gold"))
    done = drawn.run("pick", "--import", name)
    assert (done.code, done.out) == (0, "Picked 1; rejected 1, to be drawn once more. Next: imagebatch plan\n")
    assert 'note: "more gold"' in (drawn.root / "picks.yaml").read_text()
    again = drawn.run("pick", "--import", name)
    assert (again.code, again.out) == (0, "Nothing to do: 2 decisions stood there already.\n")
    assert drawn.run("apply", "-y", "--force", "redraws").code == 0
    assert entry_of(drawn, AXE)["picked"] == [3]
    assert entry_of(drawn, "icon[thing=crown]")["attempt"] == 2


def test_a_second_file_replaces_a_pick_and_says_so(drawn: Project) -> None:
    drawn.run("pick", "--import", saved_picks(drawn, choice(drawn, AXE, 3)))
    done = drawn.run("pick", "--import", saved_picks(drawn, choice(drawn, AXE, 2), name="other.json"))
    assert done.code == 0
    assert f"1 earlier pick replaced: {AXE}" in done.err
    drawn.run("apply", "-y")
    assert entry_of(drawn, AXE)["picked"] == [2]


def test_picks_of_pictures_that_have_changed_since_are_refused_whole(drawn: Project) -> None:
    name = saved_picks(
        drawn,
        choice(drawn, AXE, 2),
        choice(drawn, "icon[thing=crown]", 2),
        {**choice(drawn, AXE, 2), "address": "icon[thing=shield]"},
    )
    late = saved_picks(drawn, rejection(drawn, AXE, "no"), name="late.json")
    drawn.run("redraw", AXE, "--now", "-y")
    assert drawn.run("pick", "--import", late).code == 4
    before = (drawn.root / "picks.yaml").read_bytes()
    done = drawn.run("pick", "--import", name)
    assert done.code == 4
    assert f"{AXE}: its pictures are others now; icon[thing=shield]: the lock has no such address" in done.err
    assert (drawn.root / "picks.yaml").read_bytes() == before
    done = drawn.run("pick", "--import", name, "--force", "stale")
    assert (done.code, done.out) == (0, "Picked 1. Next: imagebatch plan\n")
    assert "left out: icon[thing=shield]" in done.err
    manifest = (drawn.root / "manifests/catalog.yaml").read_text()
    drawn.write("manifests/catalog.yaml", manifest.replace("A small icon", "A large icon"))
    drawn.run("apply", "-y", "--force", "redraws")
    assert "icon[thing=crown]: it was drawn from another request since" in drawn.run("pick", "--import", name).err


def test_picks_of_another_project_and_what_is_no_file_are_refused(drawn: Project) -> None:
    name = saved_picks(drawn, choice(drawn, AXE, 2))
    drawn.write(name, (drawn.root / name).read_text().replace("00112233", "ffffffff"))
    done = drawn.run("pick", "--import", name)
    assert (done.code, "pick.lineage" in done.err) == (1, True)
    assert drawn.run("pick", "--import", "nowhere.json").code == 1
    assert drawn.run("pick", AXE, "1", "--import", name).code == 64
    assert drawn.run("pick").code == 64
    assert not (drawn.root / "picks.yaml").exists()


def test_several_picks_need_a_path_with_room_for_them(drawn: Project) -> None:
    both = choice(drawn, AXE, 2)
    both["use"] = [*choice(drawn, AXE, 1)["use"], *choice(drawn, AXE, 2)["use"]]  # type: ignore[misc]  # lists of hashes
    done = drawn.run("pick", "--import", saved_picks(drawn, both))
    assert (done.code, "pick.one_place" in done.err) == (1, True)


def test_an_index_has_every_output_by_address_with_its_real_size(applied: Project) -> None:
    done = applied.run("export")
    assert done.code == 0, done.err
    images = json.loads(done.out)["images"]
    assert list(images) == sorted(images)
    assert len(images) == 22
    assert images["texture[colour=sage]#2"]["src"] == "outputs/textures/sage-2.png"
    lamp = images["product[LMP-001]"]
    assert [one["width"] for one in lamp["files"]] == [1024, 400]
    assert lamp["alt"]
    assert all(len(one["placeholder"]) <= 400 for one in images.values())
    assert done.out == applied.run("export").out
    shutil.rmtree(applied.root / ".imagebatch/thumbs")
    assert done.out == applied.run("export").out


def test_an_index_says_what_is_on_the_disk_not_what_was_asked_for(applied: Project) -> None:
    shutil.copy(applied.root / "outputs/products/LMP-001-400.webp", applied.root / "outputs/products/LMP-001.png")
    done = applied.run("export", "product[LMP-001]")
    lamp = json.loads(done.out)["images"]["product[LMP-001]"]
    assert (lamp["width"], lamp["files"][0]["type"]) == (400, "image/webp")
    (applied.root / "outputs/products/LMP-001.png").write_text("<html>")
    done = applied.run("export", "product[LMP-001]")
    assert done.code == 1
    assert "outputs/products/LMP-001.png: it looks like HTML" in done.err


def test_missing_outputs_are_named_or_left_out(drawn: Project) -> None:
    (drawn.root / entry_output(drawn, "hero[season=spring]")).unlink()
    done = drawn.run("export")
    assert (done.code, done.out) == (1, "")
    assert f"{AXE}: nothing is picked or developed yet" in done.err
    assert "hero/hero-season-spring.jpg is not there" in done.err or "is not there" in done.err
    left = drawn.run("export", "--allow-missing", "--format", "py", "--out", "pictures.py")
    assert (left.code, left.out) == (0, "")
    assert left.err.count("left out: ") == 3
    found = runpy.run_path(str(drawn.root / "pictures.py"))["IMAGES"]
    assert sorted(found) == ["hero[season=autumn]", "hero[season=summer]", "hero[season=winter]"]


def entry_output(project: Project, address: str) -> str:
    outputs = entry_of(project, address)["outputs"]
    assert isinstance(outputs, list)
    return str(outputs[0]["path"])


def test_addresses_in_css_and_markdown_lead_from_their_file_to_the_pictures(applied: Project) -> None:
    (applied.root / "web/styles").mkdir(parents=True)
    for name, sign in (("web/styles/pictures.css", r'url\("([^"]*)"\)'), ("web/PICTURES.md", r"\]\(([^)]*)\)")):
        assert applied.run("export", "hero", "--format", name.rpartition(".")[2], "--out", name).code == 0
        text = (applied.root / name).read_text()
        found = [one for one in re.findall(sign, text) if not one.startswith("data:")]
        assert len(found) == 4
        assert all((applied.root / name).parent.joinpath(one).is_file() for one in found)


def test_an_index_is_written_over_nothing_but_an_index(applied: Project) -> None:
    applied.write("src/images.ts", "export const mine = 1;\n")
    done = applied.run("export", "--format", "ts", "--out", "src/images.ts")
    assert (done.code, "A file is there already" in done.err) == (64, True)
    assert (applied.root / "src/images.ts").read_text() == "export const mine = 1;\n"
    assert applied.run("export", "--format", "ts", "--out", "nowhere/images.ts").code == 64
    for _ in range(2):
        assert applied.run("export", "--format", "ts", "--out", "src/pictures.ts").code == 0
