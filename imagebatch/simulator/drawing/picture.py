"""One picture: words, seed and size in, encoded bytes out; the same in gives the same bytes out."""

import io
import math
from dataclasses import dataclass

from PIL import Image, ImageFilter, ImageOps

from imagebatch.simulator.chance import dice
from imagebatch.simulator.drawing import figures, outdoors, things
from imagebatch.simulator.drawing.canvas import Canvas, curve, lighter, mix, oval, stroke
from imagebatch.simulator.drawing.words import Scene, read_scene

_LARGEST_DRAWN = 2100
# Scale, place from left to right, horizon from the top, way to look: what sets the proposals of one request apart.
_COMPOSITIONS = ((1.0, 0.5, 0.60, 1), (1.24, 0.60, 0.50, -1), (0.8, 0.35, 0.68, 1), (0.92, 0.66, 0.56, -1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """What to draw.

    Attributes:
        prompt: words that the scene is read from.
        width, height: size in pixels.
        seed: decides every detail.
        composition: which proposal of one request this is, from 0.
        weather, time, style: params of All-Images.ai; they win over words of the prompt.
        format: `jpeg`, `png` or `webp`.
        quality: for jpeg and webp.
        transparent: no ground; only png and webp keep it.
        detail: below 1 draws smaller and blows up, which is quick and still the right size.
    """

    prompt: str
    width: int
    height: int
    seed: str
    composition: int = 0
    weather: str = ""
    time: str = ""
    style: str = ""
    format: str = "jpeg"
    quality: int = 88
    transparent: bool = False
    detail: float = 1.0


def draw(picture: Picture, references: tuple[bytes, ...] = ()) -> bytes:
    """Draw a picture; input images are shown as framed pictures within it.

    Args:
        picture: what to draw.
        references: encoded input images of an edit.
    """
    scale = min(picture.detail, _LARGEST_DRAWN / max(picture.width, picture.height), 1.0)
    width, height = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
    canvas = Canvas(max(width, 16), max(height, 16), dice(picture.seed, picture.composition))
    scene = read_scene(picture.prompt, weather=picture.weather, time=picture.time)
    _paint(canvas, scene, picture.composition)
    if references:
        _frame(canvas, references)
    image = canvas.image
    if picture.style == "realisticManuel":
        image = ImageOps.autocontrast(image, cutoff=1).filter(ImageFilter.UnsharpMask(2, 60))
    if image.size != (picture.width, picture.height):
        image = image.resize((picture.width, picture.height), Image.Resampling.BICUBIC)
    return _encoded(_cut_out(image) if picture.transparent else image, picture)


def _paint(canvas: Canvas, scene: Scene, composition: int) -> None:
    scale, at, line, flip = _COMPOSITIONS[composition % len(_COMPOSITIONS)]
    chance = canvas.chance
    at, line, scale = (
        at + chance.uniform(-0.04, 0.04),
        line + chance.uniform(-0.03, 0.03),
        scale * chance.uniform(0.95, 1.05),
    )
    width, height, unit = canvas.width, canvas.height, canvas.unit
    horizon = height * line
    if scene.stage == "land":
        outdoors.draw_sky(canvas, scene, horizon, 1 - at if scene.motif != "sea" else at)
        outdoors.PLACES[scene.motif](canvas, scene, horizon, at)
        outdoors.draw_weather(canvas, scene, horizon)
    elif scene.stage == "animal":
        _animal(canvas, scene, at, horizon, unit * 0.72 * scale, flip)
    elif scene.stage == "product":
        size = unit * 0.66 * scale * things.RELATIVE.get(scene.motif, 1.0)
        things.product(canvas, scene, width * (0.5 + (at - 0.5) * 0.5), height * 0.5 + size * 0.53, size, flip)
    elif scene.stage == "emblem":
        things.emblem(canvas, scene, width * (0.5 + (at - 0.5) * 0.2), height * 0.5, unit * 0.68 * scale, flip)
    elif scene.stage in ("flower", "portrait"):
        _bokeh(canvas, scene)
        if scene.stage == "flower":
            figures.flowers(canvas, scene, width * (0.5 + (at - 0.5) * 0.5), height * 0.98, unit * 0.85 * scale, flip)
        else:
            figures.portrait(
                canvas, scene, width * (0.5 + (at - 0.5) * 0.6), height, unit * 0.84 * min(scale, 0.96), flip
            )
        outdoors.draw_weather(canvas, scene, height * 0.5)
    elif scene.stage == "fabric":
        _fabric(canvas, scene)
    else:
        _abstract(canvas, scene)


def _animal(canvas: Canvas, scene: Scene, at: float, horizon: float, size: float, flip: int) -> None:  # noqa: PLR0917 - where, how large, which way: the order of drawing
    line = min(horizon, canvas.height * 0.56)
    outdoors.draw_sky(canvas, scene, line, 1 - at)
    place = (
        scene.place
        if scene.place in outdoors.PLACES and scene.place != "car"
        else ("forest" if scene.motif == "fox" else "park")
    )
    outdoors.PLACES[place](canvas, scene, line, 1 - at)
    # The surroundings lie out of focus, so that the animal is what one sees.
    canvas.image = canvas.image.filter(ImageFilter.BoxBlur(canvas.unit * 0.006))
    if scene.motif == "bird":
        figures.bird(canvas, scene, canvas.width * at, canvas.height * 0.82, size * 0.85, flip)
    else:
        figures.four_legs(canvas, scene, canvas.width * at, canvas.height * 0.93, size, flip)
    outdoors.draw_weather(canvas, scene, line)


def _bokeh(canvas: Canvas, scene: Scene) -> None:
    """Paint a background out of focus: soft discs of light."""
    chance, unit = canvas.chance, canvas.unit
    ground = (30, 34, 56) if scene.dark else outdoors.GREENS[scene.season][0]
    tones = [mix(ground, (255, 240, 210), 0.35), mix(ground, (90, 120, 110), 0.4), lighter(ground, -0.3)]
    canvas.gradient((tones[0], ground, tones[2]))
    for _ in range(18):
        x, y, radius = (
            chance.random() * canvas.width,
            chance.random() * canvas.height,
            unit * chance.uniform(0.04, 0.13),
        )
        canvas.fill(oval(x, y, radius), colour=lighter(chance.choice(tones), 0.3), alpha=0.28, blur=unit * 0.008)


def _fabric(canvas: Canvas, scene: Scene) -> None:
    """Paint a plain weave seen from near: each thread goes over one and under the next."""
    chance, unit = canvas.chance, canvas.unit
    base = scene.colours[0] if scene.colours else _hue(chance.random())
    canvas.gradient((lighter(base, -0.3), lighter(base, -0.36)))
    pitch = unit * chance.uniform(0.017, 0.023)
    columns, rows = int(canvas.width / pitch) + 2, int(canvas.height / pitch) + 2
    shades = [lighter(base, share) for share in (-0.12, -0.04, 0.04, 0.12, 0.2)]
    for upright in (False, True):
        threads, crossings = (columns, rows) if upright else (rows, columns)
        by_shade: dict[int, list[list[tuple[float, float]]]] = {}
        for thread in range(threads):
            across = (thread + chance.uniform(-0.12, 0.12)) * pitch
            shade = chance.randrange(len(shades))
            for crossing in range((thread + upright) % 2, crossings, 2):
                ends = [(across, (crossing + side) * pitch) for side in (-0.62, 0.62)]
                by_shade.setdefault(shade, []).append(ends if upright else [(down, right) for right, down in ends])
        for shade, lines in by_shade.items():
            canvas.lines(lines, pitch * 0.8, shades[shade], alpha=0.95)


def _abstract(canvas: Canvas, scene: Scene) -> None:
    """Paint ribbons of colour, for words that name no thing."""
    chance, width, height, unit = canvas.chance, canvas.width, canvas.height, canvas.unit
    tones = list(scene.colours) or [_hue(chance.random()) for _ in range(2)]
    tones += [mix(tones[0], tones[-1], 0.5), lighter(tones[0], 0.5), lighter(tones[-1], -0.45)]
    canvas.gradient((lighter(tones[0], 0.55), lighter(tones[-1], 0.25), lighter(tones[-1], -0.3)))
    for index in range(9):
        y, swing = height * (index + 0.5) / 9, unit * chance.uniform(0.08, 0.24)
        phase, pace = chance.random() * math.tau, chance.uniform(0.8, 1.6)
        line = curve(*[(width * (i / 6 * 1.2 - 0.1), y + swing * math.sin(phase + i * pace)) for i in range(7)])
        tone = tones[index % len(tones)]
        wide = unit * chance.uniform(0.05, 0.16)
        canvas.fill(
            stroke([(a, b + unit * 0.02) for a, b in line], [wide, wide * 0.4, wide * 1.2]),
            colour=(10, 12, 20),
            alpha=0.25,
            blur=unit * 0.02,
        )
        canvas.fill(
            stroke(line, [wide, wide * 0.4, wide * 1.2]),
            colour=lighter(tone, 0.2),
            low=lighter(tone, -0.15),
            alpha=0.92,
        )
    for _ in range(4):
        radius = unit * chance.uniform(0.04, 0.14)
        canvas.fill(
            oval(width * chance.random(), height * chance.random(), radius),
            colour=lighter(chance.choice(tones), 0.3),
            low=chance.choice(tones),
        )


def _hue(turn: float) -> tuple[int, int, int]:
    red, green, blue = (round(128 + 90 * math.cos((turn + shift) * math.tau)) for shift in (0.0, 0.33, 0.67))
    return red, green, blue


def _frame(canvas: Canvas, references: tuple[bytes, ...]) -> None:
    """Hang the input images into the scene: the first large, others as small ones below it."""
    width, height = canvas.width, canvas.height
    for index, data in enumerate(references[:5]):
        try:
            with Image.open(io.BytesIO(data)) as opened:
                opened.draft("RGB", (width, height))
                given = opened.convert("RGBA")
        except (OSError, ValueError, SyntaxError):
            given = Image.new("RGBA", (64, 64), (200, 60, 60, 255))
        share = 0.52 if index == 0 else 0.16
        given.thumbnail((max(8, round(width * share)), max(8, round(height * share))), Image.Resampling.LANCZOS)
        border = max(2, round(canvas.unit * (0.02 if index == 0 else 0.01)))
        card = Image.new("RGB", (given.width + 2 * border, given.height + 2 * border), (250, 249, 246))
        card.paste(given, (border, border), given)
        left = round(width * 0.5 - card.width / 2) if index == 0 else round(width * (0.04 + 0.24 * (index - 1)))
        top = round(height * 0.44 - card.height / 2) if index == 0 else round(height * 0.96 - card.height)
        shade = [
            (left, top),
            (left + card.width, top),
            (left + card.width, top + card.height),
            (left, top + card.height),
        ]
        canvas.fill(
            [(x + border * 0.4, y + border * 0.8) for x, y in shade], colour=(8, 10, 14), alpha=0.5, blur=border * 0.9
        )
        canvas.image.paste(card, (left, top))


def _cut_out(image: Image.Image) -> Image.Image:
    """Give the picture a soft round mask in place of its ground."""
    mask = (
        Image.radial_gradient("L")
        .resize(image.size)
        .point([255 if v < 150 else max(0, 255 - (v - 150) * 12) for v in range(256)])
    )
    image = image.convert("RGBA")
    image.putalpha(mask)
    return image


def _encoded(image: Image.Image, picture: Picture) -> bytes:
    out = io.BytesIO()
    if picture.format == "png":
        image.save(out, "PNG", compress_level=2)
    elif picture.format == "webp":
        image.save(out, "WEBP", quality=picture.quality, method=1)
    else:
        image.convert("RGB").save(out, "JPEG", quality=picture.quality)
    return out.getvalue()
