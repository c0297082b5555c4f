"""The cases of the areas about manifests, templates, tables and paths, through the command line."""

import copy
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from tests.cases.project_of import write_project
from tests.cases.scenes import APPLY, PLAN, Scene, fine, rule
from tests.cases.world import Ran, World

_APART: Final = ("max_rss_mib", "parent_survives")
_BASHRC: Final = "# a person's own\n"


def play_manifest(case: Mapping[str, Any], world: World) -> Ran:
    """Apply the project of a case; what is about memory or processor time in a process of its own."""
    write_project(_at_home(case, world), world.project, world.project_file())
    return world.run(*APPLY, apart=any(name in case["expected"] for name in _APART))


def look_outside(world: World) -> None:
    """What stands beside the project is as it was."""
    assert sorted(path.name for path in world.base.iterdir()) == ["elsewhere", "home", "project"]
    assert not list((world.base / "elsewhere").iterdir()), "something was written outside the project"
    assert (world.home / ".bashrc").read_text("utf-8") == _BASHRC
    made_by_hand = world.project / "out/x.png"
    if made_by_hand.is_file() and not made_by_hand.is_symlink():
        assert made_by_hand.read_text("utf-8", "replace") == "made by hand"


def _at_home(case: Mapping[str, Any], world: World) -> Mapping[str, Any]:
    """The case with the places that its links lead to in the case's own folder."""
    elsewhere = world.base / "elsewhere"
    elsewhere.mkdir()
    (world.home / ".bashrc").write_text(_BASHRC, encoding="utf-8")
    moved: dict[str, Any] = copy.deepcopy(dict(case))
    places = {"/tmp/elsewhere": str(elsewhere), "/home/u/.bashrc": str(world.home / ".bashrc")}
    setup = moved["input"].get("setup", [])
    for old, new in places.items():
        setup = [line.replace(old, new) for line in setup]
    if setup:
        moved["input"]["setup"] = setup
    return moved


# --- cases that take several steps ------------------------------------------------------------------------------------

_TABLE: Final = {
    "hero": {
        "for_each": "data/rows.csv", "key": "id", "prompt": "a {{ row.c }} fox", "output": "out/{{ row.id }}.jpg",
    }
}  # fmt: skip


def _rows_swapped() -> Scene:
    def before(world: World) -> None:
        world.write("data/rows.csv", "id,c\nA,red\nB,blue\n")
        fine(world)
        world.write("data/rows.csv", "id,c\nB,blue\nA,red\n")

    def after(_: World, ran: Ran) -> None:
        assert not ran.lines[0]["changes"], str(ran)

    return Scene(assets=_TABLE, before=before, command=PLAN, after=after)


def _edited_meanwhile() -> Scene:
    """The table is edited while the apply waits for the provider's answer."""

    def before(world: World) -> None:
        path = world.write("data/rows.csv", "id,c\nA,red\n")

        def edit(at: Path = path) -> None:
            for _ in range(500):
                if world.asked("all-images", "create"):
                    break
                threading.Event().wait(0.01)
            at.write_text("id,c\nA,blue\n", encoding="utf-8")

        threading.Thread(target=edit, daemon=True).start()

    def after(world: World, _: Ran) -> None:
        assert [one["prompt"] for one in world.billed("create")] == ["a red fox"]
        (change,) = world.run(*PLAN).lines[0]["changes"]
        assert (change["action"], change["reason_code"]) == ("redraw", "prompt"), "the edit does not show"

    return Scene(assets=_TABLE, before=before, rules=[rule("create", {"delay_s": 0.6})], after=after)


SCENES: Final[Mapping[str, Callable[[], Scene]]] = {
    "cs-row-order-change": _rows_swapped,
    "cs-changes-during-run": _edited_meanwhile,
}
