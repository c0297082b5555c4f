"""The ladder's steps: the pixels that come out, where a crop goes, how many bytes fit, what colours become."""

import json
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from imagebatch.model.mark import Mark
from imagebatch.model.variant import OutputSpec
from imagebatch.outputs.bad_picture import BadPicture
from imagebatch.outputs.darkroom import QUALITIES, Negative
from imagebatch.outputs.fingerprint import develop_fingerprint
from imagebatch.outputs.marking import find_mark
from imagebatch.outputs.paths import FORMATS
from imagebatch.outputs.steps import Steps
from imagebatch.outputs.xmp import packet
from tests.unit.outputs.ladder_cases import GOLDEN, cases, developed, drawn, made_with, pixel_hash, sources

XMP = packet(Mark(alt="a fox")).decode()


def opened(data: bytes) -> Image.Image:
    return Image.open(BytesIO(data))


def test_every_step_gives_the_pixels_that_it_always_gave(tmp_path: Path) -> None:
    golden = json.loads(GOLDEN.read_text("utf-8"))
    ours, theirs = dict(made_with()), golden["made_with"]
    foreign = ours.pop("machine") != theirs.pop("machine")  # encoders may round otherwise on another processor
    assert ours == theirs, (
        "Pillow or one of its encoders is another one than the golden hashes were made with: see how the new files "
        "look, then run: .venv/bin/python -m tests.unit.outputs.ladder_cases"
    )
    delivered = sources()
    found = {
        name: pixel_hash(developed(tmp_path, delivered[source], ending, steps))
        for name, source, ending, steps in cases()
        if not foreign or (ending == "png" and delivered[source].startswith(b"\x89PNG"))
    }
    assert len(found) > (60 if foreign else 200)
    assert {name: one for name, one in found.items() if golden["pixels"].get(name) != one} == {}
    assert foreign or found.keys() == golden["pixels"].keys()


def test_every_way_to_turn_a_picture_ends_upright(tmp_path: Path) -> None:
    upright = drawn()
    for number in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = number
        turned = BytesIO()
        upright.transpose(_BACK[number]).save(turned, "PNG", exif=exif) if number > 1 else upright.save(turned, "PNG")
        image = opened(developed(tmp_path, turned.getvalue(), "png", {}))
        assert (image.size, image.tobytes()) == (upright.size, upright.tobytes()), number
        assert not image.getexif()


_BACK = {
    2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_90, 7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}  # fmt: skip


@given(width=st.integers(1, 60), height=st.integers(1, 60), across=st.integers(0, 10_000), down=st.integers(0, 10_000))
def test_a_crop_is_exactly_the_box_wherever_its_focus_is(width: int, height: int, across: int, down: int) -> None:
    negative = Negative(Path("unused"))
    negative._pixels = (drawn(), None)
    data = negative._encoded(
        Steps(target="", media_type="image/png", width=width, height=height, fit="cover", focus=(across, down))
    )
    assert opened(data).size == (width, height)


def test_the_focus_says_which_part_stays(tmp_path: Path) -> None:
    image = Image.new("RGB", (90, 30))
    for number, colour in enumerate(((255, 0, 0), (0, 255, 0), (0, 0, 255))):
        image.paste(colour, (30 * number, 0, 30 * number + 30, 30))
    out = BytesIO()
    image.save(out, "PNG")
    kept = {
        focus: opened(
            developed(tmp_path, out.getvalue(), "png", {"width": 30, "height": 30, "fit": "cover", "focus": focus})
        ).getpixel((15, 15))
        for focus in ((0, 5_000), (5_000, 5_000), (10_000, 5_000))
    }
    assert list(kept.values()) == [(255, 0, 0), (0, 255, 0), (0, 0, 255)]


