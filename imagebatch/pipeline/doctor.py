"""`lock doctor`: what lock, journal and draw index say, and the next step; reads only, needs no project that loads."""

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from imagebatch.errors import ImagebatchError, Problem
from imagebatch.pipeline.costs import read_ledgers, uncounted_draws
from imagebatch.pipeline.project import Setup
from imagebatch.state.cost_file import COST_LEDGER, read_costs
from imagebatch.state.costs import CostText
from imagebatch.state.draws import DrawIndex
from imagebatch.state.journal_file import read_journal
from imagebatch.state.ledger import Ledger
from imagebatch.state.lockfile import LOCK_NAME, Lock
from imagebatch.state.lockfile_io import read_lock
from imagebatch.state.store import DRAWS, FOLDER, JOURNAL, NO_LINEAGE, PlanView, StateStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at (`check` names it): is it well, what was seen, what to do where it is not."""

    check: str
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
            yield Finding(
                check="lock", state="ok", text=f"{LOCK_NAME}: {len(found.lock)} entries, every block can be told apart"
            )
            yield from _blocks(found.lock)
        else:
            yield Finding(check="lock", state="look", text=f"{LOCK_NAME} is not there")
    except ImagebatchError as error:
        sound = False
        yield fault_finding("lock", error)
    try:
        journal = read_journal(setup.home / FOLDER / JOURNAL)
        torn = f", {journal.torn} torn records left out" if journal.torn else ""
        yield Finding(
            check="journal", state="ok", text=f"journal: {len(journal.events)} events since the last checkpoint{torn}"
        )
    except ImagebatchError as error:
        sound = False
        yield fault_finding("journal", error)
    try:
        yield judge_costs(read_costs(setup.home / FOLDER / COST_LEDGER))
        uncounted = uncounted_draws(setup.home, None, read_ledgers(setup.home))
        if uncounted:
            text = f"cost ledger: {uncounted} draws of this checkout have no line in it: it was deleted, or is younger"
            hint = f"put {FOLDER}/{COST_LEDGER} back; until then no budget counts what they cost"
            yield Finding(check="costs", state="look", text=text, hint=hint)
    except ImagebatchError as error:
        yield fault_finding("costs", error)
    if sound:
        try:
            yield from _together(setup.home / FOLDER, StateStore(setup.home).open_for_plan(lineage=None))
        except ImagebatchError as error:
            yield fault_finding("state", error)


def judge_costs(costs: CostText) -> Finding:
    """What the cost ledger looks like; pure."""
    if costs.unreadable:
        text = f"cost ledger: {costs.unreadable} of its lines cannot be read, and count for no budget and in no report"
        hint = f"look at {FOLDER}/{COST_LEDGER}; a line that was changed by hand can be put back"
        return Finding(check="costs", state="look", text=text, hint=hint)
    untold = sum(line.state == "billed" and line.cost.money is None for line in costs.lines)
    if untold:
        what = "1 paid step" if untold == 1 else f"{untold} paid steps"
        text = f"cost ledger: what the provider says it charged for {what} is no amount, and counts as unknown"
        hint = "see which: imagebatch report --csv; tell the plug-in's author"
        return Finding(check="costs", state="look", text=text, hint=hint)
    return Finding(check="costs", state="ok", text=f"cost ledger: {len(costs.lines)} lines, every one can be read")


def _blocks(lock: Lock) -> Iterator[Finding]:
    for address in lock:
        try:
            lock.entry(address)
        except ImagebatchError as error:
            yield fault_finding("lock", error)


def _together(folder: Path, view: PlanView) -> Iterator[Finding]:
    """What lock and journal say when they are laid over each other."""
    if view.running is not None:
        yield Finding(check="lease", state="look", text=f"a run is under way: {view.running}")
    for refusal in view.refusals:
        yield fault_finding("state", refusal)
    index = DrawIndex(folder / DRAWS, lineage=view.lineage or NO_LINEAGE)
    try:
        text = f"draw index: {len(index.every())} attempts of this project, every one can be read"
    finally:
        index.close()
    yield Finding(check="draw index", state="ok", text=text)
    ledger = view.ledger
    lacking = [address for address in ledger if address not in ledger.lock]
    if lacking:
        text = f"the journal knows {len(lacking)} entries that the lock lacks, such as {lacking[0]}"
        yield Finding(check="state", state="look", text=text, hint="imagebatch apply")
    yield from _open(ledger)


def _open(ledger: Ledger) -> Iterator[Finding]:
    for token, step in sorted(ledger.open_steps().items()):
        text = f"{step.address}: a {step.step} at {step.provider} was begun and never settled ({token})"
        yield Finding(
            check="journal", state="look", text=text, hint=f"imagebatch resolve --list {shlex.quote(step.address)}"
        )


def fault_finding(check: str, error: ImagebatchError | Problem) -> Finding:
    """What an error says, as a finding."""
    problem = error.problems[0] if isinstance(error, ImagebatchError) else error
    place = f"{problem.place}: " if problem.line is not None else ""  # without a line the detail names the file
    text = f"{place}{problem.summary}: {problem.detail}"
    return Finding(check=check, state="bad", text=text, hint=problem.hint)
