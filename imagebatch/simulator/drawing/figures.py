"""Animals, people and flowers."""

import math

from imagebatch.simulator.drawing.canvas import Canvas, Colour, Point, curve, lighter, mix, oval, stroke, times
from imagebatch.simulator.drawing.words import Scene

_COATS: dict[str, tuple[Colour, Colour]] = {
    "fox": ((214, 104, 42), (248, 238, 224)),
    "cat": ((122, 116, 116), (232, 228, 222)),
    "dog": ((176, 122, 70), (238, 222, 196)),
}


def four_legs(canvas: Canvas, scene: Scene, x: float, foot: float, size: float, flip: int) -> None:  # noqa: PLR0917 - where, how large, which way: the order of drawing
    """Draw a sitting fox, cat or dog, `size` pixels high, looking to `flip` (1 right, -1 left)."""
    kind = scene.motif
    coat, pale = _COATS[kind]
    if scene.colours:
        coat = mix(scene.colours[0], coat, 0.45 if kind == "fox" else 0.15)
    coat, pale = times(coat, scene.light), times(pale, scene.light)
    dark, s = lighter(coat, -0.32), size

    def at(*points: Point) -> list[Point]:
        return [(x + flip * a * s, foot - b * s) for a, b in points]

    canvas.fill(oval(x - flip * s * 0.05, foot, s * 0.46, s * 0.05), colour=(12, 16, 22), alpha=0.4, blur=s * 0.025)
    if kind == "fox":
        tail = curve(*at((-0.2, 0.08), (-0.5, 0.06), (-0.64, 0.22), (-0.58, 0.46)))
        canvas.fill(stroke(tail, [s * 0.1, s * 0.2, s * 0.22, s * 0.02]), colour=coat, low=lighter(coat, -0.18))
        canvas.fill(stroke(tail[-13:], [s * 0.19, s * 0.17, s * 0.02]), colour=pale)
    elif kind == "cat":
        canvas.fill(
            stroke(
                curve(*at((-0.22, 0.06), (-0.5, 0.04), (-0.56, 0.24), (-0.44, 0.36))), [s * 0.07, s * 0.06, s * 0.045]
            ),
            colour=coat,
            low=dark,
        )
    else:
        canvas.fill(
            stroke(curve(*at((-0.24, 0.1), (-0.42, 0.2), (-0.46, 0.4))), [s * 0.09, s * 0.06, s * 0.03]),
            colour=coat,
            low=dark,
        )
    body = curve(
        *at(
            (-0.26, 0.0),
            (-0.33, 0.16),
            (-0.22, 0.42),
            (-0.02, 0.62),
            (0.16, 0.6),
            (0.22, 0.4),
            (0.2, 0.14),
            (0.22, 0.0),
        )
    )
    canvas.fill(body, colour=lighter(coat, 0.08), low=lighter(coat, -0.22))
    canvas.fill(
        curve(*at((-0.3, 0.02), (-0.3, 0.2), (-0.12, 0.28), (-0.02, 0.14), (0.0, 0.0))),
        colour=lighter(coat, -0.06),
        low=dark,
    )
    canvas.fill(
        curve(*at((0.04, 0.5), (0.16, 0.56), (0.22, 0.4), (0.19, 0.16), (0.12, 0.12), (0.06, 0.3), (0.04, 0.5))),
        colour=pale,
        low=lighter(pale, -0.15),
    )
    for left in (0.06, 0.16):
        leg = at((left, 0.32), (left + 0.01, 0.03))
        canvas.fill(
            stroke(leg, [s * 0.1, s * 0.065]),
            colour=coat,
            low=lighter((60, 44, 40), -0.1) if kind == "fox" else lighter(coat, -0.12),
        )
        canvas.fill(
            oval(leg[1][0] + flip * s * 0.02, foot - s * 0.018, s * 0.055, s * 0.026),
            colour=(52, 40, 38) if kind == "fox" else pale,
        )
    _head(canvas, kind, coat, pale, x + flip * s * 0.12, foot - s * 0.74, s, flip)


