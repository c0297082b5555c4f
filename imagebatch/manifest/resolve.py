"""Assets into drafts: prepared, rendered in one child, made while it works, sorted; every problem at once."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from imagebatch.manifest.asset import AssetText
from imagebatch.manifest.characters import quoted
from imagebatch.manifest.findings import Findings
from imagebatch.manifest.group import Group, Wants, note_template
from imagebatch.manifest.paths import OutputPaths
from imagebatch.manifest.prepare import Prepared, Preparer
from imagebatch.manifest.scan import Scan
from imagebatch.manifest.source import Sources
from imagebatch.manifest.tables import Table
from imagebatch.manifest.templates import Templates
from imagebatch.manifest.templating import Answer, Died, Renderer
from imagebatch.manifest.unknown import EVERYTHING, ROW
from imagebatch.model.settings import Redo
from imagebatch.model.variant import Draft, Place

WHERE_FACTOR: Final = 5
MAX_SAID: Final = 20
_WITH_NUMBER: Final = re.compile(r"\brow\.(\w+)\s*==\s*[0-9]")


class Resolver:
    """Turns all assets of a project into drafts.

    Problems go to `findings`. `max_variants` bounds all assets together; `providers` are the known names. `partial` are
    drafts that lack more than a prompt, for those who judge references only; `unnamed` the assets whose variants could
    not be named.
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
        self.partial: list[Draft] = []
        self.unnamed: set[str] = set()

    def resolve(self, assets: Sequence[AssetText]) -> tuple[Draft, ...]:
        """All drafts, sorted by address; where problems were noted, those that a provider can judge all the same."""
        prepared = [self.preparer.prepare(asset) for asset in assets]
        bound = sum(self._bound(asset) for asset in prepared)
        groups = [group for asset in prepared for group in asset.groups]
        many = not any(asset.text.chooses for asset in prepared) and self._too_many(bound)
        if many:
            for asset in prepared:
                asset.lose(EVERYTHING)
            for group in groups:
                group.cut()
        self._render(prepared, bound)
        if not many and self._too_many(sum(len(group.addresses) for group in groups)):
            for group in groups:
                group.cut()
        return self._finish(prepared)

    # -- rendering ---------------------------------------------------------------------------------------------------

    def _bound(self, asset: Prepared) -> int:
        return asset.row_count * sum(len(group.combos) for group in asset.groups)

    def _render(self, assets: Sequence[Prepared], bound: int) -> None:
        rows = sum(asset.row_count for asset in assets if asset.table is not None)
        scans = [asset for asset in assets if asset.needs_scan]
        settled = [asset for asset in assets if not asset.needs_scan]
        for asset in settled:
            asset.name()
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
        groups = {group.job: group for asset in assets for group in asset.groups}
        waiting = {scan.job: scan for scan in (Scan(asset=asset, job=self.preparer.next_job()) for asset in scans)}
        self._send_templates(assets, waiting.values())
        sent: set[int] = set()
        for group in direct:
            self._send(group, sent)
        for scan in waiting.values():
            self._send_table(scan.asset.table_id, scan.asset.table, sent)
            self.renderer.send(scan.message())
        open_jobs = {group.job for group in direct} | set(waiting)
        for answer in self.renderer.answers():
            if isinstance(answer, Died):
                self._died(answer, groups, waiting, assets)
                for job in open_jobs & set(waiting):
                    waiting[job].settle()
                    waiting[job].asset.name()
                return
            self._take(answer, groups, waiting, open_jobs, sent)
            if not open_jobs:
                return

    def _take(
        self,
        answer: Answer,
        groups: Mapping[int, Group],
        waiting: Mapping[int, Scan],
        open_jobs: set[int],
        sent: set[int],
    ) -> None:
        scan = waiting.get(answer.job)
        if answer.done:
            open_jobs.discard(answer.job)
            for name in answer.used:
                self.templates.note_used(name)
            if scan is not None:
                self._scanned(scan)
                for group in scan.asset.groups:
                    if group.strings.all_slots:
                        open_jobs.add(group.job)
                        self._send(group, sent)
        elif scan is not None:
            scan.take(answer, self.findings)
        elif answer.errors:
            for error in answer.errors:
                groups[answer.job].report(error, self.findings)
        elif answer.columns is not None:
            groups[answer.job].take(answer.columns, answer.count, self.wants)

    def _scanned(self, scan: Scan) -> None:
        """Name an asset's variants, as far as its rows and their keys have been found."""
        asset = scan.asset
        scan.settle()
        if scan.rows is not None and not scan.rows:
            self.findings.add(
                "data.empty",
                "no row is left",
                "where leaves out every row of the table.",
                place=asset.text.at("where"),
                hint=_text_cells(asset),
            )
            asset.lose(ROW)
        elif scan.rows is not None:
            count = len(scan.rows) * sum(len(group.combos) for group in asset.groups)
            self.preparer.take_keys(asset, scan.rows, scan.keys)
            if self._too_many(count, asset.text.at("for_each")):
                asset.lose(ROW)
        asset.name()

    def _send(self, group: Group, sent: set[int]) -> None:
        self._send_table(group.table_id, group.table, sent)
        anywhere = self.templates.mention("address")
        self.renderer.send(
            group.message(
                address=anywhere or group.strings.mentions("address"), variant=group.strings.mentions("variant")
            )
        )

    def _send_table(self, number: int | None, table: Table | None, sent: set[int]) -> None:
        if number is not None and table is not None and number not in sent:
            sent.add(number)
            columns = None if table.columns is None else list(table.columns)
            self.renderer.send({"op": "table", "id": number, "columns": columns, "rows": table.packed_rows()})

    def _send_templates(self, assets: Sequence[Prepared], scans: Iterable[Scan]) -> None:
        slots = [slot for asset in assets for group in asset.groups for slot in group.strings.all_slots]
        slots += [slot for scan in scans for slot in scan.asset.variables.all_slots]
        if any(slot.kind == "file" or "import" in slot.source or "include" in slot.source for slot in slots):
            self.renderer.send(
                {"op": "templates", "templates": self.templates.texts(), "unread": self.templates.unread}
            )

    def _died(
        self, died: Died, groups: Mapping[int, Group], waiting: Mapping[int, Scan], assets: Sequence[Prepared]
    ) -> None:
        place = assets[0].text.place
        name = assets[0].text.id
        if died.job is not None and died.job in waiting:
            asset = waiting[died.job].asset
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
            if not asset.named:
                self.unnamed.add(asset.text.id)
            for group in asset.groups:
                group.take_rest(self.wants)
                if group.sound:
                    drafts += group.made
                else:
                    self.partial += group.made
        for path, owner in self.wants.paths.nested():
            detail = f"{quoted(path)} is a file of {owner}, and another output needs a folder of that name."
            owners = (group for asset in assets for group in asset.groups if owner in group.addresses)
            place = next((group.policy.place_of("outputs", "output") for group in owners), None)
            self.findings.add("path.collision", "output path cannot be used", detail, place=place, address=owner)
        self._check_rendered(assets)
        drafts.sort(key=_address)
        return tuple(drafts)

    def _check_rendered(self, assets: Sequence[Prepared]) -> None:
        """No stand-in is ever drawn: where one is, something was told, or the child left out what it was asked for."""
        lacking = (asset.text for asset in assets for group in asset.groups if group.strings.mute)
        text = None if self.findings.failed else next(lacking, None)
        if text is not None:
            note_template(self.findings, "limit", "not all was rendered", f"asset {quoted(text.id)}", place=text.place)


def _address(draft: Draft) -> str:
    return draft.address


def _text_cells(asset: Prepared) -> str | None:
    """What to write where a cell that is text is held against a number, which it never equals."""
    table = str(asset.text.node.get("for_each") or "")
    compared = _WITH_NUMBER.search(asset.where or "")
    if compared is None or not table.lower().endswith((".csv", ".tsv")):
        return None
    return f"cells of such a table are text: compare row.{compared[1]} | int, or put the number in quotes"
