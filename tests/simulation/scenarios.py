"""Projects that simulated runs apply. Each is loaded once, by the real loader, and then applied thousands of times."""

from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from imagebatch.effects import Seams, seams
from imagebatch.effects.processes import PlainProcesses
from imagebatch.pipeline.project import Project, Setup, load
from tests.simulation.disk import SimulatedDisk
from tests.simulation.providers import ORIGIN
from tests.simulation.world import HOME

Kind = Literal["listable", "ledger", "blind"]

LINEAGE = "5f0c1d9a5e0b3f4826a1c7e2d94f60b8"
PROJECT = f"""\
version: 1
lineage: {LINEAGE}
providers:
  studio: {{type: all-images, base_url: "{ORIGIN}/studio", consistency_window: 3s, deadline: 60s, max_concurrency: 3}}
  hub: {{type: aigne-hub, base_url: "{ORIGIN}/hub", max_concurrency: 2, mount: "", dialect: hub}}
  plain: {{type: openai, base_url: "{ORIGIN}/plain/v1", max_concurrency: 2}}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """What a project's manifest says, before (drawn without trouble) and now (the run that is disturbed).

    `cloned` where the run is on another machine than the one before: lock and outputs are there, and nothing else.
    `without` is what it says while somebody has taken an address out of it, which comes back later. `stranger` is a
    prompt whose generation is somebody else's by then, so that nobody may delete it. `left` is how many addresses the
    plan still speaks of when all is done.
    """

    name: str
    kind: Kind
    now: str
    before: str | None = None
    without: str | None = None
    cloned: bool = False
    stranger: str | None = None
    left: int = 0

    @property
    def code(self) -> int:
        """The exit code of a run that nobody disturbs: what somebody else has is not deleted, and that is told."""
        return 0 if self.stranger is None else 3


SCENARIOS: tuple[Scenario, ...] = (
    Scenario(
        name="one",
        kind="listable",
        now="""\
assets:
  fox: {prompt: a fox, provider: studio, params: {format: 1:1}}
""",
    ),
    Scenario(
        name="two",
        kind="listable",
        without="""\
assets:
  fox: {prompt: a fox, provider: studio, params: {format: 1:1}}
""",
        now="""\
assets:
  fox: {prompt: a fox, provider: studio, params: {format: 1:1}}
  owl: {prompt: an owl, provider: studio, params: {format: 1:1}}
""",
    ),
    Scenario(
        name="verbs",
        kind="listable",
        before="""\
assets:
  again: {prompt: it fails once, provider: studio, params: {format: 1:1}}
  jar: {prompt: a jar, provider: studio, params: {format: 1:1}}
  lake: {prompt: a lake, provider: studio, params: {format: 1:1}}
  ship: {prompt: a ship, provider: studio, params: {format: 1:1}}
""",
        now="""\
assets:
  again: {prompt: it fails once, provider: studio, params: {format: 1:1}}
  jar: {prompt: a jar, provider: studio, params: {format: 1:1}, tags: [shop]}
  lake: {prompt: a lake at night, provider: studio, params: {format: 1:1}, on_replace: delete}
  boat: {prompt: a boat, provider: studio, params: {format: 1:1}, resolution: full}
""",
    ),
    Scenario(
        name="shared",
        kind="listable",
        now="""\
assets:
  one: {prompt: an icon, provider: studio, params: {format: 1:1}, pick: all, output: "outputs/one-{{ candidate }}.jpg"}
  two: {prompt: an icon, provider: studio, params: {format: 1:1}, output: "outputs/two.jpg"}
""",
    ),
    Scenario(
        name="moved and removed",
        kind="listable",
        before="""\
assets:
  pen: {prompt: a pen, provider: plain, params: {model: gpt-image-2, size: 1024x1024, output_format: jpeg}}
  ink: {prompt: an ink pot, provider: plain, params: {model: gpt-image-2, size: 1024x1024, output_format: jpeg}}
  jar: {prompt: a jar, provider: studio, params: {format: 1:1}}
  swan: {prompt: a swan, provider: studio, params: {format: 1:1}, on_remove: delete}
  rook: {prompt: a rook, provider: studio, params: {format: 1:1}, on_remove: delete}
  lake: {prompt: a lake, provider: studio, params: {format: 1:1}, on_remove: keep}
  ship: {prompt: a ship, provider: studio, params: {format: 1:1}}
