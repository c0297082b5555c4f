"""The cases of the area budget: what would cost too much, and what costs nothing although it looks like much."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import yaml

from tests.cases.generators import generated
from tests.cases.scenes import APPLY, HERO, PLAN, Scene, fine, rule, wrong
from tests.cases.world import Ran, World

_MANY: Final = 12  # percentages bite from ten variants on


def budget_scene(case: Mapping[str, Any]) -> Scene:
    """The scene of a case. Raises KeyError for one that nobody wrote yet."""
    return SCENES[case["id"]](case)


def _assets(case: Mapping[str, Any]) -> Mapping[str, Any]:
    """The manifest of a case, with the contract's name for the hub."""
    given = case["input"]
    text = generated(given) if "gen" in given else given["text"].replace("provider: aigne,", "provider: aigne-hub,")
    found: Mapping[str, Any] = yaml.safe_load(text)["assets"]
    return found


def _flags(case: Mapping[str, Any]) -> tuple[str, str]:
    """The flag of a case; an amount of money has a currency here."""
    name, _, value = str(case["expected"].get("flags") or case["input"]["flags"]).partition(" ")
    return name, f"{value} USD" if name == "--max-cost" else value


def _with_flags(**provider: Any) -> Callable[[Mapping[str, Any]], Scene]:
    def scene(case: Mapping[str, Any]) -> Scene:
        return Scene(assets=_assets(case), provider=provider, command=(*APPLY, *_flags(case)), after=_said_before)

    return scene


def _said_before(world: World, ran: Ran) -> None:
    """The plan with the same flags says what would stop the apply, and stops nothing itself."""
    planned = world.run(*PLAN, *ran.arguments[len(APPLY) :])
    assert (planned.code, planned.codes) == (0, ran.codes), str(planned)


def _credit_drop(_: Mapping[str, Any]) -> Scene:
    """The price list says half of what the hub charges: one create tells, and no other follows."""

    def after(world: World, ran: Ran) -> None:
        assert sorted(ran.ends.values()) == ["done", "unsent", "unsent"], str(ran)
        (warning,) = [one["message"] for one in ran.of_type("progress") if one["kind"] == "warning"]
        assert "charged 0.034 credit where the plan said 0.017 credit" in warning
        assert len(world.entries()) == 1, "what was drawn is kept, and what was not sent stays new"

    assets = {f"fox-{number}": {**HERO["aigne-hub"], "prompt": f"fox {number}", "output": f"out/{number}.png"}
              for number in range(3)}  # fmt: skip
    provider = {"max_concurrency": 1, "price": {"create": "0.017 credit"}}
    # Only this route tells what it charges.
    dialect, reset = {"rules": {"dialect": "hub"}}, {"rules": {"dialect": "any"}}
    return Scene(face="aigne-hub", assets=assets, provider=provider, settings=dialect, reset=reset, after=after)


def _resend_counts(_: Mapping[str, Any]) -> Scene:
    """A create that was lost and one that is sent again are two: what both may have cost is gone from the budget."""

    def before(world: World) -> None:
        world.write("imagebatch.yaml", world.project_file(lineage=world.lineage, budget={"month": ["0.08 credit"]}))
        with wrong(world, [rule("create", {"accept": True, "then": "close"}, face="aigne-hub", times=1)]):
            assert world.run(*APPLY).ends == {"hero": "in_doubt"}

    def after(world: World, _: Ran) -> None:
        (told,) = world.run("report", "--json").lines
        (spent,) = told["sums"]
        assert (spent["steps"], spent["spent"]) == (2, [{"amount": "0.068", "currency": "credit"}]), told
        world.assets({"hero": HERO["aigne-hub"], "wolf": {**HERO["aigne-hub"], "prompt": "a wolf", "output": "w.png"}})
        refused = world.run(*APPLY)
        assert (refused.code, refused.codes) == (4, frozenset({"budget.exceeded"})), str(refused)

    return Scene(face="aigne-hub", before=before, command=(*APPLY, "--in-doubt", "resend"), after=after)


def _foxes(**more: Any) -> Mapping[str, Any]:
    return {f"fox-{number}": {"prompt": f"fox {number}", "output": f"out/{number}.jpg", **more}
            for number in range(_MANY)}  # fmt: skip


def _mass_delete(case: Mapping[str, Any]) -> Scene:
    def before(world: World) -> None:
        fine(world)
        world.assets(_assets(case))

    def after(world: World, ran: Ran) -> None:
        assert f"{_MANY} of {_MANY}" in ran.err
        assert len(list((world.project / "out").iterdir())) == _MANY, "a file was removed"

    return Scene(assets=_foxes(), before=before, after=after)


def _provider_switch(_: Mapping[str, Any]) -> Scene:
    def before(world: World) -> None:
        fine(world)
        world.assets(_foxes(provider="aigne-hub", params=HERO["aigne-hub"]["params"]))

    return Scene(assets=_foxes(), before=before)


def _then_plan(
    asset: str, changed: Mapping[str, Any], *actions: tuple[str, str]
) -> Callable[[Mapping[str, Any]], Scene]:
    """Apply `hero`, change the manifest, plan: what the plan then says, with no create among it."""

    def scene(_: Mapping[str, Any]) -> Scene:
        def before(world: World) -> None:
            fine(world)
            world.assets({asset: {**HERO["all-images"], **changed}})

        def after(_: World, ran: Ran) -> None:
            assert tuple((one["address"], one["action"]) for one in ran.lines[0]["changes"]) == actions, str(ran)

        return Scene(before=before, command=PLAN, after=after)

    return scene


SCENES: Final[Mapping[str, Callable[[Mapping[str, Any]], Scene]]] = {
    "bu-max-creates": _with_flags(),
    "bu-max-cost": _with_flags(price={"create": "0.04 USD"}),
    "bu-unknown-price": _with_flags(),
    "bu-credit-drop": _credit_drop,
    "bu-resend-counts": _resend_counts,
    "bu-mass-delete": _mass_delete,
    "bu-rename-asset": _then_plan("banner", {}, ("banner", "move")),
    "bu-provider-switch": _provider_switch,
    "bu-nonspec-change": _then_plan("hero", {"output": "elsewhere/hero.jpg"}, ("hero", "move")),
    # There is no default model; the default that there is, `mode`, stands in the lock as if it had been written, so
    # that a version with another one has nothing to draw anew.
    "bu-model-default-change": _then_plan("hero", {"params": {"mode": "simple"}}),
}
