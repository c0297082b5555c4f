"""Start the simulator as a child process that cannot outlive its parent; standard library only."""

import json
import os
import selectors
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self


class SimulatorStartError(RuntimeError):
    """The simulator did not come up; the text carries what it said last."""


@dataclass(slots=True)
class SimulatorProcess:
    """A running simulator: its address, and the way to stop it.

    Attributes:
        origin: scheme, host and port, for example `http://127.0.0.1:40123`; faces are below it.
        pid: process id of the simulator.
        data_dir: folder with its state and ledger.
    """

    origin: str
    pid: int
    data_dir: Path
    _process: subprocess.Popen[bytes]

    @property
    def all_images_url(self) -> str:
        """Base address of the All-Images.ai face."""
        return f"{self.origin}/all-images/v1"

    @property
    def hub_url(self) -> str:
        """Base address of the AIGNE Hub face."""
        return f"{self.origin}/aigne-hub"

    @property
    def openai_url(self) -> str:
        """Base address of the OpenAI face."""
        return f"{self.origin}/openai/v1"

    def running(self) -> bool:
        """Tell whether the process is still there."""
        return self._process.poll() is None

    def stop(self, timeout_s: float = 5.0) -> None:
        """Ask the simulator to end, and kill it when it has not after `timeout_s` seconds; safe to call twice."""
        if self._process.stdin:
            self._process.stdin.close()
        if self.running():
            self._process.terminate()
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(timeout_s)
        if self._process.stdout:
            self._process.stdout.close()

    def kill(self) -> None:
        """End the simulator at once, as a power cut would."""
        self._process.kill()
        self.stop()

    def __enter__(self) -> Self:
        """Give the running simulator."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the simulator."""
        self.stop()


def start(data_dir: Path, profile: str | Path = "fast", port: int = 0, timeout_s: float = 15.0) -> SimulatorProcess:
    """Start a simulator and wait until it answers.

    Args:
        data_dir: folder for its state; made when missing.
        profile: name of a profile or path of a YAML file.
        port: 0 takes a free one.
        timeout_s: how long the start may take.

    Raises:
        SimulatorStartError: it ended or stayed silent; the text says why.
    """
    data_dir.mkdir(parents=True, exist_ok=True)
    log_path = data_dir / "simulator.log"
    command = [sys.executable, "-m", "imagebatch.simulator", "--port", str(port), "--data", str(data_dir)]
    command += ["--profile", str(profile), "--quiet", "--parent-pid", str(os.getpid()), "--until-stdin-closes"]
    with log_path.open("ab") as log:
        # A session of its own, so that ctrl-C in the terminal reaches the parent only, which still collects.
        process = subprocess.Popen(  # noqa: S603 - our own interpreter and module, no shell
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,
            env=_environment(),
        )
    line = _first_line(process, time.monotonic() + timeout_s)
    try:
        ready = json.loads(line)
        origin = f"http://127.0.0.1:{int(ready['port'])}"
    except (ValueError, KeyError, TypeError):
        SimulatorProcess(origin="", pid=process.pid, data_dir=data_dir, _process=process).stop()
        said = _tail(log_path)
        raise SimulatorStartError(
            f"the simulator did not start within {timeout_s:g} s: {said or 'it said nothing'}"
        ) from None
    return SimulatorProcess(origin=origin, pid=process.pid, data_dir=data_dir, _process=process)


def _environment() -> dict[str, str]:
    """The child imports the same package as we do, wherever that lies."""
    package_root = str(Path(__file__).resolve().parents[2])
    known = os.environ.get("PYTHONPATH")
    return {**os.environ, "PYTHONPATH": package_root + (os.pathsep + known if known else "")}


def _first_line(process: subprocess.Popen[bytes], deadline: float) -> bytes:
    stdout = process.stdout
    if stdout is None:
        return b""
    seen = b""
    with selectors.DefaultSelector() as selector:
        selector.register(stdout, selectors.EVENT_READ)
        while b"\n" not in seen and (left := deadline - time.monotonic()) > 0:
            if selector.select(left):
                part = os.read(stdout.fileno(), 4096)
                if not part:
                    break
                seen += part
    return seen.partition(b"\n")[0]


def _tail(path: Path) -> str:
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    except OSError:
        return ""
    return lines[-1][:500] if lines else ""
