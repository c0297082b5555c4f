"""Selectors: which addresses a command is about.

    selection   terms separated by blanks (or); the option may be repeated (or)
    term        atoms joined by commas outside brackets (and)
    atom        an address or a part of one, `asset: tag: provider: path: state:` and a glob, or `@FILE`

Only `*` and `?` are wild; brackets are literal. A value with a blank or a comma is a JSON string: `tag:"two words"`.
`product` selects all its variants, `product[LMP-001]` those of a data key, `product[angle=front]` those of an axis
value. An atom that is an address to the letter selects just this one.
"""

import difflib
import json
import re
import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from imagebatch.errors import PlanError, UsageError
from imagebatch.model.address import Address, parse_address
from imagebatch.model.recorded import Glance
from imagebatch.model.variant import Variant
from imagebatch.plan.glob import glob_pattern
from imagebatch.plan.picking import wanted_files
from imagebatch.plan.states import STATES
from imagebatch.plan.unknown import near_address

PREFIXES: Final = ("asset", "tag", "provider", "path", "state")


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """An address that may be selected, with what is known of it: wanted, recorded, or both."""

    address: str
    variant: Variant | None = None
    glance: Glance | None = None
    states: frozenset[str] = frozenset()

    def tags(self) -> tuple[str, ...]:
        """The manifest's tags; what nobody wants any more has none."""
        if self.variant is None:
            return ()
        found = json.loads(self.variant.labels_body or "{}").get("tags", [])
        return tuple(tag for tag in found if isinstance(tag, str))

    def provider(self) -> str:
        """The provider's alias."""
        if self.variant is not None:
            return self.variant.provider
        return self.glance.provider if self.glance is not None else ""

    def paths(self) -> set[str]:
        """Output files, wanted and recorded, and the manifest behind them."""
        found: set[str] = set()
        if self.variant is not None:
            picks = range(1, self.variant.offers + 1)
            found.update(file.path for file in wanted_files(self.variant, tuple(picks)))
            found.add(self.variant.policy.place.path)
        if self.glance is not None:
            found.update(output["path"] for output in json.loads(self.glance.outputs))
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class _Atom:
    text: str
    matches: Callable[[Subject], bool]
    may_be_empty: bool = False


@dataclass(slots=True, kw_only=True)
class _Index:
    """The subjects and their parsed addresses, parsed at most once."""

    subjects: Sequence[Subject]
    addresses: frozenset[str]
    parsed: dict[str, Address] = field(default_factory=dict)

    def address(self, text: str) -> Address:
        found = self.parsed.get(text)
        if found is None:
            found = self.parsed[text] = parse_address(text)
        return found


def uses_states(expressions: Iterable[str], files: Mapping[str, str] | None = None) -> bool:
    """Whether `state:` stands anywhere, so that a plan has to be made before the selection."""
    texts = [*expressions, *(files or {}).values()]
    return any(re.search(r"(?:^|[\s,])state:", text) for text in texts)


def files_of(expressions: Iterable[str]) -> tuple[str, ...]:
    """The names behind `@FILE`, which the caller has to read."""
    return tuple(
        atom[1:] for text in expressions for term in _split(text, _is_blank) for atom in _split(term, _is_comma)
        if atom.startswith("@")
    )  # fmt: skip


def select(
    expressions: Sequence[str],
    subjects: Iterable[Subject],
    *,
    exclude: Sequence[str] = (),
    files: Mapping[str, str] | None = None,
) -> frozenset[str]:
    """The addresses that `expressions` select (all, where there is none), without those that `exclude` selects.

    `files` maps the names after `@` to the files' texts.

    Raises UsageError for what is no selector, PlanError (`plan.unknown_selector`) for one that names nothing.
    """
    if any(not text.strip() for text in (*expressions, *exclude)):
        # A variable of a script that was not set would select nothing, or leave nothing out, without a word.
        raise UsageError("Empty selector", "A selector is given that is empty.", hints=("leave the flag out",))
    listed = tuple(subjects)
    index = _Index(subjects=listed, addresses=frozenset(subject.address for subject in listed))
    chosen = _matching(expressions, index, files or {}) if expressions else set(index.addresses)
    if exclude:
        chosen -= _matching(exclude, index, files or {}, leaving_out=True)
    return frozenset(chosen)


def _matching(
    expressions: Sequence[str], index: _Index, files: Mapping[str, str], *, leaving_out: bool = False
) -> set[str]:
    found: set[str] = set()
    for term in (term for text in expressions for term in _split(text, _is_blank)):
        sets = [_atom_addresses(atom, index, files) for atom in _split(term, _is_comma)]
        common = set.intersection(*sets) if sets else set()
        if leaving_out and not common and len(sets) > 1 and all(sets):
            raise _excludes_nothing(term)
        found |= common
    return found


def _excludes_nothing(term: str) -> PlanError:
    # Whoever leaves something out does so to keep it, or not to pay for it: a slip here may not pass in silence.
    either = shlex.quote(" ".join(_split(term, _is_comma)))
    return PlanError(
        "Selector matches nothing",
        f"{term!r} excludes nothing: a comma means that all its parts hold of one address, and none is of all.",
        code="plan.unknown_selector",
        hints=(f"to exclude each of them, put a blank between: --exclude {either}",),
    )


def _atom_addresses(text: str, index: _Index, files: Mapping[str, str]) -> set[str]:
    if text.startswith("@"):
        return _from_file(text[1:], index, files)
    if text in index.addresses:
        return {text}
    atom = _parse_atom(text, index)
    found = {subject.address for subject in index.subjects if atom.matches(subject)}
    if not found and not atom.may_be_empty:
        raise _unknown(text, index)
    return found


