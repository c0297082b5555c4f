"""The problems found so far: everything is gathered, and raised in one go."""

from collections.abc import Iterable

from imagebatch.errors import ManifestError, Problem, Severity
from imagebatch.model.variant import Place

MAX_KEPT = 500


class Findings:
    """Collects problems of all files; keeps the first `MAX_KEPT` errors and counts the rest."""

    def __init__(self) -> None:
        self._errors: dict[Problem, None] = {}
        self._warnings: dict[Problem, None] = {}
        self._dropped = 0
        self._count = 0
        self._silenced: set[str] = set()

    def silence(self, code: str) -> None:
        """Keep no problem of this code from now on: whether there is one depends on what is wrong already."""
        self._silenced.add(code)

    def add(
        self,
        code: str,
        summary: str,
        detail: str = "",
        *,
        place: Place | None = None,
        path: str | None = None,
        hint: str | None = None,
        address: str | None = None,
        severity: Severity = "error",
    ) -> None:
        """Note one problem; `place` wins over `path`, which names a file without a line."""
        problem = Problem(
            code=code,
            summary=summary,
            detail=detail,
            path=place.path if place else path,
            line=place.line if place else None,
            column=place.column if place else None,
            hint=hint,
            address=address,
            severity=severity,
        )
        kept = self._errors if severity == "error" else self._warnings
        self._count += severity == "error"
        if code in self._silenced:
            return
        if len(kept) < MAX_KEPT or problem in kept:
            kept[problem] = None
        else:
            self._dropped += 1

    def extend(self, problems: Iterable[Problem]) -> None:
        """Note problems that were found elsewhere."""
        for problem in problems:
            (self._errors if problem.severity == "error" else self._warnings)[problem] = None

    @property
    def failed(self) -> bool:
        """Whether anything but warnings was found."""
        return bool(self._errors)

    @property
    def count(self) -> int:
        """How often an error was found, the same one again and those that are not kept included."""
        return self._count

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """The warnings, by place."""
        return tuple(sorted(self._warnings, key=_by_place))

    def check(self) -> None:
        """Raise what was found.

        Raises ManifestError with all errors, sorted by file and line.
        """
        if self._errors:
            raise ManifestError(self._sorted())

    def _sorted(self) -> Iterable[Problem]:
        yield from sorted(self._errors, key=_by_place)
        if self._dropped:
            yield Problem(code="manifest.more", summary="more problems", detail=f"{self._dropped} more are not shown.")


def _by_place(problem: Problem) -> tuple[str, int, int, str]:
    return (problem.path or "", problem.line or 0, problem.column or 0, problem.code)
