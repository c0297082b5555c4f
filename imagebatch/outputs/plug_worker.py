"""The child that strangers' checks and rules run in: `-m imagebatch.outputs.plug_worker`, a JSON line in, one out.

It is never one of those that decode pictures: what a plug-in does to its process (memory, threads, the locale) can harm
nothing but other checks, and the parent kills one that hangs.
"""

from collections.abc import Iterable, Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from imagebatch.outputs.choices import Choice, Picker
from imagebatch.outputs.plugged import LONGEST_SENTENCE, MOST_SENTENCES, Picture, PictureCheck
from imagebatch.outputs.worker import Answer, Jobs, main

MEMORY: Final = 8 * 1024 * 1024 * 1024
CPU_S: Final = 60


def judge(job: Mapping[str, Any]) -> Answer:
    """`{do: judge, value, path, …}` gives `unmet`, what the plug-in says, or `fault`, what it did wrong."""
    fields = {name: job[name] for name in ("width", "height", "media_type", "address", "prompt", "params")}
    picture = Picture(path=Path(job["path"]), **fields)
    try:
        plugin = _made(job["value"])
    except BaseException as error:  # noqa: BLE001  # a stranger's code may raise anything, an exit too
        return _raised(error)
    return judged(plugin, picture)


def pick(job: Mapping[str, Any]) -> Answer:
    """`{do: pick, value, …}` gives `number`, what the plug-in chooses, or `fault`, what it did wrong."""
    choice = Choice.read(job)
    try:
        plugin = _made(job["value"])
        if not isinstance(plugin, Picker):
            return {"fault": "it has no method `pick`"}
        number: Any = plugin.pick(choice)
        if type(number) is int and number in {one.number for one in choice.proposals}:
            return {"number": number}
        return {"fault": f"it chose {_cut(repr(number), 40)}, which was not offered"}
    except BaseException as error:  # noqa: BLE001  # a stranger's code may raise anything, an exit too
        return _raised(error)


def judged(plugin: object, picture: Picture) -> Answer:
    """What a plug-in says of a picture, as `judge` gives it; never raises."""
    if not isinstance(plugin, PictureCheck):
        return {"fault": "it has no method `check`"}
    try:
        given: Any = plugin.check(picture)
        if isinstance(given, str | bytes) or not isinstance(given, Iterable):
            return {"fault": f"it gave {_cut(repr(given), 80)}, which is no list of sentences"}
        told: list[str] = []
        for sentence in given:
            if not isinstance(sentence, str) or not sentence.strip():
                return {"fault": f"it gave {_cut(repr(sentence), 80)}, which is no sentence"}
            if len(told) == MOST_SENTENCES:
                break
            told.append(_cut(sentence))
    except BaseException as error:  # noqa: BLE001  # as above
        return _raised(error)
    return {"unmet": told}


def _raised(error: BaseException) -> Answer:
    return {"fault": _cut(f"it raised {type(error).__name__}: {_said(error)}")}


@cache
def _made(value: str) -> object:
    module, _, name = value.partition(":")
    found: Any = import_module(module.strip())
    for part in name.split("[")[0].strip().split("."):
        found = getattr(found, part)
    return found()


def _said(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001  # even that is a stranger's code
        return "…"


def _cut(text: str, most: int = LONGEST_SENTENCE) -> str:
    """A text on one line that any lock and any terminal can hold."""
    line = " ".join(text.split()).encode("utf-8", "backslashreplace").decode()
    return line if len(line) <= most else line[: most - 1] + "…"


JOBS: Jobs = {"judge": (judge, CPU_S), "pick": (pick, CPU_S)}

if __name__ == "__main__":
    main(JOBS, MEMORY)
