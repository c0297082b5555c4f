"""Asks plug-ins what they say of a picture; whatever is wrong with one is a check that does not hold, and never more.

The picture is in the store by then, and its lock entry is written whatever comes of this.
"""

import json
import sys
from dataclasses import dataclass, field
from typing import Final

from imagebatch.errors import OutputError
from imagebatch.model.checks import Check, Unmet
from imagebatch.model.generation import PictureFacts
from imagebatch.outputs.plugged import CHECK_S, plugins
from imagebatch.outputs.store import Store
from imagebatch.outputs.workers import WorkerGone, Workers

COMMAND: Final = (sys.executable, "-s", "-m", "imagebatch.outputs.plug_worker")
MOST_LOST: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Judging:
    """The plug-ins of one run, asked in `workers` of their own; `seconds` bound one answer.

    `lost` counts the processes that each has cost.
    """

    store: Store
    workers: Workers
    seconds: float = CHECK_S
    lost: dict[str, int] = field(default_factory=dict)

    async def unmet(self, check: Check, facts: PictureFacts, *, address: str, prompt: str) -> tuple[Unmet, ...]:
        """What a plug-in's check says of one picture, which is in the store."""
        job = {
            "do": "judge",
            "path": str(self.store.path_of(facts.sha256)),
            "width": facts.width,
            "height": facts.height,
            "media_type": facts.media_type,
            "address": address,
            "prompt": prompt,
            "params": json.loads(check.wanted),
        }
        told = await self._told(check, job)
        return tuple(Unmet(name=check.name, wanted=check.wanted, found=text, level=check.level) for text in told)

    async def _told(self, check: Check, job: dict[str, object]) -> tuple[str, ...]:
        name = check.plugin or ""
        plugin = plugins().get(name)
        if plugin is None:
            return ("the plug-in could not judge it: no installed package offers it",)
        if self.lost.get(name, 0) >= MOST_LOST:
            return (f"the plug-in was not asked any more, because it hung or died {MOST_LOST} times in this run",)
        try:
            answer = await self.workers.run({**job, "value": plugin.value}, seconds=self.seconds)
        except WorkerGone as error:
            self.lost[name] = self.lost.get(name, 0) + 1
            why = str(error).replace("the decoder process", "its process").replace("the decoder", "it")
            return (f"the plug-in could not judge it: {why}",)
        except OutputError as error:
            return (f"the plug-in could not judge it: {error.detail}",)
        if "unmet" in answer:
            return tuple(answer["unmet"])
        return (f"the plug-in could not judge it: {answer.get('fault') or answer.get('text')}",)
