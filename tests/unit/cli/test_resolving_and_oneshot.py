"""A person settles a doubt; a prompt becomes a small manifest."""

import io
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from imagebatch.cli.commands.resolving import list_doubts
from imagebatch.cli.completing import addresses_of_lock
from imagebatch.cli.options import Shell
from imagebatch.cli.screen import Screen
from imagebatch.errors import OutputError, PlanError, RefusedError, UsageError
from imagebatch.manifest.project import load_project
from imagebatch.model.event import Doubted, Intended, Kept
from imagebatch.model.generation import Earlier
from imagebatch.model.money import Cost
from imagebatch.model.variant import EXT_MARK, Variant
from imagebatch.pipeline import resolving
from imagebatch.pipeline.deciding import ask_again
from imagebatch.pipeline.inspecting import want_alone
from imagebatch.pipeline.lockwork import held_entry
from imagebatch.pipeline.oneshot import OneShot, check_free, manifest_text, parse_params, save_asset
from imagebatch.pipeline.planning import PlanRequest, make_plan
from imagebatch.pipeline.project import Setup, load
from imagebatch.pipeline.resolving import Doubt, Listed, abandon, adopt, supply
from imagebatch.pipeline.resolving import list_doubts as find_doubts
from imagebatch.pipeline.shared import whereabouts
from imagebatch.plan.case import World
from imagebatch.run.entries import cost_text
from imagebatch.run.result import Outcome
from imagebatch.state.lockfile import empty_lock, encode_lock
from imagebatch.state.store import StateStore
from tests.unit.plan.worlds import CREATE, LINEAGE, entry_of, variant

PROJECT = (
    f"version: 1\nlineage: '{LINEAGE}'\nproviders:\n"
    "  studio: {type: all-images, base_url: simulator}\ndefaults: {provider: studio}\n"
)


def write_project(root: Path, prompt: str = "a fox") -> None:
    """A project of one asset."""
    (root / "manifests").mkdir(parents=True)
    (root / "imagebatch.yaml").write_text(PROJECT)
    (root / "manifests" / "a.yaml").write_text(f"assets:\n  hero: {{prompt: {prompt}}}\n")


def in_doubt(
    root: Path, *, entry: bool, earlier: bool = False, cost: tuple[str, ...] = (), charged: str | None = None,
    attempt: int = 1,
) -> None:  # fmt: skip
    """Leave the project's only draw in doubt: in the journal, and in the lock where `entry`."""
    project = load(Setup(root=root, variables={}))
    wanted = next(iter(plan_variants(root).values()))
    token = "ib-" + "a" * 16
    with StateStore(root).open(lineage=LINEAGE, command="test") as session:
        session.record(
            Intended(
                step="create", token=token, attempt=attempt, part=0, provider="studio", type=wanted.type,
                draw=wanted.draw, request=wanted.request, address="hero", cost=CREATE,
            )
        ).result(10)  # fmt: skip
        if charged is not None:
            session.record(Doubted(step="create", token=token, why="lost", charged=charged)).result(10)
        if entry:
            old = Earlier(
                provider="studio", type=wanted.type, attempt=1, draw="sha256:" + "0" * 64, request="{}",
                token="ib-" + "b" * 16, generation="g0", candidates=(), picked=(), cost=(),
            )  # fmt: skip
            made = replace(
                entry_of(wanted), token=token, attempt=1, status="in_doubt", generation=None, candidates=(), picked=(),
                outputs=(), earlier=(old,) if earlier else (), cost=cost,
            )  # fmt: skip
            session.record(Kept(address="hero", entry=made)).result(10)
        session.checkpoint()
    assert [one.address for one in find_doubts(project).doubts] == ["hero"]


def plan_variants(root: Path) -> dict[str, Variant]:
    """The wanted variants by address."""
    return {one.address: one for one in want_alone(load(Setup(root=root, variables={}))).variants}


@pytest.mark.parametrize("entry", [True, False])
def test_an_adopted_id_is_waited_for_and_no_longer_in_doubt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, entry: bool
) -> None:
    monkeypatch.setattr(resolving, "checked_token", lambda _run, doubt, *_, **__: doubt.tokens[0])
    write_project(tmp_path)
    in_doubt(tmp_path, entry=entry)
    project = load(Setup(root=tmp_path, variables={}))
    assert adopt(project, ("hero",), "g-77", lock_timeout_s=0) == "hero"
    assert find_doubts(project).doubts == ()
    ledger = StateStore(tmp_path).open_for_plan(lineage=LINEAGE).ledger
    wanted = next(iter(plan_variants(tmp_path).values()))
    assert [(one.status, one.generation) for one in ledger.known(wanted.draw)] == [("pending", "g-77")]


