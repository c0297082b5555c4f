"""Assets made ready for rendering: layers, tables, combinations, keys that are columns; all checks that can be done."""

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Final, cast

from imagebatch.manifest.braces import Known, warn_of_braces, warn_of_braces_in_file
from imagebatch.manifest.characters import nearest, quoted
from imagebatch.manifest.checking import check_part
from imagebatch.manifest.expand import Combo, Expander
from imagebatch.manifest.findings import Findings
from imagebatch.manifest.group import Group
from imagebatch.manifest.keys import key_fault
from imagebatch.manifest.layers import Layer, Settled, as_list, settle
from imagebatch.manifest.pruning import SHAPING, STYLE_PARTS
from imagebatch.manifest.schema import AxisValue
from imagebatch.manifest.source import Sources
from imagebatch.manifest.strings import Strings, take_strings
from imagebatch.manifest.tables import Table, TableFacts, read_table, unknown_column
from imagebatch.manifest.templates import Templates
from imagebatch.manifest.templating import needs_rendering
from imagebatch.manifest.wishes import output_wishes, read_policy
from imagebatch.manifest.yaml import Document, YMap
from imagebatch.model.variant import Place

WHERE_FACTOR: Final = 5
MAX_SAID: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetText:
    """One asset as it was written: id and spelling, its mapping, the file, and what lies under it (weakest first).

    `missing` names what was written for it and taken out, because it is wrong and was told.
    """

    id: str
    written: str
    node: YMap
    document: Document
    base: tuple[Layer, ...]
    styles: Mapping[str, Layer]
    missing: frozenset[str] = frozenset()

    @property
    def place(self) -> Place:
        """Where the asset's id stands."""
        return self.document.place(("assets", self.written), key=True)

    def at(self, *loc: str | int) -> Place:
        """Where a part of the asset stands."""
        return self.document.place(("assets", self.written, *loc))


