"""Git, as far as runs on several machines share something through it: refs of a remote, and commits that hold bytes.

The working tree, the index, the branches and the configuration stay as they are; what is written are loose objects,
which git's own collector removes. A commit here has no parent, so that nothing grows on the remote.

What may decide here: the user's and the machine's configuration, and the checkout's own `.git/config` as far as git
needs it to reach its remote (addresses, `credential.*`, `http.*`, `core.sshCommand`). That file is no part of what is
cloned or pulled; who can write it runs code at the next `git push` of any person. What a *file of the repository* could
reach is shut: no hooks, no file-system monitor, no transport but the five that git trusts, no other server program.
"""

import os
import re
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, Protocol, Self

LONGEST_S: Final = 30.0
MOST_BYTES: Final = 64 * 1024 * 1024
MOST_SAID: Final = 20_000
_PART: Final = 64 * 1024
BUSY_PAUSES_S: Final = (0.0, 0.1, 0.5)  # a server that is busy with another push may refuse for that alone
CONTENT: Final = "content"
_OID = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_REF = re.compile(r"refs/imagebatch/[a-z]+/[0-9a-f]{32}")
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._/-]*")
_SCHEMES: Final = "file:git:http:https:ssh"
_SETTINGS: Final = (
    f"core.hooksPath={os.devnull}",
    "core.fsmonitor=false",
    "credential.interactive=false",
    "fetch.negotiationAlgorithm=noop",  # what is fetched has no past
    "gc.auto=0",
    "http.lowSpeedLimit=1",
    "http.lowSpeedTime=20",
    "maintenance.auto=false",
    "push.followTags=false",
    "push.gpgSign=false",
    "push.negotiate=false",
    "push.pushOption=",
    "push.recurseSubmodules=no",
    "transfer.bundleURI=false",
)
# Git and its helpers find people's identities and ways out by these; a provider's key is never among them.
_PASSED: Final = frozenset(
    {
        *("PATH", "HOME", "USER", "LOGNAME", "USERNAME", "TMPDIR", "TEMP", "TMP", "LD_LIBRARY_PATH"),
        *("XDG_CONFIG_HOME", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS", "SSH_AUTH_SOCK", "SSH_AGENT_PID"),
        *("APPDATA", "LOCALAPPDATA", "PROGRAMDATA", "PROGRAMFILES", "USERPROFILE", "HOMEDRIVE", "HOMEPATH"),
        *("SYSTEMROOT", "COMSPEC", "PATHEXT", "SSL_CERT_FILE", "SSL_CERT_DIR", "CURL_CA_BUNDLE"),
        *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "all_proxy", "no_proxy"),
        *("GH_TOKEN", "GH_HOST", "GITHUB_TOKEN", "GITHUB_SERVER_URL", "CI_JOB_TOKEN", "CI_SERVER_URL"),
        *("GIT_SSH", "GIT_SSH_COMMAND", "GIT_SSH_VARIANT", "GIT_ASKPASS", "GIT_EXEC_PATH", "GIT_PROXY_COMMAND"),
        *("GIT_SSL_CAINFO", "GIT_SSL_CAPATH", "GIT_SSL_NO_VERIFY", "GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM"),
        *("GIT_CONFIG_NOSYSTEM", "GIT_CONFIG_PARAMETERS"),
    }
)
_PASSED_TOO = re.compile(r"GIT_CONFIG_(?:COUNT|(?:KEY|VALUE)_[0-9]+)")

Fault = Literal["unusable", "remote", "unreachable", "denied", "corrupt"]


class GitFailed(Exception):
    """Git could not do it; the text says why, in git's own words where it had some.

    `fault`: there is no git or no repository here (`unusable`), no such remote or one that cannot serve (`remote`),
    nobody answered (`unreachable`), the remote takes no pushes of ours (`denied`), or what a ref holds is not what was
    put there (`corrupt`).
    """

    def __init__(self, fault: Fault, why: str) -> None:
        super().__init__(why)
        self.fault: Fault = fault


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """A ref of the remote from one commit to another; None where it does not exist before, or after."""

    ref: str
    expect: str | None
    to: str | None


class Git(Protocol):
    """What is shared through a remote. Every method may raise GitFailed."""

    def read_ref(self, ref: str) -> str | None:
        """The commit that a ref of the remote points at now; None where there is no such ref."""
        ...

    def push(self, moves: Sequence[Move], *, limit_s: float = LONGEST_S) -> bool:
        """Move refs of the remote, all or none; False where one of them was not where it was expected."""
        ...

    def commit(self, message: str, content: bytes = b"") -> str:
        """Make a commit of these bytes, without a parent; gives its id. Nothing points at it yet."""
        ...

    def read(self, ref: str, commit: str) -> tuple[str, bytes]:
        """Message and bytes of a commit that a ref of the remote points at."""
        ...


