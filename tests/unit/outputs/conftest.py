"""Pictures made on the spot, and one pool of workers for each test that needs it."""

import struct
import zlib
from collections.abc import AsyncIterator, Callable
from io import BytesIO
from typing import Any

import pytest
from PIL import Image

from imagebatch.outputs.workers import Workers

Draw = Callable[..., bytes]


def drawn(kind: str = "PNG", size: tuple[int, int] = (64, 48), mode: str = "RGB", **save: Any) -> bytes:
    """A picture that is not one colour: a slope in every channel."""
    slope = Image.linear_gradient("L").resize(size)
    count = len(Image.new(mode, (1, 1)).getbands())
    bands = [slope] * count
    if mode.endswith("A"):
        bands[-1] = slope.transpose(Image.Transpose.ROTATE_180)
    out = BytesIO()
    Image.merge(mode, bands).save(out, kind, **save)
    return out.getvalue()


def png_chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


@pytest.fixture
def draw() -> Draw:
    return drawn


@pytest.fixture
def chunk() -> Callable[[bytes, bytes], bytes]:
    return png_chunk


@pytest.fixture
async def workers() -> AsyncIterator[Workers]:
    async with Workers(1) as pool:
        yield pool
