"""Products on a seamless background, and emblems as for a game or an app."""

import math
from collections.abc import Callable

from imagebatch.simulator.drawing.canvas import Canvas, Colour, Point, box, curve, lighter, mix, oval, round_box, stroke
from imagebatch.simulator.drawing.words import Scene

Pen = Callable[..., list[Point]]
_HUES: tuple[Colour, ...] = (
    (196, 92, 66),
    (62, 110, 150),
    (214, 168, 78),
    (92, 132, 100),
    (146, 92, 138),
    (58, 62, 72),
    (226, 214, 196),
)


def backdrop(canvas: Canvas, scene: Scene, tone: Colour, floor: float) -> None:
    """Paint a studio: wall, floor and the soft bend between them, with a light from above."""
    white = bool(scene.words & {"white", "seamless", "catalog", "catalogue"})
    wall = (240, 240, 238) if white else mix((232, 228, 222), tone, 0.14)
    if scene.dark or scene.words & {"dark", "moody", "dramatic"}:
        wall = mix((44, 46, 54), tone, 0.12)
    canvas.gradient((lighter(wall, -0.10), wall, lighter(wall, 0.25), lighter(wall, -0.03), lighter(wall, -0.12)))
    canvas.glow(canvas.width * 0.42, floor * 0.5, canvas.unit * 0.75, lighter(wall, 0.7), 0.6)


def product(canvas: Canvas, scene: Scene, x: float, foot: float, size: float, flip: int) -> None:  # noqa: PLR0917 - where, how large, which way: the order of drawing
    """Draw a product with its shadow, `size` pixels high, standing at `foot`."""
    tone = next((c for c in scene.colours if c != (238, 236, 232)), None) or canvas.chance.choice(_HUES)
    backdrop(canvas, scene, tone, foot)
    canvas.fill(
        oval(x + flip * size * 0.08, foot + size * 0.005, size * (0.2 + _WIDE.get(scene.motif, 0.28)), size * 0.06),
        colour=(20, 20, 26),
        alpha=0.34,
        blur=size * 0.05,
    )
    canvas.fill(
        oval(x, foot, size * _WIDE.get(scene.motif, 0.24), size * 0.025),
        colour=(10, 10, 14),
        alpha=0.45,
        blur=size * 0.015,
    )

    def at(*points: Point) -> list[Point]:
        return [(x + flip * a * size, foot - b * size) for a, b in points]

    _PRODUCTS[scene.motif](canvas, tone, at, size)


def _lamp(canvas: Canvas, tone: Colour, at: Pen, s: float) -> None:
    metal = (176, 148, 92) if sum(tone) > 150 else (196, 198, 202)
    canvas.fill(oval(*at((0, 0.02))[0], s * 0.2, s * 0.04), colour=lighter(metal, 0.2), low=lighter(metal, -0.3))
    canvas.fill(stroke(at((0, 0.02), (0, 0.62)), [s * 0.03]), colour=lighter(metal, 0.1), low=lighter(metal, -0.2))
    centre = at((0, 0.6))[0]
    canvas.glow(centre[0], centre[1], s * 0.75, (255, 232, 178), 0.75)
    canvas.fill(
        at((-0.17, 0.98), (0.17, 0.98), (0.33, 0.56), (-0.33, 0.56)),
        colour=lighter(tone, 0.35),
        low=lighter(tone, 0.05),
    )
    canvas.fill(at((-0.17, 0.98), (-0.08, 0.98), (-0.2, 0.56), (-0.33, 0.56)), colour=lighter(tone, -0.2), alpha=0.5)
    canvas.fill(oval(*at((0, 0.56))[0], s * 0.33, s * 0.035), colour=(255, 244, 214), low=lighter(tone, 0.5))


