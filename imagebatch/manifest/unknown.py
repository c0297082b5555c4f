"""What templates cannot be given, because something about it is wrong: those that may need it are not rendered."""

import re
from collections.abc import Iterable
from typing import Final, Protocol, Self

_WORD = re.compile(r"[A-Za-z_]\w*", re.ASCII)
# A part that is taken in from another file may use whatever there is.
_OPEN: Final = frozenset({"include", "import"})


class Template(Protocol):
    """What is asked of a template: its source, or the text of its file, None where that cannot be read."""

    @property
    def kind(self) -> str:
        """How it is rendered; `file` for a file."""

    @property
    def source(self) -> str:
        """What was written."""

    @property
    def text(self) -> str | None:
        """What is in the file."""


class Unknown:
    """Names that templates see and of which nothing is known now; with `everything` that may be any name."""

    __slots__ = ("everything", "names")

    def __init__(self, names: Iterable[str] = (), *, everything: bool = False) -> None:
        self.names = frozenset(names)
        self.everything = everything

    def __bool__(self) -> bool:
        return self.everything or bool(self.names)

    def __or__(self, other: "Unknown") -> Self:
        return type(self)(self.names | other.names, everything=self.everything or other.everything)

    def reach(self, template: Template) -> bool:
        """Whether a template may need one of them; words of plain text count, because that can only say less."""
        source = template.text if template.kind == "file" else template.source
        if self.everything or (self and source is None):
            return True
        return bool(self) and not (self.names | _OPEN).isdisjoint(_WORD.findall(source or ""))


NOTHING: Final = Unknown()
VARIABLES: Final = Unknown({"vars"})
ROW: Final = Unknown({"row", "address", "variant"})
NAMES: Final = Unknown({"address", "variant"})
EVERYTHING: Final = Unknown(everything=True)
