"""Every error that imagebatch raises on purpose.

    ImagebatchError                 exit 1
    ├── ManifestError               exit 1   bad text from the user; carries every problem at once
    ├── PlanError                   exit 1   the world cannot be planned (too many variants, unknown selector)
    ├── StateError                  exit 1   lock, journal or lease cannot be read or written
    ├── ProviderError               exit 1   a provider is not usable at all (no key, wrong address)
    ├── OutputError                 exit 1   a file cannot be written or does not hold a picture
    ├── RefusedError                exit 4   a brake, a stale plan, a missing yes, a host not trusted, a held lease
    └── UsageError                  exit 64  the command line cannot be understood

A failed picture is a value (`model.generation.Failure`), never one of these.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

EXIT_OK = 0
EXIT_ERROR = 1
EXIT_CHANGES = 2
EXIT_FAILED = 3
EXIT_REFUSED = 4
EXIT_UNPICKED = 5
EXIT_USAGE = 64
EXIT_PENDING = 75
EXIT_INTERRUPTED = 130
EXIT_TERMINATED = 143

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong, with its place.

    `code` is stable and dotted (`manifest.unknown_key`); `summary` is a fixed phrase without user text;
    `detail` says in full sentences what is wrong and why it matters; `hint` is an imperative, a command where
    there is one. `line` and `column` count from 1. `path` is relative to the project's root, with `/`.
    """

    code: str
    summary: str
    detail: str = ""
    path: str | None = None
    line: int | None = None
    column: int | None = None
    address: str | None = None
    hint: str | None = None
    severity: Severity = "error"

    @property
    def place(self) -> str:
        """`path:line:column`, as much of it as is known, else the address, else nothing."""
        if self.path is None:
            return self.address or ""
        parts = [self.path, *(str(n) for n in (self.line, self.column) if n is not None)]
        return ":".join(parts)


class ImagebatchError(Exception):
    """An error with a clear message.

    `summary` is a fixed phrase; `detail` holds full sentences; `hints` are imperatives;
    `code` is the dotted name that JSON output carries.
    """

    exit_code = EXIT_ERROR
    default_code = "error"

    def __init__(
        self,
        summary: str,
        detail: str = "",
        *,
        hints: Sequence[str] = (),
        code: str | None = None,
        path: str | None = None,
        line: int | None = None,
        column: int | None = None,
        address: str | None = None,
    ) -> None:
        super().__init__(summary if not detail else f"{summary}: {detail}")
        self.summary = summary
        self.detail = detail
        self.hints = tuple(hints)
        self.code = code or self.default_code
        self.path = path
        self.line = line
        self.column = column
        self.address = address

    @property
    def problems(self) -> tuple[Problem, ...]:
        """This error as a list of problems: one, unless a subclass carries more."""
        return (
            Problem(
                code=self.code,
                summary=self.summary,
                detail=self.detail,
                path=self.path,
                line=self.line,
                column=self.column,
                address=self.address,
                hint=self.hints[0] if self.hints else None,
            ),
        )


class ManifestError(ImagebatchError):
    """The project's own files are wrong; every problem of every file is in `problems`."""

    default_code = "manifest"

    def __init__(self, problems: Iterable[Problem]) -> None:
        found = tuple(problems)
        if not found:
            raise ValueError("a ManifestError needs at least one problem")
        first = found[0]
        super().__init__(first.summary, first.detail, code=first.code)
        self._problems = found

    @property
    def problems(self) -> tuple[Problem, ...]:
        """All problems, in the order of files and lines."""
        return self._problems


class PlanError(ImagebatchError):
    """No plan can be made."""

    default_code = "plan"


class StateError(ImagebatchError):
    """Lock, journal or lease cannot be read or written."""

    default_code = "state"


class ProviderError(ImagebatchError):
    """A provider cannot be used at all: no key, no address, an answer that makes no sense."""

    default_code = "provider"


class OutputError(ImagebatchError):
    """A file cannot be written, or its bytes are not an allowed picture."""

    default_code = "output"


class RefusedError(ImagebatchError):
    """imagebatch could go on, and will not without a clear yes."""

    exit_code = EXIT_REFUSED
    default_code = "refused"


class UsageError(ImagebatchError):
    """The command line cannot be understood."""

    exit_code = EXIT_USAGE
    default_code = "usage"


def unnameable(name: str, encoding: str) -> OutputError:
    """The error for a file whose name has letters that this process, with its `encoding`, cannot be trusted with."""
    return OutputError(
        "file names are not written in UTF-8 here",
        f"The locale (LC_ALL, LC_CTYPE or LANG) has Python write the names of files in {encoding}, and {name} would "
        "have another name on disk, or none.",
        hints=("export PYTHONUTF8=1, or a locale such as LC_ALL=C.UTF-8, and run the same command",),
        code="system.encoding",
    )
