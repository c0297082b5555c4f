"""Finds in a module's text what touches the world by itself: files, clock, chance, network, processes, databases.

Names are followed to what they were imported as, under whatever name, and only what is listed here as harmless may be
imported. What cannot be followed (a module handed on as a value, a wildcard, a name made at run time) counts as an
effect. Paths and loops are values, so what they do is known by its name, called or not.
"""

import ast
from collections.abc import Iterator, Mapping
from typing import TypeGuard

PACKAGE = "imagebatch"
WHOLE = frozenset(
    {
        "base64", "binascii", "collections", "collections.abc", "contextlib", "csv", "dataclasses", "decimal",
        "difflib", "errno", "fnmatch", "functools", "gc", "hashlib", "hmac", "html", "idna",
        "ipaddress", "itertools", "json",
        "json.encoder", "keyword", "markupsafe", "marshal", "math", "pydantic", "pydantic_core", "queue", "re",
        "rich.text", "shlex", "stat", "statistics", "struct", "types", "typing", "unicodedata", "urllib.parse",
        "yaml", "zlib",
    }
)  # fmt: skip
"""Modules of which nothing touches the world."""
PARTS: Mapping[str, frozenset[str]] = {
    "PIL": frozenset(),
    "asyncio": frozenset(
        {
            "AbstractEventLoop", "CancelledError", "Event", "FIRST_COMPLETED", "Future", "Lock", "Semaphore", "Task",
            "TaskGroup", "create_task", "gather", "get_running_loop", "shield", "timeout", "wait", "wait_for",
        }
    ),
    "click": frozenset(
        {
            "Abort", "Choice", "Command", "Context", "Group", "HelpFormatter", "IntRange", "Option", "ParamType",
            "Parameter", "UsageError", "argument", "command", "core", "format_filename", "get_current_context",
            "group", "option", "shell_completion",
        }
    ),
    "click.core": frozenset({"ParameterSource"}),
    "click.shell_completion": frozenset({"BashComplete", "CompletionItem", "get_completion_class"}),
    "concurrent.futures": frozenset({"Future"}),
    "datetime": frozenset({"UTC", "datetime"}),
    "httpx": frozenset(
        {
            "AsyncBaseTransport", "ConnectError", "ConnectTimeout", "HTTPError", "PoolTimeout", "ProxyError", "Request",
            "Response", "TimeoutException", "UnsupportedProtocol", "URL",
        }
    ),
    "httpx._utils": frozenset({"URLPattern"}),
    "importlib": frozenset(),
    "importlib.metadata": frozenset({"PackageNotFoundError", "entry_points", "requires", "version"}),
    "io": frozenset({"BytesIO", "SEEK_END", "SEEK_SET", "StringIO"}),
    "jinja2": frozenset({"DictLoader", "Environment", "StrictUndefined"}),
    "logging": frozenset({"WARNING", "getLogger"}),
    "os": frozenset({"environ", "pathsep", "stat_result"}),
    "os.path": frozenset({"abspath"}),
    "pathlib": frozenset({"Path", "PurePosixPath"}),
    "rich.console": frozenset({"Console", "Group"}),
    "rich.live": frozenset(),
    "signal": frozenset({"SIGHUP", "SIGINT", "SIGKILL", "SIGTERM", "Signals"}),
    "sqlite3": frozenset({"Connection", "DatabaseError", "Error", "OperationalError"}),
    "ssl": frozenset({"SSLCertVerificationError", "SSLError"}),
    "stamina": frozenset(),
    "stamina.instrumentation": frozenset({"set_on_retry_hooks"}),
    "starlette.applications": frozenset({"Starlette"}),
    "starlette.requests": frozenset({"Request"}),
    "starlette.responses": frozenset({"JSONResponse", "Response"}),
    "starlette.routing": frozenset({"Route"}),
    "starlette.types": frozenset({"ASGIApp", "Message", "Receive", "Scope", "Send"}),
    "subprocess": frozenset({"TimeoutExpired"}),
    "sys": frozenset({"executable", "path"}),
    "threading": frozenset({"Lock"}),
    "tomllib": frozenset({"TOMLDecodeError", "loads"}),
}  # fmt: skip
"""Modules that touch the world, or can, each with what of it does not. Any other module is refused."""
TYPES = frozenset({"sqlite3.Connection", "rich.console.Console"})
"""Harmless as the name of a type; made, they touch the world."""
BUILT_IN = frozenset(
    {"__builtins__", "__import__", "breakpoint", "compile", "eval", "exec", "globals", "input", "locals", "open"}
)
METHODS = frozenset(
    {
        # of a path
        "absolute", "chmod", "copy_into", "cwd", "exists", "expanduser", "glob", "hardlink_to", "is_block_device",
        "is_char_device", "is_dir", "is_fifo", "is_file", "is_junction", "is_mount", "is_socket", "is_symlink",
        "iterdir", "lchmod", "link_to", "lstat", "mkdir", "move_into", "open", "read_bytes", "read_text", "readlink",
        "rename", "resolve", "rglob", "rmdir", "samefile", "stat", "symlink_to", "touch", "unlink", "walk",
        "write_bytes", "write_text",
        # of a loop
        "add_reader", "add_signal_handler", "add_writer", "connect_accepted_socket", "connect_read_pipe",
        "connect_write_pipe", "create_connection", "create_datagram_endpoint", "create_server",
        "create_unix_connection", "create_unix_server", "getaddrinfo", "getnameinfo", "run_in_executor", "sendfile",
        "set_default_executor", "sock_accept", "sock_connect", "sock_recv", "sock_sendall", "sock_sendfile",
        "start_tls", "subprocess_exec", "subprocess_shell",
        # of a date
        "now", "today", "utcnow",
    }
)  # fmt: skip
"""What a path, a loop or a date does to the world or hears of it, whatever it is called."""
AMBIGUOUS = frozenset({"home", "replace"})
"""Of a path it is an effect, of other things it is none: told apart by how it is called."""


