"""The user's own list of trusted hosts, in the user's configuration folder, never in a project."""

import json
from collections.abc import Mapping
from pathlib import Path

from imagebatch.effects import seams
from imagebatch.effects.disk import OVER, WINDOWS
from imagebatch.effects.files import make_folders, opened, read_bytes, write_whole
from imagebatch.errors import StateError, UsageError
from imagebatch.http.trust import Trust, parse_host_port, trust_of

FORMAT = "imagebatch-trust-1"


def config_folder(environ: Mapping[str, str]) -> Path:
    """The user's configuration folder of imagebatch: below `XDG_CONFIG_HOME`, `APPDATA` or `~/.config`.

    Raises StateError where the environment names no home.
    """
    for variable in ("XDG_CONFIG_HOME", "APPDATA"):
        value = environ.get(variable, "")
        if value and Path(value).is_absolute():
            return Path(value) / "imagebatch"
    home = environ.get("HOME") or environ.get("USERPROFILE")
    if not home:
        raise StateError("no home folder", "Neither HOME nor XDG_CONFIG_HOME is set.", code="trust.no_home")
    return Path(home) / ".config" / "imagebatch"


def trust_path(environ: Mapping[str, str]) -> Path:
    """The file that holds the trusted hosts."""
    return config_folder(environ) / "trusted-hosts.json"


def read_trust(environ: Mapping[str, str]) -> Trust:
    """What the user trusts: their file and `IMAGEBATCH_ALLOWED_HOSTS`.

    Raises StateError for a file that cannot be read or that others may write, UsageError for a bad host there.
    """
    entries = _entries(trust_path(environ)) if _has_home(environ) else {}
    try:
        return trust_of(entries, environ.get("IMAGEBATCH_ALLOWED_HOSTS", ""))
    except ValueError as error:
        raise UsageError(
            "a trusted host cannot be read",
            f"{error}.",
            hints=("write IMAGEBATCH_ALLOWED_HOSTS=host.example,other.example:8443",),
            code="trust.bad_host",
        ) from None


def add_trust(environ: Mapping[str, str], host: str, key: str | None = None) -> Path:
    """Trust `host[:port]`, and let the variable `key` go there too; gives the file that says so (mode 0600).

    Raises UsageError for a host or a variable name that is none, StateError where the file cannot be written.
    """
    try:
        name = parse_host_port(host)
    except ValueError as error:
        raise UsageError(
            "no host", f"{error}.", hints=("imagebatch providers trust hub.example.com",), code="trust.bad_host"
        ) from None
    if key is not None and not (key.isascii() and key.isidentifier()):
        raise UsageError("no variable name", f"{key!r} is no environment variable's name.", code="trust.bad_name")
    path = trust_path(environ)
    entries = {one: set(names) for one, names in _entries(path).items()}
    entries.setdefault(name, set()).update({key} if key else set())
    _write(path, {one: sorted(names) for one, names in sorted(entries.items())})
    return path


def _has_home(environ: Mapping[str, str]) -> bool:
    return any(environ.get(name) for name in ("XDG_CONFIG_HOME", "APPDATA", "HOME", "USERPROFILE"))


def _entries(path: Path) -> dict[str, list[str]]:
    try:
        mode = seams.disk.stat(path).st_mode
        content = json.loads(read_bytes(path))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise _unreadable(path, f"it cannot be read ({type(error).__name__})") from None
    if not WINDOWS and mode & 0o022:
        raise _unreadable(path, "others may write it, so it does not say what you trust")
    hosts = content.get("hosts") if isinstance(content, dict) and content.get("format") == FORMAT else None
    if not isinstance(hosts, dict) or not all(
        isinstance(names, list) and all(isinstance(name, str) for name in names) for names in hosts.values()
    ):
        raise _unreadable(path, "its content is not of this format")
    return hosts


def _write(path: Path, hosts: Mapping[str, list[str]]) -> None:
    temp = path.with_name(path.name + ".part")
    try:
        make_folders(path.parent, 0o700)
        with opened(temp, OVER, 0o600) as handle:
            write_whole(handle, f"{json.dumps({'format': FORMAT, 'hosts': hosts}, indent=1)}\n".encode())
            seams.disk.fsync(handle)
        seams.disk.chmod(temp, 0o600)
        seams.disk.replace(temp, path)
    except OSError as error:
        raise StateError(
            "the list of trusted hosts cannot be written", f"{path}: {error.strerror}.", code="trust.not_written"
        ) from None


def _unreadable(path: Path, why: str) -> StateError:
    return StateError(
        "the list of trusted hosts is not usable",
        f"{path}: {why}. Until that is mended no key goes to a host that it would name.",
        hints=(f"chmod 600 {path}, or remove it and trust the hosts again",),
        code="trust.unreadable",
    )
