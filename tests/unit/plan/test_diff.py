"""make_plan over small worlds: what the single cases in tests/cases/plan do not say."""

from dataclasses import replace

import pytest

from imagebatch.model.generation import Bought, Failure, Output, Part
from imagebatch.model.picks import Pick, PickOrigin, Picks
from imagebatch.model.recorded import KnownDraw
from imagebatch.model.settings import Moved, Redo
from imagebatch.model.variant import CANDIDATE_MARK, Policy, Reference, Variant
from imagebatch.plan.aliases import Aliases
from imagebatch.plan.picking import WantedFile, made_as
from imagebatch.plan.types import Plan
from imagebatch.plan.unchanged import certainly_unchanged
from tests.unit.plan.worlds import PLACE, World, candidates_of, earlier_of, entry_of, facts, token_of, variant


def known(wanted: Variant, attempt: int = 1, **more: object) -> KnownDraw:
    base = KnownDraw(
        draw=wanted.draw,
        type=wanted.type,
        request=wanted.request,
        attempt=attempt,
        token=token_of(wanted, attempt),
        generation=f"g-{attempt}",
        status="succeeded",
        candidates=candidates_of(wanted, attempt),
        salt=wanted.salt,
    )
    return replace(base, **more)  # type: ignore[arg-type]  # fields of the dataclass


def actions(plan: Plan) -> dict[str, str]:
    return {change.address: change.action for change in plan.changes}


def test_what_the_lock_does_not_know_is_created() -> None:
    change = World().one(variant())
    assert (change.action, change.reason, change.attempt, change.costs) == ("create", "new", 1, (variant().price,))


def test_what_is_drawn_and_placed_is_left_alone_and_only_counted() -> None:
    wanted = variant()
    plan = World().have("hero", entry_of(wanted)).plan([wanted])
    assert (plan.changes, plan.counts["noop"], plan.costs, plan.empty) == ((), 1, (), True)


def test_detail_shows_the_unchanged_too_and_counts_the_same() -> None:
    world = World().have("hero", entry_of(variant())).have("icon", entry_of(variant("icon", policy={"protect": True})))
    wanted = [variant(), variant("icon", policy={"protect": True})]
    plan = world.plan(wanted, detail=True)
    assert actions(plan) == {"hero": "noop", "icon": "noop"}
    assert plan.counts == world.plan(wanted).counts


def test_going_back_to_an_old_prompt_adopts_the_old_draw() -> None:
    fox, wolf = variant(prompt="a fox"), variant(prompt="a wolf")
    world = World().have("hero", entry_of(wolf, earlier=(earlier_of(entry_of(fox)),)))
    world.store(candidates_of(fox))
    change = world.one(fox)
    assert (change.action, change.also, change.costs) == ("adopt", ("develop",), ())
    assert change.known is not None
    assert change.known.token == token_of(fox)


def test_a_draw_that_another_address_remembers_is_adopted() -> None:
    fox, wolf = variant("a", "a fox"), variant("a", "a wolf")
    world = World().have("a", entry_of(wolf, earlier=(earlier_of(entry_of(fox)),)))
    world.store(candidates_of(fox))
    plan = world.plan([wolf, variant("b", "a fox")])
    assert actions(plan) == {"b": "adopt"}


def test_an_earlier_draw_that_a_person_restores_is_adopted_and_stays() -> None:
    wanted = variant()
    first = entry_of(wanted)
    world = World().have("hero", entry_of(wanted, attempt=2, earlier=(earlier_of(first),)))
    world.store(first.candidates)
    use = facts(f"{first.token}/1").sha256
    world.picks = Picks(
        picks={"hero": Pick(for_draw=wanted.draw, use=(use,), was="restore")}, redo={"hero": Redo(attempt=2)}
    )
    change = world.one(wanted)
    assert (change.action, change.reason, change.known and change.known.attempt) == ("adopt", "adopted", 1)
    world.perform(world.plan([wanted]))
    assert world.lock.entries["hero"].attempt == 1
    assert world.plan([wanted]).changes == ()
    world.picks = Picks(picks=world.picks.picks, redo={"hero": Redo(attempt=3)})
    assert world.one(wanted).action == "redraw"


