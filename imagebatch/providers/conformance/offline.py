"""Promises that are proved without a server, on a wire that plays back answers."""

from collections.abc import Awaitable

from imagebatch.model.canonical import canonical
from imagebatch.model.wire import Answer, BadAnswer, Call, NotSent, OutcomeLost, Unreachable
from imagebatch.providers.answers import classify_create
from imagebatch.providers.base import CanBuy, CanDelete, CanObserve, CanRetry, Refused, Submission, Unclear
from imagebatch.providers.conformance.subject import HOSTILE_IDS, BrokenPromiseError, Subject, holds, make_order
from imagebatch.providers.registry import disagreements
from imagebatch.providers.scripted import ScriptedWire, json_answer


async def abilities(subject: Subject) -> None:
    """Declared abilities are those that the adapter has."""
    faults = disagreements(subject.adapter)
    holds(not faults, "; ".join(faults))


async def encoding(subject: Subject) -> None:
    """Encoding is a function of the params alone."""
    before = dict(subject.params)
    one = subject.adapter.encode(subject.params, 0)
    other = subject.adapter.encode(dict(reversed(list(subject.params.items()))), 0)
    holds(dict(subject.params) == before, "encoding changes its argument")
    holds(canonical(one.body) == canonical(other.body), "the order of params changes the request")
    holds(
        not [p for p in one.problems if p.severity == "error"], f"the subject's own params are refused: {one.problems}"
    )
    holds(not subject.adapter.check_prompt(subject.prompt, one), "the subject's own prompt is refused")
    holds("prompt" not in one.body, "the prompt is the engine's to put in")
    holds(1 <= one.parts <= one.count, f"{one.parts} creates for {one.count} pictures")
    holds(not set(one.body) & set(one.extras), "a param decides the picture and does not")


async def unknown_param(subject: Subject) -> None:
    """A param that nobody knows is spoken of."""
    name = "no_such_param_qx"
    found = subject.adapter.encode({**subject.params, name: "x"}, 0)
    told = {problem.name for problem in found.problems} | {note.name for note in found.notes}
    holds(name in told, "a param that nobody knows vanishes without a word")


async def empty_prompt(subject: Subject) -> None:
    """An empty prompt is refused."""
    encoded = subject.adapter.encode(subject.params, 0)
    holds(subject.adapter.check_prompt(" ", encoded), "an empty prompt is not refused")


async def statuses(subject: Subject) -> None:
    """Statuses of creates mean what the table says."""
    for status in (*range(300, 309), *range(400, 430), 451, 500, 501, 502, 503, 504, 520, 529):
        # A server that answers every address with the same 404 may be asked at several: nothing is accepted by any.
        wire = ScriptedWire([json_answer({"message": "scripted"}, status)] * 20)
        try:
            found: Submission = await subject.adapter.submit(make_order(subject), wire)
        except (Unreachable, NotSent):
            continue
        _judge(status, found)
        creates = [call for call in wire.calls if call.kind == "create"]
        if classify_create(status) == "unclear":
            holds(len(creates) == 1, f"{status} was followed by another create: it may have been accepted")


def _judge(status: int, found: Submission) -> None:
    verdict = classify_create(status)
    if verdict == "unclear":
        if not isinstance(found, Unclear):
            raise BrokenPromiseError(f"{status} leaves a create in doubt, and it was taken for {found}")
        return
    if not isinstance(found, Refused):
        raise BrokenPromiseError(f"{status} is a refusal, and it was taken for {found}")
    if verdict == "redirect":
        holds(found.stops == "redirect", f"{status} is a redirect: no other create will fare better")
    if status == 401:
        holds(found.stops == "auth", "401 means that the key is refused: no other create will fare better")
    if status == 402:
        holds((found.failure.kind, found.stops) == ("no_credit", "no_credit"), "402 means that the account cannot pay")
    if verdict == "wait":
        holds(found.wait_s is not None, f"{status} may be sent again, and nothing says so")


async def strange_successes(subject: Subject) -> None:
    """A success that says nothing certain is in doubt."""
    bodies = (
        b"",
        b"{}",
        b"[]",
        b"null",
        b"<html>login</html>",
        b'{"id":',
        b'{"id":{"x":1}}',
        b'{"id":"../x"}',
        b'{"data":',
    )
    for body in bodies:
        found = await _answered(subject, Answer(status=200, headers={"content-type": "application/json"}, body=body))
        if not isinstance(found, Unclear):
            raise BrokenPromiseError(f"a 200 with {body!r} says nothing certain, and it was taken for {found}")


async def _answered(subject: Subject, answer: Answer) -> Submission:
    return await subject.adapter.submit(make_order(subject), ScriptedWire([answer] * 20))


async def lost(subject: Subject) -> None:
    """A lost create is sent once and handed on."""
    for lost in (OutcomeLost("the answer was cut"), NotSent("no connection")):
        wire = _LosingWire(lost)
        try:
            found: object = await subject.adapter.submit(make_order(subject), wire)
        except (OutcomeLost, NotSent):
            found = None
        holds(found is None, f"a create whose answer was lost was taken for {found}")
        holds(wire.creates == 1, f"a create was sent {wire.creates} times although nobody knows what became of it")


class _LosingWire:
    """Answers reads with an empty page, and loses every create."""

    def __init__(self, lost: Exception) -> None:
        self.lost = lost
        self.creates = 0

    async def send(self, call: Call) -> Answer:
        if call.kind != "create":
            return Answer(status=404, headers={}, body=b"")
        self.creates += 1
        raise self.lost

    def recall(self, key: str) -> str | None:
        del key
        return None

    def remember(self, key: str, value: str) -> None:
        raise BrokenPromiseError(f"a lost create taught {key}={value}")


async def hostile_ids(subject: Subject) -> None:
    """A hostile id never becomes a path."""
    adapter = subject.adapter
    for hostile in HOSTILE_IDS:
        wire = ScriptedWire([Answer(status=404, headers={}, body=b"")] * 5)
        if isinstance(adapter, CanObserve):
            await _tried(adapter.observe(hostile, wire))
        if isinstance(adapter, CanRetry):
            await _tried(adapter.retry(hostile, wire))
        if isinstance(adapter, CanBuy):
            await _tried(adapter.buy(hostile, hostile, "full", wire))
        for call in wire.calls:
            walks = ".." in call.path or call.path.endswith(("/", "/."))
            holds(not walks and (not hostile or hostile not in call.path), f"{hostile!r} became a part of {call.path}")


async def _tried(call: Awaitable[object]) -> None:
    try:
        await call
    except (BadAnswer, ValueError):
        return  # refused before it was sent, as it should be


async def delete_nothing(subject: Subject) -> None:
    """A delete of nothing sends nothing."""
    adapter = subject.adapter
    if not isinstance(adapter, CanDelete):
        raise BrokenPromiseError("the ability is declared and its method is missing")
    wire = ScriptedWire()
    await adapter.delete((), wire)
    holds(not wire.calls, "a delete of nothing was sent: a server may take an empty list for everything")
