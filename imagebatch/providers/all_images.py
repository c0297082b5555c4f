"""The All-Images.ai provider: asynchronous generations of four images each, listed by tag, bought one by one."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import ClassVar

from imagebatch.model.canonical import Json
from imagebatch.model.capabilities import Capabilities, Encoded, ParamProblem
from imagebatch.model.generation import Resolution
from imagebatch.model.money import CREDIT
from imagebatch.model.settings import ProviderSettings
from imagebatch.model.wire import BadAnswer, Unreachable, Wire
from imagebatch.providers import all_images_account, all_images_params, all_images_wire
from imagebatch.providers.answers import require_key, require_success
from imagebatch.providers.base import (
    Accepted,
    AccountFacts,
    Observation,
    Offer,
    Order,
    Page,
    Refused,
    Submission,
    Unclear,
)
from imagebatch.providers.options import read_options

_IDS_A_DELETE = 100


class AllImages:
    """An adapter over the documented API; every judgement is in `all_images_params` and `all_images_wire`."""

    declared: ClassVar[Capabilities] = Capabilities(
        type="all-images",
        answers="later",
        witness="list",
        can_list=True,
        can_update=True,
        can_retry=True,
        can_delete=True,
        can_buy=True,
        can_check=True,
        can_balance=True,
        balance_unit=CREDIT,
        tells_left=True,
        offers=4,
        max_prompt=all_images_params.MAX_PROMPT,
        resolutions=("preview", "full", "upscale", "uhd"),
        usual_ext="jpg",
        public_base="https://api.all-images.ai/v1",
        key_variable="ALL_IMAGES_API_KEY",
        key_header="api-key",
        key_prefix="",
        picture_hosts=("all-images.ai", "*.all-images.ai"),
        strict_params=True,
    )

    def __init__(self, settings: ProviderSettings) -> None:
        read_options(settings, ())  # it has none: what stands there would be ignored in silence
        self.settings = settings
        self.capabilities = self.declared
        self._seen: all_images_wire.Seen = {}

    def encode(self, params: Mapping[str, Json], references: int) -> Encoded:
        """Put a manifest's params in wire form."""
        return all_images_params.encode(params, references, self.settings.price)

    def check_prompt(self, prompt: str, encoded: Encoded) -> Sequence[ParamProblem]:
        """What is wrong with a rendered prompt."""
        return all_images_params.check_prompt(prompt, encoded)

    async def submit(self, order: Order, wire: Wire) -> Submission:
        """Send one create."""
        call = all_images_wire.build_create(order, timeout_s=self.capabilities.create_timeout_s)
        return all_images_wire.parse_create(await wire.send(call))

    async def observe(self, generation: str, wire: Wire) -> Observation | None:
        """The generation as it is now; None where the provider does not know it."""
        answer = await wire.send(all_images_wire.build_get(generation))
        return all_images_wire.parse_get(answer, generation, base=self._base)

    async def list_page(self, tag: str | None, offset: int, limit: int, wire: Wire) -> Page:
        """One page of generations that carry `tag` (the filter may be loose: compare tags yourself)."""
        answer = await wire.send(all_images_wire.build_list(tag, offset, limit))
        page, self._seen = all_images_wire.parse_list(answer, base=self._base, seen=self._seen)
        return page

    async def update(self, generation: str, order: Order, *, request: bool, wire: Wire) -> Refused | None:
        """Change labels, and with `request` what the next retry draws."""
        answer = await wire.send(all_images_wire.build_update(generation, order, request=request))
        return all_images_wire.parse_change(answer, f"generation {generation}")

    async def retry(self, generation: str, wire: Wire) -> Accepted | Refused | Unclear:
        """Start a failed generation again, under its id."""
        call = all_images_wire.build_retry(generation, timeout_s=self.capabilities.create_timeout_s)
        return all_images_wire.parse_retry(await wire.send(call), generation)

    async def delete(self, generations: Sequence[str], wire: Wire) -> None:
        """Delete generations; nothing is sent for none."""
        for start in range(0, len(generations), _IDS_A_DELETE):
            answer = await wire.send(all_images_wire.build_delete(generations[start : start + _IDS_A_DELETE]))
            require_success(answer, "the delete")

    async def buy(self, generation: str, candidate: str, resolution: Resolution, wire: Wire) -> Offer | Refused:
        """Buy one image: the full size as bytes in the answer, the larger ones as public links.

        Both calls are documented as billed once an image, so a link may be asked for after the bytes did not come.
        """
        del generation  # images are bought by their own id
        if resolution == "full":
            bought = all_images_wire.parse_download(
                await wire.send(all_images_wire.build_download(candidate)), candidate
            )
        else:
            bought = all_images_wire.parse_buy(
                await wire.send(all_images_wire.build_buy(candidate)), candidate, resolution
            )
        return bought

    async def check(self, wire: Wire) -> AccountFacts:
        """Prove that the key works, and tell the balances where the account has any."""
        answer = await wire.send(all_images_account.build_check())
        require_key(answer, self.settings.alias)
        account = all_images_account.parse_check(answer)
        try:
            balances = all_images_account.parse_credit(await wire.send(all_images_account.build_credit()))
        except (BadAnswer, Unreachable):
            return AccountFacts(account=account)  # the balance is a courtesy: no page documents it
        return AccountFacts(account=account, balances=balances, left=all_images_account.credits_left(balances))

    async def creates_left(self, wire: Wire) -> Decimal | None:
        """What is left of the quota of generations; None where the account has none, or one without end."""
        return all_images_account.parse_creates_left(await wire.send(all_images_account.build_credit()))

    @property
    def _base(self) -> str | None:
        return self.settings.base_url or self.capabilities.public_base
