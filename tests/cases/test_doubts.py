"""A doubt blocks one address and is settled without a terminal: every way out, at every class of provider, in CI."""

import json
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import pytest

import imagebatch
from tests.cases.bodies import png
from tests.cases.provider_scenes import NOTHING_LISTED
from tests.cases.scenes import APPLY, HERO, fine, rule, wrong
from tests.cases.world import Simulated, World
from tests.seams.hurried import hurried

FACES: Final = ("all-images", "aigne-hub", "openai")
OTHER: Final = {"prompt": "an owl", "output": "out/owl.jpg"}
_TOLD_TWICE: Final = re.compile(
    r"try (?:it |that |this )?again|(?:send|run|apply|create|draw) (?:it |them )?once more\b", re.IGNORECASE
)


def doubtful(face: str, tmp_path: Path, simulated: Simulated, hero: Mapping[str, Any] | None = None) -> World:
    """A project in CI whose hero is in doubt although it was drawn, and whose owl is there."""
    world = World(name=f"{tmp_path.name}", base=tmp_path, simulated=simulated, environment={"CI": "true"})
    world.settings[face] = {"price": {"create": "0.10 EUR"}}
    world.write("imagebatch.yaml", world.project_file(lineage=world.lineage))
    world.assets({"hero": hero or HERO[face], "owl": OTHER})
    lost = rule("create", {"accept": True, "then": "close"}, face=face, match={"prompt": "a fox"})
    with wrong(world, [{**lost, "times": 1}, rule("list", {"status": 200, "json": NOTHING_LISTED})]):
        ran = world.run(*APPLY)
    assert ran.code == 3, str(ran)
    assert ran.ends == {"hero": "in_doubt", "owl": "done"}, "a doubt blocked another address"
    world.mark()
    return world


def listed(world: World) -> tuple[Mapping[str, Any], ...]:
    """What `resolve --list --json` names."""
    ran = fine(world, "resolve", "--list", "--json")
    return ran.lines


def _id_of(world: World, prompt: str) -> str:
    listing = world.simulated.ask(
        "GET", "/all-images/v1/image-generations?limit=50&offset=0", None, {"api-key": world.key("all-images")}
    )
    (found,) = [one["id"] for one in listing["prints"] if one["prompt"] == prompt]
    return str(found)


def _adopt(world: World) -> None:
    fine(world, "resolve", "hero", "--adopt", _id_of(world, "a fox"))


def _abandon(world: World) -> None:
    fine(world, "resolve", "hero", "--abandon")


def _file(world: World) -> None:
    fine(world, "resolve", "hero", "--file", str(world.write("saved.png", png())))


def _resend(world: World) -> None:
    fine(world, "resolve", "hero", "--resend", "-y", "--json")


WAYS: Final[Mapping[str, tuple[Callable[[World], None], int]]] = {
    "adopt": (_adopt, 0), "abandon": (_abandon, 1), "file": (_file, 0), "resend": (_resend, 1),
}  # fmt: skip


@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize("way", WAYS)
def test_each_way_out_of_a_doubt_ends_it_without_asking_anybody(
    face: str, way: str, tmp_path: Path, simulated: Simulated
) -> None:
    world = doubtful(face, tmp_path, simulated)
    (doubt,) = listed(world)
    assert (doubt["address"], doubt["possible_cost"]) == ("hero", "0.10 EUR (estimated)")
    step, paid = WAYS[way]
    if way == "adopt" and face != "all-images":
        refused = world.run("resolve", "hero", "--adopt", "some-id")
        assert (refused.code, "[resolve.no_id]" in refused.err) == (4, True) or refused.code == 1, str(refused)
        assert listed(world)
        return
    step(world)
    ran = world.run(*APPLY)
    assert ran.code == 0, str(ran)
    entry = world.entries()["hero"]
    assert (entry["status"], "failure" in entry) == ("succeeded", False)
    # The listing shows again what it had hidden: nothing is sent for what is there, whatever was asked for.
    assert len(world.billed("create")) == (0 if face == "all-images" else paid)
    assert not listed(world)
    assert not fine(world, "plan", "--json").lines[0]["changes"]
    assert not any(
        "?" in one.err or "[y/N]" in one.err + one.out for one in world.runs if one.arguments[0] == "resolve"
    )


