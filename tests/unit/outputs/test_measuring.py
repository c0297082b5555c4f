"""What pixels say, measured by the real child."""

from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image, ImageFilter

from imagebatch.outputs.workers import Workers


def noise(size: tuple[int, int] = (256, 192)) -> Image.Image:
    """Something with edges: no chance in it."""
    picture = Image.new("RGB", size)
    picture.putdata(
        [((x * 37 ^ y * 91) % 256, (x * y) % 256, (x + y) % 256) for y in range(size[1]) for x in range(size[0])]
    )
    return picture


async def measured(workers: Workers, folder: Path, picture: Image.Image, kind: str = "PNG") -> dict[str, Any]:
    out = BytesIO()
    picture.save(out, kind)
    (folder / "picture").write_bytes(out.getvalue())
    return dict(await workers.run({"do": "measure", "path": str(folder / "picture")}, seconds=20))


async def test_a_blurred_picture_is_less_sharp_and_looks_the_same(workers: Workers, tmp_path: Path) -> None:
    sharp = await measured(workers, tmp_path, noise())
    soft = await measured(workers, tmp_path, noise().filter(ImageFilter.GaussianBlur(6)))
    assert soft["sharpness"] * 10 < sharp["sharpness"]
    assert (int(soft["look"], 16) ^ int(sharp["look"], 16)).bit_count() < 16


async def test_one_colour_is_blank_and_not_sharp_at_all(workers: Workers, tmp_path: Path) -> None:
    found = await measured(workers, tmp_path, Image.new("RGB", (40, 30), "teal"))
    assert (found["blank"], found["sharpness"], found["look"]) == (True, 0, "0" * 16)
    assert not (await measured(workers, tmp_path, noise()))["blank"]


async def test_alpha_is_what_lets_the_background_through(workers: Workers, tmp_path: Path) -> None:
    opaque = noise().convert("RGBA")
    assert not (await measured(workers, tmp_path, opaque))["alpha"]
    opaque.putpixel((3, 3), (1, 2, 3, 254))
    assert (await measured(workers, tmp_path, opaque))["alpha"]


async def test_sixteen_bits_are_scaled_and_not_cut_off(workers: Workers, tmp_path: Path) -> None:
    deep = Image.new("I;16", (64, 64))
    deep.putdata([(x * 1024) % 65536 for _ in range(64) for x in range(64)])
    found = await measured(workers, tmp_path, deep)
    assert not found["blank"]
    assert found["sharpness"] > 0
