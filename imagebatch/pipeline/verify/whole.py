"""Checks of the project as a whole: manifests, decisions, recorded results, the store."""

import stat
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

from imagebatch.effects import seams
from imagebatch.effects.disk import READ_REGULAR
from imagebatch.effects.files import hash_rest, names_in, opened
from imagebatch.errors import ImagebatchError, Problem, Severity
from imagebatch.manifest.picks import PICKS_PATH
from imagebatch.model.picks import Pick
from imagebatch.outputs.tree import Tree
from imagebatch.pipeline.verify.faults import Code, fault
from imagebatch.pipeline.verify.subject import Subject
from imagebatch.plan.following import followed_picks
from imagebatch.plan.foreign import all_hashes
from imagebatch.plan.types import Change

_SHARDS = tuple(f"{number:02x}" for number in range(256))


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifests:
    """Lock and manifests: wanted and not drawn, drawn and not wanted, drawn otherwise."""

    subject: Subject
    name: str = "manifests"

    def faults(self) -> Iterator[Problem]:
        """One for each address that an apply would change, or that needs a person."""
        for change in self.subject.planned.plan.changes if self.subject.planned is not None else ():
            if change.action == "noop" and not change.also:
                continue
            reason = change.detail or (change.reason or "").replace("_", " ")
            detail = f"{change.action}: {reason}" if reason else change.action
            if change.action == "noop":
                detail = f"{', '.join(change.also)} is due"
            kept = change.variant is None and change.action == "keep"
            yield fault(_code(change), detail, address=change.address, severity="warning" if kept else "error")


def _code(change: Change) -> Code:
    if change.variant is None:
        return "verify.unwanted"
    # What waits for an answer, or is in doubt, was sent, though no entry speaks of it yet.
    return "verify.undrawn" if change.entry is None and change.action not in {"keep", "wait"} else "verify.plan"


@dataclass(frozen=True, slots=True, kw_only=True)
class Picks:
    """Choices in picks.yaml: bytes that nobody offered, choices for another request, files of one's own."""

    subject: Subject
    name: str = "picks"

    def faults(self) -> Iterator[Problem]:
        """What is wrong, by address."""
        subject = self.subject
        picks = {at: one for at, one in sorted(subject.project.loaded.picks.picks.items()) if subject.selects(at)}
        if not picks or subject.ledger is None:
            return
        named = all_hashes(subject.ledger)
        for address, pick in picks.items():
            for sha256 in pick.use:
                if sha256 not in named and not subject.store.has(sha256):
                    detail = f"{PICKS_PATH} names {sha256}, which nobody here has"
                    yield fault("verify.picks", detail, address=address)
            yield from self._stale(address, pick)
            if pick.file is not None:
                yield from self._own_file(address, pick, pick.file)

    def _stale(self, address: str, pick: Pick) -> Iterator[Problem]:
        if self.subject.planned is None:
            return
        variant = self.subject.planned.variants.get(address)
        if variant is None and self._goes_along(pick):
            return
        if variant is None:
            detail = f"{PICKS_PATH} chooses for it, and no manifest wants it"
        elif variant.draw != pick.for_draw and pick.use:  # what was rejected has been drawn anew
            detail = f"{PICKS_PATH} chooses for an earlier request of it"
        else:
            return
        yield fault("verify.stale_pick", detail, address=address, severity="warning")

    def _goes_along(self, pick: Pick) -> bool:
        """Whether a choice counts for the address that took the place of its own, which was renamed."""
        planned, ledger = self.subject.planned, self.subject.ledger
        if planned is None or ledger is None:
            return False
        written = self.subject.project.loaded.picks
        followed = followed_picks(written, planned.variants.values(), ledger).picks
        return any(one == pick for address, one in followed.items() if address not in written.picks)

    def _own_file(self, address: str, pick: Pick, path: str) -> Iterator[Problem]:
        """One's own file: changed, or gone; the store has its old bytes, so that a gone one only warns there."""
        kept = all(map(self.subject.store.has, pick.use))
        try:
            with closing(Tree(self.subject.project.root)) as tree:
                found = tree.hash_of(path)
        except (OSError, ImagebatchError) as error:
            why = error.detail if isinstance(error, ImagebatchError) else error.strerror
            yield fault("verify.own_file", f"{path} cannot be read: {why}", address=address, path=path)
            return
        if found is None:
            detail = f"{path} is gone; its bytes are {'still' if kept else 'not'} in the store"
            yield fault("verify.own_file", detail, address=address, path=path, severity="warning" if kept else "error")
        elif found not in pick.use:
            yield fault("verify.own_file", f"{path} was changed since it was chosen", address=address, path=path)


@dataclass(frozen=True, slots=True, kw_only=True)
class Checks:
    """What came of the manifest's own `checks:`, as the lock has it."""

    subject: Subject
    name: str = "checks"

    def faults(self) -> Iterator[Problem]:
        """One for each check that does not hold; one that only warns only warns here."""
        for one in self.subject.planned.unmet if self.subject.planned is not None else ():
            severity: Severity = "error" if one.unmet.level == "fail" else "warning"
            yield fault("verify.checks", one.unmet.text, address=one.address, severity=severity)


@dataclass(slots=True, kw_only=True)
class Stored:
    """Files of the store, hashed one folder after another; `count` is how many. Only where everything is looked at."""

    subject: Subject
    name: str = "store"
    count: int = 0

    def faults(self) -> Iterator[Problem]:
        """Files whose bytes are not those that their name says, or that cannot be read."""
        if self.subject.quick or not self.subject.everything:
            return
        for shard in _SHARDS:
            folder = self.subject.store_path / shard
            try:
                names = names_in(folder)
            except OSError as error:
                yield self._told(shard, f"cannot be read: {error.strerror}", "verify.unreadable")
                continue
            for name in names:
                self.count += 1
                yield from self._of(f"{shard}/{name}")

    def _of(self, name: str) -> Iterator[Problem]:
        path = self.subject.store_path / name
        try:
            if not stat.S_ISREG(seams.disk.lstat(path).st_mode):
                yield self._told(name, "is no plain file", "verify.not_regular")
                return
            with opened(path, READ_REGULAR) as handle:
                found = hash_rest(handle)
        except OSError as error:
            yield self._told(name, f"cannot be read: {error.strerror}", "verify.unreadable")
            return
        if found != f"sha256:{name[3:67]}":
            yield self._told(name, f"has other bytes than its name says ({found[:19]}…)")

    def _told(self, name: str, detail: str, code: Code = "verify.store") -> Problem:
        shown = (self.subject.store_path / name).relative_to(self.subject.project.root).as_posix()
        return fault(code, f"{shown} {detail}", path=shown)
