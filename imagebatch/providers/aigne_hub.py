"""The AIGNE Hub provider: one blocking call a create, on the route that the server has, with a billing record after."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from imagebatch.model.canonical import Json
from imagebatch.model.capabilities import Capabilities, Encoded, ParamProblem
from imagebatch.model.generation import Failure
from imagebatch.model.money import CREDIT, Money
from imagebatch.model.settings import ProviderSettings
from imagebatch.model.wire import Answer, BadAnswer, Call, NotSent, Unreachable, Wire
from imagebatch.providers import aigne_hub_wire as hub
from imagebatch.providers import images_params, images_wire
from imagebatch.providers.aigne_hub_wire import Route
from imagebatch.providers.answers import clean_text, require_key
from imagebatch.providers.base import AccountFacts, BillingRecord, Order, Refused, Submission
from imagebatch.providers.options import read_options

if TYPE_CHECKING:
    from asyncio import Lock

_PAGES_OF_RECORDS = 20
# Observed in 0.9.4: every other model of OpenAI's is answered with 500, "does not support image editing".
_EDITS_WITH = frozenset({"gpt-image-1"})


class AigneHub:
    """An adapter over the documented endpoint and the routes that real hubs serve.

    Until it is known which route answers, one create goes alone: a server's own 404 page moves the same create, with
    the same token, to the next route; whatever else is answered is that create's answer. The route is remembered.
    """

    declared: ClassVar[Capabilities] = Capabilities(
        type="aigne-hub",
        answers="now",
        witness="billing",
        can_check=True,
        can_balance=True,
        balance_unit=CREDIT,
        base_variable="AIGNE_HUB_URL",
        key_variable="AIGNE_HUB_API_KEY",
        any_public_host=True,
        create_timeout_s=600.0,
    )

    def __init__(self, settings: ProviderSettings) -> None:
        self.settings = settings
        self._options = read_options(settings, ("mount", "dialect", "extra_body", "capabilities"))
        told = self._options.overrides
        self.capabilities = replace(self.declared, max_prompt=told.max_prompt)
        self._rules = images_params.Rules(
            strict=False,
            honours_n=told.n is True,
            edits=told.edits is not False,
            hub=True,
            extra_body=self._options.extra_body,
            price=settings.price.get("create"),
            price_of=_price_of,
            max_prompt=told.max_prompt,
            edits_with=None if told.edits or self._options.dialect == "worker" else _EDITS_WITH,
        )
        self._finding: Lock | None = None
        self._found: dict[str, Route] = {}
        self._mount_found: str | None = self._options.mount
        self._mount_untold = ""

    def encode(self, params: Mapping[str, Json], references: int) -> Encoded:
        """Put a manifest's params in wire form."""
        return images_params.encode(params, references, self._rules)

    def check_prompt(self, prompt: str, encoded: Encoded) -> Sequence[ParamProblem]:
        """What is wrong with a rendered prompt."""
        return images_params.check_prompt(prompt, encoded, self._rules)

    def goes_alone(self, order: Order, wire: Wire) -> bool:
        """Whether this create has to be the only one in flight, because the server's route is not known yet."""
        return self._known(_route_key(order), wire) is None

    async def submit(self, order: Order, wire: Wire) -> Submission:
        """Send one create on the known route, or find the route with it."""
        key = _route_key(order)
        route = self._known(key, wire)
        if route is not None:
            answer = await self._send(route, order, wire)
            if not hub.is_elsewhere(answer, route):
                return await self._read(answer)
            self._found.pop(key, None)
        async with self._alone():
            route = self._found.get(key)
            if route is not None:
                return await self._read(await self._send(route, order, wire))
            return await self._find(key, order, wire)

    async def billing_record(self, token: str, wire: Wire) -> BillingRecord | None:
        """The hub's own record of the call that carried this token; None is no proof that nothing was charged."""
        mount = await self._home(wire)
        for page in range(1, _PAGES_OF_RECORDS + 1):
            record, more = hub.parse_records(await wire.send(hub.build_records(mount, page)), token)
            if record is not None or not more:
                return record
        return None

    async def check(self, wire: Wire) -> AccountFacts:
        """Prove that the key works, and tell what is left."""
        answer = await wire.send(hub.build_quota(await self._home(wire)))
        require_key(answer, self.settings.alias)
        balances = hub.parse_quota(answer)
        return AccountFacts(account=None, balances=balances, left={"create": hub.credits_left(balances)})

    async def _find(self, key: str, order: Order, wire: Wire) -> Submission:
        mount = await self._mount(wire)
        tried: list[str] = []
        for route in self._candidates(order, mount):
            answer = await self._send(route, order, wire)
            if hub.is_elsewhere(answer, route):
                tried.append(route.path)
                continue
            if mount is not None and hub.proves_route(answer):
                self._found[key] = route
                wire.remember(key, str(route))
            return await self._read(answer)
        message = (
            f"none of these paths exists there: {', '.join(dict.fromkeys(tried))}{self._mount_untold}; "
            "set base_url, mount and dialect"
        )
        return Refused(failure=Failure(kind="rejected", message=clean_text(message), provider_code="404"), stops="path")

    def _candidates(self, order: Order, mount: str | None) -> tuple[Route, ...]:
        dialect = self._options.dialect
        if dialect is None:
            dialects = hub.EDITS if order.references else hub.GENERATIONS
        elif order.references:
            dialects = hub.EDITS_OF[dialect]
        else:
            dialects = tuple(known for known in hub.GENERATIONS if known == dialect)
        # A mount that was given is the only one; beside a found one, the root may still serve the documented path.
        return hub.routes(dialects, (mount or "",) if self._options.mount is not None else (mount or "", ""))

    async def _mount(self, wire: Wire) -> str | None:
        """The hub's mount, None where it cannot be asked for now (a kept answer is being read)."""
        if self._mount_found is None:
            call = hub.build_discovery()
            try:
                answer = await wire.send(call)
                self._mount_found = hub.below(self.settings.base_url, hub.parse_discovery(answer))
                if answer.status >= 500:
                    self._mount_untold = f" ({call.path}, which tells where the hub is, answered {answer.status})"
            except BadAnswer:
                self._mount_found = ""
            except NotSent:
                return None
            except Unreachable as error:
                raise NotSent(f"the hub does not tell where it is mounted: {error}") from error
        return self._mount_found

    async def _home(self, wire: Wire) -> str:
        """The mount that everything but creates is asked at: that of the route that answers, else the one told."""
        route = self._known("route", wire) or self._known("edit-route", wire)
        return route.mount if route is not None else await self._mount(wire) or ""

    async def _send(self, route: Route, order: Order, wire: Wire) -> Answer:
        def build(*, base64: bool) -> Call:
            timeout_s = self.capabilities.create_timeout_s
            return hub.build_create(route, order, base64_asked=base64, timeout_s=timeout_s)

        if hub.takes_response_format(route, order) and self._options.overrides.base64 is not False:
            return await images_wire.send_asking_base64(wire, build)
        return await wire.send(build(base64=False))

    @staticmethod
    async def _read(answer: Answer) -> Submission:
        return await images_wire.read_pictures(answer, hub.credits_of, hub.input_credits_of)

    def _known(self, key: str, wire: Wire) -> Route | None:
        if key not in self._found:
            route = hub.parse_route(wire.recall(key))
            wanted = self._options
            fits = route is not None and (
                (wanted.mount is None or route.mount == wanted.mount)
                and (wanted.dialect is None or key != "route" or route.dialect == wanted.dialect)
            )
            if route is None or not fits:
                return None
            self._found[key] = route
        return self._found[key]

    def _alone(self) -> "Lock":
        if self._finding is None:
            # Imported here: `plan` encodes with this module and needs no event loop.
            from asyncio import Lock

            self._finding = Lock()
        return self._finding


def _route_key(order: Order) -> str:
    return "edit-route" if order.references else "route"


def _price_of(model: str, _size: tuple[int, int] | None, _quality: str | None) -> Money | None:
    from imagebatch.providers import prices

    return prices.hub_picture(model)
