"""The OpenAI Images API, and servers that speak it: generations, and edits where reference images go along.

OpenAI answers at once, in the one blocking call, and keeps no record that could be asked for by our token: a lost
answer stays in doubt. LocalAI, stable-diffusion.cpp, Ollama and others are reached by `base_url`, without a key where
they want none.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import ClassVar
from urllib.parse import urlsplit

from imagebatch.model.canonical import Json
from imagebatch.model.capabilities import Capabilities, Encoded, ParamProblem
from imagebatch.model.money import Money
from imagebatch.model.settings import SIMULATOR_BASE, ProviderSettings
from imagebatch.model.wire import Call, FormFile, Wire
from imagebatch.providers import image_models, images_params, images_wire
from imagebatch.providers.answers import read_json, require_key
from imagebatch.providers.base import AccountFacts, Order, ReferenceImage, Refused, Submission
from imagebatch.providers.options import read_options
from imagebatch.providers.params import number_text

PUBLIC_HOST = "api.openai.com"
_HEADERS = {"accept": "application/json"}


class OpenAI:
    """An adapter over generations and edits; at the public host known limits are errors, elsewhere warnings."""

    declared: ClassVar[Capabilities] = Capabilities(
        type="openai",
        answers="now",
        witness="none",
        can_check=True,
        max_prompt=32_000,
        public_base=f"https://{PUBLIC_HOST}/v1",
        key_variable="OPENAI_API_KEY",
        any_public_host=True,
        strict_params=True,
        create_timeout_s=600.0,
    )

    def __init__(self, settings: ProviderSettings) -> None:
        self.settings = settings
        options = read_options(settings, ("extra_body", "capabilities"))
        self._public = public = is_public(settings.base_url)
        told = options.overrides
        self.capabilities = replace(
            self.declared,
            strict_params=public,
            key_optional=not public,
            max_prompt=told.max_prompt or (self.declared.max_prompt if public else None),
            # Servers at home draw on a CPU: minutes for one picture are usual.
            create_timeout_s=self.declared.create_timeout_s if public else 1800.0,
        )
        self._asks_base64 = not public if told.base64 is None else told.base64
        self._rules = images_params.Rules(
            strict=public,
            honours_n=public if told.n is None else told.n,
            edits=told.edits is not False,
            extra_body=options.extra_body,
            price=settings.price.get("create"),
            price_of=_price_of if public else images_params.no_price,
            max_prompt=told.max_prompt,
        )

    def encode(self, params: Mapping[str, Json], references: int) -> Encoded:
        """Put a manifest's params in wire form."""
        return images_params.encode(params, references, self._rules)

    def check_prompt(self, prompt: str, encoded: Encoded) -> Sequence[ParamProblem]:
        """What is wrong with a rendered prompt."""
        return images_params.check_prompt(prompt, encoded, self._rules)

    async def submit(self, order: Order, wire: Wire) -> Submission:
        """Send one create: an edit where reference images go along, else a generation."""
        timeout_s = self.capabilities.create_timeout_s
        model = str(order.body.get("model", ""))

        def build(*, base64: bool) -> Call:
            if order.references:
                return build_edit(order, base64=base64, timeout_s=timeout_s)
            return build_generation(order, base64=base64, timeout_s=timeout_s)

        if self._asks_base64:
            answer = await images_wire.send_asking_base64(wire, build)
        else:
            answer = await wire.send(build(base64=False))
        found = await images_wire.read_pictures(
            answer,
            lambda value: usage_cost(model, value) if self._public else None,
            lambda value: usage_cost(model, value, pictures=False) if self._public else None,
        )
        return found if self._public or not order.references else without_edits(found)

    async def check(self, wire: Wire) -> AccountFacts:
        """Prove that the key works by listing models; balances are not told by this API."""
        call = Call(kind="read", operation="check", method="GET", path="/models", headers=_HEADERS, timeout_s=30.0)
        answer = await wire.send(call)
        require_key(answer, self.settings.alias)
        read_json(answer, "the list of models")
        return AccountFacts(account=None)


def without_edits(found: Submission) -> Submission:
    """An edit's answer from a compatible server: many serve no path for edits, and draw all the same."""
    if not isinstance(found, Refused) or found.stops != "path":
        return found
    message = f"this server has no path for edits, so it takes no references; {found.failure.message}"
    return replace(found, stops=None, failure=replace(found.failure, message=message))


def is_public(base_url: str | None) -> bool:
    """Whether an address is OpenAI's own (or stands for it): there known limits are errors."""
    if base_url is None or base_url == SIMULATOR_BASE:
        return True
    try:
        return urlsplit(base_url).hostname == PUBLIC_HOST
    except ValueError:
        return False


def build_generation(order: Order, *, base64: bool, timeout_s: float) -> Call:
    """`POST /images/generations`; GPT image models refuse `response_format` and answer base64 anyway."""
    fields = images_wire.request_fields(order)
    if base64:
        fields["response_format"] = "b64_json"
    return Call(
        kind="create", operation="create", method="POST", path="/images/generations", json=fields,
        headers={**_HEADERS, "x-request-id": order.token}, limit_bytes=images_wire.ANSWER_LIMIT, timeout_s=timeout_s,
    )  # fmt: skip


def build_edit(order: Order, *, base64: bool, timeout_s: float) -> Call:
    """`POST /images/edits` as a multipart form: the fields as text, the images as parts named `image[]`."""
    fields = images_wire.request_fields(order)
    if base64:
        fields["response_format"] = "b64_json"
    return Call(
        kind="create", operation="create", method="POST", path="/images/edits",
        form={name: form_text(value) for name, value in fields.items()},
        files=tuple(form_file(reference) for reference in order.references),
        headers={**_HEADERS, "x-request-id": order.token}, limit_bytes=images_wire.ANSWER_LIMIT, timeout_s=timeout_s,
    )  # fmt: skip


def form_text(value: Json) -> str:
    """A field's value as a form carries it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return number_text(value)
    if isinstance(value, str):
        return value
    from json import dumps

    return dumps(value, separators=(",", ":"), ensure_ascii=False)


def form_file(reference: ReferenceImage) -> FormFile:
    """A reference image as a form's part."""
    return FormFile(
        field="image[]", filename=reference.filename, media_type=reference.media_type, content=reference.content
    )


def usage_cost(model: str, value: Mapping[str, Json], *, pictures: bool = True) -> Money | None:
    """What an answer's own token counts cost in US dollars; None where it tells none or the model has no price.

    Without `pictures` only what went in: of prompt and references a plan's price says nothing.
    """
    usage = value.get("usage")
    if not isinstance(usage, Mapping):
        return None
    details = usage.get("input_tokens_details")
    inner = details if isinstance(details, Mapping) else {}
    counts = (
        inner.get("text_tokens", usage.get("input_tokens")),
        inner.get("image_tokens", 0),
        usage.get("output_tokens"),
    )
    if any(isinstance(count, bool) or not isinstance(count, int) or not 0 <= count < 10**9 for count in counts):
        return None
    from imagebatch.providers import prices

    text_in, image_in, out = (count for count in counts if isinstance(count, int))
    return prices.openai_usage(
        image_models.base_name(model), prices.Usage(text_in=text_in, image_in=image_in, out=out if pictures else 0)
    )


def _price_of(model: str, size: tuple[int, int] | None, quality: str | None) -> Money | None:
    from imagebatch.providers import prices

    return prices.openai_picture(model, size, quality)
