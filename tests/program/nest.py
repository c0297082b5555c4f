"""Forks children of the program, and simulators, from a process that has done their imports, in a few milliseconds.

A nest is of one kind: the simulator, the child that renders templates, or the one that decodes pictures. A job is one
message on a Unix socket: the words of its command, and as descriptors its standard input, output and error, and a
pipe that tells its process id and, at its end, its exit code. What is forked is the same code as the program's own
command would run, under the same limits, which it sets itself.

A picture that one simulator drew is not drawn by another that has the same folder of drawings: its bytes depend on
nothing but what was asked.
"""

import gc
import hashlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Final, Literal, NoReturn

Kind = Literal["simulator", "render", "decode"]
_LONGEST = 65_536


class Forked:
    """A process that a nest forked, as `subprocess.Popen` has it."""

    def __init__(self, nest: int, words: Sequence[str], *, error: int, own_session: bool) -> None:
        given, gives = os.pipe()
        told, tells = os.pipe()
        self._end, ends = os.pipe()
        self.stdin: IO[bytes] = os.fdopen(gives, "wb", buffering=0)
        self.stdout: IO[bytes] = os.fdopen(told, "rb", buffering=0)
        self.returncode: int | None = None
        job = {"words": words, "folder": str(Path.cwd()), "group": None if own_session else os.getpgrp()}
        try:
            with socket.socket(fileno=os.dup(nest)) as jobs:
                socket.send_fds(jobs, [json.dumps(job).encode()], [given, tells, error, ends])
        finally:
            for descriptor in (given, tells, ends):
                os.close(descriptor)
        self.pid = int(os.read(self._end, 16))

    def poll(self) -> int | None:
        """Its exit code, as `subprocess` has it; None while it runs."""
        with suppress(subprocess.TimeoutExpired):
            self.wait(0.0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end; its exit code. Raises TimeoutExpired."""
        if self.returncode is None:
            if not select.select([self._end], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired("a forked process", timeout or 0.0)
            self.returncode = int(os.read(self._end, 16) or b"-9")
            os.close(self._end)
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send it a signal where it still runs."""
        if self.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it."""
        self.send_signal(signal.SIGKILL)


def begin(kind: Kind, drawings: Path) -> tuple[socket.socket, int]:
    """Start a nest; gives the socket that takes its jobs, and its process id.

    It ends when nobody holds that socket any more, and is to be waited for then.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        theirs.set_inheritable(True)
        words = [sys.executable, "-P", "-X", "utf8", __file__, kind, str(theirs.fileno()), str(drawings)]
        # As the program has it for its own children: the order of sets is no secret, and always the same.
        environ = {**os.environ, "PYTHONHASHSEED": "0"}
        # No Popen: a fork of whoever begins a nest would be blamed for it, as for a child that it left running.
        nothing = [(os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)]
        return ours, os.posix_spawn(sys.executable, words, environ, file_actions=nothing)


def drawings_beside(scratch: Path) -> Path:
    """The folder of drawings of this run of pytest; its processes, if there are several, have folders of their own."""
    own = scratch.parent
    folder = (own.parent if own.name.startswith("popen-") else own) / "drawings"
    folder.mkdir(exist_ok=True)
    return folder


def _serve(jobs: socket.socket, run: Callable[[Sequence[str]], int | None]) -> None:
    """Fork for each job until nobody can send one any more."""
    gc.collect()
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # those who wait for the forked are waited for by nobody
    while True:
        job, descriptors, _, _ = socket.recv_fds(jobs, _LONGEST, 4)
        if not job:
            return
        if os.fork() == 0:
            jobs.close()
            _attend(json.loads(job), descriptors, run)
        for descriptor in descriptors:
            os.close(descriptor)


def _attend(job: Mapping[str, object], descriptors: list[int], run: Callable[[Sequence[str]], int | None]) -> NoReturn:
    """Fork what was asked for, tell its id, wait for its end and tell that."""
    *streams, tells = descriptors
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    pid = os.fork()
    if pid == 0:
        os.close(tells)
        _become(job, streams, run)
    for stream in streams:
        os.close(stream)
    with suppress(BrokenPipeError):  # who asked was killed
        os.write(tells, b"%16d" % pid)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        os.write(tells, b"%16d" % code)
    os._exit(0)


def _become(job: Mapping[str, object], streams: list[int], run: Callable[[Sequence[str]], int | None]) -> NoReturn:
    """Be the process: session or group, folder, streams and words as the job says."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    group, words = job["group"], job["words"]
    assert isinstance(words, list)
    code: int | None = 1
    try:
        if isinstance(group, int):
            with suppress(PermissionError, ProcessLookupError):  # who asked is gone already
                os.setpgid(0, group)
        else:
            os.setsid()
        os.chdir(str(job["folder"]))
        for target, source in enumerate(streams):
            os.dup2(source, target)
            os.close(source)
        code = run(words)
        sys.stdout.flush()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except Exception:  # noqa: BLE001 - told as Python itself would tell it
        traceback.print_exc()
    finally:
        os._exit(code or 0)


def _simulator(drawings: Path) -> Callable[[Sequence[str]], int]:
    from imagebatch.simulator.__main__ import main
    from imagebatch.simulator.drawing import picture

    inner = picture.draw

    def draw(wanted: picture.Picture, references: tuple[bytes, ...] = ()) -> bytes:
        path = drawings / hashlib.sha256(repr((wanted, references)).encode()).hexdigest()
        if not path.exists():
            part = drawings / f"{path.name}.{os.getpid()}-{threading.get_ident()}-{time.monotonic_ns()}"
            part.write_bytes(inner(wanted, references))
            part.replace(path)
        return path.read_bytes()

    vars(picture)["draw"] = draw
    # Its parent is the nest's; that its starter is gone it hears from its standard input.
    return lambda words: main([*words, "--parent-pid", "0"])


def _render(_: Path) -> Callable[[Sequence[str]], None]:
    from imagebatch.manifest import render_child

    return lambda _: render_child.main()


def _decode(_: Path) -> Callable[[Sequence[str]], None]:
    from PIL import Image

    from imagebatch.outputs import darkroom, measuring, picture, shrinking, worker

    Image.preinit()
    del darkroom, measuring, picture, shrinking
    return lambda _: worker.main()


_KINDS: Final[Mapping[str, Callable[[Path], Callable[[Sequence[str]], int | None]]]] = {
    "simulator": _simulator,
    "render": _render,
    "decode": _decode,
}

if __name__ == "__main__":
    _serve(socket.socket(fileno=int(sys.argv[2])), _KINDS[sys.argv[1]](Path(sys.argv[3])))