@pytest.mark.parametrize("policy", ["stop", "skip", "resend"])
@pytest.mark.parametrize("face", FACES)
def test_each_policy_comes_to_its_end_in_ci(face: str, policy: str, tmp_path: Path, simulated: Simulated) -> None:
    world = doubtful(face, tmp_path, simulated)
    world.assets({"hero": HERO[face], "owl": OTHER, "jar": {"prompt": "a jar", "output": "out/jar.jpg"}})
    with wrong(world, [rule("list", {"status": 200, "json": NOTHING_LISTED})]):
        ran = world.run(*APPLY, "--in-doubt", policy)
    creates = len(world.billed("create"))
    expected = {"stop": (4, 0), "skip": (3, 1), "resend": (0, 2)}[policy]
    assert (ran.code, creates) == expected, str(ran)


def test_a_limit_counts_what_is_sent_again(tmp_path: Path, simulated: Simulated) -> None:
    world = doubtful("openai", tmp_path, simulated)
    for limit in (("--max-creates", "0"), ("--max-cost", "0.05 EUR")):
        refused = world.run("resolve", "hero", "--resend", "-y", "--json", *limit)
        assert (refused.code, "budget.exceeded" in refused.codes) == (4, True), str(refused)
    world.assets(
        {"hero": HERO["openai"], "owl": OTHER, "jar": {**HERO["openai"], "prompt": "a jar"} | {"output": "out/jar.png"}}
    )
    with wrong(world, [rule("create", {"accept": True, "then": "close"}, face="openai", match={"prompt": "a jar"})]):
        ran = world.run(*APPLY, "--in-doubt", "resend", "--max-creates", "2")
    assert ran.ends == {"hero": "done", "jar": "in_doubt"}, str(ran)
    assert len(world.billed("create")) == 2, "what was lost in this run was sent again"


TWO: Final = {
    **HERO["aigne-hub"],
    "params": {"model": "openai/gpt-image-1.5", "size": "1024x1024", "n": 2},
    "pick": "all",
    "output": "out/hero-{{ candidate }}.png",
}


@pytest.mark.parametrize("way", ["abandon", "resend"])
def test_of_a_draw_of_two_creates_only_the_doubtful_one_is_sent_again(
    way: str, tmp_path: Path, simulated: Simulated
) -> None:
    world = doubtful("aigne-hub", tmp_path, simulated, TWO)
    before = [part["status"] for part in world.entries()["hero"]["parts"]]
    assert sorted(before) == ["in_doubt", "succeeded"]
    (doubt,) = listed(world)
    assert doubt["possible_cost"] == "0.10 EUR (estimated)"
    WAYS[way][0](world)
    assert world.run(*APPLY).code == 0
    entry = world.entries()["hero"]
    assert (entry["status"], len(entry["candidates"])) == ("succeeded", 2)
    assert len(world.billed("create")) == 1


@pytest.mark.parametrize("forced", [False, True])
def test_the_rest_of_a_draw_is_not_paid_where_what_came_of_it_is_not_to_be_had(
    *, forced: bool, tmp_path: Path, simulated: Simulated
) -> None:
    world = doubtful("aigne-hub", tmp_path, simulated, TWO)
    clone = World(name=world.name, base=tmp_path / "clone", simulated=simulated)
    for name in ("imagebatch.yaml", "imagebatch.lock", "manifests/case.yaml"):
        clone.write(name, (world.project / name).read_bytes())
    fine(clone, "resolve", "hero", "--abandon")
    clone.mark()
    ran = clone.run(*APPLY, "--select", "hero", *(("--force", "missing") if forced else ()))
    (change,) = [one for one in ran.of_type("change") if one["address"] == "hero"]
    assert change["reason_code"] == "unavailable"
    if forced:  # all of it, as the next attempt
        entry = clone.entries()["hero"]
        assert (ran.code, entry["attempt"], len(clone.billed("create"))) == (0, 2, 2), str(ran)
        return
    assert (ran.code, change["action"], clone.billed("create")) == (3, "keep", []), str(ran)
    assert "1 of its 2 pictures came on another machine" in change["reason"]
    shutil.copytree(
        world.project / ".imagebatch" / "store", clone.project / ".imagebatch" / "store", dirs_exist_ok=True
    )
    assert clone.run(*APPLY, "--select", "hero").code == 0
    assert (clone.entries()["hero"]["attempt"], len(clone.billed("create"))) == (1, 1), "what came was not used"


