"""The effects of a proof: servers and real runs in processes of their own, killed from outside; what they left."""

import hashlib
import json
import os
import random
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from imagebatch.chaos.traces import Applied, Bill, Left
from imagebatch.chaos.trial import ORIGIN_VARIABLE
from imagebatch.http.trust import parse_base
from imagebatch.simulator.process import SimulatorProcess, start
from imagebatch.state.journal import read_journal
from imagebatch.state.lockfile import LOCK_NAME, decode_lock, empty_lock
from imagebatch.state.store import FOLDER, JOURNAL

LONGEST_S: Final = 90.0
LOOK_EVERY_S: Final = 0.005
_LEFT_BEHIND: Final = re.compile(r"\.part$|\.ib-tmp|\.torn|^lease\.json$|\.new$|\.answer$")
_KEPT: Final = ("PATH", "PYTHONPATH", "LANG", "LC_ALL", "TMPDIR", "SYSTEMROOT", "LD_LIBRARY_PATH", "VIRTUAL_ENV")


def scratch() -> TemporaryDirectory[str]:
    """A folder that is gone afterwards."""
    return TemporaryDirectory(prefix="imagebatch-chaos-", ignore_cleanup_errors=True)


@contextmanager
def server(data: Path, profile: str, port: int = 0) -> Iterator[SimulatorProcess]:
    """The simulator on a data folder, which outlives it; `profile` is the text of a profile's file.

    `port` is where it is to be found; 0 takes a free one.
    """
    data.mkdir(parents=True, exist_ok=True)
    path = data / "weather.yaml"
    path.write_text(profile, encoding="utf-8")
    with start(data, path, port) as running:
        yield running


def write_files(folder: Path, files: Mapping[str, str]) -> None:
    """Write a project."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")


def apply(folder: Path, base: str, *, kill_after_s: float | None = None, longest_s: float = LONGEST_S) -> Applied:
    """Run `imagebatch apply` in a folder, against a base address; with `kill_after_s` killed so long after its plan.

    A run that takes longer than `longest_s` is killed, too.
    """
    log = folder.parent / f"{folder.name}.out"
    trouble = folder.parent / f"{folder.name}.err"
    with log.open("wb") as out, trouble.open("wb") as err:
        process = subprocess.Popen(  # noqa: S603 - our own interpreter and module, no shell
            [sys.executable, "-m", "imagebatch", "-C", str(folder), "apply", "-y", "--json", "--no-progress"],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            env={**environment(folder.parent), ORIGIN_VARIABLE: base},
            start_new_session=True,
        )
        began = planned = time.monotonic()
        try:
            while process.poll() is None and time.monotonic() - began < longest_s:
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


def environment(home: Path | None = None) -> dict[str, str]:
    """No key and no setting of the person who asks for the proof; where plug-ins are found stays as it is."""
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    return kept if home is None else {**kept, "HOME": str(home), "XDG_CONFIG_HOME": str(home)}


def read_left(project: Path) -> Left:
    """Look at a project."""
    path = project / LOCK_NAME
    data = path.read_bytes() if path.exists() else b""
    lock = decode_lock(data) if data else empty_lock("0" * 32)
    entries = {address: lock.entry(address) for address in lock}
    events = read_journal(project / FOLDER / JOURNAL).events
    return Left(
        lock=data,
        entries=entries,
        outputs=hashes_below(project / "outputs"),
        files=tuple(
            path.relative_to(project).as_posix()
            for path in sorted(project.rglob("*"))
            if _LEFT_BEHIND.search(path.name)
        ),
        events=tuple((type(event).__name__, str(getattr(event, "token", ""))) for event in events),
    )


def hashes_below(folder: Path) -> Mapping[str, str]:
    """The hash of each file below a folder, by its path there."""
    return {
        path.relative_to(folder).as_posix(): "sha256:" + hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def chance(*about: object) -> Callable[[], float]:
    """Numbers in [0, 1) that are the same again for the same words: a proof can be repeated."""
    return random.Random(" ".join(map(str, about))).random  # noqa: S311  # no secret