@pytest.mark.parametrize(("entry", "earlier"), [(True, False), (True, True), (False, False)])
def test_an_abandoned_attempt_leaves_the_address_as_if_never_sent(
    tmp_path: Path, *, entry: bool, earlier: bool
) -> None:
    write_project(tmp_path)
    in_doubt(tmp_path, entry=entry, earlier=earlier)
    project = load(Setup(root=tmp_path, variables={}))
    assert [one.address for one in abandon(project, ("hero",), lock_timeout_s=0)] == ["hero"]
    assert find_doubts(project).doubts == ()
    present = StateStore(tmp_path).open_for_plan(lineage=LINEAGE).ledger.current("hero")
    assert (present.generation if present is not None else None) == ("g0" if earlier else None)


@pytest.mark.parametrize("named", ["hero", "owl"])
@pytest.mark.parametrize("entry", [True, False])
def test_a_doubt_that_is_to_be_moved_is_named_by_its_old_name_and_by_its_new(
    named: str, tmp_path: Path, *, entry: bool
) -> None:
    write_project(tmp_path)
    in_doubt(tmp_path, entry=entry)
    (tmp_path / "manifests" / "a.yaml").write_text("assets:\n  owl: {prompt: a fox}\n")
    project = load(Setup(root=tmp_path, variables={}))
    assert [one.address for one in find_doubts(project).doubts] == ["owl"]
    assert find_doubts(project, (named,)).doubts == find_doubts(project).doubts
    assert [one.address for one in abandon(project, (named,), lock_timeout_s=0)] == ["owl"]
    assert find_doubts(project).doubts == ()
    assert not list(StateStore(tmp_path).open_for_plan(lineage=LINEAGE).ledger)


@pytest.mark.parametrize("named", ["hero", "twin"])
def test_a_doubt_that_two_addresses_share_is_settled_for_both(named: str, tmp_path: Path) -> None:
    write_project(tmp_path)
    in_doubt(tmp_path, entry=True)
    twins = "  hero: {prompt: a fox, output: a.jpg}\n  twin: {prompt: a fox, output: b.jpg}\n"
    (tmp_path / "manifests" / "a.yaml").write_text(f"assets:\n{twins}")
    with StateStore(tmp_path).open(lineage=LINEAGE, command="test") as session:
        session.record(Kept(address="twin", entry=session.ledger.entry("hero"))).result(10)
        session.checkpoint()
    project = load(Setup(root=tmp_path, variables={}))
    assert [one.address for one in find_doubts(project).doubts] == ["hero", "twin"]
    abandon(project, (named,), lock_timeout_s=0)
    assert find_doubts(project).doubts == ()


def test_a_picture_handed_in_for_a_redraw_takes_the_place_of_the_one_that_stands(tmp_path: Path) -> None:
    write_project(tmp_path)
    (tmp_path / "imagebatch.yaml").write_text(PROJECT.replace("all-images", "openai"))
    (tmp_path / "manifests" / "a.yaml").write_text("assets:\n  hero: {prompt: a fox, params: {model: gpt-image-2}}\n")
    wanted = plan_variants(tmp_path)["hero"]
    with StateStore(tmp_path).open(lineage=LINEAGE, command="test") as session:
        session.record(Kept(address="hero", entry=entry_of(wanted))).result(10)
        session.checkpoint()
    in_doubt(tmp_path, entry=False, attempt=2)
    project = load(Setup(root=tmp_path, variables={}))
    Image.linear_gradient("L").save(tmp_path / "got.png")
    supply(project, ("hero",), tmp_path / "got.png", lock_timeout_s=0)
    entry = StateStore(tmp_path).open_for_plan(lineage=LINEAGE).ledger.entry("hero")
    assert (entry.attempt, [one.attempt for one in entry.earlier]) == (2, [1])
    (change,) = make_plan(project, PlanRequest()).plan.changes
    assert (change.action, find_doubts(project).doubts) == ("develop", ())


def test_a_doubt_is_told_with_the_provider_and_the_price_that_it_was_sent_with(tmp_path: Path) -> None:
    write_project(tmp_path)
    in_doubt(tmp_path, entry=False)
    (tmp_path / "imagebatch.yaml").write_text(
        PROJECT.replace("studio:", "other:")
        .replace("{provider: studio}", "{provider: other}")
        .replace("base_url: simulator", "base_url: simulator, price: {create: 9 EUR}")
    )
    (doubt,) = find_doubts(load(Setup(root=tmp_path, variables={}))).doubts
    assert (doubt.provider, doubt.cost) == ("studio", CREATE)