def test_a_file_takes_the_place_of_the_doubtful_create_alone(tmp_path: Path, simulated: Simulated) -> None:
    world = doubtful("aigne-hub", tmp_path, simulated, TWO)
    kept = {one["sha256"] for one in world.entries()["hero"]["candidates"]}
    _file(world)
    assert world.run(*APPLY).code == 0
    entry = world.entries()["hero"]
    assert len(entry["candidates"]) == 2
    assert kept < {one["sha256"] for one in entry["candidates"]}, "a picture that was paid for left the lock"
    assert not world.billed("create")
    assert not fine(world, "plan", "--json").lines[0]["changes"]


JAR: Final = {"prompt": "a jar", "output": "out/jar.jpg"}


def test_where_nothing_is_in_doubt_nothing_is_sent_again(tmp_path: Path, simulated: Simulated) -> None:
    world = World(name=f"{tmp_path.name}", base=tmp_path, simulated=simulated)
    world.write("imagebatch.yaml", world.project_file(lineage=world.lineage))
    world.assets({"owl": OTHER})
    fresh = fine(world, "resolve", "*", "--resend", "-y")
    assert (fresh.out, world.lock.exists()) == ("Nothing is in doubt there.\n", False)
    fine(world, *APPLY)
    world.mark()
    world.assets({"owl": {**OTHER, "prompt": "two owls"}, "jar": JAR})
    for named in ("*", "owl", "jar"):
        assert fine(world, "resolve", named, "--resend", "-y").out == "Nothing is in doubt there.\n"
        assert fine(world, "resolve", named, "--abandon").out == "Nothing is in doubt there.\n"
    told = fine(world, "resolve", "*", "--resend", "-y", "--json")
    assert told.lines[-1]["exit_code"] == 0
    assert not world.billed()


@pytest.mark.parametrize("face", FACES)
def test_only_what_is_in_doubt_is_sent_again(face: str, tmp_path: Path, simulated: Simulated) -> None:
    world = doubtful(face, tmp_path, simulated)
    world.assets({"hero": HERO[face], "owl": {**OTHER, "prompt": "two owls"}, "jar": JAR})
    with wrong(world, [rule("list", {"status": 200, "json": NOTHING_LISTED})]):
        ran = world.run("resolve", "*", "--resend", "-y", "--json")
    assert {one["token"] for one in world.billed("create")} <= {world.entries()["hero"]["token"]}, str(ran)
    assert set(ran.ends) == {"hero"}, str(ran)


@pytest.mark.parametrize("face", FACES)
def test_what_was_edited_since_is_not_sent_in_its_place(face: str, tmp_path: Path, simulated: Simulated) -> None:
    world = doubtful(face, tmp_path, simulated)
    world.assets({"hero": {**HERO[face], "prompt": "two foxes"}, "owl": OTHER})
    with wrong(world, [rule("list", {"status": 200, "json": NOTHING_LISTED})]):
        refused = world.run("resolve", "*", "--resend", "-y", "--json")
        assert (refused.code, "resolve.changed" in refused.codes) == (4, True), str(refused)
        assert not world.billed()
        assert [one["address"] for one in listed(world)] == ["hero"]
        fine(world, "resolve", "hero", "--abandon")
    assert world.run(*APPLY).code == 0
    assert len(world.billed("create")) == 1


def test_an_id_is_adopted_only_where_the_provider_shows_our_token_on_it(tmp_path: Path, simulated: Simulated) -> None:
    world = doubtful("all-images", tmp_path, simulated)
    right, owl = _id_of(world, "a fox"), _id_of(world, "an owl")
    unknown = f"{right[:-4]}0000"
    for wrong_id, code, exit_code in ((unknown, "unknown_id", 1), (owl, "not_ours", 4), (f"../{owl}", None, 1)):
        refused = world.run("resolve", "hero", "--adopt", wrong_id)
        assert refused.code == exit_code, str(refused)
        assert code is None or f"resolve.{code}" in refused.codes, str(refused)
        assert "stays" in refused.err
    with wrong(world, [rule("poll", {"generation": {"tags": [], "name": "x", "metaData": {}}})]):
        bare = world.run("resolve", "hero", "--adopt", right)
    assert (bare.code, "resolve.not_ours" in bare.codes) == (4, True), str(bare)
    assert [one["address"] for one in listed(world)] == ["hero"]
    _adopt(world)
    assert world.run(*APPLY).code == 0
    assert world.entries()["hero"]["generation"] == right
    assert not world.billed()


