"""Pictures: the same in gives the same out, other words give another scene, proposals differ."""

import io
import time

import pytest
from PIL import Image, ImageStat

from imagebatch.simulator.drawing.picture import Picture, draw
from imagebatch.simulator.drawing.words import read_scene


def picture(prompt: str, **more: object) -> Picture:
    settings: dict[str, object] = {"prompt": prompt, "width": 192, "height": 128, "seed": "s", **more}
    return Picture(**settings)  # type: ignore[arg-type]  # a test may set any field


def mean(data: bytes) -> list[float]:
    with Image.open(io.BytesIO(data)) as shown:
        return ImageStat.Stat(shown.convert("RGB")).mean


def test_a_picture_is_the_same_bytes_each_time() -> None:
    assert draw(picture("a fox in snow")) == draw(picture("a fox in snow"))


def test_another_seed_or_another_proposal_is_another_picture() -> None:
    drawn = [draw(picture("a city", seed=seed, composition=n)) for seed in "ab" for n in range(4)]
    assert len(set(drawn)) == 8


@pytest.mark.parametrize(
    ("prompt", "motif", "stage"),
    [
        ("A spring morning in a city park", "park", "land"),
        ("brass desk lamp on seamless white", "lamp", "product"),
        ("a red fox in snow", "fox", "animal"),
        ("a mountain lake at sunset", "lake", "land"),
        ("game icon: golden crown", "crown", "emblem"),
        ("teal and orange thoughts", "abstract", "abstract"),
        ("a snowy evening", "park", "land"),
        ("Seamless linen fabric texture in sage", "fabric", "fabric"),
        ("a wool armchair", "chair", "product"),
    ],
)
def test_words_decide_the_scene(prompt: str, motif: str, stage: str) -> None:
    scene = read_scene(prompt)
    assert (scene.motif, scene.stage) == (motif, stage)


def test_params_of_the_request_win_over_words() -> None:
    scene = read_scene("a sunny morning by the sea", weather="foggy", time="night")
    assert (scene.weather, scene.time) == ("foggy", "night")


def test_night_is_darker_than_day_and_autumn_redder_than_summer() -> None:
    day, night = mean(draw(picture("a park"))), mean(draw(picture("a park at night")))
    summer, autumn = mean(draw(picture("a summer park"))), mean(draw(picture("an autumn park")))
    assert sum(night) < 0.5 * sum(day)
    assert autumn[0] - autumn[1] > summer[0] - summer[1] + 15


@pytest.mark.parametrize(("form", "name"), [("jpeg", "JPEG"), ("png", "PNG"), ("webp", "WEBP")])
@pytest.mark.parametrize("size", [(7, 7), (64, 512), (1024, 256)])
def test_size_and_format_are_as_asked(form: str, name: str, size: tuple[int, int]) -> None:
    data = draw(picture("a sword", width=size[0], height=size[1], format=form, detail=0.25))
    with Image.open(io.BytesIO(data)) as shown:
        shown.load()
        assert (shown.format, shown.size) == (name, size)


def test_a_transparent_picture_has_transparent_corners() -> None:
    with Image.open(io.BytesIO(draw(picture("a gem", format="png", transparent=True)))) as shown:
        assert shown.getpixel((0, 0))[3] == 0  # type: ignore[index]  # RGBA pixels are tuples


def test_an_edit_of_a_broken_input_still_draws() -> None:
    assert mean(draw(picture("a poster"), (b"no picture",)))


@pytest.mark.parametrize("prompt", ["", "🦊", "x" * 5000, "fox cat dog lamp sword city [fail]", "dog " * 50])
def test_any_prompt_draws(prompt: str) -> None:
    assert draw(picture(prompt, detail=0.5))


def test_a_megapixel_takes_well_under_a_second_of_cpu() -> None:
    draw(picture("a park"))
    started = time.process_time()
    draw(picture("a spring morning in a park", width=1024, height=1024))
    assert time.process_time() - started < 0.9