@pytest.mark.parametrize(("focus", "shade"), [((5_000, 0), 0), ((5_000, 5_000), 100), ((5_000, 10_000), 200)])
def test_a_thin_picture_is_cut_without_being_made_large(tmp_path: Path, focus: tuple[int, int], shade: int) -> None:
    image = Image.new("L", (1, 5000))
    for number in range(5000):
        image.putpixel((0, number), number // 25)
    out = BytesIO()
    image.save(out, "PNG")
    steps = {"width": 100, "height": 40, "fit": "cover", "focus": focus}
    found = opened(developed(tmp_path, out.getvalue(), "png", steps)).convert("L")
    assert found.size == (100, 40)
    (darkest, _) = found.getextrema()
    assert darkest in range(shade - 1, shade + 2)


@pytest.mark.parametrize("ending", ["jpg", "webp", "avif"])
def test_max_bytes_takes_the_best_quality_that_fits_mark_and_all(tmp_path: Path, ending: str) -> None:
    data = sources()["rgb"]
    sizes = {quality: len(developed(tmp_path, data, ending, {"quality": quality, "xmp": XMP})) for quality in QUALITIES}
    most = sizes[60] + 3
    found = developed(tmp_path, data, ending, {"max_bytes": most, "xmp": XMP})
    best = max(quality for quality, size in sizes.items() if size <= most)
    assert len(found) == sizes[best] <= most
    assert find_mark(found).marked


@pytest.mark.parametrize(
    ("ending", "why"), [("webp", "lowest quality, 5"), ("png", "no quality that could be lowered")]
)
def test_what_fits_at_no_quality_says_by_how_much(tmp_path: Path, ending: str, why: str) -> None:
    with pytest.raises(BadPicture, match=f"bytes, [0-9]+ more than max_bytes allows.*{why}") as error:
        developed(tmp_path, sources()["rgb"], ending, {"max_bytes": 40})
    assert error.value.code == "image.max_bytes"


def test_a_background_is_seen_where_the_picture_is_not(tmp_path: Path) -> None:
    out = BytesIO()
    Image.new("RGBA", (8, 8), (0, 0, 255, 0)).save(out, "PNG")
    for ending in ("png", "webp", "jpg", "avif"):
        image = opened(developed(tmp_path, out.getvalue(), ending, {"background": "#ff0000", "quality": 100}))
        assert image.mode == "RGB"
        red, green, blue = image.getpixel((4, 4))  # type: ignore[misc]
        assert (red > 240, green < 15, blue < 15) == (True, True, True), ending


def test_see_through_stays_so_where_the_format_can_do_it(tmp_path: Path) -> None:
    for source in ("rgba", "grey-alpha", "palette-alpha", "webp"):
        for ending in ("png", "webp", "avif"):
            image = opened(developed(tmp_path, sources()[source], ending, {"width": 24}))
            assert image.mode == "RGBA", (source, ending)
            low, high = image.getchannel("A").getextrema()
            assert high - low > 100  # type: ignore[operator]


def test_stripping_turns_colours_into_srgb_and_drops_the_profile(tmp_path: Path) -> None:
    for source in ("profile", "profile-alpha"):
        kept = opened(developed(tmp_path, sources()[source], "png", {"width": 24}))
        stripped = opened(developed(tmp_path, sources()[source], "png", {"width": 24, "strip": True}))
        assert "icc_profile" in kept.info
        assert "icc_profile" not in stripped.info
        assert kept.mode == stripped.mode
        was, now = (image.convert("RGB").getpixel((1, 12)) for image in (kept, stripped))
        assert was[0] != now[0]  # type: ignore[index]
    alpha = [
        opened(developed(tmp_path, sources()["profile-alpha"], "png", s)).getchannel("A") for s in ({}, {"strip": True})
    ]
    assert alpha[0].tobytes() == alpha[1].tobytes()


def test_a_profile_that_is_broken_or_for_other_channels_goes_nowhere(tmp_path: Path) -> None:
    out = BytesIO()
    drawn().convert("L").save(out, "PNG", icc_profile=b"x" * 16 + b"RGB " + b"x" * 200)
    for data in (sources()["broken-profile"], out.getvalue()):
        for steps in ({"width": 24}, {"strip": True}):
            assert "icc_profile" not in opened(developed(tmp_path, data, "png", steps)).info


def test_one_picture_is_decoded_once_and_each_file_is_as_if_made_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "picture"
    source.write_bytes(sources()["profile-alpha"])
    ladder: list[dict[str, Any]] = [{"strip": True}, {"width": 20}, {"background": "#112233"}, {}]
    alone = [developed(tmp_path, source.read_bytes(), "webp", steps) for steps in ladder]
    opens: list[Any] = []
    plain_open = Image.open

    def counted(path: Any, **named: Any) -> Any:
        opens.append(path)
        return plain_open(path, **named)

    monkeypatch.setattr(Image, "open", counted)
    negative = Negative(source)
    for number, steps in enumerate(ladder):
        target = tmp_path / f"{number}.webp"
        assert negative.developed(Steps(target=str(target), media_type=FORMATS["webp"], **steps)) == len(alone[number])
        assert target.read_bytes() == alone[number]
    assert len(opens) == 1


SPECS = st.fixed_dictionaries(
    {
        "path": st.sampled_from(["a.png", "a.jpg", "a.webp"]),
        "width": st.sampled_from([None, 48, 20]),
        "height": st.sampled_from([None, 36, 20]),
        "fit": st.sampled_from(["contain", "cover", "fill"]),
        "focus": st.sampled_from([(5_000, 5_000), (0, 0)]),
        "quality": st.sampled_from([None, 50]),
        "background": st.sampled_from([None, "#ffffff", "#10a020"]),
        "strip": st.booleans(),
    }
)
_SEE_THROUGH = sources()["profile-alpha"]


@settings(max_examples=150, deadline=None)
@given(one=SPECS, other=SPECS, keep=st.sets(st.sampled_from(["path", "width", "height", "fit", "focus", "strip"])))
def test_files_that_differ_have_other_fingerprints(
    tmp_path_factory: pytest.TempPathFactory, one: dict[str, Any], other: dict[str, Any], keep: set[str]
) -> None:
    specs = [OutputSpec(**one), OutputSpec(**other | {name: one[name] for name in keep})]
    folder = tmp_path_factory.getbasetemp()
    files = []
    for spec in specs:
        steps = {name: getattr(spec, name) for name in one if name != "path"}
        files.append(developed(folder, _SEE_THROUGH, spec.path.rpartition(".")[2], steps))
    prints = [develop_fingerprint(spec, "png") for spec in specs]
    assert files[0] == files[1] or prints[0] != prints[1]