def _chair(canvas: Canvas, tone: Colour, at: Pen, s: float) -> None:
    wood = lighter(mix((140, 96, 60), tone, 0.25), -0.05)
    legs = [stroke(at(*p), [s * 0.04, s * 0.026]) for p in (((-0.2, 0.44), (-0.25, 0.06)), ((0.2, 0.46), (0.26, 0.08)))]
    canvas.fill(*legs, colour=lighter(wood, -0.3))
    canvas.fill(
        curve(*at((-0.26, 0.5), (-0.3, 0.96), (-0.1, 1.02), (0.12, 1.0), (0.24, 0.94), (0.24, 0.5))),
        colour=lighter(tone, 0.18),
        low=lighter(tone, -0.12),
    )
    canvas.fill(
        curve(*at((-0.2, 0.56), (-0.22, 0.9), (0.0, 0.95), (0.18, 0.89), (0.19, 0.56))),
        colour=lighter(tone, 0.3),
        low=tone,
    )
    canvas.fill(
        curve(
            *at(
                (-0.32, 0.4),
                (-0.34, 0.5),
                (-0.1, 0.55),
                (0.2, 0.54),
                (0.34, 0.48),
                (0.34, 0.38),
                (0.0, 0.33),
                (-0.32, 0.4),
            )
        ),
        colour=lighter(tone, 0.28),
        low=lighter(tone, -0.18),
    )
    front = [
        stroke(at(*p), [s * 0.045, s * 0.028]) for p in (((-0.29, 0.4), (-0.35, 0.0)), ((0.29, 0.39), (0.37, 0.01)))
    ]
    canvas.fill(*front, colour=lighter(wood, 0.12), low=lighter(wood, -0.2))


def _cup(canvas: Canvas, tone: Colour, at: Pen, s: float) -> None:
    canvas.fill(oval(*at((0, 0.04))[0], s * 0.52, s * 0.075), colour=lighter(tone, 0.35), low=lighter(tone, -0.1))
    canvas.fill(
        stroke(curve(*at((0.28, 0.5), (0.52, 0.5), (0.5, 0.22), (0.24, 0.18))), [s * 0.065]),
        colour=lighter(tone, 0.1),
        low=lighter(tone, -0.25),
    )
    canvas.fill(
        curve(*at((-0.36, 0.62), (-0.33, 0.26), (-0.2, 0.06), (0.2, 0.06), (0.33, 0.26), (0.36, 0.62))),
        colour=lighter(tone, 0.22),
        low=lighter(tone, -0.2),
    )
    canvas.fill(
        curve(*at((-0.3, 0.56), (-0.27, 0.26), (-0.2, 0.14), (-0.18, 0.3), (-0.22, 0.56))),
        colour=(255, 255, 255),
        alpha=0.28,
        blur=s * 0.012,
    )
    canvas.fill(oval(*at((0, 0.62))[0], s * 0.36, s * 0.085), colour=lighter(tone, 0.45))
    canvas.fill(oval(*at((0, 0.61))[0], s * 0.31, s * 0.065), colour=(96, 60, 38), low=(58, 34, 22))
    for a in (-0.12, 0.02, 0.15):
        steam = curve(*at((a, 0.68), (a + 0.05, 0.8), (a - 0.04, 0.9), (a + 0.03, 1.04)))
        canvas.fill(stroke(steam, [s * 0.02, s * 0.05, s * 0.01]), colour=(255, 255, 255), alpha=0.6, blur=s * 0.016)


def _shoe(canvas: Canvas, tone: Colour, at: Pen, s: float) -> None:
    sole = curve(
        *at((-0.62, 0.02), (-0.63, 0.12), (0.0, 0.11), (0.66, 0.13), (0.7, 0.06), (0.64, 0.0), (-0.56, 0.0)), steps=6
    )
    upper = curve(
        *at(
            (-0.6, 0.1),
            (-0.62, 0.34),
            (-0.52, 0.62),
            (-0.44, 0.55),
            (-0.24, 0.52),
            (-0.12, 0.58),
            (0.04, 0.42),
            (0.3, 0.3),
            (0.58, 0.26),
            (0.68, 0.12),
        )
    )
    canvas.fill(upper, colour=lighter(tone, 0.16), low=lighter(tone, -0.16))
    canvas.fill(
        curve(*at((0.36, 0.1), (0.38, 0.24), (0.58, 0.25), (0.68, 0.12))),
        colour=lighter(tone, 0.4),
        low=lighter(tone, 0.1),
    )
    canvas.fill(
        curve(*at((-0.6, 0.1), (-0.61, 0.34), (-0.5, 0.4), (-0.4, 0.22), (-0.38, 0.1))), colour=lighter(tone, -0.25)
    )
    canvas.fill(
        stroke(curve(*at((-0.34, 0.16), (-0.1, 0.2), (0.12, 0.4))), [s * 0.06, s * 0.09, s * 0.03]),
        colour=(250, 250, 248),
    )
    canvas.fill(sole, colour=(252, 252, 250), low=(206, 206, 204))
    laces = [
        stroke(at((-0.1 + k * 0.075, 0.53 - k * 0.065), (0.0 + k * 0.085, 0.47 - k * 0.065)), [s * 0.022])
        for k in range(4)
    ]
    canvas.fill(*laces, colour=(250, 250, 248))