def test_a_redraw_that_another_request_answered_is_not_paid_again_on_the_way_back() -> None:
    fox, bear, lynx = variant(prompt="a fox"), variant(prompt="a bear"), variant(prompt="a lynx")
    world = World()
    for wanted in (fox, bear):
        world.perform(world.plan([wanted]))
    world.picks = Picks(redo={"hero": Redo(attempt=2, note="more fur")})
    world.perform(world.plan([bear]))
    change = world.one(fox)
    assert (change.action, change.known and change.known.attempt) == ("adopt", 1)
    world.perform(world.plan([fox]))
    assert world.plan([fox]).changes == ()
    change = world.one(lynx)
    assert (change.action, change.reason, change.attempt) == ("redraw", "prompt", 2)
    world.picks = Picks(redo={"hero": Redo(attempt=3)})
    assert (world.one(fox).action, world.one(fox).reason) == ("redraw", "asked")


def test_a_restored_picture_waits_for_a_file_that_was_edited_by_hand() -> None:
    wanted = variant()
    first = entry_of(wanted)
    world = World().have("hero", entry_of(wanted, attempt=2, earlier=(earlier_of(first),)))
    world.disk.files["outputs/hero.jpg"] = "sha256:by hand"
    pick = Pick(for_draw=wanted.draw, use=(facts(f"{first.token}/1").sha256,), was="restore")
    world.picks = Picks(picks={"hero": pick})
    assert (world.one(wanted).action, world.one(wanted).reason) == ("keep", "edited")
    assert world.one(wanted).detail == "outputs/hero.jpg is kept; --force edited replaces it"
    assert world.one(wanted, forces=frozenset({"edited"})).action == "adopt"


def test_a_file_that_was_edited_by_hand_is_kept_and_the_plan_says_what_replaces_it() -> None:
    wanted = variant()
    world = World().have("hero", entry_of(wanted))
    world.disk.files["outputs/hero.jpg"] = "sha256:by hand"
    assert (world.one(wanted).action, world.one(wanted).reason) == ("keep", "edited")
    assert world.one(wanted).detail == "outputs/hero.jpg is kept; --force edited replaces it"
    assert world.one(wanted, forces=frozenset({"edited"})).action == "develop"


def test_a_file_of_ones_own_stands_for_the_request_once_its_bytes_are_in_the_store() -> None:
    wanted = variant(prompt="new words")
    world = World().have("hero", entry_of(variant()))
    world.picks = Picks(picks={"hero": Pick(for_draw=wanted.draw, use=("sha256:mine",), was="file", file="art/x.png")})
    kept = world.one(wanted)
    assert (kept.action, kept.reason, kept.costs) == ("keep", "unavailable", ())
    assert "imagebatch use hero art/x.png" in kept.detail
    world.known.stored.add("sha256:mine")
    change = world.one(wanted)
    assert (change.action, change.use, change.own, change.costs) == ("adopt", ("sha256:mine",), "art/x.png", ())


def test_a_rejected_pick_is_kept_until_another_draw_is_asked_for() -> None:
    wanted = variant(policy={"pick": "review"})
    world = World().have("hero", entry_of(wanted))
    nothing_taken = {"hero": Pick(for_draw=wanted.draw, use=())}
    world.picks = Picks(picks=nothing_taken)
    assert (world.one(wanted).action, world.one(wanted).reason) == ("keep", "rejected_pick")
    world.picks = Picks(picks=nothing_taken, redo={"hero": Redo(attempt=2, note="more gold")})
    change = world.one(wanted)
    assert (change.action, change.reason, change.detail, change.attempt) == (
        "redraw", "rejected_pick", "more gold", 2,
    )  # fmt: skip
    world = World().have("hero", entry_of(wanted, attempt=2))
    world.picks = Picks(picks=nothing_taken, redo={"hero": Redo(attempt=2, note="more gold")})
    assert (world.one(wanted).reason, [*world.plan([wanted]).unpicked]) == (None, ["hero"])


