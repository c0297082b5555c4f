"""A canvas with soft edges: shapes become supersampled masks of their bounding box, laid over the picture."""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from PIL import Image, ImageDraw, ImageFilter

Colour = tuple[int, int, int]
Point = tuple[float, float]
Shape = Sequence[Point]


def mix(one: Colour, other: Colour, share: float) -> Colour:
    """Blend two colours; a share of 0 is the first, 1 the other."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return red, green, blue


def times(colour: Colour, light: tuple[float, float, float]) -> Colour:
    """Multiply a colour by a light."""
    red, green, blue = (max(0, min(255, round(part * factor))) for part, factor in zip(colour, light, strict=True))
    return red, green, blue


def lighter(colour: Colour, share: float) -> Colour:
    """Blend a colour with white (or with black, for a negative share)."""
    return mix(colour, (255, 255, 255) if share >= 0 else (0, 0, 0), abs(share))


def oval(x: float, y: float, across: float, down: float | None = None) -> list[Point]:
    """List the points of an ellipse by centre and radii."""
    down = across if down is None else down
    steps = 40
    return [
        (x + across * math.cos(i * math.tau / steps), y + down * math.sin(i * math.tau / steps)) for i in range(steps)
    ]


def box(left: float, top: float, right: float, bottom: float) -> list[Point]:
    """List the corners of a rectangle."""
    return [(left, top), (right, top), (right, bottom), (left, bottom)]


def round_box(left: float, top: float, right: float, bottom: float, radius: float) -> list[Point]:
    """List the points of a rectangle with round corners."""
    points: list[Point] = []
    corners = [(right - radius, top + radius, -90), (right - radius, bottom - radius, 0)]
    corners += [(left + radius, bottom - radius, 90), (left + radius, top + radius, 180)]
    for x, y, start in corners:
        points += [
            (x + radius * math.cos(math.radians(start + i * 15)), y + radius * math.sin(math.radians(start + i * 15)))
            for i in range(7)
        ]
    return points


def stroke(points: Shape, widths: Sequence[float]) -> list[Point]:
    """Thicken a line to a shape; the widths are spread evenly along it."""
    left: list[Point] = []
    right: list[Point] = []
    last = len(points) - 1
    for i, (x, y) in enumerate(points):
        before, after = points[max(i - 1, 0)], points[min(i + 1, last)]
        angle = math.atan2(after[1] - before[1], after[0] - before[0]) + math.pi / 2
        at = i / last * (len(widths) - 1)
        low = min(int(at), len(widths) - 2) if len(widths) > 1 else 0
        wide = widths[low] if len(widths) == 1 else widths[low] + (widths[low + 1] - widths[low]) * (at - low)
        left.append((x + math.cos(angle) * wide / 2, y + math.sin(angle) * wide / 2))
        right.append((x - math.cos(angle) * wide / 2, y - math.sin(angle) * wide / 2))
    return left + right[::-1]


def curve(*through: Point, steps: int = 10) -> list[Point]:
    """Draw a smooth line through points (Catmull-Rom)."""
    points = [through[0], *through, through[-1]]
    line: list[Point] = []
    for a, b, c, d in zip(points, points[1:], points[2:], points[3:], strict=False):
        for step in range(steps):
            t = step / steps
            line.append((_between(a[0], b[0], c[0], d[0], t), _between(a[1], b[1], c[1], d[1], t)))
    return [*line, through[-1]]


def _between(a: float, b: float, c: float, d: float, t: float) -> float:
    return 0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t * t + (3 * b - a - 3 * c + d) * t * t * t)


@dataclass(slots=True)
class Canvas:
    """The picture that grows, and the chance that its details come from."""

    width: int
    height: int
    chance: random.Random
    image: Image.Image = field(init=False)

    def __post_init__(self) -> None:
        """Start with black."""
        self.image = Image.new("RGB", (self.width, self.height))

    @property
    def unit(self) -> float:
        """The shorter edge, in pixels: the measure for everything that must not be stretched."""
        return float(min(self.width, self.height))

    def gradient(self, stops: Sequence[Colour], top: float = 0.0, bottom: float | None = None) -> None:
        """Fill a band of the full width with colours from top to bottom."""
        end = self.height if bottom is None else round(bottom)
        start = round(top)
        if end > start:
            self.image.paste(_ramp(stops, self.width, end - start), (0, start))

    def fill(
        self, *shapes: Shape, colour: Colour, low: Colour | None = None, alpha: float = 1.0, blur: float = 0.0
    ) -> None:
        """Fill shapes with a colour, or with a run of colour down to `low`; blurred by so many pixels."""
        shapes = tuple(shape for shape in shapes if len(shape) > 2)
        if not shapes:
            return
        pad = blur * 2.5 + 1
        left = max(0, math.floor(min(x for shape in shapes for x, _ in shape) - pad))
        top = max(0, math.floor(min(y for shape in shapes for _, y in shape) - pad))
        right = min(self.width, math.ceil(max(x for shape in shapes for x, _ in shape) + pad))
        bottom = min(self.height, math.ceil(max(y for shape in shapes for _, y in shape) + pad))
        if right <= left or bottom <= top:
            return
        mask = _mask(shapes, (left, top, right, bottom), blur)
        if alpha < 1:
            mask = mask.point([round(value * alpha) for value in range(256)])
        if low is None:
            self.image.paste(colour, (left, top, right, bottom), mask)
        else:
            self.image.paste(_ramp((colour, low), right - left, bottom - top), (left, top), mask)

    def dots(self, points: Sequence[tuple[float, float, float]], colour: Colour, alpha: float = 1.0) -> None:
        """Draw many small round dots: x, y, radius."""
        mask = Image.new("L", self.image.size)
        pen = ImageDraw.Draw(mask)
        for x, y, radius in points:
            pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=round(255 * alpha))
        self.image.paste(colour, (0, 0), mask)

    def lines(self, lines: Sequence[Shape], width: float, colour: Colour, alpha: float = 1.0) -> None:
        """Draw many thin lines."""
        mask = Image.new("L", self.image.size)
        pen = ImageDraw.Draw(mask)
        for line in lines:
            pen.line([*line], fill=round(255 * alpha), width=max(1, round(width)), joint="curve")
        self.image.paste(colour, (0, 0), mask)

    def mottle(self, top: float, bottom: float, strength: float, colour: Colour, coarse: int = 24) -> None:
        """Lay soft irregular patches of a colour over a band, so that no plane looks empty."""
        start, end = max(0, round(top)), min(self.height, round(bottom))
        if end <= start:
            return
        across, down = coarse, max(2, coarse * (end - start) // self.width)
        noise = Image.frombytes("L", (across, down), self.chance.randbytes(across * down))
        fine = Image.frombytes("L", (across * 4, down * 4), self.chance.randbytes(across * down * 16))
        patches = Image.blend(noise.resize(fine.size, Image.Resampling.BICUBIC), fine, 0.35)
        mask = patches.point([round(max(0, value - 90) * strength) for value in range(256)])
        self.image.paste(colour, (0, start), mask.resize((self.width, end - start), Image.Resampling.BICUBIC))

    def glow(self, x: float, y: float, radius: float, colour: Colour, alpha: float) -> None:
        """Lay a round light over the picture."""
        side = max(2, round(radius * 2))
        light = (
            Image.radial_gradient("L")
            .resize((side, side))
            .point([round((255 - v) ** 2 / 255 * alpha) for v in range(256)])
        )
        left, top = round(x - radius), round(y - radius)
        area = (max(0, left), max(0, top), min(self.width, left + side), min(self.height, top + side))
        if area[2] > area[0] and area[3] > area[1]:
            crop = light.crop((area[0] - left, area[1] - top, area[2] - left, area[3] - top))
            self.image.paste(colour, area, crop)


def _ramp(stops: Sequence[Colour], width: int, height: int) -> Image.Image:
    column = Image.new("RGB", (1, 64))
    last = len(stops) - 1
    for y in range(64):
        at = y / 63 * last
        low = min(int(at), last - 1)
        column.putpixel((0, y), mix(stops[low], stops[low + 1], at - low))
    return column.resize((1, height), Image.Resampling.BICUBIC).resize((width, height), Image.Resampling.NEAREST)


def _mask(shapes: Sequence[Shape], area: tuple[int, int, int, int], blur: float) -> Image.Image:
    left, top, right, bottom = area
    width, height = right - left, bottom - top
    # A blurred mask needs no detail: it is drawn smaller by the blur and blown up again.
    factor = 1 / max(1.0, blur / 2) if blur else (3.0 if width * height < 120_000 else 2.0)
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    across, down = size[0] / width, size[1] / height
    mask = Image.new("L", size)
    pen = ImageDraw.Draw(mask)
    for shape in shapes:
        pen.polygon([((x - left) * across, (y - top) * down) for x, y in shape], fill=255)
    if blur:
        mask = mask.filter(ImageFilter.GaussianBlur(blur * factor))
    return mask.resize((width, height), Image.Resampling.BILINEAR if blur else Image.Resampling.BOX)
