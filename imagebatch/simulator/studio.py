"""Where pictures are made: off the event loop, once for each spec, kept in memory and on disk."""

import asyncio
import hashlib
import json
from collections import OrderedDict
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

_KEPT_BYTES = 96 * 1024 * 1024
_PREMADE = 32
_PREMADE_FORMATS = ("jpeg", "png")
MEDIA_TYPES = {"jpeg": "image/jpeg", "jpg": "image/jpeg", "png": "image/png", "webp": "image/webp"}


class Studio:
    """Draws pictures in two threads; Pillow is imported with the first one."""

    def __init__(self, data_dir: Path, *, premade: bool = False) -> None:
        """Keep drawn pictures below `data_dir`; with `premade` every picture is one of a few small ones."""
        self._folder = data_dir / "pictures"
        self._inputs = data_dir / "inputs"
        self._premade = premade
        self._pool = ThreadPoolExecutor(2, thread_name_prefix="studio")
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self._kept_bytes = 0
        self._drawing: dict[str, asyncio.Task[bytes]] = {}

    def close(self) -> None:
        """Stop drawing."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    async def prepare(self) -> None:
        """Make the pictures that are made beforehand, if any: drawing them in a load test would slow its answers."""
        if self._premade:
            await asyncio.gather(
                *(self._shown(_small(number, kind)) for number in range(_PREMADE) for kind in _PREMADE_FORMATS)
            )

    def keep_input(self, data: bytes) -> str:
        """Keep an input image by its content; give its name."""
        name = hashlib.sha256(data).hexdigest()
        self._inputs.mkdir(parents=True, exist_ok=True)
        path = self._inputs / name
        if not path.exists():
            part = path.with_suffix(".part")
            part.write_bytes(data)
            part.replace(path)
        return name

    async def picture(self, spec: Mapping[str, Any]) -> bytes:
        """Give the bytes of the picture that `spec` describes.

        Args:
            spec: keyword arguments of `drawing.picture.Picture` as JSON; `references` are names given by `keep_input`.
        """
        if self._premade:
            number = int(hashlib.sha256(str(spec.get("seed")).encode()).hexdigest(), 16) % _PREMADE
            spec = _small(number, spec.get("format", "jpeg"))
        return await self._shown(spec)

    async def _shown(self, spec: Mapping[str, Any]) -> bytes:
        name = hashlib.sha256(json.dumps(spec, sort_keys=True).encode()).hexdigest()
        if name in self._kept:
            self._kept.move_to_end(name)
            return self._kept[name]
        task = self._drawing.get(name)
        if task is None:
            task = asyncio.get_running_loop().create_task(self._made(name, spec))
            self._drawing[name] = task
            task.add_done_callback(lambda _: self._drawing.pop(name, None))
        return await asyncio.shield(task)

    async def _made(self, name: str, spec: Mapping[str, Any]) -> bytes:
        data = await asyncio.get_running_loop().run_in_executor(self._pool, self._draw, name, dict(spec))
        self._kept[name] = data
        self._kept_bytes += len(data)
        while self._kept_bytes > _KEPT_BYTES and len(self._kept) > 1:
            self._kept_bytes -= len(self._kept.popitem(last=False)[1])
        return data

    def _draw(self, name: str, spec: dict[str, Any]) -> bytes:
        from imagebatch.simulator.drawing.picture import Picture, draw

        path = self._folder / name[:2] / name
        if path.is_file() and not self._premade:
            return path.read_bytes()
        inputs = tuple((self._inputs / reference).read_bytes() for reference in spec.pop("references", ()))
        data = draw(Picture(**spec), inputs)
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(f".{id(spec):x}.part")
        part.write_bytes(data)
        part.replace(path)
        return data


def _small(number: int, kind: str) -> dict[str, Any]:
    return {"seed": str(number), "format": kind, "prompt": "abstract", "width": 64, "height": 64}
