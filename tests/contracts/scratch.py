"""Runs the examples of one page: files are written into a scratch project, commands are run in it.

What a page may hold, and what becomes of it:

    yaml, first line `# PATH`        written there; the project has to load and plan
    yaml, `# PATH (refused)`         written there; the project must not load; gone before the next file
    yaml without a name              a part of a project file, a manifest or an asset: has to load and plan
    csv, jinja … with a path behind  written there (`{# PATH #}` as a first line names a template, too)
    console                          each `$ imagebatch …` is run; output is compared, `…` stands for anything
    json, jsonl                      parsed; a lock, a plan and events are held against their schemas
    sh                               read by the shell, and every `imagebatch …` in it by the program's own parser
    python                           run, one namespace a page
    toml                             parsed

A command has to end with 0 unless `$ echo $?` follows it. A console block without any output shows commands only.
`<!-- test: empty folder -->` and `<!-- test: the worked example -->` above a block start another scratch project.
"""

import contextlib
import io
import json
import os
import re
import shlex
import shutil
import subprocess
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from imagebatch.cli.main import main
from imagebatch.cli.schemas import schema_of
from imagebatch.manifest.schema import Asset, Manifest, PicksFile, Project, Provider
from imagebatch.simulator.profile import load_profile
from tests.contracts.commands import check_script
from tests.contracts.pages import ROOT, Block

