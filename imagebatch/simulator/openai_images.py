"""The OpenAI Images API at `/openai/v1`: generations, edits (multipart and JSON), models, errors with all four keys."""

import asyncio
import base64
import binascii
import email.parser
import email.policy
import re
import time
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from imagebatch.simulator import openai_models as models
from imagebatch.simulator.chance import stable_uuid
from imagebatch.simulator.engine import Call, Handler, Simulator
from imagebatch.simulator.instant import REFUSED, Made, Order, fails, make, size_of
from imagebatch.simulator.loose import Loose
from imagebatch.simulator.wire import Refusal, Reply, dump

FACE = "openai"
MOUNT = "/openai/v1"
FORMATS = ("png", "jpeg", "webp")
_KNOWN = {
    "prompt",
    "model",
    "n",
    "size",
    "quality",
    "background",
    "output_format",
    "output_compression",
    "moderation",
    "stream",
    "partial_images",
    "user",
    "safety_identifier",
    "complexity",
    "frame_count",
    "frame_duration_ms",
    "svg",
}
_KNOWN_IN_EDITS = _KNOWN | {"image", "images", "mask", "input_fidelity", "markup"}


def refuse(
    status: int, message: str, *, kind: str = "invalid_request_error", param: str | None = None, code: str | None = None
) -> Refusal:
    """Make OpenAI's error body; all four keys are always there."""
    return Refusal(
        Reply(status=status, json={"error": {"message": message, "type": kind, "param": param, "code": code}})
    )