def test_nothing_is_adopted_where_nobody_can_be_asked(tmp_path: Path, simulated: Simulated) -> None:
    world = doubtful("all-images", tmp_path, simulated)
    found = _id_of(world, "a fox")
    with wrong(world, [rule("poll", {"status": 503})]), hurried():
        down = world.run("resolve", "hero", "--adopt", found)
    world.write("imagebatch.yaml", world.project_file(lineage=world.lineage))
    reached = dict(world.settings["all-images"])
    world.settings["all-images"] = {**reached, "base_url": "http://127.0.0.1:9/all-images/v1"}
    world.write("imagebatch.yaml", world.project_file(lineage=world.lineage))
    with hurried():
        offline = world.run("resolve", "hero", "--adopt", found)
    world.settings["all-images"] = {**reached, "base_url": "https://api.all-images.ai/v1"}
    world.write("imagebatch.yaml", world.project_file(lineage=world.lineage))
    world.environment["ALL_IMAGES_API_KEY"] = ""
    keyless = world.run("resolve", "hero", "--adopt", found)
    for ran, code in ((down, "resolve.not_asked"), (offline, "resolve.not_asked"), (keyless, "provider.no_key")):
        assert (ran.code, code in ran.codes) == (1, True), str(ran)
        assert "hero stays in doubt" in ran.err
    assert [one["address"] for one in listed(world)] == ["hero"]


def _under_way(tmp_path: Path, simulated: Simulated) -> tuple[World, "subprocess.Popen[bytes]"]:
    """A project whose hero is just being drawn by a run in another process, with the answer some seconds away."""
    world = World(name=f"{tmp_path.name}", base=tmp_path, simulated=simulated)
    world.write("imagebatch.yaml", world.project_file(lineage=world.lineage))
    world.assets({"hero": HERO["openai"]})
    simulated.script([rule("create", {"accept": True, "delay_s": 6}, face="openai", match={"prompt": "a fox"})])
    process = world.start(*APPLY)
    while not world.asked("openai", "create"):
        assert process.poll() is None, "the run ended before it sent anything"
        time.sleep(0.05)
    return world, process


@pytest.mark.parametrize("way", [("--abandon",), ("--file", "saved.png"), ("--resend", "-y"), ("--adopt", "some-id")])
def test_what_a_live_run_settles_is_not_settled_once_more(
    way: tuple[str, ...], tmp_path: Path, simulated: Simulated
) -> None:
    world, process = _under_way(tmp_path, simulated)
    try:
        shown = fine(world, "resolve", "--list")
        assert "A run is under way: process" in shown.out
        assert all("process" in one["apply_running"] for one in listed(world))
        status = fine(world, "status")
        assert "A run is under way: process" in status.out
        assert "In doubt" not in status.out
        refused = world.run("resolve", "hero", *way)
        assert (refused.code, "lock.held" in refused.codes) == (4, True), str(refused)
        saved = str(world.write("saved.png", png()))
        words = [saved if word == "saved.png" else word for word in way]
        late = world.run("resolve", "hero", *words, "--lock-timeout", "60")
    finally:
        ran = world.ended(process, *APPLY)
        simulated.forget()
    assert (ran.code, ran.ends) == (0, {"hero": "done"}), str(ran)
    if way[0] in {"--abandon", "--resend"}:
        assert (late.code, late.out) == (0, "Nothing is in doubt there.\n"), str(late)
    else:
        assert (late.code, "resolve.nothing" in late.codes) == (1, True), str(late)
    assert len(world.billed("create")) == 1
    assert world.entries()["hero"]["status"] == "succeeded"
    assert not fine(world, "plan", "--json").lines[0]["changes"], "what the run had drawn was replaced"


def test_no_message_of_the_package_tells_to_try_again() -> None:
    root = Path(imagebatch.__file__).parent
    found = [
        f"{path.relative_to(root)}:{number}: {line.strip()}"
        for path in sorted(root.rglob("*.py"))
        if "simulator" not in path.parts
        for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1)
        if _TOLD_TWICE.search(line) and not line.lstrip().startswith("#")
    ]
    assert not found, json.dumps(found, indent=1)


