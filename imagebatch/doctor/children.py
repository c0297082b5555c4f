"""The child processes that read strangers' bytes and templates: do they start, and do their limits hold?"""

import base64
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from imagebatch.doctor.probes import memory_limit
from imagebatch.effects import seams
from imagebatch.effects.files import write_bytes
from imagebatch.errors import ImagebatchError
from imagebatch.manifest.templating import MEMORY_BASE, MEMORY_PER_VARIANT, Died, Renderer
from imagebatch.outputs.worker import MEMORY
from imagebatch.outputs.workers import CHECK_S, try_child
from imagebatch.pipeline.doctor import Finding

SIDE: Final = 8
# A whole PNG of 8 x 8 pixels.
PICTURE: Final = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAIAAABLbSncAAAAFUlEQVR42mM8ISfHgA0wMeAAg1MCANDKARQfGKMRAAAAAElFTkSuQmCC"
)
_MIB: Final = 1 << 20
_JOB: Final = {
    "op": "render", "job": 1, "asset": "probe", "table": None, "rows": None, "rowed": False, "combos": [{}],
    "vars": {}, "var_slots": [], "slots": [{"kind": "text", "source": "{{ 6 * 7 }}", "mute": False, "vars": False}],
    "first_path": 1, "addresses": None, "slugs": None, "marks": {},
}  # fmt: skip


class _NoChild(Exception):
    """A child does not do what it should; the text says how."""


def findings(folder: Path | None) -> Iterator[Finding]:
    """Start both, give each a small job, and ask the system what they are allowed.

    The decoder's picture is written to `folder`; without one it is not tried.
    """
    if folder is not None:
        yield _tried("decoder", "pictures", lambda: _decoder(folder), MEMORY)
    yield _tried("renderer", "templates", _renderer, MEMORY_BASE + MEMORY_PER_VARIANT)


def _tried(name: str, what: str, probe: Callable[[], int | None], wanted: int) -> Finding:
    began = seams.clock.monotonic()
    try:
        memory = probe()
    except (ImagebatchError, OSError, _NoChild) as error:
        text = f"{name}: the process of its own that reads {what} does not work here: {error}"
        hint = "free memory and processes (ulimit -a shows the limits), or reinstall imagebatch"
        return Finding(check=name, state="bad", text=text, hint=hint)
    return judge_limit(name, what, memory, wanted, seconds=seams.clock.monotonic() - began)


def judge_limit(name: str, what: str, memory: int | None, wanted: int, *, seconds: float) -> Finding:
    """What a child's memory limit in bytes means, None where the system does not tell it; pure."""
    done = f"{name}: reads {what} in a process of its own, started and done in {seconds:.1f} s"
    if memory is None:
        text = f"{done}; this system does not tell whether its limits hold"
        return Finding(check=name, state="look", text=text, hint="draw strangers' projects on Linux")
    if memory < 0 or memory > wanted:
        text = f"{done}; no limit of memory holds for it, so what a stranger sends could use up this machine's"
        return Finding(check=name, state="bad", text=text, hint="draw in a container with a memory limit")
    return Finding(check=name, state="ok", text=f"{done}, with at most {memory // _MIB} MiB")


def _decoder(folder: Path) -> int | None:
    path = folder / "probe.png"
    write_bytes(path, PICTURE)
    answer, memory = try_child({"do": "check", "path": str(path)}, seconds=CHECK_S)
    if answer.get("width") != SIDE:
        raise _NoChild(str(answer.get("text", "it read a small picture wrongly")))
    return memory


def _renderer() -> int | None:
    with Renderer() as renderer:
        renderer.limit(variants=1, renders=1)
        renderer.send(_JOB)
        texts: list[object] = []
        for answer in renderer.answers():
            if isinstance(answer, Died):
                raise _NoChild(answer.why)
            texts += [column[0] for column in answer.columns or ()]
            if answer.done:
                break
        if texts != ["42"]:
            raise _NoChild("it rendered a small template wrongly")
        return memory_limit(renderer.pid)
