"""Assets into drafts: layers, rows, combinations, rendering in one child, checks over all; every problem at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, cast

from imagebatch.manifest.characters import nearest, quoted
from imagebatch.manifest.checking import check_part
from imagebatch.manifest.expand import Combo, Expander
from imagebatch.manifest.findings import Findings
from imagebatch.manifest.group import Group, Wants, note_template
from imagebatch.manifest.keys import key_fault
from imagebatch.manifest.layers import Layer, Settled, as_list, settle
from imagebatch.manifest.paths import OutputPaths
from imagebatch.manifest.schema import AxisValue
from imagebatch.manifest.source import Sources
from imagebatch.manifest.strings import take_strings
from imagebatch.manifest.tables import Table, read_table, unknown_column
from imagebatch.manifest.templates import Templates
from imagebatch.manifest.templating import Answer, Died, Renderer, needs_rendering
from imagebatch.manifest.wishes import output_wishes, read_policy
from imagebatch.manifest.written import packed
from imagebatch.manifest.yaml import Document, YMap
from imagebatch.model.settings import Redo
from imagebatch.model.variant import Draft, Place

WHERE_FACTOR: Final = 5
MAX_SAID: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class TableFacts:
    """How many rows an asset's table has now, for the plan to print beside those of the last apply."""

    asset: str
    path: str
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetText:
    """One asset as it was written: its id (and its spelling), its mapping, the file, and what lies under it (weakest first)."""

    id: str
    written: str
    node: YMap
    document: Document
    base: tuple[Layer, ...]
    styles: Mapping[str, Layer]

    @property
    def place(self) -> Place:
        """Where the asset's id stands."""
        return self.document.place(("assets", self.written), key=True)

    def at(self, *loc: str | int) -> Place:
        """Where a part of the asset stands."""
        return self.document.place(("assets", self.written, *loc))


@dataclass(slots=True, kw_only=True)
class _Asset:
    """An asset on its way: its groups, and what the scan of its rows has to find out."""

    text: AssetText
    groups: list[Group]
    table: Table | None = None
    table_id: int | None = None
    where: str | None = None
    key: str | None = None
    variables: Mapping[str, Any] = field(default_factory=dict)
    scan: int | None = None
    failed: bool = False