def test_a_redraw_and_a_retry_of_a_doubt_say_so_and_name_what_settles_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_project(tmp_path)
    in_doubt(tmp_path, entry=True)
    project = load(Setup(root=tmp_path, variables={}))
    assert ask_again(project, ["hero"], note=None, add=None).addresses == ("hero",), "a listing settles that one"
    monkeypatch.setattr(World, "listing_settles", lambda *_: False)
    with pytest.raises(PlanError) as refused:
        ask_again(project, ["hero"], note=None, add=None)
    assert (refused.value.code, refused.value.hints) == ("redraw.in_doubt", ("imagebatch resolve hero",))
    notes = make_plan(project, PlanRequest(retry=("hero",))).plan.notes
    assert any("hero is in doubt" in note and "imagebatch resolve hero" in note for note in notes), notes


def test_what_a_manifest_protects_stays_protected() -> None:
    mine = variant("hero", policy={"protect": True})
    held = held_entry(entry_of(variant("hero")), mine, held=False)
    assert (held.protect, held.held) == (True, False)
    held = held_entry(entry_of(variant("hero")), variant("hero"), held=True)
    assert (held.protect, held.held) == (True, True)


@pytest.mark.parametrize(
    "prompt", ["a fox", "{{ secret }} {% for %}", "{% endraw %}{{ 1 }}", 'quote " and \\ and: #', "a\nb"]
)
def test_a_prompt_comes_through_a_manifest_as_it_was_given(tmp_path: Path, prompt: str) -> None:
    (tmp_path / "manifests").mkdir()
    (tmp_path / "imagebatch.yaml").write_text(PROJECT)
    shot = OneShot(prompt=prompt, provider="studio", params=parse_params(["chaos=20", "format=16:9"]), ext=None)
    (tmp_path / "manifests" / "run.yaml").write_text(manifest_text(shot.asset, shot, "outputs/x.{{ ext }}"))
    (draft,) = load_project(tmp_path, variables={}).drafts
    assert draft.prompt == prompt
    assert dict(draft.params) == {"chaos": 20, "format": "16:9"}
    assert draft.outputs[0].path == f"outputs/x.{EXT_MARK}"


def test_params_are_names_with_values() -> None:
    assert parse_params(["a=b=c", " n =2"]) == (("a", "b=c"), ("n", "2"))
    for wrong in (["novalue"], ["=x"], ["a=1", "a=2"]):
        with pytest.raises(UsageError):
            parse_params(wrong)


def test_the_same_request_is_the_same_asset() -> None:
    one = OneShot(prompt="x", provider=None, params=(("a", "1"), ("b", "2")))
    assert one.asset == replace(one, params=(("b", "2"), ("a", "1"))).asset
    assert one.asset != replace(one, prompt="y").asset


def test_nothing_is_written_over(tmp_path: Path) -> None:
    shot = OneShot(prompt="x", provider="studio", params=())
    save_asset(tmp_path, "fox", shot, frozenset())
    for name, known in (("fox", frozenset[str]()), ("Hero", frozenset({"hero"}))):
        with pytest.raises(RefusedError):
            save_asset(tmp_path, name, shot, known)
    with pytest.raises(UsageError):
        save_asset(tmp_path, "../evil", shot, frozenset())
    with pytest.raises(RefusedError):
        check_free(tmp_path / "manifests" / "fox.yaml", overwrite=False)
    check_free(tmp_path / "manifests" / "fox.yaml", overwrite=True)


def test_completion_reads_addresses_from_the_lock_and_never_fails(tmp_path: Path) -> None:
    assert addresses_of_lock(str(tmp_path), "") == []
    write_project(tmp_path)
    wanted = variant('product["a b",angle=front]')
    lock = empty_lock(LINEAGE).with_changes({"hero": entry_of(variant("hero")), wanted.address: entry_of(wanted)})
    (tmp_path / "imagebatch.lock").write_bytes(encode_lock(lock))
    below = tmp_path / "manifests"
    assert addresses_of_lock(str(below), "") == ["hero", 'product["a b",angle=front]']
    assert addresses_of_lock(str(below), "pro") == ['product["a b",angle=front]']
    (tmp_path / "imagebatch.lock").write_bytes(b'"generations": {\n\n"\xff broken\n')
    assert addresses_of_lock(str(below), "") == []


