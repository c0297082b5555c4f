"""Small worlds for planner tests: builders of both sides, dictionaries behind the protocols, and a pure apply."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from imagebatch.model.canonical import canonical, draw_fingerprint, fingerprint
from imagebatch.model.capabilities import Capabilities
from imagebatch.model.generation import Bought, Candidate, Earlier, Entry, Output, PictureFacts
from imagebatch.model.money import Cost, Money
from imagebatch.model.picks import Picks
from imagebatch.model.recorded import Glance, KnownDraw, OutputState
from imagebatch.model.settings import Brakes, Moved, Threshold
from imagebatch.model.token import make_token
from imagebatch.model.variant import EXT_MARK, OutputSpec, Place, Policy, Variant, WantedOutput
from imagebatch.plan.budget import NO_FUNDS, Funds
from imagebatch.plan.diff import make_plan
from imagebatch.plan.options import PlanOptions
from imagebatch.plan.picking import has_resolution, picks_by_rule, source_of, wanted_files, wanted_picks
from imagebatch.plan.types import Change, Plan

LINEAGE = "5" * 32
PLACE = Place(path="manifests/a.yaml", line=3, column=5)
STUDIO = Capabilities(
    type="all-images", answers="later", witness="list", can_list=True, can_update=True, can_retry=True, can_delete=True,
    can_buy=True, offers=4, resolutions=("preview", "full", "upscale", "uhd"), usual_ext="jpg",
)  # fmt: skip
HUB = Capabilities(type="aigne-hub", answers="now", witness="billing")
ABILITIES = {"all-images": STUDIO, "aigne-hub": HUB}
TYPES = {"studio": "all-images", "studio2": "all-images", "hub": "aigne-hub", "sim": "simulator:all-images"}
OFFERS = {"all-images": 4, "aigne-hub": 1, "simulator:all-images": 4}
CREATE = Cost(money=Money(amount=Decimal("0.04"), currency="EUR"), basis="exact")
BUY = Cost(money=Money(amount=Decimal("0.35"), currency="EUR"), basis="estimated")
NO_BRAKES = Brakes(max_deletes=Threshold(), max_redraws=Threshold())


def eur(amount: str) -> Money:
    return Money(amount=Decimal(amount), currency="EUR")


def variant(
    address: str = "hero",
    prompt: str = "a fox",
    *,
    provider: str = "studio",
    outputs: tuple[str, ...] = (),
    width: int | None = None,
    labels: str = "plain",
    tags: tuple[str, ...] = (),
    policy: Mapping[str, Any] | None = None,
    params: Mapping[str, str] | None = None,
    **more: Any,
) -> Variant:
    """A wanted variant; `policy` holds the policy's fields, `more` the variant's."""
    kind = TYPES.get(provider, provider)
    request = canonical({"params": dict(params or {}), "prompt": prompt})
    paths = outputs or (f"outputs/{address.replace('[', '-').replace(']', '')}.{EXT_MARK}",)
    the_policy = Policy(**{"asset": address.partition("[")[0], "place": PLACE, "provider": provider, **(policy or {})})
    body = canonical({"name": labels, "tags": list(tags)})
    fields: dict[str, Any] = {
        "address": address,
        "policy": the_policy,
        "provider": provider,
        "type": kind,
        "request": request,
        "draw": draw_fingerprint(kind, request),
        "labels": fingerprint(body),
        "labels_body": body,
        "outputs": tuple(
            WantedOutput(spec=OutputSpec(path=path, width=width), develop=fingerprint(f"w={width}")) for path in paths
        ),
        "ext": "jpg",
        "offers": OFFERS.get(kind, 1),
        "price": CREATE,
        "buy_price": {"full": BUY, "upscale": BUY, "uhd": BUY},
        "salt": address if the_policy.distinct else "",
    }
    return Variant(**{**fields, **more})


def facts(seed: str) -> PictureFacts:
    return PictureFacts(sha256=fingerprint(seed), width=64, height=64, media_type="image/jpeg", bytes=len(seed) + 100)


_SALTS: dict[str, str] = {}


def token_of(wanted: Variant, attempt: int = 1) -> str:
    token = make_token(lineage=LINEAGE, draw=wanted.draw, attempt=attempt, salt=wanted.salt)
    _SALTS[token] = wanted.salt
    return token


def salt_of(token: str) -> str:
    """The salt that a token of this world was made with; the draw index would know it from the intent."""
    return _SALTS[token]


def candidates_of(wanted: Variant, attempt: int = 1, *, stored: Iterable[int] | None = None) -> tuple[Candidate, ...]:
    """What a draw of `wanted` offers; facts stand at the `stored` ones (all, where None)."""
    at = set(range(1, wanted.offers + 1) if stored is None else stored)
    token = token_of(wanted, attempt)
    return tuple(
        Candidate(id=f"c{index}", facts=facts(f"{token}/{index}") if index in at else None)
        for index in range(1, wanted.offers + 1)
    )


def entry_of(wanted: Variant, *, attempt: int = 1, **more: Any) -> Entry:
    """The lock's entry after `wanted` was drawn and placed; `more` replaces fields."""
    candidates = candidates_of(wanted, attempt)
    picked = picks_by_rule(wanted.policy.pick, len(candidates)) or ()
    resolution = wanted.policy.resolution
    if resolution != "preview":
        candidates = tuple(
            replace(c, bought=Bought(resolution=resolution, facts=facts(f"{c.id}/{token_of(wanted)}/{resolution}")))
            if index in picked
            else c
            for index, c in enumerate(candidates, 1)
        )
    base = Entry(
        provider=wanted.provider,
        type=wanted.type,
        draw=wanted.draw,
        request=wanted.request,
        labels=wanted.labels,
        attempt=attempt,
        token=token_of(wanted, attempt),
        generation=f"g-{token_of(wanted, attempt)}",
        status="succeeded",
        candidates=candidates,
        picked=picked,
        on_remove=wanted.policy.on_remove,
        protect=wanted.policy.protect,
    )
    return replace(base, **{"outputs": outputs_of(wanted, base), **more})


