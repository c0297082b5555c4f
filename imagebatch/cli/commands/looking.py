"""`render`, `explain`, `status`, `verify`, `history`: looking without touching."""

import shlex
from typing import TYPE_CHECKING

import click

from imagebatch.cli.opening import open_project
from imagebatch.cli.options import Shell, command, complete_addresses, flag, naming, selecting
from imagebatch.cli.planned import plan_request
from imagebatch.cli.views.foreign import json_text, shown, without_absent
from imagebatch.cli.views.wording import counted
from imagebatch.errors import EXIT_CHANGES, EXIT_OK

if TYPE_CHECKING:
    from imagebatch.pipeline.inspecting import Explained, Rendered

ADDRESS = click.argument("address", shell_complete=complete_addresses)
_SHOWN = 10


@command("render", json=True)
@naming
def render(shell: Shell, *, selectors: tuple[str, ...], exclude: tuple[str, ...]) -> int:
    """Show prompts and requests as they would be sent, and what becomes of each param.

    Sends nothing and needs no key.
    """
    from imagebatch.pipeline.inspecting import render_variants

    project = open_project(shell)
    for index, one in enumerate(render_variants(project, selectors, exclude=exclude)):
        if shell.json:
            shell.screen.json_line(json_text(_rendered_object(one)))
        else:
            shell.screen.lines([*([""] if index else []), *_rendered_lines(shell, one)], verbatim=True)
    return EXIT_OK


@command("explain", json=True)
@ADDRESS
def explain(shell: Shell, *, address: str) -> int:
    """Tell why an address is planned as it is: what changed, what it costs, where it is declared."""
    from imagebatch.pipeline.inspecting import explain as explain_address
    from imagebatch.pipeline.planning import make_plan

    project = open_project(shell)
    planned = make_plan(project, plan_request(detail=True))
    found = explain_address(project, planned, address)
    if shell.json:
        shell.screen.json_line(json_text(_explained_object(found)))
    else:
        shell.screen.lines(_explained_lines(shell, found, planned.simulated), verbatim=True)
    return EXIT_OK


@command("status", json=True)
@selecting
@flag("--exit-code", "exit_code", is_flag=True, help="Exit 2 where an apply would change something.")
def status(shell: Shell, *, select: tuple[str, ...], exclude: tuple[str, ...], exit_code: bool) -> int:
    """Show what exists, what is wanted, and what needs a person."""
    from imagebatch.cli.screen import width
    from imagebatch.cli.views.events_json import unmet_document
    from imagebatch.cli.views.plan_text import blocker_lines
    from imagebatch.cli.views.result_text import unmet_lines
    from imagebatch.pipeline.checks import unchecked
    from imagebatch.pipeline.inspecting import recorded_now, status_of
    from imagebatch.pipeline.planning import make_plan
    from imagebatch.plan.costs import summary_line

    project = open_project(shell)
    planned = make_plan(project, plan_request(select=select, exclude=exclude, detail=True))
    ledger = recorded_now(project)
    found, not_checked = status_of(planned, ledger), unchecked(planned.plan, ledger)
    if shell.json:
        document = {
            "format": "imagebatch-status",
            "format_version": "1.0",
            "wanted": found.wanted,
            "recorded": found.recorded,
            "unchanged": found.unchanged,
            "changes": found.changes,
            "states": {state: list(addresses) for state, addresses in found.by_state.items()},
            **without_absent({"unmet": [unmet_document(one) for one in planned.unmet] or None}),
            **without_absent({"unchecked": list(not_checked) or None}),
            **without_absent({"simulated": list(planned.simulated), "apply_running": planned.apply_running}),
        }
        shell.screen.json_line(json_text(document))
    else:
        paint = shell.screen.out_paint
        totals = f"{counted(found.wanted, 'variant')} wanted, {found.recorded} in the lock"
        lines = [f"{totals}, {found.unchanged} as they should be."]
        if planned.apply_running:
            lines.append(f"{paint('A run is under way:', 'yellow')} {shown(planned.apply_running)}")
        titles = _STATE_TITLES if planned.apply_running is None else {**_STATE_TITLES, "in-doubt": _UNDER_WAY}
        for state, addresses in found.by_state.items():
            lines += ["", f"{paint(titles[state], 'bold')} ({len(addresses)})"]
            most = addresses if shell.verbose else addresses[:_SHOWN]
            lines += [f"  {shown(address)}" for address in most]
            if len(most) < len(addresses):
                lines.append(f"  … and {len(addresses) - len(most)} more (-v shows them)")
        if not_checked:
            title = f"Not checked: their pictures are neither here nor at the provider ({len(not_checked)})"
            lines += ["", paint(title, "bold"), *(f"  {shown(address)}" for address in not_checked[:_SHOWN])]
        if planned.unmet:
            lines += ["", *unmet_lines(planned.unmet, paint, verbose=shell.verbose > 0)[:-1]]
        if planned.simulated:
            lines += ["", f"{paint('Simulated:', 'magenta', 'bold')} {', '.join(map(shown, planned.simulated))}"]
        if planned.plan.blocked_by:
            columns = width(shell.environ, shell.screen.out)
            lines += ["", *blocker_lines(planned.plan.blocked_by, paint=paint, columns=columns)[:-1]]
        shell.screen.lines([*lines, "", paint(summary_line(planned.plan), "bold")])
    return EXIT_CHANGES if exit_code and not found.clean else EXIT_OK


