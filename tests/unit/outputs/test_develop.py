"""From a pick to an output file."""

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from imagebatch.errors import OutputError, RefusedError
from imagebatch.model.generation import Output, PictureFacts
from imagebatch.model.mark import Mark
from imagebatch.model.variant import OutputSpec, WantedOutput
from imagebatch.outputs.darkroom import target_size
from imagebatch.outputs.develop import Outputs, Request, ToPlace, delivered_as_is
from imagebatch.outputs.download import Taken, take_bytes
from imagebatch.outputs.store import Store
from imagebatch.outputs.tree import Tree
from imagebatch.outputs.workers import WorkerGone, Workers


@pytest.fixture
def outputs(tmp_path: Path, workers: Workers) -> Iterator[Outputs]:
    (tmp_path / "project").mkdir()
    tree = Tree(tmp_path / "project")
    yield Outputs(store=Store(tmp_path / "store"), workers=workers, tree=tree)
    tree.close()


async def stored(outputs: Outputs, data: bytes) -> PictureFacts:
    got = await take_bytes(data, store=outputs.store, workers=outputs.workers)
    assert isinstance(got, Taken)
    return got.facts


async def announce(path: str, sha256: str) -> None:
    assert path
    assert sha256.startswith("sha256:")


async def written(
    outputs: Outputs, facts: PictureFacts, path: str, *, mark: Mark | None = None, force: bool = False, **steps: Any
) -> Output:
    wanted = WantedOutput(spec=OutputSpec(path=path, **steps), develop="sha256:x", mark=mark)
    placed: list[tuple[str, str]] = []
    file = ToPlace(path=path, wanted=wanted, force=force)
    [output] = await outputs.write([([file], facts)], announce=announce, placed=lambda *one: placed.append(one))
    assert placed == [(path, output.sha256)]
    return output


async def made(outputs: Outputs, tmp_path: Path, data: bytes, path: str, **steps: Any) -> Image.Image:
    facts = await stored(outputs, data)
    output = await written(outputs, facts, path, **steps)
    content = (tmp_path / "project" / output.path).read_bytes()
    assert len(content) == output.bytes
    return Image.open(BytesIO(content))


async def test_the_same_type_and_no_step_is_the_delivered_file(outputs: Outputs, draw: Any, tmp_path: Path) -> None:
    data = draw("JPEG", exif=Image.Exif(), comment=b"kept as it is")
    facts = await stored(outputs, data)
    output = await written(outputs, facts, "a/2.jpg", mark=Mark())
    assert (output.path, output.sha256, output.bytes, output.develop) == (
        "a/2.jpg",
        facts.sha256,
        len(data),
        "sha256:x",
    )
    assert (tmp_path / "project/a/2.jpg").read_bytes() == data
    assert outputs.store.has(facts.sha256)


@pytest.mark.parametrize("ending", ["png", "jpg", "webp", "avif"])
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "AVIF"])
async def test_every_format_becomes_every_other(
    outputs: Outputs, draw: Any, tmp_path: Path, kind: str, ending: str
) -> None:
    image = await made(outputs, tmp_path, draw(kind), f"x.{ending}", width=32)
    assert image.format == {"jpg": "JPEG"}.get(ending, ending.upper())
    assert image.size == (32, 24)


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "CMYK", "P", "1", "I;16"])
@pytest.mark.parametrize("ending", ["jpg", "webp", "png"])
async def test_every_kind_of_pixels_can_be_written(
    outputs: Outputs, draw: Any, tmp_path: Path, mode: str, ending: str
) -> None:
    if mode == "CMYK":
        data = draw("JPEG", mode="CMYK")
    elif mode == "I;16":
        out = BytesIO()
        Image.linear_gradient("L").convert("I").point(lambda value: value * 257).convert("I;16").save(out, "PNG")
        data = out.getvalue()
    else:
        out = BytesIO()
        Image.open(BytesIO(draw("PNG", mode="RGBA" if "A" in mode else "RGB"))).convert(mode).save(out, "PNG")
        data = out.getvalue()
    image = await made(outputs, tmp_path, data, f"x.{ending}", width=32)
    levels = image.convert("L").tobytes()
    assert max(levels) - min(levels) > 100


async def test_see_through_becomes_white_where_the_format_cannot_do_it(outputs: Outputs, tmp_path: Path) -> None:
    out = BytesIO()
    Image.new("RGBA", (16, 16), (255, 0, 0, 0)).save(out, "PNG")
    image = await made(outputs, tmp_path, out.getvalue(), "x.jpg")
    assert min(image.tobytes()) > 250


