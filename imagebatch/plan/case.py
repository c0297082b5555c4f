"""What `classify` looks at: one address, both of its sides, and the world around it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from imagebatch.model.capabilities import Capabilities
from imagebatch.model.generation import Entry, Failure
from imagebatch.model.picks import Pick, Picks
from imagebatch.model.recorded import Disk, Known, KnownDraw
from imagebatch.model.settings import Redo
from imagebatch.model.variant import Variant
from imagebatch.plan.aliases import Aliases
from imagebatch.plan.options import PlanOptions
from imagebatch.plan.picking import source_of
from imagebatch.plan.reasons import SIMULATED

NO_ABILITIES = Capabilities(type="", answers="now", witness="none")


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Everything that is the same for all addresses; `capabilities` is keyed by provider type.

    `doubts` are the draws, by address, that were begun and never settled and of which no entry speaks. `aliases` are
    the providers that are declared.
    """

    known: Known
    disk: Disk
    picks: Picks
    capabilities: Mapping[str, Capabilities]
    options: PlanOptions
    lineage: str | None = None
    doubts: Mapping[str, Sequence[KnownDraw]] = field(default_factory=dict)
    aliases: Aliases = field(default_factory=Aliases)

    def abilities(self, provider_type: str) -> Capabilities:
        """What a type can do; a simulated type can what the real one can, an unknown one nothing."""
        found = self.capabilities.get(provider_type)
        if found is None:
            found = self.capabilities.get(provider_type.removeprefix(SIMULATED))
        return found if found is not None else NO_ABILITIES

    def listing_settles(self, draw: KnownDraw) -> bool:
        """Whether a draw in doubt is settled by its provider's listing, which no other witness disputes."""
        return self.abilities(draw.type).witness == "list" and disputed(draw) is None


