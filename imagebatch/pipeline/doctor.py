"""`lock doctor`: what lock, journal and draw index say, and the next step; reads only, needs no project that loads."""

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from imagebatch.errors import ImagebatchError
from imagebatch.pipeline.project import Setup
from imagebatch.state.journal_file import read_journal
from imagebatch.state.ledger import Ledger
from imagebatch.state.lockfile import LOCK_NAME, Lock
from imagebatch.state.lockfile_io import read_lock
from imagebatch.state.store import FOLDER, JOURNAL, PlanView, StateStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at: whether it is well, what was seen, and what to do where it is not."""

    state: Literal["ok", "look", "bad"]
    text: str
    hint: str | None = None


def examine(setup: Setup) -> tuple[Finding, ...]:
    """Look at everything that the state of a project is made of; every fault is a finding, none an exception."""
    return tuple(_findings(setup))


def _findings(setup: Setup) -> Iterator[Finding]:
    sound = True
    try:
        found = read_lock(setup.home)
        if found is not None:
            yield Finding(state="ok", text=f"{LOCK_NAME}: {len(found.lock)} entries, every block can be told apart")
            yield from _blocks(found.lock)
        else:
            yield Finding(state="look", text=f"{LOCK_NAME} is not there")
    except ImagebatchError as error:
        sound = False
        yield _fault(error)
    try:
        journal = read_journal(setup.home / FOLDER / JOURNAL)
        torn = f", {journal.torn} torn records left out" if journal.torn else ""
        yield Finding(state="ok", text=f"journal: {len(journal.events)} events since the last checkpoint{torn}")
    except ImagebatchError as error:
        sound = False
        yield _fault(error)
    if sound:
        try:
            yield from _together(StateStore(setup.home).open_for_plan(lineage=None))
        except ImagebatchError as error:
            yield _fault(error)


def _blocks(lock: Lock) -> Iterator[Finding]:
    for address in lock:
        try:
            lock.entry(address)
        except ImagebatchError as error:
            yield _fault(error)


def _together(view: PlanView) -> Iterator[Finding]:
    """What lock and journal say when they are laid over each other."""
    if view.running is not None:
        yield Finding(state="look", text=f"a run is under way: {view.running}")
    for refusal in view.refusals:
        yield _fault(refusal)
    ledger = view.ledger
    lacking = [address for address in ledger if address not in ledger.lock]
    if lacking:
        text = f"the journal knows {len(lacking)} entries that the lock lacks, such as {lacking[0]}"
        yield Finding(state="look", text=text, hint="imagebatch apply")
    yield from _open(ledger)


def _open(ledger: Ledger) -> Iterator[Finding]:
    for token, step in sorted(ledger.open_steps().items()):
        text = f"{step.address}: a {step.step} at {step.provider} was begun and never settled ({token})"
        yield Finding(state="look", text=text, hint=f"imagebatch resolve --list {shlex.quote(step.address)}")


def _fault(error: ImagebatchError) -> Finding:
    return Finding(state="bad", text=f"{error.summary}: {error.detail}", hint=error.hints[0] if error.hints else None)
