"""The AIGNE Hub face at `/aigne-hub`: the documented path, the paths of real servers, and their errors."""

import asyncio
import base64
import binascii
import re
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from html import escape
from typing import Any

from aiohttp import web

from imagebatch.simulator import hub_models as models
from imagebatch.simulator.chance import stable_uuid
from imagebatch.simulator.engine import Call, Handler, Simulator
from imagebatch.simulator.instant import REFUSED, Made, Order, fails, fetch, make, size_of
from imagebatch.simulator.loose import Loose
from imagebatch.simulator.wire import Refusal, Reply, dump

FACE = "aigne-hub"
MOUNT = "/aigne-hub"
_LARGEST_BODY = 30 * 1024 * 1024
COMPONENT = "z8ia3xzq2tMq8CRHfaXj1BTYJyYnEcHbqP8cJ"
PAYMENT_LINK = "https://payment.simulator.invalid/checkout"
_HEADERS = {"X-Powered-By": "Express", "Access-Control-Allow-Origin": "*"}
_SEED, _HUB, _WORKER, _NATIVE = "seed", "hub", "worker", "native"
# The worker passes every field on; OpenAI refuses those that it does not know.
_OPENAI_FIELDS = frozenset({
    "prompt", "model", "n", "size", "quality", "style", "background", "output_format", "output_compression",
    "moderation", "stream", "partial_images", "user", "safety_identifier",
})  # fmt: skip


def say(status: int, text: str) -> Refusal:
    """Make an error with a string under `error`, the hub's commonest shape."""
    return Refusal(Reply(status=status, json={"error": text}, headers=_HEADERS))


def say_object(status: int, text: str, **more: Loose) -> Refusal:
    """Make an error with an object under `error`."""
    return Refusal(Reply(status=status, json={"error": {"message": text, **more}}, headers=_HEADERS))


