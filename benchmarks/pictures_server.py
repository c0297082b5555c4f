"""A server of large pictures: `pictures_server.py PORTFILE CORE HOLD`.

Speaks the OpenAI Images API as far as a create goes. Each answer is held for HOLD seconds and brings one of sixteen
PNGs of 1024 x 1024 pixels of noise (3 MiB each, made before the first request): below `/base64/v1` inside the answer,
below `/url/v1` as an address here. `/first` tells the clock's time (CLOCK_MONOTONIC) of the first picture's first byte.
"""

import asyncio
import base64
import io
import os
import random
import sys
import time
from pathlib import Path

from aiohttp import web
from PIL import Image

PICTURES = 16
SIDE = 1024


class Server:
    """Sixteen pictures and a clock."""

    def __init__(self, hold_s: float) -> None:
        self.hold_s = hold_s
        self.pictures = [_noise(seed) for seed in range(PICTURES)]
        self.texts = [base64.b64encode(data).decode() for data in self.pictures]
        self.asked = 0
        self.first = 0.0

    def app(self) -> web.Application:
        """All routes."""
        app = web.Application()
        app.add_routes(
            [
                web.post("/base64/v1/images/generations", self.whole),
                web.post("/url/v1/images/generations", self.linked),
                web.get("/pictures/{number}.png", self.picture),
                web.get("/first", self.tell),
            ]
        )
        return app

    async def whole(self, request: web.Request) -> web.Response:
        """The picture in the answer."""
        number = await self._held(request)
        self.first = self.first or time.monotonic()
        return web.json_response({"created": 1, "data": [{"b64_json": self.texts[number]}]})

    async def linked(self, request: web.Request) -> web.Response:
        """The picture's address in the answer."""
        number = await self._held(request)
        url = f"http://{request.host}/pictures/{number}.png"
        return web.json_response({"created": 1, "data": [{"url": url}]})

    async def picture(self, request: web.Request) -> web.Response:
        """The bytes."""
        self.first = self.first or time.monotonic()
        return web.Response(body=self.pictures[int(request.match_info["number"])], content_type="image/png")

    async def tell(self, _: web.Request) -> web.Response:
        """When the first picture left, once; then it starts anew."""
        first, self.first = self.first, 0.0
        return web.json_response(first)

    async def _held(self, request: web.Request) -> int:
        await request.read()
        self.asked += 1
        number = self.asked % PICTURES
        await asyncio.sleep(self.hold_s)
        return number


def _noise(seed: int) -> bytes:
    out = io.BytesIO()
    pixels = random.Random(seed).randbytes(SIDE * SIDE * 3)
    Image.frombytes("RGB", (SIDE, SIDE), pixels).save(out, "PNG", compress_level=1)
    return out.getvalue()


async def serve(portfile: Path, hold_s: float) -> None:
    """Serve until standard input closes: the benchmark holds the other end."""
    runner = web.AppRunner(Server(hold_s).app(), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    portfile.with_suffix(".part").write_text(str(runner.addresses[0][1]), encoding="ascii")
    portfile.with_suffix(".part").replace(portfile)
    await asyncio.to_thread(sys.stdin.read)
    await runner.cleanup()


if __name__ == "__main__":
    if int(sys.argv[2]) >= 0:
        os.sched_setaffinity(0, {int(sys.argv[2])})
    asyncio.run(serve(Path(sys.argv[1]), float(sys.argv[3])))
