"""Keys never show: every form in which a key of this process could be printed is replaced by `***`."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from imagebatch.model.secret import MASK, SHORTEST_MASKED, USUAL_VARIABLES, key_forms


@dataclass(frozen=True, slots=True, kw_only=True)
class Masks:
    """The forms of all known keys, longest first."""

    forms: tuple[str, ...] = ()

    @classmethod
    def of(cls, values: Iterable[str]) -> "Masks":
        """Masks for these values: plain, percent-encoded, as JSON writes them, and in base64 at every offset."""
        forms: set[str] = set()
        for value in values:
            key = value.strip()
            if len(key) >= SHORTEST_MASKED:
                forms |= key_forms(key)
        return cls(forms=tuple(sorted(forms, key=lambda form: (-len(form), form))))

    @classmethod
    def of_variables(cls, names: Iterable[str], environ: Mapping[str, str]) -> "Masks":
        """Masks for what stands in these environment variables."""
        return cls.of(environ[name] for name in {*names, *USUAL_VARIABLES} if environ.get(name))

    def over(self, text: str) -> str:
        """The text without any key."""
        for form in self.forms:
            if form in text:
                text = text.replace(form, MASK)
        return text