def test_candidates_for_review_are_fetched_and_their_purchase_may_cost_later() -> None:
    wanted = variant(policy={"pick": "review", "resolution": "uhd"})
    bare = entry_of(wanted, candidates=candidates_of(wanted, stored=()))
    change = World().have("hero", bare).one(wanted)
    assert (change.action, change.costs) == ("fetch", ())
    assert str(change.later and change.later.money) == "1.40 EUR"


def test_a_redraw_that_runs_is_waited_for_and_one_that_failed_is_tried_again_up_to_three_times() -> None:
    wolf = variant(prompt="a wolf")
    world = World().have("hero", entry_of(variant())).know(known(wolf, status="pending", candidates=()))
    change = world.one(wolf)
    assert (change.action, change.known and change.known.generation) == ("wait", "g-1")
    broken = Failure(kind="provider", message="out of paint")
    world = World().have("hero", entry_of(variant())).know(known(wolf, status="failed", candidates=(), failure=broken))
    change = world.one(wolf)
    assert (change.action, change.reason, change.attempt, change.in_place) == ("redraw", "failed", 2, False)
    world.know(known(wolf, 3, status="failed", candidates=(), failure=broken))
    assert (world.one(wolf).action, world.one(wolf).reason) == ("keep", "failed")
    assert world.one(wolf, retry=frozenset({"hero"})).attempt == 4


def test_a_failed_generation_is_started_again_in_place_where_the_provider_can() -> None:
    wanted = variant()
    failure = Failure(kind="provider", message="")
    world = World().have("hero", entry_of(wanted, status="failed", failure=failure, candidates=(), outputs=()))
    change = world.one(wanted)
    assert (change.action, change.in_place, change.attempt) == ("retry", True, 2)
    assert world.one(variant(prompt="other")).in_place
    assert not world.one(variant(prompt="other", parts=2)).in_place


def test_addresses_that_fail_or_run_together_are_retried_and_bought_once() -> None:
    a, b = (variant(name, policy={"resolution": "full"}) for name in ("a", "b"))
    for status in ("failed", "pending"):
        failure = Failure(kind="provider", message="") if status == "failed" else None
        world = World()
        for wanted in (a, b):
            entry = entry_of(wanted, status=status, failure=failure, candidates=(), picked=(), outputs=())
            world.have(wanted.address, entry)
        plan = world.plan([a, b])
        expected = "retry" if status == "failed" else "wait"
        assert actions(plan) == {"a": expected, "b": "share"}
        assert plan.changes[1].leader == "a"
        assert len(plan.costs) == (2 if status == "failed" else 1)


def test_what_two_addresses_adopt_together_is_bought_once() -> None:
    a, b = (variant(name, policy={"resolution": "full"}) for name in ("a", "b"))
    world = World().know(known(a))
    world.store(candidates_of(a))
    plan = world.plan([a, b])
    assert actions(plan) == {"a": "adopt", "b": "adopt"}
    assert [change.also for change in plan.changes] == [("buy", "develop"), ("develop",)]
    assert (plan.changes[1].leader, len(plan.costs)) == ("a", 1)


def test_two_aliases_that_draw_one_request_get_attempts_of_their_own() -> None:
    plan = World().plan([variant("a"), variant("b", provider="studio2"), variant("c", "other")])
    assert {change.address: (change.action, change.attempt) for change in plan.changes} == {
        "a": ("create", 1),
        "b": ("create", 2),
        "c": ("create", 1),
    }


def test_an_address_that_shares_a_running_draw_waits_with_it() -> None:
    world = World().have("a", entry_of(variant("a"), status="pending", candidates=(), picked=(), outputs=()))
    plan = world.plan([variant("a"), variant("b")])
    assert actions(plan) == {"a": "wait", "b": "share"}
    alone = world.plan([variant("a"), variant("b")], selected=frozenset({"b"}))
    assert {change.address: (change.action, change.known is not None) for change in alone.changes} == {
        "b": ("wait", True)
    }


def test_a_distinct_variant_leaves_a_draw_that_it_shared_before() -> None:
    world = World().have("a", entry_of(variant("a"))).have("b", entry_of(variant("b")))
    wanted = [variant(name, policy={"distinct": True}) for name in ("a", "b")]
    plan = world.plan(wanted)
    assert {change.address: (change.action, change.reason, change.attempt) for change in plan.changes} == {
        "b": ("redraw", "asked", 2)
    }


