"""Drafts in the manifest's terms become variants in their provider's wire form.

The work that does not depend on the prompt is done once for each distinct (provider, params, references): a request's
canonical JSON is then its head, the prompt as a JSON string, and its tail.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from json.encoder import encode_basestring
from typing import NamedTuple

from imagebatch.errors import Problem
from imagebatch.model.canonical import Json, canonical, decimals_as_text, draw_frame, fingerprint
from imagebatch.model.capabilities import Encoded, ParamProblem
from imagebatch.model.generation import Resolution
from imagebatch.model.mark import Mark
from imagebatch.model.money import Cost
from imagebatch.model.picks import Picks
from imagebatch.model.recorded import Recorded
from imagebatch.model.variant import LOST, Draft, OutputSpec, Policy, Reference, Variant, WantedOutput
from imagebatch.outputs.fingerprint import develop_fingerprint, does_nothing
from imagebatch.plan.reasons import SIMULATED
from imagebatch.plan.references import is_final
from imagebatch.providers.target import NO_ACCOUNTS, NO_PRICES, Sellers, Target

NO_PICKS = Picks()
_PARAM = ("a param is not possible", "a param is doubtful")
_SUMMARIES = {
    "prompt": ("the prompt is not possible", "the prompt is doubtful"),
    "pick": ("the pick is not possible", "the pick is doubtful"),
    "resolution": ("the resolution is not possible", "the resolution is not offered"),
    "references": ("a reference is not possible", "a reference is doubtful"),
}
_STANDS_IN = {"prompt": ("template",), "pick": (), "resolution": (), "references": ()}
_PROMPT_SLOT = "\x00"
_ASSET = "asset:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """All variants in the order of the drafts, and everything that was wrong or odd."""

    variants: tuple[Variant, ...]
    problems: tuple[Problem, ...] = ()


class _Shape(NamedTuple):
    encoded: Encoded
    before: str
    head: str
    tail: str
    after: str
    type: str
    price: Cost
    buy_price: Mapping[Resolution, Cost]
    offers: int
    system: str


def resolve_wanted(
    drafts: Sequence[Draft],
    targets: Mapping[str, Target],
    *,
    references: Mapping[str, Reference],
    recorded: Recorded,
    picks: Picks = NO_PICKS,
    accounts: Mapping[str, str] = NO_ACCOUNTS,
    signed: str | None = None,
) -> Wanted:
    """Put every draft in wire form.

    `targets` maps provider aliases, `accounts` those that may have drawn something to their types; `references` maps
    project paths to hashed files. A reference to another asset is looked up in `recorded`: while that asset has no
    picture that is wanted now, or stands by `picks` or its policy, the variant has `pending_references`. `signed` is
    the fingerprint of the certificate that derived files are signed with.
    """
    work = _Work(targets, references, recorded, picks, accounts, signed=signed)
    waiting = [draft for draft in drafts if any(ref.startswith(_ASSET) for ref in draft.references)]
    done: dict[str, Variant] = {}
    if not waiting:
        return Wanted(
            variants=tuple(work.variant(draft, draft.references) for draft in drafts),
            problems=tuple(work.problems),
        )
    held = {draft.address for draft in waiting}
    for draft in drafts:
        if draft.address not in held:
            done[draft.address] = work.variant(draft, draft.references)
    while waiting:
        ready = [draft for draft in waiting if all(t not in held for t in _targets_of(draft))]
        if not ready:  # a cycle; the manifest refuses it before we come here
            raise ValueError("references form a cycle: " + ", ".join(sorted(held)))
        for draft in ready:
            done[draft.address] = work.variant(draft, draft.references, done)
            held.discard(draft.address)
        waiting = [draft for draft in waiting if draft.address in held]
    return Wanted(variants=tuple(done[draft.address] for draft in drafts), problems=tuple(work.problems))


def file_reference(path: str, content: bytes) -> Reference:
    """A reference file by its bytes."""
    digest = "sha256:" + hashlib.sha256(content).hexdigest()
    return Reference(source=path, sha256=digest, path=path, media_type=_media_type(content))


def file_references(drafts: Iterable[Draft]) -> tuple[str, ...]:
    """The project paths that drafts refer to, each once, sorted."""
    found = {ref for draft in drafts for ref in draft.references if not ref.startswith(_ASSET)}
    return tuple(sorted(found))


def _media_type(content: bytes) -> str:
    if content.startswith(b"\x89PNG"):
        return "image/png"
    if content.startswith(b"\xff\xd8"):
        return "image/jpeg"
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp"
    return "application/octet-stream"


def _targets_of(draft: Draft) -> tuple[str, ...]:
    return tuple(ref[len(_ASSET) :] for ref in draft.references if ref.startswith(_ASSET))


class _Work:
    """One pass over the drafts, with its caches."""

    def __init__(
        self,
        targets: Mapping[str, Target],
        references: Mapping[str, Reference],
        recorded: Recorded,
        picks: Picks,
        accounts: Mapping[str, str],
        *,
        signed: str | None,
    ) -> None:
        self.targets = targets
        self.references = references
        self.recorded = recorded
        self.picks = picks
        self.signed = signed
        self.plain_marks = (Mark(signed=signed), Mark(simulated=True, signed=signed))
        self.sellers = Sellers(targets=targets, accounts=accounts)
        self.problems: list[Problem] = []
        self.shapes: dict[tuple[str, int, tuple[str, ...]], _Shape] = {}
        self.kept_alive: list[object] = []  # ids of params serve as keys, so the objects must outlive the cache
        self.idle: dict[tuple[object, ...], bool] = {}
        self.develops: dict[tuple[tuple[object, ...], Mark | None], str] = {}
        self.labels: dict[tuple[str | None, tuple[str, ...], int], tuple[str, str]] = {}
        self.plain_policies: dict[int, Policy] = {}  # the drafts keep what they are of alive
        self.reported: set[tuple[str, str, str]] = set()

    def variant(self, draft: Draft, sources: Sequence[str], done: Mapping[str, Variant] | None = None) -> Variant:
        found, pending = self._references(sources, done) if sources else ((), ())
        hashes = tuple([reference.sha256 or "" for reference in found]) if found else ()
        shape = self._shape(draft, hashes)
        encoded = shape.encoded
        policy = self._policy(draft, shape.offers)
        prompt = draft.prompt.strip()
        if "\r" in prompt:
            prompt = prompt.replace("\r\n", "\n").replace("\r", "\n")
        target = self.targets[policy.provider]
        for problem in target.adapter.check_prompt(prompt, encoded):
            self._report(draft, problem)
        request = f"{shape.head}{encode_basestring(prompt)}{shape.tail}"
        labels_body, labels = self._labels(draft)
        return Variant(
            address=draft.address,
            policy=policy,
            provider=policy.provider,
            type=shape.type,
            request=request,
            draw=fingerprint(f"{shape.before}{request}{shape.after}"),
            labels=labels,
            labels_body=labels_body,
            outputs=tuple([self._output(spec, draft, prompt, shape) for spec in draft.outputs]),
            ext=encoded.ext,
            extras=encoded.extras,
            references=found,
            pending_references=pending,
            parts=encoded.parts,
            count=encoded.count,
            asked_size=encoded.asked_size,
            offers=shape.offers,
            price=shape.price,
            buy_price=shape.buy_price,
            buy_price_at=self.sellers.prices(draft) if policy.resolution != "preview" else NO_PRICES,
            salt=draft.address if policy.distinct else "",
            alt=draft.alt,
            title=draft.title,
            row=draft.row,
        )

    def _policy(self, draft: Draft, offers: int) -> Policy:
        """The draft's policy as its provider can keep it."""
        policy = draft.policy
        if policy.resolution != "preview":
            offered = self.targets[policy.provider].adapter.capabilities.resolutions
            if policy.resolution not in offered:
                message = f"{policy.provider} sells no {policy.resolution} pictures; its pictures are kept as delivered"
                self._report(draft, ParamProblem(name="resolution", message=message, severity="warning"))
                plain = self.plain_policies.get(id(policy))
                policy = plain or replace(policy, resolution="preview")
                self.plain_policies[id(draft.policy)] = policy
        beyond = [number for number in policy.pick if number > offers] if isinstance(policy.pick, tuple) else []
        if beyond:
            message = f"names candidate {beyond[0]}, and {policy.provider} offers {offers}"
            self._report(draft, ParamProblem(name="pick", message=message))
        return policy

    def _shape(self, draft: Draft, hashes: tuple[str, ...]) -> _Shape:
        key = (draft.policy.provider, id(draft.params), hashes)
        shape = self.shapes.get(key)
        if shape is None:
            shape = self.shapes[key] = self._new_shape(draft, hashes)
            self.kept_alive.append(draft.params)
        return shape

    def _new_shape(self, draft: Draft, hashes: tuple[str, ...]) -> _Shape:
        target = self.targets[draft.policy.provider]
        encoded = target.adapter.encode(draft.params, len(draft.references))
        for problem in encoded.problems:
            self._report(draft, problem)
        body: dict[str, Json] = {**encoded.body, "prompt": _PROMPT_SLOT}
        if hashes:
            body["references"] = list(hashes)
        head, _, tail = canonical(body).partition(encode_basestring(_PROMPT_SLOT))
        before, after = draw_frame(target.type)
        return _Shape(
            encoded=encoded,
            before=before,
            head=head,
            tail=tail,
            after=after,
            type=target.type,
            price=target.price(encoded),
            buy_price=target.buy_price(encoded),
            offers=target.adapter.capabilities.offers or encoded.count,
            system=str(encoded.body.get("model") or target.type),
        )

    def _output(self, spec: OutputSpec, draft: Draft, prompt: str, shape: _Shape) -> WantedOutput:
        ext = shape.encoded.ext
        # Of the path only the ending decides, which says what format is written.
        steps = (
            spec.path.rpartition(".")[2], spec.width, spec.height, spec.fit, spec.focus, spec.quality, spec.max_bytes,
            spec.background, spec.strip, ext,
        )  # fmt: skip
        idle = self.idle.get(steps)
        if idle is None:
            idle = self.idle[steps] = does_nothing(spec, ext)
        mark = self._mark(spec, draft, prompt, shape, idle=idle)
        develop = self.develops.get((steps, mark))
        if develop is None:
            develop = self.develops[steps, mark] = develop_fingerprint(spec, ext, mark)
        return WantedOutput(spec=spec, develop=develop, mark=mark)

    def _mark(self, spec: OutputSpec, draft: Draft, prompt: str, shape: _Shape, *, idle: bool) -> Mark | None:
        """What a file is to say of itself.

        Where no step is asked for (`idle`) it is delivered bytes; should they have to be converted all the same, the
        mark has no words, because the fingerprint knows of none.
        """
        if spec.embed == "none":
            return None
        simulated = shape.type.startswith(SIMULATED)
        if spec.embed is None and idle:
            return self.plain_marks[simulated]
        full = spec.embed == "full"
        return Mark(
            always=spec.embed is not None,
            simulated=simulated,
            title=draft.title,
            alt=draft.alt,
            prompt=prompt if full else None,
            system=shape.system if full else None,
            signed=self.signed,
        )

    def _labels(self, draft: Draft) -> tuple[str, str]:
        key = (draft.name, draft.tags, id(draft.metadata))
        known = self.labels.get(key)
        if known is None:
            body: dict[str, Json] = {}
            if draft.name is not None:
                body["name"] = draft.name
            if draft.tags:
                body["tags"] = list(draft.tags)
            if draft.metadata:
                body["metadata"] = draft.metadata
            text = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
            known = self.labels[key] = (text, fingerprint(canonical(decimals_as_text(body))))
            self.kept_alive.append(draft.metadata)
        return known

    def _references(
        self, sources: Sequence[str], done: Mapping[str, Variant] | None
    ) -> tuple[tuple[Reference, ...], tuple[str, ...]]:
        found: list[Reference] = []
        pending: list[str] = []
        for source in sources:
            if not source.startswith(_ASSET):
                found.append(self.references[source])
                continue
            address = source[len(_ASSET) :]
            reference = self._drawn(source, address, (done or {}).get(address))
            found.append(reference)
            if reference.sha256 is None:
                pending.append(address)
        return tuple(found), tuple(pending)

    def _drawn(self, source: str, address: str, wanted: Variant | None) -> Reference:
        nothing = Reference(source=source, sha256=None)
        if wanted is None or address not in self.recorded:
            return nothing
        entry = self.recorded.entry(address)
        if not is_final(wanted, entry, self.picks.picks.get(address)):
            return nothing
        facts = entry.candidates[entry.picked[0] - 1].facts
        if facts is None:
            return nothing
        return Reference(source=source, sha256=facts.sha256, media_type=facts.media_type)

    def _report(self, draft: Draft, problem: ParamProblem) -> None:
        if problem.name == "references" and LOST in draft.references:
            return  # there may be none
        key = (draft.policy.asset, problem.name, problem.message)
        if key in self.reported:
            return
        self.reported.add(key)
        place = draft.policy.place_of(
            f"params.{problem.name}", problem.name, *_STANDS_IN.get(problem.name, ("params",))
        )
        self.problems.append(
            place.problem(
                problem.code,
                _SUMMARIES.get(problem.name, _PARAM)[problem.severity == "warning"],
                f"{draft.address}: {problem.name}: {problem.message}",
                address=draft.address,
                hint=problem.hint,
                severity=problem.severity,
            )
        )


def request_prompt(request: str) -> str:
    """The prompt inside a request's canonical JSON; empty where it has none."""
    value = json.loads(request).get("prompt")
    return value if isinstance(value, str) else ""