class Resolver:
    """Turns all assets of a project into drafts.

    Problems go to `findings`. `max_variants` bounds all assets together; `providers` are the known names.
    """

    def __init__(
        self,
        *,
        sources: Sources,
        findings: Findings,
        renderer: Renderer,
        max_variants: int,
        providers: frozenset[str],
        redo: Mapping[str, Redo],
    ) -> None:
        self.sources = sources
        self.findings = findings
        self.renderer = renderer
        self.max_variants = max_variants
        self.providers = providers
        self.templates = Templates(sources, findings)
        self.tables: dict[str, tuple[int, Table] | None] = {}
        self.facts: list[TableFacts] = []
        self.jobs = 0
        self.wants = Wants(paths=OutputPaths(root=sources.root), redo=redo, findings=findings)

    def resolve(self, assets: Sequence[AssetText]) -> tuple[Draft, ...]:
        """All drafts, sorted by address; incomplete where problems were noted."""
        prepared = [found for found in map(self._prepare, assets) if found is not None]
        bound = sum(self._bound(asset) for asset in prepared)
        if not any(asset.where for asset in prepared) and self._too_many(bound):
            return ()
        self._render(prepared, bound)
        if self._too_many(sum(len(group.addresses) for asset in prepared for group in asset.groups)):
            return ()
        return self._finish(prepared)

    # -- before rendering --------------------------------------------------------------------------------------------

    def _prepare(self, text: AssetText) -> _Asset | None:
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
        combos = expander.combos(1 if table is None or "where" in text.node else len(table))
        if combos is None:
            return None
        asset = _Asset(text=text, groups=[], table=table, table_id=table_id)
        for members in _by_settings(combos):
            group = self._group(text, members, table, table_id)
            if group is not None:
                asset.groups.append(group)
        if not asset.groups:
            return None
        asset.variables = asset.groups[0].settled.values.get("vars", {})
        return asset if table is None else self._keys(asset, table)

    def _table(self, text: AssetText) -> tuple[int | None, Table | None, bool]:
        node = text.node
        if "for_each" not in node:
            for key in ("key", "where"):
                if key in node:
                    self.findings.add("manifest.required", "no table", f"{key} needs for_each, which names the table.",
                                      place=text.at(key))  # fmt: skip
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
        self.facts.append(TableFacts(asset=text.id, path=path, rows=len(found[1])))
        return (*found, True)

    def _keys(self, asset: _Asset, table: Table) -> _Asset | None:
        """Find each row's key now where it is columns, else leave it to the scan."""
        text = asset.text
        asset.where = text.node.get("where")
        wanted = as_list(text.node.get("key", ["stem"] if table.columns and "stem" in table.columns else []))
        if not wanted:
            self.findings.add(
                "manifest.required", "key is missing",
                "for_each needs key: a column (or a template) that names each row, so that rows may change places.",
                place=text.at("for_each"), hint=f"known columns: {', '.join(sorted(table.names())[:20])}",
            )  # fmt: skip
            return None
        if len(wanted) == 1 and needs_rendering(wanted[0]):
            asset.key = wanted[0]
            return asset
        unknown = [name for name in wanted if name not in table.names()]
        for name in unknown:
            self.findings.add("data.key_column", "unknown column", unknown_column(name, table), place=text.at("key"))
        if unknown:
            return None
        columns = [table.cells(name) for name in wanted]
        keys = columns[0] if len(columns) == 1 else [_joined(cells) for cells in zip(*columns, strict=True)]
        if asset.where is None:
            return asset if self._take_keys(asset, range(len(table)), keys) else None
        for group in asset.groups:
            group.keys = cast("list[str]", keys)
        return asset

    def _take_keys(self, asset: _Asset, rows: Sequence[int], keys: Sequence[str | None]) -> bool:
        """Check keys of the rows that are taken, and name the variants."""
        table = asset.table
        assert table is not None  # noqa: S101 - only assets with a table have keys
        seen: dict[str, int] = {}
        said = 0
        name = ", ".join(as_list(asset.text.node.get("key", "stem")))
        for row, key in zip(rows, keys, strict=True):
            fault = None
            if key is None or not key.strip():
                fault = ("data.key_missing", "key is missing", f"{table.place(row)}: the row has no {name}.")
            elif seen.setdefault(key, row) != row:
                other = table.lines[seen[key]]
                fault = ("data.duplicate_key", "key stands twice",
                         f"{name} {quoted(key)} stands in rows {other} and {table.lines[row]}; keys name variants.")  # fmt: skip
            elif (why := key_fault(key)) is not None:
                fault = ("manifest.id", "key cannot be used", f"{table.place(row)}: {name} {quoted(key)} {why}.")
            if fault is not None and said < MAX_SAID:
                said += 1
                place = Place(path=table.path, line=table.lines[row], column=1)
                self.findings.add(fault[0], fault[1], fault[2], place=place)
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
            if point.settings is not None:
                node = point.settings
                self._check_axis(text, node)
                tops.append(Layer(node=node, path=document.path))
        if self.findings.count > before:
            return None
        settled = settle(text.base, text.styles, tops, self.findings)
        self._check_settled(text, settled)
        policy = read_policy(text.id, text.place, settled)
        outputs = output_wishes(settled, text.place, self.findings)
        strings = take_strings(settled, text.place, [(wish.path, wish.place) for wish in outputs])
        if self.findings.count > before:
            return None
        self.jobs += 1
        return Group(
            job=self.jobs, asset=text.id, place=text.place, policy=policy, settled=settled, strings=strings, combos=combos,
            outputs=outputs, table=table, table_id=table_id,
        )  # fmt: skip

    def _check_axis(self, text: AssetText, node: YMap) -> None:
        found = Document(path=text.document.path, root=node)
        check_part(found, (), dict(node), AxisValue, self.findings)

    def _check_settled(self, text: AssetText, settled: Settled) -> None:
        values = settled.values
        for key, other in (("prompt", "template"), ("output", "outputs")):
            if key in values and other in values:
                self.findings.add("manifest.conflict", "two keys for one thing", f"{key} and {other} exclude each other.",
                                  place=settled.place(other))  # fmt: skip
        if "prompt" not in values and "template" not in values:
            self.findings.add("manifest.required", "prompt is missing",
                              f"asset {quoted(text.id)} has neither prompt nor template.", place=text.place)  # fmt: skip
        elif "prompt" in values and not values["prompt"].strip():
            self.findings.add(
                "manifest.required", "prompt is missing", "the prompt is empty.", place=settled.place("prompt")
            )
        if "template" in values:
            self.templates.check_name(values["template"], settled.place("template") or text.place)
        provider = values.get("provider")
        if provider is None:
            self.findings.add("manifest.required", "provider is missing", f"asset {quoted(text.id)} has no provider.",
                              place=text.place, hint="set `defaults: {provider: …}` in imagebatch.yaml")  # fmt: skip
        elif provider not in self.providers:
            near = nearest(provider, self.providers)
            known = f"; known: {', '.join(sorted(self.providers))}" if not near else ""
            self.findings.add("manifest.unknown_provider", "unknown provider",
                              f"{quoted(provider)} is no provider of imagebatch.yaml{known}.",
                              place=settled.place("provider"), hint=f"did you mean {near}?" if near else None)  # fmt: skip

    # -- rendering ---------------------------------------------------------------------------------------------------

    def _bound(self, asset: _Asset) -> int:
        rows = 1 if asset.table is None else len(asset.table)
        return rows * sum(len(group.combos) for group in asset.groups)

    def _render(self, assets: Sequence[_Asset], bound: int) -> None:
        slots = max((len(g.strings.all_slots) for asset in assets for g in asset.groups), default=0)
        rows = sum(len(asset.table) for asset in assets if asset.table is not None)
        scans = [asset for asset in assets if asset.where is not None or asset.key is not None]
        for asset in assets:
            if asset not in scans:
                self._name(asset)
        direct = [g for asset in assets if asset not in scans for g in asset.groups if g.strings.all_slots]
        if not scans and not direct:
            return
        self.renderer.limit(variants=max(bound, rows), renders=bound * slots + 2 * rows)
        self._send_templates(assets)
        sent: set[int] = set()
        groups = {group.job: group for asset in assets for group in asset.groups}
        waiting: dict[int, _Asset] = {}
        for group in direct:
            self._send(group, sent)
        for asset in scans:
            self.jobs += 1
            waiting[self.jobs] = asset
            self._send_scan(asset, self.jobs, sent)
        open_jobs = {group.job for group in direct} | set(waiting)
        for answer in self.renderer.answers():
            if isinstance(answer, Died):
                self._died(answer, groups, waiting, assets)
                return
            self._take(answer, groups, waiting, open_jobs, sent)
            if not open_jobs:
                return

    def _take(
        self,
        answer: Answer,
        groups: Mapping[int, Group],
        waiting: Mapping[int, _Asset],
        open_jobs: set[int],
        sent: set[int],
    ) -> None:
        if answer.done:
            open_jobs.discard(answer.job)
            for name in answer.used:
                self.templates.note_used(name)
        elif answer.job in waiting:
            asset = waiting[answer.job]
            if answer.errors:
                asset.failed = True
                self._report_scan(asset, answer)
            elif answer.rows is not None and self._scanned(asset, answer.rows, answer.keys):
                for group in asset.groups:
                    if group.strings.all_slots:
                        open_jobs.add(group.job)
                        self._send(group, sent)
        elif answer.errors:
            for error in answer.errors:
                groups[answer.job].report(error, self.findings)
        elif answer.columns is not None:
            groups[answer.job].take(answer.columns, answer.count, self.wants)

    def _scanned(self, asset: _Asset, rows: Sequence[int], keys: Sequence[str] | None) -> bool:
        if asset.failed:
            return False
        if keys is None:
            every = asset.groups[0].keys or ()
            keys = [every[row] for row in rows]
        if not rows:
            self.findings.add("data.empty", "no row is left", "where leaves out every row of the table.",
                              place=asset.text.at("where"))  # fmt: skip
            asset.failed = True
            return False
        if not self._take_keys(asset, rows, keys):
            return False
        if len(rows) * sum(len(group.combos) for group in asset.groups) > self.max_variants:
            asset.failed = True
            self._too_many(len(rows) * sum(len(group.combos) for group in asset.groups), asset.text.at("for_each"))
            return False
        self._name(asset)
        return True

    def _name(self, asset: _Asset) -> None:
        for group in asset.groups:
            group.name_variants(group.strings.mentions("variant"))

    def _send(self, group: Group, sent: set[int]) -> None:
        self._send_table(group.table_id, group.table, sent)
        anywhere = self.templates.mention("address")
        self.renderer.send(
            group.message(
                address=anywhere or group.strings.mentions("address"), variant=group.strings.mentions("variant")
            )
        )

    def _send_scan(self, asset: _Asset, job: int, sent: set[int]) -> None:
        self._send_table(asset.table_id, asset.table, sent)
        self.renderer.send(
            {
                "op": "scan", "job": job, "asset": asset.text.id, "table": asset.table_id, "where": asset.where,
                "key": asset.key, "vars": packed(dict(asset.variables)),
            }
        )  # fmt: skip

    def _send_table(self, number: int | None, table: Table | None, sent: set[int]) -> None:
        if number is not None and table is not None and number not in sent:
            sent.add(number)
            columns = None if table.columns is None else list(table.columns)
            self.renderer.send({"op": "table", "id": number, "columns": columns, "rows": table.packed_rows()})

    def _send_templates(self, assets: Sequence[_Asset]) -> None:
        slots = [slot for asset in assets for group in asset.groups for slot in group.strings.all_slots]
        if any(slot.kind == "file" or "import" in slot.source or "include" in slot.source for slot in slots):
            self.renderer.send({"op": "templates", "templates": self.templates.texts()})

    def _report_scan(self, asset: _Asset, answer: Answer) -> None:
        names = [name for name, text in (("where", asset.where), ("key", asset.key)) if text is not None]
        for error in answer.errors:
            what = names[error.slot]
            where = f"asset {quoted(asset.text.id)}, {what}"
            if error.index is not None and asset.table is not None:
                where += f", row {asset.table.place(error.index)}"
            note_template(self.findings, error.code, error.text, where, place=asset.text.at(what), what=what)

    def _died(
        self, died: Died, groups: Mapping[int, Group], waiting: Mapping[int, _Asset], assets: Sequence[_Asset]
    ) -> None:
        place = assets[0].text.place
        name = assets[0].text.id
        if died.job is not None and died.job in waiting:
            asset = waiting[died.job]
            place, name = asset.text.at("where" if asset.where is not None else "key"), asset.text.id
        elif died.job is not None and died.job in groups:
            group = groups[died.job]
            slot = next((slot for slot in group.strings.all_slots if slot.what == "prompt"), group.strings.all_slots[0])
            place, name = slot.place, group.asset
        note_template(
            self.findings, "limit", f"rendering was stopped: {died.why}", f"asset {quoted(name)}", place=place
        )

    # -- after rendering ---------------------------------------------------------------------------------------------

    def _too_many(self, count: int, place: Place | None = None) -> bool:
        if count <= self.max_variants:
            return False
        self.findings.add(
            "plan.too_many", "too many variants", f"all assets together have {count} variants; the limit is {self.max_variants}.",
            place=place, hint="raise brakes.max_variants in imagebatch.yaml",
        )  # fmt: skip
        return True

    def _finish(self, assets: Sequence[_Asset]) -> tuple[Draft, ...]:
        drafts: list[Draft] = []
        for asset in assets:
            for group in asset.groups:
                if not asset.failed and not group.strings.all_slots:
                    group.take((), len(group.addresses), self.wants)
                if not asset.failed and group.complete:
                    drafts += group.made
        for path, owner in self.wants.paths.nested():
            detail = f"{quoted(path)} is a file of {owner}, and another output needs a folder of that name."
            self.findings.add("path.collision", "output path cannot be used", detail, address=owner)
        drafts.sort(key=_address)
        return tuple(drafts)


def _address(draft: Draft) -> str:
    return draft.address


def _joined(cells: Sequence[str | None]) -> str | None:
    return None if any(cell is None or not cell.strip() for cell in cells) else "-".join(cast("Sequence[str]", cells))


def _by_settings(combos: Sequence[Combo]) -> list[tuple[Combo, ...]]:
    """Combinations grouped by the settings their values carry, in the order of their first member."""
    groups: dict[tuple[int, ...], list[Combo]] = {}
    for combo in combos:
        name = tuple(id(point.settings) for _, point in sorted(combo.items()) if point.settings is not None)
        groups.setdefault(name, []).append(combo)
    return [tuple(members) for members in groups.values()]