async def test_a_turned_picture_is_set_upright_and_tells_no_place(outputs: Outputs, draw: Any, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    exif.get_ifd(0x8825)[1] = "N"
    image = await made(outputs, tmp_path, draw("JPEG", (64, 48), exif=exif), "x.webp")
    assert image.size == (48, 64)
    assert not image.getexif()


async def test_a_colour_profile_stays_with_its_colours(outputs: Outputs, draw: Any, tmp_path: Path) -> None:
    from PIL import ImageCms

    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    image = await made(outputs, tmp_path, draw("PNG", icc_profile=profile), "x.webp", width=32)
    assert image.info["icc_profile"] == profile


async def test_the_same_steps_give_the_same_bytes(outputs: Outputs, draw: Any) -> None:
    facts = await stored(outputs, draw("PNG", (200, 150)))
    for ending in ("jpg", "webp", "avif", "png"):
        hashes = set()
        for name in ("a", "b"):
            hashes.add((await written(outputs, facts, f"{name}.{ending}", width=100, height=100, fit="cover")).sha256)
        assert len(hashes) == 1, ending


async def test_quality_decides_the_size(outputs: Outputs, draw: Any) -> None:
    facts = await stored(outputs, draw("PNG", (200, 150)))
    small, large = [await written(outputs, facts, f"q{quality}.jpg", quality=quality) for quality in (20, 95)]
    assert small.bytes < large.bytes


@pytest.mark.parametrize(
    ("width", "height", "fit", "scaled"),
    [
        (None, None, "contain", (300, 200)), (150, None, "contain", (150, 100)), (None, 100, "cover", (150, 100)),
        (150, 150, "contain", (150, 100)), (150, 150, "cover", (225, 150)), (150, 150, "fill", (150, 150)),
        (600, None, "contain", (600, 400)), (1, 1, "contain", (1, 1)), (7, 1000, "contain", (7, 5)),
        (100, 67, "cover", (100, 67)), (99, 66, "contain", (99, 66)),
    ],
)  # fmt: skip
def test_the_scaled_size(width: int | None, height: int | None, fit: Any, scaled: tuple[int, int]) -> None:
    assert target_size((300, 200), width, height, fit) == scaled


async def test_cover_crops_to_exactly_the_box(outputs: Outputs, draw: Any, tmp_path: Path) -> None:
    image = await made(outputs, tmp_path, draw("PNG", (333, 222)), "x.png", width=101, height=67, fit="cover")
    assert image.size == (101, 67)


def asked(path: str, mark: Mark | None = None, **steps: Any) -> Request:
    return Request(path=path, wanted=WantedOutput(spec=OutputSpec(path=path, **steps), develop="d", mark=mark))


async def test_a_step_that_would_change_nothing_is_none(outputs: Outputs, draw: Any) -> None:
    facts = await stored(outputs, draw("PNG", (64, 48)))
    for idle in ({"width": 64}, {"quality": 80}, {"mark": Mark()}, {"max_bytes": facts.bytes}, {"focus": (0, 0)}):
        assert delivered_as_is(asked("x.png", **idle), facts), idle
    for step in (
        {"width": 65}, {"height": 47}, {"strip": True}, {"background": "#ffffff"}, {"mark": Mark(always=True)},
        {"max_bytes": facts.bytes - 1},
    ):  # fmt: skip
        assert not delivered_as_is(asked("x.png", **step), facts), step
    assert not delivered_as_is(asked("x.jpg"), facts)


async def test_an_impossible_size_is_an_error_and_leaves_nothing_behind(
    outputs: Outputs, draw: Any, tmp_path: Path
) -> None:
    facts = await stored(outputs, draw("PNG"))
    with pytest.raises(OutputError, match="cannot be developed"):
        await written(outputs, facts, "x.png", width=16384, height=16384, fit="fill")
    assert list((tmp_path / "project").iterdir()) == []
    assert list((tmp_path / "store/new").iterdir()) == []


async def test_a_foreign_file_stays_and_our_derived_bytes_do_not_pile_up(
    outputs: Outputs, draw: Any, tmp_path: Path
) -> None:
    (tmp_path / "project/x.webp").write_bytes(b"by hand")
    facts = await stored(outputs, draw("PNG"))
    with pytest.raises(RefusedError):
        await written(outputs, facts, "x.webp")
    assert (tmp_path / "project/x.webp").read_bytes() == b"by hand"
    assert list((tmp_path / "store/new").iterdir()) == []
    output = await written(outputs, facts, "x.webp", force=True)
    assert await outputs.move(output, "y/z.webp") == "moved"
    assert not await outputs.trash(output, "day")


def ladder_of(*steps: tuple[str, dict[str, Any]]) -> list[ToPlace]:
    return [
        ToPlace(path=path, wanted=WantedOutput(spec=OutputSpec(path=path, **one), develop=path)) for path, one in steps
    ]


async def test_files_of_one_picture_are_made_at_once_and_none_is_placed_where_one_cannot_be_made(
    outputs: Outputs, draw: Any, tmp_path: Path
) -> None:
    facts = await stored(outputs, draw("PNG"))
    ladder = ladder_of(("a.png", {}), ("b.webp", {"width": 20}), ("c.jpg", {"max_bytes": 30}), ("d.jpg", {"width": 9}))
    placed: list[str] = []
    with pytest.raises(OutputError, match=r"c\.jpg: it takes [0-9]+ bytes, [0-9]+ more than max_bytes allows"):
        await outputs.write([(ladder, facts)], announce=announce, placed=lambda path, _: placed.append(path))
    assert placed == []
    assert list((tmp_path / "project").iterdir()) == []
    assert list((tmp_path / "store/new").iterdir()) == []
    del ladder[2]
    made = await outputs.write([(ladder, facts)], announce=announce, placed=lambda *_: None)
    assert [one.path for one in made] == ["a.png", "b.webp", "d.jpg"]
    assert made[0].sha256 == facts.sha256


async def test_a_file_over_which_a_worker_dies_is_the_one_that_is_told(
    outputs: Outputs, draw: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts = await stored(outputs, draw("PNG"))
    plain = outputs.workers.run

    async def dying(job: Any, *, seconds: float) -> Any:
        if any(steps["width"] == 7 for steps in job["files"]):
            raise WorkerGone("the decoder process died")
        return await plain(job, seconds=seconds)

    monkeypatch.setattr(outputs.workers, "run", dying)
    placed: list[str] = []
    ladder = ladder_of(("a.webp", {"width": 20}), ("b.webp", {"width": 7}))
    with pytest.raises(OutputError, match=r"b\.webp: the decoder process died"):
        await outputs.write([(ladder, facts)], announce=announce, placed=lambda path, _: placed.append(path))
    assert placed == []
