"""From a loaded project to a plan: what is wanted beside what is recorded. Sends nothing, needs no key."""

import shlex
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from pathlib import Path

from imagebatch.effects.files import exists, is_file, is_folder, read_bytes
from imagebatch.errors import PlanError, RefusedError, UsageError
from imagebatch.model.bulk import uncollected
from imagebatch.model.checks import UnmetAt
from imagebatch.model.money import Money
from imagebatch.model.variant import Variant
from imagebatch.pipeline.checks import unmet_checks
from imagebatch.pipeline.costs import read_funds
from imagebatch.pipeline.ephemeral import refused_in_ci
from imagebatch.pipeline.originals import originals_of
from imagebatch.pipeline.picking import settle_hint
from imagebatch.pipeline.policy import untrusted_job
from imagebatch.pipeline.project import Project, wanted
from imagebatch.pipeline.unmounted import refused_unfilled, refused_unseen, unmounted_notes
from imagebatch.pipeline.world import World, read_world, stat_disk
from imagebatch.plan.budget import NO_FUNDS, Funds
from imagebatch.plan.diff import make_plan as compare
from imagebatch.plan.following import followed_picks
from imagebatch.plan.options import Force, InDoubt, PlanOptions
from imagebatch.plan.saved import SavedPlan, decode_saved, encode_saved, is_saved
from imagebatch.plan.select import Subject, files_of, select, uses_states
from imagebatch.plan.states import states_of
from imagebatch.plan.types import DRAW_ACTIONS, Action, Blocker, Plan, Reason
from imagebatch.state.cost_file import Now, utc_now
from imagebatch.state.files import read_regular, write_atomic
from imagebatch.state.store import StateStore

