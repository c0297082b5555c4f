"""Every effect goes through a seam: outside `imagebatch/effects` nobody calls the system.

What is allowed elsewhere is listed here with its reason. A new effect without a seam is red, and so is a reason that
no line needs any more.
"""

from pathlib import Path

import pytest

from tests.contracts.effects import PARTS, WHOLE, effects_in, modules_in

PACKAGE = Path(__file__).parents[2] / "imagebatch"

# Whole modules that may do what they like.
FREE = {
    "effects/": "the seams themselves",
    "simulator/": "a program of its own, which shares no code with the client",
    "manifest/render_child.py": "runs in a child, under limits",
    "outputs/worker.py": "runs in a child",
    "outputs/plug_worker.py": "runs in a child of its own",
    "outputs/darkroom.py": "runs in that child",
    "outputs/colours.py": "runs in that child",
    "outputs/shrinking.py": "runs in that child",
    "outputs/measuring.py": "runs in that child",
    "outputs/signatures.py": "runs in that child",
    "cli/streams.py": "the terminal: its own streams, before anything else is there",
    "cli/screen.py": "the terminal",
    "cli/main.py": "the terminal: the last flush of a process",
    "doctor/probes.py": "tries the machine itself, which no stand-in may hide",
    "chaos/running.py": "real runs in processes of their own, killed from outside: no run does anything of it",
    "chaos/kit_child.py": "runs in a child",
    "review/serving/server.py": "the socket on loopback that a person's browser speaks to; no run does anything of it",
    "http/network.py": "the network's seam and its plain side",
    "http/transport.py": "the network's plain implementation: below the seam in http/network.py",
    "http/downloader.py": "names the constants of sockets for its resolver, which does what the seam asks it to",
}

# Calls that only look like effects, and the few that are allowed: (module, call) -> reason.
ALLOWED = {
    ("chaos/promises.py", "PIL.Image"): "a picture in memory, for a promise that one is read",
    ("cli/commands/applying.py", "click.Path"): "the name of a file, which is not looked for",
    ("cli/commands/applying.py", "click.prompt"): "the terminal",
    ("cli/commands/picking.py", "click.Path"): "the name of a file, which is not looked for",
    ("cli/commands/exporting.py", "click.Path"): "the name of a file, which is not looked for",
    ("cli/commands/gallery.py", "click.Path"): "the name of a folder, which is not looked for",
    ("cli/commands/gallery.py", "click.launch"): "the browser, where a person asked for it",
    ("cli/commands/review.py", "click.launch"): "the browser, where a person asked for it",
    ("cli/commands/oneshot.py", "Path.cwd"): "where the command was called",
    ("cli/commands/oneshot.py", "click.Path"): "the name of a file, which is not looked for",
    ("cli/commands/project.py", "Path.cwd"): "where the command was called",
    ("cli/commands/project.py", "click.Path"): "the name of a folder, which is not looked for",
    ("cli/commands/resolving.py", "click.Path"): "the name of a file, which is not looked for",
    ("cli/completing.py", "Path(start).absolute"): "where the command was called",
    ("cli/options.py", "Screen.open"): "the terminal",
    ("cli/options.py", "click.Path"): "the name of a file, which is not looked for",
    ("cli/options.py", "sys.stdin"): "the terminal",
    ("cli/progress.py", "rich.console.Console"): "the terminal",
    ("cli/progress.py", "rich.live.Live"): "the terminal",
    ("cli/reference.py", "sys.stdout"): "a program that writes a page of the docs",
    ("http/__init__.py", "sys.modules"): "keeps httpx from importing its own command line",
    ("http/client.py", "self._clock.now"): "ours, over the seam",
    ("http/client.py", "stamina.retry_context"): "counts the tries; the waiting is done over the seam",
    ("http/limits.py", "self._clock.now"): "ours, over the seam",
    ("http/proxies.py", "httpx._utils.get_environment_proxies"): "reads the proxies of the environment, as httpx does",
    ("manifest/assembly.py", "resolver.resolve"): "ours",
    ("manifest/project.py", "Sources(root, findings).read_text"): "ours, over the seam",
    ("manifest/project.py", "self.sources.read_text"): "ours, over the seam",
    ("manifest/project.py", "sources.read_text"): "ours, over the seam",
    ("manifest/tables.py", "reader.glob"): "ours, over the seam",
    ("manifest/tables.py", "self.sources.read_text"): "ours, over the seam",
    ("manifest/templates.py", "self._sources.read_text"): "ours, over the seam",
    ("outputs/room.py", "self.now"): "ours, over the seam",
    ("pipeline/applying.py", "StateStore(project.home).open"): "ours, over the seam",
    ("pipeline/lockwork.py", "StateStore(project.home).open"): "ours, over the seam",
    ("manifest/signing.py", "self._sources.read_text"): "ours, over the seam",
    ("pipeline/signing.py", "importlib.util"): "whether an extra is installed; imports nothing",
    ("outputs/plugged.py", "importlib.util"): "finds a module's text, and imports nothing",
    ("pipeline/verify/subject.py", "self._disk.exists"): "ours, over the seam",
    ("pipeline/world.py", "self._disk.exists"): "ours, over the seam",
    ("plan/foreign.py", "world.disk.exists"): "ours, over the seam",
    ("review/pages/__init__.py", "Path(__file__).with_name(name).read_text"): "a part of the package",
    ("providers/prices/__init__.py", "Path(__file__).with_name(f'{name}.toml').read_text"): "a part of the package",
    ("providers/registry.py", "importlib.import_module"): "an adapter's module, by the name in our table",
    ("run/files.py", "self.disk.exists"): "ours, over the seam",
    ("run/poll.py", "self._clock.now"): "ours, over the seam",
    ("state/store.py", "Journal.open"): "ours, over the seam",
}


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