def _bottle(canvas: Canvas, tone: Colour, at: Pen, s: float) -> None:
    outline = curve(
        *at(
            (-0.19, 0.0),
            (-0.2, 0.1),
            (-0.2, 0.5),
            (-0.17, 0.62),
            (-0.075, 0.72),
            (-0.07, 0.92),
            (0.07, 0.92),
            (0.075, 0.72),
            (0.17, 0.62),
            (0.2, 0.5),
            (0.2, 0.1),
            (0.19, 0.0),
        ),
        steps=6,
    )
    canvas.fill(outline, colour=lighter(tone, 0.1), low=lighter(tone, -0.3))
    canvas.fill(
        stroke(at((-0.13, 0.06), (-0.13, 0.56)), [s * 0.045, s * 0.03]),
        colour=(255, 255, 255),
        alpha=0.45,
        blur=s * 0.008,
    )
    canvas.fill(stroke(at((0.165, 0.08), (0.165, 0.52)), [s * 0.02]), colour=(0, 0, 0), alpha=0.25, blur=s * 0.01)
    canvas.fill(
        round_box(*_span(at, -0.185, 0.46, 0.185, 0.16), s * 0.015), colour=(246, 240, 226), low=(226, 216, 196)
    )
    canvas.fill(
        box(*_span(at, -0.1, 0.38, 0.1, 0.355)),
        box(*_span(at, -0.13, 0.3, 0.13, 0.285)),
        box(*_span(at, -0.09, 0.24, 0.09, 0.23)),
        colour=lighter(tone, -0.3),
    )
    canvas.fill(round_box(*_span(at, -0.08, 1.0, 0.08, 0.9), s * 0.015), colour=(70, 64, 60), low=(34, 32, 32))


def _span(at: Pen, left: float, top: float, right: float, bottom: float) -> tuple[float, float, float, float]:
    """Give left, top, right, bottom in pixels, whichever way the thing looks."""
    one, other = at((left, top), (right, bottom))
    return min(one[0], other[0]), min(one[1], other[1]), max(one[0], other[0]), max(one[1], other[1])


def _vase(canvas: Canvas, tone: Colour, at: Pen, s: float) -> None:
    for a, b in ((-0.2, 0.98), (0.02, 1.08), (0.24, 0.96), (0.12, 0.86), (-0.1, 0.88)):
        stem = curve(*at((0, 0.55), (a * 0.5, 0.75), (a, b)))
        canvas.fill(stroke(stem, [s * 0.012]), colour=(98, 130, 84))
        leaves = [oval(px, py, s * 0.035, s * 0.018) for px, py in stem[8::3]]
        canvas.fill(*leaves, colour=(112, 148, 96))
    canvas.fill(
        curve(
            *at(
                (-0.14, 0.0),
                (-0.3, 0.2),
                (-0.26, 0.42),
                (-0.1, 0.54),
                (-0.12, 0.62),
                (0.12, 0.62),
                (0.1, 0.54),
                (0.26, 0.42),
                (0.3, 0.2),
                (0.14, 0.0),
            )
        ),
        colour=lighter(tone, 0.2),
        low=lighter(tone, -0.25),
    )
    canvas.fill(
        curve(*at((-0.22, 0.2), (-0.2, 0.36), (-0.12, 0.44), (-0.14, 0.26), (-0.22, 0.2))),
        colour=(255, 255, 255),
        alpha=0.35,
        blur=s * 0.015,
    )
    canvas.fill(oval(*at((0, 0.62))[0], s * 0.12, s * 0.022), colour=lighter(tone, -0.4))


