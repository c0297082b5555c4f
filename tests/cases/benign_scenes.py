"""The good twins: what looks like a bad input and is none has to pass."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from tests.cases.bodies import action_of
from tests.cases.faraway import Net, Says
from tests.cases.generators import generated
from tests.cases.image_scenes import image_scene
from tests.cases.scenes import PLAN, Scene, fine, rule
from tests.cases.time_scenes import waited
from tests.cases.url_scenes import far_all_images
from tests.cases.world import Ran, World


def benign_scene(case: Mapping[str, Any], _: Mapping[str, Any] | None) -> Scene:
    """A case of the area that is no project of one file."""
    if case["id"] in SCENES:
        return SCENES[case["id"]](case)
    if case["input"]["kind"] == "image":
        return image_scene(case, None)
    hero = {"prompt": "a fox", "output": "out/hero.png"}

    def after(world: World, _: Ran) -> None:
        assert (world.project / "out/hero.png").read_bytes().startswith(b"\x89PNG")
        assert world.asked("all-images", "download") == 1

    rules = [rule("download", action_of(case["input"]["reply"]))]
    return Scene(assets={"hero": hero}, rules=rules, after=after)


def _eight_thousand(case: Mapping[str, Any]) -> Scene:
    def before(world: World) -> None:
        world.write("manifests/case.yaml", generated(case["input"]))

    def after(_: World, ran: Ran) -> None:
        assert ran.lines[0]["summary"]["create"] == 8000

    return Scene(before=before, command=PLAN, after=after)


def _quoted_otherwise(_: Mapping[str, Any]) -> Scene:
    text = "assets:\n  hero:\n    prompt: {0}a fox{0}\n    output: {0}out/hero.jpg{0}\n"

    def before(world: World) -> None:
        world.write("manifests/case.yaml", text.format(""))
        fine(world)
        world.write("manifests/case.yaml", text.format('"'))

    def after(_: World, ran: Ran) -> None:
        assert not ran.lines[0]["changes"], str(ran)

    return Scene(before=before, command=PLAN, after=after)


def _to_its_own_cdn(case: Mapping[str, Any]) -> Scene:
    net = Net(hosts={"cdn.all-images.ai": Says()})
    scene = far_all_images(net)

    def after(_: World, __: Ran) -> None:
        assert [one.path for one in net.asked_at("cdn.all-images.ai")] == ["/y.png"]

    return replace(scene, rules=[rule("download", action_of(case["input"]["reply"]))], after=after)


def _refused_once(_: Mapping[str, Any]) -> Scene:
    refusal = {"status": 429, "headers": {"retry-after": "2"}, "json": {"message": "slow down"}}
    return Scene(rules=[rule("create", refusal, times=1)], after=waited(2.0))


SCENES: Final[Mapping[str, Callable[[Mapping[str, Any]], Scene]]] = {
    "bn-8000-plain-assets": _eight_thousand,
    "bn-quotes-style": _quoted_otherwise,
    "bn-redirect-same-cdn": _to_its_own_cdn,
    "bn-429-once": _refused_once,
}
