"""Runs the real program in processes that can be killed at any effect: a fork server, started once for many runs.

The program is what its users run, `imagebatch.cli.main.run`, in a process of its own with its own folder, arguments and
environment. Only the imports are shared: the server has done them before it forks, which spares most of a run's time.
So are those of its children and of its simulator, which come from servers of their own.

Jobs come as lines of JSON on standard input; for each `pid N` is answered at once and `code N` at its end (negative for
a signal, as `subprocess` has it). A job may ask for a trace of its effects or for a signal just before the k-th effect
of a name. Nothing in the package knows of this: the effects are those of its seams, watched from here, and what goes
over sockets.
"""

import atexit
import gc
import json
import os
import signal
import socket
import sys
import threading
import warnings
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

from imagebatch.cli.main import COMMANDS, run
from imagebatch.manifest.schema import Manifest, Project
from tests.program.nests import Nests
from tests.seams.watching import watch

# What commands import when they need it, beside their own modules.
_NEEDED_LATER = (
    "certifi", "filelock", "resource",
    "imagebatch.cli.github", "imagebatch.cli.progress", "imagebatch.cli.views.events_json",
    "imagebatch.cli.views.plan_json", "imagebatch.cli.views.plan_text", "imagebatch.cli.views.problems",
    "imagebatch.manifest.assembly", "imagebatch.manifest.project", "imagebatch.manifest.resolve",
    "imagebatch.pipeline.applying", "imagebatch.pipeline.deciding", "imagebatch.pipeline.doctor",
    "imagebatch.providers.aigne_hub", "imagebatch.providers.all_images", "imagebatch.providers.openai",
)  # fmt: skip


class Effects:
    """Counts effects by name; writes them down, or sends this very process a signal at one of them."""

    def __init__(self, *, trace: str | None, kill: tuple[str, int] | None, by: int) -> None:
        self._out = Path(trace).open("w", encoding="utf-8") if trace is not None else None  # noqa: SIM115  # for the whole run
        self._kill = kill
        self._by = by
        self._counts: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._requests: dict[int, str] = {}

    def install(self) -> None:
        """Wrap what touches the world."""
        watch(self.happens)
        socket.socket.send = self._sending(socket.socket.send)  # type: ignore[method-assign]  # the point of it
        socket.socket.recv = self._receiving(socket.socket.recv)  # type: ignore[method-assign]  # the point of it

    def happens(self, name: str) -> None:
        """An effect is about to happen."""
        with self._lock:
            self._counts[name] += 1
            if self._out is not None:
                self._out.write(f"{name}\n")
                self._out.flush()
            if self._kill == (name, self._counts[name]):
                os.kill(os.getpid(), self._by)

    def _sending(self, inner: Callable[..., int]) -> Callable[..., int]:
        def send(sock: socket.socket, data: Any, *given: Any) -> int:
            if sock.family in {socket.AF_INET, socket.AF_INET6}:
                line = bytes(data[:200]).split(b"\r\n", 1)[0]
                if line.endswith(b" HTTP/1.1"):
                    self._requests[id(sock)] = _operation(line.decode())
                self.happens(f"send {self._requests.get(id(sock), '')}")
            return inner(sock, data, *given)

        return send

    def _receiving(self, inner: Callable[..., bytes]) -> Callable[..., bytes]:
        def recv(sock: socket.socket, *given: Any) -> bytes:
            if sock.family not in {socket.AF_INET, socket.AF_INET6}:
                return inner(sock, *given)
            self.happens(f"recv {self._requests.get(id(sock), '')}")
            data = inner(sock, *given)
            self.happens(f"got {self._requests.get(id(sock), '')}")
            return data

        return recv


def _operation(line: str) -> str:
    """A request's method and path without what differs from run to run."""
    method, target, _ = line.split(" ", 2)
    parts = target.partition("?")[0].split("/")
    return f"{method} {'/'.join('ID' if len(part) > 30 else part for part in parts)}"


def _become(job: dict[str, Any]) -> None:
    """Be the program: folder, environment, signals, streams and arguments as the job says."""
    os.setpgid(0, 0)  # the terminal's own signals go to a whole group
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for name in ("SIGTERM", "SIGHUP"):
        signal.signal(signal.Signals[name], signal.SIG_DFL)
    for name in job.get("ignore", ()):
        signal.signal(signal.Signals[name], signal.SIG_IGN)
    os.chdir(job["folder"])
    os.environ.clear()
    os.environ.update(job["environ"])
    sys.argv = ["imagebatch", *job["arguments"]]
    if job["environ"].get("PYTHONWARNINGS") == "error":
        warnings.simplefilter("error")
    given = os.open(job["in"] or os.devnull, os.O_RDONLY)
    out, err = (os.open(job[name], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644) for name in ("out", "err"))
    for target, source in enumerate((given, out, err)):
        os.dup2(source, target)
        os.close(source)
    if job.get("trace") or job.get("kill"):
        kill = job.get("kill")
        place = (kill[0], kill[1]) if kill else None
        Effects(trace=job.get("trace"), kill=place, by=job.get("by", signal.SIGKILL)).install()


def _run() -> NoReturn:
    """Run the program to its last words; its modules are not taken apart, which costs more than most runs do."""
    code: object = 0
    try:
        run()
    except SystemExit as end:
        code = end.code
    threading._shutdown()  # type: ignore[attr-defined]  # what an interpreter does at its end
    atexit._run_exitfuncs()
    gc.collect()  # says what was left open
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(code if isinstance(code, int) else int(code is not None))


def main() -> None:
    """Serve until standard input closes."""
    nests = Nests(Path(sys.argv[1]))
    for name in (*(f"imagebatch.cli.commands.{module}" for module in dict.fromkeys(COMMANDS.values())), *_NEEDED_LATER):
        import_module(name)
    for model in (Project, Manifest):
        model.model_rebuild()  # otherwise with the first file that is read
    gc.collect()
    gc.freeze()  # the collector of a run would copy what it need not look at
    nests.install()
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            _become(json.loads(line))
            _run()
        sys.stdout.write(f"pid {pid}\n")
        sys.stdout.flush()
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        sys.stdout.write(f"code {code}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