def outputs_of(wanted: Variant, entry: Entry) -> tuple[Output, ...]:
    found = []
    for file in wanted_files(wanted, entry.picked):
        source = source_of(entry.candidates[file.candidate - 1])
        sha256 = fingerprint(f"{source and source.sha256}/{file.develop}")
        found.append(Output(path=file.path, develop=file.develop, sha256=sha256, bytes=77))
    return tuple(found)


def earlier_of(entry: Entry) -> Earlier:
    return Earlier(
        provider=entry.provider, type=entry.type, attempt=entry.attempt, draw=entry.draw, request=entry.request,
        token=entry.token, generation=entry.generation, candidates=entry.candidates, picked=entry.picked,
        cost=entry.cost,
    )  # fmt: skip


@dataclass(slots=True)
class FakeLock:
    """A `Recorded` over a dictionary, with glances cut from the entries."""

    entries: dict[str, Entry] = field(default_factory=dict)

    def __contains__(self, address: object) -> bool:
        return address in self.entries

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self.entries))

    def __len__(self) -> int:
        return len(self.entries)

    def entry(self, address: str) -> Entry:
        return self.entries[address]

    def glance(self, address: str) -> Glance:
        entry = self.entries[address]
        plain = entry.status == "succeeded" and not (entry.failure or entry.protect or entry.held or entry.parts)
        candidates = [{"id": c.id, **({"bought": _bought(c.bought)} if c.bought else {})} for c in entry.candidates]
        outputs = [{"path": o.path, "develop": o.develop, "sha256": o.sha256, "bytes": o.bytes} for o in entry.outputs]
        return Glance(
            provider=entry.provider,
            type=entry.type,
            draw=entry.draw,
            labels=entry.labels,
            picked=_compact(list(entry.picked)),
            candidates=_compact(candidates),
            outputs=_compact(outputs),
            on_remove=entry.on_remove,
            plain=plain,
            checks=entry.checked.checks if entry.checked is not None else "",
        )


def _bought(bought: Bought) -> dict[str, str]:
    facts = {"sha256": bought.facts.sha256} if bought.facts is not None else {}
    return {"resolution": bought.resolution, **facts}


