"""Small pictures: of every kind of picture, bounded in size, made once."""

import random
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from imagebatch.outputs.shrinking import shrunk
from imagebatch.outputs.thumbs import PLACEHOLDER, THUMB, Small, Thumbs
from tests.unit.outputs.conftest import drawn

KINDS = [
    ("PNG", "RGB"), ("PNG", "RGBA"), ("PNG", "L"), ("PNG", "LA"), ("PNG", "1"), ("PNG", "I;16"), ("PNG", "P"),
    ("JPEG", "RGB"), ("JPEG", "L"), ("JPEG", "CMYK"), ("WEBP", "RGBA"),
]  # fmt: skip


def made(kind: str, mode: str, size: tuple[int, int]) -> bytes:
    out = BytesIO()
    Image.effect_noise(size, 90).convert("RGB" if mode in {"RGBA", "CMYK"} else "L").convert(mode).save(out, kind)
    return out.getvalue()


@pytest.mark.parametrize(("kind", "mode"), KINDS)
@pytest.mark.parametrize("small", [THUMB, PLACEHOLDER])
def test_every_kind_of_picture_becomes_a_small_webp(tmp_path: Path, kind: str, mode: str, small: Small) -> None:
    source = tmp_path / "source"
    source.write_bytes(made(kind, mode, (900, 600)))
    data = shrunk(source, side=small.side, most=small.most)
    with Image.open(BytesIO(data)) as found:
        assert found.format == "WEBP"
        assert max(found.size) <= small.side
        if small is THUMB:
            assert found.size == (384, 256)
    assert small.most is None or len(data) <= small.most
    assert shrunk(source, side=small.side, most=small.most) == data


def test_noise_with_alpha_fits_a_placeholder(tmp_path: Path) -> None:
    chance = random.Random(7)  # noqa: S311  # a picture
    noise = Image.frombytes("RGBA", (64, 64), chance.randbytes(64 * 64 * 4))
    noise.save(tmp_path / "noise.png")
    assert len(shrunk(tmp_path / "noise.png", side=16, most=270)) <= 270


def test_a_turned_picture_is_upright_and_a_small_one_stays_small(tmp_path: Path) -> None:
    image = Image.new("RGB", (40, 20), "red")
    exif = Image.Exif()
    exif[0x0112] = 6
    image.save(tmp_path / "turned.jpg", exif=exif)
    with Image.open(BytesIO(shrunk(tmp_path / "turned.jpg", side=384, most=None))) as found:
        assert found.size == (20, 40)
        assert not found.getexif()


async def test_they_are_made_once_and_what_is_no_picture_is_told(tmp_path: Path) -> None:
    good, bad = "sha256:" + "a" * 64, "sha256:" + "b" * 64
    (tmp_path / "good").write_bytes(drawn())
    (tmp_path / "bad").write_bytes(b"<svg>")
    thumbs = Thumbs(tmp_path / "thumbs", THUMB)
    told: list[tuple[int, int]] = []
    failed = await thumbs.make(
        {good: tmp_path / "good", bad: tmp_path / "bad"}, done=lambda *numbers: told.append(numbers)
    )
    assert list(failed) == [bad]
    assert told[-1] == (2, 2)
    assert thumbs.has(good)
    assert not thumbs.has(bad)
    before = thumbs.path_of(good).stat().st_mtime_ns
    assert await thumbs.make({good: tmp_path / "good"}) == {}
    assert thumbs.path_of(good).stat().st_mtime_ns == before
    thumbs.path_of(good).write_bytes(b"")  # a power cut
    assert not thumbs.has(good)
