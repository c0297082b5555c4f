"""The checks of a picture that was just made or picked: measured in the decoder's child, judged by the model. Free."""

from dataclasses import dataclass

from imagebatch.model.checks import OF_PIXELS, Check, Checked, Measured, judged
from imagebatch.model.generation import Entry, PictureFacts
from imagebatch.model.variant import Variant
from imagebatch.outputs.store import Store
from imagebatch.outputs.workers import CHECK_S, WorkerGone, Workers
from imagebatch.plan.picking import source_of
from imagebatch.providers.wanted import request_prompt
from imagebatch.run.judging import Judging
from imagebatch.run.trouble import Trouble


@dataclass(frozen=True, slots=True, kw_only=True)
class Checking:
    """Makes the checks of one address after another; bound together once for a run."""

    store: Store
    workers: Workers
    judging: Judging

    def lacking(self, variant: Variant, entry: Entry) -> tuple[int, ...]:
        """The picks (from 1) that have to be looked at for the checks, and are not in the store."""
        if not any(_looks(check) for check in variant.policy.checks):
            return ()
        sources = ((index, source_of(entry.candidates[index - 1])) for index in entry.picked)
        return tuple(index for index, facts in sources if facts is None or not self.store.bring(facts.sha256))

    async def checked(self, variant: Variant, entry: Entry, before: Entry | None) -> Checked | None:
        """What the checks of a picture come to; None where none are asked for, or it is not here to be looked at.

        What was found of the same pictures and files by the same checks stands, unmeasured.
        """
        policy = variant.policy
        if not policy.checks or not entry.picked:
            return None
        if before is not None and _stands(policy.checks_of, before, entry):
            return before.checked
        sources = _sources(entry)
        facts = [one for one in sources if one is not None]
        if len(facts) < len(sources) or self.lacking(variant, entry):
            return None
        look = any(check.name in OF_PIXELS for check in policy.checks)
        plugged = [check for check in policy.checks if check.plugin is not None]
        prompt = request_prompt(entry.request) if plugged else ""
        told = [
            one
            for check in plugged
            for picture in facts
            for one in await self.judging.unmet(check, picture, address=variant.address, prompt=prompt)
        ]
        pictures = [await self._measured(one) if look else _by_facts(one) for one in facts]
        files = [(output.path, output.bytes) for output in entry.outputs]
        apart = any(check.name == "distinct" for check in policy.checks)
        return Checked(
            checks=policy.checks_of,
            unmet=(*judged(policy.checks, pictures, files), *dict.fromkeys(told)),
            looks=tuple(picture.look for picture in pictures) if apart else (),
        )

    async def _measured(self, facts: PictureFacts) -> Measured:
        job = {"do": "measure", "path": str(self.store.path_of(facts.sha256))}
        try:
            found = await self.workers.run(job, seconds=CHECK_S)
        except WorkerGone as error:
            raise Trouble("picture.unmeasured", f"its checks cannot be made: {error}") from None
        if "bad" in found:
            raise Trouble("picture.unmeasured", f"its checks cannot be made: {found['text']}")
        plain = _by_facts(facts)
        return Measured(
            width=plain.width,
            height=plain.height,
            format=plain.format,
            alpha=found["alpha"],
            blank=found["blank"],
            sharpness=found["sharpness"],
            look=found["look"],
        )


def _looks(check: Check) -> bool:
    """Whether somebody has to look at the picture itself."""
    return check.name in OF_PIXELS or check.plugin is not None


def _stands(checks: str, before: Entry, entry: Entry) -> bool:
    """Whether what was found before was found by these checks, of the same pictures and files."""
    same = before.checked is not None and before.checked.checks == checks
    return same and (_sources(before), before.outputs) == (_sources(entry), entry.outputs)


def _sources(entry: Entry) -> tuple[PictureFacts | None, ...]:
    return tuple(source_of(entry.candidates[index - 1]) for index in entry.picked)


def _by_facts(facts: PictureFacts) -> Measured:
    return Measured(width=facts.width, height=facts.height, format=facts.media_type.removeprefix("image/"))