def _watch(canvas: Canvas, tone: Colour, at: Pen, s: float) -> None:
    strap = [
        round_box(*_span(at, -0.13, 1.0, 0.13, 0.68), s * 0.04),
        round_box(*_span(at, -0.13, 0.32, 0.13, 0.0), s * 0.04),
    ]
    canvas.fill(*strap, colour=lighter(tone, 0.1), low=lighter(tone, -0.25))
    centre = at((0, 0.5))[0]
    canvas.fill(oval(*centre, s * 0.28), colour=(222, 224, 228), low=(128, 132, 140))
    canvas.fill(oval(*centre, s * 0.235), colour=(250, 249, 245), low=(226, 226, 222))
    marks = []
    for hour in range(12):
        turn, start = hour / 12 * math.tau, 0.18 if hour % 3 == 0 else 0.2
        ends = [(centre[0] + math.sin(turn) * s * r, centre[1] - math.cos(turn) * s * r) for r in (start, 0.222)]
        marks.append(stroke(ends, [s * (0.018 if hour % 3 == 0 else 0.008)]))
    canvas.fill(*marks, colour=(40, 42, 48))
    for turn, long, wide in ((-0.9, 0.12, 0.02), (1.0, 0.18, 0.013)):
        canvas.fill(
            stroke(
                [centre, (centre[0] + math.sin(turn) * s * long, centre[1] - math.cos(turn) * s * long)], [s * wide]
            ),
            colour=(30, 32, 38),
        )
    canvas.fill(oval(*centre, s * 0.014), colour=tone)


def _bag(canvas: Canvas, tone: Colour, at: Pen, s: float) -> None:
    canvas.fill(
        stroke(curve(*at((-0.2, 0.66), (-0.18, 0.95), (0.18, 0.95), (0.2, 0.66))), [s * 0.04]),
        colour=lighter(tone, -0.3),
    )
    canvas.fill(
        curve(
            *at(
                (-0.4, 0.04),
                (-0.36, 0.68),
                (-0.1, 0.72),
                (0.1, 0.72),
                (0.36, 0.68),
                (0.4, 0.04),
                (0.0, 0.0),
                (-0.4, 0.04),
            )
        ),
        colour=lighter(tone, 0.15),
        low=lighter(tone, -0.22),
    )
    canvas.fill(
        round_box(*_span(at, -0.25, 0.34, 0.25, 0.08), s * 0.04), colour=lighter(tone, 0.05), low=lighter(tone, -0.14)
    )
    canvas.fill(
        curve(*at((-0.36, 0.68), (-0.33, 0.48), (0.0, 0.42), (0.33, 0.48), (0.36, 0.68), (0.0, 0.74), (-0.36, 0.68))),
        colour=lighter(tone, 0.22),
        low=lighter(tone, -0.05),
    )
    canvas.fill(round_box(*_span(at, -0.045, 0.5, 0.045, 0.38), s * 0.012), colour=(226, 194, 112), low=(164, 126, 60))


def _table(canvas: Canvas, tone: Colour, at: Pen, s: float) -> None:
    wood = mix((164, 116, 74), tone, 0.3)
    legs = [stroke(at((a, 0.5), (a * 1.08, 0.0)), [s * 0.05, s * 0.032]) for a in (-0.5, -0.36, 0.36, 0.5)]
    canvas.fill(*legs, colour=lighter(wood, -0.05), low=lighter(wood, -0.35))
    canvas.fill(
        at((-0.5, 0.6), (0.5, 0.6), (0.64, 0.5), (-0.64, 0.5)), colour=lighter(wood, 0.3), low=lighter(wood, 0.1)
    )
    canvas.fill(box(*_span(at, -0.64, 0.5, 0.64, 0.45)), colour=lighter(wood, -0.1))
    canvas.fill(
        curve(*at((-0.06, 0.56), (-0.12, 0.64), (-0.04, 0.74), (0.04, 0.74), (0.12, 0.64), (0.06, 0.56))),
        colour=lighter(tone, 0.2),
        low=lighter(tone, -0.2),
    )


