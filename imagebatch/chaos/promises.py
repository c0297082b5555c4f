"""The conformance kit, run over real HTTP against the server of a trial."""

import asyncio
import io
from dataclasses import dataclass
from typing import Final

from imagebatch.chaos.trial import KEY, Trial
from imagebatch.effects import seams
from imagebatch.errors import ImagebatchError
from imagebatch.http.client import ProviderWire
from imagebatch.http.limits import Gate
from imagebatch.http.trust import parse_base
from imagebatch.model.wire import Wire
from imagebatch.providers import registry
from imagebatch.providers.base import ReferenceImage
from imagebatch.providers.conformance import CHECKS, BrokenPromiseError, Check, Subject

_LONGEST_S: Final = 120.0
_FAILS: Final = "a red fox [fail]"  # the simulator takes it and does not draw it


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One promise of the kit: kept, or how it was broken."""

    promise: str
    fault: str | None = None


def judge_promises(trial: Trial, base: str) -> tuple[Judged, ...]:
    """Run every check that concerns the type; a broken promise stops none of the others."""
    return seams.clock.run(_all(trial, base))


async def _all(trial: Trial, base: str) -> tuple[Judged, ...]:
    async with _wire(trial, base, KEY) as good, _wire(trial, base, "bad-key") as bad:
        subject = _subject(trial, base, good, bad)
        return tuple([await _judged(check, subject) for check in CHECKS if check.applies(subject)])


async def _judged(check: Check, subject: Subject) -> Judged:
    fault: str | None = None
    try:
        async with asyncio.timeout(_LONGEST_S):
            await check.run(subject)
    except BrokenPromiseError as broken:
        fault = str(broken)
    except TimeoutError:
        fault = f"the check did not end within {_LONGEST_S:.0f} s"
    except ImagebatchError as error:
        fault = f"{error.summary}: {error.detail}"
    except Exception as error:  # noqa: BLE001  # a stranger's code may raise anything, and that is what is looked for
        fault = f"it raised {type(error).__name__}: {error}"
    return Judged(promise=check.promise, fault=fault)


def _wire(trial: Trial, base: str, key: str) -> ProviderWire:
    settings = trial.settings(base)
    return ProviderWire(
        settings=settings,
        capabilities=registry.build(settings).capabilities,
        base=parse_base(base),
        key=key,
        gate=Gate(),
        memory={},
        read_budget_s=5.0,
    )


def _subject(trial: Trial, base: str, good: Wire, bad: Wire) -> Subject:
    settings = trial.settings(base)
    encoded = registry.build(settings).encode(trial.params, 1)
    takes_references = not any(problem.severity == "error" for problem in encoded.problems)
    simulated = trial.face is not None  # only of the simulator it is known what it refuses
    return Subject(
        build=lambda: registry.build(settings),
        wire=good,
        params=trial.params,
        failing_prompt=_FAILS if simulated else None,
        reference=_reference() if takes_references else None,
        bad_key_wire=bad if simulated else None,
    )


def _reference() -> ReferenceImage:
    from PIL import Image

    held = io.BytesIO()
    Image.new("RGB", (64, 64), "teal").save(held, "PNG")
    return ReferenceImage(sha256="sha256:0", filename="mark.png", media_type="image/png", content=held.getvalue())
