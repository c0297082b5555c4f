"""What counts as a secret: which variables usually hold a key, from which length on one can be hidden, its forms."""

import base64
import json
import re
from typing import Final
from urllib.parse import quote, quote_plus

USUAL_VARIABLES: Final = ("ALL_IMAGES_API_KEY", "AIGNE_HUB_API_KEY", "OPENAI_API_KEY")
MASK: Final = "***"
SHORTEST_MASKED: Final = 8
"""Shorter values are no secrets (a simulator takes any key), and masking them would garble ordinary words."""
_ESCAPED: Final = re.compile("%[0-9A-F]{2}")


def key_forms(key: str) -> frozenset[str]:
    """Every form in which somebody could give a key back: plain, in addresses, in JSON, in base64 at any offset.

    Forms under eight characters are left out: they would hit ordinary words.
    """
    raw = key.encode("utf-8", "surrogateescape")
    # In a path a slash may stay as it is, in a form a blank is a plus; hexadecimal digits come in both cases.
    percent = {
        *(quote(key, safe=safe, errors="surrogateescape") for safe in ("", "/", "/:@!$&'()*+,;=")),
        quote_plus(key, errors="surrogateescape"),
    }
    forms = {key, json.dumps(key)[1:-1], json.dumps(key, ensure_ascii=False)[1:-1], *percent}
    forms |= {_ESCAPED.sub(lambda match: match[0].lower(), one) for one in percent}
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        whole = encode(raw).decode("ascii")
        forms |= {whole, whole.rstrip("=")}
        for offset in range(3):
            # Inside a longer text the key starts at one of three offsets; characters at its edges mix with neighbours.
            first, end = -(-offset * 8 // 6), (offset + len(raw)) * 8 // 6
            forms.add(encode(b"\0" * offset + raw).decode("ascii")[first:end])
    return frozenset(form for form in forms if len(form) >= SHORTEST_MASKED)
