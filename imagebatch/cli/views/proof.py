"""What a proof of a provider found: a table by weather, every broken promise, the verdict."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from imagebatch.cli.screen import Paint
from imagebatch.cli.views.foreign import shown, without_absent
from imagebatch.cli.views.wording import counted

if TYPE_CHECKING:
    from imagebatch.chaos.suite import Proof, Weather

_MOST_FAULTS = 10


def proof_lines(proof: "Proof", paint: Paint) -> Iterator[str]:
    """The proof for people."""
    trial, broken = proof.trial, [one for one in proof.promises if one.fault]
    yield f"Conformance: {len(proof.promises) - len(broken)} of {counted(len(proof.promises), 'promise')} kept"
    for one in broken:
        yield f"  {paint('broken', 'red')} {shown(one.promise)}: {shown(one.fault or '', 2000)}"
    yield ""
    yield f"{'weather':<14}{'runs':>6}{'kills':>7}{'applies':>9}{'paid':>6}{'doubts':>8}{'wrong':>7}"
    for one_weather in proof.weathers:
        yield _row(one_weather)
    for one_weather in proof.weathers:
        yield from _faults(one_weather, paint)
    if proof.undrawn is not None:
        yield ""
        yield f"An undisturbed run drew nothing: {shown(proof.undrawn, 2000)}"
    yield ""
    yield _verdict(proof, paint)
    yield paint(f"The same again: --seed {trial.seed} --runs {trial.runs}", "dim")


def _row(weather: "Weather") -> str:
    runs = weather.runs
    most = max((run.applies for run in runs), default=0)
    kills, paid, doubts = (sum(getattr(run, name) for run in runs) for name in ("kills", "paid", "doubts"))
    return f"{weather.profile:<14}{len(runs):>6}{kills:>7}{most:>9}{paid:>6}{doubts:>8}{len(weather.faults):>7}"


def _faults(weather: "Weather", paint: Paint) -> Iterator[str]:
    faults = weather.faults
    if faults:
        yield ""
        yield paint(weather.profile, "bold")
    for fault in faults[:_MOST_FAULTS]:
        yield f"  {paint('broken', 'red')} {fault.promise}: {shown(fault.text, 2000)}"
    if len(faults) > _MOST_FAULTS:
        yield f"  … and {len(faults) - _MOST_FAULTS} more (--json shows them)"


def _verdict(proof: "Proof", paint: Paint) -> str:
    name = shown(proof.trial.type)
    if proof.verdict == "kept":
        return f"{paint('kept', 'green')}: {name} pays once and loses nothing, whatever was done to it here."
    if proof.verdict == "broken":
        return f"{paint('broken', 'red')}: {name} does not keep what imagebatch promises."
    if proof.verdict == "unproved":
        return f"{paint('unproved', 'yellow')}: {_unproved(proof)}"
    up = f"the time was up (--seconds {proof.trial.seconds:g}) while this was tried: {shown(proof.late or '')}"
    return f"{paint('unfinished', 'yellow')}: nothing wrong so far, and {up}"


def _unproved(proof: "Proof") -> str:
    if proof.undrawn is None:
        return f"no run was killed, so nothing was proved: --runs {2 * proof.trial.runs}"
    return "not even an undisturbed run draws, so nothing was proved. Name a request that the server draws (--param)"


def proof_object(proof: "Proof") -> dict[str, object]:
    """The proof for programs."""
    trial = proof.trial
    return {
        "format": "imagebatch-chaos",
        "format_version": "1.0",
        "provider": trial.type,
        "seed": trial.seed,
        "promises": [without_absent({"promise": one.promise, "fault": one.fault}) for one in proof.promises],
        "weathers": [_object(one) for one in proof.weathers],
        **without_absent({"late": proof.late, "undrawn": proof.undrawn}),
        "verdict": proof.verdict,
    }


def _object(weather: "Weather") -> dict[str, object]:
    runs = [
        {
            "seed": run.seed,
            "kills": run.kills,
            "applies": run.applies,
            "paid": run.paid,
            "doubts": run.doubts,
            "faults": [{"promise": fault.promise, "text": fault.text} for fault in run.faults],
        }
        for run in weather.runs
    ]
    return {"profile": weather.profile, "runs": runs}