_STATE_TITLES = {
    "new": "New: not drawn yet",
    "changed": "Changed since they were drawn",
    "failed": "Failed",
    "blocked": "Blocked by moderation",
    "missing": "Files missing",
    "unpicked": "Waiting for a pick",
    "pending": "Being drawn at the provider",
    "in-doubt": "In doubt: nobody knows whether these were paid",
    "orphan": "Not in the manifests any more",
    "simulated": "Simulated pictures",
}
_UNDER_WAY = "Sent, and no answer yet: the run that is under way may still settle these"


@command("verify", json=True)
@selecting
@flag("--quick", "quick", is_flag=True, help="Let size and time vouch for files, as `plan` does; leave out the store.")
def verify(shell: Shell, *, select: tuple[str, ...], exclude: tuple[str, ...], quick: bool) -> int:
    """Hold lock, manifests, picks, files and store against each other; exit 2 where they disagree.

    Hashes every output and every picture of the store. Needs no network and no key, and writes nothing. Simulated
    pictures are a disagreement, and so are a failed check and a file without the mark it should carry: that a machine
    made it.
    """
    from imagebatch.cli.views.verified import fault_document, fault_lines, verified_line
    from imagebatch.pipeline.verify.running import Verification

    verification = Verification(open_project(shell), select, exclude, quick=quick)
    if not shell.json:
        found = list(verification.faults())
        paint = shell.screen.out_paint
        last = verified_line(found, verification.files, verification.stored, paint)
        shell.screen.lines([*fault_lines(found, paint), last])
        return EXIT_CHANGES if any(one.severity == "error" for one in found) else EXIT_OK
    counts = {"error": 0, "warning": 0}
    for one in verification.faults():
        counts[one.severity] += 1
        shell.screen.json_line(json_text({**fault_document(one, shell.screen.from_here), **_VERIFY_FORMAT}))
    code = EXIT_CHANGES if counts["error"] else EXIT_OK
    total = {
        "type": "summary",
        "exit_code": code,
        "files": verification.files,
        "stored": verification.stored,
        "disagreements": counts["error"],
        "warnings": counts["warning"],
    }
    shell.screen.json_line(json_text({**total, **_VERIFY_FORMAT}))
    return code


_VERIFY_FORMAT = {"format": "imagebatch-verify", "format_version": "1.1"}


@command("history", json=True)
@ADDRESS
def history(shell: Shell, *, address: str) -> int:
    """List the draws of an address, the newest first; `restore --to N` takes the numbers."""
    from imagebatch.pipeline.deciding import earlier_pictures, recorded_entry
    from imagebatch.pipeline.picking import past_draws
    from imagebatch.providers.wanted import request_prompt

    project = open_project(shell)
    entry = recorded_entry(project, address)
    lines: list[str] = []
    paint = shell.screen.out_paint
    for draw in past_draws(entry):
        if shell.json:
            fields = {
                "type": "draw", "address": address, "number": draw.number, "attempt": draw.attempt, "draw": draw.draw,
                "token": draw.token, "generation": draw.generation, "picked": list(draw.picked),
                "candidates": len(draw.candidates), "cost": list(draw.cost), "prompt": request_prompt(draw.request),
            }  # fmt: skip
            format_ = {"format": "imagebatch-history", "format_version": "1.0"}
            shell.screen.json_line(json_text({**{k: v for k, v in fields.items() if v not in (None, [])}, **format_}))
            continue
        present = " (present)" if draw.number == 0 else ""
        picked = ", ".join(map(str, draw.picked)) or "none"
        head = f"{draw.number:>3}{present}"
        cost = f", paid {' + '.join(draw.cost)}" if draw.cost else ""
        facts = f"attempt {draw.attempt}, {counted(len(draw.candidates), 'candidate')}, picked {picked}{cost}"
        lines += [
            f"{paint(head, 'bold')}  {facts}",
            f"     {shown(request_prompt(draw.request), 200)}",
            f"     {paint(f'{draw.token} · {shown(draw.generation or chr(45))}', 'dim')}",
        ]
        if not draw.picked:  # there is a choice to be made, with `pick` or with `restore --candidate`
            lines += [f"     candidate {at}  {shown(path)}" for at, path in earlier_pictures(project, draw).items()]
    shell.screen.lines(lines, verbatim=True)
    return EXIT_OK


