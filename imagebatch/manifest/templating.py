"""The parent's side of rendering: starts the child early, feeds it, and survives whatever it does."""

import json
import marshal
import os
import queue
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from subprocess import TimeoutExpired
from typing import Any, Final, Literal, Self

from imagebatch.effects import seams
from imagebatch.effects.threads import Begun

CHILD = (sys.executable, "-I", "-X", "utf8", str(Path(__file__).with_name("render_child.py")))

MEMORY_BASE: Final = 512 * 1024 * 1024
MEMORY_PER_VARIANT: Final = 2 * 1024
CPU_BASE_S: Final = 3
CPU_PER_RENDER_S: Final = 0.0001
ANSWER_BASE: Final = 64 * 1024 * 1024
ANSWER_PER_VARIANT: Final = 4 * 1024
MAX_LINE: Final = 32 * 1024 * 1024

SlotKind = Literal["text", "texts", "native", "file", "path"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderError:
    """One failure in the child: variant (index in the job, None for all), slot, code, sentence, template and line."""

    index: int | None
    slot: int
    code: str
    text: str
    template: str | None
    line: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A piece of what the child says of one job."""

    job: int
    columns: Sequence[Sequence[Any]] | None = None
    count: int = 0
    rows: Sequence[int] | None = None
    keys: Sequence[str] | None = None
    errors: tuple[RenderError, ...] = ()
    done: bool = False
    used: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Died:
    """The child ended before its work: the job it was at, and why, as a clause."""

    job: int | None
    why: str


@dataclass(slots=True, kw_only=True)
class _Budget:
    wall_s: float = 60.0
    answer_bytes: int = ANSWER_BASE


def needs_rendering(text: str) -> bool:
    """Whether a string is a template at all; most are not, and are never sent to the child."""
    return "{" in text and ("{{" in text or "{%" in text or "{#" in text)


class Renderer:
    """One rendering child; starts at construction, so that its start-up overlaps with reading the manifests.

    Messages go out through a thread, answers come back in the order of the jobs, so neither side can block the other.
    """

    def __init__(self, *, hash_seed: str = "0") -> None:
        self._process = seams.processes.pipe_child(
            CHILD,
            _environment(hash_seed),
            Path(sys.executable).anchor or None,
        )
        self._outbox: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._writer: Begun | None = None
        self._watch: Begun | None = None
        self._budget = _Budget()
        self._timed_out = False
        self._at: int | None = None

    @property
    def pid(self) -> int:
        """The child's process id."""
        return self._process.pid

    def limit(self, *, variants: int, renders: int, templates: int = 0) -> None:
        """Tell the child its limits; has to come before the first job.

        Args:
            variants: at most so many variants will be asked for.
            renders: at most so many strings will be rendered.
            templates: so many have to be compiled, which takes the time of ten renders each.
        """
        cpu = CPU_BASE_S + int(CPU_PER_RENDER_S * (renders + 10 * templates))
        self._budget = _Budget(wall_s=4.0 * cpu + 20.0, answer_bytes=ANSWER_BASE + ANSWER_PER_VARIANT * variants)
        self.send({"op": "limits", "memory": MEMORY_BASE + MEMORY_PER_VARIANT * variants, "cpu": cpu})

    def send(self, message: dict[str, Any]) -> None:
        """Queue a message: `limits`, `templates`, `table`, `scan` or `render`."""
        if self._writer is None:
            self._writer = seams.threads.begin(self._write, name="imagebatch-render")
            self._watch = seams.threads.begin(self._time_out, name="imagebatch-limit", after_s=self._budget.wall_s)
        data = marshal.dumps(message)
        self._outbox.put(len(data).to_bytes(8, "big"))
        self._outbox.put(data)

    def answers(self) -> Iterator[Answer | Died]:
        """What the child says; the caller stops when the last job is done. After `Died` nothing more comes."""
        stream = self._process.stdout
        assert stream is not None  # noqa: S101 - asked for in the constructor
        received = 0
        while True:
            line = stream.readline(MAX_LINE)
            received += len(line)
            if not line.endswith(b"\n"):
                yield Died(job=self._at, why="it gave more text than is allowed" if line else self._why())
                return
            if received > self._budget.answer_bytes:
                yield Died(job=self._at, why=f"all texts together are over {self._budget.answer_bytes >> 20} MiB")
                return
            try:
                said = json.loads(line)
                if "start" in said:
                    self._at = int(said["start"])
                    continue
                answer = _answer(said)
            except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
                yield Died(job=self._at, why="it answered nonsense")
                return
            yield answer

    def close(self) -> None:
        """End the child, whatever it is doing."""
        if self._watch is not None:
            self._watch.cancel()
        self._process.kill()
        self._outbox.put(None)
        if self._writer is not None:
            self._writer.wait(5)
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                try:
                    stream.close()
                except OSError:  # what was still to be flushed has no reader any more
                    continue
        self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _write(self) -> None:
        handle = self._process.stdin
        assert handle is not None  # noqa: S101 - asked for in the constructor
        while (data := self._outbox.get()) is not None:
            try:
                handle.write(data)
                if self._outbox.empty():
                    handle.flush()
            except (OSError, ValueError):  # the child is gone; the reader says so
                return

    def _time_out(self) -> None:
        self._timed_out = True
        self._process.kill()

    def _why(self) -> str:
        try:
            code = self._process.wait(timeout=5)
        except TimeoutExpired:
            return "it stopped answering"
        if self._timed_out:
            return "it took too long"
        if code < 0:
            import signal

            name = signal.Signals(-code).name if -code in {s.value for s in signal.Signals} else str(-code)
            if name in {"SIGXCPU", "SIGKILL"}:
                return "the CPU or memory limit was reached"
            return f"it was ended by {name}"
        return "the memory limit was reached" if self._at is not None else "it did not start"


def _answer(said: dict[str, Any]) -> Answer:
    if "done" in said:
        return Answer(job=int(said["done"]), done=True, used=tuple(str(name) for name in said["used"]))
    job = int(said["job"])
    if "errors" in said:
        return Answer(job=job, errors=tuple(_error(error) for error in said["errors"]))
    if "cols" in said:
        return Answer(job=job, columns=said["cols"], count=int(said["n"]))
    return Answer(job=job, rows=said["rows"], keys=said["keys"])


def _error(said: dict[str, Any]) -> RenderError:
    return RenderError(
        index=said["v"],
        slot=int(said["slot"]),
        code=str(said["code"]),
        text=str(said["text"]),
        template=said["template"],
        line=said["line"],
    )


def _environment(hash_seed: str) -> dict[str, str]:
    """Nothing but the hash seed, and what the interpreter itself may need to start (library path, Windows' root)."""
    kept = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SYSTEMROOT")
    return {"PYTHONHASHSEED": hash_seed} | {name: os.environ[name] for name in kept if name in os.environ}