def _book(canvas: Canvas, tone: Colour, at: Pen, s: float) -> None:
    canvas.fill(
        at((-0.36, 0.06), (0.3, 0.0), (0.42, 0.08), (0.42, 0.94), (-0.24, 1.0), (-0.36, 0.92)),
        colour=lighter(tone, -0.35),
    )
    canvas.fill(at((0.28, 0.03), (0.4, 0.1), (0.4, 0.92), (0.28, 0.86)), colour=(246, 240, 226), low=(214, 204, 184))
    canvas.fill(
        at((-0.36, 0.08), (0.3, 0.02), (0.3, 0.88), (-0.36, 0.94)), colour=lighter(tone, 0.15), low=lighter(tone, -0.12)
    )
    canvas.fill(
        at((-0.22, 0.7), (0.18, 0.665), (0.18, 0.6), (-0.22, 0.635)),
        at((-0.22, 0.58), (0.06, 0.555), (0.06, 0.525), (-0.22, 0.55)),
        colour=(246, 232, 196),
    )


def _fruit(canvas: Canvas, tone: Colour, at: Pen, s: float) -> None:
    for a, b, r in ((-0.26, 0.28, 0.28), (0.3, 0.26, 0.26), (0.02, 0.34, 0.34)):
        centre = at((a, b))[0]
        canvas.fill(
            curve(
                *[
                    (centre[0] + p * s * r, centre[1] - q * s * r)
                    for p, q in (
                        (0, 0.85),
                        (0.6, 0.95),
                        (1, 0.3),
                        (0.7, -0.7),
                        (0, -0.95),
                        (-0.7, -0.7),
                        (-1, 0.3),
                        (-0.6, 0.95),
                        (0, 0.85),
                    )
                ]
            ),
            colour=lighter(tone, 0.18),
            low=lighter(tone, -0.3),
        )
        canvas.fill(
            oval(centre[0] - s * r * 0.4, centre[1] - s * r * 0.4, s * r * 0.18, s * r * 0.28),
            colour=(255, 255, 255),
            alpha=0.45,
            blur=s * 0.015,
        )
        top = (centre[0], centre[1] - s * r * 0.8)
        canvas.fill(
            stroke(
                curve(top, (top[0] + s * 0.01, top[1] - s * 0.08), (top[0] + s * 0.05, top[1] - s * 0.13)), [s * 0.022]
            ),
            colour=(96, 68, 46),
        )
        canvas.fill(
            curve(
                top,
                (top[0] + s * 0.1, top[1] - s * 0.12),
                (top[0] + s * 0.2, top[1] - s * 0.08),
                (top[0] + s * 0.1, top[1] - s * 0.02),
                top,
            ),
            colour=(104, 150, 70),
        )


_PRODUCTS: dict[str, Callable[[Canvas, Colour, Pen, float], None]] = {
    "lamp": _lamp,
    "chair": _chair,
    "cup": _cup,
    "shoe": _shoe,
    "bottle": _bottle,
    "vase": _vase,
    "watch": _watch,
    "bag": _bag,
    "table": _table,
    "book": _book,
    "fruit": _fruit,
}
RELATIVE = {"shoe": 0.98, "table": 1.05, "cup": 0.92, "fruit": 0.95}
_WIDE = {"table": 0.66, "shoe": 0.6, "cup": 0.4, "fruit": 0.5, "chair": 0.36}


def emblem(canvas: Canvas, scene: Scene, x: float, middle: float, size: float, flip: int) -> None:  # noqa: PLR0917 - where, how large, which way: the order of drawing
    """Draw an emblem of `size` pixels around the middle, on a dark ground with rays."""
    chance = canvas.chance
    ground = chance.choice([(46, 52, 84), (74, 44, 66), (38, 70, 72), (86, 58, 40), (52, 60, 48)])
    canvas.gradient((lighter(ground, 0.12), ground, lighter(ground, -0.45)))
    rays = []
    turn, count = chance.random(), 14
    for i in range(count):
        a, b = (i + turn) / count * math.tau, (i + turn + 0.5) / count * math.tau
        reach = canvas.width + canvas.height
        rays.append(
            [
                (x, middle),
                (x + math.cos(a) * reach, middle + math.sin(a) * reach),
                (x + math.cos(b) * reach, middle + math.sin(b) * reach),
            ]
        )
    canvas.fill(*rays, colour=lighter(ground, 0.3), alpha=0.22)
    metal = (
        scene.colours[0]
        if scene.colours
        else (226, 180, 74)
        if scene.motif in ("crown", "star", "key", "shield")
        else (196, 204, 216)
    )
    canvas.glow(x, middle, size * 0.95, lighter(metal, 0.5), 0.55)

    def at(*points: Point) -> list[Point]:
        return [(x + flip * a * size, middle - b * size) for a, b in points]

    canvas.fill(oval(x, middle + size * 0.52, size * 0.36, size * 0.05), colour=(0, 0, 0), alpha=0.45, blur=size * 0.04)
    _EMBLEMS[scene.motif](canvas, metal, at, size)


