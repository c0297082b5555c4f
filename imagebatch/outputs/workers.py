"""A few long-lived children that decode and develop; started when first needed, replaced when they hang or die."""

import asyncio
import json
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from imagebatch.errors import OutputError

CHECK_S = 20.0
DEVELOP_S = 120.0
START_S = 30.0
LONGEST_ANSWER = 64 * 1024


class WorkerGone(Exception):
    """The child died or had to be killed over one job; the text says which. Other jobs go on in a new child."""


class Workers:
    """A pool of children; use it inside `async with`, or call `aclose` at the end.

    `count` is how many work at once (None: one for each core, at most four). `command` replaces the child in tests.
    """

    def __init__(self, count: int | None = None, *, command: Sequence[str] | None = None) -> None:
        self._count = count or max(1, min(4, os.cpu_count() or 2))
        self._command = tuple(command or (sys.executable, "-s", "-m", "imagebatch.outputs.worker"))
        self._idle: list[asyncio.subprocess.Process] = []
        self._room = asyncio.Semaphore(self._count)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """End all idle children; they stop by themselves once their input is closed."""
        children, self._idle = self._idle, []
        for child in children:
            if child.stdin is not None:
                child.stdin.close()
        for child in children:
            try:
                await asyncio.wait_for(child.wait(), 2.0)
            except TimeoutError:
                await _end(child)

    async def run(self, job: Mapping[str, Any], *, seconds: float) -> Mapping[str, Any]:
        """Have one job done; `seconds` of wall time bound it. A child that dies over it gets one successor.

        Raises WorkerGone where two children died or one took too long, OutputError where none can be started.
        """
        async with self._room:
            try:
                return await self._once(job, seconds)
            except _Died:
                # Perhaps the machine was short of memory for a moment; a picture that kills decoders does it again.
                try:
                    return await self._once(job, seconds)
                except _Died:
                    raise WorkerGone("the decoder process died") from None

    async def _once(self, job: Mapping[str, Any], seconds: float) -> Mapping[str, Any]:
        child = self._idle.pop() if self._idle else await self._start()
        try:
            answer = await asyncio.wait_for(_asked(child, job), seconds)
        except TimeoutError:
            await _end(child)
            raise WorkerGone(f"the decoder was stopped after {seconds:.0f} s") from None
        except BaseException:
            await _end(child)
            raise
        self._idle.append(child)
        return answer

    async def _start(self) -> asyncio.subprocess.Process:
        """A child that has said it is ready: whatever fails before that is no picture's fault."""
        try:
            child = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                env=_environment(),
                limit=LONGEST_ANSWER,
                # A terminal's Ctrl-C goes to a whole group: what was paid for is still to be decoded.
                start_new_session=True,
            )
        except OSError as error:
            raise _not_started(str(error)) from None
        try:
            await asyncio.wait_for(_line(child), START_S)
        except (_Died, TimeoutError):
            await _end(child)
            raise _not_started("it ended before it was ready") from None
        except BaseException:
            await _end(child)
            raise
        return child


class _Died(Exception):
    """The child is gone, or says things that are no answer."""


async def _asked(child: asyncio.subprocess.Process, job: Mapping[str, Any]) -> Mapping[str, Any]:
    if child.stdin is None:
        raise _Died
    with suppress(OSError):  # a child that has died tells so at the next line
        child.stdin.write(json.dumps(job).encode() + b"\n")
        await child.stdin.drain()
    return await _line(child)


async def _line(child: asyncio.subprocess.Process) -> Mapping[str, Any]:
    if child.stdout is None:
        raise _Died
    try:
        answer = json.loads(await child.stdout.readline())
    except (OSError, ValueError):
        raise _Died from None
    if not isinstance(answer, dict) or not answer:
        raise _Died
    return answer


def _not_started(why: str) -> OutputError:
    return OutputError(
        "the picture decoder cannot be started",
        f"The child process that decodes pictures did not start: {why}. What was fetched can be fetched again, free.",
        hints=("free memory or processes, then: imagebatch apply",),
        code="image.no_decoder",
    )


async def _end(child: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError):
        child.kill()
    await child.wait()


def _environment() -> dict[str, str]:
    """No key reaches a decoder: only what Python needs to find our modules."""
    kept = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT", "LD_LIBRARY_PATH") if name in os.environ}
    return kept | {"PYTHONPATH": os.pathsep.join(entry or os.getcwd() for entry in sys.path)}  # noqa: PTH109  # '' in sys.path is the folder as text