class OpenAiImages:
    """Handlers of the face."""

    def __init__(self, simulator: Simulator) -> None:
        """Serve from this simulator."""
        self._sim = simulator

    def routes(self) -> list[web.RouteDef]:
        """List the routes below the mount."""
        table: list[tuple[str, str, str, Handler]] = [
            ("POST", "/images/generations", "create", self.generate),
            ("POST", "/images/edits", "create", self.edit),
            ("GET", "/models", "models", self.list_models),
            ("GET", "/models/{id}", "models", self.show_model),
            ("*", "/{rest:.*}", "unknown", self.unknown),
        ]
        return [
            web.route(verb, MOUNT + path, self._sim.endpoint(FACE, op, self._keyed(handler)))
            for verb, path, op, handler in table
        ]

    def _keyed(self, handler: Handler) -> Handler:
        async def keyed(call: Call) -> Reply:
            started = time.monotonic()
            if not call.key or call.key == "bad-key":
                text = "Incorrect API key provided." if call.key else "You didn't provide an API key."
                raise self._told(refuse(401, text, code="invalid_api_key"), call, started)
            try:
                return self._with_headers(await handler(call), call, started)
            except Refusal as refusal:
                raise self._told(refusal, call, started) from refusal

        return keyed

    def _told(self, refusal: Refusal, call: Call, started: float) -> Refusal:
        return Refusal(self._with_headers(refusal.reply, call, started))

    @staticmethod
    def _with_headers(reply: Reply, call: Call, started: float) -> Reply:
        headers = {
            "openai-version": "2020-10-01",
            "openai-processing-ms": str(round((time.monotonic() - started) * 1000)),
        }
        headers["x-request-id"] = f"req_{stable_uuid(id(call), started).replace('-', '')}"
        return Reply(
            status=reply.status,
            json=reply.json,
            body=reply.body,
            media_type=reply.media_type,
            headers={**headers, **reply.headers},
        )

    async def unknown(self, call: Call) -> Reply:
        """Answer a path that does not exist."""
        raise refuse(404, f"Invalid URL ({call.request.method} {call.request.path.removeprefix('/openai')})")

    async def list_models(self, call: Call) -> Reply:
        """List the live image models."""
        del call
        return Reply(json={"object": "list", "data": [_model_row(name) for name in models.MODELS]})

    async def show_model(self, call: Call) -> Reply:
        """Show one model."""
        name = call.request.match_info["id"]
        if name not in models.MODELS:
            raise _no_model(name)
        return Reply(json=_model_row(name))

    async def generate(self, call: Call) -> Reply:
        """Draw pictures from a prompt."""
        return await self._draw(call, _json_body(call), references=(), edits=False)

    async def edit(self, call: Call) -> Reply:
        """Draw pictures from a prompt and input images, sent as multipart or as JSON."""
        if call.request.content_type == "multipart/form-data":
            body, files = _multipart(call)
        else:
            body = _json_body(call)
            files = (
                [_inline_image(item) for item in body.get("images") or ()]
                if isinstance(body.get("images"), list)
                else []
            )
        if not files:
            raise refuse(400, "Missing required parameter: 'image'.", param="image", code="missing_required_parameter")
        if len(files) > 16:
            raise refuse(400, "Too many images: at most 16 are allowed.", param="image", code="invalid_value")
        for number, data in enumerate(files, 1):
            if not data.startswith((b"\x89PNG", b"\xff\xd8\xff", b"RIFF")):
                raise refuse(
                    400,
                    f"Invalid image file or mode for image {number}, please check your image file.",
                    param="image",
                    code="invalid_image_file",
                )
        return await self._draw(
            call, body, references=tuple(self._sim.studio.keep_input(data) for data in files), edits=True
        )

    async def _draw(self, call: Call, body: dict[str, Any], *, references: tuple[str, ...], edits: bool) -> Reply:
        name = self._checked(body, edits=edits)
        if call.key == "no-credit":
            text = "You exceeded your current quota, please check your plan and billing details."
            raise refuse(429, text, kind="insufficient_quota", code="insufficient_quota")
        prompt, asked = str(body["prompt"]), int(body.get("n") or 1)
        if "[blocked]" in prompt:
            raise refuse(400, REFUSED, kind="image_generation_user_error", code="moderation_blocked")
        width, height = size_of(body.get("size"))
        quality = "medium" if body.get("quality") in (None, "auto") else str(body["quality"])
        file_format, compression = str(body.get("output_format") or "png"), body.get("output_compression")
        background = "opaque" if body.get("background") in (None, "auto") else str(body["background"])
        hold = self._sim.profile.job_time.hold.at(self._sim.chances.spread("hold", call.token, prompt))
        await _sleep(hold * (10 if "[slow]" in prompt else 1))
        if fails(self._sim, call, prompt):
            raise refuse(
                400,
                "The image could not be generated.",
                kind="image_generation_user_error",
                code="image_generation_failed",
            )
        order = Order(
            model=name,
            prompt=prompt,
            count=asked,
            width=width,
            height=height,
            format=file_format,
            quality=min(95, int(compression)) if compression is not None else 90,
            transparent=background == "transparent",
            references=references,
            extra=quality,
        )
        usage = _usage(name, prompt, quality, order, len(references))
        details = usage["input_tokens_details"]
        price = models.price_of(
            name, text=details["text_tokens"], image=details["image_tokens"], out=usage["output_tokens"]
        )
        _, made = await make(self._sim, call, order, asked=asked, amount=price, currency="USD", lifetime_s=None)
        told = {
            "background": background,
            "output_format": file_format,
            "quality": quality,
            "size": f"{width}x{height}",
            "usage": usage,
        }
        if _true(body.get("stream")):
            return _events(
                made, told, "image_edit" if edits else "image_generation", int(body.get("partial_images") or 0)
            )
        return Reply(json={"created": int(time.time()), "data": [{"b64_json": _text(m)} for m in made], **told})

    def _checked(self, body: Mapping[str, Any], *, edits: bool) -> str:
        """Refuse what the API refuses, in its words; give the model's name."""
        name = body.get("model")
        if not isinstance(name, str) or not name:
            name = "gpt-image-1.5" if edits else "dall-e-2"
        if name in models.RETIRED or name not in models.MODELS:
            raise _no_model(name)
        prompt = body.get("prompt")
        if not isinstance(prompt, str) or not prompt:
            raise refuse(
                400, "Missing required parameter: 'prompt'.", param="prompt", code="missing_required_parameter"
            )
        if len(prompt) > 32_000:
            raise refuse(
                400,
                "Invalid 'prompt': string too long. Expected a string with maximum length 32000.",
                param="prompt",
                code="string_above_max_length",
            )
        for key in body:
            if key.removesuffix("[]") not in (_KNOWN_IN_EDITS if edits else _KNOWN):
                raise refuse(400, f"Unknown parameter: '{key}'.", param=str(key), code="unknown_parameter")
        _check_values(models.MODELS[name], body)
        return name


