"""The application: four kinds of answers, each with the same strict headers, and everything refused at the door."""

from collections.abc import Callable, Mapping
from typing import Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from imagebatch.effects import seams
from imagebatch.review.pages import served_policy
from imagebatch.review.serving.desk import Desk
from imagebatch.review.serving.guard import Door, Refusal
from imagebatch.review.wishes import MAX_WISH_BYTES, decode_wish

_LARGEST_REVISION: Final = 15  # digits
_HEADERS: Final[Mapping[str, str]] = {
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}


def application(desk: Desk, door: Door, failed: Callable[[Exception], None] = lambda _: None) -> ASGIApp:
    """The whole application for one door; `failed` is told what nobody expected while something was answered."""

    async def page(request: Request) -> Response:
        name = request.path_params.get("name", "index.html")
        text = await seams.threads.aside(desk.page, name)
        return _missing() if text is None else Response(text, media_type="text/html")

    async def picture(request: Request) -> Response:
        name = f"{request.path_params['folder']}/{request.path_params['name']}"
        found = await seams.threads.aside(desk.picture, name)
        return _missing() if found is None else Response(found.data, media_type=found.media_type)

    async def state(request: Request) -> Response:
        since = request.query_params.get("since", "")
        if not (since.isascii() and since.isdecimal() and len(since) <= _LARGEST_REVISION):
            return Response("since has to be a number.\n", 400, media_type="text/plain")
        found = await seams.threads.aside(desk.state, request.query_params.get("page", ""), int(since))
        return JSONResponse(dict(found))

    async def decide(request: Request) -> Response:
        body = await _body(request)
        if body is None:
            return Response("A decision is smaller than that.\n", 413, media_type="text/plain")
        try:
            wish = decode_wish(body)
        except ValueError as error:
            return JSONResponse({"is": "refused", "text": f"not a decision: {error}"}, 400)
        answer = await seams.threads.aside(desk.decide, wish)
        found = {"is": answer.kind, "text": answer.text, "standing": answer.standing}
        return JSONResponse(found, 200 if answer.kind in {"done", "same"} else 409)

    routes = [
        Route("/", page, methods=["GET"]),
        Route("/state", state, methods=["GET"]),
        Route("/decide", decide, methods=["POST"]),
        Route("/{folder}/{name}", picture, methods=["GET"]),
        Route("/{name}", page, methods=["GET"]),
    ]
    inner = Starlette(routes=routes)
    inner.router.redirect_slashes = False  # it would lead to an address without the token
    return _guarded(inner, door, failed)


def _missing() -> Response:
    return Response("There is nothing of that name here.\n", 404, media_type="text/plain")


async def _body(request: Request) -> bytes | None:
    """The body; None as soon as it is too large, whatever was said of its length."""
    pieces: list[bytes] = []
    size = 0
    async for piece in request.stream():
        size += len(piece)
        if size > MAX_WISH_BYTES:
            return None
        pieces.append(piece)
    return b"".join(pieces)


def _guarded(inner: ASGIApp, door: Door, failed: Callable[[Exception], None]) -> ASGIApp:
    """The application behind the door; every answer of it has our headers."""

    policy = f"{served_policy()}; frame-ancestors 'none'"
    ours = [(name.encode(), value.encode()) for name, value in (("content-security-policy", policy), *_HEADERS.items())]

    async def run(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", ()), *ours]}
            await send(message)

        rest = door.admit(scope["method"], scope["path"], scope["headers"])
        if isinstance(rest, Refusal):
            refusal = Response(rest.text + "\n", rest.status, media_type="text/plain")
            await refusal(scope, receive, send_with_headers)
            return
        try:
            await inner({**scope, "path": f"/{rest}"}, receive, send_with_headers)
        except Exception as error:  # noqa: BLE001  # the browser has its answer, 500; the terminal tells the rest
            failed(error)

    return run