def _rendered_object(one: "Rendered") -> dict[str, object]:
    variant = one.variant
    return {
        "format": "imagebatch-render",
        "format_version": "1.0",
        "address": variant.address,
        "provider": variant.provider,
        "type": variant.type,
        "draw": variant.draw,
        "prompt": one.prompt,
        "request": dict(one.request),
        **without_absent(
            {
                "params": [
                    without_absent({"name": note.name, "fate": note.fate, "why": note.why}) for note in one.params
                ],
                "references": [reference.source for reference in variant.references],
                "outputs": _outputs(one),
                "creates": variant.parts if variant.parts > 1 else None,
            }
        ),
    }


def _rendered_lines(shell: Shell, one: "Rendered") -> list[str]:
    paint, variant = shell.screen.out_paint, one.variant
    lines = [f"{paint(shown(variant.address), 'bold')}  {paint(f'{shown(variant.provider)} ({variant.type})', 'dim')}"]
    lines.append(f"  prompt   {shown(one.prompt, 4000)}")
    for note in one.params:
        why = f" ({shown(note.why)})" if note.why else ""
        color = "yellow" if note.fate == "dropped" else "dim"
        lines.append(f"  param    {shown(note.name)}: {paint(note.fate + why, color)}")
    lines += [f"  image    {shown(reference.source)}" for reference in variant.references]
    lines += [f"  waits    for {shown(address)}" for address in variant.pending_references]
    lines += [f"  output   {shown(path)}" for path in _outputs(one)]
    rest = {name: value for name, value in one.request.items() if name != "prompt"}
    lines.append(f"  request  {shown(json_text(rest), 4000)}")
    return lines


def _outputs(one: "Rendered") -> list[str]:
    from imagebatch.model.variant import CANDIDATE_MARK, EXT_MARK

    return [
        output.spec.path.replace(EXT_MARK, one.variant.ext).replace(CANDIDATE_MARK, "{candidate}")
        for output in one.variant.outputs
    ]


def _explained_object(found: "Explained") -> dict[str, object]:
    from imagebatch.plan.document import change_document

    place = found.change.variant.policy.place if found.change.variant is not None else None
    return {
        "format": "imagebatch-explain",
        "format_version": "1.0",
        **change_document(found.change),
        **without_absent(
            {
                "declared": f"{place.path}:{place.line}:{place.column}" if place is not None else None,
                "row": found.change.variant.row if found.change.variant is not None else None,
                "status": found.entry.status if found.entry is not None else None,
                "pictures": {str(number): path for number, path in found.pictures.items()} or None,
                "rendered": _rendered_object(found.rendered) if found.rendered is not None else None,
                "differences": [
                    {
                        "name": one.name,
                        **{k: v for k, v in (("before", one.before), ("after", one.after)) if v is not None},
                    }
                    for one in found.differences
                ],
            }
        ),
    }


def _explained_lines(shell: Shell, found: "Explained", simulated: tuple[str, ...]) -> list[str]:
    from imagebatch.cli.screen import width
    from imagebatch.cli.views.plan_text import Group, group_lines

    paint = shell.screen.out_paint
    columns = width(shell.environ, shell.screen.out)
    lines = group_lines(Group(changes=(found.change,)), paint=paint, columns=columns, simulated=frozenset(simulated))
    lines = [shell.screen.from_here(line) for line in lines]
    variant, entry = found.change.variant, found.entry
    if variant is not None:
        place = variant.policy.place
        row = f", row {shown(variant.row)}" if variant.row else ""
        lines += ["", f"  declared   {shown(place.path)}:{place.line}:{place.column}{row}"]
    if entry is not None:
        picked = ", ".join(map(str, entry.picked)) or "none"
        lines.append(
            f"  in lock    {entry.status}, attempt {entry.attempt}, picked {picked} of {len(entry.candidates)}"
        )
        if len(found.pictures) > 1:
            lines += [f"  picture {number}  {shown(path)}" for number, path in found.pictures.items()]
        if entry.failure is not None:
            lines.append(f"  failure    {entry.failure.kind}: {shown(entry.failure.message)}")
        if entry.checked is not None:
            lines += [f"  check      {one.level}: {shown(one.text)}" for one in entry.checked.unmet]
        if entry.earlier:
            listed = shell.screen.from_here(f"imagebatch history {shlex.quote(found.change.address)}")
            lines.append(f"  earlier    {counted(len(entry.earlier), 'draw')} ({listed})")
    if found.pick is not None:
        stale = "" if variant is None or found.pick.for_draw == variant.draw else ", made for another request: not used"
        lines.append(f"  picks.yaml {found.pick.was}{stale}")
    if found.redo is not None:
        lines.append(f"  redo       attempt {found.redo.attempt} {shown(found.redo.note or '')}".rstrip())
    for one in found.differences:
        lines += [f"  {paint('differs', 'yellow')}    {shown(one.name)}"]
        lines += [f"    {paint('-', 'red')} {shown(_value(one.before), 2000)}"] if one.before is not None else []
        lines += [f"    {paint('+', 'green')} {shown(_value(one.after), 2000)}"] if one.after is not None else []
    if found.rendered is not None:
        lines += ["", *(f"  {line}" for line in _rendered_lines(shell, found.rendered))]
    return lines


def _value(value: object) -> str:
    return value if isinstance(value, str) else json_text(value)
