"""Keys never show: every form in which a key of this process could be printed is replaced by `***`."""

import base64
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import quote

from imagebatch.model.secret import SHORTEST_MASKED, USUAL_VARIABLES

MASK = "***"


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
                forms |= _forms(key)
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


def _forms(key: str) -> set[str]:
    percent = quote(key, safe="", errors="surrogateescape")
    forms = {key, percent, percent.lower(), json.dumps(key)[1:-1], json.dumps(key, ensure_ascii=False)[1:-1]}
    raw = key.encode("utf-8", "surrogateescape")
    for offset in range(3):
        # Inside a longer text the key starts at one of three offsets; the characters at its edges mix with neighbours.
        first = -(-offset * 8 // 6)
        whole = (offset + len(raw)) * 8 // 6
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            forms.add(encode(b"\0" * offset + raw).decode("ascii")[first:whole])
    return {form for form in forms if len(form) >= SHORTEST_MASKED}