def disputed(draw: KnownDraw) -> Failure | None:
    """What another witness says against the listing of a draw in doubt."""
    return draw.failure if draw.generation is None else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Elsewhere:
    """The wanted draw as another address has it in the lock.

    `shares` tells that the other address is wanted too, of the same provider alias and not drawn apart: then the two
    share one draw. Else its draw is adopted.
    """

    address: str
    entry: Entry
    shares: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One address to be classified.

    `entry` is what the lock has (at `moved_from` where the address is new). `elsewhere` are other addresses' entries
    of the wanted draw, `remembered` what other addresses keep of it under `earlier`. `attempts_elsewhere` is the
    highest attempt whose token another address holds that draws apart; `barred` are tokens of pictures that are
    another address's alone. `apart` asks for a draw of its own although the recorded one fits (another
    `distinct` variant has it too). `released` says of something unwanted that nobody else uses its generation.
    """

    address: str
    wanted: Variant | None
    entry: Entry | None
    world: World
    moved_from: str | None = None
    elsewhere: tuple[Elsewhere, ...] = ()
    remembered: tuple[KnownDraw, ...] = ()
    attempts_elsewhere: int = 0
    barred: frozenset[str] = frozenset()
    apart: bool = False
    released: bool = True

    @property
    def pick(self) -> Pick | None:
        """The person's choice for this address."""
        return self.world.picks.picks.get(self.address)

    @property
    def doubt(self) -> KnownDraw | None:
        """The newest draw of this address that only the journal knows to be in doubt, and that a person has to settle.

        It may have been sent under the name that the address had before.
        """
        return next(iter(self.doubts), None)

    @property
    def doubts(self) -> tuple[KnownDraw, ...]:
        """All such draws: a run that was killed while it sent one in doubt again leaves several."""
        names = (self.address,) if self.moved_from is None else (self.address, self.moved_from)
        found = (draw for name in names for draw in self.world.doubts.get(name, ()))
        return tuple(draw for draw in found if not self.world.listing_settles(draw))

    @property
    def redo(self) -> Redo | None:
        """The redraw that `picks.yaml` asks for."""
        return self.world.picks.redo.get(self.address)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Where the wanted draw was found: in which lock entry if it was one, and what was picked of it then."""

    draw: KnownDraw
    holder: Entry | None = None
    shares_with: str | None = None
    picked: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawHistory:
    """All that is known of one draw fingerprint, and which attempts are of use.

    `floor` is the attempt at which a new draw has to start; `newest` the highest attempt known, 0 for none. `least` is
    the first attempt that satisfies what was asked for: less than `floor` once another request has answered the redraw.
    `found` has the draws that satisfy it, `every` also those of earlier attempts, which a person may have restored.
    """

    floor: int
    least: int
    newest: int
    found: tuple[Found, ...] = field(default=())
    every: tuple[Found, ...] = field(default=())

    def best(self, status: str) -> Found | None:
        """The newest usable draw of a status."""
        return next((found for found in self.found if found.draw.status == status), None)


def draw_history(case: Case, variant: Variant) -> DrawHistory:
    """Gather every draw of the wanted fingerprint: the entry and its earlier ones, other entries, the draw index."""
    entry = case.entry
    found: list[Found] = []
    if entry is not None:
        if entry.draw == variant.draw:
            found.append(Found(draw=KnownDraw.of_entry(entry), holder=entry))
        found += [
            Found(draw=KnownDraw.of_earlier(earlier), holder=entry, picked=earlier.picked)
            for earlier in entry.earlier
            if earlier.draw == variant.draw
        ]
    found += [
        Found(
            draw=KnownDraw.of_entry(other.entry),
            holder=other.entry,
            shares_with=other.address if other.shares else None,
        )
        for other in case.elsewhere
    ]
    found += [Found(draw=draw) for draw in case.remembered]
    found += [Found(draw=draw) for draw in case.world.known.draws(variant.draw) if _of_this(draw, case, variant)]
    newest = max((case.attempts_elsewhere, *(item.draw.attempt for item in found)))
    floor = _floor(case, newest)
    least = 1 if answered(case, variant, floor) else floor
    every = [item for item in found if item.draw.token not in case.barred]
    every.sort(key=lambda item: (-item.draw.attempt, item.shares_with is None))
    usable = [item for item in every if item.draw.attempt >= least]
    return DrawHistory(floor=floor, least=least, newest=newest, found=tuple(usable), every=tuple(every))


def _of_this(draw: KnownDraw, case: Case, variant: Variant) -> bool:
    """Whether a known draw may be this variant's: made under its salt, or under the one from before `distinct` changed.

    The second only where it has or will have a picture, and it is nobody else's: it was paid, and fits.
    """
    if draw.salt == variant.salt:
        return True
    has_picture = draw.status == "succeeded" or (draw.status == "pending" and not draw.open_intent)
    return draw.salt in {"", variant.address} and has_picture and draw.token not in case.barred


def _floor(case: Case, newest: int) -> int:
    asked = case.redo.attempt if case.redo is not None else 1
    if case.address in case.world.options.redraw or case.apart:
        return max(asked, newest + 1)
    return asked


def answered(case: Case, variant: Variant, floor: int) -> bool:
    """Whether the redraw asked for was drawn already, for a request that was wanted then.

    Going back to a request from before is no new wish for a redraw: what is there of it is taken, not paid again.
    """
    entry = case.entry
    if entry is None or case.apart or case.address in case.world.options.redraw:
        return False
    done = [(entry.draw, entry.attempt)] if entry.status == "succeeded" else []
    done += [(earlier.draw, earlier.attempt) for earlier in entry.earlier]
    return any(attempt >= floor and draw != variant.draw for draw, attempt in done)


def bytes_at_hand(index: int, draw: KnownDraw, holder: Entry | None, world: World) -> bool:
    """Whether a candidate's bytes are in the store, an output of any address, or a marked file of the holder's."""
    if not 1 <= index <= len(draw.candidates):
        return False
    facts = source_of(draw.candidates[index - 1])
    if facts is None:
        return False
    if world.known.has_bytes(facts.sha256) or world.disk.standing(facts.sha256, facts.bytes) is not None:
        return True
    outputs = holder.outputs if holder is not None else ()
    return any(world.disk.shows(output.path, output.sha256, output.bytes, facts.sha256) for output in outputs)


def can_fetch(draw: KnownDraw, world: World) -> bool:
    """Whether the provider can be asked for the pictures of a draw again, free of charge."""
    later = draw.generation is not None and world.abilities(draw.type).answers == "later"
    return later and gone(draw, world) is None


def gone(draw: KnownDraw, world: World) -> Failure | None:
    """Why the provider has the generation of a picture no more: deleted by us, or unknown to it when last asked."""
    if draw.status != "succeeded":
        return None
    known = (one for one in world.known.draws(draw.draw) if one.token == draw.token and one.status == "succeeded")
    return next((one.failure for one in known if one.failure is not None), None)
