"""What is to be true of a picked picture and its files, and what was found: plain values, and how both are judged.

Numbers are integers throughout, so that the same picture gives the same lock on every machine.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from imagebatch.model.bulk import made_in_bulk
from imagebatch.model.canonical import canonical, fingerprint

CheckName = Literal["size", "format", "alpha", "not_blank", "sharpness", "distinct", "max_bytes"]
Level = Literal["fail", "warn"]
CHECKS: Final[frozenset[CheckName]] = frozenset(
    {"size", "format", "alpha", "not_blank", "sharpness", "distinct", "max_bytes"}
)
# Before the name of a check that an installed package offers.
PLUGIN: Final = "plugin:"
PLUGIN_NAME: Final = re.compile(r"plugin:[a-z0-9][a-z0-9_.-]{0,79}")
LEVELS: Final[frozenset[Level]] = frozenset({"fail", "warn"})
# Those that somebody has to look at the picture for.
OF_PIXELS: Final[frozenset[str]] = frozenset({"alpha", "not_blank", "sharpness", "distinct"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that is to be true; `wanted` is text: `1024x1024`, `png`, `true`, or a whole number.

    That of a plug-in is called `plugin:NAME`, wants its params in canonical JSON, and has a `version`: what the package
    that offers it has, in other words than its name and params.
    """

    name: str
    wanted: str
    level: Level = "fail"
    version: str = ""

    @property
    def plugin(self) -> str | None:
        """The name of the plug-in that makes it; None for a built-in one."""
        return self.name.removeprefix(PLUGIN) if self.name.startswith(PLUGIN) else None


@made_in_bulk
class Unmet:
    """One check that did not hold: what was wanted, what was found, and of which file or other address."""

    name: str
    wanted: str
    found: str
    level: Level
    of: str | None = None

    @property
    def text(self) -> str:
        """`size is 1024x768, wanted 1024x1024`."""
        if self.name.startswith(PLUGIN):
            return f"{self.name.removeprefix(PLUGIN)}: {self.found}"
        if self.name == "distinct":
            return f"it is nearly the picture of {self.of}: {self.found} of 64 bits differ, wanted {self.wanted}"
        if self.name == "not_blank":
            return "it is one colour all over"
        if self.name == "alpha":
            return "it has no transparency" if self.wanted == "true" else "it has transparency, and is to have none"
        if self.name == "max_bytes":
            return f"{self.of} has {int(self.found):,} bytes, wanted at most {int(self.wanted):,}"
        least = "at least " if self.name == "sharpness" else ""
        return f"{self.name} is {self.found}, wanted {least}{self.wanted}"


@dataclass(frozen=True, slots=True, kw_only=True)
class UnmetAt:
    """A check that does not hold, and the address whose it is."""

    address: str
    unmet: Unmet


@made_in_bulk
class Checked:
    """What checking one address came to: the fingerprint of its checks, what did not hold, and how the picks look.

    `looks` are difference hashes, 16 hex digits each, one for each pick; they are kept where `distinct` is asked for.
    """

    checks: str
    unmet: tuple[Unmet, ...] = ()
    looks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A picture as it was measured; `sharpness` is the variance of the Laplacian at a fixed size, rounded down."""

    width: int
    height: int
    format: str
    alpha: bool = False
    blank: bool = False
    sharpness: int = 0
    look: str = ""


def checks_fingerprint(checks: Sequence[Check]) -> str:
    """The fingerprint of an address's checks; empty where there are none."""
    if not checks:
        return ""
    made = ([one.name, one.wanted, one.level, *([one.version] if one.version else [])] for one in checks)
    return fingerprint(canonical(sorted(made)))


def judged(
    checks: Sequence[Check], pictures: Sequence[Measured], files: Sequence[tuple[str, int]]
) -> tuple[Unmet, ...]:
    """What does not hold of an address's picked pictures and of its `files` (path, bytes), but for `distinct`."""
    return tuple(dict.fromkeys(_unmet(checks, pictures, files)))


def _unmet(checks: Sequence[Check], pictures: Sequence[Measured], files: Sequence[tuple[str, int]]) -> Iterator[Unmet]:
    for check in sorted(checks, key=_name):
        if check.name == "max_bytes":
            for path, size in files:
                if size > int(check.wanted):
                    yield _told(check, str(size), path)
            continue
        for picture in pictures:
            found = _found(check, picture)
            if found is not None:
                yield _told(check, found)


def _found(check: Check, picture: Measured) -> str | None:
    """What was found in place of what is wanted; None where the check holds."""
    if check.name == "sharpness":
        return str(picture.sharpness) if picture.sharpness < int(check.wanted) else None
    if check.name == "not_blank":
        return "blank" if picture.blank else None
    found = {
        "size": f"{picture.width}x{picture.height}",
        "format": picture.format,
        "alpha": "true" if picture.alpha else "false",
    }.get(check.name)
    return found if found is not None and found != check.wanted else None


def too_near(
    looks: Iterable[tuple[str, Sequence[str]]], wanted: Iterable[tuple[str, Check]]
) -> dict[str, tuple[Unmet, ...]]:
    """By address, the nearest other address whose picture looks too much like its own.

    `looks` are the difference hashes of all addresses, `wanted` the `distinct` checks of those to be judged. Every pair
    is compared: a thousand addresses take 0.2 s, three thousand 1.5 s.
    """
    hashes = [(address, [int(look, 16) for look in found]) for address, found in looks]
    own = dict(hashes)
    found: dict[str, tuple[Unmet, ...]] = {}
    for address, check in wanted:
        mine = own.get(address, [])
        distances = (
            ((one ^ other).bit_count(), there)
            for there, others in hashes
            if there != address
            for one in mine
            for other in others
        )
        distance, there = min(distances, default=(65, ""))
        if distance < int(check.wanted):
            found[address] = (_told(check, str(distance), there),)
    return found


def _told(check: Check, found: str, of: str | None = None) -> Unmet:
    return Unmet(name=check.name, wanted=check.wanted, found=found, level=check.level, of=of)


def _name(check: Check) -> str:
    return check.name