def _head(canvas: Canvas, kind: str, coat: Colour, pale: Colour, x: float, y: float, s: float, flip: int) -> None:  # noqa: PLR0917 - where, how large, which way: the order of drawing
    dark = lighter(coat, -0.35)

    def at(*points: Point) -> list[Point]:
        return [(x + flip * a * s, y - b * s) for a, b in points]

    if kind == "dog":
        canvas.fill(oval(x, y, s * 0.19, s * 0.18), colour=lighter(coat, 0.1), low=lighter(coat, -0.12))
        for side in (-1, 1):
            ear = curve(
                *at(
                    (side * 0.12, 0.14),
                    (side * 0.25, 0.08),
                    (side * 0.25, -0.12),
                    (side * 0.17, -0.14),
                    (side * 0.14, 0.0),
                )
            )
            canvas.fill(ear, colour=dark, low=lighter(dark, -0.2))
        canvas.fill(oval(x + flip * s * 0.02, y + s * 0.07, s * 0.1, s * 0.085), colour=pale, low=lighter(pale, -0.1))
        canvas.fill(oval(x + flip * s * 0.02, y + s * 0.13, s * 0.03, s * 0.045), colour=(214, 104, 112))
    else:
        tip = 0.3 if kind == "fox" else 0.26
        for side in (-1, 1):
            canvas.fill(
                at((side * 0.05, 0.13), (side * 0.17, tip + 0.02), (side * 0.21, 0.06)),
                colour=dark if kind == "fox" else coat,
            )
            canvas.fill(
                at((side * 0.09, 0.12), (side * 0.16, tip - 0.05), (side * 0.18, 0.07)),
                colour=mix(pale, (226, 156, 150), 0.5),
            )
        wide = 0.22 if kind == "fox" else 0.195
        face = curve(
            *at(
                (-0.12, 0.16),
                (0.0, 0.18),
                (0.12, 0.16),
                (wide, 0.0),
                (0.1, -0.12),
                (0.0, -0.21 if kind == "fox" else -0.15),
                (-0.1, -0.12),
                (-wide, 0.0),
                (-0.12, 0.16),
            )
        )
        canvas.fill(face, colour=lighter(coat, 0.1), low=lighter(coat, -0.1))
        for side in (-1, 1):
            cheek = curve(
                *at(
                    (side * wide, -0.01),
                    (side * 0.1, -0.03),
                    (0.0, -0.12),
                    (0.0, -0.2 if kind == "fox" else -0.14),
                    (side * 0.1, -0.11),
                    (side * wide, -0.01),
                )
            )
            canvas.fill(cheek, colour=pale)
        if kind == "cat":
            bars = [stroke(at((a, 0.17), (a * 0.7, 0.09)), [s * 0.018]) for a in (-0.07, 0.0, 0.07)]
            canvas.fill(*bars, colour=dark)
            whiskers = [at((side * 0.06, -0.07), (side * 0.3, -0.05 - 0.04 * k)) for side in (-1, 1) for k in range(3)]
            canvas.lines(whiskers, max(1.0, s * 0.005), (246, 244, 240), 0.8)
    iris = {"fox": (196, 138, 40), "cat": (150, 178, 70), "dog": (92, 58, 36)}[kind]
    for side in (-1, 1):
        eye = at((side * 0.085, 0.035))[0]
        canvas.fill(oval(*eye, s * 0.032, s * 0.03), colour=(30, 24, 22))
        canvas.fill(oval(*eye, s * 0.025, s * 0.024), colour=iris)
        canvas.fill(oval(*eye, s * (0.009 if kind == "cat" else 0.014), s * 0.021), colour=(14, 12, 12))
        canvas.fill(oval(eye[0] - s * 0.008, eye[1] - s * 0.009, s * 0.007), colour=(255, 255, 255))
    nose = at((0.0, {"fox": -0.19, "cat": -0.075, "dog": -0.03}[kind]))[0]
    canvas.fill(
        oval(*nose, s * 0.034 if kind != "cat" else s * 0.02, s * 0.025 if kind != "cat" else s * 0.015),
        colour=(34, 28, 30) if kind != "cat" else (206, 132, 128),
    )