def _tilt(at: Pen, degrees: float) -> Pen:
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return lambda *points: at(*[(a * cos - b * sin, a * sin + b * cos) for a, b in points])


def _sword(canvas: Canvas, metal: Colour, at: Pen, s: float) -> None:
    pen = _tilt(at, -38)
    canvas.fill(
        pen((-0.055, -0.14), (-0.055, 0.5), (0, 0.62), (0, -0.14)), colour=lighter(metal, 0.5), low=lighter(metal, 0.1)
    )
    canvas.fill(
        pen((0, -0.14), (0, 0.62), (0.055, 0.5), (0.055, -0.14)), colour=lighter(metal, 0.05), low=lighter(metal, -0.3)
    )
    canvas.fill(stroke(pen((0, -0.36), (0, -0.16)), [s * 0.065]), colour=(116, 70, 44), low=(74, 44, 30))
    gold = (224, 176, 78)
    canvas.fill(
        stroke(curve(*pen((-0.24, -0.1), (-0.1, -0.15), (0.1, -0.15), (0.24, -0.1))), [s * 0.05, s * 0.075, s * 0.05]),
        oval(*pen((0, -0.4))[0], s * 0.058),
        colour=lighter(gold, 0.25),
        low=lighter(gold, -0.25),
    )
    canvas.fill(oval(*pen((0, -0.145))[0], s * 0.035), colour=(190, 44, 56))


def _crown(canvas: Canvas, metal: Colour, at: Pen, s: float) -> None:
    canvas.fill(
        at((-0.46, -0.3), (-0.52, 0.24), (-0.25, 0.02), (0, 0.38), (0.25, 0.02), (0.52, 0.24), (0.46, -0.3)),
        colour=lighter(metal, 0.4),
        low=lighter(metal, -0.25),
    )
    canvas.fill(
        at((0, 0.38), (0.25, 0.02), (0.52, 0.24), (0.46, -0.3), (0, -0.3)), colour=lighter(metal, -0.35), alpha=0.25
    )
    canvas.fill(
        round_box(*_span(at, -0.48, -0.24, 0.48, -0.38), s * 0.03),
        colour=lighter(metal, 0.1),
        low=lighter(metal, -0.35),
    )
    for a, b, colour in (
        (-0.52, 0.27, (70, 140, 210)),
        (0, 0.42, (206, 52, 66)),
        (0.52, 0.27, (70, 140, 210)),
        (-0.28, -0.31, (206, 52, 66)),
        (0, -0.31, (60, 160, 110)),
        (0.28, -0.31, (206, 52, 66)),
    ):
        spot = at((a, b))[0]
        canvas.fill(oval(*spot, s * 0.055), colour=lighter(colour, 0.3), low=lighter(colour, -0.3))


def _shield(canvas: Canvas, metal: Colour, at: Pen, s: float) -> None:
    def form(k: float) -> list[Point]:
        return curve(
            *at(
                (-0.42 * k, 0.44 * k),
                (0.0, 0.5 * k),
                (0.42 * k, 0.44 * k),
                (0.4 * k, -0.02),
                (0.24 * k, -0.36 * k),
                (0, -0.54 * k),
                (-0.24 * k, -0.36 * k),
                (-0.4 * k, -0.02),
                (-0.42 * k, 0.44 * k),
            ),
            steps=6,
        )

    canvas.fill(form(1.0), colour=lighter(metal, 0.35), low=lighter(metal, -0.35))
    field = (62, 96, 156) if metal[0] > metal[2] else (160, 52, 56)
    canvas.fill(form(0.84), colour=lighter(field, 0.15), low=lighter(field, -0.3))
    canvas.fill(
        at((-0.06, 0.4), (0.06, 0.4), (0.06, -0.43), (0, -0.46), (-0.06, -0.43)),
        at((-0.34, 0.16), (0.34, 0.16), (0.34, 0.04), (-0.34, 0.04)),
        colour=lighter(metal, 0.25),
        low=lighter(metal, -0.15),
    )
    canvas.fill(oval(*at((0, 0.1))[0], s * 0.11), colour=lighter(metal, 0.45), low=lighter(metal, -0.2))


