"""Every effect goes through a seam: outside `imagebatch/effects` nobody calls the system.

What is allowed elsewhere is listed here with its reason. A new effect without a seam is red, and so is a reason that
no line needs any more.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "imagebatch"

# Whole modules that may do what they like.
FREE = {
    "effects/": "the seams themselves",
    "simulator/": "a program of its own, which shares no code with the client",
    "manifest/render_child.py": "runs in a child, under limits",
    "outputs/worker.py": "runs in a child",
    "outputs/darkroom.py": "runs in that child",
    "cli/streams.py": "the terminal: its own streams, before anything else is there",
    "cli/screen.py": "the terminal",
    "cli/main.py": "the terminal: the last flush of a process",
    "doctor/probes.py": "tries the machine itself, which no stand-in may hide",
    "chaos/running.py": "real runs in processes of their own, killed from outside: no run does anything of it",
    "http/transport.py": "the network's plain implementation: below the seam in http/network.py",
    "http/downloader.py": "names the constants of sockets for its resolver, which does what the seam asks it to",
}

# What of these modules has no effect on the world.
PURE = {
    "os": {"environ", "path", "pathsep", "PathLike", "fspath", "stat_result"},
    "time": set[str](),
    "random": set[str](),
    "secrets": set[str](),
    "socket": set[str](),
    "subprocess": {"TimeoutExpired"},
    "shutil": set[str](),
    "tempfile": set[str](),
    "threading": {"Lock"},
    "signal": {"SIGINT", "SIGTERM", "SIGHUP", "SIGKILL", "Signals"},
    "fcntl": set[str](),
    "filelock": set[str](),
    "select": set[str](),
    "multiprocessing": set[str](),
    "platform": set[str](),
    "sqlite3": {"Connection", "Cursor", "Error", "DatabaseError", "OperationalError"},
}
PURE_PATHS = {"abspath", "join", "normpath"}
LOOP = {"run", "Runner", "sleep", "to_thread", "create_subprocess_exec", "create_subprocess_shell", "open_connection"}
FILES = {
    "absolute", "chmod", "exists", "expanduser", "glob", "hardlink_to", "is_dir", "is_file", "is_symlink", "iterdir",
    "lchmod", "lstat", "mkdir", "open", "read_bytes", "read_text", "readlink", "rename", "resolve", "rglob", "rmdir",
    "run_in_executor", "samefile", "stat", "symlink_to", "touch", "unlink", "write_bytes", "write_text",
}  # fmt: skip

CLOCKS = {"datetime", "date", "datetime.datetime"}

# Calls that only look like effects, and the few that are allowed: (module, call) -> reason.
ALLOWED = {
    ("cli/completing.py", "Path(start).absolute"): "where the command was called",
    ("cli/options.py", "Screen.open"): "the terminal",
    ("manifest/assembly.py", "resolver.resolve"): "ours",
    ("manifest/project.py", "Sources(root, findings).read_text"): "ours, over the seam",
    ("manifest/project.py", "self.sources.read_text"): "ours, over the seam",
    ("manifest/tables.py", "reader.glob"): "ours, over the seam",
    ("manifest/tables.py", "self.sources.read_text"): "ours, over the seam",
    ("manifest/templates.py", "self._sources.read_text"): "ours, over the seam",
    ("outputs/download.py", "asyncio.sleep(0)"): "lets others go on, takes no time",
    ("pipeline/applying.py", "StateStore(project.home).open"): "ours, over the seam",
    ("pipeline/lockwork.py", "store.open"): "ours, over the seam",
    ("pipeline/world.py", "self._disk.exists"): "ours, over the seam",
    ("plan/foreign.py", "world.disk.exists"): "ours, over the seam",
    ("providers/prices/__init__.py", "Path(__file__).with_name(f'{name}.toml').read_text"): "a part of the package",
    ("run/files.py", "self.disk.exists"): "ours, over the seam",
    ("run/poll.py", "asyncio.sleep(0)"): "lets others go on, takes no time",
    ("state/store.py", "Journal.open"): "ours, over the seam",
}


def effects_in(source: str) -> Iterator[tuple[int, str]]:
    """(line, call) for whatever in a module's text touches the world by itself."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in PURE:
            if node.attr not in PURE[node.value.id]:
                yield node.lineno, f"{node.value.id}.{node.attr}"
        elif isinstance(node, ast.Attribute) and ast.unparse(node.value) == "os.path" and node.attr not in PURE_PATHS:
            yield node.lineno, f"os.path.{node.attr}"
        elif isinstance(node, ast.ImportFrom) and node.module in PURE and not node.level:
            for one in node.names:
                if one.name not in PURE[node.module]:
                    yield node.lineno, f"{node.module}.{one.name}"
        elif isinstance(node, ast.Call):
            yield from _call(node)


def _call(node: ast.Call) -> Iterator[tuple[int, str]]:
    function = node.func
    if isinstance(function, ast.Name) and function.id in {"open", "input", "ThreadPoolExecutor"}:
        yield node.lineno, function.id
    if not isinstance(function, ast.Attribute):
        return
    name, owner = function.attr, ast.unparse(function.value)
    if owner.startswith("seams.") or owner in PURE:
        return
    if owner == "asyncio" and name in LOOP:
        yield node.lineno, ast.unparse(node) if name == "sleep" else f"asyncio.{name}"
    elif (
        name in FILES
        or (name == "replace" and len(node.args) == 1 and not node.keywords)
        or (owner in CLOCKS and name in {"now", "today", "utcnow"})
    ):
        yield node.lineno, f"{owner}.{name}"


def _found() -> list[tuple[str, int, str]]:
    return [
        (module, line, call)
        for path in sorted(PACKAGE.rglob("*.py"))
        if not (module := path.relative_to(PACKAGE).as_posix()).startswith(tuple(FREE))
        for line, call in effects_in(path.read_text("utf-8"))
    ]


def test_no_effect_goes_past_the_seams() -> None:
    loose = [f"imagebatch/{module}:{line}: {call}" for module, line, call in _found() if (module, call) not in ALLOWED]
    assert not loose, "these go past the seams (imagebatch/effects):\n" + "\n".join(loose)


def test_every_exception_is_still_needed() -> None:
    used = {(module, call) for module, _, call in _found()}
    assert not ALLOWED.keys() - used, "nobody needs these any more"
    assert all(any(PACKAGE.rglob("*.py")) and (PACKAGE / name).exists() for name in FREE)


@pytest.mark.parametrize(
    "line",
    [
        "import os; os.unlink('x')",
        "import os; os.path.exists('x')",
        "from os import rename; rename('a', 'b')",
        "import time; time.sleep(1)",
        "from random import random; random()",
        "from pathlib import Path; Path('x').write_text('y')",
        "path.replace(other)",
        "open('x')",
        "import asyncio; asyncio.run(x())",
        "import asyncio; asyncio.sleep(1)",
        "import sqlite3; sqlite3.connect('x')",
        "import subprocess; subprocess.run(['x'])",
        "import threading; threading.Thread(target=x)",
        "from datetime import datetime; datetime.now()",
        "import socket; socket.create_connection(x)",
        "import shutil; shutil.rmtree('x')",
        "import secrets; secrets.token_hex(4)",
    ],
)
def test_an_effect_is_noticed(line: str) -> None:
    assert list(effects_in(line)), "this would go past the seams unseen"


def test_what_has_no_effect_is_left_alone() -> None:
    assert not list(effects_in("import os; os.environ['x']; text.replace('a', 'b'); seams.disk.open('x', 0)"))
