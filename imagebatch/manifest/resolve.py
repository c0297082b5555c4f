"""Assets into drafts: prepared, rendered in one child, made while it works, sorted; every problem at once."""

import re
from collections.abc import Mapping, Sequence
from typing import Final

from imagebatch.manifest.characters import quoted
from imagebatch.manifest.findings import Findings
from imagebatch.manifest.group import UNREAD, Group, Wants, name_all, note_template
from imagebatch.manifest.paths import OutputPaths
from imagebatch.manifest.prepare import AssetText, Prepared, Preparer
from imagebatch.manifest.pruning import JUDGED
from imagebatch.manifest.source import Sources
from imagebatch.manifest.tables import Table
from imagebatch.manifest.templates import Templates
from imagebatch.manifest.templating import Answer, Died, Renderer
from imagebatch.model.settings import Redo
from imagebatch.model.variant import Draft, Place

WHERE_FACTOR: Final = 5
MAX_SAID: Final = 20
_WITH_NUMBER: Final = re.compile(r"\brow\.(\w+)\s*==\s*[0-9]")


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
        self.findings = findings
        self.renderer = renderer
        self.max_variants = max_variants
        self.templates = Templates(sources, findings)
        self.preparer = Preparer(
            sources=sources, findings=findings, templates=self.templates, max_variants=max_variants, providers=providers
        )
        self.wants = Wants(paths=OutputPaths(root=sources.root), redo=redo, findings=findings)

    def resolve(self, assets: Sequence[AssetText]) -> tuple[Draft, ...]:
        """All drafts, sorted by address; incomplete where problems were noted."""
        prepared = [found for found in map(self.preparer.prepare, assets) if found is not None]
        bound = sum(self._bound(asset) for asset in prepared)
        if not any(asset.where for asset in prepared) and self._too_many(bound):
            return ()
        self._render(prepared, bound)
        if self._too_many(sum(len(group.addresses) for asset in prepared for group in asset.groups)):
            return ()
        return self._finish(prepared)

    # -- rendering ---------------------------------------------------------------------------------------------------

    def _bound(self, asset: Prepared) -> int:
        return asset.row_count * sum(len(group.combos) for group in asset.groups)

    def _render(self, assets: Sequence[Prepared], bound: int) -> None:
        rows = sum(asset.row_count for asset in assets if asset.table is not None)
        scans = [asset for asset in assets if asset.needs_scan]
        settled = [asset for asset in assets if not asset.needs_scan]
        for asset in settled:
            name_all(asset.groups)
        direct = [group for asset in settled for group in asset.groups if group.strings.all_slots]
        if not scans and not direct:
            return
        renders = sum(
            asset.row_count * len(group.combos) * len(group.strings.all_slots)
            for asset in assets
            for group in asset.groups
        )
        templates = len({slot.source for asset in assets for group in asset.groups for slot in group.strings.all_slots})
        self.renderer.limit(variants=max(bound, rows), renders=renders + 2 * rows, templates=templates)
        self._send_templates(assets)
        sent: set[int] = set()
        groups = {group.job: group for asset in assets for group in asset.groups}
        waiting: dict[int, Prepared] = {}
        for group in direct:
            self._send(group, sent)
        for asset in scans:
            job = self.preparer.next_job()
            waiting[job] = asset
            self._send_scan(asset, job, sent)
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
        waiting: Mapping[int, Prepared],
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

    def _scanned(self, asset: Prepared, rows: Sequence[int], keys: Sequence[str] | None) -> bool:
        if asset.failed:
            return False
        if keys is None:
            every = asset.groups[0].keys or ()
            keys = [every[row] for row in rows]
        if not rows:
            self.findings.add(
                "data.empty",
                "no row is left",
                "where leaves out every row of the table.",
                place=asset.text.at("where"),
                hint=_text_cells(asset),
            )
            asset.failed = True
            return False
        if not self.preparer.take_keys(asset, rows, keys):
            return False
        if len(rows) * sum(len(group.combos) for group in asset.groups) > self.max_variants:
            asset.failed = True
            self._too_many(len(rows) * sum(len(group.combos) for group in asset.groups), asset.text.at("for_each"))
            return False
        name_all(asset.groups)
        return True

    def _send(self, group: Group, sent: set[int]) -> None:
        self._send_table(group.table_id, group.table, sent)
        anywhere = self.templates.mention("address")
        self.renderer.send(
            group.message(
                address=anywhere or group.strings.mentions("address"), variant=group.strings.mentions("variant")
            )
        )

    def _send_scan(self, asset: Prepared, job: int, sent: set[int]) -> None:
        self._send_table(asset.table_id, asset.table, sent)
        self.renderer.send(
            {
                "op": "scan",
                "job": job,
                "asset": asset.text.id,
                "table": asset.table_id,
                "where": asset.where,
                "key": asset.key,
                "vars": asset.variables.constants["vars"],
                "var_slots": asset.variables.var_messages(),
            }
        )

    def _send_table(self, number: int | None, table: Table | None, sent: set[int]) -> None:
        if number is not None and table is not None and number not in sent:
            sent.add(number)
            columns = None if table.columns is None else list(table.columns)
            self.renderer.send({"op": "table", "id": number, "columns": columns, "rows": table.packed_rows()})

    def _send_templates(self, assets: Sequence[Prepared]) -> None:
        slots = [slot for asset in assets for group in asset.groups for slot in group.strings.all_slots]
        if any(slot.kind == "file" or "import" in slot.source or "include" in slot.source for slot in slots):
            self.renderer.send(
                {"op": "templates", "templates": self.templates.texts(), "unread": self.templates.unread}
            )

    def _report_scan(self, asset: Prepared, answer: Answer) -> None:
        names = [name for name, text in (("where", asset.where), ("key", asset.key)) if text is not None]
        for error in answer.errors:
            if error.code == UNREAD:
                continue
            what = names[error.slot]
            where = f"asset {quoted(asset.text.id)}, {what}"
            if error.index is not None and asset.table is not None:
                where += f", row {asset.table.place(error.index)}"
            note_template(self.findings, error.code, error.text, where, place=asset.text.at(what), what=what)

    def _died(
        self, died: Died, groups: Mapping[int, Group], waiting: Mapping[int, Prepared], assets: Sequence[Prepared]
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
            "plan.too_many",
            "too many variants",
            f"all assets together have {count} variants; the limit is {self.max_variants}.",
            place=place,
            hint="raise brakes.max_variants in imagebatch.yaml",
        )
        return True

    def _finish(self, assets: Sequence[Prepared]) -> tuple[Draft, ...]:
        drafts: list[Draft] = []
        for asset in assets:
            for group in asset.groups:
                if not asset.failed and not group.strings.all_slots:
                    group.take((), len(group.addresses), self.wants)
                if asset.text.missing & JUDGED:
                    continue  # a request that lacks what was written for it is nobody's to judge
                if not asset.failed and group.complete:
                    drafts += group.made
                elif group.failed:
                    drafts += group.stand_ins()
        for path, owner in self.wants.paths.nested():
            detail = f"{quoted(path)} is a file of {owner}, and another output needs a folder of that name."
            place = next((one.policy.place_of("outputs", "output") for one in drafts if one.address == owner), None)
            self.findings.add("path.collision", "output path cannot be used", detail, place=place, address=owner)
        drafts.sort(key=_address)
        return tuple(drafts)


def _address(draft: Draft) -> str:
    return draft.address


def _text_cells(asset: Prepared) -> str | None:
    """What to write where a cell that is text is held against a number, which it never equals."""
    table = str(asset.text.node.get("for_each") or "")
    compared = _WITH_NUMBER.search(asset.where or "")
    if compared is None or not table.lower().endswith((".csv", ".tsv")):
        return None
    return f"cells of such a table are text: compare row.{compared[1]} | int, or put the number in quotes"
