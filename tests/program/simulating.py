"""Runs the simulator in forks of one process that has done its imports: it starts in a few milliseconds.

A job is one message on a Unix socket: the simulator's arguments, and as descriptors its standard input, output and
error and a pipe for its process id. A picture that one simulator drew is not drawn by another of the same folder of
drawings: bytes depend on nothing but what was asked.
"""

import hashlib
import json
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from imagebatch.simulator.__main__ import main as simulate
from imagebatch.simulator.drawing import picture

_LONGEST = 65_536


def ask(jobs: socket.socket, arguments: Sequence[str], streams: tuple[int, int, int], folder: str) -> int:
    """Have a simulator forked with these arguments and streams, in `folder`; give its process id."""
    told, tells = os.pipe()
    try:
        socket.send_fds(jobs, [json.dumps({"arguments": arguments, "folder": folder}).encode()], [*streams, tells])
    finally:
        os.close(tells)
    with os.fdopen(told, "rb") as answer:
        return int(answer.read())


def serve(jobs: socket.socket, drawings: Path) -> None:
    """Fork a simulator for each job until nobody can send one any more."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for them
    picture.draw = _remembered(drawings)
    parent = os.getpid()
    while True:
        job, descriptors, _, _ = socket.recv_fds(jobs, _LONGEST, 4)
        if not job:
            return
        pid = os.fork()
        if pid == 0:
            jobs.close()
            _become(json.loads(job), descriptors, parent)
        with suppress(BrokenPipeError):  # who asked was killed
            os.write(descriptors[3], str(pid).encode())
        for descriptor in descriptors:
            os.close(descriptor)


def _become(job: dict[str, object], descriptors: list[int], parent: int) -> None:
    """Be the simulator: session, folder, streams and arguments as the job says."""
    os.setsid()
    os.chdir(str(job["folder"]))
    for target, source in enumerate(descriptors[:3]):
        os.dup2(source, target)
    for descriptor in descriptors:
        os.close(descriptor)
    arguments = job["arguments"]
    assert isinstance(arguments, list)
    code = 1
    try:
        code = simulate([*map(str, arguments), "--parent-pid", str(parent)])
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _remembered(drawings: Path) -> Callable[..., bytes]:
    """The drawing of pictures, each of them once for all that share the folder."""
    inner = picture.draw

    def draw(wanted: picture.Picture, references: tuple[bytes, ...] = ()) -> bytes:
        path = drawings / hashlib.sha256(repr((wanted, references)).encode()).hexdigest()
        if not path.exists():
            part = drawings / f"{path.name}.{os.getpid()}-{threading.get_ident()}"
            part.write_bytes(inner(wanted, references))
            part.replace(path)
        return path.read_bytes()

    return draw


def drawings_beside(scratch: Path) -> Path:
    """The folder of drawings of this run of pytest; its processes, if there are several, have folders of their own."""
    own = scratch.parent
    folder = (own.parent if own.name.startswith("popen-") else own) / "drawings"
    folder.mkdir(exist_ok=True)
    return folder


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])), Path(sys.argv[2]))