@dataclass(slots=True, kw_only=True)
class Prepared:
    """An asset on its way: its groups, and what the scan of its rows has to find out."""

    text: AssetText
    groups: list[Group]
    table: Table | None = None
    table_id: int | None = None
    where: str | None = None
    key: str | None = None
    variables: Strings = field(default_factory=Strings)
    failed: bool = False

    @property
    def row_count(self) -> int:
        """How many rows the table has; one without a table."""
        return 1 if self.table is None else len(self.table)

    @property
    def needs_scan(self) -> bool:
        """Whether rows have to be chosen or named by the child first."""
        return self.where is not None or self.key is not None


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
        self.providers = providers
        self.tables: dict[str, tuple[int, Table] | None] = {}
        self.facts: list[TableFacts] = []
        self.jobs = 0

    def next_job(self) -> int:
        """A number for the rendering child."""
        self.jobs += 1
        return self.jobs

    def prepare(self, text: AssetText) -> Prepared | None:
        """One asset with its groups; keys are known where they are columns and no `where` chooses rows."""
        table_id, table, fine = self._table(text)
        if not fine:
            return None
        expander = Expander(
            asset=text.id,
            node=text.node,
            path=text.document.path,
            findings=self.findings,
            max_variants=self.max_variants,
        )
        before = self.findings.count
        self._check_axis_settings(text)
        combos = expander.combos(1 if table is None or "where" in text.node else len(table))
        if combos is None or self.findings.count > before:
            return None
        asset = Prepared(text=text, groups=[], table=table, table_id=table_id)
        for members in _by_settings(combos):
            group = self._group(text, members, table, table_id)
            if group is not None:
                asset.groups.append(group)
        if not asset.groups:
            return None
        worn = any(group.settled.values.get("styles") for group in asset.groups)
        if text.missing & SHAPING or (worn and text.missing & {"styles", STYLE_PARTS}):
            return None
        return asset if table is None else self._keys(asset, table)

    def _table(self, text: AssetText) -> tuple[int | None, Table | None, bool]:
        node = text.node
        if "for_each" not in node:
            for key in ("key", "where"):
                if key in node and "for_each" not in text.missing:
                    self.findings.add(
                        "manifest.required",
                        "no table",
                        f"{key} needs for_each, which names the table.",
                        place=text.at(key),
                    )
            return None, None, True
        path = node["for_each"]
        if path not in self.tables:
            limit = self.max_variants * (WHERE_FACTOR if "where" in node else 1)
            table = read_table(
                path, place=text.at("for_each"), sources=self.sources, findings=self.findings, max_rows=limit
            )
            self.tables[path] = None if table is None else (len(self.tables), table)
        found = self.tables[path]
        if found is None:
            return None, None, False
        every_file = found[1].by_file and "where" not in node
        self.facts.append(TableFacts(asset=text.id, path=path, rows=len(found[1]), every_file=every_file))
        return (*found, True)

    def _keys(self, asset: Prepared, table: Table) -> Prepared | None:
        """Find each row's key now where it is columns, else leave it to the scan."""
        text = asset.text
        asset.where = text.node.get("where")
        # Rows are chosen and named before there are axes, so what axis values set does not count here.
        alone = settle(text.base, text.styles, [Layer(node=text.node, path=text.document.path)], Findings())
        asset.variables.variables(alone.values.get("vars", {}), alone, place=text.place)
        wanted = as_list(text.node.get("key", ["stem"] if table.columns and "stem" in table.columns else []))
        if not wanted:
            self.findings.add(
                "manifest.required",
                "key is missing",
                "for_each needs key: a column (or a template) that names each row, so that rows may change places.",
                place=text.at("for_each"),
                hint=f"known columns: {', '.join(sorted(table.names())[:20])}",
            )
            return None
        if len(wanted) == 1 and needs_rendering(wanted[0]):
            asset.key = wanted[0]
            return asset
        unknown = [name for name in wanted if name not in table.names()]
        for name in unknown:
            self.findings.add("data.key_column", "unknown column", unknown_column(name, table), place=text.at("key"))
        if unknown:
            return None
        if not self._named_by_text(table, wanted):
            return None
        columns = [table.cells(name) for name in wanted]
        keys = columns[0] if len(columns) == 1 else [_joined(cells) for cells in zip(*columns, strict=True)]
        if asset.where is None:
            return asset if self.take_keys(asset, range(len(table)), keys) else None
        for group in asset.groups:
            group.keys = cast("list[str]", keys)
        return asset

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

    def take_keys(self, asset: Prepared, rows: Sequence[int], keys: Sequence[str | None]) -> bool:
        """Check keys of the rows that are taken, and name the variants."""
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
        if said:
            asset.failed = True
            return False
        for group in asset.groups:
            group.rows, group.keys = rows, cast("Sequence[str]", keys)
        return True

    def _group(
        self, text: AssetText, combos: tuple[Combo, ...], table: Table | None, table_id: int | None
    ) -> Group | None:
        before = self.findings.count
        document = text.document
        tops = [Layer(node=text.node, path=document.path)]
        for _, point in sorted(combos[0].items()):
            tops += [Layer(node=node, path=document.path) for node in point.settings]
        settled = settle(text.base, text.styles, tops, Findings() if "styles" in text.missing else self.findings)
        self._check_settled(text, settled)
        policy = read_policy(text.id, text.place, settled)
        outputs = output_wishes(settled, text.place, self.findings)
        strings = take_strings(settled, text.place, [(wish.path, wish.place) for wish in outputs])
        if self.findings.count > before:
            return None
        self._warn_of_braces(settled, text.place, combos, table)
        return Group(
            job=self.next_job(),
            asset=text.id,
            place=text.place,
            policy=policy,
            settled=settled,
            strings=strings,
            combos=combos,
            outputs=outputs,
            table=table,
            table_id=table_id,
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

    def _check_axis_settings(self, text: AssetText) -> None:
        """Judge what axis values carry, wherever they stand; those without an id are the expander's to tell."""
        values = [(axis, value) for axis, found in (text.node.get("matrix") or {}).items() for value in found]
        values += [pair for entry in text.node.get("include") or [] for pair in entry.items()]
        for axis, value in values:
            if isinstance(value, YMap) and "id" in value:
                part = Document(path=text.document.path, root=value)
                name = f"a value of axis {quoted(axis)}"
                check_part(part, (), dict(value), AxisValue, self.findings, name=name)

    def _check_settled(self, text: AssetText, settled: Settled) -> None:
        values = settled.values
        for key, other in (("prompt", "template"), ("output", "outputs")):
            if key in values and other in values:
                self.findings.add(
                    "manifest.conflict",
                    "two keys for one thing",
                    f"{key} and {other} exclude each other.",
                    place=settled.place(other),
                )
        if "prompt" not in values and "template" not in values:
            if not text.missing & {"prompt", "template", "defaults"}:
                self.findings.add(
                    "manifest.required",
                    "prompt is missing",
                    f"asset {quoted(text.id)} has neither prompt nor template.",
                    place=text.place,
                )
        elif "prompt" in values and not values["prompt"].strip():
            self.findings.add(
                "manifest.required", "prompt is missing", "the prompt is empty.", place=settled.place("prompt")
            )
        if "template" in values:
            self.templates.check_name(values["template"], settled.place("template") or text.place)
        self._check_provider(text, settled)

    def _check_provider(self, text: AssetText, settled: Settled) -> None:
        provider = settled.values.get("provider")
        if provider is None and text.missing & {"provider", "defaults"}:
            return
        if provider is None:
            self.findings.add(
                "manifest.required",
                "provider is missing",
                f"asset {quoted(text.id)} has no provider.",
                place=text.place,
                hint="set `defaults: {provider: …}` in imagebatch.yaml",
            )
        elif provider not in self.providers:
            near = nearest(provider, self.providers)
            known = f"; known: {', '.join(sorted(self.providers)[:20])}"
            self.findings.add(
                "manifest.unknown_provider",
                "unknown provider",
                f"{quoted(provider)} is no provider of imagebatch.yaml{known}.",
                place=settled.place("provider"),
                hint=f"did you mean {near}?" if near else None,
            )


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