@pytest.mark.parametrize("entry", [True, False])
def test_a_picture_handed_in_ends_the_doubt(tmp_path: Path, *, entry: bool) -> None:
    write_project(tmp_path)
    in_doubt(tmp_path, entry=entry)
    project = load(Setup(root=tmp_path, variables={}))
    Image.linear_gradient("L").save(tmp_path / "got.png")
    address, facts = supply(project, ("hero",), tmp_path / "got.png", lock_timeout_s=0)
    assert address == "hero"
    assert (facts.width, facts.height, facts.media_type) == (256, 256, "image/png")
    ledger = StateStore(tmp_path).open_for_plan(lineage=LINEAGE).ledger
    (known,) = ledger.known(plan_variants(tmp_path)["hero"].draw)
    assert (known.status, [one.facts for one in known.candidates]) == ("succeeded", [facts])
    assert ("hero" in ledger) is entry
    (change,) = make_plan(project, PlanRequest()).plan.changes
    assert change.action == ("develop" if entry else "adopt")
    assert find_doubts(project).doubts == ()
    with pytest.raises(PlanError):
        supply(project, ("hero",), tmp_path / "got.png", lock_timeout_s=0)


def test_a_file_that_is_no_picture_is_refused_and_the_doubt_stays(tmp_path: Path) -> None:
    write_project(tmp_path)
    in_doubt(tmp_path, entry=True)
    project = load(Setup(root=tmp_path, variables={}))
    (tmp_path / "not.png").write_bytes(b"<html>")
    for name in ("not.png", "gone.png"):
        with pytest.raises(OutputError):
            supply(project, ("hero",), tmp_path / name, lock_timeout_s=0)
    assert len(find_doubts(project).doubts) == 1


@pytest.mark.parametrize(
    ("cost", "says"),
    [
        (CREATE, "  may have cost 0.04 EUR (exact)\n"),
        (Cost(money=None, basis="unknown"), "  what it may have cost is not known\n"),
        (None, "  what it may have cost is not known\n"),
    ],
)
def test_a_doubt_is_listed_with_what_it_may_have_cost(cost: Cost | None, says: str) -> None:
    out = io.StringIO()
    one = Doubt(
        address="hero", names=frozenset({"hero"}), provider="studio", token="ib-x", draw="sha256:0", attempt=1,
        cost=cost,
        can_list=False, answers_later=False, tokens=("ib-x",),
    )  # fmt: skip
    shell = Shell(screen=Screen(out=out, err=io.StringIO()), environ={}, directory=Path())
    assert list_doubts(shell, Listed(doubts=(one,))) == 0
    assert says in out.getvalue()


@pytest.mark.parametrize("elsewhere", [False, True])
@pytest.mark.parametrize("charged", ["0.042 credit", None])
def test_what_the_billing_record_told_is_told_again(tmp_path: Path, charged: str | None, *, elsewhere: bool) -> None:
    write_project(tmp_path)
    hub = "providers:\n  studio: {type: aigne-hub, base_url: simulator}\n"
    (tmp_path / "imagebatch.yaml").write_text(
        f"version: 1\nlineage: '{LINEAGE}'\n{hub}defaults: {{provider: studio}}\n"
    )
    asset = "{prompt: a fox, params: {model: openai/gpt-image-1.5}}"
    (tmp_path / "manifests" / "a.yaml").write_text(f"assets:\n  hero: {asset}\n")
    price = plan_variants(tmp_path)["hero"].price
    in_doubt(tmp_path, entry=True, cost=(charged,) if charged else cost_text(price), charged=charged)
    if elsewhere:  # another machine has the lock, and no journal
        shutil.rmtree(tmp_path / ".imagebatch")
    found = find_doubts(load(Setup(root=tmp_path, variables={})))
    assert [one.charged for one in found.doubts] == [(charged,) if charged else ()]
    out = io.StringIO()
    assert list_doubts(Shell(screen=Screen(out=out, err=io.StringIO()), environ={}, directory=Path()), found) == 0
    told = "  the billing record says it was charged 0.042 credit\n" in out.getvalue()
    assert (told, "not drawn:" in out.getvalue()) == (charged is not None, charged is None)


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("type_", ["openai", "all-images"])
def test_only_a_mirror_tells_of_pictures_of_another_machine(tmp_path: Path, type_: str, *, mirrored: bool) -> None:
    write_project(tmp_path)
    mirror = "journal: {mirror: git}\n" if mirrored else ""
    (tmp_path / "imagebatch.yaml").write_text(PROJECT.replace("all-images", type_) + "state: {lease: git}\n" + mirror)
    project = load(Setup(root=tmp_path, variables={}))
    gone = Outcome(address="hero", action="wait", end="failed", code="provider.gone")
    wanted = replace(variant("hero"), provider="studio")
    told = whereabouts(project, gone, wanted).hint
    assert (told is not None) is (mirrored and type_ == "openai")
    assert whereabouts(project, replace(gone, code="provider.failed"), wanted).hint is None
