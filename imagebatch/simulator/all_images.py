"""The All-Images.ai face at `/all-images/v1`, by the wire (dossier of the API, vendor plugin and live reports)."""

import asyncio
import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from aiohttp import ClientError, ClientSession, ClientTimeout, web

from imagebatch.simulator import all_images_rules as rules
from imagebatch.simulator.chance import digest, stable_uuid
from imagebatch.simulator.engine import Call, Handler, Simulator
from imagebatch.simulator.faults import Seen
from imagebatch.simulator.ledger import Entry
from imagebatch.simulator.lifecycle import CREATE, DONE, ERROR, PENDING, PROCESSING, event_times, moment, plan_job
from imagebatch.simulator.loose import Loose
from imagebatch.simulator.state import ImageRecord, Record
from imagebatch.simulator.wire import Refusal, Reply, dump

FACE = "all-images"
MOUNT = "/all-images/v1"
PROPOSALS = 4
BUCKETS = {"f_images_print": "print_quota", "f_images": "image_credits"}
EVENTS = ("test", "print.created", "print.active", "print.failed", "print.progress", "print.completed")
FORMATS = {"preview": 1.0, "full": 2.0, "upscale": 3.0, "upscaleUHD": 4.0}
_REASONS = {
    400: "Bad Request",
    401: "Unauthorized",
    402: "Payment Required",
    403: "Forbidden",
    404: "Not Found",
    409: "Conflict",
}


def refuse(status: int, *messages: str) -> Refusal:
    """Make an error body of the documented form: `statusCode`, `error`, `message` as a list."""
    return Refusal(
        Reply(
            status=status,
            json={"statusCode": status, "error": _REASONS.get(status, "Error"), "message": list(messages)},
        )
    )