def _from_file(name: str, index: _Index, files: Mapping[str, str]) -> set[str]:
    lines = (line.strip() for line in files.get(name, "").splitlines())
    wanted = [line for line in lines if line and not line.startswith("#")]
    if any(line.startswith("@") for line in wanted):
        raise UsageError("Selector file names another one", f"@{name}: a file of selectors cannot hold @FILE itself.")
    return _matching(wanted, index, {}) if wanted else set()


def _parse_atom(text: str, index: _Index) -> _Atom:
    prefix, colon, value = text.partition(":")
    if colon and "[" not in prefix:
        if prefix not in PREFIXES:
            near = difflib.get_close_matches(prefix, PREFIXES, n=1)
            hint = f"did you mean {near[0]}:{value}?" if near else f"known are {', '.join(PREFIXES)}"
            raise UsageError("Unknown kind of selector", f"{text!r}: there is no {prefix!r}:.", hints=(hint,))
        if not value:
            raise UsageError("Empty selector", f"{text!r} has nothing after the colon.")
        return _parse_prefixed(text, prefix, value)
    return _parse_partial(text, index)


def _parse_prefixed(text: str, prefix: str, value: str) -> _Atom:
    if prefix == "state":
        if value not in STATES:
            near = difflib.get_close_matches(value, STATES, n=1)
            hint = f"did you mean state:{near[0]}?" if near else f"known are {', '.join(STATES)}"
            raise UsageError("Unknown state", f"{text!r}: there is no state {value!r}.", hints=(hint,))
        return _Atom(text=text, matches=lambda subject: value in subject.states, may_be_empty=True)
    glob = glob_pattern(_unquoted(text, value)).fullmatch
    if prefix == "asset":
        return _Atom(text=text, matches=lambda subject: glob(subject.address.partition("[")[0]) is not None)
    if prefix == "tag":
        return _Atom(text=text, matches=lambda subject: any(glob(tag) for tag in subject.tags()))
    if prefix == "provider":
        return _Atom(text=text, matches=lambda subject: glob(subject.provider()) is not None)
    return _Atom(text=text, matches=lambda subject: any(glob(path) for path in subject.paths()))


def _unquoted(text: str, value: str) -> str:
    if not value.startswith('"'):
        return value
    try:
        plain = json.loads(value)
    except ValueError:
        plain = None
    if not isinstance(plain, str) or not plain:
        raise UsageError("Selector cannot be read", f"{text!r}: what starts with a quote has to be a JSON string.")
    return plain


def _quoted(value: str) -> str:
    return json.dumps(value, ensure_ascii=False) if re.search(r'[\s,"]', value) else value


def _parse_partial(text: str, index: _Index) -> _Atom:
    asset, bracket, _ = text.partition("[")
    whole = glob_pattern(text).fullmatch
    asset_glob = glob_pattern(asset).fullmatch
    if not bracket:
        return _Atom(text=text, matches=lambda subject: asset_glob(subject.address.partition("[")[0]) is not None)
    try:
        wanted = parse_address(text)
    except ValueError as error:
        raise UsageError(
            "Selector is no address", f"{error}.", hints=("quote it for the shell: 'asset[key]'",)
        ) from None
    key = glob_pattern(wanted.key).fullmatch if wanted.key is not None else None
    axes = {name: glob_pattern(value).fullmatch for name, value in wanted.axes}

    def matches(subject: Subject) -> bool:
        if asset_glob(subject.address.partition("[")[0]) is None:
            return False
        if whole(subject.address) is not None:
            return True
        address = index.address(subject.address)
        if key is not None and (address.key is None or key(address.key) is None):
            return False
        has = dict(address.axes)
        return all(name in has and glob(has[name]) is not None for name, glob in axes.items())

    return _Atom(text=text, matches=matches)


def _unknown(text: str, index: _Index) -> PlanError:
    assets = {address.partition("[")[0] for address in index.addresses}
    names = sorted({*index.addresses, *assets})
    prefix, colon, value = text.partition(":")
    wanted, before = text, ""
    if colon and "[" not in prefix:
        wanted, before = value, f"{prefix}:"
        of_kind = {
            "asset": assets,
            "provider": {subject.provider() for subject in index.subjects},
            "tag": {tag for subject in index.subjects for tag in subject.tags()},
            "path": {path for subject in index.subjects[:1000] for path in subject.paths()},
        }
        names = sorted(of_kind[prefix])
    near = near_address(wanted, names)
    meant = f"{before}{_quoted(near) if before else near}" if near is not None else ""
    hint = f"did you mean {meant}?" if near is not None else "list the addresses: imagebatch status"
    return PlanError(
        "Selector matches nothing",
        f"{text!r} matches no address of this project, neither wanted nor in the lock.",
        code="plan.unknown_selector",
        hints=(hint,),
    )


def _is_blank(char: str) -> bool:
    return char.isspace()


def _is_comma(char: str) -> bool:
    return char == ","


def _split(text: str, separates: Callable[[str], bool]) -> list[str]:
    """Split outside brackets, and outside JSON strings in them or right after a colon."""
    parts: list[str] = []
    start, inside, quoted, at = 0, False, False, 0
    while at < len(text):
        char = text[at]
        if quoted:
            if char == "\\":
                at += 1
            quoted = char != '"'
        elif inside:
            quoted = char == '"'
            inside = char != "]"
        elif char == "[":
            inside = True
        elif char == '"' and at > start and text[at - 1] == ":":
            quoted = True
        elif separates(char):
            parts.append(text[start:at])
            start = at + 1
        at += 1
    parts.append(text[start:])
    return [part for part in parts if part]