def bird(canvas: Canvas, scene: Scene, x: float, foot: float, size: float, flip: int) -> None:  # noqa: PLR0917 - where, how large, which way: the order of drawing
    """Draw a bird on a branch."""
    coat = times(scene.colours[0] if scene.colours else (74, 118, 176), scene.light)
    breast, wood, s = times((226, 128, 70), scene.light), times((104, 76, 54), scene.light), size

    def at(*points: Point) -> list[Point]:
        return [(x + flip * a * s, foot - b * s) for a, b in points]

    canvas.fill(
        stroke(curve(*at((-1.6, 0.12), (-0.3, 0.18), (0.5, 0.16), (1.5, 0.3))), [s * 0.12, s * 0.09, s * 0.05]),
        colour=lighter(wood, 0.1),
        low=lighter(wood, -0.25),
    )
    canvas.fill(at((-0.24, 0.42), (-0.62, 0.16), (-0.56, 0.08), (-0.14, 0.3)), colour=lighter(coat, -0.25))
    canvas.fill(
        curve(*at((-0.28, 0.4), (-0.1, 0.66), (0.16, 0.7), (0.3, 0.5), (0.2, 0.26), (-0.04, 0.18), (-0.28, 0.4))),
        colour=breast,
        low=lighter(breast, 0.35),
    )
    canvas.fill(
        curve(*at((-0.32, 0.36), (-0.14, 0.64), (0.1, 0.66), (0.1, 0.46), (-0.1, 0.32), (-0.32, 0.36))),
        colour=lighter(coat, 0.1),
        low=lighter(coat, -0.2),
    )
    head = at((0.2, 0.74))[0]
    canvas.fill(oval(*head, s * 0.17), colour=lighter(coat, 0.12), low=coat)
    canvas.fill(at((0.35, 0.78), (0.52, 0.72), (0.35, 0.69)), colour=times((236, 178, 66), scene.light))
    eye = at((0.25, 0.77))[0]
    canvas.fill(oval(*eye, s * 0.032), colour=(16, 16, 18))
    canvas.fill(oval(eye[0] - s * 0.01, eye[1] - s * 0.01, s * 0.01), colour=(255, 255, 255))
    for a in (0.0, 0.1):
        canvas.fill(stroke(at((a, 0.24), (a + 0.02, 0.15)), [s * 0.03]), colour=times((196, 140, 60), scene.light))


