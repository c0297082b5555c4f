"""Assets made ready for rendering: layers, tables, combinations, keys that are columns; all checks that can be done."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Final, cast

from imagebatch.manifest.asset import AssetText
from imagebatch.manifest.braces import Known, warn_of_braces, warn_of_braces_in_file
from imagebatch.manifest.characters import quoted
from imagebatch.manifest.checking import Loc, check_part
from imagebatch.manifest.expand import AxisPoint, Combo, Expander
from imagebatch.manifest.findings import Findings
from imagebatch.manifest.group import Group, name_all
from imagebatch.manifest.judging import Judge
from imagebatch.manifest.keys import key_fault
from imagebatch.manifest.layers import Layer, Settled, as_list, settle
from imagebatch.manifest.pruning import COMBINING, SETTINGS, carries_settings, keys_meant, take_out
from imagebatch.manifest.schema import AxisValue
from imagebatch.manifest.source import Sources
from imagebatch.manifest.strings import STAND_IN, Strings, take_strings
from imagebatch.manifest.tables import Table, TableFacts, read_table, unknown_column
from imagebatch.manifest.templates import Templates
from imagebatch.manifest.templating import needs_rendering
from imagebatch.manifest.unknown import EVERYTHING, NAMES, NOTHING, ROW, VARIABLES, Unknown
from imagebatch.manifest.wishes import output_wishes, read_policy
from imagebatch.manifest.yaml import Document, YMap
from imagebatch.model.variant import LOST, Place

WHERE_FACTOR: Final = 5
MAX_SAID: Final = 20


@dataclass(slots=True, kw_only=True)
class Prepared:
    """An asset on its way: its groups, what is known of its rows, and what the scan of them has to find out.

    `rows` are the numbers of those that are taken and `keys` their keys, None where that is not known (or there is no
    table). `unknown` is what templates cannot be given, `unseen` the same for `where` and `key`, and `named` tells
    whether the variants can have addresses.
    """

    text: AssetText
    groups: list[Group] = field(default_factory=list)
    table: Table | None = None
    table_id: int | None = None
    where: str | None = None
    key: str | None = None
    variables: Strings = field(default_factory=Strings)
    columns: Sequence[str | None] | None = None
    rows: Sequence[int] | None = None
    keys: Sequence[str] | None = None
    unknown: Unknown = NOTHING
    unseen: Unknown = NOTHING
    named: bool = True

    @property
    def row_count(self) -> int:
        """How many rows the table has; one without a table."""
        return 1 if self.table is None else len(self.table)

    @property
    def needs_scan(self) -> bool:
        """Whether rows have to be chosen or named by the child first."""
        return self.where is not None or self.key is not None

    def lose(self, unknown: Unknown) -> None:
        """Go on without something that is wrong, and without the names that depend on it."""
        self.unknown |= unknown
        self.named = False
        if unknown.everything or "row" in unknown.names:
            self.rows = None

    def name(self) -> None:
        """Name the variants, now that all is known that can be."""
        for group in self.groups:
            group.strings.silence(self.unknown)
            if self.named:
                group.rows, group.keys = self.rows, self.keys
            else:
                group.leave_unnamed(self.rows)
        if self.named:
            name_all(self.groups)


class Preparer:
    """Makes assets ready, one after the other.

    Problems go to `findings`. `max_variants` bounds each asset; `providers` are the known names.
    """

    def __init__(
        self,
        *,
        sources: Sources,
        findings: Findings,
        templates: Templates,
        max_variants: int,
        providers: frozenset[str],
    ) -> None:
        self.sources = sources
        self.findings = findings
        self.templates = templates
        self.max_variants = max_variants
        self.judge = Judge(findings=findings, templates=templates, providers=providers)
        self.tables: dict[str, tuple[int, Table] | None] = {}
        self.facts: list[TableFacts] = []
        self.jobs = 0

    def next_job(self) -> int:
        """A number for the rendering child."""
        self.jobs += 1
        return self.jobs

    def prepare(self, text: AssetText) -> Prepared:
        """One asset with its groups; keys are known where they are columns and no `where` chooses rows.

        What is wrong with one part is no reason to leave out another; there are no groups only where axis values set
        something, and which values there are is not known.
        """
        asset = Prepared(text=text)
        self._table(asset)
        broken = self._check_axis_settings(text)
        for members in _by_settings(self._combos(asset)):
            nodes = [node for _, point in sorted(members[0].items()) for node in point.settings]
            missing = text.missing.union(*(broken.get(id(node), ()) for node in nodes))
            asset.groups.append(self._group(asset, replace(text, missing=missing) if broken else text, members, nodes))
        if text.ranges:
            self._keys(asset)
        return asset

    def _combos(self, asset: Prepared) -> tuple[Combo, ...]:
        """The combinations; where they are not known one stands for all, and none where their values set more."""
        text = asset.text
        expander = Expander(
            asset=text.id,
            node=text.node,
            path=text.document.path,
            findings=self.findings,
            max_variants=self.max_variants,
        )
        rows = 1 if text.chooses else asset.row_count
        combos = expander.combos(rows, missing=text.missing & COMBINING)
        if combos is not None:
            return combos
        if SETTINGS in text.missing or any(carries_settings(text.node.get(part)) for part in COMBINING):
            asset.lose(EVERYTHING)
            return ()
        entries = text.node.get("include") or ()
        names = {*(text.node.get("matrix") or ()), *(name for entry in entries for name in entry)}
        nameless = any(part in text.missing and part not in text.node for part in ("matrix", "include"))
        asset.lose(EVERYTHING if nameless else Unknown({*names, "axes"}) | NAMES)
        return ({name: AxisPoint(text=STAND_IN, value=STAND_IN) for name in names},)

    def _table(self, asset: Prepared) -> None:
        text, node = asset.text, asset.text.node
        if "for_each" in text.missing:
            asset.lose(ROW)
            return
        if "for_each" not in node:
            self._check_no_table(text)
            return
        path = node["for_each"]
        if path not in self.tables:
            limit = self.max_variants * (WHERE_FACTOR if text.chooses else 1)
            table = read_table(
                path, place=text.at("for_each"), sources=self.sources, findings=self.findings, max_rows=limit
            )
            self.tables[path] = None if table is None else (len(self.tables), table)
        found = self.tables[path]
        if found is None:
            asset.lose(ROW)
            return
        asset.table_id, asset.table = found
        every_file = asset.table.by_file and "where" not in node
        self.facts.append(TableFacts(asset=text.id, path=path, rows=len(asset.table), every_file=every_file))

    def _check_no_table(self, text: AssetText) -> None:
        for key in ("key", "where"):
            if key in text.node:
                self.findings.add(
                    "manifest.required",
                    "no table",
                    f"{key} needs for_each, which names the table.",
                    place=text.at(key),
                )

    def _keys(self, asset: Prepared) -> None:
        """Find each row's key now where it is columns, else leave it to the scan, as what `where` leaves out."""
        text = asset.text
        asset.where = text.node.get("where")
        # Rows are chosen and named before there are axes, so what axis values set does not count here.
        alone = settle(text.base, text.styles, [Layer(node=text.node, path=text.document.path)], Findings())
        asset.variables.variables(alone.values.get("vars", {}), alone, place=text.place)
        if "vars" in text.lost(alone):
            asset.unseen |= VARIABLES
        self._key(asset)
        if "where" in text.missing:
            asset.lose(ROW)
        if "where" in text.missing or asset.table is None:
            asset.unseen |= ROW
        elif not asset.needs_scan:
            self.take_keys(asset, range(len(asset.table)))

    def _key(self, asset: Prepared) -> None:
        """What names the rows: columns, or a template; without either the variants have no names."""
        text, table = asset.text, asset.table
        if "key" in text.missing:
            asset.lose(NAMES)
            return
        usual = ["stem"] if table is not None and table.columns and "stem" in table.columns else []
        wanted = as_list(text.node.get("key", usual))
        if len(wanted) == 1 and needs_rendering(wanted[0]):
            asset.key = wanted[0]
        elif table is not None:
            self._columns(asset, table, wanted)

    def _columns(self, asset: Prepared, table: Table, wanted: Sequence[str]) -> None:
        text = asset.text
        if not wanted:
            self.findings.add(
                "manifest.required",
                "key is missing",
                "for_each needs key: a column (or a template) that names each row, so that rows may change places.",
                place=text.at("for_each"),
                hint=f"known columns: {', '.join(sorted(table.names())[:20])}",
            )
            asset.lose(NAMES)
            return
        unknown = [name for name in wanted if name not in table.names()]
        for name in unknown:
            self.findings.add("data.key_column", "unknown column", unknown_column(name, table), place=text.at("key"))
        if unknown:
            asset.lose(NAMES)
        elif not self._named_by_text(table, wanted):
            asset.lose(ROW)
        else:
            columns = [table.cells(name) for name in wanted]
            asset.columns = columns[0] if len(columns) == 1 else [_joined(one) for one in zip(*columns, strict=True)]

    def _named_by_text(self, table: Table, names: Sequence[str]) -> bool:
        """Whether no row has a list or a mapping where its key should be."""
        before = self.findings.count
        for row, value in enumerate(table.rows if table.columns is None else ()):
            for name in names:
                if isinstance(value.get(name), (list, dict)) and self.findings.count - before < MAX_SAID:
                    kind = "a list" if isinstance(value[name], list) else "a mapping"
                    self.findings.add(
                        "data.type",
                        "key cannot be used",
                        f"{table.place(row)}: {name} is {kind}; a key is text or a number.",
                        place=Place(path=table.path, line=table.lines[row], column=1),
                    )
        return self.findings.count == before

    def take_keys(self, asset: Prepared, rows: Sequence[int], keys: Sequence[str | None] | None = None) -> None:
        """Take the rows that are meant, and their keys: those of the columns where none are given."""
        if "row" in asset.unknown.names:
            return
        if keys is None and asset.columns is not None:
            keys = asset.columns if len(rows) == len(asset.columns) else [asset.columns[row] for row in rows]
        if not asset.unknown.everything:
            asset.rows = rows
        if keys is not None:
            self._check_keys(asset, rows, keys)

    def _check_keys(self, asset: Prepared, rows: Sequence[int], keys: Sequence[str | None]) -> None:
        table = asset.table
        assert table is not None  # noqa: S101 - only assets with a table have keys
        seen: dict[str, int] = {}
        said = 0
        name = ", ".join(as_list(asset.text.node.get("key", "stem")))
        # One form of Unicode, as for ids and axis values: what looks alike in a message is one key.
        keys = [key if key is None or key.isascii() else unicodedata.normalize("NFC", key) for key in keys]
        for row, key in zip(rows, keys, strict=True):
            fault = None
            if key is None or not key.strip():
                fault = ("data.key_missing", "key is missing", f"{table.place(row)}: the row has no {name}.")
            elif seen.setdefault(key, row) != row:
                fault = ("data.duplicate_key", "key stands twice", _twice(table, name, key, seen[key], row))
            elif (why := key_fault(key)) is not None:
                fault = ("manifest.id", "key cannot be used", f"{table.place(row)}: {name} {quoted(key)} {why}.")
            if fault is not None and said < MAX_SAID:
                said += 1
                place = Place(path=table.path, line=table.lines[row], column=1)
                hint = _GLOB_KEY if table.by_file else None
                place = asset.text.at("for_each") if table.by_file else place
                self.findings.add(fault[0], fault[1], fault[2], place=place, hint=hint)
        if said:  # what else those rows hold is not judged: what is wrong with their keys would be told again
            asset.lose(ROW)
        else:
            asset.keys = cast("Sequence[str]", keys)

    def _group(self, asset: Prepared, text: AssetText, combos: tuple[Combo, ...], nodes: Sequence[YMap]) -> Group:
        before = self.findings.count
        tops = [Layer(node=node, path=text.document.path) for node in (text.node, *nodes)]
        settled = settle(text.base, text.styles, tops, Findings() if "styles" in text.missing else self.findings)
        lost = text.lost(settled) | self.judge.faults(text, settled)
        policy = read_policy(text.id, text.place, settled)
        outputs = () if "output" in lost else output_wishes(settled, text.place, self.findings)
        sound = self.findings.count == before
        texts = self.templates.texts() if "template" in settled.values and "prompt" not in lost else {}
        strings = take_strings(settled, text.place, [(wish.path, wish.place) for wish in outputs], texts)
        if "prompt" in lost:
            strings.leave_out("prompt", STAND_IN)
        if "vars" in lost:
            strings.silence(VARIABLES)
        if "references" in lost:
            strings.leave_out("references", [LOST])
        if sound:
            self._warn_of_braces(settled, text.place, combos, asset.table)
        return Group(
            job=self.next_job(),
            asset=text.id,
            place=text.place,
            policy=policy,
            settled=settled,
            strings=strings,
            combos=combos,
            outputs=outputs,
            table=asset.table,
            table_id=asset.table_id,
            rowed=text.ranges,
            judged=not lost & {"params", "provider"},
        )

    def _warn_of_braces(self, settled: Settled, place: Place, combos: Sequence[Combo], table: Table | None) -> None:
        @cache
        def known() -> Known:
            return Known(
                axes={axis for combo in combos for axis in combo},
                columns=set() if table is None else table.names(),
                variables=settled.values.get("vars", {}),
            )

        warn_of_braces(settled, place, known, self.findings)
        name = settled.values.get("template")
        if name is not None:
            warn_of_braces_in_file(name, self.templates.texts().get(name, ""), known, self.findings)

    def _check_axis_settings(self, text: AssetText) -> dict[int, set[str]]:
        """Judge what axis values carry, wherever they stand; those without an id are the expander's to tell.

        Takes out what is wrong, and gives its keys by the ids (Python's) of the values that held it.
        """
        wrong: dict[int, set[str]] = {}
        values = [(axis, value) for axis, found in (text.node.get("matrix") or {}).items() for value in found]
        values += [pair for entry in text.node.get("include") or [] for pair in entry.items()]
        for axis, value in values:
            if isinstance(value, YMap) and "id" in value:
                part = Document(path=text.document.path, root=value)
                name = f"a value of axis {quoted(axis)}"
                bad: list[Loc] = []
                check_part(part, (), dict(value), AxisValue, self.findings, name=name, bad=bad)
                for key in {str(loc[0]) for loc in bad} - {"id"}:
                    wrong.setdefault(id(value), set()).update(keys_meant(key))
                    take_out(value, (key,))
        return wrong


_GLOB_KEY: Final = """name files by their path: key: "{{ row.path | replace('/', '-') }}\""""


def _twice(table: Table, name: str, key: str, first: int, second: int) -> str:
    if table.by_file:
        return (
            f"{name} {quoted(key)} stands for {table.place(first)} and for {table.place(second)}; keys name variants."
        )
    rows = f"rows {table.lines[first]} and {table.lines[second]}"
    return f"{name} {quoted(key)} stands in {rows}; keys name variants."


def _joined(cells: Sequence[str | None]) -> str | None:
    return None if any(cell is None or not cell.strip() for cell in cells) else "-".join(cast("Sequence[str]", cells))


def _by_settings(combos: Sequence[Combo]) -> list[tuple[Combo, ...]]:
    """Combinations grouped by the settings their values carry, in the order of their first member."""
    groups: dict[tuple[int, ...], list[Combo]] = {}
    for combo in combos:
        name = tuple(id(node) for _, point in sorted(combo.items()) for node in point.settings)
        groups.setdefault(name, []).append(combo)
    return [tuple(members) for members in groups.values()]