def test_the_generation_of_removed_addresses_is_deleted_with_the_last_of_them() -> None:
    world = World()
    for name in ("a", "b", "c"):
        world.have(name, entry_of(variant(name), on_remove="delete"))
    some = world.plan([variant("c", policy={"on_remove": "delete"})])
    assert {c.address: (c.action, c.released) for c in some.changes} == {"a": ("forget", False), "b": ("forget", False)}
    every = world.plan([])
    assert {c.address: (c.action, c.released) for c in every.changes} == {
        "a": ("forget", False),
        "b": ("forget", False),
        "c": ("delete", True),
    }


def test_a_generation_that_is_adopted_in_the_same_plan_is_not_deleted() -> None:
    world = World()
    for name in ("a", "b"):
        world.have(name, entry_of(variant(name), on_remove="delete"))
    plan = world.plan([variant("new", policy={"on_remove": "delete"})])
    assert {c.address: (c.action, c.released) for c in plan.changes} == {
        "a": ("forget", False),
        "b": ("forget", False),
        "new": ("adopt", False),
    }


def test_destroy_takes_away_what_is_wanted_but_nothing_that_is_protected() -> None:
    world = World().have("a", entry_of(variant("a", "x"))).have("b", entry_of(variant("b", "y"), held=True))
    plan = world.plan([variant("a", "x"), variant("b", "y")], destroy=frozenset({"a", "b", "c"}))
    assert {c.address: (c.action, c.reason) for c in plan.changes} == {
        "a": ("forget", "asked"),
        "b": ("keep", "protected"),
    }
    guarded = [variant("a", "x", policy={"protect": True})]
    assert actions(world.plan(guarded, destroy=frozenset({"a"})))["a"] == "keep"


def test_what_was_refused_a_deletion_by_the_provider_is_forgotten_here() -> None:
    change = World().have("a", entry_of(variant("a", provider="hub"), on_remove="delete")).one(None)
    assert (change.action, change.released, change.detail) == ("forget", True, "the provider cannot delete it")


def test_doubt_about_something_unwanted_is_kept_until_it_is_settled() -> None:
    doubtful = entry_of(variant("a"), status="in_doubt", generation=None, candidates=(), picked=(), outputs=())
    change = World().have("a", doubtful).one(None)
    assert (change.action, change.reason) == ("keep", "in_doubt")


def test_a_file_that_holds_just_the_bytes_is_not_in_the_way() -> None:
    wanted = variant()
    first = candidates_of(wanted)[0].facts
    assert first is not None
    world = World().know(known(wanted))
    world.store(candidates_of(wanted))
    world.disk.files["outputs/hero.jpg"] = "sha256:other"
    assert [b.code for b in world.plan([wanted]).blocked_by] == ["path.not_ours"]
    assert world.plan([wanted], forces=frozenset({"overwrite"})).blocked_by == ()
    world.disk.files["outputs/hero.jpg"] = first.sha256
    assert world.plan([wanted]).blocked_by == ()


def test_a_path_that_another_entry_hands_over_is_ours() -> None:
    world = World().have("old", entry_of(variant("old", "x", outputs=("o/one.jpg",))))
    plan = world.plan([variant("new", "y", outputs=("o/one.jpg",))])
    assert (actions(plan), plan.blocked_by) == ({"new": "create", "old": "forget"}, ())


@pytest.mark.parametrize("told", [False, True])
def test_a_rename_is_one_whatever_of_it_is_selected(*, told: bool) -> None:
    world = World()
    for name in ("old[a]", "old[b]"):
        world.have(name, replace(entry_of(variant(name, name, outputs=(f"o/{name[4]}.jpg",))), held=True))
    wanted = [
        variant(f"new[{key}]", "changed" if told else f"old[{key}]", outputs=(f"o/{key}.jpg",)) for key in ("a", "b")
    ]
    lines = (Moved(source="old[*]", target="new[*]", place=PLACE),) if told else ()
    part = world.plan(wanted, moved=lines, selected=frozenset({"new[a]"}))
    (change,) = part.changes
    assert (change.address, change.moved_from) == ("new[a]", "old[a]")
    assert change.entry is not None
    assert change.entry.held, "what a person protects stays so under its new name"
    assert change.action == ("keep" if told else "move")
    assert world.plan(wanted, moved=lines, selected=frozenset({"old[a]"})).changes == (), "it is still wanted"


