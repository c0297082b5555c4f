"""Reading a manifest's params: types, ranges, and the nearest known name, in one collecting reader."""

import re
from collections.abc import Collection, Mapping, Sequence

from imagebatch.model.canonical import MAX_SAFE_INTEGER, Json
from imagebatch.model.capabilities import ParamFate, ParamNote, ParamProblem

_INTEGER = re.compile(r"\s*([+-]?[0-9]{1,18})(?:\.0+)?\s*", re.ASCII)
_ASSET_KEYS = {
    "name": "name", "tags": "tags", "metaData": "metadata", "metadata": "metadata", "prompt": "prompt",
    "references": "references", "image": "references", "images": "references",
}  # fmt: skip


def nearest(word: str, known: Collection[str]) -> str | None:
    """The known name that `word` was probably meant to be, else None."""
    from difflib import get_close_matches

    folded = {name.casefold().replace("_", ""): name for name in known}
    exact = folded.get(word.casefold().replace("_", "").replace("-", ""))
    if exact is not None:
        return exact
    found = get_close_matches(word, list(known), n=1, cutoff=0.6)
    return found[0] if found else None


class ParamReader:
    """Takes params one by one and keeps what is wrong with them and what becomes of them.

    A param that is null counts as left out: a manifest takes back a default that way.
    """

    __slots__ = ("_left", "notes", "problems")

    def __init__(self, params: Mapping[str, Json]) -> None:
        self._left = dict(params)
        self.problems: list[ParamProblem] = []
        self.notes: list[ParamNote] = []

    def take(self, name: str) -> Json:
        """The param's raw value, None where it is left out; it counts as read."""
        return self._left.pop(name, None)

    def peek(self, name: str) -> Json:
        """The param's raw value, left unread."""
        return self._left.get(name)

    def put_back(self, name: str, value: Json) -> None:
        """Give a value that was found under another spelling its right name."""
        self._left[name] = value

    def rest(self) -> dict[str, Json]:
        """What nobody has taken so far, in the manifest's order, nulls left out; it counts as read."""
        found: dict[str, Json] = {name: value for name, value in self._left.items() if value is not None}
        self._left.clear()
        return found

    def note(self, name: str, fate: ParamFate = "sent", why: str = "") -> None:
        """Say what becomes of a param."""
        self.notes.append(ParamNote(name=name, fate=fate, why=why))

    def error(self, name: str, message: str, *, code: str = "manifest.range", hint: str | None = None) -> None:
        """Say that a param cannot be sent."""
        self.problems.append(ParamProblem(name=name, message=message, code=code, hint=hint))

    def warn(self, name: str, message: str, *, code: str = "provider.limit", hint: str | None = None) -> None:
        """Say that a param is doubtful, and goes out all the same."""
        self.problems.append(ParamProblem(name=name, message=message, code=code, severity="warning", hint=hint))

    def limit(self, name: str, message: str, *, strict: bool, hint: str | None = None) -> None:
        """An error where the provider's limits bind, a warning elsewhere."""
        if strict:
            self.error(name, message, hint=hint)
        else:
            self.warn(name, message, hint=hint)

    def text(self, name: str, *, longest: int | None = None, strict: bool = True) -> str | None:
        """A text that is not empty; plain numbers become text."""
        value = self.take(name)
        if value is None:
            return None
        if isinstance(value, int | float) and not isinstance(value, bool):
            value = number_text(value)
        if not isinstance(value, str):
            self.error(name, f"must be text, not {kind_of(value)}", code="manifest.type")
            return None
        text = value.strip()
        if not text:
            self.error(name, "is empty; leave it out instead")
            return None
        if longest is not None and len(text) > longest:
            self.limit(name, f"has {len(text)} characters; at most {longest} are taken", strict=strict)
            return None if strict else text
        return text

    def choice(self, name: str, known: Sequence[str], *, strict: bool = True) -> str | None:
        """One of the known texts; elsewhere than at a strict provider an unknown one goes out with a warning."""
        value = self.text(name)
        if value is None or value in known:
            return value
        # Of figures alone the nearest is a guess: 3:4 is upright, and looks most like 7:4, which lies.
        close = nearest(value, known) if any(letter.isalpha() for letter in value) else None
        message = f"{value!r} is not one of {', '.join(known)}"
        self.limit(name, message, strict=strict, hint=f"write {name}: {close}" if close else None)
        return None if strict else value

    def integer(self, name: str, low: int, high: int, *, strict: bool = True) -> int | None:
        """A whole number within limits; the same digits as text are the same number."""
        value = self.take(name)
        if value is None:
            return None
        number = whole_number(value)
        if number is None:
            kind = kind_of(value) if not isinstance(value, str) else repr(value)
            self.error(name, f"must be a whole number, not {kind}", code="manifest.type")
            return None
        if not low <= number <= high:
            self.limit(name, f"must be {low}..{high}, not {number}", strict=strict)
            return None if strict else number
        return number

    def flag(self, name: str) -> bool | None:
        """True or false."""
        value = self.take(name)
        if value is None or isinstance(value, bool):
            return value
        self.error(name, f"must be true or false, not {kind_of(value)}", code="manifest.type")
        return None

    def refuse_unknown(self, known: Collection[str]) -> None:
        """Refuse what is left, with the nearest known name, or the asset's key that it belongs to."""
        for name in self.rest():
            if name in _ASSET_KEYS:
                self.error(
                    name,
                    "is no param; the asset itself tells it",
                    code="manifest.unknown_param",
                    hint=f"write it as the asset's {_ASSET_KEYS[name]}",
                )
                continue
            close = nearest(name, known)
            self.error(
                name,
                "is not a param of this provider",
                code="manifest.unknown_param",
                hint=f"did you mean {close}?" if close else f"known are {', '.join(sorted(known))}",
            )


def whole_number(value: Json) -> int | None:
    """An integer from an integer, a float without fraction or its digits as text; None for all else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value if abs(value) <= MAX_SAFE_INTEGER else None
    if isinstance(value, float):
        return int(value) if value.is_integer() and abs(value) <= MAX_SAFE_INTEGER else None
    if isinstance(value, str) and (match := _INTEGER.fullmatch(value)):
        return int(match[1])
    return None


def number_text(value: float) -> str:
    """The shortest decimal text of a number: `20`, `0.5`."""
    if isinstance(value, int) or value.is_integer():
        return str(int(value))
    return repr(value)


def kind_of(value: Json) -> str:
    """A word for a value's type, for messages."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return f"the number {value}"
    if isinstance(value, str):
        return "text"
    return "a mapping" if isinstance(value, Mapping) else "a list"
