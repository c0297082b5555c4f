"""Landscapes: sky, ground, weather, and the places that words name."""

import math

from imagebatch.simulator.drawing.canvas import (
    Canvas,
    Colour,
    Point,
    box,
    curve,
    lighter,
    mix,
    oval,
    round_box,
    stroke,
    times,
)
from imagebatch.simulator.drawing.words import SKIES, Scene

GREENS: dict[str, tuple[Colour, Colour]] = {
    "spring": ((142, 190, 84), (236, 176, 196)),
    "summer": ((96, 156, 68), (58, 124, 58)),
    "autumn": ((164, 142, 78), (214, 112, 44)),
    "winter": ((226, 232, 240), (214, 222, 232)),
    "": ((116, 166, 78), (74, 138, 66)),
}


def draw_sky(canvas: Canvas, scene: Scene, horizon: float, sun_x: float) -> None:
    """Paint the sky down to the horizon (pixels), with sun or moon at `sun_x` (0..1), stars and clouds."""
    grey = {"thunderstorm": 0.78, "rainy": 0.6, "foggy": 0.7, "cloudy": 0.35, "snowy": 0.5}.get(scene.weather, 0.0)
    overcast = (
        times((196, 202, 210), scene.light) if scene.weather != "thunderstorm" else times((92, 98, 112), scene.light)
    )
    stops = [mix(colour, overcast, grey) for colour in SKIES.get(scene.time, SKIES[""])]
    canvas.gradient(stops, 0, horizon + 2)
    unit, chance = canvas.unit, canvas.chance
    if scene.time in ("night", "midnight") and grey < 0.5:
        stars = [
            (chance.random() * canvas.width, chance.random() ** 1.4 * horizon, unit * chance.uniform(0.0008, 0.0026))
            for _ in range(160)
        ]
        canvas.dots(stars, (236, 240, 255), 0.85)
    x = sun_x * canvas.width
    if scene.time in ("night", "midnight", "evening"):
        y = horizon * 0.26
        canvas.glow(x, y, unit * 0.22, (190, 204, 236), 0.5)
        canvas.fill(oval(x, y, unit * 0.045), colour=(240, 240, 226), alpha=1 - grey)
        canvas.fill(
            oval(x + unit * 0.012, y - unit * 0.008, unit * 0.010),
            oval(x - unit * 0.015, y + unit * 0.014, unit * 0.008),
            colour=(212, 214, 206),
            alpha=1 - grey,
        )
    elif grey < 0.6:
        y, size = {"sunset": (0.84, 0.085), "sunrise": (0.86, 0.075), "golden hour": (0.66, 0.07)}.get(
            scene.time, (0.26, 0.05)
        )
        warm = (255, 196, 110) if y > 0.5 else (255, 246, 214)
        canvas.glow(x, horizon * y, unit * 0.5, warm, 0.75 * (1 - grey))
        canvas.fill(oval(x, horizon * y, unit * size), colour=lighter(warm, 0.45), alpha=1 - grey)
    clouds = {"cloudy": 9, "rainy": 10, "thunderstorm": 12, "snowy": 7, "foggy": 3, "sunny": 2}.get(scene.weather, 4)
    for _ in range(clouds if scene.time not in ("night", "midnight") else clouds // 2):
        _cloud(canvas, scene, horizon, stops)
    if scene.weather == "thunderstorm":
        _lightning(canvas, horizon)


def _cloud(canvas: Canvas, scene: Scene, horizon: float, stops: list[Colour]) -> None:
    chance, unit = canvas.chance, canvas.unit
    x, y, size = chance.random() * canvas.width, chance.uniform(0.06, 0.62) * horizon, unit * chance.uniform(0.05, 0.11)
    puffs = [oval(x, y, size * 1.9, size * 0.22)]
    for i in range(7):
        across = (i - 3) / 3
        radius = size * (0.34 + 0.36 * (1 - across * across)) * chance.uniform(0.75, 1.1)
        puffs.append(oval(x + across * size * 1.45, y - radius * 0.55, radius, radius * 0.8))
    bright = (
        times((252, 250, 248), scene.light)
        if scene.time not in ("sunset", "sunrise", "golden hour")
        else lighter(stops[1], 0.35)
    )
    dark = {"thunderstorm": 0.55, "rainy": 0.3}.get(scene.weather, 0.0)
    canvas.fill(
        *puffs, colour=mix(bright, (60, 64, 76), dark), low=mix(bright, stops[1], 0.55), alpha=0.8, blur=size * 0.12
    )


def _lightning(canvas: Canvas, horizon: float) -> None:
    chance = canvas.chance
    x, y = canvas.width * chance.uniform(0.2, 0.8), 0.05 * horizon
    points: list[Point] = [(x, y)]
    while y < horizon * 0.95:
        x, y = x + canvas.unit * chance.uniform(-0.06, 0.06), y + horizon * chance.uniform(0.07, 0.14)
        points.append((x, y))
    canvas.fill(
        stroke(points, [canvas.unit * 0.03, canvas.unit * 0.01]),
        colour=(206, 214, 255),
        alpha=0.6,
        blur=canvas.unit * 0.012,
    )
    canvas.fill(stroke(points, [canvas.unit * 0.008, canvas.unit * 0.003]), colour=(252, 252, 255))


def draw_ground(canvas: Canvas, scene: Scene, horizon: float, colour: Colour | None = None) -> Colour:
    """Paint the ground from the horizon down; give its colour."""
    base = colour or (GREENS["winter"][0] if scene.snow else GREENS[scene.season][0])
    near, far = times(lighter(base, -0.18), scene.light), times(mix(base, (226, 226, 206), 0.35), scene.light)
    canvas.gradient((far, times(base, scene.light), near), horizon, canvas.height)
    canvas.mottle(horizon, canvas.height, 0.22, lighter(near, -0.35))
    canvas.mottle(horizon, canvas.height, 0.16, lighter(far, 0.3), coarse=14)
    return base


def draw_weather(canvas: Canvas, scene: Scene, horizon: float) -> None:
    """Lay rain, snow or fog over the finished scene."""
    chance, unit = canvas.chance, canvas.unit
    if scene.weather in ("rainy", "thunderstorm"):
        for alpha, length, count in ((0.30, 0.05, 260), (0.5, 0.08, 110)):
            drops = []
            for _ in range(count):
                x, y = chance.uniform(-0.1, 1.1) * canvas.width, chance.random() * canvas.height
                drops.append([(x, y), (x - unit * length * 0.25, y + unit * length)])
            canvas.lines(drops, unit * 0.0022, (222, 230, 242), alpha)
    if scene.weather == "snowy":
        for radius, count, alpha in ((0.003, 240, 0.75), (0.006, 90, 0.9), (0.012, 24, 0.7)):
            flakes = [
                (
                    chance.random() * canvas.width,
                    chance.random() * canvas.height,
                    unit * radius * chance.uniform(0.6, 1.3),
                )
                for _ in range(count)
            ]
            canvas.dots(flakes, (255, 255, 255), alpha)
    if scene.weather == "foggy":
        veil = mix(times((222, 226, 230), scene.light), (200, 206, 214), 0.3)
        canvas.fill(box(0, 0, canvas.width, canvas.height), colour=veil, alpha=0.22)
        for i in range(6):
            y = horizon + (i - 2.5) * unit * 0.09
            puffs = [oval(canvas.width * chance.random(), y, canvas.width * 0.45, unit * 0.05) for _ in range(3)]
            canvas.fill(*puffs, colour=veil, alpha=0.5, blur=unit * 0.035)


def tree(canvas: Canvas, scene: Scene, x: float, foot: float, size: float, hue: float = 0.0) -> None:  # noqa: PLR0917 - where, how large, which way: the order of drawing
    """Draw a leafy tree (bare in winter), `size` pixels high, standing at `foot`."""
    trunk = times((104, 76, 54), scene.light)
    canvas.fill(
        oval(x + size * 0.12, foot, size * 0.36, size * 0.045), colour=(20, 28, 30), alpha=0.28, blur=size * 0.02
    )
    canvas.fill(
        stroke(
            [(x, foot), (x + size * 0.01, foot - size * 0.3), (x - size * 0.01, foot - size * 0.6)],
            [size * 0.1, size * 0.055, size * 0.03],
        ),
        colour=lighter(trunk, 0.1),
        low=lighter(trunk, -0.25),
    )
    if scene.snow and scene.season != "autumn":
        _bare(canvas, x, foot - size * 0.35, size * 0.34, -math.pi / 2, 4, times((92, 72, 60), scene.light), snow=True)
        return
    crown = {
        "spring": GREENS["spring"][1] if hue > 0.35 else (152, 196, 92),
        "autumn": mix((222, 150, 46), (190, 62, 38), hue),
    }.get(scene.season, mix((92, 152, 66), (56, 112, 62), hue))
    crown = times(crown, scene.light)
    chance = canvas.chance
    for shade, offset, count, radius in ((-0.28, 0.035, 9, 0.19), (0.0, 0.0, 9, 0.16), (0.22, -0.05, 7, 0.095)):
        puffs = []
        for i in range(count):
            angle, reach = i / count * math.tau + chance.uniform(-0.2, 0.2), size * chance.uniform(0.1, 0.25)
            puffs.append(
                oval(
                    x + math.cos(angle) * reach * 1.1 + size * offset,
                    foot - size * 0.72 + math.sin(angle) * reach * 0.8 + size * offset,
                    size * radius * chance.uniform(0.8, 1.15),
                )
            )
        canvas.fill(*puffs, colour=lighter(crown, shade + 0.08), low=lighter(crown, shade - 0.12))


def _bare(  # noqa: PLR0917 - where, how large, which way: the order of drawing
    canvas: Canvas, x: float, y: float, length: float, angle: float, depth: int, colour: Colour, *, snow: bool
) -> None:
    limbs: list[list[Point]] = []

    def grow(x: float, y: float, length: float, angle: float, depth: int) -> None:
        end = (x + math.cos(angle) * length, y + math.sin(angle) * length)
        limbs.append(stroke([(x, y), end], [length * 0.12, length * 0.07]))
        if depth:
            for turn in (-0.55, 0.5):
                grow(
                    *end,
                    length * canvas.chance.uniform(0.6, 0.75),
                    angle + turn + canvas.chance.uniform(-0.15, 0.15),
                    depth - 1,
                )

    grow(x, y, length, angle, depth)
    canvas.fill(*limbs, colour=colour)
    if snow:
        canvas.fill(
            *[[(a, b - length * 0.02) for a, b in limb] for limb in limbs[::3]], colour=(244, 248, 252), alpha=0.7
        )


def pine(canvas: Canvas, scene: Scene, x: float, foot: float, size: float, shade: float = 0.0) -> None:  # noqa: PLR0917 - where, how large, which way: the order of drawing
    """Draw a conifer."""
    green = times(lighter((46, 92, 66), shade), scene.light)
    canvas.fill(
        box(x - size * 0.025, foot - size * 0.16, x + size * 0.025, foot), colour=times((84, 62, 48), scene.light)
    )
    for i in range(4):
        top, wide = foot - size * (1.0 - i * 0.2), size * (0.12 + i * 0.055)
        layer = [
            (x, top),
            (x + wide, top + size * 0.3),
            (x + wide * 0.3, top + size * 0.27),
            (x - wide * 0.3, top + size * 0.27),
            (x - wide, top + size * 0.3),
        ]
        canvas.fill(layer, colour=lighter(green, 0.1), low=lighter(green, -0.25))
        if scene.snow:
            canvas.fill(
                [
                    (x, top),
                    (x + wide * 0.55, top + size * 0.17),
                    (x, top + size * 0.12),
                    (x - wide * 0.55, top + size * 0.17),
                ],
                colour=times((246, 250, 254), scene.light),
                alpha=0.9,
            )


def ridge(  # noqa: PLR0917 - where, how large, which way: the order of drawing
    canvas: Canvas, base: float, height: float, colour: Colour, low: Colour, rough: float = 0.5, steps: int = 12
) -> list[Point]:
    """Draw a line of hills or peaks from edge to edge; give its upper line."""
    chance = canvas.chance
    points: list[Point] = [(-5.0, base - height * chance.uniform(0.2, 0.6))]
    for i in range(1, steps):
        x = canvas.width * i / steps + canvas.width / steps * chance.uniform(-0.25, 0.25)
        points.append((x, base - height * ((1 - rough) * 0.5 + rough * chance.random() * (1.0 if i % 2 else 0.45))))
    points.append((canvas.width + 5.0, base - height * chance.uniform(0.2, 0.6)))
    canvas.fill([*points, (canvas.width + 5.0, base + 4), (-5.0, base + 4)], colour=colour, low=low)
    return points


def hills(canvas: Canvas, scene: Scene, horizon: float) -> None:
    """Draw soft far hills."""
    sky = SKIES.get(scene.time, SKIES[""])[2]
    ground = times(GREENS["winter"][0] if scene.snow else GREENS[scene.season][0], scene.light)
    for share, height in ((0.62, 0.15), (0.35, 0.09)):
        colour = mix(ground, sky, share)
        points = curve(
            *[
                (canvas.width * i / 6, horizon - canvas.unit * height * canvas.chance.uniform(0.3, 1.0))
                for i in range(7)
            ]
        )
        canvas.fill([*points, (canvas.width, horizon + 3), (0, horizon + 3)], colour=colour, low=lighter(colour, -0.08))


def park(canvas: Canvas, scene: Scene, horizon: float, at: float) -> None:
    """Draw a park: path, lawn, trees, a bench, lamps at night."""
    hills(canvas, scene, horizon)
    base = draw_ground(canvas, scene, horizon)
    width, height, unit, chance = canvas.width, canvas.height, canvas.unit, canvas.chance
    for i in range(9):
        tree(
            canvas,
            scene,
            width * (i + chance.random()) / 9,
            horizon + unit * 0.02,
            unit * chance.uniform(0.14, 0.22),
            chance.random(),
        )
    sand = times((226, 206, 172) if not scene.snow else (204, 210, 222), scene.light)
    bend = curve(
        (width * at, horizon),
        (width * (at + 0.05), horizon + (height - horizon) * 0.3),
        (width * (at - 0.08), horizon + (height - horizon) * 0.65),
        (width * (at + 0.02), height * 1.05),
    )
    canvas.fill(stroke(bend, [unit * 0.03, unit * 0.1, unit * 0.24, unit * 0.5]), colour=sand, low=lighter(sand, -0.12))
    spots = sorted((chance.uniform(0.1, 0.75), side) for side in (-1, 1, -1, 1, 1))
    for depth, side in spots:
        x = width * (at + side * (0.14 + 0.34 * depth + chance.random() * 0.14))
        tree(canvas, scene, x, horizon + (height - horizon) * depth, unit * (0.3 + 0.5 * depth), chance.random())
    _bench(
        canvas, scene, width * (at + 0.2 if at < 0.5 else at - 0.24), horizon + (height - horizon) * 0.72, unit * 0.2
    )
    if scene.season == "spring" or "meadow" in scene.words or "flowers" in scene.words:
        for colour in ((250, 236, 120), (244, 160, 190), (252, 252, 250)):
            canvas.dots(
                [
                    (
                        chance.random() * width,
                        chance.uniform(horizon + unit * 0.1, height),
                        unit * chance.uniform(0.003, 0.007),
                    )
                    for _ in range(70)
                ],
                times(colour, scene.light),
            )
    if scene.season == "autumn":
        for colour in ((214, 120, 40), (186, 60, 36), (232, 176, 60)):
            canvas.dots(
                [
                    (
                        chance.random() * width,
                        chance.uniform(horizon + unit * 0.05, height),
                        unit * chance.uniform(0.003, 0.008),
                    )
                    for _ in range(110)
                ],
                times(colour, scene.light),
            )
    if scene.dark:
        for x in (at - 0.16, at + 0.15):
            _street_lamp(canvas, width * x, horizon + (height - horizon) * 0.4, unit * 0.34)
    del base


def _bench(canvas: Canvas, scene: Scene, x: float, y: float, size: float) -> None:
    wood, iron = times((146, 96, 60), scene.light), times((58, 60, 64), scene.light)
    canvas.fill(oval(x, y + size * 0.3, size * 0.6, size * 0.06), colour=(16, 20, 24), alpha=0.3, blur=size * 0.04)
    for side in (-0.42, 0.42):
        canvas.fill(
            box(x + size * side - size * 0.025, y - size * 0.25, x + size * side + size * 0.025, y + size * 0.3),
            colour=iron,
        )
    for top in (-0.25, -0.13, 0.06):
        canvas.fill(
            round_box(x - size * 0.5, y + size * top, x + size * 0.5, y + size * (top + 0.085), size * 0.03),
            colour=lighter(wood, 0.12),
            low=lighter(wood, -0.15),
        )


def _street_lamp(canvas: Canvas, x: float, foot: float, size: float) -> None:
    canvas.fill(stroke([(x, foot), (x, foot - size)], [size * 0.04, size * 0.02]), colour=(26, 28, 34))
    canvas.glow(x, foot - size, size * 0.9, (255, 206, 128), 0.8)
    canvas.fill(oval(x, foot - size, size * 0.06), colour=(255, 240, 204))
    canvas.fill(oval(x, foot, size * 0.5, size * 0.09), colour=(255, 206, 128), alpha=0.22, blur=size * 0.05)


def forest(canvas: Canvas, scene: Scene, horizon: float, at: float) -> None:
    """Draw rows of conifers with a clearing."""
    del at
    draw_ground(canvas, scene, horizon, None if scene.snow else (104, 122, 70))
    width, unit, chance = canvas.width, canvas.unit, canvas.chance
    for row, (size, count) in enumerate(((0.3, 20), (0.46, 13), (0.72, 7))):
        foot = horizon + (canvas.height - horizon) * (0.04, 0.2, 0.52)[row]
        for i in range(count):
            x = width * (i + chance.uniform(0.1, 0.9)) / count
            if row < 2 or not 0.3 < x / width < 0.7:
                leafy = scene.season == "autumn" and chance.random() < 0.7
                draw = tree if leafy else pine
                draw(
                    canvas,
                    scene,
                    x,
                    foot,
                    unit * size * chance.uniform(0.8, 1.2),
                    chance.random() if leafy else 0.35 - 0.15 * row,
                )


def mountain(canvas: Canvas, scene: Scene, horizon: float, at: float) -> None:
    """Draw ranges of mountains with snow on the highest, and woods before them."""
    sky, unit = SKIES.get(scene.time, SKIES[""]), canvas.unit
    for depth, (height, share) in enumerate(((0.52, 0.6), (0.36, 0.35))):
        rock = times((104, 112, 130), scene.light)
        points = ridge(
            canvas,
            horizon,
            unit * height,
            mix(rock, sky[1], share),
            mix(rock, sky[2], share + 0.15),
            0.9,
            9 - depth * 2,
        )
        caps: list[list[Point]] = []
        for before, peak, after in zip(points, points[1:], points[2:], strict=False):
            if peak[1] < before[1] and peak[1] < after[1]:
                left, right = mix_point(peak, before, 0.42), mix_point(peak, after, 0.36)
                low = peak[1] + (max(left[1], right[1]) - peak[1]) * 0.55
                caps.append(
                    [
                        peak,
                        right,
                        (peak[0] + (right[0] - peak[0]) * 0.35, low),
                        (peak[0], right[1]),
                        (peak[0] + (left[0] - peak[0]) * 0.4, low),
                        left,
                    ]
                )
                canvas.fill(
                    [peak, after, (peak[0] + (after[0] - peak[0]) * 0.2, horizon), (peak[0], horizon)],
                    colour=lighter(mix(rock, sky[1], share), -0.2),
                    low=mix(rock, sky[2], share),
                    alpha=0.5,
                )
        canvas.fill(*caps, colour=mix(times((250, 252, 255), scene.light), sky[2], 0.15))
    draw_ground(canvas, scene, horizon)
    for i in range(16):
        pine(
            canvas,
            scene,
            canvas.width * (i + canvas.chance.random()) / 16,
            horizon + unit * 0.05,
            unit * canvas.chance.uniform(0.08, 0.16),
        )
    if at > 0.5:
        _water(canvas, scene, horizon + (canvas.height - horizon) * 0.45, canvas.height)
    for x in (0.06, 0.14, 0.9, 0.97):
        pine(canvas, scene, canvas.width * x, canvas.height * 1.0, unit * canvas.chance.uniform(0.4, 0.6), -0.2)


def mix_point(one: Point, other: Point, share: float) -> Point:
    """Give the point between two."""
    return one[0] + (other[0] - one[0]) * share, one[1] + (other[1] - one[1]) * share


def _water(canvas: Canvas, scene: Scene, top: float, bottom: float, sun_x: float = 0.5) -> None:
    sky = SKIES.get(scene.time, SKIES[""])
    deep = times((36, 104, 142), scene.light)
    canvas.gradient((mix(sky[2], deep, 0.3), mix(sky[1], deep, 0.55), lighter(deep, -0.2)), top, bottom)
    chance, unit = canvas.chance, canvas.unit
    for colour, alpha, near in (
        (lighter(sky[2], 0.3), 0.5, False),
        (lighter(deep, -0.35), 0.35, False),
        (lighter(sky[2], 0.55), 0.85, True),
    ):
        waves = []
        for _ in range(90 if not near else 60):
            depth = chance.random() ** 1.5
            y = top + (bottom - top) * depth
            x = (
                canvas.width * (sun_x + chance.gauss(0, 0.035 + 0.05 * depth))
                if near
                else chance.random() * canvas.width
            )
            long = unit * (0.01 + 0.09 * depth) * chance.uniform(0.5, 1.3)
            waves.append(oval(x, y, long, max(0.7, unit * 0.004 * (0.4 + depth))))
        canvas.fill(*waves, colour=colour, alpha=alpha)


def sea(canvas: Canvas, scene: Scene, horizon: float, at: float) -> None:
    """Draw the sea with a beach, a palm or rocks, and a sail."""
    height, width, unit = canvas.height, canvas.width, canvas.unit
    shore = horizon + (height - horizon) * 0.66
    _water(canvas, scene, horizon, height, at)
    _sail(canvas, scene, width * (1.1 - at), horizon + unit * 0.03, unit * 0.2)
    sand = times((236, 214, 168) if not scene.snow else (228, 234, 240), scene.light)
    edge = curve(
        *[(width * i / 5, shore + unit * 0.05 * canvas.chance.uniform(-1, 1) + i * unit * 0.02) for i in range(6)]
    )
    canvas.fill(stroke(edge, [unit * 0.06]), colour=(250, 252, 252), alpha=0.75, blur=unit * 0.006)
    canvas.fill([*edge, (width, height), (0, height)], colour=sand, low=lighter(sand, -0.16))
    canvas.fill(
        stroke([(x, y + unit * 0.012) for x, y in edge], [unit * 0.016]), colour=lighter(sand, -0.22), alpha=0.6
    )
    if scene.snow or "rocks" in scene.words or "coast" in scene.words:
        for _ in range(7):
            x, size = canvas.chance.random() * width, unit * canvas.chance.uniform(0.04, 0.1)
            canvas.fill(
                [
                    (x - size, shore + size),
                    (x - size * 0.6, shore),
                    (x + size * 0.2, shore - size * 0.3),
                    (x + size, shore + size),
                ],
                colour=times((108, 106, 108), scene.light),
                low=times((62, 62, 68), scene.light),
            )
    else:
        side = 0.12 if at > 0.5 else 0.88
        _palm(canvas, scene, width * side, height * 0.97, unit * 0.85, 1 if side < 0.5 else -1)


def _sail(canvas: Canvas, scene: Scene, x: float, y: float, size: float) -> None:
    white = times((250, 248, 242), scene.light)
    canvas.fill(
        [
            (x - size * 0.34, y),
            (x + size * 0.36, y),
            (x + size * 0.24, y + size * 0.13),
            (x - size * 0.24, y + size * 0.13),
        ],
        colour=times((150, 66, 48), scene.light),
    )
    canvas.fill(
        [(x + size * 0.02, y - size * 0.85), (x + size * 0.02, y - size * 0.05), (x + size * 0.36, y - size * 0.05)],
        colour=white,
        low=lighter(white, -0.1),
    )
    canvas.fill(
        [(x - size * 0.03, y - size * 0.7), (x - size * 0.03, y - size * 0.05), (x - size * 0.28, y - size * 0.05)],
        colour=lighter(white, -0.12),
    )


def _palm(canvas: Canvas, scene: Scene, x: float, foot: float, size: float, lean: int) -> None:  # noqa: PLR0917 - where, how large, which way: the order of drawing
    top = (x + lean * size * 0.2, foot - size * 0.8)
    bark, leaf = times((128, 96, 66), scene.light), times((60, 128, 66), scene.light)
    canvas.fill(
        stroke(curve((x, foot), (x + lean * size * 0.03, foot - size * 0.4), top), [size * 0.065, size * 0.035]),
        colour=lighter(bark, 0.15),
        low=lighter(bark, -0.2),
    )
    for i in range(9):
        angle, long = -math.pi + i * math.pi / 8, size * 0.4
        tip = (top[0] + math.cos(angle) * long, top[1] + math.sin(angle) * long * 0.45 + long * 0.25)
        bow = curve(top, ((top[0] + tip[0]) / 2, min(top[1], tip[1]) - long * 0.16), tip)
        canvas.fill(
            stroke(bow, [size * 0.012, size * 0.07, size * 0.004]),
            colour=lighter(leaf, 0.12 if i % 2 else -0.12),
            low=lighter(leaf, -0.25),
        )


def city(canvas: Canvas, scene: Scene, horizon: float, at: float) -> None:
    """Draw a skyline in three layers, with lit windows when it is dark, above a river or a street."""
    sky, unit, width, chance = SKIES.get(scene.time, SKIES[""]), canvas.unit, canvas.width, canvas.chance
    for layer, (share, tall, wide) in enumerate(((0.66, 0.46, 0.06), (0.4, 0.56, 0.085), (0.08, 0.42, 0.12))):
        tone = mix(times((76, 88, 112), scene.light), sky[1], share)
        x, windows, houses = -chance.random() * wide * unit, [], []
        while x < width:
            across = unit * wide * chance.uniform(0.7, 1.4)
            middle = 1 - 0.5 * abs((x + across / 2) / width - at) * 2
            top = horizon - unit * tall * chance.uniform(0.35, 1.0) * max(0.35, middle)
            houses.append(box(x, top, x + across, horizon + 2))
            if chance.random() < 0.3:
                houses.append(
                    stroke([(x + across / 2, top), (x + across / 2, top - unit * 0.09)], [unit * 0.008, unit * 0.002])
                )
            if chance.random() < 0.2:
                houses.append([(x, top), (x + across / 2, top - across * 0.5), (x + across, top)])
            if layer:
                windows += _windows(
                    canvas, x, top, across, horizon, 0.6 if scene.dark or scene.time == "sunset" else 0.85
                )
            x += across + unit * wide * chance.choice((0.0, 0.0, 0.05, 0.15))
        canvas.fill(*houses, colour=lighter(tone, 0.04), low=lighter(tone, -0.14))
        lit = (255, 214, 130) if scene.dark or scene.time == "sunset" else lighter(tone, 0.35)
        canvas.fill(*windows, colour=lit, alpha=0.9 if scene.dark else 0.6)
    if at < 0.55:
        _water(canvas, scene, horizon, canvas.height, at)
        if scene.dark:
            streaks = [
                oval(
                    width * chance.random(),
                    horizon + unit * chance.uniform(0.05, 0.3),
                    unit * 0.008,
                    unit * chance.uniform(0.04, 0.12),
                )
                for _ in range(50)
            ]
            canvas.fill(*streaks, colour=(255, 206, 128), alpha=0.4, blur=unit * 0.004)
    else:
        canvas.gradient((times((96, 100, 108), scene.light), times((56, 58, 66), scene.light)), horizon, canvas.height)
        for i in range(5):
            y, tall = horizon + (canvas.height - horizon) * (0.1 + 0.2 * i), unit * 0.006 * (1 + i * 2)
            canvas.fill(
                [
                    (width * at - tall, y),
                    (width * at + tall, y),
                    (width * at + tall * 1.6, y + tall * 5),
                    (width * at - tall * 1.6, y + tall * 5),
                ],
                colour=times((236, 226, 190), scene.light),
            )
        car(canvas, scene, width * 0.3, horizon + (canvas.height - horizon) * 0.55, unit * 0.34)


def _windows(canvas: Canvas, x: float, top: float, across: float, bottom: float, share: float) -> list[list[Point]]:  # noqa: PLR0917 - where, how large, which way: the order of drawing
    cell, found = canvas.unit * 0.02, []
    for row in range(1, int((bottom - top) / cell / 1.2)):
        for column in range(int(across / cell) - 1):
            if canvas.chance.random() < share * 0.6:
                left, up = x + cell * (column + 0.7), top + cell * 1.2 * row
                found.append(box(left, up, left + cell * 0.5, up + cell * 0.65))
    return found


def house(canvas: Canvas, scene: Scene, horizon: float, at: float) -> None:
    """Draw a house with a garden and trees."""
    hills(canvas, scene, horizon)
    draw_ground(canvas, scene, horizon)
    width, unit, chance = canvas.width, canvas.unit, canvas.chance
    for i in range(7):
        tree(canvas, scene, width * (i + chance.random()) / 7, horizon + unit * 0.03, unit * 0.24, chance.random())
    x, foot, size = width * at, horizon + (canvas.height - horizon) * 0.45, unit * 0.52
    wall, roof = (
        times(scene.colours[0] if scene.colours else (238, 224, 200), scene.light),
        times((160, 72, 56), scene.light),
    )
    canvas.fill(
        oval(x + size * 0.05, foot, size * 0.75, size * 0.06), colour=(16, 22, 24), alpha=0.35, blur=size * 0.03
    )
    canvas.fill(box(x + size * 0.3, foot - size * 0.95, x + size * 0.4, foot - size * 0.5), colour=lighter(roof, -0.2))
    canvas.fill(
        box(x - size * 0.55, foot - size * 0.5, x + size * 0.55, foot),
        colour=lighter(wall, 0.12),
        low=lighter(wall, -0.12),
    )
    top = times((244, 248, 252), scene.light) if scene.snow else roof
    canvas.fill(
        [
            (x - size * 0.66, foot - size * 0.47),
            (x - size * 0.34, foot - size * 0.86),
            (x + size * 0.34, foot - size * 0.86),
            (x + size * 0.66, foot - size * 0.47),
        ],
        colour=lighter(top, 0.1),
        low=lighter(top, -0.15),
    )
    glass = (255, 220, 140) if scene.dark else times((150, 190, 214), scene.light)
    for left in (-0.42, -0.16, 0.28):
        canvas.fill(
            box(x + size * left, foot - size * 0.38, x + size * (left + 0.16), foot - size * 0.18),
            colour=times((250, 250, 246), scene.light),
        )
        canvas.fill(
            box(x + size * (left + 0.015), foot - size * 0.365, x + size * (left + 0.145), foot - size * 0.195),
            colour=lighter(glass, 0.2),
            low=glass,
        )
    canvas.fill(
        round_box(x + size * 0.06, foot - size * 0.32, x + size * 0.2, foot + 1, size * 0.03),
        colour=times((98, 66, 48), scene.light),
    )
    path = times((214, 200, 176), scene.light)
    canvas.fill(
        [
            (x + size * 0.06, foot),
            (x + size * 0.2, foot),
            (x + size * 0.5, canvas.height),
            (x - size * 0.1, canvas.height),
        ],
        colour=path,
        low=lighter(path, -0.1),
    )
    tree(canvas, scene, x - size * 1.05, foot + unit * 0.1, unit * 0.56, 0.5)


def desert(canvas: Canvas, scene: Scene, horizon: float, at: float) -> None:
    """Draw dunes with a cactus."""
    unit, width = canvas.unit, canvas.width
    draw_ground(canvas, scene, horizon, (228, 182, 116))
    for i in range(4):
        y = horizon + (canvas.height - horizon) * i * 0.24
        crest = curve(*[(width * j / 5, y + unit * 0.08 * math.sin(j * 1.7 + i * 2 + at * 5)) for j in range(6)])
        sand = times(mix((240, 200, 136), (206, 146, 86), i / 3), scene.light)
        canvas.fill(
            [*crest, (width, canvas.height), (0, canvas.height)], colour=lighter(sand, 0.12), low=lighter(sand, -0.22)
        )
    green, x, foot, size = (
        times((86, 134, 80), scene.light),
        width * at,
        horizon + (canvas.height - horizon) * 0.5,
        unit * 0.4,
    )
    for bend, thick in (
        ([(x, foot), (x, foot - size)], 0.14),
        ([(x, foot - size * 0.4), (x + size * 0.28, foot - size * 0.45), (x + size * 0.28, foot - size * 0.8)], 0.1),
        ([(x, foot - size * 0.3), (x - size * 0.26, foot - size * 0.35), (x - size * 0.26, foot - size * 0.62)], 0.1),
    ):
        canvas.fill(
            stroke(curve(*bend, steps=6), [size * thick]),
            oval(*bend[-1], size * thick / 2),
            colour=lighter(green, 0.08),
            low=lighter(green, -0.2),
        )


def lake(canvas: Canvas, scene: Scene, horizon: float, at: float) -> None:
    """Draw a lake before mountains and woods."""
    mountain(canvas, scene, horizon, 0.0)
    _water(canvas, scene, horizon + canvas.unit * 0.06, canvas.height, at)
    for x in (0.05, 0.13, 0.95):
        pine(canvas, scene, canvas.width * x, canvas.height, canvas.unit * canvas.chance.uniform(0.4, 0.6), -0.2)


def road(canvas: Canvas, scene: Scene, horizon: float, at: float) -> None:
    """Draw a car on a country road."""
    hills(canvas, scene, horizon)
    draw_ground(canvas, scene, horizon)
    for i in range(8):
        tree(
            canvas,
            scene,
            canvas.width * (i + canvas.chance.random()) / 8,
            horizon + canvas.unit * 0.02,
            canvas.unit * 0.2,
            canvas.chance.random(),
        )
    top = horizon + (canvas.height - horizon) * 0.3
    asphalt = times((92, 94, 100), scene.light)
    canvas.gradient((lighter(asphalt, 0.1), lighter(asphalt, -0.2)), top, top + (canvas.height - horizon) * 0.5)
    y = top + (canvas.height - horizon) * 0.27
    canvas.fill(
        *[
            box(canvas.width * (i * 0.16 + 0.02), y, canvas.width * (i * 0.16 + 0.1), y + canvas.unit * 0.012)
            for i in range(7)
        ],
        colour=times((240, 236, 220), scene.light),
    )
    car(canvas, scene, canvas.width * at, top + (canvas.height - horizon) * 0.36, canvas.unit * 0.66)


def car(canvas: Canvas, scene: Scene, x: float, foot: float, size: float) -> None:
    """Draw a car from the side, `size` pixels long."""
    paint = times(
        scene.colours[0]
        if scene.colours
        else canvas.chance.choice([(190, 54, 50), (60, 110, 170), (226, 176, 60), (70, 130, 100)]),
        scene.light,
    )
    canvas.fill(oval(x, foot, size * 0.54, size * 0.05), colour=(10, 12, 16), alpha=0.5, blur=size * 0.02)
    cabin = curve(
        (x - size * 0.3, foot - size * 0.2),
        (x - size * 0.2, foot - size * 0.36),
        (x + size * 0.1, foot - size * 0.37),
        (x + size * 0.26, foot - size * 0.2),
    )
    canvas.fill(cabin, colour=lighter(paint, 0.1), low=paint)
    glass = times((162, 196, 214), scene.light)
    pane = curve(
        (x - size * 0.25, foot - size * 0.215),
        (x - size * 0.175, foot - size * 0.33),
        (x + size * 0.08, foot - size * 0.34),
        (x + size * 0.2, foot - size * 0.215),
    )
    canvas.fill(pane, colour=lighter(glass, 0.3), low=glass)
    canvas.fill(box(x - size * 0.045, foot - size * 0.34, x - size * 0.025, foot - size * 0.2), colour=paint)
    body = curve(
        (x - size * 0.5, foot - size * 0.07),
        (x - size * 0.48, foot - size * 0.19),
        (x - size * 0.2, foot - size * 0.225),
        (x + size * 0.22, foot - size * 0.215),
        (x + size * 0.46, foot - size * 0.16),
        (x + size * 0.5, foot - size * 0.06),
    )
    canvas.fill(
        [*body, (x + size * 0.48, foot - size * 0.04), (x - size * 0.48, foot - size * 0.04)],
        colour=lighter(paint, 0.16),
        low=lighter(paint, -0.25),
    )
    for wheel in (-0.29, 0.3):
        canvas.fill(oval(x + size * wheel, foot - size * 0.06, size * 0.09), colour=(28, 28, 32))
        canvas.fill(
            oval(x + size * wheel, foot - size * 0.06, size * 0.045), colour=times((190, 194, 200), scene.light)
        )
    canvas.fill(oval(x + size * 0.465, foot - size * 0.145, size * 0.025, size * 0.018), colour=(255, 246, 206))
    if scene.dark:
        canvas.glow(x + size * 0.6, foot - size * 0.13, size * 0.3, (255, 240, 190), 0.8)


PLACES = {
    "park": park,
    "forest": forest,
    "mountain": mountain,
    "sea": sea,
    "city": city,
    "house": house,
    "desert": desert,
    "lake": lake,
    "car": road,
}
