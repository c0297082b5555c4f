"""Named generators of provider answers in `bad-inputs.yaml`: the keys of a scripted action that they stand for."""

import base64
import gzip
import io
import json
import random
import struct
import zlib
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Final

from PIL import Image

from tests.cases.pictures import drawn

Action = dict[str, Any]


@cache
def png(width: int = 64, height: int = 48) -> bytes:
    """A plain picture."""
    return drawn("PNG", width, height)


@cache
def noisy_png(megabytes: float) -> bytes:
    """A picture that no packing makes smaller, of about so many megabytes."""
    side = int((megabytes * 1_000_000 / 3) ** 0.5)
    noise = random.Random(7).randbytes(side * side * 3)  # noqa: S311 - the same picture at each run
    buffer = io.BytesIO()
    Image.frombytes("RGB", (side, side), noise).save(buffer, "PNG", compress_level=0)
    return buffer.getvalue()


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def id_of_length_10000() -> Action:
    """An id that no store, path or screen is made for."""
    return {"json": {"id": "g" * 10_000}}


def b64_with_newlines() -> Action:
    """Base64 in lines of 76 characters, as mail has it."""
    return {"json": {"created": 1, "data": [{"b64_json": base64.encodebytes(png()).decode()}]}}


def b64_400mb() -> Action:
    """An answer that would take more memory than there is to give."""
    head, tail = '{"created":1,"data":[{"b64_json":"', '"}]}'
    return {"fill": {"prefix": head, "byte": "A", "length": 400 * 1024 * 1024, "suffix": tail}}


def hub_six_fold_b64_16mb() -> Action:
    """One picture six times in an answer, as the hub gives it."""
    text = _b64(noisy_png(2.0))
    entry = {"base64": text, "b64_json": text, "b64Json": text}
    return {"json": {"images": [entry], "data": [entry], "model": "gpt-image-1.5", "usage": {"aigneHubCredits": 0.034}}}


def error_text_1mb() -> Action:
    """A reason of a million characters."""
    return {"json": {"id": "$ID", "status": 4, "error": "x" * 1_000_000}}


def json_depth_100000() -> Action:
    """Brackets that end a careless parser."""
    return {"body": '{"id":"$ID","status":3,"x":' + "[" * 100_000 + "]" * 100_000 + "}"}


def json_int_5000_digits() -> Action:
    """A number that takes long to read."""
    return {"body": '{"id":"$ID","status":' + "9" * 5_000 + "}"}


@cache
def gzip_bomb(mib: int) -> bytes:
    """Zeros in gzip: a hundred thousand bytes for each hundred million. The same block stands there `mib` times."""
    packer = zlib.compressobj(9, wbits=-15)
    block = packer.compress(bytes(1024 * 1024)) + packer.flush(zlib.Z_FULL_FLUSH)
    checksum = 0
    for _ in range(mib):
        checksum = zlib.crc32(bytes(1024 * 1024), checksum)
    tail = struct.pack("<II", checksum, mib * 1024 * 1024)
    return b"\x1f\x8b\x08" + bytes(6) + b"\xff" + block * mib + b"\x03\x00" + tail


def _body(data: bytes) -> Callable[[], Action]:
    return lambda: {"body_b64": _b64(data)}


ANSWERS: Final[Mapping[str, Callable[[], Action]]] = {
    "id_of_length_10000": id_of_length_10000,
    "b64_with_newlines": b64_with_newlines,
    "b64_400MB": b64_400mb,
    "hub_six_fold_b64_16MB": hub_six_fold_b64_16mb,
    "error_text_1MB": error_text_1mb,
    "json_depth_100000": json_depth_100000,
    "json_int_5000_digits": json_int_5000_digits,
    "png_ok": lambda: {"body_b64": _b64(png())},
    "jpeg_ok": lambda: {"body_b64": _b64(drawn("JPEG"))},
    "half_png": lambda: {"body_b64": _b64(png()[: len(png()) // 2])},
    "gzip_cut": lambda: {"body_b64": _b64(gzip.compress(png())[:-20])},
    "gzip_bomb_300MiB": lambda: {"body_b64": _b64(gzip_bomb(300))},
    # Brotli of a stream that says nothing sensible; what counts is that nobody asked for the coding.
    "br_bomb": _body(bytes(64)),
    # These are said by the scene: settings of the simulator, or a picture beside the answer.
    "three_images": dict,
    "five_images": dict,
    "ok_with_null_credits": dict,
    "json_with_bom": dict,
}


def action_of(reply: Mapping[str, Any]) -> Action:
    """A case's reply as a scripted action; `g1` in it stands for the generation that is asked about."""
    action: Action = {
        key: reply[key] for key in ("status", "headers", "body", "body_b64", "then", "json") if key in reply
    }
    for key in ("json_gen", "body_gen"):
        if key in reply:
            action |= ANSWERS[reply[key]]()
    if "json" in action:
        action["json"] = json.loads(json.dumps(action["json"]).replace('"g1"', '"$ID"'))
    if "body" in action:
        action["body"] = action["body"].replace('"g1"', '"$ID"')
    if not action.keys() & {"json", "body", "body_b64", "fill"}:
        action["body"] = ""
    return action
