"""What happens in a case, as data: a project, what goes wrong at the simulator, the command, what is looked at then."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Final

from tests.cases.faraway import Net
from tests.cases.world import Ran, World

APPLY: Final = ("apply", "-y", "--json")
PLAN: Final = ("plan", "--json")

Rule = Mapping[str, Any]

HERO: Final[Mapping[str, Mapping[str, Any]]] = {
    "all-images": {"prompt": "a fox", "output": "out/hero.jpg"},
    "aigne-hub": {
        "provider": "aigne-hub",
        "prompt": "a fox",
        "params": {"model": "openai/gpt-image-1.5", "size": "1024x1024"},
        "output": "out/hero.png",
    },
    "openai": {
        "provider": "openai",
        "prompt": "a fox",
        "params": {"model": "gpt-image-1.5", "size": "1024x1024"},
        "output": "out/hero.png",
    },
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """One case in motion.

    `assets` is the manifest (one ordinary asset of `face` where none is given), `provider` what the project file says
    of the face beyond the usual. `before` runs first, and what it pays counts only with `from_start`. Then `rules` and
    `settings` hold while `command` runs; `reset` undoes the settings. `after` looks at what came of it.
    `act` runs the command where more than one process takes part, or another folder.
    `net` is what the command sees of the world beyond this machine, `environment` what is laid over its variables,
    `during` what else is changed while it runs.
    """

    face: str = "all-images"
    assets: Mapping[str, Any] = field(default_factory=dict)
    provider: Mapping[str, Any] = field(default_factory=dict)
    before: Callable[[World], None] = lambda _: None
    from_start: bool = False
    rules: Sequence[Rule] | Callable[[World], Sequence[Rule]] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    reset: Mapping[str, Any] = field(default_factory=dict)
    command: tuple[str, ...] = APPLY
    apart: bool = False
    act: Callable[[World], Ran] | None = None
    net: Net | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    during: Callable[[World], AbstractContextManager[object]] = lambda _: nullcontext()
    after: Callable[[World, Ran], None] = lambda _, __: None


def play(scene: Scene, world: World) -> Ran:
    """Play a scene up to the run that counts; the simulator is as before at the end."""
    world.settings[scene.face] = dict(scene.provider)
    world.write("imagebatch.yaml", world.project_file(lineage=world.lineage))
    world.assets(scene.assets or {"hero": HERO[scene.face]})
    scene.before(world)
    if not scene.from_start:
        world.mark()
    rules = scene.rules(world) if callable(scene.rules) else scene.rules
    world.environment |= scene.environment
    with wrong(world, rules, scene.settings, scene.reset), world.seeing(scene.net), scene.during(world):
        return scene.act(world) if scene.act is not None else world.run(*scene.command, apart=scene.apart)


@contextmanager
def wrong(
    world: World,
    rules: Sequence[Rule],
    settings: Mapping[str, Any] | None = None,
    reset: Mapping[str, Any] | None = None,
) -> Iterator[None]:
    """Something goes wrong at the simulator for a while."""
    simulated = world.simulated
    try:
        simulated.script(rules)
        if settings:
            simulated.settings(settings)
        yield
    finally:
        simulated.forget()
        if reset:
            simulated.settings(reset)


def fine(world: World, *arguments: str) -> Ran:
    """A command that has to succeed."""
    ran = world.run(*(arguments or APPLY))
    assert ran.code == 0, str(ran)
    return ran


def rule(op: str, action: Mapping[str, Any], *, face: str = "all-images", **more: Any) -> Rule:
    """One scripted rule."""
    return {"face": face, "op": op, "action": action, **more}


def shown(**fields: Any) -> Rule:
    """A rule that shows every generation of All-Images.ai otherwise than it is."""
    return rule("poll", {"generation": fields})


def edit_lock(world: World, change: Callable[[dict[str, Any]], None]) -> None:
    """Change the lock's blocks as a person or another tool would."""
    value = json.loads(world.lock.read_text("utf-8"))
    change(value["generations"])
    write_lock(world, value)


def write_lock(world: World, value: Mapping[str, Any]) -> None:
    """Write a lock in the form that the program writes: one field a line, blocks apart."""
    head = {key: value[key] for key in value if key != "generations"}
    lines = "".join(f"{_text(key)}: {_text(item)},\n" for key, item in head.items())
    blocks = ",\n\n".join(block_text(address, block) for address, block in value["generations"].items())
    tail = f"{blocks}\n\n}}\n}}\n" if blocks else "}\n}\n"
    world.lock.write_bytes(f'{{\n{lines}"generations": {{\n\n{tail}'.encode())


def block_text(address: str, block: Mapping[str, Any]) -> str:
    """One block of a lock."""
    return f"{_text(address)}: {{\n" + ",\n".join(f" {_text(k)}: {_text(v)}" for k, v in block.items()) + "\n}"


def _text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
