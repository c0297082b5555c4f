"""A few long-lived children that decode and develop; started when first needed, replaced when they hang or die.

Each is spoken to from a thread of its own over plain pipes. An event loop's streams would take several turns of the
loop for each picture, and what follows a check (keeping the file) blocks on the disk anyway.
"""

import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar

from imagebatch.effects import processes as effects
from imagebatch.effects import seams
from imagebatch.errors import OutputError

CHECK_S = 20.0
DEVELOP_S = 120.0
START_S = 30.0
END_S = 2.0
LONGEST_ANSWER = 64 * 1024
DECODER = (sys.executable, "-s", "-m", "imagebatch.outputs.worker")
_ENDED = "the run has ended"

Answer = Mapping[str, Any]
T = TypeVar("T")


class WorkerGone(Exception):
    """The child died or had to be killed over one job; the text says which. Other jobs go on in a new child."""


class Workers:
    """A pool of children; use it inside `async with`, or call `aclose` at the end.

    `count` is how many work at once (None: one for each core). `command` replaces the child in tests.
    """

    def __init__(self, count: int | None = None, *, command: Sequence[str] | None = None) -> None:
        self._command = tuple(command or DECODER)
        self._idle: list[Child] = []
        self._busy: set[Child] = set()
        self._closed = False
        # One thread for each child: whoever has a thread finds a child idle, or may start one.
        self._threads = seams.threads.pool(count or max(1, seams.processes.cores()), name="imagebatch-decoder")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """End all children: idle ones stop once their input is closed, one that still works is killed."""
        self._closed = True  # before the busy ones are looked at: who comes later sees it, and kills its own
        for child in list(self._busy):
            child.process.kill()
        await seams.threads.aside(self._end_all)

    async def run(self, job: Mapping[str, Any], *, seconds: float) -> Answer:
        """Have one job done; `seconds` of wall time bound it. A child that dies over it gets one successor.

        Raises WorkerGone where two children died or one took too long, OutputError where none can be started.
        """
        return await self.run_then(job, lambda answer: answer, seconds=seconds)

    async def run_then(
        self,
        job: Mapping[str, Any],
        then: Callable[[Answer], T],
        *,
        seconds: float,
        first: Callable[[], None] = lambda: None,
    ) -> T:
        """As `run`, with `first` before it, and give what `then` makes of the answer.

        Both are called in the same thread and may block.
        """

        def whole() -> T:
            first()
            return then(self._answered(job, seconds))

        try:
            done = self._threads.submit(whole)
        except RuntimeError as error:  # the pool is closed, or the system has no thread for it
            raise _not_started(str(error)) from None
        return await done

    # In a thread ----------------------------------------------------------------------------------------------------

    def _answered(self, job: Mapping[str, Any], seconds: float) -> Answer:
        try:
            return self._once(job, seconds)
        except ChildDied:
            # Perhaps the machine was short of memory for a moment; a picture that kills decoders does it again.
            try:
                return self._once(job, seconds)
            except ChildDied:
                raise WorkerGone("the decoder process died") from None

    def _once(self, job: Mapping[str, Any], seconds: float) -> Answer:
        child = self._idle_one() or self._start()
        try:
            answer = self._heard(child, lambda: child.ask(job, seconds))
        except TimeoutError:
            raise WorkerGone(f"the decoder was stopped after {seconds:.0f} s") from None
        self._idle.append(child)
        return answer

    def _idle_one(self) -> "Child | None":
        """A child that waits for work; those that died meanwhile (short of memory) are no picture's fault."""
        while not self._closed:
            try:
                child = self._idle.pop()
            except IndexError:  # asking first whether there is one would leave room for another thread to take it
                return None
            if child.process.alive:
                return child
            child.process.end(0)
        return None

    def _start(self) -> "Child":
        """A child that has said it is ready: whatever fails before that is no picture's fault."""
        if self._closed:
            raise _not_started(_ENDED)
        try:
            child = Child(self._command)
        except OSError as error:
            raise _not_started(str(error)) from None
        try:
            self._heard(child, lambda: child.answer(START_S))
        except (ChildDied, TimeoutError):
            raise _not_started("it ended before it was ready") from None
        return child

    def _heard(self, child: "Child", words: Callable[[], Answer]) -> Answer:
        """What a child says while it counts as one that works; if it says nothing of use it is ended.

        A child that was killed because the run ended is nobody's fault: a picture must not be called bad for it.
        """
        self._busy.add(child)
        try:
            if self._closed:
                child.process.kill()
            return words()
        except BaseException:
            child.process.end(0)
            if self._closed:
                raise _not_started(_ENDED) from None
            raise
        finally:
            self._busy.discard(child)

    def _end_all(self) -> None:
        self._threads.end()
        children, self._idle = self._idle, []
        for child in children:
            child.process.close()
        until = seams.clock.monotonic() + END_S
        for child in children:  # they end side by side, so one patience is enough for all
            child.process.end(max(0.0, until - seams.clock.monotonic()))


def try_child(job: Mapping[str, Any], *, seconds: float) -> tuple[Answer, int | None]:
    """Have one job done by a child that is ended afterwards.

    Gives its answer, and how many bytes of memory it may use: -1 for no limit, None where its system has none. Raises
    OutputError where it does not start or does not answer within `seconds`.
    """
    try:
        child = Child(DECODER)
    except OSError as error:
        raise _not_started(str(error)) from None
    try:
        memory = child.answer(START_S).get("memory")
        return child.ask(job, seconds), memory
    except ChildDied:
        raise _not_started("it died over a small picture") from None
    except TimeoutError:
        raise _not_started("it did not answer") from None
    finally:
        child.process.end(END_S)


class ChildDied(Exception):
    """The child is gone, or says things that are no answer."""


class Child:
    """One decoder process: a line of JSON in, a line of JSON out. Raises OSError where it cannot be started.

    A job carries a number, which its answer has to repeat: a line too many would answer the next picture's job.
    """

    def __init__(self, command: Sequence[str]) -> None:
        self._jobs = 0
        self.process: effects.Child = seams.processes.child(command, _environment())

    def ask(self, job: Mapping[str, Any], seconds: float) -> Answer:
        """Have one job done. Raises TimeoutError, or ChildDied where the child ends or talks nonsense."""
        self._jobs += 1
        self.process.say(json.dumps({**job, "job": self._jobs}).encode() + b"\n")
        answer = self.answer(seconds)
        if answer.pop("job", None) != self._jobs:
            raise ChildDied
        return answer

    def answer(self, seconds: float) -> dict[str, Any]:
        """The next line that the child says."""
        try:
            answer = json.loads(self.process.line(seconds, LONGEST_ANSWER))
        except (ValueError, effects.ChildGone):
            raise ChildDied from None
        if not isinstance(answer, dict) or not answer:
            raise ChildDied
        return answer


def _not_started(why: str) -> OutputError:
    return OutputError(
        "the picture decoder cannot be started",
        f"The child process that decodes pictures did not start: {why}. What was fetched can be fetched again, free.",
        hints=("free memory or processes, then: imagebatch apply",),
        code="image.no_decoder",
    )


def _environment() -> dict[str, str]:
    """No key reaches a decoder: only what Python needs to find our modules."""
    kept = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT", "LD_LIBRARY_PATH") if name in os.environ}
    return kept | {"PYTHONPATH": os.pathsep.join(entry or seams.disk.realpath(".") for entry in sys.path)}
