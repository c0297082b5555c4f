"""The fold of lock and events: what exists now, what was begun and never settled, and every draw that is known; pure.

The lock says what the project keeps, by address; the journal's events lie over it. Draws are known by token: those of
this journal, those of the lock's blocks (current and earlier), and those of the draw index. A crash between any two
events loses nothing, because each of them is found again by its draw fingerprint.
"""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from imagebatch.model.checks import Checked
from imagebatch.model.event import Accepted, Dropped, Event, Intended, Kept, Observed, Placing
from imagebatch.model.generation import Entry
from imagebatch.model.money import UNKNOWN_COST, Cost, parse_money
from imagebatch.model.recorded import Glance, KnownDraw, hashes_of
from imagebatch.state.attempts import (
    Attempt,
    TokenEvent,
    attempts_of,
    completed,
    known_draw,
    salt_of,
    with_past,
)
from imagebatch.state.joining import grouped, is_as_late, richer
from imagebatch.state.lockfile import Lock, glance_of
from imagebatch.state.past import NoPast, PastDraws


class Ledger:
    """Lock and events folded; implements `Recorded`. `record` adds an event, everything else only reads."""

    def __init__(self, lock: Lock, events: Iterable[Event] = (), past: PastDraws | None = None) -> None:
        self.lock = lock
        self._past: PastDraws = past or NoPast()
        self._kept: dict[str, Entry] = {}
        self._dropped: set[str] = set()
        self._attempts: dict[str, Attempt] = {}
        self._events: dict[str, list[TokenEvent]] = {}
        self._tokens_of: dict[str, list[str]] = {}
        self._placing: dict[str, set[str]] = {}
        self._order: list[str] | None = None
        self._in_lock: dict[str, list[str]] | None = None
        self._of_lock: dict[str, Attempt] | None = None
        for event in events:
            self.record(event)

    # What the project keeps ---------------------------------------------------------------------------------------

    def __contains__(self, address: object) -> bool:
        return address in self._kept or (address in self.lock and address not in self._dropped)

    def __iter__(self) -> Iterator[str]:
        """Addresses, sorted by code point."""
        if not self._kept and not self._dropped:
            return iter(self.lock)
        if self._order is None:
            names = {address for address in self.lock if address not in self._dropped}
            self._order = sorted(names | self._kept.keys())
        return iter(self._order)

    def __len__(self) -> int:
        gone = sum(1 for address in self._dropped if address in self.lock and address not in self._kept)
        return len(self.lock) - gone + sum(1 for address in self._kept if address not in self.lock)

    def glance(self, address: str) -> Glance:
        """The cheap view; raises KeyError for an unknown address, StateError for a block that cannot be read."""
        entry = self._kept.get(address)
        if entry is not None:
            return glance_of(entry)
        if address in self._dropped:
            raise KeyError(address)
        return self.lock.glance(address)

    def entry(self, address: str) -> Entry:
        """The whole entry; raises KeyError for an unknown address, StateError for a block that cannot be read."""
        entry = self._kept.get(address)
        if entry is not None:
            return entry
        if address in self._dropped:
            raise KeyError(address)
        return self.lock.entry(address)

    def current(self, address: str) -> Entry | None:
        """The entry, or None for an unknown address."""
        return self.entry(address) if address in self else None

    def checked(self) -> Iterator[tuple[str, Checked]]:
        """What came of checks, by address, where something did not hold or pictures are compared."""
        for address in sorted({*self.lock.with_unmet(), *self.lock.with_looks(), *self._kept}):
            entry = self.current(address)
            if entry is not None and entry.checked is not None:
                yield address, entry.checked

    def folded(self) -> Lock:
        """The lock as it is to be written now."""
        return self.lock.with_changes(self._kept, self._dropped) if self._kept or self._dropped else self.lock

    @property
    def changed(self) -> bool:
        """Whether the lock on disk lacks something that the journal knows."""
        return bool(self._kept or self._dropped)

    def rebase(self, lock: Lock) -> None:
        """Go on from a checkpoint: `lock` holds what was kept, the draw index what was accepted.

        Attempts with an open step and files without a block stay; the journal carries them too.
        """
        self.lock = lock
        self._kept, self._dropped = {}, set()
        self._placing = _by_path(self._unspoken())
        self._order, self._in_lock, self._of_lock = None, None, None
        self._attempts = {token: one for token, one in self._attempts.items() if one.steps}
        self._events = {token: self._events[token] for token in self._attempts}
        self._tokens_of = {}
        for token, attempt in self._attempts.items():
            if attempt.draw:
                self._tokens_of.setdefault(attempt.draw, []).append(token)

    def set_aside(self, damaged: Collection[str]) -> None:
        """Go on as if the lock on disk had no blocks of these addresses; for whoever only looks, never for a run."""
        self.lock = self.lock.only([address for address in self.lock if address not in damaged])
        self._order, self._in_lock, self._of_lock = None, None, None

    # Events -------------------------------------------------------------------------------------------------------

    def record(self, event: Event) -> None:
        """Fold one event in. Raises StateError for a move that is not legal; then nothing is changed."""
        match event:
            case Kept():
                self._kept[event.address] = event.entry
                self._order = None
                for output in event.entry.outputs:
                    if output.sha256 in self._placing.get(output.path, ()):
                        del self._placing[output.path]  # the block speaks of the file from now on
            case Dropped():
                self._kept.pop(event.address, None)
                self._dropped.add(event.address)
                self._order = None
            case Placing():
                self._placing.setdefault(event.path, set()).add(event.sha256)
            case _:
                before = self._attempts.get(event.token)
                after = (before or self._first_seen(event)).after(event, self.lock.lineage)
                self._attempts[event.token] = after
                self._events.setdefault(event.token, []).append(event)
                if after.draw and (before is None or after.draw != before.draw):
                    self._tokens_of.setdefault(after.draw, []).append(event.token)

    def _first_seen(self, event: TokenEvent) -> Attempt:
        """What a token is before this journal's first event of it: its name and pictures, where the index has them.

        Its end is left open: the table of moves has its own row for a token with a past. What is heard of a generation
        that only a block speaks of, as in a fresh clone, takes its name from there: the index has to remember it.
        """
        past = self._past.by_token(event.token)
        if past is None and isinstance(event, Observed):
            past = self._in_blocks(event.token)
        if past is None:
            return Attempt(token=event.token)
        return replace(past, phase=None, failure=past.failure if past.phase == "succeeded" else None)

    def _in_blocks(self, token: str) -> Attempt | None:
        """The attempt with this token as a block tells it; reads all of them, once for each lock."""
        if self._of_lock is None:
            blocks = ((address, self.lock.entry(address)) for address in self.lock)
            self._of_lock = {one.token: one for one in _attempts_in(blocks, self.lock.lineage)}
        kept = _attempts_in(self._kept.items(), self.lock.lineage)
        return next((one for one in kept if one.token == token), None) or self._of_lock.get(token)

    def placed(self, path: str) -> frozenset[str]:
        """Hashes of files of ours that were about to appear at an output path when they were last heard of."""
        return frozenset(self._placing.get(path, ()))

    # Paid attempts --------------------------------------------------------------------------------------------------

    def open_steps(self) -> dict[str, Intended]:
        """Token -> the create or retry that was begun and never settled, from the journal and from the lock's doubts.

        For a token with several, the newest. Purchases are in `open_buys`.
        """
        found = {intended.token: intended for intended in self._doubts_of_lock()}
        begun = self._begun()
        closed = {token for token in found if token in self._attempts and token not in begun}
        return {token: step for token, step in (found | begun).items() if token not in closed}

    def _begun(self) -> dict[str, Intended]:
        """Token -> the newest open create or retry, of what this journal tells."""
        steps = ((token, [one for one in known.steps if one.step != "buy"]) for token, known in self._attempts.items())
        return {token: found[-1] for token, found in steps if found}

    def told_by_lock(self) -> Iterator[Accepted | Observed]:
        """What the lock tells of steps that are open here: another checkout has settled them, or heard of their end.

        A block from before a step tells nothing of it. A create that a provider took is never sent again under its
        token, so a block in which it was taken is the later one; what was refused is, and has no generation. A retry is
        a later attempt of a generation that failed: only a picture of that attempt closes it. Reads the blocks of the
        draws with an open step; raises StateError for one that cannot be read.
        """
        for token, step in self._begun().items():
            told = [one for one in _attempts_in(self._holders(step.draw), self.lock.lineage) if one.token == token]
            if step.step == "retry":
                told = [one for one in told if one.phase == "succeeded" and one.attempt >= step.attempt]
            if not told:
                continue
            found = min(told, key=lambda one: one.phase == "pending")  # of those who share it one may not have heard
            yield Accepted(step=step.step, token=token, attempt=step.attempt, generation=found.generation or token)
            if found.phase in {"succeeded", "failed", "blocked"}:
                yield Observed(
                    token=token,
                    status=found.phase,
                    candidates=found.candidates,
                    failure=found.failure,
                    cost=found.cost,
                )

    def open_buys(self) -> tuple[Intended, ...]:
        """Purchases that were begun and never settled."""
        return tuple(step for one in self._attempts.values() for step in one.steps if step.step == "buy")

    def attempt(self, token: str) -> Attempt | None:
        """What this journal knows of a token."""
        return self._attempts.get(token)

    def was_sent_once(self, token: str) -> bool:
        """Whether the journal tells that an open create was sent for the first time."""
        attempt = self._attempts.get(token)
        return attempt is not None and bool(attempt.steps) and not any(step.again for step in attempt.steps)

    def tokens(self) -> frozenset[str]:
        """Every token that is known here; reads lock and index as a whole."""
        known = [one for address in self for one in _draws_of(self.entry(address))]
        parts = (part.token for one in known for part in one.parts)
        past = (one.token for one in self._past.every())
        return frozenset((*self._attempts, *past, *parts, *(one.token for one in known)))

    def address_of(self, token: str) -> str | None:
        """Whose draw a token is, now or earlier, as far as blocks tell; reads all of them."""
        for address in self:
            if any(
                token == one.token or any(token == part.token for part in one.parts)
                for one in _draws_of(self.entry(address))
            ):
                return address
        return None

    def has_ended(self, token: str) -> bool:
        """Whether an attempt came to an end that is recorded, here or in the draw index."""
        attempt = self._attempts.get(token) or self._past.by_token(token)
        return attempt is not None and not attempt.steps and attempt.phase in {"succeeded", "failed", "blocked"}

    def known_attempt(self, token: str) -> Attempt | None:
        """The attempt with this token by journal, draw index or a block, the first that has it; reads all blocks."""
        known, past = self._attempts.get(token), self._past.by_token(token)
        if known is not None:
            return with_past(known, past) if past is not None else known
        return past or self._in_blocks(token)

    def drawn(self, token: str) -> Attempt | None:
        """The attempt with this token that a block says was drawn; reads all of them.

        The lock of a run whose journal could take no more knows more than the journal.
        """
        found = self._in_blocks(token)
        return found if found is not None and found.phase == "succeeded" else None

    def accepted(self) -> tuple[Attempt, ...]:
        """All attempts of this journal that a provider ever took: what the draw index has to hold."""
        taken = (attempt for attempt in self._attempts.values() if attempt.accepted and attempt.draw)
        return tuple(self._with_past(attempt) for attempt in taken)

    def leaving(self) -> tuple[Attempt, ...]:
        """Attempts that the lock on disk knows and the one that is written next does not; the draw index has to.

        A fresh clone's index is empty: what its lock forgets would else be drawn and paid again.
        """
        stays = {draw for entry in self._kept.values() for draw in _draws_in(entry)}
        found: dict[str, Attempt] = {}
        for address in (*self._dropped, *self._kept):
            if address not in self.lock:
                continue
            glance = self.lock.glance(address)
            if glance.draw in stays and not glance.has_earlier:
                continue
            now = self.current(address)
            kept = {one.token for one in _draws_of(now)} if now is not None else set()
            for known in _draws_of(self.lock.entry(address)):
                if known.token not in kept:
                    found |= {one.token: one for one in attempts_of(known, self.lock.lineage, address)}
        told = {attempt.token for attempt in self._attempts.values() if attempt.accepted and attempt.draw}
        return tuple(one for token, one in found.items() if token not in told and self._past.by_token(token) is None)

    def _with_past(self, attempt: Attempt) -> Attempt:
        if attempt.phase not in {None, "closed"}:
            return attempt  # it began with what the index had
        past = self._past.by_token(attempt.token)
        return attempt if past is None else with_past(attempt, past)

    def unsettled_events(self) -> tuple[Event, ...]:
        """The events that have to outlive a checkpoint: of tokens with an open step, and of files without a block.

        A file of ours that no block speaks of yet would else be taken for somebody else's by the next run.
        """
        placed = (Placing(path=path, sha256=sha256) for path, sha256 in sorted(self._unspoken()))
        steps = (event for token, attempt in self._attempts.items() if attempt.steps for event in self._events[token])
        return (*placed, *steps)

    def _unspoken(self) -> set[tuple[str, str]]:
        """Files that were about to appear and that no block speaks of, as path and hash."""
        left = {(path, sha256) for path, hashes in self._placing.items() for sha256 in hashes}
        for address in self if left else ():
            # A lock may have been written whose last blocks the journal had not: then the block alone speaks of them.
            left -= {(output["path"], output["sha256"]) for output in json.loads(self.glance(address).outputs)}
        return left

    # Known draws ----------------------------------------------------------------------------------------------------

    def known(self, draw: str) -> tuple[KnownDraw, ...]:
        """All draws known for a fingerprint, newest attempt first; each token once, with all that is known of it."""
        recorded: dict[str, KnownDraw] = {}
        for known in self._locked(draw):
            recorded[known.token] = richer(recorded[known.token], known) if known.token in recorded else known
        found = dict(recorded)
        for group in grouped(self._attempts_of(draw)):
            known = known_draw(group, self.lock.lineage)
            there = recorded.get(known.token)
            if all(one.phase == "closed" for one in group) and (there is None or not there.parts):
                continue
            if there is not None:
                known = known_draw(group, self.lock.lineage, there)
                heard = any(one.token in self._attempts for one in group)
                known = richer(there, known) if not heard and is_as_late(there, known) else richer(known, there)
            found[known.token] = known
        newest_first = sorted(found.values(), key=lambda known: (-known.attempt, known.token))
        return tuple(
            completed(known, newest_first[at + 1 :]) if known.parts else known for at, known in enumerate(newest_first)
        )

    def draws(self, draw: str) -> tuple[KnownDraw, ...]:
        """`known` under the name of the planner's `Known`."""
        return self.known(draw)

    def by_bytes(self) -> dict[str, set[str]]:
        """Hash of a candidate -> the fingerprints of the draws that offered it; reads lock and index as a whole."""
        found: dict[str, set[str]] = {}
        offered = [(one.draw, one.candidates) for one in (*self._past.every(), *self._attempts.values())]
        for address in self:
            offered += [(one.draw, one.candidates) for one in _draws_of(self.entry(address))]
        for draw, candidates in offered:
            for sha256 in hashes_of(candidates):
                found.setdefault(sha256, set()).add(draw)
        return found

    def doubts(self) -> Mapping[str, Sequence[KnownDraw]]:
        """Address -> its draws with an open create or retry of which no entry speaks, the newest attempt first.

        Only open steps of the journal are looked at: without any, the lock is not read.
        """
        begun = self._begun()
        spoken = {token for _, entry in self.doubtful() for token in _tokens(entry)} if begun else set()
        found: dict[str, dict[str, KnownDraw]] = {}
        for token, step in begun.items():
            if token not in spoken:
                known = next((one for one in self.known(step.draw) if token in _tokens(one)), None)
                if known is not None:
                    found.setdefault(step.address, {})[known.token] = known
        return {at: sorted(draws.values(), key=lambda one: -one.attempt) for at, draws in found.items()}

    def _attempts_of(self, draw: str) -> list[Attempt]:
        """All attempts of a fingerprint: this journal's, and those of the draw index that it does not know better."""
        past = {one.token: one for one in self._past.by_draw(draw)}
        attempts = []
        for token in self._tokens_of.get(draw, ()):
            attempt = self._attempts[token]
            if attempt.draw == draw:
                attempts.append(with_past(attempt, past.pop(token)) if token in past else attempt)
        return [*attempts, *past.values()]

    def _locked(self, draw: str) -> Iterator[KnownDraw]:
        lineage = self.lock.lineage
        for address, entry in self._holders(draw):
            for one in _draws_of(entry):
                closed = (here := self._attempts.get(one.token)) is not None and here.phase == "closed"
                if one.draw == draw and not (closed and one.status == "in_doubt"):
                    salt = salt_of(lineage, draw=draw, attempt=one.attempt, part=0, token=one.token, address=address)
                    yield replace(one, salt=salt, open_intent=one.status == "in_doubt")

    def _holders(self, draw: str) -> Iterator[tuple[str, Entry]]:
        if self._in_lock is None:
            self._in_lock = _index(self.lock)
        for address in self._in_lock.get(draw, ()):
            if address not in self._kept and address not in self._dropped:
                yield address, self.lock.entry(address)
        for address, entry in self._kept.items():
            if draw in _draws_in(entry):
                yield address, entry

    def doubtful(self) -> Iterator[tuple[str, Entry]]:
        """The entries that are in doubt, by address; of the lock only those blocks are read that may be."""
        kept = list(self._kept.items())
        doubtful = [address for address in self.lock.in_doubt() if address in self and address not in self._kept]
        yield from (pair for pair in ((at, self.lock.entry(at)) for at in doubtful) if pair[1].status == "in_doubt")
        yield from (pair for pair in kept if pair[1].status == "in_doubt")

    def _doubts_of_lock(self) -> Iterator[Intended]:
        for address, entry in self.doubtful():
            parts = [part.status for part in entry.parts] or ["in_doubt"]
            tokens = [part.token for part in entry.parts] or [entry.token]
            for index, (token, status) in enumerate(zip(tokens, parts, strict=True)):
                if status == "in_doubt":
                    yield Intended(
                        step="retry" if entry.generation is not None else "create",
                        token=token,
                        attempt=entry.attempt,
                        part=index,
                        provider=entry.provider,
                        type=entry.type,
                        draw=entry.draw,
                        request=entry.request,
                        address=address,
                        cost=_first_cost(entry.cost),
                        generation=entry.generation,
                        parts=len(tokens),
                        again=True,  # how often it was sent, a lock does not tell
                    )


