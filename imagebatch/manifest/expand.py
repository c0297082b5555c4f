"""Matrix, include and exclude into combinations, as GitHub Actions reads them; counted before anything is built."""

import keyword
import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from math import prod
from typing import Any, Final

from imagebatch.manifest.characters import BAD_IN_NAME, describe_char, nearest, quoted
from imagebatch.manifest.findings import Findings
from imagebatch.manifest.templating import needs_rendering
from imagebatch.manifest.written import Value, show
from imagebatch.manifest.yaml import YMap, find_place
from imagebatch.model.variant import Place

MAX_VALUE_CHARS: Final = 200
MAX_MATCHES: Final = 5_000_000
_AXIS = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_TAKEN = frozenset(
    [
        "row",
        "vars",
        "axes",
        "asset",
        "address",
        "variant",
        "candidate",
        "ext",
        "range",
        "loop",
        "self",
        "true",
        "false",
        "none",
        "True",
        "False",
        "None",
        "and",
        "or",
        "not",
        "in",
        "is",
        "if",
        "else",
        "for",
        "set",
        "macro",
        "call",
        "filter",
        "block",
        "import",
        "include",
        "from",
        "with",
    ]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AxisPoint:
    """One value of one axis: its text (in addresses), what templates see, and its settings, the weakest first."""

    text: str
    value: Any
    settings: tuple[YMap, ...] = ()


Combo = Mapping[str, AxisPoint]


class _Refused(Exception):
    """The asset cannot be expanded; the problem is noted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expander:
    """Expands one asset: `node` is its mapping in the file at `path`."""

    asset: str
    node: YMap
    path: str
    findings: Findings
    max_variants: int

    def combos(self, rows: int, *, missing: Collection[str] = ()) -> tuple[Combo, ...] | None:
        """All combinations in order; one empty combination where there is no matrix.

        `rows` is how many rows the asset has (1 without a table); the whole product has to stay below the limit.
        `missing` names the parts that are wrong and were taken out: only what does not need them is judged.
        Returns None where a problem was noted, or something is missing.
        """
        before = self.findings.count
        matrix = {name: self._axis(name, values) for name, values in (self.node.get("matrix") or {}).items()}
        for section in ("include", "exclude"):
            if "matrix" not in missing and section not in missing:
                self._check_section(section, matrix)
        if self.findings.count > before or missing:
            return None
        try:
            return self._expanded(matrix, rows)
        except _Refused:
            return None

    def _expanded(self, matrix: Mapping[str, list[AxisPoint]], rows: int) -> tuple[Combo, ...]:
        include, exclude = self.node.get("include") or [], self.node.get("exclude") or []
        count = prod(len(values) for values in matrix.values()) * rows
        # Only `exclude` makes a product smaller, so a larger one may still be meant; it is bounded all the same.
        if count > self.max_variants * (4 if exclude else 1):
            self._too_many(count)
        if (len(include) + len(exclude)) * (count // max(rows, 1)) > MAX_MATCHES:
            self._note("too_complex", "too many combinations", "include and exclude compare too many combinations.", ())
            raise _Refused
        made: list[dict[str, AxisPoint]] = []
        if matrix:
            made = [dict(zip(matrix, points, strict=True)) for points in product(*matrix.values())]
        excluded = _by_axes(exclude)
        made = [combo for combo in made if not _is_excluded(combo, excluded)]
        originals = _Originals(made, frozenset(matrix))
        for number, entry in enumerate(include):
            points = {name: self._point(value, ("include", number, name)) for name, value in entry.items()}
            if not originals.join(points):
                made.append({name: _known(point, matrix.get(name, ())) for name, point in points.items()})
        if not made and not matrix and not include:
            made = [{}]
        if not made:
            self._note("empty_axis", "no combination is left", "exclude leaves out every combination.", ("exclude",))
            raise _Refused
        if len(made) * rows > self.max_variants:
            self._too_many(len(made) * rows)
        self._check_twins(made)
        return tuple(made)

    def _axis(self, name: str, values: Sequence[Any]) -> list[AxisPoint]:
        self._check_name(name, ("matrix", name))
        if not values:
            self.findings.add(
                "plan.empty_axis",
                "axis has no values",
                f"axis {quoted(name)} has no values, so the asset would have no variants.",
                place=self._place(("matrix", name)),
            )
        points: list[AxisPoint] = []
        seen: set[str] = set()
        for index, value in enumerate(values):
            before = self.findings.count
            point = self._point(value, ("matrix", name, index))
            points.append(point)
            if self.findings.count > before:
                continue
            if point.text in seen:
                self._note(
                    "duplicate_value",
                    "axis value stands twice",
                    f"axis {quoted(name)} has {quoted(point.text)} twice.",
                    ("matrix", name, index),
                )
            seen.add(point.text)
        return points

    def _point(self, value: Value, loc: tuple[str | int, ...]) -> AxisPoint:
        settings = (value,) if isinstance(value, YMap) else ()
        shown = _id(value)
        if isinstance(shown, (dict, list)) or shown is None:
            what = (
                "nothing (null)" if shown is None else "a list" if isinstance(shown, list) else "a mapping without id"
            )
            self._note(
                "type",
                "axis value cannot be used",
                f"an axis value is text, a number, true or false, or a mapping with `id`; this is {what}.",
                loc,
            )
            return AxisPoint(text="?", value="?")
        text = show(shown)
        bad = BAD_IN_NAME.search(text)
        if bad is not None or not text.strip() or len(text) > MAX_VALUE_CHARS:
            why = (
                f"holds {describe_char(bad[0])}"
                if bad
                else "is empty"
                if not text.strip()
                else "is over 200 characters"
            )
            self._note("id", "axis value cannot be used", f"the axis value {quoted(text, 40)} {why}.", loc)
        if isinstance(shown, str) and needs_rendering(shown):
            self.findings.add(
                "manifest.not_rendered",
                "axis value is no template",
                f"{quoted(shown, 40)} stays as it is written: axis values name variants before anything is rendered.",
                place=self._place(loc),
                severity="warning",
                hint="put the template into vars or the prompt, which see the axis by its name",
            )
        return AxisPoint(text=_text(value), value=shown, settings=settings)

    def _check_section(self, section: str, matrix: Mapping[str, list[AxisPoint]]) -> None:
        for number, entry in enumerate(self.node.get(section) or []):
            if not entry:
                self._note(
                    "required", "combination is empty", f"an entry of {section} names no axis.", (section, number)
                )
            for name, value in entry.items():
                if name not in matrix and section == "exclude":
                    near = nearest(name, matrix)
                    self._note(
                        "unknown_key",
                        "unknown axis",
                        f"{quoted(name)} is no axis of this asset.",
                        (section, number, name),
                        key=True,
                        hint=f"did you mean {near}?" if near else None,
                    )
                elif name not in matrix:
                    self._check_name(name, (section, number, name))
                elif section == "exclude" and _text(value) not in {point.text for point in matrix[name]}:
                    self._note(
                        "range",
                        "unknown axis value",
                        f"axis {quoted(name)} has no value {quoted(show(_id(value)))}.",
                        (section, number, name),
                    )

    def _check_name(self, name: str, loc: tuple[str | int, ...]) -> None:
        if not _AXIS.fullmatch(name) or name in _TAKEN or keyword.iskeyword(name):
            self._note(
                "id",
                "axis name cannot be used",
                f"axis {quoted(name)}: letters, digits and _, not starting with a digit, and no word that templates "
                "know already.",
                loc,
                key=True,
            )

    def _check_twins(self, combos: Sequence[Combo]) -> None:
        seen: set[frozenset[tuple[str, str]]] = set()
        for combo in combos:
            name = frozenset((axis, point.text) for axis, point in combo.items())
            if name in seen:
                shown = ", ".join(f"{axis}={text}" for axis, text in sorted(name))
                self._note("duplicate_value", "combination stands twice", f"{shown} comes out twice.", ("include",))
                raise _Refused
            seen.add(name)

    def _too_many(self, count: int) -> None:
        self.findings.add(
            "plan.too_many",
            "too many variants",
            f"asset {quoted(self.asset)} has {count} variants; the limit is {self.max_variants}.",
            place=self._place(("matrix",) if "matrix" in self.node else ("for_each",)),
            hint="raise brakes.max_variants in imagebatch.yaml, or leave axes out",
        )
        raise _Refused

    def _place(self, loc: tuple[str | int, ...], *, key: bool = False) -> Place:
        return find_place(self.node, self.path, loc, key=key)

    def _note(
        self,
        code: str,
        summary: str,
        detail: str,
        loc: tuple[str | int, ...],
        *,
        key: bool = False,
        hint: str | None = None,
    ) -> None:
        code = f"plan.{code}" if code == "empty_axis" else f"manifest.{code}"
        self.findings.add(code, summary, detail, place=self._place(loc, key=key), hint=hint)


def _id(value: Value) -> Value:
    return value.get("id", value) if isinstance(value, dict) else value


def _text(value: Value) -> str:
    """An axis value as addresses show it, in one form of Unicode."""
    return unicodedata.normalize("NFC", show(_id(value)))


def _by_axes(entries: Sequence[Mapping[str, Any]]) -> dict[tuple[str, ...], set[tuple[str, ...]]]:
    """Entries of `exclude` by the axes that they name: the values for which each of those leaves combinations out."""
    found: dict[tuple[str, ...], set[tuple[str, ...]]] = {}
    for entry in entries:
        names = tuple(sorted(entry))
        found.setdefault(names, set()).add(tuple(_text(entry[name]) for name in names))
    return found


def _is_excluded(combo: Combo, excluded: Mapping[tuple[str, ...], set[tuple[str, ...]]]) -> bool:
    return any(tuple(combo[name].text for name in names) in values for names, values in excluded.items())


def _known(point: AxisPoint, values: Sequence[AxisPoint]) -> AxisPoint:
    """A value of a combination that stands alone, with what the matrix says of a value of that name below its own."""
    same = next((one for one in values if one.text == point.text and one.settings), None)
    return point if same is None else replace(point, settings=(*same.settings, *point.settings))


class _Originals:
    """The combinations that the matrix itself makes; entries of `include` join those that they fit."""

    def __init__(self, combos: Sequence[dict[str, AxisPoint]], axes: frozenset[str]) -> None:
        self._combos = tuple(combos)
        self._axes = axes
        self._found: dict[tuple[str, ...], dict[tuple[str, ...], list[dict[str, AxisPoint]]]] = {}

    def join(self, entry: Mapping[str, AxisPoint]) -> bool:
        """GitHub's rule: an entry joins each combination whose matrix values it does not overwrite, else stands alone.

        A matrix value that the entry names keeps the settings that it carries; those of the entry lie above them.
        """
        fixed = {name: entry[name] for name in sorted(entry) if name in self._axes}
        added = {name: point for name, point in entry.items() if name not in self._axes}
        hits = self._by(tuple(fixed)).get(tuple(point.text for point in fixed.values()), [])
        for combo in hits:
            for name, point in fixed.items():
                if point.settings:
                    combo[name] = replace(combo[name], settings=(*combo[name].settings, *point.settings))
            combo.update(added)
        return bool(hits)

    def _by(self, names: tuple[str, ...]) -> dict[tuple[str, ...], list[dict[str, AxisPoint]]]:
        """The combinations by their values of some axes."""
        found = self._found.get(names)
        if found is None:
            found = self._found[names] = {}
            for combo in self._combos:
                found.setdefault(tuple(combo[name].text for name in names), []).append(combo)
        return found
