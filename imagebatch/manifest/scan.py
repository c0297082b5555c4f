"""One scan of a table's rows by the child: which of them `where` takes, and what `key` calls them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from imagebatch.manifest.characters import quoted
from imagebatch.manifest.findings import Findings
from imagebatch.manifest.group import UNREAD, note_slot
from imagebatch.manifest.prepare import Prepared
from imagebatch.manifest.strings import Slot
from imagebatch.manifest.templating import Answer
from imagebatch.manifest.unknown import NAMES, ROW


@dataclass(slots=True, kw_only=True)
class Scan:
    """An asset whose rows are being looked through; `rows` and `keys` are what was found."""

    asset: Prepared
    job: int
    rows: Sequence[int] | None = None
    keys: Sequence[str | None] | None = None

    def __post_init__(self) -> None:
        asset = self.asset
        for what, source in (("where", asset.where), ("key", asset.key)):
            if source is not None:
                kind: Any = "condition" if what == "where" else "text"
                place = asset.text.at(what)
                asset.variables.slots.append(Slot(what=what, loc=(), source=source, kind=kind, place=place))
        asset.variables.silence(asset.unseen)

    def message(self) -> dict[str, Any]:
        """The job for the child."""
        asset = self.asset
        var_slots, slots = asset.variables.messages()
        return {
            "op": "scan",
            "job": self.job,
            "asset": asset.text.id,
            "table": asset.table_id,
            "vars": asset.variables.constants["vars"],
            "var_slots": var_slots,
            "slots": slots,
        }

    def take(self, answer: Answer, findings: Findings) -> None:
        """Take what the child has found, or report what is wrong."""
        if answer.rows is not None:
            self.rows, self.keys = answer.rows, answer.keys
        asset = self.asset
        for error in answer.errors:
            slot = asset.variables.all_slots[error.slot]
            asset.variables.drop(error.slot)
            if error.code == UNREAD:
                continue
            where = f"asset {quoted(asset.text.id)}, {slot.what}"
            if error.index is not None and asset.table is not None:
                where += f", row {asset.table.place(error.index)}"
            note_slot(findings, error, slot, where)

    def settle(self) -> None:
        """Go on without what the scan could not find: the rows, or their names; and without refused variables."""
        asset, found = self.asset, self.asset.variables
        told = {(slot.loc, slot.source) for number, slot in enumerate(found.var_slots) if number in found.mute}
        for group in asset.groups:
            slots = group.strings.var_slots
            for number in [number for number, slot in enumerate(slots) if (slot.loc, slot.source) in told]:
                group.strings.drop(number)
        if asset.table is None or self.rows is None or found.faulty("where"):
            self.rows = None
            asset.lose(ROW)
        elif found.faulty("key"):
            self.keys = None
            asset.lose(NAMES)