EXAMPLE = ("imagebatch.yaml", "manifests", "templates", "data")
SHELL_S = 20
_PLANNING = frozenset({"plan", "apply", "status", "explain"})
_FILE = re.compile(r"(?:#|\{#) (?P<path>[\w./-]+\.\w+)(?: \((?P<word>\w+)\))?(?: #\})?")
_VARIABLE = re.compile(r"(?P<name>[A-Z_]+)=(?P<value>.*)")
_FILTERS = (
    (re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b"), "ID"),
    (re.compile(r"\b[0-9a-f]{64}\b"), "HASH"),
    (re.compile(r"\b[0-9a-f]{32}\b"), "LINEAGE"),
    (re.compile(r"\bib-[a-z2-7]{16}\b"), "ib-TOKEN"),
    (re.compile(r"\bin [0-9.]+ s\b"), "in N s"),
    (re.compile(r"\b20[0-9]{2}-[01][0-9]-[0-3][0-9]\b"), "DATE"),
)
_FILLED = (
    (re.compile(r'"sha256":"[0-9a-f]*…"'), f'"sha256":"{"0" * 64}"'),
    (re.compile(r"sha256:[0-9a-f]*…"), f"sha256:{'0' * 64}"),
    (re.compile(r"ib-[a-z2-7]*…"), f"ib-{'a' * 16}"),
    (re.compile(r'"lineage": ?"[0-9a-f]*…"'), f'"lineage":"{"0" * 32}"'),
)


@dataclass(slots=True)
class Scratch:
    """The scratch projects of one page; `root` is the present one, `environ` what its commands see."""

    base: Path
    environ: Mapping[str, str]
    root: Path = field(init=False)
    namespace: dict[str, Any] = field(default_factory=dict)
    code: int = 0
    _count: int = 0
    _undo: tuple[Path, str | None] | None = None
    _unproven: Block | None = None

    def __post_init__(self) -> None:
        """Start with an empty folder."""
        self.start("empty folder")

    def start(self, directive: str) -> None:
        """Go on in another project."""
        self._count += 1
        self.root = self.base / f"project{self._count}"
        self.root.mkdir()
        if directive == "the worked example":
            for name in EXAMPLE:
                source, target = ROOT / name, self.root / name
                shutil.copytree(source, target) if source.is_dir() else shutil.copy(source, target)
        else:
            assert directive == "empty folder", f"unknown directive: {directive}"

    def take_all(self, blocks: Iterable[Block]) -> None:
        """Run or check a page's blocks in their order."""
        for block in blocks:
            self.take(block)
        self.finish()

    def take(self, block: Block) -> None:
        """Run or check one block."""
        if block.language != "console":
            self.finish()
        if block.directive:
            self.start(block.directive)
        named = _FILE.fullmatch(block.text.partition("\n")[0])
        path, word = (named["path"], named["word"]) if named is not None else (block.name, None)
        if block.language == "console":
            self._console(block)
        elif block.language in {"json", "jsonl"}:
            _check_json(block)
        elif block.language == "sh":
            check_script(block.text, block.place)
        elif block.language == "python":
            exec(compile(block.text, block.place, "exec"), self.namespace)  # noqa: S102  # the page's own example
        elif block.language == "toml":
            tomllib.loads(block.text)
        elif path:
            self._file(block, path, refused=word == "refused")
        elif block.language == "yaml":
            self._fragment(block)
        else:
            assert block.language == "", f"{block.place}: nobody checks a block of {block.language!r}"
            assert "$ imagebatch" not in block.text, f"{block.place}: a command in a block that is not run"

    def finish(self) -> None:
        """Load and plan what was written last, unless a command of the page has done so already."""
        if self._unproven is not None:
            block, self._unproven = self._unproven, None
            self._loads(self.root, block)

    # -- files -------------------------------------------------------------------------------------------------------

    def _file(self, block: Block, path: str, *, refused: bool) -> None:
        self._restore()
        target = self.root / path
        before = target.read_text(encoding="utf-8") if target.exists() else None
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(block.text, encoding="utf-8")
        if path.startswith("profiles/"):
            load_profile(target)
        elif path.startswith(".github/workflows/"):
            check_workflow(block)
        elif refused:
            self._undo = (target, before)
            code, said = self.run(["validate"])
            assert code == 1, f"{block.place}: this should be refused, and is not: {said}"
        elif path.endswith(".yaml") and (self.root / "imagebatch.yaml").exists() and self._has_manifests():
            self._unproven = block

    def _restore(self) -> None:
        if self._undo is not None:
            target, before = self._undo
            target.write_text(before, encoding="utf-8") if before is not None else target.unlink()
            self._undo = None

    def _has_manifests(self) -> bool:
        return any((self.root / "manifests").rglob("*.yaml"))

    def _loads(self, root: Path, block: Block) -> None:
        code, said = self.run(["plan"], root=root)
        assert code == 0, f"{block.place}: this should load and plan: {said}"

    def _fragment(self, block: Block) -> None:
        """Load a part of a file in a copy of the project that has no other manifest."""
        keep = shutil.ignore_patterns(".imagebatch", "outputs", "manifests", "imagebatch.lock", "picks.yaml")
        self._count += 1
        copy = self.base / f"fragment{self._count}"
        shutil.copytree(self.root, copy, ignore=keep)
        (copy / "manifests").mkdir()
        project = (copy / "imagebatch.yaml").read_text(encoding="utf-8")
        for path, text in fragment_files(block, project).items():
            (copy / path).write_text(text, encoding="utf-8")
        self._loads(copy, block)

    # -- commands ----------------------------------------------------------------------------------------------------

    def _console(self, block: Block) -> None:
        steps = list(_steps(block))
        shown = any(expected for _, expected in steps)
        for number, (line, expected) in enumerate(steps):
            if line == "echo $?":
                assert expected == [str(self.code)], f"{block.place}: the exit code is {self.code}, not {expected}"
                continue
            said = self._step(line)
            followed = number + 1 < len(steps) and steps[number + 1][0] == "echo $?"
            assert self.code == 0 or followed, f"{block.place}: $ {line} ended with {self.code}:\n{said}"
            if shown:
                actual = self._filtered(said)
                wanted = self._filtered("\n".join(expected))
                assert matches(wanted, actual), (
                    f"{block.place}: $ {line} says:\n{said}\n-- and the page:\n" + "\n".join(expected)
                )

    def _step(self, line: str) -> str:
        words = shlex.split(line)
        variables: dict[str, str] = {}
        while words and (match := _VARIABLE.fullmatch(words[0])):
            variables[match["name"]] = match["value"]
            words = words[1:]
        if words[0] == "imagebatch":
            self.code, said = self.run(words[1:], variables=variables)
            if words[1] in _PLANNING and self.code == 0:
                self._unproven = None
            return said
        done = subprocess.run(
            ["sh", "-c", line], cwd=self.root, capture_output=True, text=True, timeout=SHELL_S, check=False
        )
        self.code = done.returncode
        return done.stdout + done.stderr

    def run(
        self, arguments: Sequence[str], *, variables: Mapping[str, str] | None = None, root: Path | None = None
    ) -> tuple[int, str]:
        """Run one command of the program in this process; gives its exit code and both streams as one text.

        A process of its own for each of a hundred commands would take minutes; `tests/cli` has those.
        """
        said = io.StringIO()
        place = _inside(root or self.root, {**self.environ, **(variables or {})})
        with place, contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            code = main(arguments)
        return code, said.getvalue()

    def _filtered(self, text: str) -> list[str]:
        text = text.replace(str(self.root.resolve()), "PROJECT").replace(str(self.root), "PROJECT")
        for pattern, word in _FILTERS:
            text = pattern.sub(word, text)
        return [line.rstrip() for line in text.strip("\n").split("\n")]


def matches(wanted: Sequence[str], actual: Sequence[str]) -> bool:
    """Whether lines are as a page shows them: a line `…` stands for any lines, `…` in a line for any text."""
    if not wanted:
        return not actual
    if wanted[0].strip() == "…":
        return any(matches(wanted[1:], actual[skip:]) for skip in range(len(actual) + 1))
    if not actual:
        return False
    pattern = ".*".join(re.escape(part) for part in wanted[0].split("…"))
    return re.fullmatch(pattern, actual[0]) is not None and matches(wanted[1:], actual[1:])


def fragment_files(block: Block, project: str) -> dict[str, str]:
    """The files that a part of a file stands for, by what its keys are."""
    value = yaml.load(block.text, Loader=yaml.BaseLoader)  # noqa: S506  # only the keys are looked at
    assert isinstance(value, dict), f"{block.place}: a part of a file is a mapping"
    keys = frozenset(value)
    alias, params = _default_provider(project)
    assets = f"assets:\n  lamp:\n    prompt: a table lamp\n{params}"
    if keys & {"providers", "brakes", "budget", "journal", "lineage", "state", "version"}:
        assert keys <= set(Project.model_fields), f"{block.place}: these are no keys of imagebatch.yaml"
        return {"imagebatch.yaml": _without(project, keys) + block.text, "manifests/fragment.yaml": assets}
    if keys <= set(Provider.model_fields):
        text = _indented(block.text, "    ")
        whole = _without(project, frozenset({"providers"})) + f"providers:\n  {alias}:\n{text}"
        return {"imagebatch.yaml": whole, "manifests/fragment.yaml": assets}
    if keys & {"picks", "redo"}:
        assert keys <= set(PicksFile.model_fields)
        return {"picks.yaml": f"version: 1\n{block.text}", "manifests/fragment.yaml": assets}
    file_keys = {*Manifest.model_fields} - {"vars"}
    if keys & file_keys and not isinstance(value.get("styles"), list | str):
        return {"manifests/fragment.yaml": block.text + ("" if "assets" in keys else assets)}
    assert keys <= set(Asset.model_fields), f"{block.place}: what is this a part of? {', '.join(sorted(keys))}"
    prompt = "" if keys & {"prompt", "template"} else "    prompt: a table lamp\n"
    return {"manifests/fragment.yaml": f"assets:\n  lamp:\n{prompt}{_indented(block.text, '    ')}"}


def check_workflow(block: Block) -> None:
    """A workflow of GitHub Actions: its jobs have steps, and their commands are the program's."""
    value = yaml.load(block.text, Loader=yaml.BaseLoader)  # noqa: S506  # texts only: `on` is a key, not true
    assert value["on"], f"{block.place}: when does it run?"
    scripts = [step["run"] for job in value["jobs"].values() for step in job["steps"] if "run" in step]
    assert scripts, f"{block.place}: it runs nothing"
    for script in scripts:
        check_script(script, block.place)


def _check_json(block: Block) -> None:
    text = block.text
    for pattern, filled in _FILLED:
        text = pattern.sub(filled, text)
    for part in text.splitlines() if block.language == "jsonl" else [text]:
        value = json.loads(part)
        kind = _KINDS.get(value.get("format", "")) if isinstance(value, dict) else None
        if kind is not None:
            jsonschema.validate(value, schema_of(kind))


_KINDS = {"imagebatch-lock": "lock", "imagebatch-plan": "plan", "imagebatch-events": "events"}


def _steps(block: Block) -> Iterator[tuple[str, list[str]]]:
    """Commands with the lines that the page shows below them."""
    command: str | None = None
    shown: list[str] = []
    for line in block.text.rstrip("\n").split("\n"):
        if line.startswith("$ "):
            if command is not None:
                yield command, shown
            command, shown = line[2:], []
        else:
            assert command is not None, f"{block.place}: output before any command"
            shown.append(line)
    if command is not None:
        yield command, shown


@contextlib.contextmanager
def _inside(root: Path, environ: Mapping[str, str]) -> Iterator[None]:
    before, folder = dict(os.environ), Path.cwd()
    os.chdir(root)
    os.environ.clear()
    os.environ.update(environ)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
        os.chdir(folder)


def _indented(text: str, indent: str) -> str:
    return "".join(f"{indent}{line}" if line.strip() else line for line in text.splitlines(keepends=True))


def _default_provider(project: str) -> tuple[str, str]:
    """The alias that the project draws with, and the params that an asset has to have there."""
    value = yaml.load(project, Loader=yaml.BaseLoader)  # noqa: S506  # texts only
    alias = str(value["defaults"]["provider"])
    models = {"aigne-hub": "openai/gpt-image-2", "openai": "gpt-image-2"}
    model = models.get(value["providers"][alias]["type"])
    return alias, f"    params: {{model: {model}}}\n" if model else ""


def _without(project: str, keys: frozenset[str]) -> str:
    """A project file's text without some of its top keys."""
    kept: list[str] = []
    dropping = False
    for line in project.splitlines(keepends=True):
        if line[:1] not in {" ", "#", "\n", ""}:
            dropping = line.partition(":")[0] in keys
        if not dropping:
            kept.append(line)
    return "".join(kept)
