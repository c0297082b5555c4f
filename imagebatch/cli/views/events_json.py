"""A run for programs: one object a line, `imagebatch-events` 1.0 (CONTRACT section 4).

First `version`, then `plan`, `change`, `progress`, `event`, `outcome` and `diagnostic` in the order of what happens,
last `summary`. Every line carries `format` and `format_version`; a reader skips types and fields it does not know.
"""

from collections.abc import Mapping

from imagebatch.cli.views.foreign import json_text, without_absent
from imagebatch.cli.views.result_text import PAST
from imagebatch.model.bulk import field_names
from imagebatch.model.checks import UnmetAt
from imagebatch.model.event import Event, Told
from imagebatch.model.money import Cost, Money
from imagebatch.plan.document import change_document, money_document, plan_document
from imagebatch.plan.types import Change, Plan
from imagebatch.run.result import Outcome, RunResult

FORMAT = "imagebatch-events"
FORMAT_VERSION = "1.0"


def line(kind: str, fields: Mapping[str, object]) -> str:
    """One line of the stream."""
    return json_text({"type": kind, **fields, "format": FORMAT, "format_version": FORMAT_VERSION})


def version_line(version: str, command: str) -> str:
    """The first line."""
    return line("version", {"imagebatch": version, "command": command})


def plan_lines(plan: Plan, simulated: tuple[str, ...]) -> list[str]:
    """The plan: its sums in one line, each change in a line of its own."""
    document = plan_document(plan)
    heads: dict[str, object] = {
        key: value for key, value in document.items() if key not in {"format", "format_version", "changes"}
    }
    heads |= {"simulated": list(simulated)} if simulated else {}
    return [line("plan", heads), *(_change(change) for change in plan.changes if change.action != "noop")]


def told_line(event: Event | Told) -> str:
    """What just happened: progress of one address, or an event as the journal has it."""
    if isinstance(event, Told):
        fields = {**event.data, "kind": event.kind, "address": event.address, "message": event.message}
        return line("progress", without_absent(fields))
    return line("event", without_absent({"event": type(event).__name__.lower(), **_event_fields(event)}))


def outcome_line(outcome: Outcome) -> str:
    """How one address ended."""
    fields: dict[str, object] = {
        "address": outcome.address,
        "action": "adopt" if outcome.adopted else outcome.action,
        "end": outcome.end,
        "code": outcome.code,
        "message": outcome.message,
        "hint": outcome.hint,
        "cost": [money_document(money) for money in outcome.cost],
        "warnings": list(outcome.warnings),
        "unpicked": outcome.unpicked or None,
    }
    return line("outcome", without_absent(fields))


def summary_line(result: RunResult | None, exit_code: int) -> str:
    """The last line; without a result nothing was done."""
    known = result if result is not None else RunResult(outcomes=(), seconds=0.0)
    fields: dict[str, object] = {"exit_code": exit_code}
    fields.update({word: known.done[action] for action, word in PAST.items()})
    fields["kept"] = known.kept
    fields.update({end: known.count(end) for end in ("failed", "blocked", "in_doubt", "pending", "unsent")})
    fields["unpicked"] = len(known.unpicked)
    if known.simulated:
        fields["simulated"] = known.simulated
    if known.duplicates:
        fields["duplicates"] = known.duplicates
    if known.unmet:
        fields["unmet"] = [unmet_document(one) for one in known.unmet]
    if known.only_here.count:
        fields["originals_only_here"] = known.only_here.count
    fields["requests"] = dict(known.requests)
    fields["cost"] = [money_document(money) for money in known.cost]
    fields["seconds"] = round(known.seconds, 3)
    return line("summary", fields)


def unmet_document(one: UnmetAt) -> dict[str, object]:
    """A check that does not hold, for programs."""
    unmet = one.unmet
    fields = {
        "address": one.address,
        "check": unmet.name,
        "level": unmet.level,
        "wanted": unmet.wanted,
        "found": unmet.found,
        "of": unmet.of,
    }
    return without_absent(fields)


def _change(change: Change) -> str:
    return line("change", change_document(change))


def _event_fields(event: Event) -> dict[str, object]:
    """The plain fields of an event; whole lock entries and requests stay out of the stream."""
    found: dict[str, object] = {}
    for name in field_names(event):
        value = getattr(event, name)
        if isinstance(value, (str, int)) and name != "request":
            # `type` names the kind of line; the provider's type must not stand in its place.
            found["provider_type" if name == "type" else name] = value
        elif isinstance(value, Money):
            found[name] = dict(money_document(value))
        elif isinstance(value, Cost) and value.money is not None:
            found[name] = [{**money_document(value.money), "basis": value.basis}]
    return found