def _compact(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


@dataclass(slots=True)
class FakeDisk:
    """Output files by path: the hash of what stands there."""

    files: dict[str, str] = field(default_factory=dict)

    def shows(self, path: str, sha256: str, size: int, picture: str) -> bool:
        return sha256 == picture and self.look(path, sha256, size) == "same"

    def look(self, path: str, sha256: str, size: int) -> OutputState:
        assert size > 0
        if path not in self.files:
            return "missing"
        return "same" if self.files[path] == sha256 else "edited"

    def exists(self, path: str) -> bool:
        return path in self.files

    def standing(self, sha256: str, size: int) -> str | None:
        assert size > 0
        return next((path for path, found in sorted(self.files.items()) if found == sha256), None)


@dataclass(slots=True)
class FakeKnown:
    """Draw index and store."""

    by_draw: dict[str, tuple[KnownDraw, ...]] = field(default_factory=dict)
    stored: set[str] = field(default_factory=set)
    unsettled: dict[str, tuple[KnownDraw, ...]] = field(default_factory=dict)

    def draws(self, draw: str) -> tuple[KnownDraw, ...]:
        return self.by_draw.get(draw, ())

    def offering(self, sha256: str) -> tuple[KnownDraw, ...]:
        every = (known for draws in self.by_draw.values() for known in draws)
        return tuple(known for known in every if sha256 in known.hashes())

    def has_bytes(self, sha256: str) -> bool:
        return sha256 in self.stored

    def doubts(self) -> dict[str, tuple[KnownDraw, ...]]:
        return self.unsettled


@dataclass(slots=True)
class World:
    """All that a plan is made from, and a pure model of what an undisturbed apply makes of it."""

    lock: FakeLock = field(default_factory=FakeLock)
    disk: FakeDisk = field(default_factory=FakeDisk)
    known: FakeKnown = field(default_factory=FakeKnown)
    picks: Picks = field(default_factory=Picks)
    paid: list[str] = field(default_factory=list)
    sent: list[str] = field(default_factory=list)
    drawn: list[tuple[str, str]] = field(default_factory=list)

    def have(self, address: str, entry: Entry, *, placed: bool = True, stored: bool = True) -> "World":
        """Record an entry, with its files on disk and its bytes in the store."""
        self.lock.entries[address] = entry
        if placed:
            self.disk.files.update({output.path: output.sha256 for output in entry.outputs})
        if stored:
            self.store(entry.candidates)
        return self

    def store(self, candidates: Iterable[Candidate]) -> None:
        for candidate in candidates:
            bought = candidate.bought.facts if candidate.bought else None
            self.known.stored.update(f.sha256 for f in (candidate.facts, bought) if f is not None)

    def know(self, *draws: KnownDraw) -> "World":
        for draw in draws:
            same = (*self.known.by_draw.get(draw.draw, ()), draw)
            self.known.by_draw[draw.draw] = tuple(sorted(same, key=lambda known: -known.attempt))
        return self

    def doubt(self, address: str, draw: KnownDraw) -> "World":
        """A create of `address` was begun and never settled, and only the journal knows of it."""
        self.known.unsettled[address] = (draw, *self.known.unsettled.get(address, ()))
        return self.know(draw)

    def plan(
        self,
        wanted: Iterable[Variant],
        *,
        moved: tuple[Moved, ...] = (),
        brakes: Brakes = NO_BRAKES,
        funds: Funds = NO_FUNDS,
        **options: Any,
    ) -> Plan:
        return make_plan(
            wanted,
            self.lock,
            self.known,
            self.disk,
            picks=self.picks,
            moved=moved,
            brakes=brakes,
            capabilities=ABILITIES,
            options=PlanOptions(**options),
            lineage=LINEAGE,
            inputs={"manifests/a.yaml": "sha256:00"},
            funds=funds,
        )

    def one(self, wanted: Variant | None, **options: Any) -> Change:
        """The change of the only address."""
        plan = self.plan([wanted] if wanted is not None else [], detail=True, **options)
        assert len(plan.changes) == 1, plan.changes
        return plan.changes[0]

    # --- the model of an apply ------------------------------------------------------------------------------------

    def perform(self, plan: Plan) -> None:
        """Carry a plan out as an apply without disturbances would: every draw succeeds."""
        shares = [change for change in plan.changes if change.leader is not None]
        for change in plan.changes:
            if change.leader is None:
                self._perform_one(change)
        for change in shares:
            self._perform_one(change)

    def _perform_one(self, change: Change) -> None:
        doing: set[str] = {change.action, *change.also}
        if change.moved_from is not None:
            self.lock.entries[change.address] = self.lock.entries.pop(change.moved_from)
        if change.action in {"forget", "delete"}:
            gone = self.lock.entries.pop(change.address)
            draws = [KnownDraw.of_entry(gone), *map(KnownDraw.of_earlier, gone.earlier)]
            self.know(*(replace(draw, salt=salt_of(draw.token)) for draw in draws))
            for output in gone.outputs:
                if self.disk.files.get(output.path) == output.sha256:
                    del self.disk.files[output.path]
            return
        wanted = change.variant
        if wanted is None or change.action in {"defer", "noop"} or doing == {"keep"}:
            return
        entry = self._drawn(change, wanted)
        if entry is None:
            return
        self.lock.entries[change.address] = self._kept_up(change, wanted, entry, doing)

    def _drawn(self, change: Change, wanted: Variant) -> Entry | None:
        old = self.lock.entries.get(change.address)
        if change.action in {"create", "redraw", "retry"}:
            self.paid.append(f"{change.action} {change.address}")
            self.sent.append(token_of(wanted, change.attempt))
            self.drawn.append((wanted.draw, wanted.salt))
            return self._promoted(change, wanted, _fresh(wanted, change.attempt), old)
        if change.action == "wait":
            running = change.known or (KnownDraw.of_entry(old) if old is not None else None)
            assert running is not None
            if running.draw != wanted.draw:
                assert old is not None
                offered = candidates_of(wanted, 1, stored=())
                return replace(old, status="succeeded", candidates=offered, generation="g-old")
            return self._promoted(change, wanted, _fresh(wanted, running.attempt, running.token), old)
        if change.leader is not None:
            leader = self.lock.entries[change.leader]
            return self._promoted(change, wanted, KnownDraw.of_entry(leader), old)
        if change.use:
            picture = Candidate(id="file", facts=replace(facts("file"), sha256=change.use[0]))
            drawn = replace(_fresh(wanted, 1), candidates=(picture,))
            return self._promoted(change, wanted, drawn, old)
        if change.action in {"adopt", "share"}:
            assert change.known is not None
            return self._promoted(change, wanted, change.known, old)
        return old

    def _promoted(self, change: Change, wanted: Variant, draw: KnownDraw, old: Entry | None) -> Entry:
        earlier: tuple[Earlier, ...] = ()
        if old is not None:
            keep = [e for e in old.earlier if e.token != draw.token]
            if old.token != draw.token and old.status == "succeeded":
                keep.insert(0, earlier_of(old))
            earlier = tuple(keep[:5])
        picked_then = next((e.picked for e in (old.earlier if old else ()) if e.token == draw.token), ())
        return Entry(
            provider=wanted.provider,
            type=draw.type,
            draw=draw.draw,
            request=draw.request,
            labels=wanted.labels,
            attempt=draw.attempt,
            token=draw.token,
            generation=draw.generation or "g-new",
            status="succeeded",
            candidates=draw.candidates,
            picked=picked_then,
            outputs=old.outputs if old is not None else (),
            earlier=earlier,
            on_remove=wanted.policy.on_remove,
            protect=wanted.policy.protect or (old is not None and old.held),
            held=old.held if old is not None else False,
        )

    def _kept_up(self, change: Change, wanted: Variant, entry: Entry, doing: set[str]) -> Entry:
        if "update" in doing:
            entry = replace(
                entry, labels=wanted.labels, provider=wanted.provider, on_remove=wanted.policy.on_remove,
                protect=wanted.policy.protect or entry.held,
            )  # fmt: skip
        if change.action == "keep" and not doing & {"develop", "move", "fetch"}:
            return entry
        draw = entry.draw if change.action == "keep" else wanted.draw
        picked = wanted_picks(wanted.policy.pick, self.picks.picks.get(change.address), draw, entry.candidates)
        fetched = range(1, len(entry.candidates) + 1) if picked is None else picked
        candidates = list(entry.candidates)
        for index in fetched:
            candidate = candidates[index - 1]
            candidates[index - 1] = replace(candidate, facts=candidate.facts or facts(f"{entry.token}/{index}"))
        picked = entry.picked if picked is None else picked
        for index in picked:
            resolution = wanted.policy.resolution
            if not has_resolution(candidates[index - 1], resolution) and (doing & {"buy"} or change.leader is not None):
                self.paid += [f"buy {change.address}"] if "buy" in doing else []
                bought = Bought(resolution=resolution, facts=facts(f"{entry.token}/{index}/{resolution}"))
                candidates[index - 1] = replace(candidates[index - 1], bought=bought)
        self.store(candidates)
        entry = replace(entry, candidates=tuple(candidates), picked=picked)
        return self._placed(wanted, entry, old=entry.outputs)

    def _placed(self, wanted: Variant, entry: Entry, old: tuple[Output, ...]) -> Entry:
        outputs = {output.path: output for output in outputs_of(wanted, entry)}
        for output in old:
            if self.disk.files.get(output.path) == output.sha256 and output.path not in outputs:
                del self.disk.files[output.path]
            elif self.disk.files.get(output.path, output.sha256) != output.sha256 and output.path in outputs:
                outputs[output.path] = output  # edited by hand: left alone
                continue
        for path, output in outputs.items():
            if output not in old or path not in self.disk.files:
                self.disk.files[path] = output.sha256
        return replace(entry, outputs=tuple(outputs.values()))


def _fresh(wanted: Variant, attempt: int, token: str | None = None) -> KnownDraw:
    name = token or token_of(wanted, attempt)
    return KnownDraw(
        draw=wanted.draw,
        type=wanted.type,
        request=wanted.request,
        attempt=attempt,
        token=name,
        generation=f"g-{name}",
        status="succeeded",
        candidates=tuple(Candidate(id=f"c{index}") for index in range(1, wanted.offers + 1)),
        salt=wanted.salt,
    )
