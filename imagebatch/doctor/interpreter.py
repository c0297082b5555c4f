"""Python and the libraries: are they those that this program was made for, with what was mended in them since?"""

import re
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, requires, version

from imagebatch.doctor.probes import interpreter_versions
from imagebatch.pipeline.doctor import Finding

Version = tuple[int, ...]
_REQUIREMENT = re.compile(r"(?P<name>[A-Za-z0-9._-]+)\s*(?P<bounds>[^;\[]*)(?P<marker>;.*)?")
_BOUND = re.compile(r"(?P<op>>=|<)\s*(?P<version>[0-9][0-9.]*)")


def versions() -> Iterator[Finding]:
    """What is installed, held against the bounds that the package declares: below them are known, mended holes."""
    yield Finding(check="python", state="ok", text=interpreter_versions())
    try:
        wanted = requires("imagebatch") or []
    except PackageNotFoundError:
        text = "imagebatch is not installed as a package, so the versions of its libraries cannot be judged"
        yield Finding(check="libraries", state="look", text=text, hint="pip install imagebatch")
        return
    bounds = parse_requirements(wanted)
    yield judge_libraries(bounds, {name: _installed(name) for name in bounds})


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def parse_requirements(lines: Sequence[str]) -> dict[str, tuple[Version, Version | None]]:
    """Lowest version, and the first that is too new, by name; pure. What holds for some systems only is left out."""
    found: dict[str, tuple[Version, Version | None]] = {}
    for line in lines:
        match = _REQUIREMENT.fullmatch(line.strip())
        if match is None or match["marker"]:
            continue
        bounds = {bound["op"]: parse_version(bound["version"]) for bound in _BOUND.finditer(match["bounds"])}
        found[match["name"]] = (bounds.get(">=", ()), bounds.get("<"))
    return found


def parse_version(text: str) -> Version:
    """The numbers at the start of a version: `12.1.0rc1` is 12, 1, 0."""
    match = re.match(r"[0-9]+(?:\.[0-9]+)*", text)
    return tuple(int(part) for part in match[0].split(".")) if match is not None else ()


def judge_libraries(
    bounds: Mapping[str, tuple[Version, Version | None]], installed: Mapping[str, str | None]
) -> Finding:
    """One finding for all libraries; pure."""
    wrong = []
    for name, (lowest, too_new) in bounds.items():
        here = installed.get(name)
        if here is None:
            wrong.append(f"{name} is not installed")
        elif parse_version(here) < lowest:
            wrong.append(f"{name} {here} is older than {_text(lowest)}")
        elif too_new is not None and parse_version(here) >= too_new:
            wrong.append(f"{name} {here} is not older than {_text(too_new)}")
    if not wrong:
        text = ", ".join(f"{name} {here}" for name, here in sorted(installed.items()))
        return Finding(check="libraries", state="ok", text=f"libraries: {text}")
    text = f"libraries: {'; '.join(wrong)}. Holes that strangers' files could use were mended since, or it is untried"
    return Finding(check="libraries", state="bad", text=text, hint="pip install --upgrade imagebatch")


def _text(numbers: Version) -> str:
    return ".".join(map(str, numbers))