HUB: Final = HERO["aigne-hub"]
LOST: Final = {"accept": True, "then": "close"}


def hub_project(tmp_path: Path, simulated: Simulated, assets: Mapping[str, Any]) -> World:
    """A project of the hub alone, in CI, with a price."""
    world = World(name=f"{tmp_path.name}", base=tmp_path, simulated=simulated, environment={"CI": "true"})
    world.settings["aigne-hub"] = {"price": {"create": "0.10 EUR"}}
    world.write("imagebatch.yaml", world.project_file(lineage=world.lineage))
    world.assets(assets)
    world.mark()
    return world


def tokens_billed(world: World) -> dict[str, int]:
    """How often each token was billed."""
    counts: dict[str, int] = {}
    for one in world.billed("create"):
        counts[one["token"]] = counts.get(one["token"], 0) + 1
    return counts


@pytest.mark.parametrize("redrawn", [False, True], ids=["first", "redrawn"])
def test_a_record_of_an_earlier_failure_is_no_proof_about_a_later_sending_of_the_same_token(
    redrawn: bool, tmp_path: Path, simulated: Simulated
) -> None:
    world = hub_project(tmp_path, simulated, {"hero": {**HUB, "prompt": "a lamp"} if redrawn else HUB})
    if redrawn:
        fine(world)
        world.mark()
    world.assets({"hero": {**HUB, "prompt": "a fox [fail once]"}})
    refused = world.run(*APPLY)
    assert refused.code == 3, str(refused)
    hidden = {"ledger": {"missing": "100%"}}
    lost = rule("create", LOST, face="aigne-hub", times=1)
    with wrong(world, [lost], hidden, {"ledger": {"missing": "0%"}}):
        ran = world.run(*APPLY)
    assert ran.ends == {"hero": "in_doubt"}, str(ran)
    again = world.run(*APPLY)
    assert again.ends.get("hero", "in_doubt") == "in_doubt", str(again)
    assert set(tokens_billed(world).values()) == {1}, "the same token was paid twice"


def test_what_cannot_be_sent_again_stays_in_doubt(tmp_path: Path, simulated: Simulated) -> None:
    names = [f"v{number}" for number in range(6)]
    assets = {name: {**HUB, "prompt": f"a {name} fox", "output": f"out/{name}.png"} for name in names}
    world = hub_project(tmp_path, simulated, assets)
    with wrong(
        world, [rule("create", LOST, face="aigne-hub")], {"ledger": {"missing": "100%"}}, {"ledger": {"missing": "0%"}}
    ):
        ran = world.run(*APPLY, "--in-doubt", "resend", "-j", "1")
    bills = tokens_billed(world)
    doubted = {name for name, end in ran.ends.items() if end == "in_doubt"}
    accounted = {entry["token"] for entry in world.entries().values() if entry["status"] == "in_doubt"}
    assert set(bills) <= accounted, f"{bills} were billed, and {ran.ends} is told"
    assert doubted
    fine_or_doubt = world.run(*APPLY)
    assert fine_or_doubt.code == 3
    assert all(count == 1 for token, count in tokens_billed(world).items() if token not in bills)
    assert {token: tokens_billed(world)[token] for token in bills} == bills, "a doubt was paid again without a word"


def test_what_a_record_says_was_charged_stays_known(tmp_path: Path, simulated: Simulated) -> None:
    world = hub_project(tmp_path, simulated, {"hero": HUB})
    with wrong(world, [rule("create", LOST, face="aigne-hub", times=1)]):
        assert world.run(*APPLY).code == 3
    (bill,) = world.billed("create")
    entry = world.entries()["hero"]
    assert (entry["status"], len(entry["cost"])) == ("in_doubt", 1)
    assert entry["cost"][0].split()[0].startswith(str(bill["amount"]).rstrip("0")[:4]), (entry["cost"], bill)
    report = fine(world, "report", "--csv").out
    assert entry["cost"][0].split()[0] in report
    for _ in range(2):
        (doubt,) = listed(world)
        assert doubt["charged"] == entry["cost"]
        told = fine(world, "resolve", "--list").out
        assert f"the billing record says it was charged {entry['cost'][0]}\n" in told
        assert "not drawn" not in told
        assert world.run(*APPLY).code == 3