class Hub:
    """Handlers of the face, at `/aigne-hub`, below its own mount there, and at the origin's mount."""

    def __init__(self, simulator: Simulator) -> None:
        """Serve from this simulator."""
        self._sim = simulator

    def routes(self) -> list[web.RouteDef]:
        """List the routes; the mount `/ai-kit` is what discovery tells below the hub's root."""
        routes: list[web.RouteDef] = []
        plain: list[tuple[str, str, str, Callable[[Call], Awaitable[Reply]]]] = [
            ("POST", "/api/images/generations", "create", self._paid(_SEED)),
            ("POST", "/api/v2/image/generations", "create", self._paid(_HUB)),
            ("POST", "/api/v2/images/generations", "create", self._paid(_WORKER)),
            ("POST", "/api/v2/image", "create", self._paid(_NATIVE)),
            ("POST", "/api/v1/image/generations", "legacy", self.legacy),
            ("GET", "/api/ai/models", "models", self.list_models),
            ("GET", "/api/ai-providers/models", "models", self.list_models),
            ("GET", "/api/ai-providers/model-rates", "rates", self.rates),
            ("GET", "/api/user/model-calls", "model_calls", self.model_calls),
            ("GET", "/api/user/credit/balance", "balance", self.balance),
            ("GET", "/api/user/info", "info", self.info),
            ("GET", "/api/usage/quota", "quota", self.quota),
            ("GET", "/api/v2/status", "status", self.status),
        ]
        for mount in (f"{MOUNT}/ai-kit", MOUNT, "/ai-kit"):
            routes += [
                web.route(verb, mount + path, self._sim.endpoint(FACE, op, handler))
                for verb, path, op, handler in plain
            ]
            routes.append(
                web.get(mount + "/image-bin/uploads/{id}.{ext}", self._sim.endpoint(FACE, "download", self.picture))
            )
            routes.append(
                web.get(mount + "/generated-images/{id}.{ext}", self._sim.endpoint(FACE, "download", self.picture))
            )
        routes.append(web.get("/__blocklet__.js", self._sim.endpoint(FACE, "discovery", self._discovery(MOUNT))))
        routes.append(
            web.get(MOUNT + "/__blocklet__.js", self._sim.endpoint(FACE, "discovery", self._discovery("/ai-kit")))
        )
        routes.append(web.route("*", MOUNT + "/{rest:.*}", self._sim.endpoint(FACE, "unknown", self.unknown)))
        routes.append(web.route("*", "/ai-kit/{rest:.*}", self._sim.endpoint(FACE, "unknown", self.unknown)))
        return routes

    @staticmethod
    def _discovery(mount: str) -> Handler:
        async def discover(call: Call) -> Reply:
            """Tell where the hub is mounted."""
            component = {
                "did": COMPONENT,
                "name": "ai-kit",
                "title": "AIGNE Hub",
                "mountPoint": mount,
                "version": "0.9.13",
                "status": "running",
            }
            told = {
                "appName": "Simulated hub",
                "appUrl": str(call.request.url.origin()),
                "prefix": "/",
                "componentMountPoints": [component],
            }
            if call.request.query.get("type") == "json":
                return Reply(json=told)
            return Reply(body=b"window.blocklet = " + dump(told) + b";", media_type="application/javascript")

        return discover

    async def unknown(self, call: Call) -> Reply:
        """Answer unknown paths as Express does: a 404 page for a POST, the web app with 200 for a GET."""
        path = call.request.path
        if self._sim.profile.rules.dialect == _WORKER and "/api/" in path:
            raise Refusal(Reply(status=404, json={"error": "Not Found"}))
        if call.request.method in ("GET", "HEAD"):
            page = b"<!doctype html><html><head><title>AIGNE Hub</title></head><body><div id=app></div></body></html>"
            return Reply(body=page, media_type="text/html; charset=utf-8", headers=_HEADERS)
        page = (
            '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>Error</title>\n</head>\n<body>\n'
            f"<pre>Cannot {call.request.method} {escape(path)}</pre>\n</body>\n</html>\n"
        ).encode()
        headers = {**_HEADERS, "Content-Security-Policy": "default-src 'none'", "X-Content-Type-Options": "nosniff"}
        raise Refusal(Reply(status=404, body=page, media_type="text/html; charset=utf-8", headers=headers))

    def _paid(self, shape: str) -> Handler:
        """Wrap a create: does this dialect have the path, is there a key, does the answer go out as an event stream."""
        served = {
            _SEED: (_SEED,),
            _HUB: (_HUB, _NATIVE),
            _WORKER: (_HUB, _WORKER, _NATIVE),
            "any": (_SEED, _HUB, _WORKER, _NATIVE),
        }

        async def create(call: Call) -> Reply:
            dialect = self._sim.profile.rules.dialect
            if dialect != _WORKER and len(call.raw) > _LARGEST_BODY:
                raise say_object(413, "request entity too large")
            if shape not in served.get(dialect, served["any"]):
                return await self.unknown(call)
            spoken = _WORKER if dialect == _WORKER and shape == _HUB else shape
            try:
                self._signed_in(call, worker=spoken == _WORKER)
                return await (self.native(call) if shape == _NATIVE else self.compat(call, spoken))
            except Refusal as refusal:
                if "text/event-stream" in call.request.headers.get("Accept", "") and dialect != _WORKER:
                    line = b"data: " + dump(refusal.reply.json) + b"\n\n"
                    raise Refusal(
                        Reply(status=200, body=line, media_type="text/event-stream", headers=_HEADERS)
                    ) from refusal
                raise

        return create

    def _signed_in(self, call: Call, *, worker: bool = False) -> None:
        if not call.key and isinstance(call.body, Mapping) and isinstance(call.body.get("access_token"), str):
            call.key = call.body["access_token"]
        if not call.key or call.key == "bad-key":
            raise say(401, "Authentication required" if worker else "User not authenticated")

    async def legacy(self, call: Call) -> Reply:
        """Refuse plain keys on the route for signed component calls."""
        raise Refusal(Reply(status=401, json={"code": "forbidden", "error": "not authorized"}, headers=_HEADERS))

    def _solvent(self, call: Call) -> None:
        if self._balance(call) <= 0:
            message = f"Not enough credits, please recharge: {PAYMENT_LINK}"
            raise say_object(402, message, timestamp=_now(), type="NOT_ENOUGH", link=PAYMENT_LINK)

    def _balance(self, call: Call) -> float:
        return (
            0.0
            if call.key == "no-credit"
            else self._sim.profile.rules.hub_credits - self._sim.state.spent(call.account, "credit")
        )

    def _model(self, written: Loose, *, native: bool = False) -> tuple[str, str, Decimal]:
        """Resolve a model to provider, bare name and price of one image, with the errors of the real resolver."""
        if written is not None and not isinstance(written, str):
            raise say_object(500, "modelName.match is not a function")
        asked = written or "openai/dall-e-2"
        provider, name = models.resolve(asked)
        if not provider:
            raise say(400, f'No available provider found for model "{asked}". Please use provider/model format')
        if provider not in models.WITH_IMAGES:
            if provider in ("openrouter", "poe", "xai"):  # configured here, and without a class for images
                if native:
                    raise say(400, f"Image model provider {provider} not found")
                raise say(404, f"provider {provider} model {name} not found")
            raise say(503, f"Provider '{provider}' is not available or not configured")
        rate = models.RATES.get(f"{provider}/{name}")
        if rate is None:
            raise say(400, f"Unsupported model {provider}/{name}")
        if self._sim.profile.rules.retired_models == "all" and name in models.RETIRED:
            raise say(404, f"404 The model '{name}' has been deprecated")
        return provider, name, Decimal(rate)

    async def compat(self, call: Call, shape: str) -> Reply:
        """Answer the OpenAI-like paths: documented shape, the hub's with six copies of the base64, or the worker's."""
        body = self._compat_body(call, worker=shape == _WORKER)
        provider, name, rate = self._model(body.get("model"))
        if shape != _WORKER:
            self._solvent(call)
            _validate(body)
        if shape == _HUB and provider == "google" and _response_format(body) == "url":
            raise say_object(500, "Gemini image models currently only support base64 format")
        asked = int(body.get("n") or 1)
        count = self._delivered(name, asked)
        width, height = size_of(body.get("size"))
        references = await self._given(body.get("image"), provider, name, shape)
        file_format = str(body.get("output_format") or "png") if name.startswith("gpt-image") else "png"
        order = Order(
            model=f"{provider}/{name}",
            prompt=str(body["prompt"]),
            count=count,
            width=width,
            height=height,
            format=file_format if file_format in ("png", "jpeg", "webp") else "png",
            transparent=body.get("background") == "transparent",
            references=references,
            extra=f"{body.get('quality')}{body.get('style')}",
        )
        made = await self._made(call, order, asked=asked, price=asked * rate, shape=shape)
        if shape == _SEED:
            as_text = _response_format(body) == "b64_json"
            return Reply(
                json={
                    "created": int(time.time()),
                    "data": [_b64(m) if as_text else {"url": self._url(m, "generated-images")} for m in made],
                },
                headers=_HEADERS,
            )
        if shape == _WORKER:
            by_url = body.get("response_format") == "url" or (
                name.startswith("dall-e") and body.get("response_format") != "b64_json"
            )
            data = [{"url": self._url(m, "generated-images")} if by_url else _b64(m) for m in made]
            return Reply(json={"created": int(time.time()), "data": data, "usage": _tokens(order)})
        entries = [self._hub_entry(m, body.get("outputFileType"), name) for m in made]
        told_credits = None if self._sim.profile.rules.null_credits else float(asked * rate)
        told = {
            "images": entries,
            "data": entries,
            "model": name,
            "usage": {"aigneHubCredits": told_credits, "creditPrefix": "$"},
        }
        return Reply(json=told, headers=_HEADERS)

    @staticmethod
    def _compat_body(call: Call, *, worker: bool) -> dict[str, Any]:
        if call.bad_json:
            raise say(500, call.bad_json) if worker else say_object(400, call.bad_json)
        body = dict(call.body) if isinstance(call.body, Mapping) else {}
        if worker and not (body.get("model") and body.get("prompt")):
            raise say_object(400, "model and prompt are required")
        known = _OPENAI_FIELDS | ({"response_format"} if "dall-e" in str(body.get("model")) else set())
        strange = str(body.get("model")).startswith("openai/") and not known >= set(body)
        if worker and (strange or not _taken_upstream(body)):
            raise say_object(400, "Provider error: 400")
        return body

    def _delivered(self, name: str, asked: int) -> int:
        """Tell how many pictures a model gives: `gpt-image-1` gives one whatever is asked and paid."""
        honoured = self._sim.profile.rules.n_honoured
        if honoured == "never" or (honoured == "by-model" and name == "gpt-image-1"):
            return 1
        return min(max(asked, 1), 10)

    async def _given(self, image: Loose, provider: str, name: str, shape: str) -> tuple[str, ...]:
        """Read input images; the real compat route never can, the documented one says it does."""
        if image is None:
            return ()
        items = image if isinstance(image, list) else [image]
        if shape == _HUB:
            if any(not isinstance(item, str) for item in items):
                raise say(400, '"image[0]" must be a string')
            raise say_object(500, f"{provider}/{name}: image: Expected array, received string")
        if shape == _WORKER:
            raise say_object(400, "Provider error: 400")
        return tuple([await self._input(item) for item in items])

    async def _input(self, item: Loose) -> str:
        """Take one input image: a data URL, base64, or an address of this simulator."""
        text = item if isinstance(item, str) else ""
        if text.startswith(self._sim.origin + "/"):
            found = await fetch(self._sim, re.sub(r"\.\w+$", "", text.rsplit("/", 1)[-1]))
            if found:
                return self._sim.studio.keep_input(found[0])
        try:
            data = base64.b64decode(text.partition(",")[2] if text.startswith("data:") else text, validate=True)
        except (binascii.Error, ValueError):
            data = b""
        if not data.startswith((b"\x89PNG", b"\xff\xd8", b"RIFF")):
            raise say(400, "400 Invalid image file or mode for image 1, please check your image file.")
        return self._sim.studio.keep_input(data)

    async def _made(self, call: Call, order: Order, *, asked: int, price: Decimal, shape: str) -> list[Made]:
        """Refuse, hold, draw and bill, beside the hub's own record of the call."""
        if "[blocked]" in order.prompt:
            raise say_object(400, "Provider error: 400") if shape == _WORKER else say(400, f"400 {REFUSED}")
        settings, now = self._sim.profile, time.time()
        request_id = call.request.headers.get("X-Request-ID", "")
        row: dict[str, Any] = {
            "requestId": request_id,
            "providerId": stable_uuid("provider", order.model),
            "model": order.model.partition("/")[2],
        }
        row |= {
            "type": "imageGeneration",
            "status": "processing",
            "credits": 0,
            "callTime": int(now),
            "totalUsage": 0,
            "errorReason": None,
        }
        recorded = (
            self._sim.chances.spread("model-call", request_id, now if not request_id else "") >= settings.ledger.missing
        )
        seq = self._sim.state.start_call(call.account, float("inf"), row) if recorded else 0
        held = settings.job_time.hold.at(self._sim.chances.spread("hold", call.token, order.prompt))
        await self._sim_sleep(held * (10 if "[slow]" in order.prompt else 1))
        shows_at = time.time() + settings.ledger.processing.at(self._sim.chances.spread("processing", request_id))
        if fails(self._sim, call, order.prompt):
            self._finish(
                seq, shows_at, {**row, "status": "failed", "errorReason": "400 The image could not be generated."}
            )
            raise (
                say_object(400, "Provider error: 400")
                if shape == _WORKER
                else say(400, "400 The image could not be generated.")
            )
        _, made = await make(
            self._sim,
            call,
            order,
            asked=asked,
            amount=_plain(price),
            currency="credit",
            lifetime_s=self._lifetime(shape),
        )
        self._finish(
            seq,
            shows_at,
            {
                **row,
                "status": "success",
                "credits": float(price),
                "totalUsage": asked,
                "duration": round(time.time() - now, 3),
            },
        )
        return made

    def _finish(self, seq: int, shows_at: float, row: Mapping[str, Any]) -> None:
        if seq:
            self._sim.state.finish_call(seq, shows_at, row)

    @staticmethod
    async def _sim_sleep(seconds: float) -> None:
        if seconds > 0:
            await asyncio.sleep(seconds)

    def _lifetime(self, shape: str) -> float | None:
        return None if shape == _NATIVE else float(self._sim.profile.images.lifetime)

    def _url(self, made: Made, folder: str) -> str:
        return f"{self._sim.origin}{MOUNT}/{folder}/{made.id}.{made.extension}"

    def _hub_entry(self, made: Made, kind: Loose, name: str) -> dict[str, Any]:
        """Make one entry: three names for one base64 text; a URL of DALL-E where asked; nothing for `local`."""
        if kind == "local":
            return {}
        if kind == "url" and name.startswith("dall-e"):
            return {"url": self._url(made, "generated-images")}
        text = base64.b64encode(made.data).decode()
        return {"base64": text, "b64_json": text, "b64Json": text}

    async def native(self, call: Call) -> Reply:
        """Answer the native path that the official client speaks; input images make it an edit."""
        if call.bad_json:
            raise say_object(400, call.bad_json)
        body = call.body if isinstance(call.body, Mapping) else {}
        wanted = body.get("input")
        if not isinstance(wanted, Mapping) or not isinstance(wanted.get("prompt"), str) or not wanted["prompt"]:
            raise say_object(500, "ImageModel check agent input arguments error: prompt: Required")
        options = wanted.get("modelOptions")
        written = (
            (options.get("model") if isinstance(options, Mapping) else None) or wanted.get("model") or body.get("model")
        )
        if self._sim.profile.rules.dialect == _WORKER and body.get("agent"):
            written = body["agent"]  # the worker takes the agent for the model
            if not models.resolve(str(written))[0]:
                raise say_object(404, f"Model {written} not found")
        provider, name, rate = self._model(written, native=True)
        self._solvent(call)
        asked = wanted.get("n") or 1
        if isinstance(asked, bool) or not isinstance(asked, int) or asked < 1:
            raise say_object(500, "ImageModel check agent input arguments error: n: Expected number, received string")
        given = wanted.get("image") or []
        if given and name not in models.EDITABLE:
            raise say_object(500, f"Model {name} does not support image editing")
        references = tuple([await self._file(item) for item in (given if isinstance(given, list) else [given])])
        merged = {**wanted, **(options if isinstance(options, Mapping) else {})}
        width, height = size_of(merged.get("size"))
        file_format = str(merged.get("output_format") or merged.get("outputFormat") or "png")
        count = self._delivered(name, asked)
        order = Order(
            model=f"{provider}/{name}",
            prompt=wanted["prompt"],
            count=count,
            width=width,
            height=height,
            references=references,
            format=file_format if file_format in ("png", "jpeg", "webp") else "png",
            transparent=merged.get("background") == "transparent",
        )
        tokens = max(1, len(order.prompt) // 4)
        price = count * rate + tokens * Decimal(models.INPUT_RATE)
        made = await self._made(call, order, asked=asked, price=price, shape=_NATIVE)
        images = [self._native_entry(m, wanted.get("outputFileType")) for m in made]
        told_credits = None if self._sim.profile.rules.null_credits else float(price)
        usage = {
            "inputTokens": tokens,
            "outputTokens": 272 * count,
            "aigneHubCredits": told_credits,
            "creditPrefix": "$",
        }
        return Reply(
            json={"images": images, "usage": usage, "model": name, "modelWithProvider": order.model}, headers=_HEADERS
        )

    async def _file(self, item: Loose) -> str:
        kind = item.get("type") if isinstance(item, Mapping) else None
        if kind not in ("file", "url"):
            raise say_object(
                500,
                "ImageModel check agent input arguments error: image: Invalid discriminator value."
                " Expected 'local' | 'url' | 'file'",
            )
        return await self._input(item.get("data") if kind == "file" else item.get("url"))

    def _native_entry(self, made: Made, kind: Loose) -> dict[str, Any]:
        filename = f"{made.id}.{made.extension}"
        if kind == "file":
            return {
                "type": "file",
                "data": base64.b64encode(made.data).decode(),
                "mimeType": made.media_type,
                "filename": filename,
            }
        return {
            "type": "url",
            "url": self._url(made, "image-bin/uploads"),
            "mimeType": made.media_type,
            "filename": filename,
        }

    async def picture(self, call: Call) -> Reply:
        """Give the bytes of a picture by its address, while that lives."""
        found = await fetch(self._sim, call.request.match_info["id"])
        if found is None:
            raise Refusal(
                Reply(status=404, body=b"<html><body>Not Found</body></html>", media_type="text/html; charset=utf-8")
            )
        return Reply(body=found[0], media_type=found[1])

    async def list_models(self, call: Call) -> Reply:
        """List models and prices, to anyone; in the worker's dialect grouped."""
        rows = (
            models.listed()
            if call.request.query.get("type", "image") in ("image", "image_generation", "imageGeneration")
            else []
        )
        if self._sim.profile.rules.dialect == _WORKER:
            grouped = [
                {
                    "model": r["model"],
                    "modelDisplay": r["model"],
                    "description": "",
                    "providers": [r["provider"]],
                    "rates": [{"inputRate": r["input_credits_per_token"], "outputRate": r["output_credits_per_token"]}],
                }
                for r in rows
            ]
            return Reply(json=grouped)
        return Reply(json=rows, headers=_HEADERS)

    async def rates(self, call: Call) -> Reply:
        """List the rates, paged."""
        self._signed_in(call)
        rows = [
            {
                "model": r["model"],
                "providerId": r["providerId"],
                "type": "imageGeneration",
                "inputRate": r["input_credits_per_token"],
                "outputRate": r["output_credits_per_token"],
                "modelMetadata": r["modelMetadata"],
            }
            for r in models.listed()
        ]
        return _paged(call, rows, size=20)

    async def model_calls(self, call: Call) -> Reply:
        """List the caller's own model calls, newest first, at most 100 a page."""
        self._signed_in(call)
        query, now = call.request.query, time.time()
        start, end = _number(call, "startTime", 0), _number(call, "endTime", 2**53)
        rows = []
        for seq, at, settles_at, body in self._sim.state.calls(call.account):
            row = {
                "id": stable_uuid("call", seq, at),
                **body,
                "createdAt": _now(at),
                "updatedAt": _now(min(settles_at, now)),
            }
            if now < settles_at:
                late = now - at > 1800
                row |= {"status": "failed" if late else "processing", "credits": 0}
            wanted = query.get("status", "") in ("", "all", row["status"]) and query.get("model", "") in (
                "",
                row["model"],
            )
            if wanted and start <= at <= (end / 1000 if end > 10**11 else end) + 1:
                rows.append(row)
        return _paged(call, rows, size=100)

    async def balance(self, call: Call) -> Reply:
        """Give the balance in raw units of 10 decimals."""
        self._signed_in(call)
        unit, total = 10**10, self._sim.profile.rules.hub_credits
        currency = {"id": "currency", "name": "AIGNE Hub Credits", "symbol": "AHC", "decimal": 10}
        told = {
            "balance": str(int(self._balance(call) * unit)),
            "total": str(total * unit),
            "currency": currency,
            "grantCount": 1,
            "pendingCredit": "0",
        }
        return Reply(json=told, headers=_HEADERS)

    async def info(self, call: Call) -> Reply:
        """Tell who the caller is and what is left."""
        self._signed_in(call)
        user = {"did": f"z1{call.account}", "fullName": "Simulated user", "email": "user@simulator.invalid"}
        told_credits = {
            "balance": str(self._balance(call)),
            "total": str(self._sim.profile.rules.hub_credits),
            "grantCount": 1,
            "pendingCredit": "0",
        }
        return Reply(
            json={
                "user": user,
                "creditBalance": told_credits,
                "paymentLink": PAYMENT_LINK,
                "enableCredit": True,
                "creditPrefix": "$",
            },
            headers=_HEADERS,
        )

    async def quota(self, call: Call) -> Reply:
        """Give the balance in plain numbers."""
        self._signed_in(call)
        total, left = self._sim.profile.rules.hub_credits, self._balance(call)
        return Reply(
            json={
                "total": total,
                "remaining": left,
                "used": total - left if left else total,
                "pendingCredit": 0,
                "estimatedDaysRemaining": None,
                "dailyAvgCredits": 0,
            }
        )

    async def status(self, call: Call) -> Reply:
        """Tell whether a model can be used; always with HTTP 200."""
        if self._sim.profile.rules.dialect == _WORKER:
            return Reply(json={"status": "ok", "creditBasedBilling": True})
        try:
            self._signed_in(call)
            self._model(call.request.query.get("model"))
            self._solvent(call)
        except Refusal as refusal:
            error = refusal.reply.json["error"]
            more = {"link": error["link"], "type": error["type"]} if isinstance(error, dict) and "link" in error else {}
            text = error["message"] if isinstance(error, dict) else error
            return Reply(
                json={"available": False, "error": text, "code": refusal.reply.status, **more}, headers=_HEADERS
            )
        return Reply(json={"available": True}, headers=_HEADERS)


def _response_format(body: Mapping[str, Any]) -> Loose:
    return body.get("response_format") or body.get("responseFormat")


def _taken_upstream(body: Mapping[str, Any]) -> bool:
    """Whether OpenAI takes what the worker passes on unchecked: prompt, number and size."""
    count, size = body.get("n"), body.get("size")
    counted = count is None or (isinstance(count, int) and not isinstance(count, bool) and 1 <= count <= 10)
    return counted and isinstance(body["prompt"], str) and (size is None or isinstance(size, str))


def _validate(body: Mapping[str, Any]) -> None:
    """Check a compat body as the hub's Joi schema and its model class do, in that order."""
    prompt, count = body.get("prompt"), body.get("n", 1)
    if prompt is None:
        raise say(400, '"prompt" is required')
    if not isinstance(prompt, str):
        raise say(400, '"prompt" must be a string')
    if not prompt:
        raise say(400, '"prompt" is not allowed to be empty')
    size = body.get("size")
    if size is not None and not isinstance(size, str):
        raise say(400, '"size" must be a string')
    number = (
        float(count)
        if isinstance(count, int | float) or (isinstance(count, str) and re.fullmatch(r"\d+(\.\d+)?", count))
        else None
    )
    if count is not None and number is None:
        raise say(400, '"n" must be a number')
    if number is not None and not 1 <= number <= 10:
        raise say(
            400, f'"n" must be {"less" if number > 10 else "greater"} than or equal to {10 if number > 10 else 1}'
        )
    if isinstance(count, bool) or not isinstance(count, int):
        raise say_object(500, "ImageModel check agent input arguments error: n: Expected integer")


def _b64(made: Made) -> dict[str, str]:
    return {"b64_json": base64.b64encode(made.data).decode()}


def _tokens(order: Order) -> dict[str, Any]:
    text = max(1, len(order.prompt) // 4)
    details = {"text_tokens": text, "image_tokens": 0}
    return {
        "input_tokens": text,
        "output_tokens": 272 * order.count,
        "total_tokens": text + 272 * order.count,
        "input_tokens_details": details,
    }


def _paged(call: Call, rows: Sequence[Loose], *, size: int) -> Reply:
    """One page of `rows`, of `size` where the caller names none, at most 100."""
    page, size = _number(call, "page", 1), min(_number(call, "pageSize", size), 100)
    told = {
        "count": len(rows),
        "list": rows[(page - 1) * size : page * size],
        "paging": {"page": page, "pageSize": size},
    }
    return Reply(json=told, headers=_HEADERS)


def _number(call: Call, name: str, default: int) -> int:
    text = call.request.query.get(name, "")
    return int(text) if re.fullmatch(r"\d{1,16}", text) else default


def _now(at: float | None = None) -> str:
    moment = datetime.now(UTC) if at is None else datetime.fromtimestamp(at, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _plain(price: Decimal) -> str:
    text = f"{price:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
