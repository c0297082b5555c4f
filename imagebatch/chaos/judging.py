"""What is wrong with what a run left; pure."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from imagebatch.chaos.traces import Applied, Bill, Left
from imagebatch.model.generation import Entry
from imagebatch.state.lockfile import encode_block

MOST_APPLIES: Final = 3
Promise = Literal["paid once", "accounted for", "recovered", "as undisturbed", "clean"]
PROMISES: Final[Mapping[Promise, str]] = {
    "paid once": "no token is billed twice",
    "accounted for": "what was billed stands in the lock, as a picture or as a doubt",
    "recovered": f"at most {MOST_APPLIES} applies after the kill, the last with nothing to do",
    "as undisturbed": "the lock and the files of a run that nobody disturbed, but for declared doubts",
    "clean": "nothing left lying about, no internal error",
}
ENDED: Final = frozenset({0, 3})  # well, or with what only a person can decide
NEVER_SAID: Final = re.compile(r"Traceback|never retrieved|internal error|ResourceWarning")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A promise that was broken, and how."""

    promise: Promise
    text: str


def judge(
    yardstick: Left, found: Left, applies: Sequence[Applied], bills: Sequence[Bill] | None, *, can_list: bool
) -> tuple[Fault, ...]:
    """Everything that is wrong after a disturbed run; `applies` are those in good weather, `bills` all there are.

    Where no apply came to its end, what it left says nothing more.
    """
    if any(one.code not in ENDED for one in applies):
        return (*_paid_once(bills), *_recovered(applies))
    return (
        *_paid_once(bills),
        *_accounted(bills or (), found),
        *_recovered(applies),
        *_as_undisturbed(yardstick, found, can_list=can_list),
        *_clean(found, applies),
    )


def settled(applied: Applied, *, changed: bool) -> bool:
    """Whether an apply had nothing to do: it came to its end, changed nothing and sent no create."""
    return applied.code in ENDED and not changed and not applied.creates


def _paid_once(bills: Sequence[Bill] | None) -> Iterator[Fault]:
    if bills is None:
        yield Fault(promise="paid once", text="the server does not tell what it billed, so nobody knows")
        return
    counts = Counter((one.operation, one.token, one.image) for one in bills if one.token)
    for (operation, token, _), count in sorted(counts.items()):
        if count > 1:
            yield Fault(promise="paid once", text=f"{token}: a {operation} was billed {count} times")


def _accounted(bills: Sequence[Bill], found: Left) -> Iterator[Fault]:
    known = found.tokens
    for one in bills:
        if one.operation == "create" and not one.token:
            yield Fault(promise="accounted for", text="a create was billed that carried no token")
        elif one.delivered and one.token not in known:
            text = f"{one.token}: a {one.operation} was billed, and the lock knows nothing of it"
            yield Fault(promise="accounted for", text=text)


def _recovered(applies: Sequence[Applied]) -> Iterator[Fault]:
    last = applies[-1]
    for one in applies:
        if one.killed:
            yield Fault(promise="recovered", text="an apply did not come to its end")
            return
        if one.code in ENDED and not one.summary:
            yield Fault(promise="recovered", text=f"an apply ended without a summary, with exit code {one.code}")
            return
        if one.code not in ENDED:
            yield Fault(promise="recovered", text=f"an apply ended with exit code {one.code}: {_short(one.said)}")
            return
    if last.creates or len(applies) > MOST_APPLIES:
        yield Fault(promise="recovered", text=f"after {MOST_APPLIES} applies there was still something to do")


def _as_undisturbed(yardstick: Left, found: Left, *, can_list: bool) -> Iterator[Fault]:
    doubts = found.doubts
    if can_list and doubts:
        text = f"{', '.join(sorted(doubts))}: in doubt, though the provider can list what it has"
        yield Fault(promise="as undisturbed", text=text)
    for address in sorted(yardstick.entries.keys() | found.entries.keys()):
        wanted, entry = yardstick.entries.get(address), found.entries.get(address)
        if address in doubts or address in yardstick.doubts:
            continue
        if entry is None or wanted is None:
            text = f"{address}: {'is missing from the lock' if entry is None else 'nobody wanted it'}"
            yield Fault(promise="as undisturbed", text=text)
        elif _differs(address, wanted, entry):
            yield Fault(promise="as undisturbed", text=f"{address}: {_difference(address, wanted, entry)}")
    yield from _files(found)


def _differs(address: str, wanted: Entry, entry: Entry) -> bool:
    """Letter by letter, but for a draw that failed and was drawn anew in the one run only: that has another token."""
    if wanted.draw == entry.draw and wanted.token != entry.token:
        return (entry.status, len(entry.outputs)) != (wanted.status, len(wanted.outputs))
    return encode_block(address, wanted) != encode_block(address, entry)


def _difference(address: str, wanted: Entry, entry: Entry) -> str:
    before, after = (encode_block(address, one).decode().splitlines() for one in (wanted, entry))
    lines = [line.strip() for line in after if line not in before]
    return _short("the lock says " + " ".join(lines) if lines else "the lock lacks what it should say", 200)


def _files(found: Left) -> Iterator[Fault]:
    locked = {
        output.path.removeprefix("outputs/"): output.sha256 for e in found.entries.values() for output in e.outputs
    }
    for path in sorted(locked.keys() | found.outputs.keys()):
        if locked.get(path) != found.outputs.get(path):
            what = (
                "missing" if path not in found.outputs else "not in the lock" if path not in locked else "other bytes"
            )
            yield Fault(promise="as undisturbed", text=f"outputs/{path}: {what}")


def _clean(found: Left, applies: Sequence[Applied]) -> Iterator[Fault]:
    for path in found.files:
        yield Fault(promise="clean", text=f"left behind: {path}")
    open_tokens = {token for tokens in found.doubts.values() for token in tokens}
    for kind, token in found.events:
        if token not in open_tokens:  # what is in doubt stays in the journal until somebody decides
            yield Fault(promise="clean", text=f"the journal still has an event {kind} of {token}")
    for applied in applies:
        if NEVER_SAID.search(applied.said):
            yield Fault(promise="clean", text=f"an apply said: {_short(applied.said)}")


def _short(text: str, most: int = 300) -> str:
    one_line = " ".join(text.split())
    return one_line if len(one_line) <= most else f"…{one_line[-most:]}"
