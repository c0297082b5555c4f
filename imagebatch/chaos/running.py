"""The effects of a proof: servers and real runs in processes of their own, killed from outside; what they left."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from imagebatch.chaos.trial import ORIGIN_VARIABLE
from imagebatch.http.trust import parse_base
from imagebatch.simulator.process import SimulatorProcess, start

LONGEST_S: Final = 90.0
LOOK_EVERY_S: Final = 0.005
_KEPT: Final = ("PATH", "PYTHONPATH", "LANG", "LC_ALL", "TMPDIR", "SYSTEMROOT", "LD_LIBRARY_PATH", "VIRTUAL_ENV")


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """How one `apply` ended: its exit code (negative for a signal), its summary, what it said on stderr.

    `seconds` is from its plan to its end.
    """

    code: int
    seconds: float
    summary: Mapping[str, Any] = field(default_factory=dict)
    said: str = ""

    @property
    def killed(self) -> bool:
        """Whether we ended it."""
        return self.code == -signal.SIGKILL

    @property
    def creates(self) -> int:
        """How many creates it sent, as far as it could say."""
        return int(self.summary.get("requests", {}).get("create", 0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """One thing that the server billed: `operation` is create, retry or buy, `delivered` the pictures of it."""

    operation: str
    token: str
    image: str
    delivered: int


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder that is gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="imagebatch-chaos-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def server(data: Path, profile: str) -> Iterator[SimulatorProcess]:
    """The simulator on a data folder, which outlives it; `profile` is the text of a profile's file."""
    data.mkdir(parents=True, exist_ok=True)
    path = data / "weather.yaml"
    path.write_text(profile, encoding="utf-8")
    with start(data, path) as running:
        yield running


def write_files(folder: Path, files: Mapping[str, str]) -> None:
    """Write a project."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")


def apply(folder: Path, base: str, *, kill_after_s: float | None = None) -> Applied:
    """Run `imagebatch apply` in a folder, against a base address; with `kill_after_s` killed so long after its plan.

    A run that takes too long is killed, too.
    """
    log = folder.parent / f"{folder.name}.out"
    trouble = folder.parent / f"{folder.name}.err"
    with log.open("wb") as out, trouble.open("wb") as err:
        process = subprocess.Popen(  # noqa: S603 - our own interpreter and module, no shell
            [sys.executable, "-m", "imagebatch", "-C", str(folder), "apply", "-y", "--json", "--no-progress"],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            env=_environment(folder, base),
            start_new_session=True,
        )
        began = planned = time.monotonic()
        try:
            while process.poll() is None and time.monotonic() - began < LONGEST_S:
                if planned == began and log.read_bytes().count(b"\n") > 1:
                    planned = time.monotonic()
                if kill_after_s is not None and planned != began and time.monotonic() - planned >= kill_after_s:
                    break
                time.sleep(LOOK_EVERY_S)
        finally:
            process.kill()
            code = process.wait()
    seconds = time.monotonic() - planned
    said = trouble.read_text(encoding="utf-8", errors="replace")
    return Applied(code=code, seconds=seconds, summary=_summary(log), said=said)


def bills(base: str) -> tuple[Bill, ...] | None:
    """What the server at a base address billed so far; None where it does not tell."""
    try:
        with urllib.request.urlopen(f"{parse_base(base).origin}/_simulator/ledger", timeout=10) as answer:  # noqa: S310 - loopback only
            entries = json.load(answer)["entries"]
        return tuple(
            Bill(
                operation=str(one["operation"]),
                token=str(one.get("token", "")),
                image=str(one.get("image_id", "")),
                delivered=int(one.get("n_delivered", 1)),
            )
            for one in entries
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _summary(log: Path) -> Mapping[str, Any]:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    try:
        last = json.loads(lines[-1])
    except (IndexError, ValueError):
        return {}
    return last if isinstance(last, dict) and last.get("type") == "summary" else {}


def _environment(folder: Path, base: str) -> dict[str, str]:
    """No key and no setting of the person who asks for the proof; where plug-ins are found stays as it is."""
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    return {**kept, "HOME": str(folder.parent), "XDG_CONFIG_HOME": str(folder.parent), ORIGIN_VARIABLE: base}
