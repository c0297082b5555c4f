"""What became of a create whose answer was lost: the provider is asked as far as it can tell; the rest is in doubt."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from imagebatch.model.event import Abandoned, Doubted, Intended, Told
from imagebatch.model.generation import disputed
from imagebatch.model.wire import BadAnswer, NotSent, OutcomeLost, Unreachable
from imagebatch.plan.options import InDoubt
from imagebatch.providers.base import CanWitness, Observation
from imagebatch.run.ends import End, Try
from imagebatch.run.paid_steps import PaidSteps
from imagebatch.run.settle import READINGS, ListingFailed, Listings

AN_EARLIER_ONE = "the billing record that says failed may be that of an earlier sending"


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubts:
    """Settles unclear creates; `in_doubt` is what the user said about those that were in doubt when he said it.

    `open_steps` are those that an earlier run left open.
    """

    steps: PaidSteps
    listings: Listings
    in_doubt: InDoubt = "skip"
    open_steps: Mapping[str, Intended] = field(default_factory=dict)

    async def settle(self, this: Try, why: str, *, sent: bool) -> Observation | End | Try:
        """What became of an unclear create: the generation that it made, that nobody can know, or how to send it again.

        It is sent again where it certainly was not taken, or where somebody said so (`in_doubt` is `resend`): then it
        stays in doubt until it has left. `sent` says that this run has sent it: nobody has said anything of that yet.
        """
        self.steps.tell(Told(kind="settling", address=this.variant.address, message=why))
        adapter, witness = this.lane.adapter, this.lane.capabilities.witness
        if witness == "list":
            return await self._listed(this, why, sent=sent)
        charged: tuple[str, ...] = ()
        doubt: str | None = f"{why}; this provider keeps no record that we could ask"
        if witness == "billing" and isinstance(adapter, CanWitness):
            doubt, charged = await self._billed(adapter, this, why)
        if doubt is None:
            return await self._absent(this, "the provider's own record says that it failed")
        if sent or self.in_doubt != "resend":
            return replace(self.doubt(this, doubt), cost=charged)
        over = self.steps.spending.lacking(this.price, create=True)
        if over is not None:
            return replace(self.doubt(this, f"{doubt}; it is not sent again: {over}"), cost=charged)
        return replace(this, gives_up=(this.token,))

    def doubt(self, this: Try, why: str) -> End:
        """Nobody can know whether it was taken."""
        if self.in_doubt == "stop":
            this.lane.stop_creates("a create is in doubt, and --in-doubt stop says to send no more")
        return End(token=this.token, status="in_doubt", code="create.in_doubt", message=why)

    async def _listed(self, this: Try, why: str, *, sent: bool) -> Observation | End | Try:
        """What the provider's listing shows of it; its absence there counts where the balance does not speak of it."""
        try:
            found = await self.listings.find(this.lane, this.token)
        except ListingFailed as error:
            return self.doubt(this, f"{why}; {error}")
        if found is not None and sent:
            this.lane.balance.taken()
        this.lane.balance.settled(this.token)
        if found is not None:
            return found
        elsewhere = self._sent_elsewhere(this)
        if elsewhere is not None:
            return await self._disputed(this, f"{why}; {elsewhere}")
        if await this.lane.balance.fell():
            fell = "the listing shows nothing of it, and yet the balance fell by more than the known creates cost"
            return await self._disputed(this, f"{why}; {fell}")
        return await self._absent(this, "not in the listing for the whole consistency window")

    def _sent_elsewhere(self, this: Try) -> str | None:
        """Why it proves nothing that this lane does not show it: an earlier run had sent it to another place."""
        step = self.open_steps.get(this.token)
        if step is None or (step.provider == this.lane.alias and step.origin in {"", this.lane.origin}):
            return None
        there = f"{step.provider} at {step.origin}" if step.origin else step.provider
        here = f"{this.lane.alias} at {this.lane.origin}"
        return f"it was sent to {there}, so it proves nothing that {here} does not show it"

    async def _billed(self, adapter: CanWitness, this: Try, why: str) -> tuple[str | None, tuple[str, ...]]:
        """Why a create stays in doubt, by the provider's billing record, and what that says it charged.

        None for the reason where the record says that it failed, and can speak of no earlier sending.
        """
        try:
            record = await adapter.billing_record(this.token, this.lane.wire)
            for _ in range(READINGS):  # it may end yet, and perhaps as one that failed
                if record is None or record.state != "processing":
                    break
                await self.steps.clock.sleep(this.lane.settings.consistency_window_s / READINGS)
                record = await adapter.billing_record(this.token, this.lane.wire)
        except (Unreachable, OutcomeLost, NotSent, BadAnswer) as error:
            return f"{why}; its billing record cannot be read: {error}", ()
        if record is None:
            return f"{why}; the provider has no billing record of it, which proves nothing", ()
        if record.state == "failed":
            if self.steps.was_sent_once(this.token):
                return None, ()
            return f"{why}; {AN_EARLIER_ONE}", ()
        paid = f" for {record.cost}" if record.cost is not None else ""
        text = f"{why}; billing record {record.id} says {record.state}{paid}: its picture cannot be fetched again"
        if record.state != "success" or record.cost is None:
            return text, ()
        charged = str(record.cost)
        await self.steps.recorder.record(Doubted(step="create", token=this.token, why=text, charged=charged))
        return text, (charged,)

    async def _absent(self, this: Try, why: str) -> Try:
        await self.steps.recorder.record(Abandoned(token=this.token, why=why, absent=True))
        return replace(this, gives_up=())

    async def _disputed(self, this: Try, why: str) -> End:
        """Its absence proves nothing, which a later run must know: the listing may show it yet, or a person decides."""
        await self.steps.recorder.record(Doubted(step="create", token=this.token, why=why, disputed=True))
        return replace(self.doubt(this, why), failure=disputed(why))