def test_no_module_is_listed_that_nobody_imports() -> None:
    used = {module for path in PACKAGE.rglob("*.py") for module in modules_in(path.read_text("utf-8"))}
    # `os.path` comes with `os`.
    assert not sorted((WHOLE | PARTS.keys()) - used - {"os.path"}), "nobody imports these"


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
        "import os as system; system.remove('x')",
        "from os import path as where; where.getsize('x')",
        "import os.path; os.path.getsize('x')",
        "from os import *",
        "from time import time as now; now()",
        "import time\ndef f(clock=time.monotonic): pass",
        "import os; getattr(os, 'unlink')('x')",
        "import os; tidy = [os]",
        "import importlib; importlib.import_module('os').unlink('x')",
        "__import__('os').unlink('x')",
        "exec('import os')",
        "import httpx; httpx.get('http://x')",
        "from httpx import AsyncClient; AsyncClient()",
        "import aiohttp; aiohttp.ClientSession()",
        "import urllib.request; urllib.request.urlopen('x')",
        "from urllib.request import urlopen; urlopen('x')",
        "from urllib import request; request.urlopen('x')",
        "import uuid; uuid.uuid4()",
        "import io; io.open('x')",
        "from asyncio import run; run(x())",
        "from concurrent.futures import ThreadPoolExecutor; ThreadPoolExecutor()",
        "import datetime; datetime.datetime.now()",
        "import datetime as d; d.date.today()",
        "from multiprocessing import Process; Process()",
        "from imagebatch.effects import seams; seams.foo(Path('x')).unlink()",
        "seams = Path('x'); seams.unlink()",
        "f = p.unlink; f()",
        "f = p.replace; f('x')",
        "map(Path.unlink, ps)",
        "getattr(Path('x'), 'unlink')()",
        "getattr(p, 'replace')('x')",
        "path.replace(target=other)",
        "o = open; o('x')",
        "run(x, by=exec)",
        "__builtins__['open']('x')",
        "globals()['open']",
        "n = datetime.now; n()",
        "from datetime import datetime; f = datetime; f.now()",
        "from pathlib import Path; Path.cwd()",
        "from pathlib import Path; Path.home()",
        "path.walk()",
        "path.is_mount()",
        "loop.create_connection(x, 'h', 1)",
        "loop.subprocess_exec(x, 'ls')",
        "loop.add_signal_handler(2, x)",
        "import sqlite3; sqlite3.Connection('x')",
        "from sqlite3 import Connection as C; C('x')",
        "from imagebatch.effects.processes import PlainProcesses",
        "from imagebatch.effects import disk; disk.PlainDisk.unlink('x')",
        "import imagebatch.effects.disk as d; d.os.unlink('x')",
        "from imagebatch.effects.disk import os",
        "from .effects.disk import PlainDisk",
        "import zipfile",
        "import tarfile",
        "from gzip import GzipFile",
        "import bz2",
        "import lzma",
        "import logging; logging.FileHandler('x')",
        "import logging.handlers",
        "import httpcore",
        "import urllib3",
        "import smtplib",
        "import ftplib",
        "import _thread",
        "import resource",
        "import dbm",
        "import pkgutil",
        "import faulthandler",
        "import configparser",
        "import imagebatch_extras",
        "from jinja2 import FileSystemLoader",
        "import click; click.open_file('x')",
        "from click import File; File()",
        "import click; click.Path(exists=True)",
        "import tomllib; tomllib.load(f)",
        "import sys; sys.modules['os'].unlink('x')",
        "import sys; sys.stdout.write('x')",
    ],
)
def test_an_effect_is_noticed(line: str) -> None:
    assert list(effects_in(line)), "this would go past the seams unseen"


def test_what_has_no_effect_is_left_alone() -> None:
    assert not list(effects_in("import os; os.environ['x']; text.replace('a', 'b'); moment.replace(microsecond=0)"))
    assert not list(effects_in("from imagebatch.effects import seams; seams.disk.open('x', 0); f = seams.disk.unlink"))
    assert not list(effects_in("import asyncio; asyncio.gather(x); asyncio.sleep(0)"))
    assert not list(effects_in("import sqlite3; connection: sqlite3.Connection = x"))
    assert not list(effects_in("from imagebatch.http.client import Client; project.home; getattr(x, 'code')"))
    assert not list(effects_in("def f(time, signal): return time.time + signal.alarm"))