_DRAWS: frozenset[Action] = DRAW_ACTIONS | {"adopt", "share", "defer"}
_FAILED: frozenset[Reason] = frozenset({"failed", "paid_failure", "blocked", "in_doubt", "unavailable"})


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanRequest:
    """What a command asks of the planner.

    `select`, `exclude`, `retry` and `redraw` are selectors; an empty `select` means everything. `destroy` asks for the
    removal of what is selected; `resend` leaves of it only what is in doubt, to be sent again.
    """

    select: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    force: frozenset[Force] = frozenset()
    retry: tuple[str, ...] = ()
    redraw: tuple[str, ...] = ()
    destroy: bool = False
    resend: bool = False
    max_cost: tuple[Money, ...] = ()
    max_creates: int | None = None
    in_doubt: InDoubt = "skip"
    detail: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A plan with what it was made from. `simulated` names the provider aliases that the simulator stands in for."""

    plan: Plan
    options: PlanOptions
    variants: Mapping[str, Variant]
    simulated: tuple[str, ...]
    lock_digest: str
    apply_running: str | None = None
    unmet: tuple[UnmetAt, ...] = ()


@uncollected()
def make_plan(project: Project, request: PlanRequest, now: Now = utc_now) -> Planned:
    """Plan against lock and journal as they are; takes no lease, changes nothing but a cache of file stats.

    `now` tells which month a budget is for.
    """
    disk = stat_disk(project.home)
    originals = originals_of(project)
    world = read_world(project, originals.store, disk)
    planned = plan_against(project, world, request, funds=read_funds(project, now))
    planned = replace(planned, plan=refused_unfilled(originals, planned.plan, planned.options))
    disk.save()
    originals.save()
    return planned


def save_plan(project: Project, planned: Planned, path: Path) -> None:
    """Write a plan to a file that `apply` takes.

    The project's lineage is fixed first, so that a first plan cannot be applied twice. Raises StateError, and
    UsageError where it cannot stand there.
    """
    check_out(path)
    lineage = StateStore(project.home).ensure_lineage(project.settings.lineage)
    text = encode_saved(replace(planned.plan, lineage=lineage), lock=planned.lock_digest, options=planned.options)
    write_atomic(path, text.encode("utf-8"))


def check_out(path: Path) -> None:
    """Raise UsageError where a plan cannot be saved: no folder, or a file that is no plan (a lock, a picture)."""
    if not is_folder(path.parent):
        raise UsageError(
            "The folder is missing",
            f"{path} cannot be written, because there is no folder {path.parent}. Nothing was written.",
            hints=(f"mkdir -p {shlex.quote(str(path.parent))}",),
        )
    try:
        before = read_bytes(path) if exists(path) else b""
    except OSError:
        return  # writing it says what is wrong
    if before.strip() and not is_saved(before.decode("utf-8", "replace")):
        raise UsageError(
            "A file is there already",
            f"{path} is no saved plan, and a plan is never written over another file. Nothing was written.",
            hints=("imagebatch plan --out changes.plan",),
        )


def load_saved(path: Path) -> SavedPlan:
    """Read a saved plan; raises PlanError."""
    data = read_regular(path)
    if data is None:
        raise PlanError("Saved plan not found", f"There is no file {path}.", code="plan.unreadable")
    return decode_saved(data.decode("utf-8", "replace"), path=str(path))


@uncollected()
def plan_against(
    project: Project,
    world: World,
    request: PlanRequest,
    options: PlanOptions | None = None,
    *,
    funds: Funds = NO_FUNDS,
) -> Planned:
    """Make the plan; `options` given (from a saved plan) replace the request's selectors. `funds` are the budget's.

    Raises ManifestError for requests that a provider cannot take, PlanError and UsageError for selectors that name
    nothing.
    """
    found = wanted(project, world.recorded)
    variants = found.variants
    first = options is None  # a plan for the rounds after it finds nothing failed any more
    if options is None:
        options = _options(project, world, request, variants)
    plan = _compared(project, world, variants, options, funds)
    if first:
        _refuse_needless_retry(plan, options.retry)
        plan = replace(plan, notes=(*plan.notes, *_unsettled(plan, options.retry)))
    refused = (
        *world.refusals, *_refused_job(project), *refused_in_ci(project, plan), *refused_unseen(project, options),
    )  # fmt: skip
    refusals = tuple(one for one in refused if one.force not in options.forces)
    plan = replace(plan, blocked_by=(*refusals, *plan.blocked_by))
    warnings = tuple(
        f"{problem.detail}; {problem.hint}" if problem.hint else problem.detail
        for problem in found.problems
        if problem.severity == "warning" and (problem.address is None or options.selects(problem.address))
    )
    used = {variant.provider for variant in variants}
    unmet = unmet_checks(world.recorded, variants, options.selects)
    return Planned(
        plan=replace(
            plan,
            notes=(
                *plan.notes,
                *_check_notes(unmet),
                *_table_notes(project, world.rows_before),
                *unmounted_notes(project),
                *funds.notes,
                *warnings,
            ),
        ),
        options=options,
        variants={variant.address: variant for variant in variants},
        simulated=tuple(sorted(alias for alias in used if project.targets[alias].simulated)),
        lock_digest=world.lock_digest,
        apply_running=world.apply_running,
        unmet=unmet,
    )


def _check_notes(unmet: Sequence[UnmetAt]) -> tuple[str, ...]:
    """How many pictures do not hold their checks; which and why is told by `status`."""
    if not unmet:
        return ()
    failed = len({one.address for one in unmet if one.unmet.level == "fail"})
    if failed:
        return (f"checks: {failed} {'picture fails' if failed == 1 else 'pictures fail'}; imagebatch status says why",)
    return (f"checks: {len({one.address for one in unmet})} with a warning; imagebatch status says why",)


def _refused_job(project: Project) -> tuple[Blocker, ...]:
    """What a stranger started in CI pays nothing; where everything is simulated, nothing could be paid."""
    used = {draft.policy.provider for draft in project.loaded.drafts}
    blocker = untrusted_job(project.setup.variables)
    return () if blocker is None or all(project.targets[alias].simulated for alias in used) else (blocker,)


def _refuse_needless_retry(plan: Plan, asked: AbstractSet[str]) -> None:
    """Raise RefusedError where nothing of what a retry names has failed: a person who asks for one expects a draw."""
    named = [change for change in plan.changes if change.address in asked]
    if not asked or any(one.action in _DRAWS or one.reason in _FAILED for one in named):
        return
    running = sum(one.action == "wait" for one in named)
    hints = ("imagebatch redraw SEL draws a picture anew that did not fail",)
    raise RefusedError(
        "nothing to retry",
        f"Nothing of what is named has failed, so nothing is sent; {running} of {len(asked)} are still being drawn.",
        hints=("imagebatch wait", *hints) if running else hints,
        code="retry.not_failed",
    )


def _unsettled(plan: Plan, asked: AbstractSet[str]) -> tuple[str, ...]:
    """What a retry names and does not send, because it is in doubt."""
    doubted = (one for one in plan.changes if one.address in asked and one.reason == "in_doubt")
    kept = [one.address for one in doubted if one.action == "keep"]
    if not kept:
        return ()
    what = f"{kept[0]} is" if len(kept) == 1 else f"{len(kept)} of what is to be retried are"
    return (f"retry: {what} in doubt, so nothing is sent before that is settled: {settle_hint(kept)}",)


def subjects(project: Project, world: World, *, states: bool) -> tuple[Subject, ...]:
    """Every address that a selector may name: wanted, recorded, in doubt; with their states where a selector asks."""
    variants = {variant.address: variant for variant in wanted(project, world.recorded).variants}
    return _subjects(project, world, variants, states=states)


def selected(project: Project, selectors: Sequence[str], *, exclude: Sequence[str] = ()) -> frozenset[str] | None:
    """The addresses, wanted or recorded, that selectors name; None where there is no selection.

    Raises UsageError and PlanError for selectors that are none or name nothing.
    """
    if not selectors and not exclude:
        return None
    world = read_world(project, originals_of(project).store, stat_disk(project.home))
    return selected_in(world, project, selectors, exclude=exclude)


def selected_in(
    world: World, project: Project, selectors: Sequence[str], *, exclude: Sequence[str] = ()
) -> frozenset[str] | None:
    """As `selected`, in a world that was read already."""
    if not selectors and not exclude:
        return None
    expressions = (*selectors, *exclude)
    files = read_selector_files(project.root, expressions)
    listed = subjects(project, world, states=uses_states(expressions, files))
    return select(selectors, listed, exclude=exclude, files=files)


def read_selector_files(root: Path, expressions: tuple[str, ...]) -> Mapping[str, str]:
    """The texts behind `@FILE` selectors, named from here or from the project's root.

    Raises UsageError for one that cannot be read.
    """
    texts: dict[str, str] = {}
    for name in files_of(expressions):
        try:
            here = Path(name)
            texts[name] = read_bytes(here if is_file(here) else root / name).decode()
        except (OSError, UnicodeDecodeError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            raise UsageError("Selector file cannot be read", f"@{name}: {why}.") from None
    return texts


def _compared(
    project: Project, world: World, variants: tuple[Variant, ...], options: PlanOptions, funds: Funds = NO_FUNDS
) -> Plan:
    return compare(
        variants,
        world.recorded,
        world.known,
        world.disk,
        picks=followed_picks(project.loaded.picks, variants, world.recorded),
        moved=project.loaded.moved,
        brakes=project.settings.brakes,
        capabilities=project.capabilities,
        options=options,
        lineage=world.lineage,
        inputs=project.inputs,
        funds=funds,
        aliases=project.aliases,
    )


def _options(project: Project, world: World, request: PlanRequest, variants: tuple[Variant, ...]) -> PlanOptions:
    expressions = (*request.select, *request.exclude, *request.retry, *request.redraw)
    selected: frozenset[str] | None = None
    retry = redraw = destroy = frozenset[str]()
    if expressions or request.destroy:
        files = read_selector_files(project.root, expressions)
        listed = _subjects(
            project, world, {one.address: one for one in variants}, states=uses_states(expressions, files)
        )
        if request.select or request.exclude:
            selected = select(request.select, listed, exclude=request.exclude, files=files)
        retry = select(request.retry, listed, files=files) if request.retry else retry
        redraw = select(request.redraw, listed, files=files) if request.redraw else redraw
        if retry or redraw:
            selected = (retry | redraw) if selected is None else selected & (retry | redraw)
        if request.destroy:
            everything = frozenset(one.address for one in listed)
            destroy = everything if selected is None else selected
    return PlanOptions(
        selected=selected,
        forces=request.force,
        retry=retry,
        redraw=redraw,
        destroy=destroy,
        max_cost=request.max_cost or None,
        max_creates=request.max_creates,
        in_doubt=request.in_doubt,
        detail=request.detail,
    )


def _subjects(project: Project, world: World, variants: Mapping[str, Variant], *, states: bool) -> tuple[Subject, ...]:
    found: Mapping[str, AbstractSet[str]] = {}
    if states:
        everything = PlanOptions(detail=True)
        found = states_of(_compared(project, world, tuple(variants.values()), everything))
    recorded = world.recorded
    addresses = sorted({*variants, *recorded, *world.known.doubts()})
    return tuple(
        Subject(
            address=address,
            variant=variants.get(address),
            glance=recorded.glance(address) if address in recorded else None,
            states=frozenset(found.get(address, ())),
        )
        for address in addresses
    )


def _table_notes(project: Project, before: Mapping[str, int]) -> tuple[str, ...]:
    """Rows of each table now and at the last apply: a table that shrank should catch the eye before it deletes."""
    return tuple(
        f"{table.asset}: {table.rows} rows in {table.path}"
        + (f", {before[table.asset]} at the last apply" if before.get(table.asset, table.rows) != table.rows else "")
        for table in project.loaded.tables
    )