class PlainGit:
    """The git program in the repository around `root`, speaking to the remote of this name.

    Raises GitFailed (`unusable`, `remote`) where there is no git, no repository, or no such remote of one address.
    """

    def __init__(self, root: Path, remote: str, environ: Mapping[str, str]) -> None:
        program = shutil.which("git", path=environ.get("PATH"))
        if program is None:
            raise GitFailed("unusable", "there is no git program in PATH")
        self._program = program
        self._root = root
        self._environ = local_environment(environ)
        self._remote = remote
        self._url = self._address(remote)

    def remotes(self) -> tuple[str, ...]:
        """The names of the repository's remotes."""
        return tuple(self._text("remote").split())

    def read_ref(self, ref: str) -> str | None:
        """The commit that a ref of the remote points at now; None where there is no such ref."""
        return self._read_refs(_checked(ref)).get(ref)

    def push(self, moves: Sequence[Move], *, limit_s: float = LONGEST_S) -> bool:
        """Move refs of the remote, all or none; False where one of them was not where it was expected.

        Raises GitFailed: `denied` where the refs are where they were, and the remote will not have them moved.
        """
        leases = [f"--force-with-lease={_checked(move.ref)}:{move.expect or ''}" for move in moves]
        specs = [f"{move.to or ''}:{move.ref}" for move in moves]
        atomic = ["--atomic"] if len(moves) > 1 else []
        said = ""
        for pause_s in BUSY_PAUSES_S:
            time.sleep(pause_s)
            try:
                self._git(
                    "push", "--porcelain", "--no-verify", "--no-signed", "--no-recurse-submodules",
                    "--receive-pack=git-receive-pack", *atomic, *leases, "--", self._url, *specs, limit_s=limit_s,
                )  # fmt: skip
            except GitFailed as failed:
                said = str(failed)
            else:
                return True
            # Whatever was said, only the refs themselves tell what came of it: the answer alone may have been lost.
            found = self._read_refs(*(move.ref for move in moves))
            if all(found.get(move.ref) == move.to for move in moves):
                return True
            if any(found.get(move.ref) != move.expect for move in moves):
                return False
        raise GitFailed("denied", said)

    def commit(self, message: str, content: bytes = b"") -> str:
        """Make a commit of these bytes, without a parent; gives its id. Nothing points at it yet."""
        blob = _oid(self._text("hash-object", "-w", "--stdin", data=content))
        tree = _oid(self._text("mktree", data=f"100644 blob {blob}\t{CONTENT}\n".encode()))
        return _oid(self._text("commit-tree", tree, "-F", "-", data=message.encode()))

    def read(self, ref: str, commit: str) -> tuple[str, bytes]:
        """Message and bytes of a commit that a ref of the remote points at.

        Raises GitFailed: `corrupt` for a commit that is none of ours, or too large.
        """
        if not self._has(_oid(commit)):
            try:
                self._git(
                    "fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules",
                    "--upload-pack=git-upload-pack", "--", self._url, _checked(ref),
                )  # fmt: skip
            except GitFailed as failed:
                raise GitFailed("unreachable", str(failed)) from None
        try:
            message = self._git("cat-file", "commit", commit).decode("utf-8", "replace").partition("\n\n")[2]
            size = int(self._text("cat-file", "-s", f"{commit}:{CONTENT}"))
            content = self._git("cat-file", "blob", f"{commit}:{CONTENT}") if size <= MOST_BYTES else None
        except (GitFailed, ValueError) as failed:
            raise GitFailed("corrupt", f"what {ref} holds cannot be read: {failed}") from None
        if content is None:
            raise GitFailed("corrupt", f"{ref} holds {size} bytes")
        return message, content

    # The program ------------------------------------------------------------------------------------------------------

    def _address(self, remote: str) -> str:
        """Where the remote is pushed to; it is read there, too, so that both look at one place."""
        if not _NAME.fullmatch(remote) or remote not in self.remotes():
            known = ", ".join(self.remotes()) or "none"
            raise GitFailed("remote", f"this repository has no remote {remote[:60]!r} (it has: {known})")
        addresses = self._text("remote", "get-url", "--push", "--all", remote).splitlines()
        if len(addresses) != 1:
            raise GitFailed(
                "remote", f"the remote {remote} pushes to {len(addresses)} addresses, and one has to decide"
            )
        (address,) = addresses
        if not address or address.startswith("-") or re.match(r"[A-Za-z0-9+.-]+::", address):
            raise GitFailed("remote", f"the remote {remote} is reached by a helper program, which is not run here")
        return address

    def _read_refs(self, *refs: str) -> Mapping[str, str]:
        try:
            text = self._text("ls-remote", "--quiet", "--upload-pack=git-upload-pack", "--", self._url, *refs)
        except GitFailed as failed:
            raise GitFailed("unreachable", str(failed)) from None
        lines = (line.partition("\t") for line in text.splitlines())
        return {ref: _oid(commit) for commit, _, ref in lines if ref in refs}

    def _has(self, commit: str) -> bool:
        try:
            self._git("cat-file", "-e", f"{commit}^{{commit}}")
        except GitFailed:
            return False
        return True

    def _text(self, *words: str, data: bytes = b"") -> str:
        return self._git(*words, data=data).decode("utf-8", "replace").strip()

    def _git(self, *words: str, data: bytes = b"", limit_s: float = LONGEST_S) -> bytes:
        """Run git; its output, of bounded size and within bounded time. Raises GitFailed with what it said."""
        settings = [word for setting in _SETTINGS for word in ("-c", setting)]
        command = [self._program, "--no-pager", "--literal-pathspecs", *settings, "-C", str(self._root), *words]
        pipe = subprocess.PIPE
        # A session of its own: no terminal to ask at, and ctrl-C leaves a push whole.
        with subprocess.Popen(  # noqa: S603 - no shell; the words are ours, the address was checked
            command, stdin=pipe, stdout=pipe, stderr=pipe, env=self._environ, start_new_session=True
        ) as process:
            late = threading.Event()
            guard = threading.Timer(limit_s, _end, (process, late))
            with _Talk(process, data) as talk:
                guard.start()
                try:
                    out = talk.heard()
                    code = process.wait()
                finally:
                    guard.cancel()
                    if process.poll() is None:
                        _end(process, late)
        if late.is_set():
            raise GitFailed("unreachable", f"git {words[0]} gave no end within {limit_s:.0f} s")
        if code != 0 or len(out) > MOST_BYTES:
            raise GitFailed("unusable", _told(bytes(talk.said)) or f"git {words[0]} ended with {code}")
        return out


