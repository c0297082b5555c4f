"""`review`: what its desk decides beside other people, and the command from its first line to its end."""

import json
import os
import re
import shutil
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from imagebatch.manifest.picks import decode_picks
from imagebatch.model.picks import Picks
from imagebatch.pipeline import reviewing
from imagebatch.pipeline.deciding import save_picks
from imagebatch.pipeline.gallery import GalleryWish
from imagebatch.pipeline.project import Project as Loaded
from imagebatch.pipeline.project import Setup, load
from imagebatch.pipeline.reviewing import ReviewDesk
from imagebatch.review.decisions import Decision
from imagebatch.review.serving.desk import Answer
from imagebatch.review.wishes import Wish
from tests.cli.conftest import Project, bare_environment, small_project
from tests.program.running import Server
from tests.program.served import Served

AXE = "icon[thing=axe]"
CROWN = "icon[thing=crown]"
PAGE = "asset-icon.html"


@pytest.fixture(scope="module")
def drawn_once(tmp_path_factory: pytest.TempPathFactory, server: Server) -> Path:
    """The small project, drawn, with its small pictures; two pictures of it wait for a pick."""
    folder = tmp_path_factory.mktemp("review")
    (folder / "home").mkdir()
    made = small_project(folder, server)
    for words in (("apply", "-y"), ("gallery",)):
        assert made.run(*words).code == 0
    return made.root


@pytest.fixture
def drawn(drawn_once: Path, tmp_path: Path, server: Server) -> Project:
    """A copy of it."""
    shutil.copytree(drawn_once, tmp_path / "project")
    (tmp_path / "home").mkdir()
    return Project(root=tmp_path / "project", environ=bare_environment(tmp_path / "home"), server=server)


@pytest.fixture
def desk(drawn: Project) -> ReviewDesk:
    return ReviewDesk(load(Setup(root=drawn.root, variables=drawn.environ)), GalleryWish())


def picks_of(project: Project) -> Picks:
    path = project.root / "picks.yaml"
    return decode_picks(path.read_text()) if path.exists() else Picks()


def offered(project: Project, address: str) -> tuple[str, list[str]]:
    entry = json.loads((project.root / "imagebatch.lock").read_text())["generations"][address]
    return entry["draw"], [f"sha256:{one['sha256']}" for one in entry["candidates"] if "sha256" in one]


def versions(desk: ReviewDesk, page: str) -> dict[str, str]:
    found = desk.state(page, 0)["standings"]
    assert isinstance(found, dict)
    return {address: str(one["version"]) for address, one in found.items()}


def version(desk: ReviewDesk, address: str) -> str:
    return versions(desk, PAGE)[address]


def pick(project: Project, address: str, number: int, version: str) -> Wish:
    draw, pictures = offered(project, address)
    decision = Decision(address=address, for_draw=draw, pictures=(pictures[number - 1],))
    return Wish(address=address, version=version, decision=decision)


def rejection(project: Project, address: str, note: str, version: str) -> Wish:
    draw, pictures = offered(project, address)
    decision = Decision(address=address, for_draw=draw, pictures=tuple(pictures), rejected=True, note=note)
    return Wish(address=address, version=version, decision=decision)


def shows(answer: Answer) -> tuple[str, object]:
    assert answer.standing is not None
    return answer.kind, answer.standing["use"]


def test_a_pick_writes_what_the_command_would(drawn: Project, desk: ReviewDesk) -> None:
    drawn.run("pick", CROWN, "3")
    assert drawn.run("pick", AXE, "2").code == 0
    by_command = (drawn.root / "picks.yaml").read_bytes()
    (drawn.root / "picks.yaml").unlink()
    for address, number in ((AXE, 2), (CROWN, 3)):
        assert desk.decide(pick(drawn, address, number, version(desk, address))).kind == "done"
    assert (drawn.root / "picks.yaml").read_bytes() == by_command


def test_a_rejection_writes_what_the_command_would(drawn: Project, desk: ReviewDesk) -> None:
    answer = desk.decide(rejection(drawn, AXE, 'more <b> "gold"', version(desk, AXE)))
    assert answer.kind == "done"
    by_desk = (drawn.root / "picks.yaml").read_bytes()
    (drawn.root / "picks.yaml").unlink()
    assert drawn.run("pick", "--reject", AXE, "--note", 'more <b> "gold"').code == 0
    assert (drawn.root / "picks.yaml").read_bytes() == by_desk


def test_a_pick_after_a_rejection_takes_back_the_draw_that_would_be_paid(drawn: Project, desk: ReviewDesk) -> None:
    desk.decide(rejection(drawn, AXE, "no", version(desk, AXE)))
    assert desk.decide(pick(drawn, AXE, 1, version(desk, AXE))).kind == "done"
    assert picks_of(drawn).redo == {}
    assert json.loads(drawn.run("plan", "--json").out)["summary"]["redraw"] == 0


