"""The cases of the area logs: no key, no signed link and no control character in anything that is said or written."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Final

import aiohttp
import pytest

from tests.cases.adapted import expected_of
from tests.cases.faraway import Net
from tests.cases.provider_scenes import http_scene
from tests.cases.scenes import APPLY, HERO, Scene, fine
from tests.cases.url_scenes import PUBLIC_BASES
from tests.cases.world import KEY_VARIABLES, Ran, World

_SIGNED: Final = "https://cdn.example/x.png?X-Amz-Signature=0123456789abcdef"


def log_scene(case: Mapping[str, Any], _: Mapping[str, Any] | None) -> Scene:
    """A case of the area that is no project of one file."""
    scene = http_scene(case) if case["input"]["kind"] == "http" else SCENES[case["id"]]()
    usual = scene.after

    def after(world: World, ran: Ran) -> None:
        usual(world, ran)
        for text in case["expected"].get("output_has_no_text", ()):
            secret = world.key(scene.face) if text == "$API_KEY" else text
            assert not [one for one in world.runs if secret in one.out + one.err], f"{secret} was printed"
        assert expected_of(case).raw is case["expected"]

    return replace(scene, after=after)


def _very_verbose() -> Scene:
    return Scene(command=(*APPLY, "-vv"))


@contextmanager
def _crashing_once(world: World) -> Iterator[None]:
    """The first question breaks inside the HTTP library, over a key and a signed link."""
    whole, left = aiohttp.ClientSession._request, 1

    async def request(session: aiohttp.ClientSession, method: str, url: Any, **more: Any) -> Any:
        nonlocal left
        if method == "GET" and "image-generations/" in str(url) and left:
            left -= 1
            raise RuntimeError(f"the parser broke over {world.key('all-images')} at {_SIGNED}")
        return await whole(session, method, url, **more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(aiohttp.ClientSession, "_request", request)
        yield
    assert not left, "nothing broke"


def _crash_in_http() -> Scene:
    return Scene(command=(*APPLY, "-vv"), during=_crashing_once)


def _key_on_the_command_line() -> Scene:
    return Scene(command=("apply", "--api-key", "sk-live", "--json"))


def _key_with_line_end() -> Scene:
    def before(world: World) -> None:
        world.environment[KEY_VARIABLES["aigne-hub"]] = world.key("aigne-hub") + "\n"

    return Scene(face="aigne-hub", before=before)


def _short_key() -> Scene:
    """To a host beyond this machine: loopback takes any key."""
    net = Net()

    def after(_: World, __: Ran) -> None:
        assert not net.connected, "a key that cannot be masked left the machine"

    return Scene(
        face="openai",
        provider={"base_url": PUBLIC_BASES["openai"]},
        environment={KEY_VARIABLES["openai"]: "abc"},
        net=net,
        after=after,
    )


def _key_in_prompt() -> Scene:
    asset = {"prompt": "{{ row.p }}", "for_each": "data/rows.csv", "key": "id", "output": "out/{{ row.id }}.jpg"}

    def before(world: World) -> None:
        world.write("data/rows.csv", f"id,p\nA,{world.key('all-images')}\n")
        world.assets({"hero": asset})

    def after(world: World, ran: Ran) -> None:
        (told,) = ran.of_type("diagnostic")
        assert told["address"] == "hero[A]"
        assert not world.asked()
        (world.project / "data/rows.csv").unlink()  # where the user put it, it stands: everything else is looked at

    return Scene(before=before, after=after)


def _key_in_plan_file() -> Scene:
    """A saved plan, and the apply of it; that nothing is left to do then is the run that counts."""

    def before(world: World) -> None:
        saved = str(world.base / "saved.plan")
        fine(world, "plan", "--json", "--out", saved)
        fine(world, "apply", saved, "-y", "--json")
        json.loads((world.base / "saved.plan").read_text("utf-8"))

    return Scene(before=before, from_start=True)


def _no_key_file() -> Scene:
    """Keys come from the environment: a file of keys is not opened, whoever may read it."""

    def before(world: World) -> None:
        path = world.home / ".config/imagebatch/keys.yaml"
        path.parent.mkdir(parents=True)
        path.write_text("all-images: sk-live-of-a-file\n", encoding="utf-8")
        path.chmod(0o644)

    def after(_: World, ran: Ran) -> None:
        assert ran.watch is not None
        assert not [name for name in ran.watch.opened if name.endswith("keys.yaml")], "a file of keys was opened"

    return Scene(before=before, after=after)


def _json_lines() -> Scene:
    """What a provider says goes through JSON as escapes, and a prompt's own letters stay letters."""
    hero = {**HERO["all-images"], "prompt": "ein Fuchs — 狐 \u00ad", "alt": "::add-mask::x"}

    def after(_: World, ran: Ran) -> None:
        assert ran.lines[0]["type"] == "version"
        assert ran.lines[-1]["type"] == "summary"
        assert "\u00ad" not in ran.out

    return Scene(assets={"hero": hero}, after=after)


SCENES: Final[Mapping[str, Callable[[], Scene]]] = {
    "lg-debug-headers": _very_verbose,
    "lg-traceback": _crash_in_http,
    "lg-key-in-argv": _key_on_the_command_line,
    "lg-key-with-newline": _key_with_line_end,
    "lg-key-short": _short_key,
    "lg-key-in-prompt": _key_in_prompt,
    "lg-key-in-plan-file": _key_in_plan_file,
    "lg-key-world-readable": _no_key_file,
    "lg-json-mode": _json_lines,
}