class AllImages:
    """Handlers of the face; each takes a call and gives a reply or raises a refusal."""

    def __init__(self, simulator: Simulator) -> None:
        """Serve from this simulator."""
        self._sim = simulator

    def routes(self) -> list[web.RouteDef]:
        """List the routes below the mount."""
        keyed: list[tuple[str, str, str, Handler]] = [
            ("POST", "/image-generations", "create", self.create),
            ("GET", "/image-generations", "list", self.find),
            ("DELETE", "/image-generations", "delete", self.delete),
            ("POST", "/image-generations/retry/{id}", "retry", self.retry),
            ("GET", "/image-generations/{id}", "poll", self.get),
            ("PUT", "/image-generations/{id}", "update", self.update),
            ("POST", "/images/buy", "buy", self.buy),
            ("POST", "/images/download", "paid_download", self.download),
            ("POST", "/images/search", "search", self.search),
            ("POST", "/images/downladed", "history", self.history),
            ("GET", "/api-keys/check", "check", self.check),
            ("POST", "/api-keys/webhook/subscribe", "webhook_subscribe", self.subscribe),
            ("GET", "/api-keys/webhook/{id}", "webhook_get", self.webhook),
            ("DELETE", "/api-keys/webhook/unsubscribe/{id}", "webhook_delete", self.unsubscribe),
            ("GET", "/credit", "credit", self.credit),
        ]
        routes = [
            web.route(verb, MOUNT + path, self._sim.endpoint(FACE, op, self._with_key(handler)))
            for verb, path, op, handler in keyed
        ]
        routes.append(web.get(MOUNT + "/images/{format}/{id}.jpg", self._sim.endpoint(FACE, "download", self.image)))
        routes.append(web.route("*", MOUNT + "/{rest:.*}", self._sim.endpoint(FACE, "unknown", self.unknown)))
        return routes

    @staticmethod
    def _with_key(handler: Handler) -> Handler:
        async def keyed(call: Call) -> Reply:
            if not call.key or call.key == "bad-key":
                raise Refusal(Reply(status=401, json={"statusCode": 401, "message": "Unauthorized"}))
            if call.bad_json:
                raise refuse(400, call.bad_json)
            return await handler(call)

        return keyed

    async def unknown(self, call: Call) -> Reply:
        """Answer a path that does not exist, for example the rightly spelled `images/downloaded`."""
        path = call.request.path.removeprefix("/all-images")
        raise Refusal(
            Reply(
                status=404,
                json={"statusCode": 404, "message": f"Cannot {call.request.method} {path}", "error": "Not Found"},
            )
        )

    async def create(self, call: Call) -> Reply:
        """Create a generation; two equal calls make two."""
        if wrong := rules.problems(call.body, strict=self._sim.profile.rules.strict_params):
            raise refuse(400, *wrong)
        self._debit(call, "f_images_print", self._sim.profile.rules.print_price)
        body = {key: value for key, value in call.body.items() if value is not None}
        wanted = {key: value for key, value in body.items() if key not in ("name", "tags", "metaData", "processMode")}
        request = digest(FACE, dump(wanted), call.token)
        draw = self._sim.state.draws(request)
        generation_id = stable_uuid(self._sim.profile.seed, request, dump(body), draw)
        now = time.time()
        record = Record(
            seq=0,
            id=generation_id,
            account=call.account,
            token=call.token,
            created_at=now,
            started_at=now,
            attempt=1,
            body=body,
            plan={},
        )
        record = self._started(record, f"{request}/{draw}")
        self._sim.state.add_generation(record, self._images(record), self._bill(call, record, "create"), request)
        self._announce(record)
        return Reply(status=self._sim.profile.rules.create_status, json=self._shown(record, now=now, fresh=True))

    def _started(self, record: Record, seed: str) -> Record:
        """Plan the work of a record from now on."""
        profile = self._sim.profile
        count, at = PROPOSALS, self._sim.chances.spread("count", seed, record.attempt)
        for number, share in profile.images.count.items():
            if at < share:
                count = int(number)
                break
            at -= share
        relaxed = record.body.get("processMode") == "relax"
        seed = digest(profile.seed, seed, record.attempt)
        plan = plan_job(
            profile.job_time,
            seed=seed,
            relaxed=relaxed,
            count=count,
            prompt=str(record.body["prompt"]),
            attempt=record.attempt,
        )
        return Record(
            seq=record.seq,
            id=record.id,
            account=record.account,
            token=record.token,
            created_at=record.created_at,
            started_at=time.time(),
            attempt=record.attempt,
            body=record.body,
            plan={**plan, "seed": seed},
        )

    def _images(self, record: Record) -> list[ImageRecord]:
        body, settings = record.body, self._sim.profile.images
        width, height = rules.size_of(body)
        prompt = f"{body.get('additionalPrompt') or ''} {body['prompt']}".strip()
        images = []
        for position in range(int(record.plan["count"])):
            seed = str(record.plan["seed"])
            picture = {
                "prompt": re.sub(r"\s--\w+(\s+[^\s-]\S*)?", "", prompt),
                "seed": "same" if settings.identical else seed,
                "composition": position,
                "width": width,
                "height": height,
                "weather": rules.param(body, "weather"),
                "time": rules.param(body, "time"),
                "style": rules.param(body, "templatePrompt"),
                "format": "jpeg",
                "detail": settings.detail,
            }
            image_id = stable_uuid(record.id, record.attempt, position)
            free = self._sim.chances.happens("free", settings.free, image_id)
            images.append(
                ImageRecord(
                    id=image_id,
                    generation_id=record.id,
                    account=record.account,
                    created_at=record.created_at,
                    lifetime_s=None,
                    picture=picture,
                    free=free,
                )
            )
        return images

    def _bill(self, call: Call, record: Record, operation: str) -> Entry:
        price = str(self._sim.profile.rules.print_price)
        count = int(record.plan["count"]) if int(record.plan["outcome"]) == DONE else 0
        prompt = str(record.body["prompt"])
        return self._sim.bill(
            call,
            operation=operation,
            generation_id=record.id,
            amount=price,
            currency="f_images_print",
            prompt=prompt,
            asked=PROPOSALS,
            given=count,
        )

    def _moment(self, record: Record, now: float) -> tuple[int, int, dict[str, Any]]:
        """Give status, visible images and what the script lays over this generation."""
        at = moment(record.plan, now - record.started_at)
        prompt = str(record.body["prompt"])
        over = (
            self._sim.script.views(Seen(face=FACE, op="poll", token=record.token, prompt=prompt, id=record.id))
            if self._sim.script.rules
            else {}
        )
        status, count = at.status, at.images
        if "status" in over:
            status = int(over["status"])
            count = int(record.plan["count"]) if status == DONE else count
        return status, int(over.get("images", count)), over

    def _shown(self, record: Record, *, now: float, fresh: bool = False) -> dict[str, Any]:
        """Show a generation as the API does: no mode, no additional prompt, no reason for an error."""
        body = record.body
        status, count, over = (CREATE, 0, dict[str, Any]()) if fresh else self._moment(record, now)
        images = [self._shown_image(record, position, over) for position in range(count)]
        shown: dict[str, Any] = {"id": record.id, "name": body["name"], "prompt": body["prompt"], "status": status}
        shown["params"] = [{"name": p["name"], "value": str(p["value"])} for p in body.get("params") or ()]
        shown |= {"processMode": body.get("processMode", "fast"), "images": images, "nbImages": len(images)}
        shown |= {
            "tags": body.get("tags") or [],
            "metaData": body.get("metaData") or {},
            "createdAt": _iso(record.created_at),
        }
        shown |= {key: value for key, value in over.items() if key not in ("images", "status", "url", "titles")}
        return shown

    def _shown_image(self, record: Record, position: int, over: Mapping[str, Any]) -> dict[str, Any]:
        image_id = stable_uuid(record.id, record.attempt, position)
        base, settings = self._sim.origin + MOUNT, self._sim.profile.images
        if self._sim.chances.happens("malformed-url", settings.malformed_url, image_id):
            base = "https://api.all-images.aiv1"
        elif self._sim.chances.happens("http-url", settings.http_url, image_id):
            base = "http://api.all-images.ai/v1"
        url = str(over.get("url") or f"{base}/images/preview/{image_id}.jpg").replace("$ID", image_id)
        free = self._sim.chances.spread("free", image_id) < settings.free
        titles = over.get("titles") or {"en": str(record.body["prompt"])[:80]}
        return {
            "id": image_id,
            "url": url,
            "urlFull": f"{base}/images/full/{image_id}.jpg",
            "validate": False,
            "free": free,
            "titles": titles,
        }

    def _found(self, call: Call, generation_id: str) -> Record:
        record = self._sim.state.generation(call.account, generation_id)
        if record is None:
            raise refuse(self._sim.profile.rules.unknown_status, "Image generation not found")
        return record

    async def get(self, call: Call) -> Reply:
        """Show one generation."""
        return Reply(json=self._shown(self._found(call, call.request.match_info["id"]), now=time.time()))

    async def find(self, call: Call) -> Reply:
        """List generations, newest first, by exact tag or part of the name."""
        query, listing = call.request.query, self._sim.profile.list
        limit = _whole(query.get("limit"), listing.default_limit, "limit", 1, listing.max_limit)
        offset = _whole(query.get("offset"), 0, "offset", 0, None)
        ignores = self._by_chance("ignores-filter", listing.ignores_filter, call)
        tag, name = ("", "") if ignores else (query.get("tag", ""), query.get("name", "").lower())
        now = time.time()
        if listing.page_shift and offset:
            offset = max(0, offset - 1)
        offset = 0 if listing.offset_ignored else offset
        if name or query.get("sort") or listing.endless or listing.lag.low_s or listing.lag.high_s:
            records = [
                record
                for record in self._sim.state.generations(call.account, tag)
                if name in str(record.body["name"]).lower() and self._listed(record, now)
            ]
            records = _sorted(records, query.get("sort", ""))
            total = len(records)
            page = records[offset:][:limit]
            if listing.endless:
                page = (records * (limit // max(total, 1) + 1))[:limit]
        else:
            total, page = self._sim.state.page(call.account, tag, limit, offset)
        shown = [self._shown(record, now=now) for record in page]
        if shown and self._by_chance("duplicates", listing.duplicates, call):
            shown.append(shown[0])
        return Reply(json={"filteredResults": 10**9 if listing.endless else total, "prints": shown})

    def _by_chance(self, name: str, share: float, call: Call) -> bool:
        return self._sim.chances.happens(name, share, call.request.query_string, self._sim.counts[FACE, "list"])

    def _listed(self, record: Record, now: float) -> bool:
        lag = self._sim.profile.list.lag.at(self._sim.chances.spread("lag", record.id))
        return now - record.created_at >= lag

    async def update(self, call: Call) -> Reply:
        """Change some fields; refused while the work is pending or in progress."""
        record = self._found(call, call.request.match_info["id"])
        if wrong := rules.problems(call.body, partial=True, strict=self._sim.profile.rules.strict_params):
            raise refuse(400, *wrong)
        if self._moment(record, time.time())[0] in (PENDING, PROCESSING):
            raise refuse(
                self._sim.profile.rules.illegal_status, "Image generation is in progress and can not be updated"
            )
        body = {**record.body, **{key: value for key, value in call.body.items() if value is not None}}
        if wrong := rules.problems(body):
            raise refuse(400, *wrong)
        self._sim.state.change_body(record, body)
        return Reply(json=self._shown(self._found(call, record.id), now=time.time()))

    async def retry(self, call: Call) -> Reply:
        """Start a generation in error anew, under the same id."""
        record = self._found(call, call.request.match_info["id"])
        if self._moment(record, time.time())[0] != ERROR:
            raise refuse(self._sim.profile.rules.illegal_status, "Image generation is not in error")
        self._debit(call, "f_images_print", self._sim.profile.rules.print_price)
        again = Record(
            seq=record.seq,
            id=record.id,
            account=record.account,
            token=record.token,
            created_at=record.created_at,
            started_at=time.time(),
            attempt=record.attempt + 1,
            body=record.body,
            plan=record.plan,
        )
        again = self._started(again, digest(str(record.plan["seed"]), dump(record.body)))
        call.token = call.token or record.token
        self._sim.state.restart_generation(again, self._images(again), self._bill(call, again, "retry"))
        self._announce(again)
        return Reply(json=self._shown(again, now=time.time()))

    async def delete(self, call: Call) -> Reply:
        """Delete by ids in a JSON body; the answer is 200 and empty, also for unknown ids and for none."""
        ids = call.body.get("printIds") if isinstance(call.body, Mapping) else None
        if not isinstance(ids, list):
            raise refuse(400, "printIds must be an array")
        if not all(isinstance(item, str) for item in ids):
            raise refuse(400, "each value in printIds must be a string")
        self._sim.state.delete_generations(call.account, ids)
        return Reply()

    def _debit(self, call: Call, bucket: str, price: float) -> None:
        """Refuse with 402 where the bucket of the account does not hold the price."""
        if self._balance(call, bucket) < price:
            raise refuse(402, "Not enough credits")

    def _balance(self, call: Call, bucket: str) -> float:
        if call.key == "no-credit":
            return 0
        return float(getattr(self._sim.profile.rules, BUCKETS[bucket]) - self._sim.state.spent(call.account, bucket))

    def _own_image(self, call: Call) -> ImageRecord:
        image_id = call.body.get("id") if isinstance(call.body, Mapping) else None
        if not isinstance(image_id, str) or not image_id:
            raise refuse(400, "id should not be empty", "id must be a string")
        image = self._sim.state.image(image_id)
        record = (
            self._sim.state.generation(call.account, image.generation_id)
            if image and image.account == call.account
            else None
        )
        if image is None or record is None:
            raise refuse(self._sim.profile.rules.unknown_status, "Image not found")
        visible = self._moment(record, time.time())[1]
        if image_id not in {stable_uuid(record.id, record.attempt, position) for position in range(visible)}:
            raise refuse(self._sim.profile.rules.unknown_status, "Image not found")
        return image

    def _buy(self, call: Call) -> ImageRecord:
        image = self._own_image(call)
        if self._sim.state.bought_at(call.account, image.id) is None:
            price = 0 if image.free else self._sim.profile.rules.buy_price
            self._debit(call, "f_images", price)
            record = self._found(call, image.generation_id)
            call.token = call.token or record.token
            bill = self._sim.bill(
                call,
                operation="buy",
                generation_id=image.generation_id,
                amount=str(price),
                currency="f_images",
                prompt=str(record.body["prompt"]),
                image_id=image.id,
            )
            self._sim.state.buy(image.id, bill)
        return image

    async def buy(self, call: Call) -> Reply:
        """Buy an image, once; give its public addresses."""
        image = self._buy(call)
        return Reply(json=self._shown_bought(image.id, self._sim.state.bought_at(call.account, image.id) or 0))

    def _shown_bought(self, image_id: str, at: float) -> dict[str, Any]:
        base = f"{self._sim.origin}{MOUNT}/images"
        addresses = {"url": "preview", "urlFull": "full", "urlUpscale": "upscale", "urlUpscaleUHD": "upscaleUHD"}
        return {
            "id": image_id,
            **{key: f"{base}/{name}/{image_id}.jpg" for key, name in addresses.items()},
            "downloadedAt": _iso(at),
        }

    async def download(self, call: Call) -> Reply:
        """Buy an image, once; give its bytes in full size."""
        image = self._buy(call)
        return Reply(body=await self._bytes(image, "full"), media_type="image/jpeg")

    async def image(self, call: Call) -> Reply:
        """Give an image's bytes: previews to anyone, other sizes when bought or free."""
        image, form = self._sim.state.image(call.request.match_info["id"]), call.request.match_info["format"]
        if form not in FORMATS:
            raise refuse(400, f"format must be one of the following values: {', '.join(FORMATS)}")
        if image is None:
            raise refuse(404, "Image not found")
        paid = (
            image.free
            or self._sim.profile.images.full_without_buying
            or self._sim.state.bought_at(image.account, image.id) is not None
        )
        if form != "preview" and not paid:
            raise refuse(403, "Image not bought")
        return Reply(
            body=await self._bytes(image, form),
            media_type="image/jpeg",
            headers={"Cache-Control": "public, max-age=86400"},
        )

    async def _bytes(self, image: ImageRecord, form: str) -> bytes:
        scale = FORMATS[form]
        picture = {
            **image.picture,
            "width": round(image.picture["width"] * scale),
            "height": round(image.picture["height"] * scale),
        }
        return await self._sim.studio.picture({**picture, "quality": 82 if form == "preview" else 92})

    async def search(self, call: Call) -> Reply:
        """Search the bank of images; here it is empty, but speaks the right shape."""
        body = call.body if isinstance(call.body, Mapping) else {}
        _whole(body.get("limit"), 10, "limit", 1, None)
        _whole(body.get("offset"), 0, "offset", 0, None)
        return Reply(json={"filteredResults": 0, "images": []})

    async def history(self, call: Call) -> Reply:
        """List what was bought (`images/downladed`, spelled as the API spells it)."""
        body = call.body if isinstance(call.body, Mapping) else {}
        limit, offset = (
            _whole(body.get("limit"), 10, "limit", 1, None),
            _whole(body.get("offset"), 0, "offset", 0, None),
        )
        after, before = _time(body.get("afterCreatedAt"), 0.0), _time(body.get("beforeCreatedAt"), float("inf"))
        bought = [(image_id, at) for image_id, at in self._sim.state.bought(call.account) if after <= at <= before]
        return Reply(
            json={
                "filteredResults": len(bought),
                "images": [self._shown_bought(*item) for item in bought[offset : offset + limit]],
            }
        )

    async def check(self, call: Call) -> Reply:
        """Tell whose key it is; live accounts have no `name`."""
        return Reply(json={"email": f"{call.account[:8]}@simulator.invalid"})

    async def credit(self, call: Call) -> Reply:
        """Give the balances by type."""
        told_credits = [{"type": "global", "credit": 0, "creditTotal": 0, "unlimited": False}]
        for bucket, name in BUCKETS.items():
            balance, total = self._balance(call, bucket), getattr(self._sim.profile.rules, name)
            told_credits.append({"type": bucket, "credit": int(balance), "creditTotal": total, "unlimited": False})
        return Reply(json={"credits": told_credits})

    async def subscribe(self, call: Call) -> Reply:
        """Attach a webhook to the key; each call makes another one."""
        body = call.body if isinstance(call.body, Mapping) else {}
        url, events = body.get("url"), body.get("events")
        if not isinstance(url, str) or urlsplit(url).scheme not in ("http", "https"):
            raise refuse(400, "url must be a URL address")
        if events is not None and (not isinstance(events, list) or not set(map(str, events)) <= set(EVENTS)):
            raise refuse(400, f"each value in events must be one of the following values: {', '.join(EVENTS)}")
        webhook_id = stable_uuid(
            "webhook", call.account, url, self._sim.state.next_draw(f"webhook {call.account} {url}")
        )
        self._sim.state.add_webhook(
            webhook_id, call.account, url, events if events is not None else ["print.failed", "print.completed"]
        )
        return Reply(status=201, json={"webhookId": webhook_id})

    async def webhook(self, call: Call) -> Reply:
        """Show a webhook: without its events, and with the key itself as `apiKeyId`, as seen live."""
        known = self._sim.state.webhooks(call.account).get(call.request.match_info["id"])
        if known is None:
            raise refuse(self._sim.profile.rules.unknown_status, "Webhook not found")
        return Reply(json={"id": call.request.match_info["id"], "apiKeyId": call.key, "url": known[0]})

    async def unsubscribe(self, call: Call) -> Reply:
        """Detach a webhook."""
        if not self._sim.state.remove_webhook(call.account, call.request.match_info["id"]):
            raise refuse(self._sim.profile.rules.unknown_status, "Webhook not found")
        return Reply(status=201)

    def _announce(self, record: Record) -> None:
        """Send the events of a generation to webhooks on loopback, as they happen; anything else is left alone."""
        for url, events in self._sim.state.webhooks(record.account).values():
            if urlsplit(url).hostname in ("127.0.0.1", "localhost", "::1"):
                self._sim.later(self._deliver(record, url, events))

    async def _deliver(self, record: Record, url: str, events: list[str]) -> None:
        async with ClientSession(timeout=ClientTimeout(total=5)) as session:
            for index, (after_s, kind) in enumerate(event_times(record.plan)):
                if kind not in events:
                    continue
                await asyncio.sleep(max(0.0, record.started_at + after_s + 0.002 - time.time()))
                data = self._shown(record, now=time.time(), fresh=kind == "print.created")
                for image in data["images"]:
                    image.pop("urlFull", None)
                event_id = stable_uuid(record.id, record.attempt, index, kind)
                event = {"id": event_id, "api_version": 1, "created": int(time.time()), "type": kind, "data": data}
                try:
                    async with session.post(url, json=event):
                        pass
                except (ClientError, TimeoutError, OSError):
                    continue


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _time(value: Loose, default: float) -> float:
    if value is None:
        return default
    try:
        return datetime.fromisoformat(str(value)).timestamp()
    except ValueError:
        raise refuse(400, "afterCreatedAt and beforeCreatedAt must be valid ISO 8601 date strings") from None


def _whole(value: Loose, default: int, name: str, least: int, most: int | None) -> int:
    """Read a whole number; above the maximum it is cut, below the minimum refused."""
    if value is None or value == "":
        return default
    if isinstance(value, bool) or not re.fullmatch(r"-?\d{1,9}", str(value)):
        raise refuse(400, f"{name} must be an integer number")
    if int(value) < least:
        raise refuse(400, f"{name} must not be less than {least}")
    return int(value) if most is None else min(int(value), most)


def _sorted(records: list[Record], sort: str) -> list[Record]:
    """Apply `createdAt`, `name`, either with `:asc` or `:desc`; anything else keeps newest first."""
    field, _, way = sort.partition(":")
    if field == "name":
        return sorted(records, key=lambda record: str(record.body["name"]), reverse=way == "desc")
    if field == "createdAt":
        return sorted(records, key=lambda record: record.seq, reverse=way == "desc")
    return records