def test_the_only_copy_that_a_killed_run_had_renamed_already_is_not_lost() -> None:
    entry = entry_of(variant(provider="hub", outputs=("o/old.jpg",)))
    world = World().have("hero", entry, stored=False)
    world.disk.files["o/new.jpg"] = world.disk.files.pop("o/old.jpg")
    change = world.one(variant(provider="hub", outputs=("o/new.jpg",)))
    assert (change.action, change.reason, change.also) == ("move", "moved", ())
    world.disk.files["o/new.jpg"] = "sha256:other"
    change = world.one(variant(provider="hub", outputs=("o/new.jpg",)))
    assert (change.action, change.reason) == ("keep", "unavailable")


def test_an_output_that_is_the_candidates_bytes_is_a_source() -> None:
    wanted = variant(provider="hub", outputs=("o/hero.jpg", "o/small.jpg"))
    entry = entry_of(wanted)
    source = entry.candidates[0].facts
    assert source is not None
    entry = replace(entry, outputs=(replace(entry.outputs[0], sha256=source.sha256), entry.outputs[1]))
    world = World().have("hero", entry, stored=False)
    del world.disk.files["o/small.jpg"]
    assert (world.one(wanted).action, world.one(wanted).reason) == ("develop", "output_missing")
    shared = replace(wanted, address="twin", outputs=variant("twin", outputs=("o/twin.jpg",)).outputs)
    plan = world.plan([wanted, shared], selected=frozenset({"twin"}))
    assert [(c.action, c.also) for c in plan.changes] == [("share", ("develop",))]


def test_a_purchase_that_was_paid_is_fetched_and_not_bought_again() -> None:
    wanted = variant(policy={"resolution": "full"})
    entry = entry_of(wanted)
    bought = replace(entry.candidates[0], bought=Bought(resolution="uhd", facts=None))
    world = World().have("hero", replace(entry, candidates=(bought, *entry.candidates[1:])), placed=False)
    change = world.one(wanted)
    assert (change.action, change.also, change.costs) == ("fetch", ("develop",), ())


def test_a_candidate_in_the_path_keeps_its_file_when_others_are_picked() -> None:
    paths = (f"o/{CANDIDATE_MARK}.jpg",)
    before = variant(outputs=paths, policy={"pick": (1, 3)})
    world = World().have("hero", entry_of(before))
    change = world.one(variant(outputs=paths, policy={"pick": (3,)}))
    assert (change.action, change.reason, change.detail) == ("develop", "ladder", "o/1.jpg is no longer wanted")
    other = World().have("hero", entry_of(variant()))
    change = other.one(variant(policy={"pick": (2,)}))
    assert (change.action, change.reason) == ("develop", "policy")


def test_the_reason_for_another_distance_of_requests_names_what_changed() -> None:
    world = World().have("hero", entry_of(variant(params={"weather": "sunny", "n": "1"})))
    change = world.one(variant(prompt="a wolf", params={"weather": "rain", "n": "1"}))
    assert (change.reason, change.detail) == ("prompt", "prompt, params.weather changed")
    change = world.one(variant(params={"weather": "sunny", "n": "2"}))
    assert (change.reason, change.detail) == ("count", "params.n changed")


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [("sim", "studio", "is simulated"), ("studio", "sim", "is real, the wanted one would be simulated")],
)
def test_simulated_and_real_pictures_are_never_mixed_up(old: str, new: str, says: str) -> None:
    change = World().have("hero", entry_of(variant(provider=old))).one(variant(provider=new))
    assert (change.action, change.reason) == ("redraw", "simulated")
    assert says in change.detail


