"""What carrying out a plan needs, bound together: lanes, pollers, the paid-call protocol, files."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

from imagebatch.effects import seams
from imagebatch.effects.files import read_bytes
from imagebatch.http.clock import SystemClock
from imagebatch.model.variant import Reference, Variant
from imagebatch.outputs.aside import set_aside
from imagebatch.outputs.develop import Outputs
from imagebatch.outputs.room import Room
from imagebatch.outputs.tree import Tree
from imagebatch.outputs.workers import Workers
from imagebatch.pipeline.costs import limits_of
from imagebatch.pipeline.opened import Opened
from imagebatch.pipeline.planning import Planned
from imagebatch.pipeline.signing import tried_signer
from imagebatch.pipeline.space import at_once, refuse_small_files, room_for
from imagebatch.pipeline.world import PlacedDisk, known_here
from imagebatch.plan.budget import Funds, max_cost_of
from imagebatch.plan.following import followed_picks
from imagebatch.plan.foreign import paths_left
from imagebatch.plan.types import Change
from imagebatch.providers.base import ReferenceImage
from imagebatch.run.checking import Checking
from imagebatch.run.create import Creator
from imagebatch.run.doubts import Doubts
from imagebatch.run.draw import Drawing
from imagebatch.run.ends import Try
from imagebatch.run.executor import Executor
from imagebatch.run.files import Files, Handover
from imagebatch.run.judging import COMMAND as JUDGES
from imagebatch.run.judging import Judging
from imagebatch.run.lanes import Lane
from imagebatch.run.looking import Looking
from imagebatch.run.paid_steps import PaidSteps
from imagebatch.run.pictures import Pictures
from imagebatch.run.poll import Poller
from imagebatch.run.receiving import Receiving
from imagebatch.run.removal import Removal
from imagebatch.run.result import Outcome
from imagebatch.run.settle import Listings
from imagebatch.run.stop import Stop
from imagebatch.run.turns import Turns
from imagebatch.run.upkeep import Upkeep


@dataclass(frozen=True, slots=True, kw_only=True)
class Equipped:
    """An executor, and what those who watch over it need."""

    executor: Executor
    lanes: Mapping[str, Lane]
    pollers: Mapping[str, Poller]
    listings: Listings


async def equip(
    run: Opened, planned: Planned, funds: Funds, *, stack: AsyncExitStack, stop: Stop, outcomes: list[Outcome]
) -> Equipped:
    """Open what a plan needs, until `stack` closes; `outcomes` will grow as its changes end.

    Raises ProviderError and RefusedError as `Opened.lanes` does, StateError where not even one connection could be
    open, or no picture written.
    """
    jobs = at_once(run.options.jobs)
    refuse_small_files(planned.plan)
    lanes = await run.lanes(stack, planned.plan.asked, asyncio.Semaphore(jobs) if jobs else None)
    pollers = {alias: Poller(lane, run.tag, SystemClock()) for alias, lane in lanes.items()}
    workers = await stack.enter_async_context(Workers())
    signer = await tried_signer(run.project, planned.plan.changes, workers)
    plugs = await stack.enter_async_context(Workers(command=JUDGES))  # its processes start when one is needed
    tree = Tree(run.home)
    stack.callback(tree.close)
    options = planned.options
    max_cost = max_cost_of(run.project.settings.brakes, options)
    run.spending.hold(limits_of(funds, options, max_cost), options.max_creates)
    room = room_for(run.home, planned.plan, lanes.values(), jobs)
    listings = run.listings()
    pictures = Pictures(
        store=run.store,
        workers=workers,
        recorder=run.recording,
        looking=Looking(recorder=run.recording, aliases=run.project.aliases),
        tell=run.tell,
        turns=Turns(),
        lacking=room.lacking,
        cleared=run.recording.cleared,
        spending=run.spending,
    )
    disk = PlacedDisk(run.disk, run.session.ledger, known_here(run.session.ledger, run.store, run.beside))
    handover = _handover(planned.plan.changes, run.session.lease.check)
    files = Files(
        root=run.home,
        outputs=Outputs(store=run.store, workers=workers, tree=tree, signer=signer),
        disk=disk,
        recorder=run.recording,
        forces=options.forces,
        day=seams.clock.wall().date().isoformat(),
        handover=handover,
    )
    drawing = Drawing(creator=_creator(run, pictures, listings, pollers, room=room, stop=stop))
    upkeep = Upkeep(
        lanes=lanes,
        steps=drawing.steps,
        pictures=pictures,
        files=files,
        checking=Checking(store=run.store, workers=workers, judging=Judging(store=run.store, workers=plugs)),
        recorder=run.recording,
        picks=followed_picks(run.project.loaded.picks, planned.variants.values(), run.session.ledger),
        aliases=run.project.aliases,
    )
    executor = Executor(
        lanes=lanes,
        drawing=drawing,
        upkeep=upkeep,
        removal=Removal(
            lineage=run.session.lineage,
            lanes=lanes,
            recorder=run.recording,
            trash=files.put_away_all,
            listed=disk.listed_beside,
        ),
        recorder=run.recording,
        aliases=run.project.aliases,
        known=run.session.ledger.known,
        stop=stop,
        tell=run.tell,
        handover=handover,
        outcomes=outcomes,
    )
    return Equipped(executor=executor, lanes=lanes, pollers=pollers, listings=listings)


def _handover(changes: Sequence[Change], check: Callable[[], None]) -> Handover:
    left = paths_left(changes)
    entries = {change.moved_from or change.address: change for change in changes if change.entry is not None}
    leaving = {path: change.entry for at, change in entries.items() for path in left.get(at, ()) if change.entry}
    removed = {at for at, change in entries.items() if change.action in {"forget", "delete"}}
    going = frozenset(path for at in removed for path in left.get(at, ()))
    return Handover(leaving=leaving, going=going, check=check)


def _creator(
    run: Opened, pictures: Pictures, listings: Listings, pollers: Mapping[str, Poller], *, room: Room, stop: Stop
) -> Creator:
    """The paid-call protocol of this run."""
    steps = PaidSteps(
        lineage=run.session.lineage,
        recorder=run.recording,
        inbox=run.inbox,
        clock=SystemClock(),
        stop=stop,
        tell=run.tell,
        reference_images=lambda variant: _reference_images(run, variant),
        lacking=pictures.lacking,
        cleared=run.recording.cleared,
        spending=run.spending,
        was_sent=lambda this: _may_have_left(run, this),
        was_sent_once=run.session.ledger.was_sent_once,
    )
    open_steps = run.session.ledger.open_steps()
    return Creator(
        steps=steps,
        receiving=Receiving(
            steps=steps,
            intake=pictures,
            pay_no_more=room.close,
            aside=lambda name, data: set_aside(run.home, name, data),
        ),
        doubts=Doubts(steps=steps, listings=listings, in_doubt=run.options.in_doubt, open_steps=open_steps),
        pollers=pollers,
        open_steps=open_steps,
        turns=pictures.turns,
        aliases=run.project.aliases,
        wait=run.options.wait,
    )


def _may_have_left(run: Opened, this: Try) -> bool:
    """Whether its token may have been sent before; only a billing record can mean the wrong sending."""
    return this.lane.capabilities.witness == "billing" and run.session.was_sent(this.variant.address, this.token)


def _reference_images(run: Opened, variant: Variant) -> tuple[ReferenceImage, ...]:
    return tuple(_reference_image(run, reference) for reference in variant.references)


def _reference_image(run: Opened, reference: Reference) -> ReferenceImage:
    sha256 = reference.sha256 or ""
    path = run.project.root / reference.path if reference.path is not None else run.store.path_of(sha256)
    return ReferenceImage(
        sha256=sha256,
        filename=path.name,
        media_type=reference.media_type or "application/octet-stream",
        content=read_bytes(path),
    )
