"""Names of variants: data keys, addresses and file-safe slugs."""

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

from imagebatch.manifest.characters import BAD_IN_NAME, describe_char
from imagebatch.manifest.expand import Combo
from imagebatch.manifest.paths import BadPath, check_component, fold
from imagebatch.model.address import render_address

MAX_KEY_CHARS: Final = 200
MAX_SLUG_BYTES: Final = 120
_PLAIN_KEY = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.:+@#-]{0,98}[A-Za-z0-9_])?")
_NO_QUOTES = re.compile(r'[^\[\],="\s]+')
_PLAIN_SLUG = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,98}")
_MAYBE_DEVICE = re.compile(r"(?:con|prn|aux|nul|com|lpt)", re.IGNORECASE)
_UNSAFE = re.compile(r"[^\w.-]")


def key_fault(key: str) -> str | None:
    """Why a text cannot be a data key, as a clause; None where it can."""
    if _PLAIN_KEY.fullmatch(key):
        return None
    bad = BAD_IN_NAME.search(key)
    if bad is not None:
        return f"holds {describe_char(bad[0])}"
    if not key.strip():
        return "is empty"
    if len(key) > MAX_KEY_CHARS:
        return f"has {len(key)} characters; at most {MAX_KEY_CHARS} are allowed"
    if "/" in key or "\\" in key:
        return "holds a slash or backslash, which addresses and file names cannot carry"
    if key in {".", ".."}:
        return "is a name that folders use for themselves"
    return None


def make_addresses(asset: str, keys: Sequence[str] | None, combos: Sequence[Combo]) -> list[str]:
    """Addresses of all variants: rows by combinations, in that order; `keys` is None without a table."""
    if keys is None:
        return [render_address(asset, None, _texts(combo)) for combo in combos]
    if len(combos) == 1 and not combos[0]:
        return [f"{asset}[{key}]" if _NO_QUOTES.fullmatch(key) else render_address(asset, key, {}) for key in keys]
    # The axes' part is the same for every row: it is what stands behind the key of any address.
    tails = [render_address(asset, "k", _texts(combo))[len(asset) + 2 :] for combo in combos]
    made: list[str] = []
    for key in keys:
        head = f"{asset}[{key}" if _NO_QUOTES.fullmatch(key) else render_address(asset, key, {})[:-1]
        made += [head + tail for tail in tails]
    return made


def make_slugs(
    asset: str, keys: Sequence[str] | None, combos: Sequence[Combo], addresses: Sequence[str], *, mixed: bool = False
) -> list[str]:
    """File-safe names, one for each address: key and axis values joined by `-`; the asset's id without either.

    Eight characters of the address's hash follow where the joined text is no file name, or where `mixed` says that the
    asset's variants have different axes.
    """
    mixed = mixed or has_mixed_axes(combos)
    tails = [[combo[axis].text for axis in sorted(combo)] for combo in combos]
    made: list[str] = []
    for index, address in enumerate(addresses):
        parts = tails[index % len(tails)]
        if keys is not None:
            parts = [keys[index // len(tails)], *parts]
        made.append(_slug("-".join(parts) if parts else asset, address, mixed=mixed))
    return made


def has_mixed_axes(combos: Iterable[Combo]) -> bool:
    """Whether combinations name different axes, so that their values alone do not tell them apart."""
    return len({frozenset(combo) for combo in combos}) > 1


def _slug(text: str, address: str, *, mixed: bool) -> str:
    safe = _UNSAFE.sub("_", text)
    return _hashed(safe, address) if mixed or safe != text or not _usable(safe) else safe


def tell_apart(slugs: Sequence[str], addresses: Sequence[str]) -> list[str]:
    """Slugs that some file system would take for one get eight characters of their address's hash each."""
    folded = [fold(slug) for slug in slugs]
    if len(set(folded)) == len(slugs):
        return list(slugs)
    counts = Counter(folded)
    return [
        _hashed(slug, address) if counts[key] > 1 else slug
        for slug, key, address in zip(slugs, folded, addresses, strict=True)
    ]


def _hashed(safe: str, address: str) -> str:
    cut = safe.encode()[: MAX_SLUG_BYTES - 9].decode("utf-8", "ignore").strip("-. ")
    digest = hashlib.sha256(address.encode()).hexdigest()[:8]
    made = f"{cut}-{digest}"
    return made if cut and _usable(made) else f"v-{digest}"


def _usable(slug: str) -> bool:
    if _PLAIN_SLUG.fullmatch(slug) and not _MAYBE_DEVICE.match(slug):
        return True
    if len(slug.encode()) > MAX_SLUG_BYTES:
        return False
    try:
        check_component(slug, slug)
    except BadPath:
        return False
    return True


def _texts(combo: Combo) -> dict[str, str]:
    return {name: point.text for name, point in combo.items()}