def _axe(canvas: Canvas, metal: Colour, at: Pen, s: float) -> None:
    pen = _tilt(at, -24)
    canvas.fill(stroke(pen((0, -0.56), (0, 0.5)), [s * 0.075, s * 0.06]), colour=(152, 102, 62), low=(92, 58, 36))
    canvas.fill(
        curve(
            *pen((0.02, 0.42), (0.22, 0.5), (0.42, 0.54), (0.5, 0.26), (0.42, -0.02), (0.2, 0.08), (0.02, 0.14)),
            steps=6,
        ),
        colour=lighter(metal, 0.4),
        low=lighter(metal, -0.3),
    )
    canvas.fill(stroke(curve(*pen((0.41, 0.53), (0.49, 0.26), (0.41, -0.01))), [s * 0.03]), colour=lighter(metal, 0.75))
    canvas.fill(
        pen((-0.04, 0.4), (-0.2, 0.34), (-0.2, 0.22), (-0.04, 0.16)),
        colour=lighter(metal, 0.1),
        low=lighter(metal, -0.35),
    )


def _potion(canvas: Canvas, metal: Colour, at: Pen, s: float) -> None:
    liquid = metal if max(metal) - min(metal) > 60 else (156, 70, 190)
    centre = at((0, -0.16))[0]
    canvas.fill(
        oval(*centre, s * 0.38),
        round_box(*_span(at, -0.12, 0.42, 0.12, 0.1), s * 0.03),
        colour=(214, 232, 240),
        low=(150, 176, 196),
        alpha=0.85,
    )
    bowl = [
        (centre[0] + math.cos(a / 30 * math.pi) * s * 0.33, centre[1] + math.sin(a / 30 * math.pi) * s * 0.33)
        for a in range(31)
    ]
    canvas.fill(
        [*bowl, (centre[0] - s * 0.33, centre[1] - s * 0.04), (centre[0] + s * 0.33, centre[1] - s * 0.02)],
        colour=lighter(liquid, 0.3),
        low=lighter(liquid, -0.25),
    )
    bubbles = [
        oval(centre[0] + s * a, centre[1] + s * b, s * r)
        for a, b, r in ((-0.1, 0.12, 0.035), (0.08, 0.05, 0.025), (0.14, 0.2, 0.03), (-0.02, 0.22, 0.02))
    ]
    canvas.fill(*bubbles, colour=lighter(liquid, 0.65), alpha=0.7)
    canvas.fill(oval(centre[0] - s * 0.17, centre[1] - s * 0.16, s * 0.06, s * 0.1), colour=(255, 255, 255), alpha=0.7)
    canvas.fill(round_box(*_span(at, -0.1, 0.56, 0.1, 0.38), s * 0.03), colour=(176, 128, 84), low=(120, 82, 52))


def _key(canvas: Canvas, metal: Colour, at: Pen, s: float) -> None:
    pen = _tilt(at, -32)
    ring = pen((0, 0.34))[0]
    canvas.fill(stroke(pen((0, 0.2), (0, -0.54)), [s * 0.075]), colour=lighter(metal, 0.3), low=lighter(metal, -0.2))
    canvas.fill(
        pen((0.02, -0.52), (0.22, -0.52), (0.22, -0.42), (0.02, -0.42)),
        pen((0.02, -0.36), (0.16, -0.36), (0.16, -0.27), (0.02, -0.27)),
        colour=lighter(metal, 0.15),
        low=lighter(metal, -0.25),
    )
    loop = [
        (ring[0] + math.cos(i / 40 * math.tau) * s * 0.19, ring[1] + math.sin(i / 40 * math.tau) * s * 0.19)
        for i in range(41)
    ]
    canvas.fill(
        *[stroke(loop[i : i + 3], [s * 0.085]) for i in range(39)],
        colour=lighter(metal, 0.3),
        low=lighter(metal, -0.25),
    )


