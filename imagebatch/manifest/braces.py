"""Single braces around a name that templates know: `{season}` is not filled in, and most likely was meant to be."""

import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any, Final

from imagebatch.manifest.characters import quoted
from imagebatch.manifest.findings import Findings
from imagebatch.manifest.layers import Settled
from imagebatch.manifest.written import Value
from imagebatch.model.variant import Place

MAX_SAID: Final = 20
_SINGLE = re.compile(r"(?<![{$])\{ *([A-Za-z_]\w*(?:\.\w+)*) *\}(?!\})", re.ASCII)
_OPEN = re.compile(r"\{([{%#])")
_CLOSED_BY: Final = {"{": "}}", "%": "%}", "#": "#}"}
_RAW = re.compile(r"\{%[-+]? *raw *[-+]?%\}")
_END_RAW = re.compile(r"\{%[-+]? *endraw *[-+]?%\}")
_TEMPLATES: Final = (
    "prompt",
    "params",
    "vars",
    "name",
    "tags",
    "metadata",
    "references",
    "alt",
    "title",
    "output",
    "outputs",
)
_ALWAYS: Final = frozenset({"asset", "address"})
_IN_PATHS: Final = frozenset({"variant", "candidate", "ext"})
_PATHS: Final = frozenset({"output", "outputs"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """The names that the templates of one group see: its axes, the columns of its table, its variables."""

    axes: Collection[str]
    columns: Collection[str]
    variables: Collection[str]

    def meant(self, name: str, *, in_path: bool = False) -> str | None:
        """How a template writes what single braces name; None where it knows no such thing."""
        if name in self.axes or name in _ALWAYS or (in_path and name in _IN_PATHS):
            return name
        head, _, rest = name.partition(".")
        groups = {"axes": self.axes, "row": self.columns, "vars": self.variables}
        if head in groups and rest.partition(".")[0] in groups[head]:
            return name
        if head in self.columns:
            return f"row.{name}"
        return f"vars.{name}" if head in self.variables else None


def warn_of_braces(settled: Settled, place: Place, known: Callable[[], Known], findings: Findings) -> None:
    """Warn where a template of one group has single braces around a name that exists there.

    `known` is only asked where there are single braces at all; `place` is where the asset stands.
    """
    told = 0
    for what, text, where in _texts(settled, place):
        names = single_braces(text)
        for name in dict.fromkeys(name for name, _ in names):
            meant = known().meant(name, in_path=what in _PATHS)
            if meant is not None and told < MAX_SAID:
                told += 1
                note_braces(name, meant, where, findings)


def warn_of_braces_in_file(name: str, text: str, known: Callable[[], Known], findings: Findings) -> None:
    """The same for the file of a template."""
    for braced, at in single_braces(text)[:MAX_SAID]:
        meant = known().meant(braced)
        if meant is not None:
            before = text[:at]
            line, column = before.count("\n") + 1, at - before.rfind("\n")
            note_braces(braced, meant, Place(path=f"templates/{name}", line=line, column=column), findings)


def single_braces(text: str) -> list[tuple[str, int]]:
    """The names that stand in single braces outside of Jinja's own marks, and where."""
    if "{" not in text:
        return []
    return [(match[1], match.start()) for span in _outside(text) for match in _SINGLE.finditer(text, *span)]


def _outside(text: str) -> Iterator[tuple[int, int]]:
    """The parts of a text that are not Jinja's; a brace that is meant to stay is written inside one of Jinja's.

    By hand and not by one expression, which would take quadratic time where many marks never close.
    """
    at = 0
    while (opened := _OPEN.search(text, at)) is not None:
        yield at, opened.start()
        raw = _RAW.match(text, opened.start())
        if raw is not None:
            closed = _END_RAW.search(text, raw.end())
            at = len(text) if closed is None else closed.end()
        else:
            end = text.find(_CLOSED_BY[opened[1]], opened.end())
            at = len(text) if end < 0 else end + 2
    yield at, len(text)


def note_braces(name: str, meant: str, place: Place, findings: Findings) -> None:
    """Warn of one name."""
    findings.add(
        "manifest.not_rendered",
        "single braces are no template",
        f"{quoted('{' + name + '}')} stays as it is written, for every variant: templates take two braces.",
        place=place,
        severity="warning",
        hint=f"write {{{{ {meant} }}}}, or {{{{ '{{{name}}}' }}}} where the braces are meant",
    )


def _texts(settled: Settled, place: Place) -> Iterator[tuple[str, str, Place]]:
    for what in _TEMPLATES:
        for loc, text in _below(settled.values.get(what), ()):
            yield what, text, settled.place(what, *loc) or place
    for part in (*settled.prefixes, *settled.suffixes):
        yield "prompt", part.text, part.place


def _below(value: Value, loc: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], str]]:
    if isinstance(value, str):
        if "{" in value:
            yield loc, value
        return
    items: Any = ()
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    for step, item in items:
        yield from _below(item, (*loc, step))