class _Talk:
    """What is said to git and by it, so that neither side waits for the other, and that nothing of it is endless."""

    def __init__(self, process: "subprocess.Popen[bytes]", data: bytes) -> None:
        self.said = bytearray()
        self._process = process
        self._threads = (
            threading.Thread(target=self._give, args=(data,), daemon=True),
            threading.Thread(target=self._listen, daemon=True),
        )

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        for thread in self._threads:
            thread.join()

    def heard(self) -> bytes:
        """All of its output, or a little more than is allowed."""
        stream = self._process.stdout
        return stream.read(MOST_BYTES + 1) if stream is not None else b""

    def _give(self, data: bytes) -> None:
        with suppress(OSError):  # it ended without reading
            if self._process.stdin is not None:
                self._process.stdin.write(data)
                self._process.stdin.close()

    def _listen(self) -> None:
        stream = self._process.stderr
        while stream is not None and (part := os.read(stream.fileno(), _PART)):
            self.said += part[: max(0, MOST_SAID - len(self.said))]


def _end(process: "subprocess.Popen[bytes]", late: threading.Event) -> None:
    """End git and what it started."""
    late.set()
    with suppress(OSError):
        if os.name == "nt":
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGKILL)


def local_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """What git is given of the environment: no provider's key, and nothing that asks at a terminal."""
    kept = {name: value for name, value in environ.items() if name in _PASSED or _PASSED_TOO.fullmatch(name)}
    nobody = {"NAME": "imagebatch", "EMAIL": "imagebatch@localhost", "DATE": "@0 +0000"}
    return {
        "GIT_ASKPASS": "",
        **kept,
        "GIT_TERMINAL_PROMPT": "0",
        "GCM_INTERACTIVE": "never",
        "SSH_ASKPASS_REQUIRE": "never",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_ALLOW_PROTOCOL": _SCHEMES,
        "GIT_NO_REPLACE_OBJECTS": "1",
        "LC_ALL": "C",
        **{f"GIT_{role}_{part}": value for role in ("AUTHOR", "COMMITTER") for part, value in nobody.items()},
    }


def _checked(ref: str) -> str:
    if not _REF.fullmatch(ref):
        raise ValueError(f"{ref!r} is no ref of ours")
    return ref


def _oid(text: str) -> str:
    if not _OID.fullmatch(text):
        raise GitFailed("corrupt", f"git answered {text[:80]!r} where an id was expected")
    return text


def _told(said: bytes) -> str:
    """What git said, in one line, without its advice."""
    lines = [line.strip() for line in said.decode("utf-8", "replace").splitlines()]
    kept = [line for line in lines if line and not line.startswith("hint:")]
    return "; ".join(kept)[:400]
