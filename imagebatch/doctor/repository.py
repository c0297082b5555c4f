"""What git has of the project: the receipt has to be there, keys and `.imagebatch/` must not be."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from imagebatch.doctor.probes import Said, git, has_git
from imagebatch.effects.files import exists
from imagebatch.pipeline.doctor import Finding
from imagebatch.state.lockfile import LOCK_NAME
from imagebatch.state.store import FOLDER

_NO_REPOSITORY: Final = "not a git repository"
_SHOWN: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    """What git says: `ignored`, `tracked`, `changed` speak of the lock, whose pictures are all `simulated` or not."""

    lock: bool
    simulated: bool = False
    ignored: bool = False
    tracked: bool = False
    changed: bool = False
    private: tuple[str, ...] = ()
    environments: tuple[str, ...] = ()
    keys: tuple[tuple[str, str], ...] = ()


def findings(root: Path, keys: Mapping[str, str], *, simulated: bool) -> Iterator[Finding]:
    """Ask git; `keys` are values by the names of their variables, looked for in what is committed.

    `simulated` says of the lock's pictures that none was drawn for money.
    """
    if not has_git():
        yield Finding(
            check="git", state="look", text="git is not installed, so nobody keeps the lock", hint="install git"
        )
        return
    inside = git(root, "rev-parse", "--is-inside-work-tree")
    if inside.code != 0 and _NO_REPOSITORY not in inside.err:
        text = f"git: cannot be asked here: {' '.join(inside.err.split())[:300]}"
        yield Finding(check="git", state="look", text=text, hint="git status")
        return
    if inside.code != 0:
        text = f"the project is in no git repository; {LOCK_NAME} is the receipt for what you pay"
        yield Finding(check="git", state="look", text=text, hint=f"git init && git add imagebatch.yaml {LOCK_NAME}")
        return
    yield from judge_repository(_seen(root, keys, simulated=simulated))


def _seen(root: Path, keys: Mapping[str, str], *, simulated: bool) -> Repository:
    return Repository(
        simulated=simulated,
        lock=exists(root / LOCK_NAME),
        ignored=git(root, "check-ignore", "-q", LOCK_NAME).code == 0,
        tracked=git(root, "ls-files", "--error-unmatch", LOCK_NAME).code == 0,
        changed=bool(git(root, "status", "--porcelain", "--", LOCK_NAME).out.strip()),
        private=_lines(git(root, "ls-files", "-z", "--", FOLDER)),
        environments=_lines(git(root, "ls-files", "-z", "--", ".env", ".env.*", "*.env")),
        keys=tuple((name, path) for name, value in keys.items() for path in _committed(root, value)),
    )


def _committed(root: Path, value: str) -> tuple[str, ...]:
    """Tracked files that hold this value. It goes to git by its standard input: everybody can read command lines."""
    if "\n" in value:
        return ()
    return _lines(git(root, "grep", "-z", "-l", "-F", "-f", "-", given=value + "\n"))


def _lines(done: Said) -> tuple[str, ...]:
    return tuple(path for path in done.out.split("\0") if path) if done.code == 0 else ()


def judge_repository(seen: Repository) -> Iterator[Finding]:
    """What git's answers mean; pure."""
    for name, path in seen.keys:
        text = f"git: {path} is tracked, and holds the value of {name}: whoever reads the repository can pay with it"
        hint = f"take the key back at the provider, then: git rm --cached {path}"
        yield Finding(check="git.keys", state="bad", text=text, hint=hint)
    if seen.private:
        text = (
            f"git: {_named(seen.private)} of this checkout's own state tracked; it would overwrite another checkout's"
        )
        yield Finding(check="git.private", state="bad", text=text, hint=f"git rm -r --cached {FOLDER}")
    for path in seen.environments:
        text = f"git: {path} is tracked; files of that name usually hold keys"
        yield Finding(check="git.keys", state="look", text=text, hint=f"git rm --cached {path}, if it does")
    yield _receipt(seen)


def _receipt(seen: Repository) -> Finding:
    if seen.ignored and seen.simulated:
        text = (
            f"git: {LOCK_NAME} is ignored; all that it names is simulated, so nothing that was paid depends on it yet"
        )
        hint = f"before you draw for money: git add -f {LOCK_NAME}, and mend .gitignore"
        return Finding(check="git.lock", state="look", text=text, hint=hint)
    if seen.ignored:
        text = (
            f"git: {LOCK_NAME} is ignored; it is the receipt, and without it everything would be paid again elsewhere"
        )
        return Finding(check="git.lock", state="bad", text=text, hint=f"git add -f {LOCK_NAME}, and mend .gitignore")
    if not seen.lock:
        return Finding(check="git.lock", state="ok", text=f"git: no {LOCK_NAME} yet")
    if not seen.tracked:
        text = f"git: {LOCK_NAME} is not committed; it is the receipt for what you paid"
        return Finding(check="git.lock", state="look", text=text, hint=f"git add {LOCK_NAME}")
    if seen.changed:
        text = f"git: {LOCK_NAME} has changes that are not committed"
        return Finding(check="git.lock", state="look", text=text, hint=f"git commit {LOCK_NAME}")
    return Finding(check="git.lock", state="ok", text=f"git: {LOCK_NAME} is committed as it stands")


def _named(paths: tuple[str, ...]) -> str:
    more = f" and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else ""
    return f"{', '.join(paths[:_SHOWN])}{more}{' is' if len(paths) == 1 else ' are'}"