def test_a_rejection_twice_asks_for_one_draw(drawn: Project, desk: ReviewDesk) -> None:
    for note in ("no", "no, more gold"):
        assert desk.decide(rejection(drawn, AXE, note, version(desk, AXE))).kind == "done"
    assert (picks_of(drawn).redo[AXE].attempt, picks_of(drawn).redo[AXE].note) == (2, "no, more gold")


@pytest.mark.parametrize("first", ["pick", "reject"])
def test_what_was_decided_is_taken_back(drawn: Project, desk: ReviewDesk, first: str) -> None:
    seen = version(desk, AXE)
    desk.decide(pick(drawn, AXE, 1, seen) if first == "pick" else rejection(drawn, AXE, "no", seen))
    assert shows(desk.decide(Wish(address=AXE, version=version(desk, AXE), undo=True))) == ("done", [])
    assert picks_of(drawn) == Picks()
    again = desk.decide(Wish(address=AXE, version=version(desk, AXE), undo=True))
    assert (again.kind, "nothing to take back" in again.text) == ("refused", True)


def test_what_somebody_else_decided_meanwhile_is_shown_and_not_written_over(drawn: Project, desk: ReviewDesk) -> None:
    seen = version(desk, AXE)
    assert drawn.run("pick", AXE, "2").code == 0
    before = (drawn.root / "picks.yaml").read_bytes()
    _, pictures = offered(drawn, AXE)
    answer = desk.decide(pick(drawn, AXE, 3, seen))
    assert shows(answer) == ("conflict", [pictures[1]])
    assert (drawn.root / "picks.yaml").read_bytes() == before
    # Whoever has seen that, and wants another one, gets it.
    assert answer.standing is not None
    assert desk.decide(pick(drawn, AXE, 3, str(answer.standing["version"]))).kind == "done"
    assert picks_of(drawn).picks[AXE].use == (pictures[2],)


def test_two_who_want_the_same_are_not_asked(drawn: Project, desk: ReviewDesk) -> None:
    seen = version(desk, AXE)
    assert desk.decide(pick(drawn, AXE, 2, seen)).kind == "done"
    assert desk.decide(pick(drawn, AXE, 2, seen)).kind == "same"
    assert desk.decide(rejection(drawn, AXE, "no", seen)).kind == "conflict"


def test_what_is_decided_of_other_addresses_stands_in_nobodys_way(drawn: Project, desk: ReviewDesk) -> None:
    seen = version(desk, AXE)
    assert drawn.run("pick", CROWN, "2").code == 0
    assert desk.decide(pick(drawn, AXE, 1, seen)).kind == "done"
    assert picks_of(drawn).picks.keys() == {AXE, CROWN}


