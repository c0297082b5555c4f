"""Changes of the lock that a person asks for by name: protect, rename, forget. All under the project's lease."""

import shlex
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from imagebatch.errors import PlanError, RefusedError, StateError
from imagebatch.model.address import parse_address
from imagebatch.model.event import Dropped, Event, Kept
from imagebatch.model.generation import Entry
from imagebatch.model.variant import Variant
from imagebatch.pipeline.inspecting import want_alone
from imagebatch.pipeline.planning import read_selector_files, selected
from imagebatch.pipeline.project import Project, Setup
from imagebatch.pipeline.shared import remote_of, remote_of_setup
from imagebatch.plan.select import Subject, select, uses_states
from imagebatch.plan.states import recorded_states
from imagebatch.state.lease import Owner, read_owner
from imagebatch.state.ledger import Ledger
from imagebatch.state.lockfile import encode_block
from imagebatch.state.shared import release_shared, shared_owner
from imagebatch.state.store import Session, StateStore


@contextmanager
def leased(project: Project, lock_timeout_s: float) -> Iterator[Session]:
    """The project's state, to be changed; what was recorded is in the lock afterwards."""
    with open_session(project, lock_timeout_s) as session:
        yield session
        session.checkpoint()


def open_session(project: Project, lock_timeout_s: float) -> Session:
    """The project's state, to be changed under its lease. Raises RefusedError and StateError as `StateStore.open`."""
    return StateStore(project.home).open(
        lineage=project.settings.lineage,
        command="imagebatch",
        lock_timeout_s=lock_timeout_s,
        remote=remote_of(project),
    )


def record(session: Session, events: Sequence[Event]) -> None:
    """Record events, durably and together: all of what a person said is known afterwards, or nothing of it."""
    for event in events:
        session.record(event, durable=False)
    session.flush()


def hold(
    project: Project, selectors: Sequence[str], *, exclude: Sequence[str] = (), held: bool, lock_timeout_s: float
) -> tuple[str, ...]:
    """Protect pictures by hand, or take that back; gives the addresses that changed.

    What a manifest protects stays protected.
    """
    return hold_these(project, selected(project, selectors, exclude=exclude), held=held, lock_timeout_s=lock_timeout_s)


def hold_these(
    project: Project, chosen: Collection[str] | None, *, held: bool, lock_timeout_s: float
) -> tuple[str, ...]:
    """As `hold`, for these very addresses; None for all.

    Raises PlanError where the lock has none of them.
    """
    variants = {variant.address: variant for variant in want_alone(project).variants}
    with leased(project, lock_timeout_s) as session:
        ledger = session.ledger
        entries = {one: ledger.entry(one) for one in sorted(ledger) if chosen is None or one in chosen}
        if not entries:
            raise PlanError("nothing is selected", "The lock has nothing of that.", code="plan.unknown_selector")
        changed = {
            address: found
            for address, entry in entries.items()
            if (found := held_entry(entry, variants.get(address), held=held)) != entry
        }
        record(session, [Kept(address=address, entry=entry) for address, entry in changed.items()])
    return tuple(changed)


def held_entry(entry: Entry, variant: Variant | None, *, held: bool) -> Entry:
    """The entry, protected by hand or not; pure."""
    by_manifest = variant is not None and variant.policy.protect
    return replace(entry, protect=held or by_manifest, held=held)


def rename(project: Project, source: str, target: str, *, lock_timeout_s: float) -> None:
    """Give an entry another address; its files are renamed by the next apply.

    Raises PlanError where there is no such entry, or where the new address is taken or is none.
    """
    try:
        written = str(parse_address(target))
    except ValueError as error:
        raise PlanError("not an address", f"{error}.", code="lock.address") from None
    if written != target:
        raise PlanError("not an address", f"{target} is written {written}.", code="lock.address")
    with leased(project, lock_timeout_s) as session:
        ledger = session.ledger
        entry = _entry(ledger, source)
        if target in ledger:
            raise PlanError("the address is taken", f"The lock has an entry for {target} already.", code="lock.taken")
        record(session, [Kept(address=target, entry=entry), Dropped(address=source, moved_to=target)])


