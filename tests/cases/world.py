"""One case's world: a fresh project, the simulator it turns to, keys that nobody may see, and the real command line."""

import base64
import contextlib
import hashlib
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from imagebatch.cli.main import main
from imagebatch.simulator.process import SimulatorProcess
from imagebatch.simulator.state import account_of
from tests.cases.faraway import Faraway, Net
from tests.cases.watch import Watch, watching

FACES: Final = ("all-images", "aigne-hub", "openai")
KEY_VARIABLES: Final = {
    "all-images": "ALL_IMAGES_API_KEY", "aigne-hub": "AIGNE_HUB_API_KEY", "openai": "OPENAI_API_KEY",
}  # fmt: skip
HANG_S: Final = 60.0
_REPOSITORY: Final = Path(__file__).resolve().parents[2]
# A child inherits the peak of the process that forked it, and the tests' own grows large; a small one lies between.
_MEASURED: Final = """
import json, os, sys
usage_file, *arguments = sys.argv[1:]
child = os.posix_spawn(sys.executable, [sys.executable, *arguments], os.environ)
_, status, used = os.wait4(child, 0)
fields = [os.waitstatus_to_exitcode(status), used.ru_maxrss / 1024]
with open(usage_file, "w") as file:
    json.dump(fields, file)
"""


@dataclass(frozen=True, kw_only=True)
class Ran:
    """One command: its exit code, its two streams, how long it took, and (in a process of its own) its largest size."""

    arguments: tuple[str, ...]
    code: int
    out: str
    err: str
    seconds: float
    watch: Watch | None = None
    rss_mib: float = 0.0

    @cached_property
    def lines(self) -> tuple[Mapping[str, Any], ...]:
        """The JSON documents on stdout, one a line; nothing where text for people was asked for."""
        found: list[Mapping[str, Any]] = []
        if "--json" not in self.arguments:
            return ()
        for line in self.out.splitlines():
            value = json.loads(line)
            assert isinstance(value, dict), f"a line of {self.arguments} is no object: {line[:200]}"
            found.append(value)
        return tuple(found)

    def of_type(self, kind: str) -> tuple[Mapping[str, Any], ...]:
        """The lines of one type."""
        return tuple(line for line in self.lines if line.get("type") == kind)

    @property
    def codes(self) -> frozenset[str]:
        """Dotted codes of diagnostics, outcomes and blockers; of a command without JSON those that it tells people."""
        if "--json" not in self.arguments:
            return frozenset(re.findall(r"\[([a-z_]+\.[a-z_]+)\]", self.err))
        told = [line.get("code") for line in (*self.of_type("diagnostic"), *self.of_type("outcome"))]
        told += [one.get("code") for line in self.lines for one in line.get("blocked_by", ())]
        return frozenset(str(code) for code in told if code)

    @property
    def ends(self) -> Mapping[str, str]:
        """How each address ended."""
        return {line["address"]: line["end"] for line in self.of_type("outcome")}

    def __str__(self) -> str:
        return f"imagebatch {' '.join(self.arguments)}: exit {self.code}\n{self.out[-6000:]}\n{self.err[-3000:]}"


@dataclass(slots=True)
class Simulated:
    """The one simulator of all cases, the way to make it misbehave, and the public hosts that it plays."""

    process: SimulatorProcess
    far: Faraway

    def ask(self, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None) -> Any:
        """One call to the simulator, past the program."""
        data = None if body is None else json.dumps(body).encode()
        call = urllib.request.Request(  # noqa: S310 - loopback
            self.process.origin + path, data=data, method=method,
            headers={"content-type": "application/json", **(headers or {})},
        )  # fmt: skip
        with urllib.request.urlopen(call, timeout=30) as answer:  # noqa: S310 - loopback
            text = answer.read()
        return json.loads(text) if text else None

    def script(self, rules: Iterable[Mapping[str, Any]]) -> None:
        """Add rules to what shall go wrong."""
        if wanted := list(rules):
            self.ask("POST", "/_simulator/script", wanted)

    def forget(self) -> None:
        """Nothing goes wrong any more."""
        self.ask("DELETE", "/_simulator/script")

    def settings(self, settings: Mapping[str, Any]) -> None:
        """Lay settings over the profile."""
        self.ask("POST", "/_simulator/settings", settings)

    def counts(self) -> dict[tuple[str, str], int]:
        """Requests so far by face and operation."""
        faces = self.ask("GET", "/_simulator/requests")["faces"]
        return {(face, op): number for face, ops in faces.items() for op, number in ops.items()}

    def ledger(self, accounts: Iterable[str]) -> list[Mapping[str, Any]]:
        """What these accounts were billed."""
        wanted = set(accounts)
        return [one for one in self.ask("GET", "/_simulator/ledger")["entries"] if one["account"] in wanted]