def test_the_short_way_never_hides_a_change() -> None:
    policies: tuple[dict[str, object], ...] = (
        {},
        {"pick": "all"},
        {"pick": "review"},
        {"pick": (1, 3)},
        {"resolution": "full"},
        {"on_remove": "keep"},
        {"protect": True},
    )
    base = [variant(policy=policy, outputs=(f"o/{CANDIDATE_MARK}.jpg",)) for policy in policies]
    base += [variant(outputs=("o/x.jpg", "o/y.jpg")), variant(width=800), variant(labels="new"), variant(prompt="new")]
    seen = {True: 0, False: 0}
    for recorded in base:
        for wanted in base:
            for picked in ((), (1,), (2,), (99,), (0,)):
                entry = entry_of(recorded) if not picked else replace(entry_of(recorded), picked=picked)
                world = World().have("hero", entry)
                short = certainly_unchanged(wanted, world.lock.glance("hero"), world.disk, Aliases())
                seen[short] += 1
                if short:
                    world.picks = Picks(redo={"hero": Redo(attempt=1)})  # forces the long way
                    assert world.plan([wanted]).changes == (), (recorded, wanted)
    assert min(seen.values()) >= 10


@pytest.mark.parametrize("outputs", ["", "[", "[1]", '[{"path":"outputs/hero.jpg"}]', "{}", "null", '[{"path":1}]'])
def test_a_glance_that_makes_no_sense_is_looked_at_closer(outputs: str) -> None:
    wanted = variant()
    world = World().have("hero", entry_of(wanted))
    glance = world.lock.glance("hero")
    assert certainly_unchanged(wanted, glance, world.disk, Aliases())
    assert not certainly_unchanged(wanted, glance._replace(outputs=outputs), world.disk, Aliases())
    picky = replace(wanted, policy=Policy(asset="hero", place=PLACE, provider="studio", pick="all"))
    assert not certainly_unchanged(picky, glance._replace(picked=outputs), world.disk, Aliases())
    if not outputs.startswith("[") or outputs == "[":
        assert not certainly_unchanged(picky, glance._replace(candidates=outputs), world.disk, Aliases())


def test_what_was_bought_and_has_not_come_yet_is_fetched_for_nothing() -> None:
    wanted = variant("hero", policy={"resolution": "uhd"})
    preview = entry_of(variant("hero"))
    first, *rest = preview.candidates
    world = World().have("hero", preview)
    assert actions(world.plan([wanted])) == {"hero": "buy"}
    bought = replace(preview, candidates=(replace(first, bought=Bought(resolution="uhd")), *rest))
    change = world.have("hero", bought).one(wanted)
    assert (change.action, change.also, change.costs) == ("fetch", ("develop",), ())
    assert not certainly_unchanged(wanted, world.lock.glance("hero"), world.disk, Aliases())


@pytest.mark.parametrize(
    ("paths", "picked", "candidate"),
    [
        (("a-2.jpg", "a-3.jpg"), (2, 3), 3),
        (("2/a-2.jpg", "2/a-12.jpg"), (2, 12), 12),
        (("2/a-2.jpg", "3/a-3.jpg"), (2, 3), 3),
        (("a-3.jpg", "a-2.jpg"), (3, 2), 2),
        (("a-2.jpg", "b-3.jpg"), (2, 3), None),
        (("a-2.jpg", "a-4.jpg"), (2, 3), None),
    ],
)
def test_which_pick_a_file_was_made_from_is_told_by_its_place_among_those_of_the_others(
    paths: tuple[str, ...], picked: tuple[int, ...], candidate: int | None
) -> None:
    wanted = variant("hero", offers=12)
    outputs = tuple(Output(path=path, develop="d", sha256=path, bytes=1) for path in paths)
    entry = replace(entry_of(wanted), picked=picked, outputs=outputs)
    spec = wanted.outputs[0].spec
    files = [WantedFile(path="new.jpg", develop="d", candidate=at, spec=spec) for at in range(1, 13)]
    assert [file.candidate for file in files if made_as(outputs[1], file, entry)] == ([candidate] if candidate else [])


DISTINCT = {"distinct": True}


def test_a_distinct_variant_does_not_go_back_to_a_picture_that_another_one_has() -> None:
    shared = entry_of(variant("a"))
    world = World().have("a", shared).have("b", entry_of(variant("b", "a wolf"), earlier=(earlier_of(shared),)))
    plan = world.plan([variant("a", policy=DISTINCT), variant("b", policy=DISTINCT)])
    assert actions(plan) == {"b": "redraw"}