def _gem(canvas: Canvas, metal: Colour, at: Pen, s: float) -> None:
    del s
    tone = metal if max(metal) - min(metal) > 50 else (72, 176, 220)
    facets = (
        ((-0.5, 0.16), (-0.26, 0.4), (-0.2, 0.16)),
        ((-0.26, 0.4), (0, 0.4), (-0.2, 0.16)),
        ((0, 0.4), (0.2, 0.16), (-0.2, 0.16)),
        ((0, 0.4), (0.26, 0.4), (0.2, 0.16)),
        ((0.26, 0.4), (0.5, 0.16), (0.2, 0.16)),
        ((-0.5, 0.16), (-0.2, 0.16), (0, -0.5)),
        ((-0.2, 0.16), (0.2, 0.16), (0, -0.5)),
        ((0.2, 0.16), (0.5, 0.16), (0, -0.5)),
    )
    for shade, facet in zip((0.1, 0.45, 0.7, 0.3, -0.1, 0.2, 0.0, -0.3), facets, strict=True):
        canvas.fill(at(*facet), colour=lighter(tone, shade), low=lighter(tone, shade - 0.15))


def _star(canvas: Canvas, metal: Colour, at: Pen, s: float) -> None:
    del s
    points = [(math.sin(i * math.pi / 5) * r, math.cos(i * math.pi / 5) * r) for i, r in enumerate([0.52, 0.22] * 5)]
    for i in range(10):
        canvas.fill(
            at((0, 0), points[i], points[(i + 1) % 10]),
            colour=lighter(metal, 0.4 if i % 2 else -0.05),
            low=lighter(metal, 0.2 if i % 2 else -0.25),
        )


def _heart(canvas: Canvas, metal: Colour, at: Pen, s: float) -> None:
    tone = metal if max(metal) - min(metal) > 50 else (214, 56, 76)
    points = [
        (
            0.028 * 16 * math.sin(t / 40 * math.tau) ** 3,
            0.028
            * (
                13 * math.cos(t / 40 * math.tau)
                - 5 * math.cos(t / 20 * math.tau)
                - 2 * math.cos(t * 3 / 40 * math.tau)
                - math.cos(t / 10 * math.tau)
            ),
        )
        for t in range(41)
    ]
    canvas.fill(at(*points), colour=lighter(tone, 0.25), low=lighter(tone, -0.3))
    canvas.fill(oval(*at((-0.2, 0.2))[0], s * 0.08, s * 0.06), colour=(255, 255, 255), alpha=0.6, blur=s * 0.01)


def _bow(canvas: Canvas, metal: Colour, at: Pen, s: float) -> None:
    canvas.lines([at((-0.16, 0.52), (-0.3, 0.0), (-0.16, -0.52))], s * 0.01, (236, 230, 214))
    canvas.fill(
        stroke(
            curve(*at((-0.18, 0.54), (0.08, 0.38), (0.22, 0.0), (0.08, -0.38), (-0.18, -0.54))),
            [s * 0.025, s * 0.07, s * 0.025],
        ),
        colour=(170, 112, 66),
        low=(104, 66, 40),
    )
    canvas.fill(stroke(at((-0.34, 0), (0.46, 0)), [s * 0.022]), colour=(196, 160, 110))
    canvas.fill(at((0.44, 0.06), (0.6, 0), (0.44, -0.06)), colour=lighter(metal, 0.3), low=lighter(metal, -0.2))
    canvas.fill(
        at((-0.42, 0.07), (-0.3, 0.0), (-0.42, -0.07), (-0.28, -0.05), (-0.2, 0), (-0.28, 0.05)), colour=(190, 60, 56)
    )


_EMBLEMS: dict[str, Callable[[Canvas, Colour, Pen, float], None]] = {
    "sword": _sword,
    "crown": _crown,
    "shield": _shield,
    "axe": _axe,
    "potion": _potion,
    "key": _key,
    "gem": _gem,
    "star": _star,
    "heart": _heart,
    "bow": _bow,
}
