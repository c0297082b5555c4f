"""The conformance kit, run over real HTTP against the server of a trial."""

import io
from typing import Final

from imagebatch.chaos.trial import KEY, Trial
from imagebatch.effects import seams
from imagebatch.http.client import ProviderWire
from imagebatch.http.limits import Gate
from imagebatch.http.trust import parse_base
from imagebatch.model.wire import Wire
from imagebatch.providers import registry
from imagebatch.providers.base import ReferenceImage
from imagebatch.providers.conformance import CHECKS, BrokenPromiseError, Subject

_FAILS: Final = "a red fox [fail]"  # the simulator takes it and does not draw it


def promises(trial: Trial, base: str) -> tuple[str, ...]:
    """The sentences of all checks that concern the type."""

    async def found() -> tuple[str, ...]:
        async with _wire(trial, base, KEY) as good, _wire(trial, base, "bad-key") as bad:
            subject = _subject(trial, base, good, bad)
            return tuple(check.promise for check in CHECKS if check.applies(subject))

    return seams.clock.run(found())


def judge_promise(trial: Trial, base: str, promise: str) -> str | None:
    """How one promise is broken; None where it is kept. What a plug-in raises on its own account goes on as it is."""

    async def run() -> None:
        async with _wire(trial, base, KEY) as good, _wire(trial, base, "bad-key") as bad:
            await next(check for check in CHECKS if check.promise == promise).run(_subject(trial, base, good, bad))

    try:
        seams.clock.run(run())
    except BrokenPromiseError as broken:
        return str(broken)
    return None


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
    simulated = trial.face is not None  # only of the simulator it is known what it refuses
    return Subject(
        build=lambda: registry.build(settings),
        wire=good,
        params=trial.params,
        failing_prompt=_FAILS if simulated else None,
        reference=_reference() if _takes_references(trial, base) else None,
        bad_key_wire=bad if simulated else None,
    )


def _takes_references(trial: Trial, base: str) -> bool:
    try:
        encoded = registry.build(trial.settings(base)).encode(trial.params, 1)
    except Exception:  # noqa: BLE001  # the check of encoding tells of it
        return False
    return not any(problem.severity == "error" for problem in encoded.problems)


def _reference() -> ReferenceImage:
    from PIL import Image

    held = io.BytesIO()
    Image.new("RGB", (64, 64), "teal").save(held, "PNG")
    return ReferenceImage(sha256="sha256:0", filename="mark.png", media_type="image/png", content=held.getvalue())