def test_only_one_of_two_distinct_variants_goes_back_to_a_picture_that_they_shared() -> None:
    shared = earlier_of(entry_of(variant("a")))
    world = World()
    for name in ("a", "b"):
        world.have(name, entry_of(variant(name, "a wolf"), earlier=(shared,)))
    world.store(candidates_of(variant("a")))
    plan = world.plan([variant("a", policy=DISTINCT), variant("b", policy=DISTINCT)])
    assert actions(plan) == {"a": "adopt", "b": "redraw"}


def test_what_a_distinct_variant_leaves_is_free_for_others() -> None:
    world = World().have("a", entry_of(variant("a")))
    plan = world.plan([variant("a", "a wolf", policy=DISTINCT), variant("b")])
    assert actions(plan) == {"a": "redraw", "b": "adopt"}


def test_a_draw_that_was_made_apart_is_no_draw_for_others() -> None:
    apart = known(variant("a", policy=DISTINCT))
    world = World().know(apart)
    world.store(apart.candidates)
    assert world.one(variant("a", policy=DISTINCT)).action == "adopt"
    assert world.one(variant("b")).action == "create"
    assert world.one(variant("b", policy=DISTINCT)).action == "create"


@pytest.mark.parametrize(("then", "now"), [({}, DISTINCT), (DISTINCT, {})])
def test_a_picture_from_before_distinct_was_changed_is_taken_back_where_nobody_has_it(
    then: dict[str, bool], now: dict[str, bool]
) -> None:
    drawn = known(variant("hero", policy=then))
    world = World().know(drawn)
    world.store(drawn.candidates)
    assert world.one(variant("hero", policy=now)).action == "adopt"


def test_a_picture_from_before_distinct_was_set_becomes_that_of_one_address_only() -> None:
    drawn = known(variant("a"))
    world = World().know(drawn)
    world.store(drawn.candidates)
    assert actions(world.plan([variant("a", policy=DISTINCT), variant("b", policy=DISTINCT)])) == {
        "a": "adopt",
        "b": "create",
    }
    assert actions(world.plan([variant("a", policy=DISTINCT), variant("b")])) == {"a": "adopt", "b": "create"}
    assert actions(world.plan([variant("a"), variant("b", policy=DISTINCT)])) == {"a": "adopt", "b": "create"}
    world.have("z", entry_of(variant("z")))
    assert actions(world.plan([variant("a", policy=DISTINCT), variant("z")])) == {"a": "create"}


def accepted_then_forgotten(wanted: Variant, *, attempt: int = 1) -> World:
    """A picture of another request that a person let stand for `wanted`, which has left the lock since."""
    drawn = known(variant(wanted.address, "a fox"), attempt)
    world = World().know(drawn)
    world.store(drawn.candidates)
    use = (facts(f"{drawn.token}/1").sha256,)
    world.picks = Picks(picks={wanted.address: Pick(for_draw=wanted.draw, use=use, was="accept")})
    return world


def test_an_accepted_picture_that_left_the_lock_is_adopted_when_it_is_wanted_again() -> None:
    wanted = variant("hero", "a wolf")
    world = accepted_then_forgotten(wanted)
    change = world.one(wanted)
    assert (change.action, change.reason, change.picked, change.costs) == ("adopt", "adopted", (1,), ())
    assert world.one(wanted, redraw=frozenset({"hero"})).action == "create"


@pytest.mark.parametrize(("reached", "action"), [(1, "create"), (2, "adopt")])
def test_a_redraw_that_was_asked_for_counts_more_than_an_accepted_picture_that_had_not_reached_it(
    reached: int, action: str
) -> None:
    wanted = variant("hero", "a wolf")
    world = accepted_then_forgotten(wanted, attempt=reached)
    world.picks = replace(world.picks, redo={"hero": Redo(attempt=2)})
    assert world.one(wanted).action == action


def test_nothing_is_bought_for_a_picture_that_is_only_kept() -> None:
    guarded = variant(prompt="a wolf", policy={"protect": True, "resolution": "full"})
    change = World().have("hero", entry_of(variant(), protect=True)).one(guarded)
    assert (change.action, change.also, change.costs) == ("keep", (), ())


