"""How a text came to be another one, word by word. Pure."""

import re
from difflib import SequenceMatcher
from typing import Final, Literal, NamedTuple

# Finding the shortest way is quadratic in the number of words; a longer text is shown as replaced whole.
MOST_WORDS: Final = 600
_PIECES: Final = re.compile(r"\s+|\w+|[^\w\s]")


class Piece(NamedTuple):
    """A stretch of text that stayed, came or went."""

    how: Literal["same", "added", "gone"]
    text: str


def reworded(before: str, after: str) -> tuple[Piece, ...]:
    """The pieces of which both texts are made; without `gone` they are `after`, without `added` they are `before`."""
    if before == after:
        return _pieces(("same", after))
    old, new = _PIECES.findall(before), _PIECES.findall(after)
    if max(len(old), len(new)) > MOST_WORDS:
        return _pieces(("gone", before), ("added", after))
    found: list[tuple[Literal["same", "added", "gone"], str]] = []
    for word, start, stop, begin, end in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if word == "equal":
            found.append(("same", "".join(old[start:stop])))
        else:
            found += [("gone", "".join(old[start:stop])), ("added", "".join(new[begin:end]))]
    return _pieces(*found)


def _pieces(*found: tuple[Literal["same", "added", "gone"], str]) -> tuple[Piece, ...]:
    return tuple(Piece(how, text) for how, text in found if text)