""",
        now="""\
assets:
  pen:
    prompt: a pen
    provider: plain
    params: {model: gpt-image-2, size: 1024x1024, output_format: jpeg}
    output: outputs/desk/pen.jpg
  well: {prompt: an ink pot, provider: plain, params: {model: gpt-image-2, size: 1024x1024, output_format: jpeg}}
  jar: {prompt: a jar, provider: studio, params: {format: 1:1}, output: outputs/deep/er/jar.jpg}
""",
        cloned=True,
        stranger="a rook",
        left=2,
    ),
    Scenario(
        name="one at the hub",
        kind="ledger",
        now="""\
assets:
  mug: {prompt: a mug, provider: hub, params: {model: openai/gpt-image-2, output_format: jpeg}}
""",
    ),
    Scenario(
        name="one that nobody can tell of",
        kind="blind",
        now="""\
assets:
  pen: {prompt: a pen, provider: plain, params: {model: gpt-image-2, size: 1024x1024, output_format: jpeg}}
""",
    ),
    Scenario(
        name="hub",
        kind="ledger",
        without="""\
assets:
  mug: {prompt: a mug, provider: hub, params: {model: openai/gpt-image-2, output_format: jpeg}}
""",
        now="""\
assets:
  mug: {prompt: a mug, provider: hub, params: {model: openai/gpt-image-2, output_format: jpeg}}
  cup: {prompt: a cup, provider: hub, params: {model: openai/gpt-image-2, output_format: jpeg}}
""",
    ),
    Scenario(
        name="plain",
        kind="blind",
        without="""\
assets:
  pen: {prompt: a pen, provider: plain, params: {model: gpt-image-2, size: 1024x1024, output_format: jpeg}}
""",
        now="""\
assets:
  pen: {prompt: a pen, provider: plain, params: {model: gpt-image-2, size: 1024x1024, output_format: jpeg}}
  ink: {prompt: an ink pot, provider: plain, params: {model: gpt-image-2, size: 1024x1024, output_format: jpeg}}
""",
    ),
)


_BY_NAME = {scenario.name: scenario for scenario in SCENARIOS}
_SMALL = ("one", "one at the hub", "one that nobody can tell of")
_LARGE = ("two", "verbs", "shared", "hub", "plain", "moved and removed")
ROTATION: tuple[Scenario, ...] = tuple(_BY_NAME[name] for large in _LARGE for name in (*_SMALL, large))
"""In which order they are disturbed: the small ones more often, for most of what can go wrong needs no more."""


class _NoRenderer(PlainProcesses):
    """No template has to be rendered, so there is no child to do it."""

    @staticmethod
    def pipe_child(*_: object) -> Any:
        class Nobody:
            stdin = stdout = None

            def kill(self) -> None:
                """It never began."""

            def wait(self, timeout: float | None = None) -> int:
                del timeout
                return 0

        return Nobody()


@cache
def loaded(manifest: str, *, table: str | None = None, rendered: bool = True) -> Project:
    """The project with this manifest, read by the real loader from a disk in memory.

    `table` is what stands in `data/table.csv`. `rendered` False where there is no template, so that no child has to be
    started.
    """
    disk = SimulatedDisk(lambda *_: None)
    disk.put(str(HOME / "imagebatch.yaml"), PROJECT.encode())
    disk.put(str(HOME / "manifests" / "all.yaml"), manifest.encode())
    if table is not None:
        disk.put(str(HOME / "data" / "table.csv"), table.encode())
    before = {name: getattr(seams, name) for name in Seams.__slots__}
    Seams.__init__(seams)  # templates are rendered by a real child, in real time
    seams.disk = disk
    if not rendered:
        seams.processes = _NoRenderer()
    try:
        return load(Setup(root=HOME, variables={}))
    finally:
        for name, one in before.items():
            setattr(seams, name, one)