def forget(project: Project, addresses: Sequence[str], *, force: bool, lock_timeout_s: float) -> None:
    """Take entries out of the lock; files, candidates and the provider's generations stay as they are.

    Raises PlanError for an address that is not there, RefusedError for one that is protected or still open.
    """
    with leased(project, lock_timeout_s) as session:
        entries = {address: _entry(session.ledger, address) for address in addresses}
        for address, entry in entries.items():
            why = "protected" if entry.protect or entry.held else entry.status
            if why in {"protected", "pending", "in_doubt"} and not force:
                raise RefusedError(
                    "the entry is still needed",
                    f"{address} is {why.replace('_', ' ')}; without its entry nothing here knows of what was paid.",
                    hints=(f"imagebatch lock rm --even-if-open {shlex.quote(address)}",),
                    code="lock.needed",
                    address=address,
                )
        record(session, [Dropped(address=address) for address in entries])


@dataclass(frozen=True, slots=True, kw_only=True)
class LockView:
    """The lock as a person looks at it: `blocks` are the selected entries' texts, `owner` who holds the project.

    `shared` is who holds it on the remote, where a lease is shared: a sentence says so where nobody can be asked.
    """

    lineage: str | None
    total: int
    statuses: Mapping[str, str]
    blocks: Mapping[str, str]
    owner: str | None
    shared: str | None = None


def look_into(setup: Setup, selectors: Sequence[str], *, exclude: Sequence[str] = ()) -> LockView:
    """The lock with the journal folded in; reads only, and needs no project that loads.

    Of states only those are known that stand in the lock.
    """
    view = StateStore(setup.home).open_for_plan(lineage=None)
    ledger = view.ledger
    files = read_selector_files(setup.root, (*selectors, *exclude))
    stated = uses_states((*selectors, *exclude), files)
    subjects = [
        Subject(
            address=one, glance=ledger.glance(one), states=recorded_states(ledger.entry(one)) if stated else frozenset()
        )
        for one in ledger
    ]
    chosen = sorted(select(selectors, subjects, exclude=exclude, files=files))
    entries = {address: ledger.entry(address) for address in chosen}
    return LockView(
        lineage=view.lineage,
        total=len(ledger),
        statuses={address: entry.status for address, entry in entries.items()},
        blocks={address: encode_block(address, entry).decode() for address, entry in entries.items()},
        owner=str(view.running) if view.running is not None else None,
        shared=_shared_holder(setup),
    )


def _shared_holder(setup: Setup) -> str | None:
    try:
        found = remote_of_setup(setup)
        owner = shared_owner(*found) if found is not None else None
    except StateError as error:
        return f"nobody knows: {error.detail}"
    if found is None:
        return None
    return f"{owner}, beat {owner.beat}" if owner is not None else "nobody"


def release_lease_of(setup: Setup, lease_id: str | None) -> str | None:
    """Remove a lease that was left behind, here or on the remote; gives whose it was.

    Raises RefusedError where its owner may live and the id is not given, or is another one; StateError where the remote
    cannot be asked.
    """
    store, shared = StateStore(setup.home), remote_of_setup(setup)
    here = read_owner(store.folder)
    owner: Owner | None = None
    if shared is None or lease_id is None or (here is not None and here.id == lease_id):
        owner = store.release(lease_id=lease_id)
    if shared is not None and (owner is None or lease_id is None):
        owner = release_shared(*shared, lease_id) or owner
    if owner is None and lease_id is not None:
        owner = store.release(lease_id=lease_id)  # which says whose it is instead
    return str(owner) if owner is not None else None


def _entry(ledger: Ledger, address: str) -> Entry:
    entry = ledger.current(address)
    if entry is None:
        raise PlanError(
            "no such entry",
            f"The lock has nothing for {address}.",
            hints=("imagebatch lock show",),
            code="lock.unknown",
            address=address,
        )
    return entry