def test_a_write_between_reading_and_writing_is_read_again(
    drawn: Project, desk: ReviewDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen, plain = version(desk, AXE), save_picks
    raced: list[str] = []

    def late(project: Loaded, picks: Picks) -> Path:
        if not raced:
            raced.append(CROWN)
            assert drawn.run("pick", CROWN, "4").code == 0
        return plain(project, picks)

    monkeypatch.setattr(reviewing, "save_picks", late)
    assert desk.decide(pick(drawn, AXE, 1, seen)).kind == "done"
    assert picks_of(drawn).picks.keys() == {AXE, CROWN}


def test_two_reviews_at_the_same_moment_lose_nothing(drawn: Project) -> None:
    entries = json.loads((drawn.root / "imagebatch.lock").read_text())["generations"]
    desks = [ReviewDesk(load(Setup(root=drawn.root, variables=drawn.environ)), GalleryWish()) for _ in range(2)]
    start = threading.Barrier(2)

    def reject_all(desk: ReviewDesk, addresses: list[str]) -> list[str]:
        start.wait()
        return [desk.decide(rejection(drawn, one, "no", seen[one])).kind for one in addresses]

    seen = {one: at for name in ("asset-hero.html", PAGE) for one, at in versions(desks[0], name).items()}
    halves = [sorted(entries)[::2], sorted(entries)[1::2]]
    with ThreadPoolExecutor(2) as threads:
        kinds = [kind for found in threads.map(reject_all, desks, halves) for kind in found]
    assert kinds == ["done"] * 6
    assert picks_of(drawn).redo.keys() == entries.keys()


def test_pictures_that_were_drawn_anew_are_not_picked_by_an_old_page(drawn: Project, desk: ReviewDesk) -> None:
    old = pick(drawn, AXE, 1, version(desk, AXE))
    assert drawn.run("redraw", AXE, "--now", "-y").code == 0
    answer = desk.decide(old)
    assert answer.kind == "stale"
    assert "its pictures are others now" in answer.text
    assert AXE not in picks_of(drawn).picks


def test_a_file_that_was_changed_in_the_store_is_neither_shown_nor_picked(drawn: Project, desk: ReviewDesk) -> None:
    _, pictures = offered(drawn, AXE)
    digest = pictures[0].removeprefix("sha256:")
    name = next(one for one in re.findall(r"pictures/[0-9a-f]+\.[a-z]+", desk.page(PAGE) or "") if digest in one)
    assert desk.picture(name) is not None
    stored = next((drawn.root / ".imagebatch/store").rglob(f"{digest}*"))
    stored.chmod(0o644)
    stored.write_bytes(stored.read_bytes() + b" ")
    assert desk.picture(name) is None
    answer = desk.decide(pick(drawn, AXE, 1, version(desk, AXE)))
    assert (answer.kind, "is not what was drawn" in answer.text) == ("stale", True)


def test_a_link_that_leads_out_is_not_followed(drawn: Project, desk: ReviewDesk, tmp_path: Path) -> None:
    name = re.findall(r"thumbs/[-0-9a-f]+\.webp", desk.page(PAGE) or "")[0]
    small = next((drawn.root / ".imagebatch/thumbs").rglob(Path(name).name))
    (tmp_path / "secret").write_bytes(small.read_bytes())
    small.unlink()
    small.symlink_to(tmp_path / "secret")
    assert desk.picture(name) is None
    small.unlink()
    shutil.move(small.parent, tmp_path / "shard")
    small.parent.symlink_to(tmp_path / "shard")
    (tmp_path / "shard" / small.name).write_bytes(b"secret")
    assert desk.picture(name) is None


@pytest.mark.parametrize("name", ["../imagebatch.yaml", "imagebatch.lock", "thumbs/x.webp", "/etc/passwd", "", "."])
def test_only_what_pages_name_is_there(desk: ReviewDesk, name: str) -> None:
    assert desk.picture(name) is None
    assert desk.page(name) is None


def test_protection_is_by_hand_and_the_manifests_stays(drawn: Project, desk: ReviewDesk) -> None:
    for on in (True, False):
        answer = desk.decide(Wish(address=AXE, version=version(desk, AXE), protect=on))
        assert answer.standing is not None
        assert (answer.kind, answer.standing["held"]) == ("done", on)
        lock = json.loads((drawn.root / "imagebatch.lock").read_text())["generations"][AXE]
        assert lock.get("held", False) is on
    # Only this very address is meant: not all that it selects as a selector.
    assert "held" not in json.loads((drawn.root / "imagebatch.lock").read_text())["generations"][CROWN]


def test_a_page_is_made_of_what_is_there_and_a_broken_file_is_told(drawn: Project, desk: ReviewDesk) -> None:
    manifest = (drawn.root / "manifests/catalog.yaml").read_text()
    drawn.write("manifests/catalog.yaml", manifest.replace("A small icon", "A large icon"))
    assert "<ins>large</ins>" in (desk.page(PAGE) or "")
    drawn.write("manifests/catalog.yaml", manifest + "  [")
    assert "<ins>large</ins>" in (desk.page(PAGE) or "")
    assert "manifests/catalog.yaml:11:1: file is not YAML" in str(desk.state(PAGE, 0)["trouble"])
    drawn.write("manifests/catalog.yaml", manifest)
    assert "<ins>large</ins>" not in (desk.page(PAGE) or "")
    assert desk.state(PAGE, 0)["trouble"] == ""


def test_broken_picks_are_told_and_not_written_over(drawn: Project, desk: ReviewDesk) -> None:
    wish = pick(drawn, AXE, 1, version(desk, AXE))
    drawn.write("picks.yaml", "<<<<<<< HEAD\npicks:\n")
    answer = desk.decide(wish)
    assert (answer.kind, (drawn.root / "picks.yaml").read_text()) == ("refused", "<<<<<<< HEAD\npicks:\n")
    assert "picks.yaml:2:6: file is not YAML" in str(desk.state(PAGE, 0)["trouble"])
    assert "picks.yaml:2:6: file is not YAML" in answer.text


def test_what_others_decide_is_seen_as_news(drawn: Project, desk: ReviewDesk) -> None:
    revision = desk.state(PAGE, 0)["revision"]
    assert isinstance(revision, int)
    assert desk.state(PAGE, revision)["standings"] == {}
    drawn.run("pick", CROWN, "1")
    news = desk.state(PAGE, revision)["standings"]
    assert isinstance(news, dict)
    assert list(news) == [CROWN]


def test_an_address_that_is_not_shown_is_not_decided(drawn: Project) -> None:
    wish = GalleryWish(select=("hero",))
    desk = ReviewDesk(load(Setup(root=drawn.root, variables=drawn.environ)), wish)
    assert desk.decide(pick(drawn, AXE, 1, "x")).kind == "refused"


@pytest.mark.parametrize("words", [("--note", "a\u202eb"), ("--note", "x", "--add", "\x1b[31m")])
def test_words_that_no_picks_file_may_hold_are_refused(drawn: Project, words: tuple[str, ...]) -> None:
    done = drawn.run("pick", "--reject", AXE, *words)
    assert (done.code, "pick.control_char" in done.err) == (1, True)
    assert not (drawn.root / "picks.yaml").exists()


def test_an_imported_pick_takes_back_the_draw_of_a_rejection(drawn: Project) -> None:
    drawn.run("pick", "--reject", AXE, "--note", "no")
    draw, pictures = offered(drawn, AXE)
    lineage = json.loads((drawn.root / "imagebatch.lock").read_text())["lineage"]
    decisions = [{"address": AXE, "for": draw, "use": [pictures[0]]}]
    head = {"format": "imagebatch-picks", "format_version": "1.0", "lineage": lineage}
    drawn.write("p.json", json.dumps({**head, "decisions": decisions}))
    assert drawn.run("pick", "--import", "p.json").code == 0
    assert picks_of(drawn).redo == {}


# The command ----------------------------------------------------------------------------------------------------------


def files(project: Project) -> set[Path]:
    """All but what SQLite keeps beside a journal that was read."""
    return {path for path in project.root.rglob("*") if not path.name.startswith("journal.db-")}


@pytest.fixture
def served(drawn: Project) -> Iterator[Served]:
    with Served(drawn) as running:
        yield running


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_review_prints_its_address_and_ends_with_a_signal(served: Served, number: signal.Signals) -> None:
    token = served.line.split("/")[3]
    with httpx.Client() as client:
        assert client.get(served.line).status_code == 200
        assert client.get(served.line.replace(token, "0" * 40)).status_code == 404
        assert client.get(served.line, headers={"host": "evil.com"}).status_code == 421
        served.process.send_signal(number)
        code, out, err = served.ends()
    assert (code, out) == (0, "")
    assert "2 of them need a person" in err
    assert re.fullmatch(r"[0-9a-f]{40}", token)
    assert token not in err


@pytest.mark.slow
def test_a_review_ends_by_itself_and_leaves_nothing(drawn: Project) -> None:
    before = files(drawn)
    running = Served(drawn, "--for", "0.5s", "--json", "icon")
    head = json.loads(running.line)
    assert (head["format"], head["format_version"], head["variants"]) == ("imagebatch-review", "1.0", 2)
    began = time.monotonic()
    code, _, err = running.ends()
    assert (code, "the review has ended" in err, time.monotonic() - began < 20) == (0, True, True)
    assert files(drawn) == before
    with pytest.raises(httpx.ConnectError):
        httpx.get(head["address"])


@pytest.mark.slow
def test_open_leads_the_browser_by_a_file_of_its_owner(drawn: Project, tmp_path: Path) -> None:
    tool = tmp_path / "bin/xdg-open"
    tool.parent.mkdir()
    tool.write_text(f'#!/bin/sh\necho "$1" > {tmp_path}/opened\nfile="${{1#file://}}"\ncp -p "$file" {tmp_path}/seen\n')
    tool.chmod(0o755)
    drawn.environ["PATH"] = f"{tool.parent}{os.pathsep}{drawn.environ['PATH']}"
    running = Served(drawn, "--for", "2s", "--open")
    code, _, err = running.ends()
    assert code == 0, err
    token = running.line.split("/")[3]
    assert token not in (tmp_path / "opened").read_text()
    assert running.line in (tmp_path / "seen").read_text()
    assert (tmp_path / "seen").stat().st_mode & 0o077 == 0
    assert not (drawn.root / ".imagebatch/review.html").exists()


@pytest.mark.slow
def test_a_port_that_is_taken_is_said(served: Served, drawn: Project) -> None:
    port = served.line.split(":")[2].split("/")[0]
    done = drawn.run("review", "--port", port)
    assert (done.code, "review.port" in done.err, "leave --port out" in done.err) == (1, True, True)


@pytest.mark.slow
def test_without_the_extra_a_review_says_what_to_install(drawn: Project, tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    (tmp_path / "none/uvicorn.py").write_text("raise ModuleNotFoundError('no uvicorn', name='uvicorn')\n")
    lean = Project(root=drawn.root, environ=drawn.environ)
    done = lean.run("review", PYTHONPATH=f"{tmp_path}/none{os.pathsep}{drawn.environ['PYTHONPATH']}")
    assert (done.code, done.out) == (1, "")
    assert "uvicorn is not installed" in done.err
    assert "pip install 'imagebatch[review]'" in done.err
