"""Finds in a module's text what touches the world by itself: files, clock, chance, network, processes, databases.

Names are followed to what they were imported as, under whatever name. What cannot be followed (a module handed on as
a value, a wildcard, a name made at run time) counts as an effect.
"""

import ast
from collections.abc import Iterator, Mapping
from typing import TypeGuard

# Modules that touch the world, each with what of it does not.
EFFECTFUL: Mapping[str, frozenset[str]] = {
    "os": frozenset({"environ", "path", "pathsep", "PathLike", "fspath", "stat_result"}),
    "os.path": frozenset({"abspath", "join", "normpath"}),
    "time": frozenset(),
    "random": frozenset(),
    "secrets": frozenset(),
    "uuid": frozenset({"UUID"}),
    "socket": frozenset(),
    "socketserver": frozenset(),
    "ssl": frozenset({"SSLContext", "SSLError", "SSLCertVerificationError", "create_default_context"}),
    "subprocess": frozenset({"TimeoutExpired"}),
    "shutil": frozenset(),
    "tempfile": frozenset(),
    "threading": frozenset({"Lock"}),
    "signal": frozenset({"SIGINT", "SIGTERM", "SIGHUP", "SIGKILL", "Signals"}),
    "asyncio": frozenset(
        {
            "AbstractEventLoop", "CancelledError", "Event", "FIRST_COMPLETED", "Future", "Lock", "Queue", "Semaphore",
            "Task", "TaskGroup", "TimeoutError", "create_task", "current_task", "ensure_future", "gather",
            "get_running_loop", "shield", "timeout", "timeout_at", "wait", "wait_for", "wrap_future",
        }
    ),
    "concurrent.futures": frozenset({"Future"}),
    "multiprocessing": frozenset(),
    "fcntl": frozenset(),
    "filelock": frozenset(),
    "select": frozenset(),
    "selectors": frozenset(),
    "platform": frozenset(),
    "sqlite3": frozenset({"Connection", "Cursor", "Error", "DatabaseError", "OperationalError"}),
    "io": frozenset({"BytesIO", "StringIO", "SEEK_END", "SEEK_SET", "TextIOBase", "TextIOWrapper"}),
    "codecs": frozenset({"BOM_UTF8"}),
    "glob": frozenset(),
    "fileinput": frozenset(),
    "linecache": frozenset(),
    "mmap": frozenset(),
    "ctypes": frozenset(),
    "posix": frozenset(),
    "nt": frozenset(),
    "pty": frozenset(),
    "atexit": frozenset(),
    "webbrowser": frozenset(),
    "getpass": frozenset(),
    "builtins": frozenset(),
    "importlib": frozenset({"metadata"}),
    "importlib.metadata": frozenset({"PackageNotFoundError", "entry_points", "requires", "version"}),
    "runpy": frozenset(),
    "urllib.request": frozenset(),
    "http.client": frozenset(),
    "http.server": frozenset(),
    "requests": frozenset(),
    "httpx": frozenset(
        {
            "AsyncBaseTransport", "ConnectError", "ConnectTimeout", "Headers", "HTTPError", "InvalidURL", "PoolTimeout",
            "ProxyError", "RemoteProtocolError", "Request", "Response", "TimeoutException", "TransportError",
            "UnsupportedProtocol", "URL",
        }
    ),
    "aiohttp": frozenset({"ClientError", "ClientResponse"}),
}  # fmt: skip
CLOCKS = frozenset(f"datetime.{one}.{name}" for one in ("datetime", "date") for name in ("now", "today", "utcnow"))
BUILT_IN = frozenset({"open", "input", "exec", "eval", "compile", "__import__", "breakpoint"})
METHODS = frozenset(
    {
        "absolute", "chmod", "exists", "expanduser", "glob", "hardlink_to", "is_dir", "is_file", "is_symlink",
        "iterdir", "lchmod", "lstat", "mkdir", "open", "read_bytes", "read_text", "readlink", "rename", "resolve",
        "rglob", "rmdir", "run_in_executor", "samefile", "stat", "symlink_to", "touch", "unlink", "write_bytes",
        "write_text",
    }
)  # fmt: skip
"""What a path or a loop does to the world, whatever it is called."""


def effects_in(source: str) -> Iterator[tuple[int, str]]:
    """(line, what) for whatever in a module's text touches the world by itself."""
    tree = ast.parse(source)
    names = dict(_imported(tree))
    passed = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    passed |= {id(node.func) for node in ast.walk(tree) if _takes_no_time(node, names)}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and not node.level:
            yield from _from(node)
        elif isinstance(node, (ast.Name, ast.Attribute)) and id(node) not in passed:
            what = _touched(_dotted(node, names))
            if what is not None:
                yield node.lineno, what
        elif isinstance(node, ast.Call):
            yield from _call(node, names)


def _takes_no_time(node: ast.AST, names: Mapping[str, str]) -> TypeGuard[ast.Call]:
    """`asyncio.sleep(0)` lets others go on, and that is all."""
    return isinstance(node, ast.Call) and ast.unparse(node) == "asyncio.sleep(0)" and names.get("asyncio") == "asyncio"


def _imported(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """What each imported name stands for."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for one in node.names:
                yield (one.asname, one.name) if one.asname else (one.name.partition(".")[0],) * 2
        elif isinstance(node, ast.ImportFrom) and not node.level:
            for one in node.names:
                yield one.asname or one.name, f"{node.module}.{one.name}"


def _from(node: ast.ImportFrom) -> Iterator[tuple[int, str]]:
    for one in node.names:
        if one.name == "*":
            if node.module in EFFECTFUL:
                yield node.lineno, f"{node.module}.*"
        elif f"{node.module}.{one.name}" not in EFFECTFUL:
            what = _touched(f"{node.module}.{one.name}")
            if what is not None:
                yield node.lineno, what


def _dotted(node: ast.expr, names: Mapping[str, str]) -> str:
    """The whole name that a chain of names stands for; empty for what was not imported."""
    rest: list[str] = []
    while isinstance(node, ast.Attribute):
        rest.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name) or node.id not in names:
        return ""
    return ".".join([names[node.id], *reversed(rest)])


def _touched(dotted: str) -> str | None:
    """What of an effectful module a name is; None for what has no effect."""
    if dotted in CLOCKS:
        return dotted
    parts = dotted.split(".")
    for count in range(len(parts), 0, -1):
        module = ".".join(parts[:count])
        if module in EFFECTFUL:
            name = parts[count] if count < len(parts) else ""
            # A module by itself can be handed on, and then nobody sees what is called of it.
            return None if name in EFFECTFUL[module] else f"{module}.{name}" if name else f"{module}, handed on"
    return None


def _call(node: ast.Call, names: Mapping[str, str]) -> Iterator[tuple[int, str]]:
    function = node.func
    if isinstance(function, ast.Name) and function.id in BUILT_IN and function.id not in names:
        yield node.lineno, function.id
    if not isinstance(function, ast.Attribute):
        return
    name, owner = function.attr, ast.unparse(function.value)
    if owner.startswith("seams.") or _touched(_dotted(function, names)) is not None:
        return  # it goes through a seam, or was told of already
    if name in METHODS or (name == "replace" and len(node.args) == 1 and not node.keywords):
        yield node.lineno, f"{owner}.{name}"