def effects_in(source: str) -> Iterator[tuple[int, str]]:
    """(line, what) for whatever in a module's text touches the world by itself."""
    tree = ast.parse(source)
    names = dict(_imported(tree))
    inner = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    quiet = {id(node.func) for node in ast.walk(tree) if _takes_no_time(node, names)}
    for node in ast.walk(tree):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            yield from _import(node)
        elif isinstance(node, (ast.Name, ast.Attribute)) and id(node) not in quiet:
            what = None if id(node) in inner else _touched(_dotted(node, names))
            what = what or _by_name(node, names, called=id(node) in called)
            if what is not None:
                yield node.lineno, what
        elif isinstance(node, ast.Call):
            yield from _call(node, names)


def modules_in(source: str) -> Iterator[str]:
    """What a module's text imports, and what it imports from."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (one.name for one in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{one.name}" for one in node.names)


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


def _import(node: ast.Import | ast.ImportFrom) -> Iterator[tuple[int, str]]:
    """What of an import is not known to be harmless."""
    if isinstance(node, ast.Import):
        for one in node.names:
            if not _is_known(one.name):
                yield node.lineno, one.name
        return
    for one in node.names:
        whole = f"{node.module}.{one.name}"
        if node.level or one.name == "*":
            yield node.lineno, f"{'.' * node.level}{node.module or ''}.{one.name}"
        elif not _is_known(whole) and (what := _touched(whole)) is not None:
            yield node.lineno, what


def _is_known(module: str) -> bool:
    ours = module.partition(".")[0] == PACKAGE
    return _behind(module) is None if ours else module in WHOLE or module in PARTS


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
    """What of a module a name is; None for what has no effect."""
    if not dotted:
        return None
    parts = dotted.split(".")
    if parts[0] == PACKAGE:
        return _behind(dotted)
    for count in range(len(parts), 0, -1):
        module = ".".join(parts[:count])
        if module in WHOLE:
            return None
        if module in PARTS:
            name = parts[count] if count < len(parts) else ""
            # A module by itself can be handed on, and then nobody sees what is called of it.
            return None if name in PARTS[module] else f"{module}.{name}" if name else f"{module}, handed on"
    return dotted


def _behind(dotted: str) -> str | None:
    """What stands behind a seam, or a module that another one imported, named as a part of the package."""
    parts = dotted.split(".")[1:]
    is_plain = parts[:1] == ["effects"] and any(part.startswith("Plain") for part in parts)
    return dotted if is_plain or any(part in PARTS for part in parts) else None


def _by_name(node: ast.Name | ast.Attribute, names: Mapping[str, str], *, called: bool) -> str | None:
    """What has an effect by its last name alone, called or handed on."""
    if isinstance(node, ast.Name):
        return node.id if node.id in BUILT_IN and node.id not in names else None
    if _dotted(node, names).startswith(f"{PACKAGE}.effects."):
        return None  # it goes through a seam
    if node.attr in METHODS or (node.attr == "replace" and not called):
        return ast.unparse(node)
    return None


def _call(node: ast.Call, names: Mapping[str, str]) -> Iterator[tuple[int, str]]:
    """What has an effect only by how it is called."""
    function, arguments = node.func, [keyword.arg for keyword in node.keywords]
    if _dotted(function, names) in TYPES:
        yield node.lineno, _dotted(function, names)
    elif isinstance(function, ast.Name) and function.id == "getattr" and "getattr" not in names:
        named = node.args[1] if len(node.args) > 1 else None
        if isinstance(named, ast.Constant) and named.value in METHODS | AMBIGUOUS:
            yield node.lineno, f"getattr {named.value}"
    elif isinstance(function, ast.Attribute) and not _dotted(function, names).startswith(f"{PACKAGE}.effects."):
        is_move = function.attr == "replace" and ((len(node.args) == 1 and not arguments) or "target" in arguments)
        if is_move or (function.attr == "home" and not node.args and not arguments):
            yield node.lineno, ast.unparse(function)