def _tokens(one: Entry | KnownDraw) -> tuple[str, ...]:
    return (one.token, *(part.token for part in one.parts))


def _draws_of(entry: Entry) -> tuple[KnownDraw, ...]:
    """An entry's draw and those it remembers, newest first."""
    return (KnownDraw.of_entry(entry), *map(KnownDraw.of_earlier, entry.earlier))


def _attempts_in(blocks: Iterable[tuple[str, Entry]], lineage: str) -> Iterator[Attempt]:
    """The accepted attempts that blocks of the lock speak of."""
    for address, entry in blocks:
        for known in _draws_of(entry):
            yield from attempts_of(known, lineage, address)


def _draws_in(entry: Entry) -> tuple[str, ...]:
    return (entry.draw, *(old.draw for old in entry.earlier))


def _by_path(files: Iterable[tuple[str, str]]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for path, sha256 in files:
        found.setdefault(path, set()).add(sha256)
    return found


def _index(lock: Lock) -> dict[str, list[str]]:
    """Draw fingerprint -> addresses that hold it, now or among `earlier`."""
    found: dict[str, list[str]] = {}
    with_past = set(lock.with_earlier())
    for address in lock:
        found.setdefault(lock.glance(address).draw, []).append(address)
        if address in with_past:
            for old in {earlier.draw for earlier in lock.entry(address).earlier}:
                if address not in found.setdefault(old, []):
                    found[old].append(address)
    return found


def _first_cost(cost: tuple[str, ...]) -> Cost:
    try:
        return Cost(money=parse_money(cost[0]), basis="estimated") if cost else UNKNOWN_COST
    except ValueError:
        return UNKNOWN_COST