def portrait(canvas: Canvas, scene: Scene, x: float, foot: float, size: float, flip: int) -> None:  # noqa: PLR0917 - where, how large, which way: the order of drawing
    """Draw head and shoulders of a person before a blurred background."""
    del foot
    chance, s, low = canvas.chance, size, float(canvas.height)
    skin = times(chance.choice([(240, 202, 172), (222, 174, 138), (176, 122, 88), (118, 78, 56)]), scene.light)
    hair = times(chance.choice([(52, 38, 32), (96, 62, 40), (178, 132, 76), (30, 28, 30), (150, 74, 44)]), scene.light)
    wear = times(
        scene.colours[0]
        if scene.colours
        else chance.choice([(60, 92, 132), (150, 70, 78), (74, 112, 92), (210, 180, 130)]),
        scene.light,
    )
    man = bool(scene.words & {"man", "boy", "king"})
    y, long = low - s * 0.86, bool(scene.words & {"woman", "girl", "queen"}) or (not man and chance.random() < 0.5)

    def at(*points: Point) -> list[Point]:
        return [(x + flip * a * s, y + b * s) for a, b in points]

    if long:
        canvas.fill(
            curve(*at((-0.24, -0.1), (-0.31, 0.2), (-0.3, 0.52), (0.0, 0.56), (0.3, 0.52), (0.31, 0.2), (0.24, -0.1))),
            colour=lighter(hair, 0.05),
            low=lighter(hair, -0.2),
        )
    canvas.fill(
        curve(*at((-0.62, 1.0), (-0.56, 0.6), (-0.2, 0.44), (0.2, 0.44), (0.56, 0.6), (0.62, 1.0))),
        colour=lighter(wear, 0.12),
        low=lighter(wear, -0.22),
    )
    canvas.fill(at((-0.1, 0.2), (0.1, 0.2), (0.15, 0.48), (0.0, 0.56), (-0.15, 0.48)), colour=lighter(skin, -0.14))
    canvas.fill(
        curve(
            *at(
                (-0.23, -0.12),
                (-0.21, 0.12),
                (-0.11, 0.29),
                (0.0, 0.32),
                (0.11, 0.29),
                (0.21, 0.12),
                (0.23, -0.12),
                (0.0, -0.32),
                (-0.23, -0.12),
            )
        ),
        colour=lighter(skin, 0.07),
        low=lighter(skin, -0.08),
    )
    top = curve(
        *at(
            (-0.25, 0.06),
            (-0.29, -0.2),
            (-0.14, -0.38),
            (0.08, -0.4),
            (0.28, -0.22),
            (0.25, 0.06),
            (0.19, -0.1),
            (0.04, -0.19),
            (-0.14, -0.12),
            (-0.25, 0.06),
        )
    )
    canvas.fill(top, colour=lighter(hair, 0.12), low=lighter(hair, -0.1))
    for side in (-1, 1):
        eye = at((side * 0.095, 0.0))[0]
        canvas.fill(oval(*eye, s * 0.042, s * 0.022), colour=times((250, 248, 244), scene.light))
        canvas.fill(oval(*eye, s * 0.02), colour=(70, 92, 96))
        canvas.fill(oval(*eye, s * 0.01), colour=(14, 14, 16))
        canvas.fill(
            stroke(curve(*at((side * 0.05, -0.06), (side * 0.1, -0.078), (side * 0.15, -0.055))), [s * 0.018]),
            colour=hair,
        )
    canvas.fill(stroke(curve(*at((0.0, 0.0), (0.03, 0.1), (-0.01, 0.12))), [s * 0.012]), colour=lighter(skin, -0.25))
    canvas.fill(
        curve(*at((-0.085, 0.185), (0.0, 0.175), (0.085, 0.185), (0.0, 0.225), (-0.085, 0.185))),
        colour=lighter(skin, -0.3) if man else times((186, 88, 84), scene.light),
    )
    if man and "boy" not in scene.words and chance.random() < 0.7:
        beard = curve(
            *at(
                (-0.21, 0.08),
                (-0.17, 0.24),
                (0.0, 0.36),
                (0.17, 0.24),
                (0.21, 0.08),
                (0.12, 0.16),
                (0.0, 0.15),
                (-0.12, 0.16),
                (-0.21, 0.08),
            )
        )
        canvas.fill(beard, colour=hair, low=lighter(hair, -0.15))
        canvas.fill(
            curve(*at((-0.06, 0.2), (0.0, 0.195), (0.06, 0.2), (0.0, 0.22), (-0.06, 0.2))), colour=lighter(skin, -0.3)
        )
    if scene.words & {"queen", "king"}:
        canvas.fill(
            at((-0.22, -0.28), (-0.26, -0.54), (-0.12, -0.4), (0.0, -0.6), (0.12, -0.4), (0.26, -0.54), (0.22, -0.28)),
            colour=(240, 204, 96),
            low=(190, 140, 50),
        )
    if "chef" in scene.words:
        canvas.fill(
            oval(x - s * 0.13, y - s * 0.5, s * 0.15),
            oval(x + s * 0.13, y - s * 0.5, s * 0.15),
            oval(x, y - s * 0.56, s * 0.17),
            at((-0.2, -0.5), (0.2, -0.5), (0.22, -0.26), (-0.22, -0.26)),
            colour=(250, 250, 250),
            low=(222, 226, 230),
        )


