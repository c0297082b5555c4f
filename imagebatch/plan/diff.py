"""Variants and the lock -> the plan: one pass over what is wanted, then what nobody wants, then what joins them."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from imagebatch.errors import PlanError
from imagebatch.model.capabilities import Capabilities
from imagebatch.model.generation import Earlier, Entry
from imagebatch.model.money import totals
from imagebatch.model.picks import Picks
from imagebatch.model.recorded import Disk, Known, KnownDraw, Recorded
from imagebatch.model.settings import Brakes, Moved
from imagebatch.model.token import make_token
from imagebatch.model.variant import Variant
from imagebatch.plan.aliases import Aliases
from imagebatch.plan.brakes import blockers
from imagebatch.plan.budget import NO_FUNDS, Funds, half_held
from imagebatch.plan.case import Case, Elsewhere, World
from imagebatch.plan.classify import classify
from imagebatch.plan.defer import defer_dependents
from imagebatch.plan.following import draw_that_counts
from imagebatch.plan.foreign import foreign_files, held_paths
from imagebatch.plan.holding import Holding, note_holders, start_anew_apart
from imagebatch.plan.index import DrawHolders, released_tokens
from imagebatch.plan.moves import Moves, find_moves
from imagebatch.plan.options import PlanOptions
from imagebatch.plan.sharing import share_draws
from imagebatch.plan.states import is_unpicked
from imagebatch.plan.types import ACTIONS, Action, Change, Plan
from imagebatch.plan.unchanged import certainly_unchanged

__all__ = ["Case", "World", "classify", "make_plan"]


@dataclass(slots=True, kw_only=True)
class _Survey:
    """What one pass over the variants leaves: all addresses, those to look at closer, those that use other pictures."""

    wanted: set[str] = field(default_factory=set)
    closer: dict[str, Variant] = field(default_factory=dict)
    dependent: list[Variant] = field(default_factory=list)
    unchanged: list[Variant] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Others:
    """Other addresses' entries of a wanted draw: those that may be used, and what bars the way.

    `tokens` are those of pictures that are another address's alone, `attempts` the highest attempt whose token is
    taken already.
    """

    usable: tuple[Elsewhere, ...] = ()
    remembered: tuple[KnownDraw, ...] = ()
    attempts: int = 0
    tokens: frozenset[str] = frozenset()


def make_plan(
    variants: Iterable[Variant],
    recorded: Recorded,
    known: Known,
    disk: Disk,
    *,
    picks: Picks,
    moved: Sequence[Moved] = (),
    brakes: Brakes,
    capabilities: Mapping[str, Capabilities],
    options: PlanOptions,
    lineage: str | None = None,
    inputs: Mapping[str, str] | None = None,
    notes: Sequence[str] = (),
    funds: Funds = NO_FUNDS,
    aliases: Aliases | None = None,
) -> Plan:
    """Compare what is wanted with what exists.

    `variants` may be a generator: of the unchanged ones only the addresses are kept. `capabilities` is keyed by
    provider type. `inputs` and `lineage` are what the plan is made from; they are carried along, not read. `funds` are
    what the budget allows, and what of it is gone, `aliases` the providers that are declared.

    Raises PlanError (`plan.too_many`) for more variants than `brakes.max_variants`.
    """
    world = World(
        known=known, disk=disk, picks=picks, capabilities=capabilities, options=options, lineage=lineage,
        doubts=known.doubts(), aliases=aliases or Aliases(),
    )  # fmt: skip
    survey = _survey(variants, recorded, world, brakes.max_variants)
    gone = [address for address in recorded if address not in survey.wanted]
    every = _moves(gone, survey, recorded, moved, world)
    moves = replace(every, sources={new: old for new, old in every.sources.items() if options.selects(new)})
    holders = DrawHolders(recorded)
    changes = _wanted_changes(survey, recorded, moves, holders, world)
    moved_away = set(every.sources.values())  # what is to move later is nothing that nobody wants
    leaving = [address for address in gone if address not in moved_away]
    going = {address for address in leaving if options.selects(address) and recorded.entry(address).on_remove != "keep"}
    moved_to = {source: target for target, source in moves.sources.items()}
    start_anew_apart(changes, Holding(changes, holders, moved_to=moved_to, leaves=going.__contains__))
    share_draws(changes)
    defer_dependents(
        changes,
        [variant for variant in survey.dependent if options.selects(variant.address)],
        lambda address: recorded.entry(address) if address in recorded else None,
    )
    _add_removals(changes, leaving, recorded, holders, world)
    _add_unspoken(changes, survey, recorded, world)
    note_holders(changes, Holding(changes, holders, moved_to=moved_to, leaves=_dropped(changes, options)))
    bare = Plan(changes=(), counts={}, lineage=lineage, inputs=dict(inputs or {}), notes=(*notes, *moves.notes))
    return _plan(bare, changes, survey, recorded=recorded, world=world, brakes=brakes, funds=funds)


def _survey(variants: Iterable[Variant], recorded: Recorded, world: World, limit: int) -> _Survey:
    survey = _Survey()
    options, picks = world.options, world.picks
    named = {*picks.picks, *picks.redo, *options.redraw, *options.retry, *options.destroy, *world.doubts}
    wanted, closer, disk, detail = survey.wanted, survey.closer, world.disk, options.detail
    aliases = world.aliases
    for variant in variants:
        address = variant.address
        wanted.add(address)
        if len(wanted) > limit:
            raise _too_many(limit)
        if variant.references:
            survey.dependent.append(variant)
        if (
            address not in named
            and address in recorded
            and certainly_unchanged(variant, recorded.glance(address), disk, aliases)
        ):
            if detail:
                survey.unchanged.append(variant)
        else:
            closer[address] = variant
    return survey


def _too_many(limit: int) -> PlanError:
    return PlanError(
        "Too many variants",
        f"The manifests ask for more than {limit:,} variants, the limit that `brakes: max_variants` sets. "
        "A matrix or a table with one axis too many is the usual cause.",
        code="plan.too_many",
        hints=(f"Narrow the matrix or the table, or raise the limit: brakes: {{max_variants: {limit * 2}}}",),
    )


def _moves(gone: Sequence[str], survey: _Survey, recorded: Recorded, moved: Sequence[Moved], world: World) -> Moves:
    """All renames, whatever is selected: which address goes on under which name is no matter of what a command may do.

    Else a part of a rename would be drawn or adopted anew, without what a person protected, and the old one removed.
    """
    free = [address for address in gone if address not in world.options.destroy]
    new = {
        address: variant.draw
        for address, variant in survey.closer.items()
        if address not in recorded and address not in world.options.destroy
    }
    if not free or not new:
        return Moves()
    return find_moves(
        gone=free,
        new=new,
        moved=moved,
        draw_of=lambda address: draw_that_counts(address, world.picks, recorded),
        recorded=recorded.__contains__,
    )


def _wanted_changes(
    survey: _Survey, recorded: Recorded, moves: Moves, holders: DrawHolders, world: World
) -> dict[str, Change]:
    changes: dict[str, Change] = {}
    drawn_apart: dict[str, set[str]] = {}
    shared: dict[str, set[str]] = {}
    for address in sorted(survey.closer):
        variant = survey.closer[address]
        source = moves.sources.get(address)
        at = source if source is not None else address
        entry = recorded.entry(at) if at in recorded else None
        apart = False
        if variant.policy.distinct and entry is not None:
            apart = entry.token in drawn_apart.get(variant.draw, ()) and entry.draw == variant.draw
        others = _Others()
        if entry is None or entry.draw != variant.draw or apart:
            others = _elsewhere(variant, at, survey=survey, holders=holders, world=world)
            taken = drawn_apart.get(variant.draw, set())
            if variant.policy.distinct:
                taken = taken | shared.get(variant.draw, set())
            if taken:
                others = replace(others, tokens=others.tokens | taken)
        if variant.policy.distinct and entry is not None and entry.draw == variant.draw:
            drawn_apart.setdefault(variant.draw, set()).add(entry.token)
        case = Case(
            address=address,
            wanted=variant,
            entry=entry,
            world=world,
            moved_from=source,
            elsewhere=others.usable,
            remembered=others.remembered,
            attempts_elsewhere=others.attempts,
            barred=others.tokens,
            apart=apart,
        )
        change = changes[address] = classify(case)
        if change.known is not None:
            of_whom = drawn_apart if variant.policy.distinct else shared
            of_whom.setdefault(change.known.draw, set()).add(change.known.token)
    return changes


def _elsewhere(variant: Variant, at: str, *, survey: _Survey, holders: DrawHolders, world: World) -> _Others:
    found: list[Elsewhere] = []
    apart: list[Entry | Earlier] = []
    tokens: set[str] = set()
    for address in holders.holders(variant.draw):
        if address == at:
            continue
        entry = holders.recorded.entry(address)
        other = survey.closer.get(address)
        stays = address in survey.wanted and address not in world.options.destroy
        wants_it = stays and (other is None or other.draw == variant.draw)
        if variant.policy.distinct or (wants_it and other is not None and other.policy.distinct):
            apart.append(entry)
            if wants_it:
                tokens.add(entry.token)
        else:
            shares = wants_it and entry.provider == variant.provider
            found.append(Elsewhere(address=address, entry=entry, shares=shares))
    kept = [kept for address, kept in holders.earlier(variant.draw) if address != at]
    if variant.policy.distinct:
        apart += kept
        kept = []
    return _Others(
        usable=tuple(found),
        remembered=tuple(KnownDraw.of_earlier(each) for each in kept),
        attempts=max((each.attempt for each in apart if _could_be_ours(variant, each, world.lineage)), default=0),
        tokens=frozenset(tokens),
    )


def _could_be_ours(variant: Variant, held: Entry | Earlier, lineage: str | None) -> bool:
    """Whether a token that another address holds is the one that this variant would make for the same attempt.

    That is so after `distinct` was set or taken away, and after renames of what was drawn apart.
    """
    if lineage is None:
        return True
    token = make_token(lineage=lineage, draw=variant.draw, attempt=held.attempt, salt=variant.salt)
    return token == held.token


def _add_removals(
    changes: dict[str, Change], gone: Sequence[str], recorded: Recorded, holders: DrawHolders, world: World
) -> None:
    cases = {
        address: Case(address=address, wanted=None, entry=recorded.entry(address), world=world) for address in gone
    }
    for address, case in cases.items():
        changes[address] = classify(case)
    leaving = {address for address, change in changes.items() if change.action in {"forget", "delete"}}
    if not leaving:
        return
    used = {change.known.token for change in changes.values() if change.known is not None}
    used |= {change.entry.token for change in changes.values() if change.moved_from is not None and change.entry}
    released = released_tokens(holders, leaving, used.__contains__)
    for address in leaving - released:
        change = changes[address]
        case = Case(
            address=address,
            wanted=change.variant,
            entry=change.entry,
            world=world,
            released=False,
        )
        changes[address] = classify(case)


def _add_unspoken(changes: dict[str, Change], survey: _Survey, recorded: Recorded, world: World) -> None:
    """What is in doubt under a name that is neither wanted nor recorded, unless another address tells of it."""
    told = {change.known.token for change in changes.values() if change.known is not None}
    for address, draws in world.doubts.items():
        if address not in survey.wanted and address not in recorded and draws[0].token not in told:
            change = classify(Case(address=address, wanted=None, entry=None, world=world))
            if change.action != "noop":
                changes[address] = change


def _dropped(changes: Mapping[str, Change], options: PlanOptions) -> Callable[[str], bool]:
    """Tells of a recorded address whether this plan takes it out of the lock."""
    return lambda address: (
        address in changes and changes[address].action in {"forget", "delete"} and options.selects(address)
    )


def _plan(
    bare: Plan,
    changes: dict[str, Change],
    survey: _Survey,
    *,
    recorded: Recorded,
    world: World,
    brakes: Brakes,
    funds: Funds,
) -> Plan:
    options = world.options
    # What is not selected was not looked at: to count it as unchanged would say what nobody knows.
    changes = {address: change for address, change in changes.items() if options.selects(address)}
    shown = [change for change in changes.values() if change.action != "noop" or options.detail or change.also]
    if options.detail:
        shown += [
            Change(address=v.address, action="noop", reason=None, provider=v.provider, variant=v)
            for v in survey.unchanged
            if v.address not in changes and options.selects(v.address)
        ]
    counted: Counter[Action] = Counter(change.action for change in changes.values())
    counted["noop"] += sum(address not in changes and options.selects(address) for address in survey.wanted)
    later = tuple(change.later for change in changes.values() if change.later is not None)
    shown.sort(key=lambda change: change.address)
    plan = replace(
        bare,
        changes=tuple(shown),
        counts={action: counted.get(action, 0) for action in ACTIONS},
        costs=tuple(cost for change in shown for cost in change.costs),
        later=totals(later),
        later_unknown=any(cost.money is None for cost in later),
        unpicked=tuple(sorted(change.address for change in changes.values() if is_unpicked(change))),
    )
    foreign = foreign_files(plan.changes, recorded, world)
    return replace(
        plan,
        notes=(*plan.notes, *half_held(plan, brakes, funds, options)),
        blocked_by=blockers(
            plan,
            brakes=brakes,
            options=options,
            recorded=len(recorded),
            wanted=len(survey.wanted),
            foreign=foreign,
            held=held_paths(plan.changes, recorded, world),
            funds=funds,
        ),
    )