def test_what_is_protected_or_runs_is_not_deferred_with_its_reference() -> None:
    link = (Reference(source="asset:logo", sha256="sha256:old"),)
    guarded = variant("guarded", "p", references=link, policy={"protect": True})
    running = variant("running", "q", references=link)
    bare = entry_of(running, status="pending", candidates=(), picked=(), outputs=())
    world = World().have("guarded", entry_of(replace(guarded, draw="sha256:before"))).have("running", bare)
    plan = world.plan([variant("logo"), guarded, running])
    assert actions(plan) == {"guarded": "keep", "logo": "create", "running": "wait"}
    alone = world.plan([variant("logo"), replace(guarded, draw="sha256:before")])
    assert actions(alone)["logo"] == "create"
    assert "guarded" not in actions(alone)


def test_a_token_that_a_renamed_variant_took_along_is_not_made_again() -> None:
    before = variant("a", policy=DISTINCT)
    world = World().have("b", entry_of(before))
    plan = world.plan([variant("a", policy=DISTINCT), variant("b", policy=DISTINCT)])
    assert {c.address: (c.action, c.attempt) for c in plan.changes} == {"a": ("create", 2), "b": ("move", 1)}


def test_a_picture_that_was_drawn_apart_is_not_shared() -> None:
    world = World().have("a", entry_of(variant("a", policy=DISTINCT)))
    assert actions(world.plan([variant("a", policy=DISTINCT), variant("b")])) == {"b": "create"}


def test_who_needs_the_draw_follows_the_one_that_runs_and_two_that_run_are_both_waited_for() -> None:
    failure = Failure(kind="provider", message="")
    bare = entry_of(variant("a"), candidates=(), picked=(), outputs=())
    world = World().have("a", replace(bare, status="failed", failure=failure))
    world.have("z", replace(bare, status="pending", token="ib-z"))
    world.have("y", replace(bare, status="pending", token="ib-y"))
    plan = world.plan([variant(name) for name in ("a", "y", "z", "new")])
    assert {c.address: (c.action, c.leader) for c in plan.changes} == {
        "a": ("share", "y"),
        "new": ("share", "y"),
        "y": ("wait", None),
        "z": ("wait", None),
    }


def test_a_request_of_several_parts_is_not_started_again_in_place() -> None:
    failure = Failure(kind="provider", message="")
    part = Part(token="ib-0", generation="g-0", status="failed")
    bare = entry_of(variant(), status="failed", failure=failure, parts=(part,), candidates=(), outputs=())
    world = World().have("hero", bare)
    assert not world.one(variant(prompt="other")).in_place
    assert (world.one(variant()).action, world.one(variant()).in_place) == ("retry", False)


def test_a_restored_picture_comes_back_after_its_entry_was_forgotten() -> None:
    wanted = variant()
    first, second = entry_of(wanted), entry_of(wanted, attempt=2)
    world = World().know(KnownDraw.of_entry(first), KnownDraw.of_entry(second))
    world.store((*first.candidates, *second.candidates))
    chosen = first.candidates[0].facts
    assert chosen is not None
    world.picks = Picks(
        picks={"hero": Pick(for_draw=wanted.draw, use=(chosen.sha256,), was="restore")},
        redo={"hero": Redo(attempt=2)},
    )
    change = world.one(wanted)
    assert (change.action, change.attempt, change.picked) == ("adopt", 1, (1,))
    world.have("hero", second)  # as an earlier version adopted it
    change = world.one(wanted)
    assert (change.action, change.attempt, change.use) == ("adopt", 1, ())


def test_bytes_that_no_known_draw_offered_stand_for_nothing_but_a_file_of_ones_own() -> None:
    wanted = variant()
    world = World().have("hero", entry_of(wanted))
    world.known.stored.add("sha256:elsewhere")
    origins: tuple[PickOrigin, ...] = ("accept", "restore")
    for was in origins:
        world.picks = Picks(picks={"hero": Pick(for_draw=wanted.draw, use=("sha256:elsewhere",), was=was)})
        assert world.one(wanted).action == "noop"
