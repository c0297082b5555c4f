"""The conformance kit and a type's abilities, asked of a child that a plug-in may end, block or make noise in."""

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self

from imagebatch.chaos.running import environment
from imagebatch.chaos.trial import Known, Trial
from imagebatch.effects import seams
from imagebatch.effects.processes import Child, ChildGone
from imagebatch.errors import ProviderError

LOOK_S: Final = 30.0
LONGEST_S: Final = 60.0
_COMMAND: Final = (sys.executable, "-m", "imagebatch.chaos.kit_child")
_LONGEST_ANSWER: Final = 1024 * 1024
Tell = Callable[[str], None]


class TimeUpError(Exception):
    """The time of a whole proof was up; the text says where."""


class _NoAnswer(Exception):
    """Nothing came back; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One promise of the kit: kept, or how it was broken."""

    promise: str
    fault: str | None = None


def ask_about(type_: str) -> Known:
    """What has to be known of a type before it can be tried.

    Raises ProviderError for a type that nobody offers, and for a plug-in that cannot be loaded or gives no answer.
    """
    with _Asked() as asked:
        try:
            answer = asked.ask({"do": "look", "type": type_}, LOOK_S)
        except _NoAnswer as gone:
            answer = {"summary": "a plug-in cannot be loaded", "detail": f"The provider type {type_!r}: {gone}."}
    if "found" not in answer:
        raise ProviderError(
            answer["summary"],
            answer.get("detail", ""),
            hints=answer.get("hints", ("reinstall or remove the package that offers it",)),
            code=answer.get("code", "provider.plugin"),
        )
    found = answer["found"]
    return Known(speaks=found["speaks"], can_list=found["can_list"], sells=found["sells"])


def judge_promises(trial: Trial, base: str, *, until: float, tell: Tell) -> Iterator[Judged]:
    """Try every promise that concerns the type; a broken one stops none of the others.

    `until` is a time of the monotonic clock. Raises TimeUpError where it comes first.
    """
    job = {"type": trial.type, "face": trial.face, "params": dict(trial.params), "base": base}
    with _Asked() as asked:
        listed = _asked_in_time(asked, {**job, "do": "promises"}, until)
        if "found" not in listed:
            yield Judged(promise="An adapter is made from its settings", fault=_told(listed))
        for promise in listed.get("found", ()):
            tell(f"conformance: {promise}")
            answer = _asked_in_time(asked, {**job, "do": "judge", "promise": promise}, until)
            yield Judged(promise=promise, fault=answer["found"] if "found" in answer else _told(answer))


def _asked_in_time(asked: "_Asked", job: Mapping[str, Any], until: float) -> Mapping[str, Any]:
    left = until - seams.clock.monotonic()
    try:
        return asked.ask(job, min(left, LONGEST_S))
    except _NoAnswer as gone:
        if seams.clock.monotonic() >= until:
            raise TimeUpError(str(job.get("promise", "the conformance kit"))) from None
        return {"summary": str(gone)}


def _told(answer: Mapping[str, Any]) -> str:
    return ": ".join(part for part in (answer["summary"], answer.get("detail")) if part)


class _Asked:
    """The child; a new one is started for the next question where one ended or had to be killed."""

    def __init__(self) -> None:
        self._child: Child | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        self._end()

    def ask(self, job: Mapping[str, Any], seconds: float) -> Mapping[str, Any]:
        """One question. Raises _NoAnswer."""
        if self._child is None:
            self._child = seams.processes.child(_COMMAND, environment())
        self._child.say(json.dumps(job).encode() + b"\n")
        try:
            answer = json.loads(self._child.line(seconds, _LONGEST_ANSWER))
        except TimeoutError:
            self._end()
            raise _NoAnswer(f"it did not end within {max(seconds, 0):.0f} s") from None
        except (ChildGone, ValueError):
            self._end()
            raise _NoAnswer("the process ended in the middle of it, without a verdict") from None
        return answer if isinstance(answer, dict) else {"summary": "it gave no verdict"}

    def _end(self) -> None:
        if self._child is not None:
            child, self._child = self._child, None
            with suppress(OSError):
                child.kill()
            child.end(0.0)
