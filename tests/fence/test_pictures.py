"""P24: of thousands of damaged pictures none that is bad is accepted, and none ends the program.

Accepted is what is whole by a reading of its own here, decodes by Pillow at its strictest, and has the size that was
told; a PNG has its own pixels, too. In a JPEG, WebP or AVIF a changed bit may still be a picture: that is the stated
exception, and such files are counted apart.
"""

import io
import os
import random
import struct
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from PIL import Image, ImageFile

from imagebatch.outputs.download import Taken, take_bytes
from imagebatch.outputs.store import Store
from imagebatch.outputs.workers import Workers
from tests.cases.pictures import drawn

MUTATIONS = int(os.environ.get("IMAGEBATCH_TEST_MUTATIONS", "3000"))
KINDS = ("PNG", "JPEG", "WEBP", "AVIF")


def mutated(data: bytes, chance: random.Random) -> tuple[str, bytes]:
    """One way to damage a file, and what comes of it."""
    how = chance.choice(("flip", "flip", "flips", "cut", "append", "drop", "double", "zero", "head", "shuffle"))
    at, length = chance.randrange(len(data)), chance.randrange(1, 64)
    piece, before, after = data[at : at + length], data[:at], data[at + length :]
    if how == "flips":
        for _ in range(length):
            spot = chance.randrange(len(data))
            data = data[:spot] + chance.randbytes(1) + data[spot + 1 :]
        return how, data
    if how == "append":
        return how, data + chance.choice((b"\0", b"<script>alert(1)</script>", b"PK\3\4", data, chance.randbytes(9)))
    made = {
        "flip": before + bytes([piece[0] ^ (1 << chance.randrange(8))]) + piece[1:] + after,
        "cut": before,
        "drop": before + after,
        "double": before + piece + piece + after,
        "zero": before + bytes(len(piece)) + after,
        "head": drawn(chance.choice(KINDS))[:length] + data[length:],
        "shuffle": before + bytes(chance.sample(piece, len(piece))) + after,
    }
    return how, made[how]


def fault_of(data: bytes, kind: str, size: tuple[int, int]) -> str | None:
    """Why a file must not have been accepted, by a reading that shares nothing with the program's."""
    if kind == "PNG" and not data.endswith(b"IEND\xaeB`\x82"):
        return "a PNG without its end"
    if kind == "JPEG" and not data.endswith(b"\xff\xd9"):
        return "a JPEG without its end"
    if kind == "WEBP" and struct.unpack("<I", data[4:8])[0] + 8 not in {len(data), len(data) - 1}:
        return "a WebP of another length than it says"
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    try:
        with Image.open(io.BytesIO(data), formats=(kind,)) as image:
            image.load()
            if image.size != size:
                return f"{image.size} instead of {size}"
            if kind == "PNG" and image.convert("RGB").tobytes() != pixels():
                return "other pixels in a PNG, whose checksums tell"
    except Exception as error:  # noqa: BLE001 - whatever a decoder says, it is no picture
        return f"it does not decode: {error}"
    return None


def pixels() -> bytes:
    """The pixels of the plain picture."""
    with Image.open(io.BytesIO(drawn())) as image:
        return image.convert("RGB").tobytes()


async def test_no_damaged_picture_is_accepted_and_none_ends_the_program(
    tmp_path: Path, figure: Callable[[str], None]
) -> None:
    chance = random.Random(24)  # noqa: S311 - the same pictures at each run
    ends, bad, store = Counter[str](), list[str](), Store(tmp_path / "store")
    async with Workers(2) as workers:
        for number in range(MUTATIONS):
            kind = KINDS[number % len(KINDS)]
            how, data = mutated(drawn(kind), chance)
            taken = await take_bytes(data, store=store, workers=workers)
            if not isinstance(taken, Taken):
                ends[taken.code] += 1
                continue
            same = data == drawn(kind)
            ends["unchanged" if same else "accepted"] += 1
            facts = taken.facts
            name = facts.media_type.removeprefix("image/").upper()
            fault = None if same else fault_of(data, name, (facts.width, facts.height))
            if how in {"cut", "append"} and not same:
                fault = fault or f"{how} was not noticed"
            if fault is not None:
                bad.append(f"number {number}, {kind}, {how}: {fault}")
    assert not list((tmp_path / "store/new").iterdir()), "something refused was left behind"
    rest = MUTATIONS - ends["accepted"] - ends["unchanged"]
    figure(
        f"pictures: {MUTATIONS} damaged, {rest} refused ({ends['image.decoder']} by the decoder), "
        f"{ends['accepted']} changed in their data and still whole, {len(bad)} accepted and bad, 0 crashes"
    )
    assert ends["image.truncated"], "nothing was refused, so nothing was tried"
    assert not bad, bad[:10]