def flowers(canvas: Canvas, scene: Scene, x: float, foot: float, size: float, flip: int) -> None:  # noqa: PLR0917 - where, how large, which way: the order of drawing
    """Draw one large flower and smaller ones on stems."""
    chance, green = canvas.chance, times((84, 138, 74), scene.light)
    tone = (
        scene.colours[0]
        if scene.colours
        else (246, 196, 52)
        if "sunflower" in scene.words
        else (206, 56, 76)
        if "rose" in scene.words
        else chance.choice([(232, 110, 140), (244, 180, 70), (150, 110, 200), (240, 240, 236)])
    )
    tone = times(tone, scene.light)
    heads = [
        (x + flip * size * a, foot - size * b, size * r)
        for a, b, r in ((-0.42, 0.62, 0.13), (0.46, 0.72, 0.15), (-0.2, 0.95, 0.11), (0.0, 0.78, 0.26))
    ]
    for hx, hy, radius in heads:
        stem = curve((hx, hy), (hx + (x - hx) * 0.3, hy + (foot - hy) * 0.5), (x + (hx - x) * 0.25, foot + size * 0.2))
        canvas.fill(stroke(stem, [radius * 0.1, radius * 0.16]), colour=lighter(green, 0.1), low=lighter(green, -0.2))
        leaf = stem[len(stem) // 2]
        canvas.fill(
            curve(
                leaf,
                (leaf[0] + radius, leaf[1] - radius * 0.55),
                (leaf[0] + radius * 1.6, leaf[1] - radius * 0.3),
                (leaf[0] + radius * 0.8, leaf[1] + radius * 0.1),
                leaf,
            ),
            colour=green,
            low=lighter(green, -0.2),
        )
    for hx, hy, radius in heads:
        if "tulip" in scene.words:
            cup = curve(
                (hx - radius * 0.6, hy - radius * 0.5),
                (hx - radius * 0.75, hy + radius * 0.2),
                (hx, hy + radius * 0.8),
                (hx + radius * 0.75, hy + radius * 0.2),
                (hx + radius * 0.6, hy - radius * 0.5),
                (hx + radius * 0.3, hy),
                (hx, hy - radius * 0.8),
                (hx - radius * 0.3, hy),
                (hx - radius * 0.6, hy - radius * 0.5),
                steps=4,
            )
            canvas.fill(cup, colour=lighter(tone, 0.2), low=lighter(tone, -0.15))
        elif "rose" in scene.words:
            for k in range(7):
                shrink, turn = 1 - k * 0.13, k * 2.4
                canvas.fill(
                    oval(
                        hx + math.cos(turn) * radius * 0.16 * shrink,
                        hy + math.sin(turn) * radius * 0.16 * shrink,
                        radius * shrink,
                        radius * shrink * 0.92,
                    ),
                    colour=lighter(tone, 0.16 if k % 2 else -0.1),
                    low=lighter(tone, -0.22),
                )
        else:
            _petals(canvas, hx, hy, radius, tone, 18 if "sunflower" in scene.words or "daisy" in scene.words else 8)


def _petals(canvas: Canvas, x: float, y: float, radius: float, tone: Colour, count: int) -> None:  # noqa: PLR0917 - where, how large, which way: the order of drawing
    for ring, shade, share in ((0, -0.15, 1.0), (1, 0.12, 0.85)):
        petals = []
        for i in range(count):
            angle = (i + ring * 0.5) / count * math.tau
            tip, side = (
                (x + math.cos(angle) * radius * share, y + math.sin(angle) * radius * share),
                math.tau / count * 0.62,
            )
            left = (
                x + math.cos(angle - side) * radius * 0.6 * share,
                y + math.sin(angle - side) * radius * 0.6 * share,
            )
            right = (
                x + math.cos(angle + side) * radius * 0.6 * share,
                y + math.sin(angle + side) * radius * 0.6 * share,
            )
            petals.append(curve((x, y), left, tip, right, (x, y), steps=5))
        canvas.fill(*petals, colour=lighter(tone, shade + 0.08), low=lighter(tone, shade - 0.08))
    middle = (92, 62, 38) if count > 10 else (244, 208, 92)
    canvas.fill(oval(x, y, radius * 0.3), colour=lighter(middle, 0.15), low=lighter(middle, -0.2))