def _check_values(model: models.Model, body: Mapping[str, Any]) -> None:
    count = body.get("n")
    if count is not None and (
        isinstance(count, bool) or not re.fullmatch(r"\d{1,3}", str(count)) or not 1 <= int(count) <= 10
    ):
        raise refuse(400, "Invalid 'n': expected an integer between 1 and 10.", param="n", code="invalid_value")
    if wrong := models.size_problem(model, str(body.get("size") or "auto")):
        raise refuse(400, wrong, param="size", code="invalid_value")
    choices = {
        "quality": model.qualities,
        "background": ("transparent", "opaque", "auto"),
        "output_format": FORMATS,
        "moderation": ("low", "auto"),
        "input_fidelity": model.fidelities,
    }
    for field, values in choices.items():
        if body.get(field) is not None and body[field] not in values:
            known = ", ".join(f"'{value}'" for value in values) or "none for this model"
            raise refuse(
                400,
                f"Invalid value: '{body[field]}'. Supported values are: {known}.",
                param=field,
                code="invalid_value",
            )
    if body.get("background") == "transparent" and body.get("output_format") == "jpeg":
        raise refuse(
            400,
            "Transparent background is not supported for JPEG output format.",
            param="background",
            code="invalid_value",
        )
    compression = body.get("output_compression")
    if compression is not None and (not re.fullmatch(r"\d{1,3}", str(compression)) or int(compression) > 100):
        raise refuse(
            400,
            "Invalid 'output_compression': expected an integer between 0 and 100.",
            param="output_compression",
            code="invalid_value",
        )


def _no_model(name: str) -> Refusal:
    return refuse(
        404,
        f"The model '{name}' does not exist or you do not have access to it.",
        param="model",
        code="model_not_found",
    )


def _model_row(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 1_776_729_600, "owned_by": "system"}


def _json_body(call: Call) -> dict[str, Any]:
    if call.bad_json or not isinstance(call.body, Mapping):
        raise refuse(400, "We could not parse the JSON body of your request.")
    return dict(call.body)


def _multipart(call: Call) -> tuple[dict[str, Any], list[bytes]]:
    """Read a multipart body: text fields, and the input images in their order; the mask is taken and not used."""
    head = f"Content-Type: {call.request.headers['Content-Type']}\r\n\r\n".encode()
    message = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(head + call.raw)
    body: dict[str, Any] = {}
    files: list[bytes] = []
    for part in message.iter_parts():
        name = str(part.get_param("name", header="content-disposition"))
        data = part.get_payload(decode=True)
        content = data if isinstance(data, bytes) else b""
        if name.removesuffix("[]") == "image":
            files.append(content)
        elif name != "mask":
            body[name] = content.decode("utf-8", "replace")
    call.body = body
    return body, files


def _inline_image(item: Loose) -> bytes:
    address = item.get("image_url") if isinstance(item, Mapping) else None
    if isinstance(address, str) and address.startswith("data:") and len(address) <= 20_971_520:
        try:
            return base64.b64decode(address.partition(",")[2], validate=True)
        except binascii.Error:
            return b""
    return b""


def _usage(name: str, prompt: str, quality: str, order: Order, inputs: int) -> dict[str, Any]:
    text, image = max(1, len(prompt) // 4), 323 * inputs
    out = order.count * models.output_tokens(name, quality, order.width, order.height)
    return {
        "input_tokens": text + image,
        "output_tokens": out,
        "total_tokens": text + image + out,
        "input_tokens_details": {"text_tokens": text, "image_tokens": image},
        "output_tokens_details": {"image_tokens": out, "text_tokens": 0},
    }


def _text(made: Made) -> str:
    return base64.b64encode(made.data).decode()


def _events(made: list[Made], told: dict[str, Any], name: str, partial: int) -> Reply:
    """Write the answer as server-sent events: partial images, then the completed one."""
    lines: list[bytes] = []
    common = {key: told[key] for key in ("background", "output_format", "quality", "size")} | {
        "created_at": int(time.time())
    }
    for picture in made:
        events: list[dict[str, Any]] = [
            {"type": f"{name}.partial_image", "b64_json": _text(picture), "partial_image_index": index, **common}
            for index in range(min(partial, 3))
        ]
        events.append({"type": f"{name}.completed", "b64_json": _text(picture), "usage": told["usage"], **common})
        lines += [b"event: " + event["type"].encode() + b"\ndata: " + dump(event) + b"\n\n" for event in events]
    return Reply(body=b"".join(lines), media_type="text/event-stream; charset=utf-8")


def _true(value: Loose) -> bool:
    return value is True or value == "true"


async def _sleep(seconds: float) -> None:
    if seconds > 0:
        await asyncio.sleep(seconds)