@dataclass(slots=True)
class World:
    """Everything of one case; its keys are its own, so that it has accounts of its own."""

    name: str
    base: Path
    simulated: Simulated
    settings: dict[str, Any] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    runs: list[Ran] = field(default_factory=list)
    at_start: dict[tuple[str, str], int] = field(default_factory=dict)
    billed_before: int = 0

    def __post_init__(self) -> None:
        """Make the folders and note what was asked before."""
        for folder in (self.project, self.home):
            folder.mkdir(parents=True, exist_ok=True)
        self.mark()

    def mark(self) -> None:
        """From here on requests and bills count."""
        self.at_start = self.simulated.counts()
        entries = self.simulated.ledger(self.accounts)
        self.billed_before = entries[-1]["seq"] if entries else 0

    @property
    def project(self) -> Path:
        """The project's root."""
        return self.base / "project"

    @property
    def home(self) -> Path:
        """The user's home folder."""
        return self.base / "home"

    @property
    def lock(self) -> Path:
        """The lock file."""
        return self.project / "imagebatch.lock"

    def key(self, face: str) -> str:
        """The key of a face: long, and other text in every coding."""
        return f"kanari/{self.name}+{face}%{len(self.name)}="

    @property
    def lineage(self) -> str:
        """A lineage of its own: the simulator knows tokens across accounts."""
        return hashlib.sha256(self.name.encode()).hexdigest()[:32]

    @property
    def accounts(self) -> tuple[str, ...]:
        """The simulator's names of this world's accounts."""
        return tuple(account_of(self.key(face)) for face in FACES)

    # The project -----------------------------------------------------------------------------------------------------

    def project_file(self, **more: Any) -> str:
        """`imagebatch.yaml`, as JSON: the three types under their own names, at the simulator."""
        urls = {
            "all-images": self.simulated.process.all_images_url,
            "aigne-hub": self.simulated.process.hub_url,
            "openai": self.simulated.process.openai_url,
        }
        providers = {
            face: {
                "type": face,
                "base_url": urls[face],
                "api_key": f"${{{KEY_VARIABLES[face]}}}",
                "consistency_window": "0.2s",
                "deadline": "2s",
                # Otherwise the simulated OpenAI refuses the first create for a field that only other servers know.
                **({"capabilities": {"base64": False}} if face == "openai" else {}),
                **self.settings.get(face, {}),
            }
            for face in FACES
        }
        whole = {"version": 1, "providers": providers, "defaults": {"provider": "all-images"}, **more}
        if "CI" in self.environment:
            whole.setdefault("store", {"share": "none"})  # the machine of the tests keeps what they draw
        return json.dumps(whole, indent=1) + "\n"

    def write(self, path: str, data: str | bytes) -> Path:
        """Write a file of the project."""
        target = self.project / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data.encode() if isinstance(data, str) else data)
        return target

    def assets(self, assets: Mapping[str, Any]) -> None:
        """Write the one manifest."""
        self.write("manifests/case.yaml", json.dumps({"assets": assets}) + "\n")

    # Commands --------------------------------------------------------------------------------------------------------

    def variables(self) -> dict[str, str]:
        """The environment of a command."""
        kept = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR", "LD_LIBRARY_PATH") if name in os.environ}
        keys = {KEY_VARIABLES[face]: self.key(face) for face in FACES}
        return {**kept, "HOME": str(self.home), "PYTHONDONTWRITEBYTECODE": "1", **keys, **self.environment}

    def run(self, *arguments: str, apart: bool = False) -> Ran:
        """Run a command line: in this process, or `apart` in one of its own, whose memory is measured."""
        words = ("-C", str(self.project), *arguments)
        ran = self._apart(words) if apart else self._here(words)
        self.runs.append(ran)
        return ran

    def _here(self, words: Sequence[str]) -> Ran:
        out, err = _stream(), _stream()
        before, began = dict(os.environ), time.monotonic()
        os.environ.clear()
        os.environ.update(self.variables())
        try:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), watching() as watch:
                code = main(words)
        finally:
            os.environ.clear()
            os.environ.update(before)
        return Ran(
            arguments=tuple(words[2:]), code=code, out=_text(out), err=_text(err), seconds=time.monotonic() - began,
            watch=watch,
        )  # fmt: skip

    def ended(self, process: "subprocess.Popen[bytes]", *arguments: str) -> Ran:
        """Wait for a command that was started with these arguments; it is killed where it has no end."""
        began = time.monotonic()
        try:
            out, err = process.communicate(timeout=HANG_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise AssertionError(f"{arguments} did not end within {HANG_S:.0f} s") from None
        return self.came_of(arguments, process.returncode, (out or b"").decode(), err.decode(), began)

    def came_of(self, arguments: Sequence[str], code: int, out: str, err: str, began: float) -> Ran:
        """A command that ran elsewhere, looked at like all others; it began at this time of `time.monotonic`."""
        ran = Ran(arguments=tuple(arguments), code=code, out=out, err=err, seconds=time.monotonic() - began)
        self.runs.append(ran)
        return ran

    def start(self, *arguments: str) -> "subprocess.Popen[bytes]":
        """Start a command line in a process of its own."""
        return subprocess.Popen(
            [sys.executable, "-m", "imagebatch", "-C", str(self.project), *arguments],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=self.base,
            env={**self.variables(), "PYTHONPATH": str(_REPOSITORY)},
        )  # fmt: skip

    def _apart(self, words: Sequence[str]) -> Ran:
        began = time.monotonic()
        with (self.base / "out").open("wb") as out, (self.base / "err").open("wb") as err:
            process = subprocess.Popen(
                [sys.executable, "-c", _MEASURED, str(self.base / "usage"), "-m", "imagebatch", *words],
                stdin=subprocess.DEVNULL, stdout=out, stderr=err, cwd=self.base, start_new_session=True,
                env={**self.variables(), "PYTHONPATH": str(_REPOSITORY)},
            )  # fmt: skip
        _await_end(process, HANG_S)
        texts = [(self.base / name).read_text("utf-8", "replace") for name in ("out", "err", "usage")]
        for name in ("out", "err", "usage"):
            (self.base / name).unlink()
        code, rss_mib = json.loads(texts[2])
        return Ran(
            arguments=tuple(words[2:]), code=code, out=texts[0], err=texts[1], seconds=time.monotonic() - began,
            rss_mib=rss_mib,
        )  # fmt: skip

    @contextlib.contextmanager
    def seeing(self, net: Net | None) -> Iterator[None]:
        """Commands of this process see this net beyond the machine; None leaves the real one."""
        if net is None:
            yield
            return
        self.environment.setdefault("SSL_CERT_FILE", str(self.simulated.far.trusted))
        with self.simulated.far.played(net):
            yield

    # What came of it -------------------------------------------------------------------------------------------------

    def asked(self, face: str | None = None, op: str | None = None) -> int:
        """Requests since `mark`, perhaps only those to a face or of an operation."""
        now = self.simulated.counts()
        return sum(
            number - self.at_start.get(key, 0)
            for key, number in now.items()
            if face in (None, key[0]) and op in (None, key[1])
        )

    def billed(self, *operations: str) -> list[Mapping[str, Any]]:
        """What the simulator billed to this case's accounts since `mark`."""
        entries = [one for one in self.simulated.ledger(self.accounts) if one["seq"] > self.billed_before]
        return [one for one in entries if not operations or one["operation"] in operations]

    def entries(self) -> Mapping[str, Any]:
        """The lock's blocks; empty where there is no lock."""
        if not self.lock.exists():
            return {}
        found: Mapping[str, Any] = json.loads(self.lock.read_text("utf-8"))["generations"]
        return found

    def key_sightings(self) -> list[str]:
        """Where a key shows, in any of its forms: in what was printed, and in every file below the case's folder."""
        forms = self.forms()
        found = []
        for ran in self.runs:
            text = f"{ran.out}\n{ran.err}"
            found += [f"output of {ran.arguments}: {form}" for form in forms if form in text]
        encoded = [form.encode() for form in forms]
        for path in self.base.rglob("*"):
            if path.is_file() and not path.is_symlink():
                data = path.read_bytes()
                found += [f"{path.relative_to(self.base)}: {form!r}" for form in encoded if form in data]
        return found

    def forms(self) -> frozenset[str]:
        """Every form of this case's keys."""
        return frozenset(form for face in FACES for form in key_forms(self.key(face)))

    def copy_from(self, other: "World") -> None:
        """Take over another world's project, lock and memory."""
        shutil.copytree(other.project, self.project, symlinks=True, dirs_exist_ok=True)


def harm_in(text: str) -> frozenset[str]:
    """What a text could do to the terminal or the CI that shows it: control characters, and commands in logs.

    GitHub takes what follows `::` at a line's start, blanks skipped, and `##[` anywhere; a carriage return is a line's
    start, too.
    """
    found = {f"U+{ord(char):04X}" for char in text if not (char.isprintable() or char == "\n")}
    found |= {"a log command" for line in re.split("[\r\n]", text) if line.lstrip().startswith("::") or "##[" in line}
    return frozenset(found)


def key_forms(key: str) -> frozenset[str]:
    """A key plain, percent-encoded, and inside base64 at each of its three offsets."""
    forms = {key, quote(key, safe=""), quote(key), json.dumps(key)[1:-1]}
    raw = key.encode()
    for offset in range(3):
        text = base64.b64encode(b"\0" * offset + raw).decode()
        # The characters at either end mix with their neighbours.
        forms.add(text[4 if offset else 0 : (offset + len(raw)) // 3 * 4])
        forms.add(forms_url(text[4 if offset else 0 : (offset + len(raw)) // 3 * 4]))
    return frozenset(forms)


def forms_url(text: str) -> str:
    """Base64 as addresses write it."""
    return text.replace("+", "-").replace("/", "_")


def _stream() -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(), encoding="utf-8", newline="", write_through=True)


def _text(stream: io.TextIOWrapper) -> str:
    stream.flush()
    buffer = stream.buffer
    assert isinstance(buffer, io.BytesIO)
    return buffer.getvalue().decode("utf-8")


def _await_end(process: "subprocess.Popen[bytes]", limit_s: float) -> None:
    try:
        process.wait(limit_s)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise AssertionError(f"{process.args!r} did not end within {limit_s:.0f} s") from None
